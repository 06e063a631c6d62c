//! Peers without transport-wide feedback: their own estimate (REMB), and reception reports.
//!
//! Above 10 % loss the rate goes down by half of the loss, below 2 % it grows by 8 % a second,
//! between them it stays (draft-ietf-rmcat-gcc-02 section 6); never above a REMB.

/// The rate such a peer allows.
#[derive(Default)]
pub(super) struct Fallback {
    /// None while nobody has complained.
    estimate: Option<f64>,
    remb: Option<(u64, f64)>,
    last_report: Option<u64>,
    last_cut: Option<u64>,
}

impl Fallback {
    pub(super) fn on_remb(&mut self, now: u64, rate: f64) {
        self.remb = Some((now, rate));
        if self.last_report.is_none() {
            self.estimate = Some(rate);
        }
    }

    /// A report has come while `sending` bit/s were sent.
    pub(super) fn on_report(&mut self, now: u64, lost: f64, rtt: u64, sending: f64) {
        let elapsed = self.last_report.map_or(0, |at| now.saturating_sub(at));
        self.last_report = Some(now);
        let rested = self.last_cut.is_none_or(|at| now > at + rtt + 300_000);
        if lost > 0.10 && rested {
            let ceiling = self.ceiling(now).unwrap_or(f64::INFINITY);
            let before = self.estimate.unwrap_or(sending).min(ceiling);
            self.estimate = Some(before * (1.0 - lost.min(1.0) / 2.0));
            self.last_cut = Some(now);
        } else if lost < 0.02
            && let Some(estimate) = &mut self.estimate
        {
            *estimate *= 1.0 + 0.08 * elapsed.min(3_000_000) as f64 / 1e6;
        }
    }

    /// The peer has said what it can take, in one way or the other.
    pub(super) fn is_known(&self) -> bool {
        self.estimate.is_some() || self.remb.is_some()
    }

    /// bit/s within the limits.
    pub(super) fn estimate(&mut self, now: u64, min: f64, max: f64) -> f64 {
        let ceiling = self.ceiling(now).unwrap_or(f64::INFINITY).min(max);
        let top = ceiling.max(min);
        self.estimate = self.estimate.map(|estimate| estimate.clamp(min, top));
        self.estimate.unwrap_or(top)
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
