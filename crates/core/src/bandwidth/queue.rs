//! How long packets wait on the way: one-way delay above the least that was seen.
//!
//! The two clocks have an unknown offset, which cancels out. The least delay is kept over two
//! windows of 15 s, so that a changed path or drifting clocks are forgotten.

/// The queueing delay of one path.
#[derive(Default)]
pub(super) struct QueueDelay {
    least: Option<i64>,
    least_before: Option<i64>,
    window_start: u64,
    /// The least of the feedback that is being read.
    now_least: Option<i64>,
    /// us, smoothed over feedbacks.
    delay: f64,
    /// us in the last feedback, and how many in a row it has grown in by [`STEP`].
    last: f64,
    rising: u8,
    /// Since when a queue stands, us.
    stands_since: Option<u64>,
}

impl QueueDelay {
    /// Notes one packet's times, us, each on its own clock. How long it waited, us.
    pub(super) fn add(&mut self, sent: u64, arrival: u64) -> i64 {
        let transit = arrival as i64 - sent as i64;
        let least_now = self.now_least.map_or(transit, |least| least.min(transit));
        self.now_least = Some(least_now);
        let known = [self.least, self.least_before].into_iter().flatten();
        transit - known.min().unwrap_or(least_now)
    }

    /// A feedback was read to its end.
    pub(super) fn finish(&mut self, now: u64) {
        let Some(least_now) = self.now_least.take() else {
            return;
        };
        if now.saturating_sub(self.window_start) > WINDOW {
            self.window_start = now;
            self.least_before = self.least.take();
        }
        let least = self.least.map_or(least_now, |least| least.min(least_now));
        self.least = Some(least);
        let base = self.least_before.map_or(least, |before| before.min(least));
        let queued = (least_now - base) as f64;
        self.delay += 0.5 * (queued - self.delay);
        let rises = queued >= self.last + STEP;
        self.rising = if rises {
            self.rising.saturating_add(1)
        } else {
            0
        };
        self.last = queued;
        self.stands_since = self.stands().then(|| self.stands_since.unwrap_or(now));
    }

    /// Even the packet that waited least waits, and longer with every feedback: the line has
    /// collapsed. The trend of single packets would tell later, for few of them come.
    pub(super) fn is_collapsing(&self) -> bool {
        self.rising >= 2 && self.last >= COLLAPSE
    }

    /// Even the packet that waited least stood in a queue. Where it did not, single packets that came
    /// late were held up by a machine short of CPU, by a radio or by their own burst: their delay goes
    /// and comes back to nothing, that of a full line does not.
    pub(super) fn stands(&self) -> bool {
        self.last >= STANDS
    }

    /// us for which a queue has stood without a break.
    pub(super) fn stood_for(&self, now: u64) -> u64 {
        self.stands_since
            .map_or(0, |since| now.saturating_sub(since))
    }

    /// us that even the packet waited that waited least, in the last feedback.
    pub(super) fn least(&self) -> f64 {
        self.last
    }

    /// ms that packets wait now.
    pub(super) fn millis(&self) -> f64 {
        self.delay / 1e3
    }

    /// Nothing was sent for a while: what stood in the queue has gone. The least delay stays.
    pub(super) fn rest(&mut self) {
        (self.now_least, self.delay) = (None, 0.0);
        (self.last, self.rising, self.stands_since) = (0.0, 0, None);
    }

    /// Forgets the path.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Length of one of the two windows, us.
const WINDOW: u64 = 15_000_000;
/// From here on a queue stands, us: as long as it may be from one packet of sound to the next.
const STANDS: f64 = 20_000.0;
/// By how much the wait grows in a feedback when a line collapses, and what it has become, us.
const STEP: f64 = 20_000.0;
const COLLAPSE: f64 = 80_000.0;
