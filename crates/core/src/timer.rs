//! One heap of deadlines. Each carries its reason and the handle it concerns.
//!
//! Entries are never removed early: an owner remembers the moment it last asked for, and an
//! entry that fires at another moment is stale (lazy invalidation, O(log n) per change).
//! Handles are never reused, so a stale entry cannot hit a newcomer.
//!
//! What is far away need not be exact: such deadlines of all sessions are put off to common moments,
//! so that a thread with thousands of idle sessions wakes a hundred times a second at most.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Why a timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// A session's own timeout (ICE, DTLS, SCTP, RTCP).
    Session,
    /// Packets wait for their session's pacer.
    Pacer,
    /// A subscribe transport's heartbeat is due.
    Heartbeat,
    /// Is the peer of this transport still there?
    Liveness,
    /// Ask a publisher again for a key frame.
    KeyFrame,
    /// Another media thread has been asked for tracks; the handle counts the questions.
    Relay,
    /// A subscribe transport shares its estimate anew.
    Allocation,
    /// Does a publisher still send what nobody wants?
    Wanted,
    /// A router's voices are looked at.
    Speakers,
    /// A recording track's sender report is due.
    SenderReport,
    /// A plain transport reports what it receives, or asks again for what it does not.
    Plain,
}

/// A deadline `at`, put off to a moment that others share if it is [`FAR`] away. Moments are counted
/// from `epoch`.
pub(crate) fn common(at: Instant, now: Instant, epoch: Instant) -> Instant {
    if at.saturating_duration_since(now) < FAR {
        return at;
    }
    let past = at.saturating_duration_since(epoch).as_nanos() % GRID.as_nanos();
    match past {
        0 => at,
        past => at + GRID - Duration::from_nanos(past as u64),
    }
}

/// What fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timer {
    pub(crate) at: Instant,
    pub(crate) reason: Reason,
    pub(crate) handle: u64,
}

/// All deadlines of a media thread.
#[derive(Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<Timer>>);

impl Timers {
    pub(crate) fn arm(&mut self, at: Instant, reason: Reason, handle: u64) {
        self.0.push(Reverse(Timer { at, reason, handle }));
    }

    /// The next timer that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        match self.0.peek() {
            Some(Reverse(timer)) if timer.at <= now => self.0.pop().map(|Reverse(timer)| timer),
            _ => None,
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse(timer)| timer.at)
    }
}

/// Common moments are so far apart.
pub(crate) const GRID: Duration = Duration::from_millis(10);
/// From here on a few milliseconds do not matter.
const FAR: Duration = Duration::from_millis(200);

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test has to begin at some moment
mod tests {
    use super::*;

    #[test]
    fn far_deadlines_share_moments_and_near_ones_are_exact() {
        let epoch = Instant::now();
        let now = epoch + Duration::from_micros(1_234_567);
        for near in [0, 1, 199] {
            let at = now + Duration::from_millis(near);
            assert_eq!(common(at, now, epoch), at);
        }
        let mut moments = std::collections::BTreeSet::new();
        for micros in (0..1_000_000).step_by(777) {
            let at = now + Duration::from_secs(2) + Duration::from_micros(micros);
            let put = common(at, now, epoch);
            assert!(put >= at && put - at < GRID, "never early, hardly late");
            assert_eq!(common(put, now, epoch), put);
            moments.insert(put);
        }
        assert!(moments.len() <= 101, "{}", moments.len());
    }
}
