//! The rate the delay allows: additive or multiplicative increase, multiplicative decrease.
//!
//! States as in draft-ietf-rmcat-gcc-02 section 5.5: overuse leads to a decrease to a share of
//! what arrives, then hold until the queues have drained, then increase. What arrived at the
//! times of overuse is remembered as the capacity of the link: near it the rate grows by about a
//! packet a round trip, far from it by 8 % a second. Probes jump.
//!
//! Where little is sent (a small picture, or sound alone) a queue is seldom ours: a page that comes by the
//! same line fills it for a moment. Then a cut takes a share of the estimate and not of what arrives, and
//! the next one waits.

use super::trendline::Usage;

/// What the controller does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The rate grows.
    #[default]
    Increase,
    /// Queues drain, the rate stays.
    Hold,
    /// The rate was just cut.
    Decrease,
}

/// The delay-based rate, bit/s.
pub(super) struct Rate {
    estimate: f64,
    phase: Phase,
    capacity: Capacity,
    last_change: u64,
    last_cut: Option<u64>,
    /// A rate that a probe measured, and until when it is fresher than what arrives, us.
    probed: Option<(u64, f64)>,
}

/// What a feedback tells the controller.
#[derive(Clone, Copy)]
pub(super) struct Observed {
    pub(super) usage: Usage,
    /// bit/s that arrive.
    pub(super) throughput: Option<f64>,
    /// Round trip, us.
    pub(super) rtt: u64,
    /// There was less to send than the estimate: growth would be a guess.
    pub(super) is_app_limited: bool,
    /// So little is sent that what arrives says nothing of what the line carries.
    pub(super) is_thin: bool,
}

impl Rate {
    pub(super) fn new(initial: f64) -> Self {
        Self {
            estimate: initial,
            phase: Phase::Increase,
            capacity: Capacity::default(),
            last_change: 0,
            last_cut: None,
            probed: None,
        }
    }

    pub(super) fn estimate(&self) -> f64 {
        self.estimate
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// It has met the line's limit once.
    pub(super) fn was_cut(&self) -> bool {
        self.last_cut.is_some()
    }

    /// Takes a feedback in. True when the rate was cut.
    pub(super) fn update(&mut self, now: u64, seen: Observed) -> bool {
        let cut = match (seen.usage, self.phase) {
            (Usage::Over, _) => self.cut(now, seen),
            (Usage::Under, _) => {
                self.phase = Phase::Hold;
                false
            }
            (Usage::Normal, Phase::Increase) => {
                self.grow(now, seen);
                false
            }
            (Usage::Normal, _) => {
                self.phase = Phase::Increase;
                false
            }
        };
        if self.phase != Phase::Increase || cut {
            self.last_change = now;
        }
        cut
    }

    /// Something else says what the rate is.
    pub(super) fn set(&mut self, now: u64, rate: f64) {
        self.estimate = rate;
        self.last_change = now;
    }

    /// Nothing was sent for a while: goes on from where it was, or from `most` if that is less.
    pub(super) fn rest(&mut self, now: u64, most: f64) {
        self.set(now, self.estimate.min(most));
        self.phase = Phase::Increase;
    }

    /// A probe has measured a rate. What arrives in the next moments is still of the time before.
    pub(super) fn set_probed(&mut self, now: u64, rate: f64, rtt: u64) {
        self.set(now, rate);
        self.probed = Some((now + rtt + PROBE_FRESH, rate));
    }

    /// bit/s that the line carried when it was full, where that is above the estimate.
    pub(super) fn known(&self) -> Option<f64> {
        self.capacity
            .mean
            .filter(|mean| mean * BETA > self.estimate)
    }

    /// Another path: nothing that was learnt of the link holds.
    pub(super) fn forget_capacity(&mut self) {
        self.capacity = Capacity::default();
    }

    fn cut(&mut self, now: u64, seen: Observed) -> bool {
        let patience = match seen.is_thin {
            true => THIN_REST,
            false => seen.rtt.clamp(10_000, 200_000),
        };
        let soon = self.last_cut.is_some_and(|at| now < at + patience);
        let Some(throughput) = seen.throughput else {
            // Nothing measured yet: half, and no more often than a round trip.
            if soon {
                return false;
            }
            self.estimate /= 2.0;
            return self.note_cut(now);
        };
        if soon && (seen.is_thin || throughput > self.estimate * 0.5) {
            return false;
        }
        let fresh = self.probed.filter(|(until, _)| now < *until);
        let throughput = fresh.map_or(throughput, |(_, rate)| throughput.max(rate));
        let mut lower = throughput * BETA;
        if lower > self.estimate
            && let Some(capacity) = self.capacity.mean
        {
            lower = capacity * BETA;
        }
        if seen.is_thin {
            // What arrives may be all that was sent, or what others have left in this moment.
            lower = lower.max(self.estimate * THIN_CUT);
        }
        if !(seen.is_thin && seen.is_app_limited) {
            self.capacity.learn(throughput);
        }
        self.estimate = self.estimate.min(lower);
        self.note_cut(now)
    }

    fn note_cut(&mut self, now: u64) -> bool {
        self.phase = Phase::Decrease;
        self.last_cut = Some(now);
        true
    }

    fn grow(&mut self, now: u64, seen: Observed) {
        let elapsed = now.saturating_sub(self.last_change).min(1_000_000) as f64 / 1e6;
        self.last_change = now;
        let Some(throughput) = seen.throughput else {
            return;
        };
        self.capacity.outgrow(throughput);
        let rested = self.last_cut.is_none_or(|at| now > at + CUT_FRESH);
        if rested && self.probed.is_none_or(|(until, _)| now >= until) {
            // What arrives without a queue is carried, whatever was believed.
            self.estimate = self.estimate.max(throughput * CARRIED);
        }
        let ceiling = 1.5 * throughput + 10_000.0;
        if seen.is_app_limited || self.estimate >= ceiling {
            return;
        }
        let step = if self.capacity.mean.is_some() {
            let response = (seen.rtt as f64 + 100_000.0) / 1e6;
            (PACKET_BITS / response).max(4_000.0) * elapsed
        } else {
            (self.estimate * (GROWTH.powf(elapsed) - 1.0)).max(1_000.0 * elapsed)
        };
        self.estimate = (self.estimate + step).min(ceiling);
    }
}

/// What arrived when the link was full: mean and relative deviation.
#[derive(Default)]
struct Capacity {
    mean: Option<f64>,
    /// Variance divided by the mean, in kbit/s.
    deviation: f64,
}

impl Capacity {
    fn learn(&mut self, throughput: f64) {
        let Some(mean) = self.mean.filter(|_| !self.is_below(throughput)) else {
            self.mean = Some(throughput);
            self.deviation = 0.4;
            return;
        };
        let mean = mean + CAPACITY_WEIGHT * (throughput - mean);
        let error = (mean - throughput) / 1e3;
        let relative = error * error / (mean / 1e3).max(1.0);
        self.deviation += CAPACITY_WEIGHT * (relative - self.deviation);
        self.deviation = self.deviation.clamp(0.4, 2.5);
        self.mean = Some(mean);
    }

    /// More arrives than the link was thought to carry: it has changed.
    fn outgrow(&mut self, throughput: f64) {
        if self
            .mean
            .is_some_and(|mean| throughput > mean + self.spread(mean))
        {
            self.mean = None;
        }
    }

    fn is_below(&self, throughput: f64) -> bool {
        self.mean
            .is_some_and(|mean| throughput < mean - self.spread(mean))
    }

    fn spread(&self, mean: f64) -> f64 {
        3e3 * (self.deviation * mean / 1e3).sqrt()
    }
}

/// What is kept of the arriving rate at overuse.
const BETA: f64 = 0.85;
/// What a cut leaves of the estimate at least while little is sent, and how long it is until the next, us.
const THIN_CUT: f64 = 0.7;
const THIN_REST: u64 = 1_000_000;
/// Growth in a second, far from the capacity.
const GROWTH: f64 = 1.08;
/// Size of a packet for additive growth, bits.
const PACKET_BITS: f64 = 1200.0 * 8.0;
/// How much of what arrives is taken for granted, and how long after a cut it is not, us.
const CARRIED: f64 = 0.95;
const CUT_FRESH: u64 = 1_000_000;
/// For how long a probe's rate is believed more than what arrives, beside a round trip, us.
const PROBE_FRESH: u64 = 400_000;
/// Weight of a new sample in the capacity.
const CAPACITY_WEIGHT: f64 = 0.05;
