//! One heap of deadlines. Each carries its reason and the handle it concerns.
//!
//! Entries are never removed early: an owner remembers the moment it last asked for, and an
//! entry that fires at another moment is stale (lazy invalidation, O(log n) per change).
//! Handles are never reused, so a stale entry cannot hit a newcomer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

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
