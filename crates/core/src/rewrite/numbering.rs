//! Numbers that count one by one, extended to 64 bits so that nothing here ever wraps.
//!
//! What is held back on purpose takes no number, so the numbers of what passes stay without a
//! hole; what was lost keeps its number, and gets it when it comes late. A number that was left
//! for a lost packet which then turns out to be held back is a *hole*: something must fill it.

/// Maps one run of input numbers onto a continuous output; knows the last `64 * WORDS` of them.
pub(crate) struct Numbering<const WORDS: usize> {
    /// First and newest input number of this run.
    first: u64,
    newest: u64,
    /// The output number of `newest`, or of what comes next when that one is held back.
    slot: u64,
    held: [u64; WORDS],
    used: [u64; WORDS],
}

/// What becomes of a number that is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nothing is missing.
    Closed,
    /// This output number was left for it.
    Hole(u64),
}

impl<const WORDS: usize> Numbering<WORDS> {
    /// `first` is the first output number.
    pub(crate) const fn new(first: u64) -> Self {
        Self {
            first: 0,
            newest: 0,
            slot: first,
            held: [1; WORDS], // "the newest is held back": the next slot is `first` itself
            used: [0; WORDS],
        }
    }

    /// The next output number.
    pub(crate) const fn next(&self) -> u64 {
        self.slot + !self.is(&self.held, self.newest) as u64
    }

    pub(crate) const fn start_run(&mut self, input: u64) {
        self.slot = self.next();
        (self.first, self.newest) = (input, input);
        self.held = [0; WORDS];
        self.used = [0; WORDS];
    }

    /// The output number; the same for the same input. None when it is older than is known.
    pub(crate) fn map(&mut self, input: u64) -> Option<u64> {
        self.advance(input);
        let behind = self.newest - input;
        let is_known = input >= self.first && behind < Self::WINDOW;
        if !is_known || self.is(&self.held, input) {
            return None;
        }
        if behind == 0 {
            return Some(self.slot);
        }
        let held = (input..self.newest).filter(|n| self.is(&self.held, *n));
        Some(self.slot + held.count() as u64 - behind)
    }

    /// As [`Numbering::map`], but each input only once.
    pub(crate) fn claim(&mut self, input: u64) -> Option<u64> {
        let output = self.map(input)?;
        let (word, mask) = Self::place(input);
        if self.used[word] & mask != 0 {
            return None;
        }
        self.used[word] |= mask;
        Some(output)
    }

    /// Holds a number back.
    pub(crate) fn hold(&mut self, input: u64) -> Held {
        if input > self.newest {
            self.advance(input);
            let (word, mask) = Self::place(input);
            self.held[word] |= mask;
            return Held::Closed;
        }
        match self.claim(input) {
            Some(hole) => Held::Hole(hole),
            None => Held::Closed,
        }
    }

    fn advance(&mut self, input: u64) {
        if input <= self.newest {
            return;
        }
        self.slot += input - self.newest - u64::from(self.is(&self.held, self.newest));
        let from = (self.newest + 1).max((input + 1).saturating_sub(Self::WINDOW));
        for n in from..=input {
            let (word, mask) = Self::place(n);
            self.held[word] &= !mask;
            self.used[word] &= !mask;
        }
        self.newest = input;
    }

    const fn is(&self, set: &[u64; WORDS], input: u64) -> bool {
        let (word, mask) = Self::place(input);
        set[word] & mask != 0
    }

    const fn place(input: u64) -> (usize, u64) {
        ((input / 64) as usize % WORDS, 1 << (input % 64))
    }

    const WINDOW: u64 = 64 * WORDS as u64;
}

#[cfg(test)]
mod tests {
    use super::{Held, Numbering};

    fn started(first: u64, input: u64) -> Numbering<2> {
        let mut numbering = Numbering::new(first);
        numbering.start_run(input);
        numbering
    }

    /// A gap stays a gap, a late packet takes its own number, and only once.
    #[test]
    fn keeps_gaps() {
        let mut numbering = started(100, 7);
        assert_eq!(
            [7, 8, 11, 9, 9].map(|n| numbering.claim(n)),
            [Some(100), Some(101), Some(104), Some(102), None]
        );
    }

    /// A new run continues without a jump and refuses what is older.
    #[test]
    fn continues_over_runs() {
        let mut numbering = started(100, 7);
        numbering.claim(7);
        numbering.claim(8);
        numbering.start_run(70_000);
        assert_eq!(numbering.claim(70_000), Some(102));
        assert_eq!(numbering.claim(69_999), None);
    }

    /// What is held back takes no number, before and after what comes late.
    #[test]
    fn closes_up() {
        let mut numbering = started(0, 10);
        assert_eq!(numbering.claim(10), Some(0));
        assert_eq!(numbering.hold(11), Held::Closed);
        assert_eq!(numbering.hold(12), Held::Closed);
        assert_eq!(numbering.claim(15), Some(3));
        assert_eq!(numbering.hold(14), Held::Hole(2));
        assert_eq!(numbering.hold(14), Held::Closed, "filled once");
        assert_eq!(numbering.claim(13), Some(1));
        assert_eq!(numbering.hold(16), Held::Closed);
        numbering.start_run(500);
        assert_eq!(numbering.claim(500), Some(4));
    }

    /// What is older than the window has no number.
    #[test]
    fn forgets() {
        let mut numbering = started(0, 0);
        numbering.claim(0);
        assert_eq!(numbering.claim(128), Some(128));
        assert_eq!(numbering.claim(0), None);
        assert_eq!(numbering.claim(1), Some(1));
        assert_eq!(numbering.claim(100_000), Some(100_000));
    }
}
