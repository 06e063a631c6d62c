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
    /// When it was measured (our clock), bit/s.
    measured: Option<(u64, f64)>,
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
            self.measured = Some((now, self.bytes as f64 * 8e6 / elapsed as f64));
            (self.start, self.bytes) = (Some(arrival), 0);
        }
    }

    /// bit/s, if it was measured just now.
    pub(super) fn rate(&self, now: u64) -> Option<f64> {
        let fresh = self.measured.filter(|(at, _)| now <= at + FRESH);
        fresh.map(|(_, rate)| rate)
    }
}

/// A packet that waited this long stood in a queue, us.
const WAITED: i64 = 10_000;
/// A run of this length is a measurement, which holds for a moment, us.
const RUN: u64 = 40_000;
const FRESH: u64 = 250_000;
