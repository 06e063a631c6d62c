//! Peers without transport-wide feedback: their own estimate (REMB), and reception reports.
//!
//! Above 10 % loss the rate goes down by half of the loss, below 2 % it grows by 8 % a second,
//! between them it stays (draft-ietf-rmcat-gcc-02 section 6); never above a REMB.

/// The rate such a peer allows.
pub(super) struct Fallback {
    estimate: f64,
    remb: Option<(u64, f64)>,
    last_report: Option<u64>,
    last_cut: Option<u64>,
}

impl Fallback {
    pub(super) fn new(initial: f64) -> Self {
        Self {
            estimate: initial,
            remb: None,
            last_report: None,
            last_cut: None,
        }
    }

    pub(super) fn on_remb(&mut self, now: u64, rate: f64) {
        let first = self.remb.is_none();
        self.remb = Some((now, rate));
        if first || self.last_report.is_none() {
            self.estimate = rate;
        }
    }

    pub(super) fn on_report(&mut self, now: u64, lost: f64, rtt: u64) {
        let elapsed = self.last_report.map_or(0, |at| now.saturating_sub(at));
        self.last_report = Some(now);
        let rested = self.last_cut.is_none_or(|at| now > at + rtt + 300_000);
        if lost > 0.10 && rested {
            self.estimate *= 1.0 - lost.min(1.0) / 2.0;
            self.last_cut = Some(now);
        } else if lost < 0.02 {
            self.estimate *= 1.0 + 0.08 * elapsed.min(3_000_000) as f64 / 1e6;
        }
    }

    /// bit/s within the limits.
    pub(super) fn estimate(&mut self, now: u64, min: f64, max: f64) -> f64 {
        let ceiling = self.ceiling(now).unwrap_or(f64::INFINITY).min(max);
        self.estimate = self.estimate.clamp(min, ceiling.max(min));
        self.estimate
    }

    /// The peer's own estimate while it is fresh.
    pub(super) fn ceiling(&self, now: u64) -> Option<f64> {
        self.remb
            .filter(|(at, _)| now.saturating_sub(*at) < REMB_LIFETIME)
            .map(|(_, rate)| rate)
    }
}

/// A REMB is sent once a second or so; one that is older says nothing, us.
const REMB_LIFETIME: u64 = 10_000_000;
