//! Probes: a short burst at a higher rate that asks whether the line carries more.
//!
//! Nobody pays for a probe that nobody needs: one is sent only while more is wanted than is
//! estimated. A success is followed by the next, twice as high, so that a wide line is found in
//! a few round trips; failures make the step smaller and the pause longer. What is measured is
//! the rate at which the packets of the probe arrive (media in between counts as well).

/// When to probe, how high, and what came of it.
pub(super) struct Probing {
    active: Option<Active>,
    next_id: u8,
    /// Not before, us.
    not_before: u64,
    pause: u64,
    step: f64,
    /// The rate was cut while a probe was on its way.
    was_cut_off: bool,
    /// Probes at the rate that the line is known to have carried, since the last cut.
    asked_known: u8,
    /// Larger while media fills probes with packets too few to tell.
    least_bytes: f64,
    pub(super) sent: u32,
    pub(super) succeeded: u32,
}

/// A probe to be sent: this many bytes, padding and media together, at this rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Marks the packets that belong to it.
    pub id: ProbeId,
    /// bit/s.
    pub rate: u64,
    /// Bytes on the wire.
    pub bytes: u32,
}

/// Names a probe while its packets are on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeId(pub(super) u8);

/// What the decision to probe depends on.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) estimate: f64,
    pub(super) wanted: f64,
    /// What the line carried when it was full, where that is more than is estimated.
    pub(super) known: Option<f64>,
    pub(super) max: f64,
    /// The line is quiet: no overuse, no standing queue, no trial of the loss part.
    pub(super) is_calm: bool,
}

struct Active {
    id: u8,
    rate: f64,
    bytes: u32,
    started: u64,
    settled: u32,
    packets: u32,
    received: u32,
    first_sent: u64,
    last_sent: u64,
    last_sent_bytes: u32,
    first_arrival: u64,
    last_arrival: u64,
    first_arrival_bytes: u32,
}

impl Probing {
    pub(super) fn new() -> Self {
        Self {
            active: None,
            next_id: 1,
            not_before: 0,
            pause: MIN_PAUSE,
            step: FIRST_STEP,
            was_cut_off: false,
            asked_known: 0,
            least_bytes: MIN_BYTES,
            sent: 0,
            succeeded: 0,
        }
    }

    /// The next probe, when one is due.
    pub(super) fn take(&mut self, now: u64, wish: Wish) -> Option<Probe> {
        if !self.wants(wish) || now < self.not_before || !wish.is_calm {
            return None;
        }
        let step = wish.estimate * self.step;
        let known = wish.known.filter(|_| self.asked_known < MOST_KNOWN);
        self.asked_known += u8::from(known.is_some());
        let aim = (wish.wanted * HEADROOM).min(known.map_or(step, |known| step.max(known * KNOWN)));
        let rate = aim.min(wish.max).max(wish.estimate * MIN_STEP);
        let bytes = (rate / 8.0 * PROBE_TIME).max(self.least_bytes) as u32;
        let id = self.next_id;
        self.next_id = if id == u8::MAX { 1 } else { id + 1 };
        self.active = Some(Active::new(id, rate, bytes, now));
        self.sent += 1;
        self.was_cut_off = false;
        Some(Probe {
            id: ProbeId(id),
            rate: rate as u64,
            bytes,
        })
    }

    /// When a probe may be due, us.
    pub(super) fn next(&self, wish: Wish) -> Option<u64> {
        match &self.active {
            Some(active) => Some(active.started + RESULT_TIME),
            None if wish.is_calm && self.wants(wish) => Some(self.not_before),
            None => None,
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// Whether more is wanted than is estimated.
    pub(super) fn is_wanted(estimate: f64, wanted: f64) -> bool {
        wanted * HEADROOM > estimate * MIN_STEP
    }

    /// A packet of a probe was received or given up.
    pub(super) fn settle(&mut self, id: u8, sent: u64, arrival: Option<u64>, bytes: u32) {
        if let Some(active) = self.active.as_mut().filter(|active| active.id == id) {
            active.settle(sent, arrival, bytes);
        }
    }

    /// Ends the probe that is complete or overdue. A rate comes out when it measured one.
    pub(super) fn conclude(&mut self, now: u64, estimate: f64) -> Option<f64> {
        let active = self.active.as_ref()?;
        let complete = f64::from(active.settled) >= f64::from(active.bytes) * COMPLETE;
        if !complete && now < active.started + RESULT_TIME {
            return None;
        }
        let (aim, result) = (active.rate, active.result());
        self.active = None;
        match result {
            Some(rate) if rate >= aim * GOOD && rate >= estimate * MIN_STEP => {
                self.succeeded += 1;
                self.pause = MIN_PAUSE;
                self.step = NEXT_STEP;
                self.not_before = now;
            }
            None if complete && self.least_bytes < MAX_LEAST_BYTES => {
                self.least_bytes *= 1.6;
                self.not_before = now;
            }
            _ => self.fail(now),
        }
        result.filter(|rate| *rate > estimate)
    }

    /// The rate was cut: let the line come to rest before asking again.
    pub(super) fn rest(&mut self, now: u64) {
        self.was_cut_off |= self.active.take().is_some();
        self.asked_known = 0;
        self.not_before = self.not_before.max(now + self.pause);
    }

    /// The line has come to rest with nothing sent. A probe that was all there was, and that led to a
    /// cut, has failed: the pauses grow.
    pub(super) fn resume(&mut self, now: u64) {
        self.least_bytes = MIN_BYTES;
        if std::mem::take(&mut self.was_cut_off) {
            self.fail(now);
        }
    }

    /// Another path: start over.
    pub(super) fn reset(&mut self) {
        self.active = None;
        self.not_before = 0;
        self.pause = MIN_PAUSE;
        self.step = FIRST_STEP;
    }

    fn fail(&mut self, now: u64) {
        self.not_before = now + self.pause;
        self.pause = (self.pause * 3 / 2).min(MAX_PAUSE);
        self.step = (1.0 + (self.step.min(NEXT_STEP) - 1.0) * 0.6).max(LEAST_STEP);
    }

    fn wants(&self, wish: Wish) -> bool {
        let more = Self::is_wanted(wish.estimate, wish.wanted);
        self.active.is_none() && more && wish.max > wish.estimate * MIN_STEP
    }
}

impl Active {
    fn new(id: u8, rate: f64, bytes: u32, started: u64) -> Self {
        Self {
            id,
            rate,
            bytes,
            started,
            settled: 0,
            packets: 0,
            received: 0,
            first_sent: u64::MAX,
            last_sent: 0,
            last_sent_bytes: 0,
            first_arrival: u64::MAX,
            last_arrival: 0,
            first_arrival_bytes: 0,
        }
    }

    fn settle(&mut self, sent: u64, arrival: Option<u64>, bytes: u32) {
        self.settled += bytes;
        let Some(arrival) = arrival else {
            return;
        };
        self.packets += 1;
        self.received += bytes;
        self.first_sent = self.first_sent.min(sent);
        if sent >= self.last_sent {
            (self.last_sent, self.last_sent_bytes) = (sent, bytes);
        }
        if arrival < self.first_arrival {
            (self.first_arrival, self.first_arrival_bytes) = (arrival, bytes);
        }
        self.last_arrival = self.last_arrival.max(arrival);
    }

    fn result(&self) -> Option<f64> {
        if self.packets < MIN_PACKETS || f64::from(self.received) < f64::from(self.bytes) * 0.5 {
            return None;
        }
        let rate = |bytes: u32, us: u64| f64::from(bytes) * 8e6 / us as f64;
        let sent_in = self.last_sent - self.first_sent;
        let sent = if sent_in >= MIN_INTERVAL {
            rate(self.received - self.last_sent_bytes, sent_in).min(self.rate * 1.25)
        } else {
            self.rate // left as one burst: the line alone spread it
        };
        let arrived_in = (self.last_arrival - self.first_arrival).max(1);
        let arrived = rate(self.received - self.first_arrival_bytes, arrived_in);
        Some(if arrived < sent * SATURATED {
            arrived * 0.95
        } else {
            sent.min(arrived)
        })
    }
}

/// Steps above the estimate: of the first probes, after a success, and the least.
const FIRST_STEP: f64 = 3.0;
const NEXT_STEP: f64 = 2.0;
const LEAST_STEP: f64 = 1.25;
const MIN_STEP: f64 = 1.05;
/// Share of what the line is known to have carried that is asked for, and how often after a cut.
const KNOWN: f64 = 0.9;
const MOST_KNOWN: u8 = 3;
/// What is asked for above what is wanted, so that an upgrade has room.
const HEADROOM: f64 = 1.25;
/// A probe lasts this long, s, and is at least so long in bytes.
const PROBE_TIME: f64 = 0.02;
const MIN_BYTES: f64 = 1_900.0;
const MAX_LEAST_BYTES: f64 = 6_000.0;
const MIN_PACKETS: u32 = 4;
/// Share of a probe that must be settled before it is judged, and share of its rate that is good.
const COMPLETE: f64 = 0.9;
const GOOD: f64 = 0.75;
/// A probe that arrives slower than this share of its sending rate has filled the line.
const SATURATED: f64 = 0.9;
/// Packets closer than this were one burst, us.
const MIN_INTERVAL: u64 = 3_000;
/// Pauses after a failure, and the time for a result, us.
const MIN_PAUSE: u64 = 1_500_000;
const MAX_PAUSE: u64 = 5_000_000;
const RESULT_TIME: u64 = 1_000_000;
