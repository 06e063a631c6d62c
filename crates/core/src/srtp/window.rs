//! Which numbers were seen lately: the highest, and one bit for each of the ones just below it.
//!
//! Rule: whatever has fallen out of the window counts as seen.

/// A window of `WORDS` times 64 numbers; a ring of bits, so moving on touches only what it skips.
#[derive(Clone, Debug)]
pub(super) struct Window<const WORDS: usize> {
    /// One above the highest number seen.
    next: u64,
    bits: [u64; WORDS],
}

impl<const WORDS: usize> Window<WORDS> {
    pub(super) const fn new() -> Self {
        Self {
            next: 0,
            bits: [0; WORDS],
        }
    }

    /// One above the highest number seen; 0 before the first.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Whether the number was not seen before.
    pub(super) const fn is_new(&self, number: u64) -> bool {
        let (word, bit) = Self::place(number);
        number >= self.next || (self.next - number <= Self::LEN && self.bits[word] & bit == 0)
    }

    /// Remember the number; false when it was seen before.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        if !self.is_new(number) {
            return false;
        }
        if number >= self.next {
            if number - self.next >= Self::LEN {
                self.bits = [0; WORDS];
            } else {
                (self.next..number).for_each(|skipped| {
                    let (word, bit) = Self::place(skipped);
                    self.bits[word] &= !bit;
                });
            }
            self.next = number + 1;
        }
        let (word, bit) = Self::place(number);
        self.bits[word] |= bit;
        true
    }

    const fn place(number: u64) -> (usize, u64) {
        let at = number % Self::LEN;
        ((at / 64) as usize, 1 << (at % 64))
    }

    const LEN: u64 = WORDS as u64 * 64;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Against a set that forgets nothing: what the window lets in twice would be a replay.
    #[test]
    fn a_number_enters_once_in_whatever_order() {
        for seed in 0..200_u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let (mut window, mut seen, mut base) = (Window::<2>::new(), BTreeSet::new(), 0_u64);
            for _ in 0..2_000 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                base += match state % 97 {
                    0 => 300,
                    1..50 => 1,
                    _ => 0,
                };
                let number = (base + state % 7).saturating_sub((state >> 9) % 150);
                let highest = seen.last().copied();
                let fell_out = highest.is_some_and(|highest| number + 128 <= highest);
                let expected = !seen.contains(&number) && !fell_out;
                assert_eq!(
                    window.is_new(number),
                    expected,
                    "seed {seed}, number {number}"
                );
                assert_eq!(window.insert(number), expected);
                if expected {
                    seen.insert(number);
                }
            }
        }
    }
}
