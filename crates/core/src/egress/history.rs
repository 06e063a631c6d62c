//! What was sent on one stream lately, so that it can be sent again.
//!
//! Kept per subscriber: the numbers. The content is the publisher's packet, shared by all. Bounded
//! by age and by count; a packet that has come out of order finds its place.

use std::collections::VecDeque;

use super::Queued;

/// A packet that has left.
pub(crate) struct Sent {
    pub(crate) packet: Queued,
    pub(crate) again: Again,
}

/// What became of a packet after it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// It was not sent again.
    No,
    /// It was last sent again at this time, ms on the session's own clock.
    At(u32),
    /// It was sent again and has arrived.
    Arrived,
}

/// The packets of the last second or so, by ascending sequence number.
#[derive(Default)]
pub(crate) struct History(VecDeque<Sent>);

impl History {
    pub(crate) fn push(&mut self, mut packet: Queued, at: u32) {
        while let Some(oldest) = self.0.front()
            && (self.0.len() >= MAX_PACKETS || at.wrapping_sub(oldest.packet.since) > MAX_AGE)
        {
            self.0.pop_front();
        }
        let sequence = packet.sequence;
        packet.since = at;
        let sent = Sent {
            packet,
            again: Again::No,
        };
        match self.0.back() {
            Some(newest) if newest.packet.sequence >= sequence => {
                let place = self.0.partition_point(|s| s.packet.sequence < sequence);
                self.0.insert(place, sent);
            }
            _ => self.0.push_back(sent),
        }
    }

    /// The packet with this sequence number, whose low half is all that the peer names.
    pub(crate) fn find(&mut self, sequence: u16) -> Option<&mut Sent> {
        let newest = self.0.back()?.packet.sequence;
        let behind = u64::from((newest as u16).wrapping_sub(sequence));
        let sequence = newest.checked_sub(behind)?;
        let place = self
            .0
            .binary_search_by_key(&sequence, |sent| sent.packet.sequence)
            .ok()?;
        self.0.get_mut(place)
    }

    /// Sequence numbers of the oldest and of the newest packet.
    pub(crate) fn ends(&self) -> Option<(u64, u64)> {
        Some((
            self.0.front()?.packet.sequence,
            self.0.back()?.packet.sequence,
        ))
    }

    /// The newest packet of at most `payload` bytes, to fill a probe with.
    pub(crate) fn newest(&self, payload: usize) -> Option<&Sent> {
        let fits = |sent: &&Sent| sent.packet.payload_len() <= payload;
        self.0.iter().rev().take(PROBE_CHOICE).find(fits)
    }

    pub(crate) fn clear(&mut self) {
        self.0 = VecDeque::new();
    }
}

/// ms: a second, and the round trip of the request.
const MAX_AGE: u32 = 1_500;
/// A second at 10 Mbit/s.
const MAX_PACKETS: usize = 1_024;
/// How far back a probe looks for a packet of the right size.
const PROBE_CHOICE: usize = 16;

// What a subscriber costs in memory is mostly this, times the packets of a second and a half.
const _: () = assert!(size_of::<Sent>() <= 56);
