//! Sound that may have to be sent again.
//!
//! Browsers have no retransmission stream for audio: who asks for a lost packet (RFC 4585 NACK) wants
//! that very packet, under its own SSRC and number. Sealing it a second time would use a nonce twice,
//! so the datagram is kept as it left and leaves again byte for byte. A receiver that has it already
//! drops it as a replay. Packets of sound are small and the newest second of them is enough.

use std::collections::VecDeque;

/// The newest datagrams of one stream.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    kept: VecDeque<Copy>,
}

#[derive(Debug, Default)]
struct Copy {
    sequence: u16,
    /// When it was sent again last, ms since the egress was made.
    again: Option<u32>,
    datagram: Vec<u8>,
}

impl Copies {
    /// Room for a datagram that is about to leave; the oldest one's, when all places are taken.
    pub(crate) fn keep(&mut self, sequence: u16, datagram: &[u8]) {
        let mut copy = match self.kept.len() < MOST {
            true => Copy::default(),
            false => self.kept.pop_front().unwrap_or_default(),
        };
        copy.sequence = sequence;
        copy.again = None;
        copy.datagram.clear();
        copy.datagram.extend_from_slice(datagram);
        self.kept.push_back(copy);
    }

    /// The datagram with this number, unless it went out again less than `pause` ms before `now`.
    pub(crate) fn again(&mut self, sequence: u16, now: u32, pause: u32) -> Option<&[u8]> {
        let mut newest_first = self.kept.iter_mut().rev();
        let copy = newest_first.find(|copy| copy.sequence == sequence)?;
        if copy.again.is_some_and(|at| now.wrapping_sub(at) < pause) {
            return None;
        }
        copy.again = Some(now);
        Some(&copy.datagram)
    }
}

/// A second and a quarter of 20 ms packets.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_leaves_again_as_it_was_and_not_twice_at_once() {
        let mut copies = Copies::default();
        copies.keep(7, b"seven");
        assert_eq!(copies.again(7, 1_000, 40), Some(&b"seven"[..]));
        assert_eq!(copies.again(7, 1_039, 40), None);
        assert_eq!(copies.again(7, 1_040, 40), Some(&b"seven"[..]));
        assert_eq!(copies.again(8, 1_040, 40), None);
    }

    #[test]
    fn the_newest_second_is_kept() {
        let mut copies = Copies::default();
        for sequence in 0..1_000_u16 {
            copies.keep(sequence, &sequence.to_be_bytes());
        }
        assert_eq!(copies.kept.len(), MOST);
        assert!(copies.again(935, 0, 40).is_none());
        assert_eq!(copies.again(936, 0, 40), Some(&936_u16.to_be_bytes()[..]));
    }
}
