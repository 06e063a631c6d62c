//! What loss says about the rate: is it the radio's, or ours?
//!
//! Loss alone does not tell. Two things do:
//!
//! - **A standing queue**: packets that get through waited. Then loss above 10 % cuts the rate
//!   to a share of what arrives, and loss above 2 % stops growth.
//! - **A trial**, where no queue is seen and more than 12 % is lost for three windows: the rate goes
//!   down to what arrives, and what happens to the loss decides. It stays: it is inherent to the
//!   line, is remembered, and the limit is lifted. It goes: something polices our rate; the
//!   limit stays at what got through and is tried again after [`POLICED_FOR`].
//!
//! Loss below 12 % without a queue never costs anybody picture quality: up to 10 % it is taken
//! for inherent at once.

/// The loss-based limit, and what it was learnt from.
#[derive(Default)]
pub(super) struct Loss {
    window: Window,
    limit: Option<f64>,
    /// Share that is lost whatever the rate.
    inherent: f64,
    high_windows: u8,
    trial: Option<Trial>,
    policed: Option<Policed>,
    /// Smoothed, for statistics.
    smoothed: f64,
}

/// What the window's verdict needs to know.
#[derive(Clone, Copy)]
pub(super) struct Around {
    /// The delay-based rate, bit/s.
    pub(super) estimate: f64,
    /// bit/s that arrive.
    pub(super) throughput: f64,
    /// bit/s that were sent.
    pub(super) sent: f64,
    /// ms that packets wait.
    pub(super) queue: f64,
    /// Round trip, us.
    pub(super) rtt: u64,
}

#[derive(Clone, Copy, Default)]
struct Window {
    start: u64,
    packets: u32,
    lost: u32,
}

#[derive(Clone, Copy)]
struct Trial {
    loss: f64,
    sent: f64,
    target: f64,
    since: u64,
}

#[derive(Clone, Copy)]
struct Policed {
    rate: f64,
    until: u64,
}

impl Loss {
    pub(super) fn received(&mut self, was_lost: bool) {
        if was_lost {
            // Late, not lost: it was counted as a packet already.
            self.window.lost = self.window.lost.saturating_sub(1);
        } else {
            self.window.packets += 1;
        }
    }

    pub(super) fn lost(&mut self) {
        self.window.packets += 1;
        self.window.lost += 1;
    }

    /// bit/s above which we lose by our own doing; `None` while nothing says so.
    pub(super) fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// Share of packets that is lost, 0 to 1, smoothed.
    pub(super) fn fraction(&self) -> f64 {
        self.smoothed
    }

    /// Share that is believed to be lost whatever the rate.
    pub(super) fn inherent(&self) -> f64 {
        self.inherent
    }

    pub(super) fn is_trying(&self) -> bool {
        self.trial.is_some()
    }

    /// bit/s that something polices, as far as is known: nothing else keeps a probe from asking for more.
    pub(super) fn policed(&self) -> Option<f64> {
        self.policed.and(self.limit)
    }

    /// A probe at this rate came through: a limit below it was that of a queue that has gone.
    pub(super) fn outgrow(&mut self, rate: f64) {
        if self.policed.is_none() && self.trial.is_none() {
            self.limit = self.limit.filter(|limit| *limit > rate);
        }
    }

    /// For how long a policed rate is believed, us.
    pub(super) fn policed_until(&self) -> Option<u64> {
        self.policed.map(|policed| policed.until)
    }

    /// Nothing was sent for a while: what was lost was lost to a queue that has gone. What the line
    /// loses anyway and the rate that something polices stay known.
    pub(super) fn rest(&mut self, now: u64) {
        self.policed = self.policed.filter(|policed| now < policed.until);
        self.limit = self.policed.map(|policed| policed.rate);
        (self.trial, self.high_windows) = (None, 0);
        self.window = Window {
            start: now,
            ..Window::default()
        };
    }

    /// Another path: nothing that was learnt holds.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Judges the window when it is long enough.
    pub(super) fn update(&mut self, now: u64, around: Around) {
        let age = now.saturating_sub(self.window.start);
        let full = age >= WINDOW && self.window.packets >= ENOUGH_PACKETS;
        let long = age >= LONG_WINDOW && self.window.packets >= FEW_PACKETS;
        if !full && !long {
            return;
        }
        let window = std::mem::replace(
            &mut self.window,
            Window {
                start: now,
                ..Window::default()
            },
        );
        let loss = f64::from(window.lost) / f64::from(window.packets);
        self.smoothed += 0.3 * (loss - self.smoothed);
        if loss < self.inherent {
            self.inherent += 0.3 * (loss - self.inherent);
        } else if around.queue < NO_QUEUE && self.trial.is_none() && self.policed.is_none() {
            let learnt = self.inherent + 0.15 * (loss - self.inherent);
            self.inherent = self.inherent.max(learnt.min(CUT_LOSS));
        }
        match self.trial {
            Some(trial) => self.judge_trial(now, window.start, loss, trial, around),
            None => self.judge(now, loss, age, around),
        }
    }

    fn judge(&mut self, now: u64, loss: f64, age: u64, around: Around) {
        let excess = loss - self.inherent;
        let queued = around.queue > STANDING_QUEUE;
        let is_high = !queued && excess > TRIAL_LOSS;
        self.high_windows = if is_high { self.high_windows + 1 } else { 0 };
        let now_at = self.limit.unwrap_or(f64::INFINITY).min(around.estimate);
        if self.high_windows >= HIGH_WINDOWS {
            self.high_windows = 0;
            let target = around.throughput * 0.9;
            self.limit = Some(target.min(now_at));
            self.trial = Some(Trial {
                loss,
                sent: around.sent,
                target,
                since: now,
            });
        } else if queued && excess > CUT_LOSS {
            self.limit = Some((around.throughput * 0.9).min(now_at));
        } else if queued && excess > HOLD_LOSS {
            self.limit = Some(now_at);
        } else if excess <= TRIAL_LOSS {
            self.grow(now, age, around.estimate);
        }
    }

    fn judge_trial(&mut self, now: u64, start: u64, loss: f64, trial: Trial, around: Around) {
        let took_effect = trial.since + around.rtt + around.rtt / 2;
        if start < took_effect {
            return;
        }
        let obeyed = around.sent < trial.sent * 0.95 || around.sent <= trial.target * 1.05;
        if !obeyed && now < trial.since + TRIAL_PATIENCE {
            return;
        }
        self.trial = None;
        if !obeyed || loss >= trial.loss * 0.6 {
            self.inherent = self.inherent.max(loss);
            self.limit = None;
        } else {
            self.policed = Some(Policed {
                rate: trial.target / 0.9 * 0.97,
                until: now + POLICED_FOR,
            });
        }
    }

    fn grow(&mut self, now: u64, age: u64, estimate: f64) {
        let Some(limit) = self.limit else {
            return;
        };
        self.policed = self.policed.filter(|policed| now < policed.until);
        let ceiling = self.policed.map_or(f64::INFINITY, |policed| policed.rate);
        let grown = limit * (1.0 + GROWTH * age.min(1_000_000) as f64 / 1e6);
        let limit = grown.min(ceiling.max(limit));
        self.limit = (limit < estimate * 1.1 || self.policed.is_some()).then_some(limit);
    }
}

/// A window is judged after this time and packets, or after the longer time and fewer, us.
const WINDOW: u64 = 400_000;
const ENOUGH_PACKETS: u32 = 25;
const LONG_WINDOW: u64 = 1_500_000;
const FEW_PACKETS: u32 = 8;
/// Packets that wait this long (ms) at the least stand in a queue.
const STANDING_QUEUE: f64 = 30.0;
/// Packets that wait less than this (ms) stand in none.
const NO_QUEUE: f64 = 10.0;
const HOLD_LOSS: f64 = 0.02;
const CUT_LOSS: f64 = 0.10;
const TRIAL_LOSS: f64 = 0.12;
/// A burst of loss touches two windows; more is a state of the line.
const HIGH_WINDOWS: u8 = 3;
/// A trial that the sender does not follow ends after this time, us.
const TRIAL_PATIENCE: u64 = 3_000_000;
/// For how long a policed rate is not tried again, us.
const POLICED_FOR: u64 = 20_000_000;
/// Growth of the limit in a second once loss has gone.
const GROWTH: f64 = 0.15;
