//! A line in virtual time: rate, queue, delay, jitter, random and bursty loss; and a sender on it
//! that follows an estimator as the egress path does.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use headwater_core::bandwidth::{Estimator, Limits, Probe, ProbeId, Received, Sent};

/// xorshift64*: a test's randomness has a seed and no library.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// In 0..1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What the line does to packets.
#[derive(Clone, Copy)]
pub(crate) struct Conditions {
    /// bit/s.
    pub(crate) rate: f64,
    /// One way, ms.
    pub(crate) delay: f64,
    /// Longest wait in the queue, ms at `rate`; 0 polices instead of queueing.
    pub(crate) queue: f64,
    /// Up to this much is added to each packet's delay, order kept, ms.
    pub(crate) jitter: f64,
    /// Share lost at random.
    pub(crate) loss: f64,
    /// Bursts a minute in which everything is lost for 100 ms.
    pub(crate) bursts: f64,
}

impl Conditions {
    pub(crate) fn rate(rate: f64) -> Self {
        Self {
            rate,
            delay: 25.0,
            queue: 300.0,
            jitter: 0.0,
            loss: 0.0,
            bursts: 0.0,
        }
    }
}

/// The bottleneck. Several senders may share it.
pub(crate) struct Line {
    pub(crate) conditions: Conditions,
    dice: Dice,
    /// ms at which the queue is empty.
    busy_until: f64,
    burst_until: f64,
    last_tick: f64,
    pub(crate) offered: u64,
    pub(crate) carried: u64,
}

impl Line {
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            dice: Dice::new(seed),
            busy_until: 0.0,
            burst_until: 0.0,
            last_tick: 0.0,
            offered: 0,
            carried: 0,
        }
    }

    /// ms the next packet would wait.
    pub(crate) fn waiting(&self, now: f64) -> f64 {
        (self.busy_until - now).max(0.0)
    }

    /// When a packet comes out (ms), unless it is lost.
    fn carry(&mut self, now: f64, bytes: u32) -> Option<f64> {
        let c = self.conditions;
        self.offered += 1;
        if now > self.last_tick + 1.0 {
            let chance = c.bursts / 60_000.0 * (now - self.last_tick);
            if self.dice.share() < chance {
                self.burst_until = now + 100.0;
            }
            self.last_tick = now;
        }
        let time = f64::from(bytes) * 8e3 / c.rate;
        if self.waiting(now) > c.queue.max(30.0) {
            return None;
        }
        self.busy_until = self.busy_until.max(now) + time;
        let lost = self.dice.share() < c.loss || now < self.burst_until;
        if lost {
            return None;
        }
        self.carried += u64::from(bytes);
        let wait = if c.queue == 0.0 {
            time
        } else {
            self.busy_until - now
        };
        Some(now + wait + c.delay + self.dice.share() * c.jitter)
    }
}

/// When a feedback comes (ms), and what it says of which packets.
type Report = (f64, Vec<(u64, Option<f64>)>);

/// Where virtual time begins.
#[expect(
    clippy::disallowed_methods,
    reason = "an origin only; it never advances by itself"
)]
pub(crate) fn origin() -> Instant {
    Instant::now()
}

/// One sender and its receiver.
pub(crate) struct Flow {
    pub(crate) estimator: Estimator,
    origin: Instant,
    /// What it wants to send, bit/s.
    pub(crate) wanted: f64,
    /// Sends no more than this, whatever the estimate (a layer's rate), bit/s.
    pub(crate) ceiling: f64,
    /// Sends no less, bit/s.
    pub(crate) floor: f64,
    next_sequence: u64,
    budget: f64,
    next_frame: f64,
    backlog: VecDeque<u32>,
    pace: f64,
    probe: Option<(Probe, f64)>,
    /// Arrivals the receiver has not reported yet.
    arrived: Vec<(u64, f64)>,
    reported: u64,
    last_arrival: f64,
    next_report: f64,
    /// Feedback under way: when it comes, and what it says.
    feedback: VecDeque<Report>,
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
    pub(crate) probe_bytes: u64,
    pub(crate) worst_queue: f64,
    /// Feedback gets through.
    pub(crate) is_heard: bool,
}

impl Flow {
    pub(crate) fn new(limits: Limits, wanted: f64) -> Self {
        Self {
            estimator: Estimator::new(limits),
            origin: origin(),
            wanted,
            ceiling: f64::INFINITY,
            floor: 0.0,
            next_sequence: 0,
            budget: 0.0,
            next_frame: 0.0,
            backlog: VecDeque::new(),
            pace: 0.0,
            probe: None,
            arrived: Vec::new(),
            reported: 0,
            last_arrival: 0.0,
            next_report: 50.0,
            feedback: VecDeque::new(),
            sent_bytes: 0,
            received_bytes: 0,
            probe_bytes: 0,
            worst_queue: 0.0,
            is_heard: true,
        }
    }

    pub(crate) fn at(&self, ms: f64) -> Instant {
        self.origin + Duration::from_nanos((ms * 1e6) as u64)
    }

    /// Nothing is sent any more, and what waits is dropped; `starved` when that is so because the
    /// estimate is too low.
    pub(crate) fn stop(&mut self, starved: bool) {
        (self.floor, self.ceiling, self.budget) = (0.0, 0.0, 0.0);
        self.backlog.clear();
        self.estimator.set_starved(starved);
    }

    /// One millisecond of this flow.
    pub(crate) fn tick(&mut self, now: f64, line: &mut Line) {
        let instant = self.at(now);
        self.hear(now);
        if self
            .estimator
            .next_timeout()
            .is_some_and(|at| at <= instant)
        {
            self.estimator.on_timeout(instant);
            if let Some(probe) = self.estimator.take_probe(instant) {
                self.probe = Some((probe, f64::from(probe.bytes)));
            }
            let next = self.estimator.next_timeout();
            assert!(
                next.is_none_or(|at| at > instant),
                "a timer that never rests"
            );
        }
        self.frame(now);
        self.pace(now, line);
        self.report(now, line);
    }

    fn frame(&mut self, now: f64) {
        let rate = (self.estimator.estimate() as f64)
            .min(self.wanted)
            .min(self.ceiling)
            .max(self.floor);
        self.estimator.set_demand(self.wanted as u64, rate as u64);
        if now < self.next_frame {
            return;
        }
        self.next_frame += FRAME;
        self.budget += rate * FRAME / 8e3;
        while self.budget > 0.0 {
            let bytes = self.budget.clamp(100.0, 1200.0);
            self.backlog.push_back(bytes as u32);
            self.budget -= bytes;
        }
    }

    fn pace(&mut self, now: f64, line: &mut Line) {
        let pacing = self.estimator.pacing_rate() as f64;
        let rate = self
            .probe
            .map_or(pacing, |(probe, _)| pacing.max(probe.rate as f64));
        self.pace = (self.pace + rate / 8e3).min(rate / 8e3 * 5.0);
        if let Some((probe, left)) = self.probe {
            // The probe's own pace: media first, padding fills up.
            self.pace = self.pace.min(probe.rate as f64 / 8e3 * 2.0);
            self.probe = (left > 0.0).then_some((probe, left));
        }
        while self.pace > 0.0 {
            let (bytes, padding) = match (self.backlog.pop_front(), self.probe) {
                (Some(bytes), _) => (bytes, false),
                (None, Some((_, left))) if left > 0.0 => (260, true),
                _ => break,
            };
            self.pace -= f64::from(bytes);
            let id = self.probe.as_mut().map(|(probe, left)| {
                *left -= f64::from(bytes);
                probe.id
            });
            self.probe_bytes += u64::from(padding) * u64::from(bytes);
            self.send(now, bytes, id, line);
            if self.probe.is_some_and(|(_, left)| left <= 0.0) {
                self.probe = None;
            }
        }
    }

    fn send(&mut self, now: f64, bytes: u32, probe: Option<ProbeId>, line: &mut Line) {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.sent_bytes += u64::from(bytes);
        self.estimator.on_sent(Sent {
            sequence,
            at: self.at(now),
            bytes,
            probe,
        });
        self.worst_queue = self.worst_queue.max(line.waiting(now));
        if let Some(arrival) = line.carry(now, bytes) {
            self.last_arrival = self.last_arrival.max(arrival);
            self.arrived.push((sequence, self.last_arrival));
            self.received_bytes += u64::from(bytes);
        }
    }

    /// The receiver reports every 50 ms what has come up to the newest arrival.
    fn report(&mut self, now: f64, line: &Line) {
        if now < self.next_report {
            return;
        }
        self.next_report = now + 50.0;
        let known = self.arrived.partition_point(|(_, at)| *at <= now);
        let Some(&(newest, _)) = self.arrived[..known].last() else {
            return;
        };
        let mut packets = Vec::new();
        let mut arrivals = self.arrived.drain(..known).peekable();
        for sequence in self.reported..=newest {
            let arrival = arrivals.next_if(|(s, _)| *s == sequence).map(|(_, at)| at);
            packets.push((sequence, arrival));
        }
        drop(arrivals);
        self.reported = newest + 1;
        if self.is_heard {
            self.feedback
                .push_back((now + line.conditions.delay, packets));
        }
    }

    fn hear(&mut self, now: f64) {
        while self.feedback.front().is_some_and(|(at, _)| *at <= now) {
            let (_, packets) = self.feedback.pop_front().expect("just seen");
            let mut packets = packets.into_iter().map(|(sequence, arrival)| Received {
                sequence,
                // As TWCC: steps of 250 us, and the peer's clock is its own.
                arrival: arrival
                    .map(|ms| Duration::from_micros((ms * 4.0) as u64 * 250 + 77_000_000)),
            });
            self.estimator.on_feedback(
                self.origin + Duration::from_nanos((now * 1e6) as u64),
                &mut packets,
            );
        }
    }
}

/// Runs flows on a line from `from` to `to` (ms).
pub(crate) fn run(flows: &mut [&mut Flow], line: &mut Line, from: f64, to: f64) {
    let mut now = from;
    while now < to {
        for flow in flows.iter_mut() {
            flow.tick(now, line);
        }
        now += 1.0;
    }
}

const FRAME: f64 = 33.0;
