//! The rate at which a full line delivers, from the moments in which packets waited in a queue.
//!
//! While a queue stands the line is busy all the time, so what arrives is what it carries, however
//! little was sent on average: a key frame after a quiet second measures a line too.

/// Measures runs of packets that waited.
#[derive(Default)]
pub(super) struct Busy {
    start: Option<u64>,
    last: u64,
    bytes: u64,
    /// The last runs, newest first: when they were measured (our clock), bit/s.
    runs: [Option<(u64, f64)>; 3],
}

impl Busy {
    /// Notes a packet that arrived at `arrival` (us, peer's clock) after `waited` us in a queue.
    pub(super) fn add(&mut self, now: u64, arrival: u64, bytes: u32, waited: i64) {
        if waited < WAITED {
            self.start = None;
            return;
        }
        let Some(start) = self.start.filter(|_| arrival >= self.last) else {
            (self.start, self.last, self.bytes) = (Some(arrival), arrival, 0);
            return;
        };
        self.bytes += u64::from(bytes);
        self.last = arrival;
        let elapsed = arrival - start;
        if elapsed >= RUN {
            let [newest, second, _] = self.runs;
            let rate = self.bytes as f64 * 8e6 / elapsed as f64;
            self.runs = [Some((now, rate)), newest, second];
            (self.start, self.bytes) = (Some(arrival), 0);
        }
    }

    /// bit/s, if it was measured just now: the middle one of the last runs. A run in which packets of
    /// somebody else stood between ours is no measure, nor is one that began before the queue did.
    pub(super) fn rate(&self, now: u64) -> Option<f64> {
        let within = |run: Option<(u64, f64)>, age: u64| run.filter(|(at, _)| now <= at + age);
        let (_, newest) = within(self.runs[0], FRESH)?;
        let Some((_, second)) = within(self.runs[1], RECENT) else {
            return Some(newest);
        };
        let (low, high) = (newest.min(second), newest.max(second));
        let third = within(self.runs[2], RECENT);
        Some(third.map_or(high, |(_, third)| third.clamp(low, high)))
    }
}

/// A packet that waited this long stood in a queue, us.
const WAITED: i64 = 10_000;
/// A run of this length is a measurement, which holds for a moment, and is compared with those before
/// it for a little longer, us.
const RUN: u64 = 40_000;
const FRESH: u64 = 250_000;
const RECENT: u64 = 1_000_000;
