//! How long packets wait because of our own bursts, if the line is what it is believed to be.
//!
//! The key frame of a larger picture leaves faster than the line takes it and queues behind itself.
//! That says nothing against the estimate as long as nothing waits longer than the burst explains: a
//! bucket that empties at the estimated rate. It explains [`LENGTH`] at most, and [`MOST`] of waiting:
//! a line that has become narrow is noticed during a burst as well.

/// What was sent faster than the estimate.
#[derive(Default)]
pub(super) struct Burst {
    /// When a line of the estimated rate would have carried all that was sent, us.
    empty: u64,
    /// When the burst began, and how long its packets had to wait at the most, us.
    began: Option<u64>,
    deepest: u64,
}

impl Burst {
    /// Notes what has left, on a line of `rate` bit/s.
    pub(super) fn add(&mut self, at: u64, bytes: u32, rate: f64) {
        let takes = f64::from(bytes) * 8e6 / rate.max(1.0);
        self.empty = (self.empty.max(at) + takes as u64).min(at + MOST);
        let waits = self.empty - at;
        match self.began {
            Some(began) if at < began + LENGTH => self.deepest = self.deepest.max(waits),
            Some(_) if waits >= LEAST => {} // more than a burst: it explains nothing any more
            None if waits >= LEAST => (self.began, self.deepest) = (Some(at), waits),
            _ => self.began = None,
        }
    }

    /// Whether packets may wait this long (us) for no other reason.
    pub(super) fn explains(&self, now: u64, waited: f64) -> bool {
        let is_fresh = self.began.is_some_and(|began| now < began + LENGTH);
        is_fresh && waited <= self.deepest as f64 + SLACK
    }
}

/// A burst is what waits this long, us: more than a frame of a picture that fits.
const LEAST: u64 = 50_000;
/// The longest wait that is explained, and for how long after the burst began, us.
const MOST: u64 = 150_000;
const LENGTH: u64 = 1_500_000;
/// The line may be a little narrower than is believed, us.
const SLACK: f64 = 25_000.0;
