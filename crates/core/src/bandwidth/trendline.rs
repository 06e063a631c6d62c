//! Does the delay grow? The slope of a line through the last smoothed group delays.
//!
//! The slope, scaled by a gain, is compared with a threshold that follows it slowly
//! (draft-ietf-rmcat-gcc-02 sections 5.3 and 5.4): a competing flow that fills queues raises the
//! threshold, and we do not starve beside it; a quiet line lowers it, and small growth is seen.

use super::groups::Delta;

/// What the delay says about the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    /// Queues drain.
    Under,
    /// Nothing moves.
    #[default]
    Normal,
    /// Queues build up.
    Over,
}

/// The line through the last [`WINDOW`] groups, and the threshold its slope is held against.
pub(super) struct Trendline {
    points: [(f64, f64); WINDOW],
    count: u32,
    origin: f64,
    accumulated: f64,
    smoothed: f64,
    threshold: f64,
    last_trend: f64,
    last_update: Option<f64>,
    over_for: Option<f64>,
    over_count: u32,
    usage: Usage,
}

impl Trendline {
    pub(super) fn new() -> Self {
        Self {
            points: [(0.0, 0.0); WINDOW],
            count: 0,
            origin: 0.0,
            accumulated: 0.0,
            smoothed: 0.0,
            threshold: INITIAL_THRESHOLD,
            last_trend: 0.0,
            last_update: None,
            over_for: None,
            over_count: 0,
            usage: Usage::Normal,
        }
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    pub(super) fn add(&mut self, delta: Delta) {
        if self.count == 0 {
            self.origin = delta.arrival;
        }
        self.accumulated += delta.received - delta.sent;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        let at = self.count as usize % WINDOW;
        self.points[at] = (delta.arrival - self.origin, self.smoothed);
        self.count = self.count.saturating_add(1);
        let trend = if self.count as usize >= WINDOW {
            self.slope().unwrap_or(self.last_trend)
        } else {
            self.last_trend
        };
        self.detect(trend, delta);
    }

    fn slope(&self) -> Option<f64> {
        let n = WINDOW as f64;
        let (sum_x, sum_y) = self
            .points
            .iter()
            .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        let (mean_x, mean_y) = (sum_x / n, sum_y / n);
        let (mut over, mut under) = (0.0, 0.0);
        for (x, y) in self.points {
            over += (x - mean_x) * (y - mean_y);
            under += (x - mean_x) * (x - mean_x);
        }
        (under > 0.0).then(|| over / under)
    }

    fn detect(&mut self, trend: f64, delta: Delta) {
        let scaled = f64::from(self.count.min(FULL_CONFIDENCE)) * trend * GAIN;
        if scaled > self.threshold {
            let for_ms = self.over_for.map_or(delta.sent / 2.0, |ms| ms + delta.sent);
            self.over_for = Some(for_ms);
            self.over_count += 1;
            if for_ms > OVER_TIME && self.over_count > 1 && trend >= self.last_trend {
                self.over_for = Some(0.0);
                self.over_count = 0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_for = None;
            self.over_count = 0;
            self.usage = if scaled < -self.threshold {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
        self.last_trend = trend;
        self.adapt(scaled, delta.arrival);
    }

    fn adapt(&mut self, scaled: f64, at: f64) {
        let elapsed = (at - self.last_update.unwrap_or(at)).clamp(0.0, MAX_ADAPT_TIME);
        self.last_update = Some(at);
        if scaled.abs() > self.threshold + MAX_ADAPT_DISTANCE {
            return; // a sudden drop of capacity, not a rival: do not learn from it
        }
        let gain = if scaled.abs() < self.threshold {
            ADAPT_DOWN
        } else {
            ADAPT_UP
        };
        self.threshold += gain * (scaled.abs() - self.threshold) * elapsed;
        self.threshold = self.threshold.clamp(MIN_THRESHOLD, MAX_THRESHOLD);
    }
}

/// Groups the line is drawn through.
const WINDOW: usize = 20;
/// Weight of the past in the smoothed delay.
const SMOOTHING: f64 = 0.9;
/// Scales a slope (ms per ms) to the threshold's size.
const GAIN: f64 = 4.0;
/// Groups after which a slope counts in full.
const FULL_CONFIDENCE: u32 = 60;
/// Thresholds, ms as of draft-ietf-rmcat-gcc-02 section 5.4.
const INITIAL_THRESHOLD: f64 = 12.5;
const MIN_THRESHOLD: f64 = 6.0;
const MAX_THRESHOLD: f64 = 600.0;
const ADAPT_UP: f64 = 0.0087;
const ADAPT_DOWN: f64 = 0.039;
const MAX_ADAPT_DISTANCE: f64 = 15.0;
const MAX_ADAPT_TIME: f64 = 100.0;
/// A slope must stay above the threshold for this long, ms.
const OVER_TIME: f64 = 10.0;
