//! Which packets a browser asks for again, and when (WebRTC's `NackRequester`).
//!
//! A gap is asked for at once, then every round trip, ten times at most.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The gaps of one stream.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    newest: Option<u64>,
    gaps: BTreeMap<u64, Gap>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Gap {
    asked: u32,
    at: Option<Instant>,
}

impl Missing {
    /// A packet came, by whatever way.
    pub(crate) fn arrived(&mut self, sequence: u64) {
        self.gaps.remove(&sequence);
        let Some(newest) = self.newest else {
            self.newest = Some(sequence);
            return;
        };
        if sequence <= newest {
            return;
        }
        let from = (newest + 1).max(sequence.saturating_sub(MOST));
        self.gaps
            .extend((from..sequence).map(|gap| (gap, Gap::default())));
        while self.gaps.len() > MOST as usize {
            self.gaps.pop_first();
        }
        self.newest = Some(sequence);
    }

    /// The newest packet so far.
    pub(crate) const fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// What is to be asked for now; counts as asked.
    pub(crate) fn due(&mut self, now: Instant, round_trip: Duration) -> Vec<u64> {
        self.gaps.retain(|_, gap| gap.asked < TRIES);
        let due = |gap: &Gap| gap.at.is_none_or(|at| now >= at + round_trip);
        let mut asked = Vec::new();
        for (sequence, gap) in self.gaps.iter_mut().filter(|(_, gap)| due(gap)) {
            gap.asked += 1;
            gap.at = Some(now);
            asked.push(*sequence);
        }
        asked
    }
}

/// How often one packet is asked for.
const TRIES: u32 = 10;
/// Gaps remembered.
const MOST: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const TRIP: Duration = Duration::from_millis(100);

    #[test]
    fn a_gap_is_asked_for_ten_times() {
        let (mut missing, mut now) = (Missing::default(), Instant::now());
        missing.arrived(10);
        missing.arrived(13);
        assert_eq!(missing.due(now, TRIP), [11, 12]);
        assert!(missing.due(now, TRIP).is_empty(), "not twice at once");
        missing.arrived(12);
        for _ in 1..10 {
            now += TRIP;
            assert_eq!(missing.due(now, TRIP), [11]);
        }
        now += TRIP;
        assert!(missing.due(now, TRIP).is_empty());
    }
}
