//! When pictures are shown: a buffer that decides as WebRTC's (`modules/video_coding/timing`).
//!
//! A picture is due when it is expected to be complete, plus a delay. The delay is what the sender
//! orders (playout-delay extension), or what the jitter needs if that is more. Jitter is judged by
//! pictures that needed no retransmission (`jitter_estimator.cc`): a Kalman filter explains by their
//! size how much later they came than the ones before, what it does not explain is noise.
//!
//! Chromium would add 0.9 round trips once three pictures were repaired (`rtt_mult_experiment.cc`,
//! 0.9 and at most 200 ms by default). A connection that only receives learns the round trip from
//! RTCP XR alone, which Chromium does not negotiate: to this buffer it is zero, as it is to that one.

use std::time::Duration;

/// A picture as it came, in the order of decoding; times since the call began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) captured: Duration,
    /// When its last packet came.
    pub(crate) complete: Duration,
    /// When all it builds on was there as well.
    pub(crate) decodable: Duration,
    /// Bytes.
    pub(crate) size: usize,
    /// A packet of it came as a retransmission.
    pub(crate) repaired: bool,
    /// The least delay the sender orders from here on.
    pub(crate) ordered: Option<Duration>,
}

/// When each picture is shown.
pub(crate) fn show(arrivals: &[Arrival]) -> Vec<Duration> {
    let mut buffer = Buffer::default();
    arrivals
        .iter()
        .map(|arrival| buffer.show(arrival))
        .collect()
}

#[derive(Debug, Default)]
struct Buffer {
    jitter: Jitter,
    /// ms that the way of a picture takes, capture to last packet.
    way: Option<f64>,
    /// ms.
    ordered: f64,
    current: f64,
    before: Option<Arrival>,
    /// When the last was shown, and when it was captured.
    shown: Duration,
}

impl Buffer {
    fn show(&mut self, arrival: &Arrival) -> Duration {
        if let Some(ordered) = arrival.ordered {
            self.ordered = ms(ordered);
        }
        let way = ms(arrival.complete.saturating_sub(arrival.captured));
        if !arrival.repaired {
            let known = self.way.get_or_insert(way);
            *known += WAY_WEIGHT * (way - *known);
            self.note_jitter(arrival);
        }
        let delay = self.way.unwrap_or(way) + self.current.max(self.ordered);
        let due = arrival.captured + Duration::from_secs_f64(delay / 1e3);
        self.shown = due.max(arrival.decodable).max(self.shown);
        self.shown
    }

    fn note_jitter(&mut self, arrival: &Arrival) {
        let before = self.before.replace(*arrival);
        let Some(before) = before else {
            self.current = self.jitter.wait().max(self.ordered) + RENDER;
            return;
        };
        let sent = ms(arrival.captured.saturating_sub(before.captured));
        let came = ms(arrival.complete) - ms(before.complete);
        self.jitter.update(came - sent, arrival.size as f64);
        let target = self.ordered.max(self.jitter.wait() + RENDER);
        // 100 ms a second: more would be seen.
        let most = sent * 0.1;
        self.current += (target - self.current).clamp(-most, most);
    }
}

/// How much the times between pictures tremble.
#[derive(Debug)]
struct Jitter {
    mean_size: f64,
    size_variance: f64,
    most_size: f64,
    last_size: Option<f64>,
    noise: f64,
    variance: f64,
    count: f64,
    line: Line,
}

impl Default for Jitter {
    fn default() -> Self {
        Self {
            mean_size: 500.0,
            size_variance: 100.0,
            most_size: 500.0,
            last_size: None,
            noise: 0.0,
            variance: 4.0,
            count: 1.0,
            line: Line::default(),
        }
    }
}

impl Jitter {
    /// A picture came `late` ms later after the one before than it was captured.
    fn update(&mut self, late: f64, size: f64) {
        let step = size - self.last_size.replace(size).unwrap_or(size);
        let mean = 0.97 * self.mean_size + 0.03 * size;
        if size < self.mean_size + 2.0 * self.size_variance.sqrt() {
            self.mean_size = mean;
        }
        let off = size - mean;
        self.size_variance = (0.97 * self.size_variance + 0.03 * off * off).max(1.0);
        self.most_size = (0.9999 * self.most_size).max(size);
        let sigma = self.variance.sqrt();
        let late = late.clamp(-3.5 * sigma - 0.5, 3.5 * sigma + 0.5);
        let rest = late - self.line.explains(step);
        let is_large = size > self.mean_size + 3.0 * self.size_variance.sqrt();
        if rest.abs() < 15.0 * sigma || is_large {
            self.learn_noise(rest);
            if step > -0.25 * self.most_size {
                self.line.learn(late, step, self.most_size, self.variance);
            }
        } else {
            self.learn_noise(15.0 * sigma * rest.signum());
        }
    }

    fn learn_noise(&mut self, rest: f64) {
        let past = (self.count - 1.0) / self.count;
        self.count = (self.count + 1.0).min(400.0);
        let off = rest - self.noise;
        self.noise = past * self.noise + (1.0 - past) * rest;
        self.variance = (past * self.variance + (1.0 - past) * off * off).max(1.0);
    }

    /// ms.
    fn wait(&self) -> f64 {
        let noise = (2.33 * self.variance.sqrt() - 30.0).max(1.0);
        let size = self.line.slope * (self.most_size - self.mean_size);
        (size + noise).max(1.0) + SCHEDULER
    }
}

/// How many ms a byte more costs: a Kalman filter of slope and offset.
#[derive(Debug)]
struct Line {
    slope: f64,
    offset: f64,
    covariance: [[f64; 2]; 2],
}

impl Default for Line {
    fn default() -> Self {
        Self {
            slope: 8.0 / 512e3,
            offset: 0.0,
            covariance: [[1e-4, 0.0], [0.0, 1e2]],
        }
    }
}

impl Line {
    fn explains(&self, bytes: f64) -> f64 {
        self.slope * bytes + self.offset
    }

    fn learn(&mut self, late: f64, bytes: f64, most: f64, variance: f64) {
        let p = &mut self.covariance;
        p[0][0] += 2.5e-10;
        p[1][1] += 1e-10;
        let (a, b) = (p[0][0] * bytes + p[0][1], p[1][0] * bytes + p[1][1]);
        let doubt = (300.0 * (-bytes.abs() / most).exp() + 1.0) * variance.sqrt();
        let total = bytes * a + b + doubt.max(1.0);
        let (gain_slope, gain_offset) = (a / total, b / total);
        let [[p00, p01], [p10, p11]] = *p;
        p[0][0] = (1.0 - gain_slope * bytes) * p00 - gain_slope * p10;
        p[0][1] = (1.0 - gain_slope * bytes) * p01 - gain_slope * p11;
        p[1][0] = (1.0 - gain_offset) * p10 - gain_offset * bytes * p00;
        p[1][1] = (1.0 - gain_offset) * p11 - gain_offset * bytes * p01;
        let innovation = late - self.explains(bytes);
        self.slope = (self.slope + gain_slope * innovation).max(1e-6);
        self.offset += gain_offset * innovation;
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What the operating system and the renderer are given, ms.
const SCHEDULER: f64 = 10.0;
const RENDER: f64 = 10.0;
/// Weight of a picture in the expected way.
const WAY_WEIGHT: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a minute of pictures that come `late` ms late, seen through `also`.
    fn added(late: impl Fn(u64) -> u64, also: impl Fn(u64, &mut Arrival)) -> Vec<f64> {
        let picture = |n: u64| {
            let captured = Duration::from_micros(33_333 * n);
            let complete = captured + Duration::from_millis(50 + late(n));
            let mut arrival = Arrival {
                captured,
                complete,
                decodable: complete,
                size: 10_000,
                repaired: false,
                ordered: None,
            };
            also(n, &mut arrival);
            arrival
        };
        let arrivals: Vec<_> = (0..900).map(picture).collect();
        let shown = show(&arrivals);
        let added = shown.iter().zip(&arrivals);
        added.map(|(at, a)| ms(*at - a.captured) - 50.0).collect()
    }

    #[test]
    fn a_steady_line_costs_little() {
        let added = added(|_| 0, |_, _| ());
        assert!(added[100..].iter().all(|ms| *ms <= 25.0), "{added:?}");
    }

    #[test]
    fn repairs_do_not_lengthen_the_wait_and_an_order_does() {
        let late = |n| if n % 10 == 0 { 100 } else { 0 };
        let bare = added(late, |n, a| a.repaired = n % 10 == 0);
        assert!(bare.iter().skip(105).step_by(10).all(|ms| *ms < 30.0));
        let held = added(late, |n, a| {
            a.repaired = n % 10 == 0;
            a.ordered = (n == 200).then_some(Duration::from_millis(110));
        });
        assert!(held[201..].iter().all(|ms| (*ms - 110.0).abs() < 5.0));
    }

    #[test]
    fn trembling_is_waited_for() {
        let added = added(|n| if n % 3 == 0 { 60 } else { 0 }, |_, _| ());
        assert!(
            added[600..].iter().all(|ms| *ms > 40.0),
            "{:?}",
            &added[600..620]
        );
    }
}
