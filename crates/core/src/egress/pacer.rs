//! The pace at which video leaves.
//!
//! A line that carries the media sees no pacing: a frame's burst leaves at once. Only what exceeds
//! [`BURST`] at the pacing rate waits, and leaves in steps of [`STEP`], so that a wait costs few
//! wake-ups. Audio and repairs are counted and never wait.

use std::time::{Duration, Instant};

/// A leaky bucket, written as the moment at which it is empty.
#[derive(Default)]
pub(crate) struct Pacer {
    /// bit/s; 0 is no limit.
    rate: u64,
    empty: Option<Instant>,
    /// From when on a new run may start although all else rests.
    opens: Option<Instant>,
}

impl Pacer {
    pub(crate) const fn set_rate(&mut self, rate: u64) {
        self.rate = rate;
    }

    /// Whether more may leave now.
    pub(crate) fn allows(&self, now: Instant) -> bool {
        self.rate == 0 || self.empty.is_none_or(|empty| empty <= now + BURST)
    }

    /// Bytes have left.
    pub(crate) fn sent(&mut self, now: Instant, bytes: usize) {
        if let Some(micros) = (bytes as u64 * 8_000_000).checked_div(self.rate) {
            let from = self.empty.map_or(now, |empty| empty.max(now));
            self.empty = Some(from + Duration::from_micros(micros));
        }
    }

    /// Nothing of video leaves for a moment: the queue of a collapsed line is full to the brim, and
    /// the next to come would be dropped.
    pub(crate) fn rest(&mut self, now: Instant) {
        self.opens = Some(now + OPENS);
        self.rest_on(now);
    }

    /// The rest goes on: the queue is still long, and sound stands in it.
    pub(crate) fn rest_on(&mut self, now: Instant) {
        let rested = now + REST + BURST;
        self.empty = Some(self.empty.map_or(rested, |empty| empty.max(rested)));
    }

    /// The line is as it should be.
    pub(crate) const fn wake(&mut self) {
        self.opens = None;
    }

    /// Whether the key frame of a new run may leave before the rest is over: it is small, and without
    /// it nothing is seen.
    pub(crate) fn may_open(&self, now: Instant) -> bool {
        self.opens.is_some_and(|at| at <= now)
    }

    /// When it is worth trying again.
    pub(crate) fn next(&self, now: Instant) -> Instant {
        let allowed = self.empty.and_then(|empty| empty.checked_sub(BURST));
        allowed.map_or(now, |at| at.max(now)) + STEP
    }
}

/// What may leave in one go: more than a frame at any rate that fits the line.
const BURST: Duration = Duration::from_millis(40);
/// How much gathers before the next step.
const STEP: Duration = Duration::from_millis(5);
/// As long as from one feedback to the next.
const REST: Duration = Duration::from_millis(100);
/// Until a full queue has room for a small key frame again, also for one larger than the mean.
const OPENS: Duration = Duration::from_millis(130);
