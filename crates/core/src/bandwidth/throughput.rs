//! The rate that arrives, out of the times at which the peer received what we sent.
//!
//! Samples of 150 ms (500 ms for the first) are weighed by how far they are from what is
//! believed: one odd sample moves little, two in a row move all of it. When there is more to send all
//! of a sudden, what was believed before says nothing about what arrives now.

/// The acknowledged rate.
#[derive(Default)]
pub(super) struct Throughput {
    window_start: Option<u64>,
    last: u64,
    bytes: u64,
    was_limited: bool,
    /// bit/s and its variance, once a first sample is complete.
    belief: Option<(f64, f64)>,
}

impl Throughput {
    /// Notes bytes that arrived at `arrival`, us on the peer's clock.
    pub(super) fn add(&mut self, arrival: u64, bytes: u32, is_app_limited: bool) {
        let Some(start) = self.window_start else {
            self.restart(arrival);
            return;
        };
        if arrival < self.last {
            // Reordered: it counts into the sample that is open.
            self.bytes += u64::from(bytes);
            return;
        }
        if arrival - self.last > MAX_SILENCE {
            self.restart(arrival);
            return;
        }
        self.last = arrival;
        self.bytes += u64::from(bytes);
        let window = if self.belief.is_none() {
            FIRST_WINDOW
        } else {
            SAMPLE_WINDOW
        };
        let elapsed = arrival - start;
        if elapsed >= window {
            let sample = self.bytes as f64 * 8e6 / elapsed as f64;
            let small = self.bytes < SMALL_SAMPLE;
            self.restart(arrival);
            self.learn(sample, small, is_app_limited);
        }
    }

    /// bit/s, once known.
    pub(super) fn rate(&self) -> Option<f64> {
        self.belief.map(|(rate, _)| rate)
    }

    fn restart(&mut self, arrival: u64) {
        self.window_start = Some(arrival);
        self.last = arrival;
        self.bytes = 0;
    }

    fn learn(&mut self, sample: f64, small: bool, is_app_limited: bool) {
        let has_more = std::mem::replace(&mut self.was_limited, is_app_limited) && !is_app_limited;
        let Some((rate, variance)) = self.belief else {
            self.belief = Some((sample, INITIAL_VARIANCE));
            return;
        };
        let variance = if has_more {
            variance + JUMP_VARIANCE
        } else {
            variance
        };
        // Less than before says little when there was nothing to send.
        let doubt = if small || (is_app_limited && sample < rate) {
            HIGH_DOUBT
        } else {
            DOUBT
        };
        let off = doubt * (rate - sample).abs() / rate.max(sample).max(1.0);
        let sample_variance = (off * off).max(1e-3);
        let predicted = variance + VARIANCE_STEP;
        let total = sample_variance + predicted;
        let rate = (sample_variance * rate + predicted * sample) / total;
        self.belief = Some((rate.max(1.0), sample_variance * predicted / total));
    }
}

/// Length of the first and of every other sample, us.
const FIRST_WINDOW: u64 = 500_000;
const SAMPLE_WINDOW: u64 = 150_000;
/// After a silence of this length a sample starts anew, us.
const MAX_SILENCE: u64 = 1_000_000;
/// A sample of fewer bytes is doubted.
const SMALL_SAMPLE: u64 = 2_000;
const DOUBT: f64 = 10.0;
const HIGH_DOUBT: f64 = 25.0;
const INITIAL_VARIANCE: f64 = 50.0;
const VARIANCE_STEP: f64 = 5.0;
const JUMP_VARIANCE: f64 = 200.0;
