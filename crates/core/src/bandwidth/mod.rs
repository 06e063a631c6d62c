//! How much may go to one peer: the send-side estimate of one subscribe transport. (How much may come
//! from one, where that is ours to say, is [`incoming`]'s business, out of the same parts.)
//!
//! ```text
//! on_sent ────► sent        what is on its way (ring)
//! on_feedback ─► groups ──► trendline     does the delay grow?       ┐
//!               throughput                what arrives               ├─► rate   (delay-based)
//!               queue, busy, burst        how long packets wait, why │
//!               loss                      inherent, or our doing?    ├─► limit  (loss-based)
//!               probe                     does the line carry more?  ┘
//! on_remb, on_loss_report ─► fallback     for peers without transport-wide feedback
//! ```
//!
//! The estimate is the least of the delay-based rate, the loss-based limit and a fresh REMB,
//! within [`Limits`]. After a cut with packets waiting, less than that is sent for at most
//! [`DRAIN_TIME`] so that the queue empties ([`Estimator::pacing_rate`] follows).
//!
//! While nothing is sent nothing is heard. Where that is so because all that is wanted was paused for
//! want of bandwidth ([`Estimator::set_starved`]), what the last feedback said of queues and loss is
//! forgotten after [`REST`], so that a probe may ask again. Any other silence changes nothing.
//!
//! The shape is that of draft-ietf-rmcat-gcc-02; probing by demand, loss trials and draining are
//! ours. Everything is a function of its inputs; nothing allocates per packet; a transport costs
//! at most 18 KiB, and 2 KiB while little is on the way.

mod burst;
mod busy;
mod departure;
mod fallback;
mod groups;
mod incoming;
mod loss;
mod probe;
mod queue;
mod rate;
mod sent;
mod throughput;
mod trendline;

use std::time::{Duration, Instant};

use burst::Burst;
use busy::Busy;
use fallback::Fallback;
use groups::Groups;
use loss::{Around, Loss};
use probe::{Probing, Wish};
use queue::QueueDelay;
use rate::{Observed, Rate};
use sent::SentTable;
use throughput::Throughput;
use trendline::Trendline;

pub use departure::Stamp;
pub use incoming::{Arrived, Incoming};
pub use probe::{Probe, ProbeId};
pub use rate::Phase;
pub use trendline::Usage;

/// Between what the estimate may move, bit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Before anything is known.
    pub initial: u64,
    /// Never below.
    pub min: u64,
    /// Never above.
    pub max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            initial: 500_000,
            min: 30_000,
            max: 50_000_000,
        }
    }
}

/// A packet that carries a transport-wide number.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// The transport-wide number, extended.
    pub sequence: u64,
    /// When it left.
    pub at: Instant,
    /// Bytes on the wire, IP and UDP headers included.
    pub bytes: u32,
    /// The probe it is part of. Media sent while a probe lasts belongs to it as well.
    pub probe: Option<ProbeId>,
}

/// What transport-wide feedback says about one packet.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// The transport-wide number, extended.
    pub sequence: u64,
    /// When it came, since an epoch of the peer's that stays the same; `None` when it did not.
    pub arrival: Option<Duration>,
}

/// What holds the estimate down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedBy {
    /// Delay, or not having asked for more.
    Delay,
    /// Loss of our own doing.
    Loss,
    /// The peer's REMB or its reception reports.
    Peer,
    /// A queue on the way that is being emptied.
    Drain,
    /// The highest rate that is allowed.
    Maximum,
}

/// The estimator's mind, for statistics and the journal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// bit/s.
    pub estimate: u64,
    /// What holds it down.
    pub limited_by: LimitedBy,
    /// What the delay says.
    pub usage: Usage,
    /// What the rate controller does.
    pub phase: Phase,
    /// bit/s that arrive, once known.
    pub throughput: Option<u64>,
    /// bit/s that leave.
    pub sending: u64,
    /// Share of packets lost, 0 to 1, and the part of it that does not depend on our rate.
    pub loss: f64,
    /// See `loss`.
    pub inherent_loss: f64,
    /// How long packets wait on the way.
    pub queue: Duration,
    /// Round trip.
    pub rtt: Duration,
    /// Probes taken, and those that reached their rate.
    pub probes: u32,
    /// See `probes`.
    pub probes_succeeded: u32,
}

/// The send-side estimator of one transport.
pub struct Estimator {
    limits: Limits,
    origin: Option<Instant>,
    sent: SentTable,
    groups: Groups,
    trendline: Trendline,
    throughput: Throughput,
    queue: QueueDelay,
    busy: Busy,
    burst: Burst,
    /// Packets have stood in a queue, if only behind a burst of ours: the line has a limit.
    has_queued: bool,
    usage: Usage,
    rate: Rate,
    loss: Loss,
    probing: Probing,
    fallback: Fallback,
    sending: SendRate,
    wanted: f64,
    allocated: f64,
    is_starved: bool,
    is_feedback_expected: bool,
    first_feedback: Option<u64>,
    /// us: round trip, last feedback, last packet sent, end of draining.
    rtt: u64,
    last_feedback: Option<u64>,
    last_sent: u64,
    drain: Option<Drain>,
    last_silence: u64,
    /// us: since when the peer owes us a word, and what was sent last when the line came to rest.
    unheard_since: u64,
    rested: u64,
    estimate: f64,
    limited_by: LimitedBy,
}

#[derive(Clone, Copy)]
struct Drain {
    since: u64,
    is_over: bool,
}

impl Estimator {
    /// An estimator that knows nothing yet.
    pub fn new(limits: Limits) -> Self {
        let initial = limits.initial.clamp(limits.min, limits.max.max(limits.min)) as f64;
        Self {
            limits,
            origin: None,
            sent: SentTable::new(),
            groups: Groups::default(),
            trendline: Trendline::new(),
            throughput: Throughput::default(),
            queue: QueueDelay::default(),
            busy: Busy::default(),
            burst: Burst::default(),
            has_queued: false,
            usage: Usage::Normal,
            rate: Rate::new(initial),
            loss: Loss::default(),
            probing: Probing::new(),
            fallback: Fallback::default(),
            is_feedback_expected: true,
            first_feedback: None,
            sending: SendRate::default(),
            wanted: 0.0,
            allocated: 0.0,
            is_starved: false,
            rtt: 100_000,
            last_feedback: None,
            last_sent: 0,
            drain: None,
            last_silence: 0,
            unheard_since: 0,
            rested: 0,
            estimate: initial,
            limited_by: LimitedBy::Delay,
        }
    }

    /// A packet has left.
    pub fn on_sent(&mut self, sent: Sent) {
        let at = self.micros(sent.at);
        let probe = sent.probe.map_or(0, |id| id.0);
        if !self.sent.has_unheard() {
            self.unheard_since = at;
        }
        self.sent.insert(sent.sequence, at, sent.bytes, probe);
        self.sending.add(at, sent.bytes);
        self.burst.add(at, sent.bytes, self.rate.estimate());
        self.last_sent = at;
    }

    /// Transport-wide feedback has come: its packets in ascending order, received or not.
    pub fn on_feedback(&mut self, now: Instant, packets: &mut dyn Iterator<Item = Received>) {
        let now = self.micros(now);
        let limited = self.is_app_limited();
        let mut newest = None;
        for packet in packets {
            let arrival = packet.arrival.map(|at| at.as_micros() as u64);
            let Some(ack) = self.sent.settle(packet.sequence, arrival.is_some(), now) else {
                continue;
            };
            if ack.probe != 0 && !ack.was_lost {
                self.probing.settle(ack.probe, ack.at, arrival, ack.bytes);
            }
            let Some(arrival) = arrival else {
                self.loss.lost();
                continue;
            };
            newest = newest.max(Some(ack.at));
            self.loss.received(ack.was_lost);
            self.throughput.add(arrival, ack.bytes, limited);
            let waited = self.queue.add(ack.at, arrival);
            self.busy.add(now, arrival, ack.bytes, waited);
            if let Some(delta) = self.groups.add(ack.at, arrival) {
                self.trendline.add(delta);
            }
        }
        let Some(newest) = newest else {
            return;
        };
        self.rtt = smooth(self.rtt, now.saturating_sub(newest), self.last_feedback);
        self.last_feedback = Some(now);
        self.first_feedback.get_or_insert(now);
        self.queue.finish(now);
        self.decide(now, limited);
    }

    /// A receiver estimated maximum bitrate (bit/s) has come.
    pub fn on_remb(&mut self, now: Instant, rate: u64) {
        let now = self.micros(now);
        self.fallback.on_remb(now, rate as f64);
        self.settle_estimate(now);
    }

    /// A reception report: share of packets lost since the last (0 to 1), and the round trip.
    pub fn on_loss_report(&mut self, now: Instant, fraction_lost: f32, rtt: Duration) {
        let now = self.micros(now);
        if self.last_feedback.is_none() {
            self.rtt = rtt.as_micros() as u64;
        }
        let lost = f64::from(fraction_lost);
        if lost.is_finite() {
            let sending = self.allocated.max(self.limits.min as f64);
            self.fallback
                .on_report(now, lost.max(0.0), self.rtt, sending);
        }
        self.settle_estimate(now);
    }

    /// What the allocator would send if it could, and what it decided to send, bit/s.
    pub fn set_demand(&mut self, wanted: u64, sending: u64) {
        self.wanted = wanted.max(sending) as f64;
        self.allocated = sending as f64;
    }

    /// Whether all that is wanted is paused because the estimate is too low for it: then nobody else
    /// will ever ask the line again.
    pub const fn set_starved(&mut self, starved: bool) {
        self.is_starved = starved;
    }

    /// Whether the peer has agreed to transport-wide feedback (it has until told otherwise).
    /// Without it REMB and reception reports decide, and nothing does before they come.
    pub fn expect_feedback(&mut self, now: Instant, expected: bool) {
        if self.is_feedback_expected != expected {
            self.is_feedback_expected = expected;
            let now = self.micros(now);
            self.settle_estimate(now);
        }
    }

    /// The estimate has been measured; before, it is a guess.
    pub fn is_measured(&self, now: Instant) -> bool {
        let Some(first) = self.first_feedback else {
            return self.fallback.is_known();
        };
        let now = self.origin.map_or(0, |origin| micros(origin, now));
        now > first + LEARNING || self.rate.was_cut() || self.loss.limit().is_some()
    }

    /// Another address of the peer or of ours: what was learnt of delays and loss is forgotten.
    pub fn on_path_change(&mut self, now: Instant) {
        let now = self.micros(now);
        self.queue.reset();
        self.loss.reset();
        self.groups = Groups::default();
        self.trendline = Trendline::new();
        self.usage = Usage::Normal;
        self.throughput = Throughput::default();
        self.rate.forget_capacity();
        self.probing.reset();
        self.drain = None;
        self.settle_estimate(now);
    }

    /// Time has come to the moment [`Estimator::next_timeout`] named.
    pub fn on_timeout(&mut self, now: Instant) {
        let now = self.micros(now);
        if let Some(rate) = self.probing.conclude(now, self.rate.estimate()) {
            self.accept_probe(now, rate);
        }
        if let Some(drain) = &mut self.drain {
            drain.is_over |= now >= drain.since + DRAIN_TIME;
        }
        if self.silent_until().is_some_and(|at| now >= at) {
            self.last_silence = now;
            let floor = self.limits.min as f64;
            self.rate.set(now, (self.rate.estimate() * 0.7).max(floor));
            self.probing.rest(now);
        }
        if self.rests_at().is_some_and(|at| now >= at) {
            self.come_to_rest(now);
        }
        self.settle_estimate(now);
    }

    /// When to call [`Estimator::on_timeout`] and then [`Estimator::take_probe`]. After both it
    /// lies in the future.
    pub fn next_timeout(&self) -> Option<Instant> {
        let origin = self.origin?;
        let probe = self
            .is_ready_to_probe()
            .then(|| self.probing.next(self.wish()))
            .flatten();
        let draining = self.drain.filter(|drain| !drain.is_over);
        let drained = draining.map(|drain| drain.since + DRAIN_TIME);
        let at = [probe, self.silent_until(), self.rests_at(), drained]
            .into_iter()
            .flatten()
            .min()?;
        Some(origin + Duration::from_micros(at))
    }

    /// A probe, when one is due: send `bytes` at `rate`, media and padding together.
    pub fn take_probe(&mut self, now: Instant) -> Option<Probe> {
        let now = self.micros(now);
        if !self.is_ready_to_probe() {
            return None;
        }
        let wish = self.wish();
        self.probing.take(now, wish)
    }

    /// What may be sent, bit/s.
    pub fn estimate(&self) -> u64 {
        self.estimate as u64
    }

    /// At what rate a burst may leave, bit/s.
    pub fn pacing_rate(&self) -> u64 {
        let is_known = self.has_queued || self.rate.was_cut() || self.loss.limit().is_some();
        let rate = match self.limited_by {
            LimitedBy::Drain => self.estimate * DRAIN_PACE,
            // A burst waits there already: more at once would be dropped, and sent again.
            _ if self.queue.least() > BURST_QUEUE => self.estimate,
            _ if is_known => self.estimate * PACING_FACTOR,
            // The line has not shown a limit: there is nothing to protect from a key frame.
            _ => (self.estimate * PACING_FACTOR).max(UNKNOWN_PACE),
        };
        rate as u64
    }

    /// What the estimator thinks.
    pub fn state(&self) -> State {
        State {
            estimate: self.estimate(),
            limited_by: self.limited_by,
            usage: self.usage,
            phase: self.rate.phase(),
            throughput: self.throughput.rate().map(|rate| rate as u64),
            sending: self.sending.rate as u64,
            loss: self.loss.fraction(),
            inherent_loss: self.loss.inherent(),
            queue: Duration::from_micros((self.queue.millis() * 1e3) as u64),
            rtt: Duration::from_micros(self.rtt),
            probes: self.probing.sent,
            probes_succeeded: self.probing.succeeded,
        }
    }

    fn decide(&mut self, now: u64, is_app_limited: bool) {
        // A probe queues behind itself; that is how it measures, and no sign of the media's rate. So
        // does the key frame of a larger picture.
        let own_doing = (self.probing.is_active() && self.queue.millis() < PROBE_QUEUE)
            || self.burst.explains(now, self.queue.least());
        let usage = match self.trendline.usage() {
            _ if self.queue.is_collapsing() && !own_doing => Usage::Over,
            Usage::Over if own_doing || !self.queue.stands() => Usage::Normal,
            usage => usage,
        };
        // Little is sent: a queue that comes up now is most likely somebody else's, and goes again.
        let is_thin = self.sending.rate <= THIN;
        let usage = match usage {
            Usage::Over if is_thin && self.queue.stood_for(now) < THIN_PATIENCE => Usage::Under,
            usage => usage,
        };
        self.usage = usage;
        self.has_queued |= self.queue.stands();
        let seen = Observed {
            usage,
            // What the line loses anyway was carried as far as the bottleneck.
            throughput: carried(&self.throughput, &self.busy, &self.queue, (now, usage))
                .map(|rate| rate / (1.0 - self.loss.inherent().min(0.3))),
            rtt: self.rtt,
            is_app_limited,
            is_thin,
        };
        let cut = self.rate.update(now, seen);
        if cut {
            self.probing.rest(now);
            self.start_draining(now);
        } else if let Some(rate) = self.probing.conclude(now, self.rate.estimate())
            && seen.usage != Usage::Over
        {
            self.accept_probe(now, rate);
        }
        if let Some(throughput) = self.throughput.rate() {
            let around = Around {
                estimate: self.rate.estimate(),
                throughput,
                sent: self.sending.rate,
                queue: self.queue.millis(),
                rtt: self.rtt,
            };
            self.loss.update(now, around);
        }
        self.settle_estimate(now);
    }

    fn accept_probe(&mut self, now: u64, rate: f64) {
        let rate = rate.min(self.limits.max as f64);
        self.rate.set_probed(now, rate, self.rtt);
        self.loss.outgrow(rate);
    }

    fn start_draining(&mut self, now: u64) {
        let rested = self
            .drain
            .is_none_or(|drain| now > drain.since + DRAIN_TIME + DRAIN_REST);
        if rested && self.queue.millis() > DRAIN_ABOVE {
            self.drain = Some(Drain {
                since: now,
                is_over: false,
            });
        }
    }

    /// The share of the rate that is sent while a queue empties.
    fn drain_factor(&self, now: u64) -> f64 {
        let active = self.drain.is_some_and(|at| now < at.since + DRAIN_TIME);
        let queue = self.queue.millis();
        if !active || queue < DRAIN_BELOW {
            return 1.0;
        }
        (1.0 - (queue - DRAIN_BELOW) / 1e3).max(LEAST_DRAIN)
    }

    fn settle_estimate(&mut self, now: u64) {
        let (min, max) = (self.limits.min as f64, self.limits.max as f64);
        let max = max.max(min);
        let guess = self.is_feedback_expected && !self.fallback.is_known();
        if self.last_feedback.is_none() && !guess {
            self.estimate = self.fallback.estimate(now, min, max);
            self.limited_by = LimitedBy::Peer;
            return;
        }
        let bounded = self.rate.estimate().clamp(min, max);
        if bounded != self.rate.estimate() {
            self.rate.set(now, bounded);
        }
        let mut best = (bounded, LimitedBy::Delay);
        if bounded >= max {
            best.1 = LimitedBy::Maximum;
        }
        let limit = self.loss.limit().map(|rate| (rate, LimitedBy::Loss));
        let remb = self
            .fallback
            .ceiling(now)
            .map(|rate| (rate, LimitedBy::Peer));
        for candidate in [limit, remb].into_iter().flatten() {
            if candidate.0 < best.0 {
                best = candidate;
            }
        }
        let factor = self.drain_factor(now);
        if factor < 1.0 {
            best = (best.0 * factor, LimitedBy::Drain);
        }
        self.estimate = best.0.clamp(min, max);
        self.limited_by = best.1;
    }

    fn wish(&self) -> Wish {
        let calm = self.usage != Usage::Over
            && self.rate.phase() == Phase::Increase
            && self.queue.millis() < PROBE_QUEUE
            && !self.loss.is_trying();
        let limit = self.loss.policed().unwrap_or(f64::INFINITY);
        Wish {
            estimate: self.rate.estimate(),
            wanted: self.wanted,
            known: self.rate.known(),
            max: (self.limits.max as f64).min(limit),
            is_calm: calm,
        }
    }

    /// Without feedback a probe measures nothing: the first waits for the first feedback.
    fn is_ready_to_probe(&self) -> bool {
        self.last_feedback.is_some()
    }

    fn is_app_limited(&self) -> bool {
        self.sending.rate < self.estimate * APP_LIMITED
    }

    /// When the peer's silence becomes a sign: nothing heard of what was sent.
    fn silent_until(&self) -> Option<u64> {
        let heard = self.last_feedback?;
        let patience = SILENCE.max(self.rtt * 3);
        (self.sent.has_unheard() && self.last_sent > heard)
            .then(|| (heard.max(self.unheard_since) + patience).max(self.last_silence + SILENCE))
    }

    /// When what was heard last is out of date: all was paused, so that nothing more would ever be
    /// heard.
    fn rests_at(&self) -> Option<u64> {
        let heard = self.last_feedback.filter(|_| self.is_starved)?;
        if self.probing.is_active() || !Probing::is_wanted(self.rate.estimate(), self.wanted) {
            return None;
        }
        if self.rested == self.last_sent {
            return self.loss.policed_until();
        }
        // The peer says nothing of what was lost last.
        let patience = match self.sent.has_unheard() {
            true => (self.rtt * 3).clamp(REST, MAX_REST),
            false => REST,
        };
        Some(self.last_sent.max(heard) + patience)
    }

    /// The queue that was seen last is empty by now, and the loss that it made is over. The rate
    /// stays what it was; what is still on the way will not be heard of.
    fn come_to_rest(&mut self, now: u64) {
        self.rested = self.last_sent;
        self.rtt = self.rtt.min(RESTED_RTT);
        let most = self.loss.limit().unwrap_or(f64::INFINITY);
        self.rate.rest(now, most);
        self.loss.rest(now);
        self.probing.resume(now);
        self.queue.rest();
        self.sent.forget();
        self.groups = Groups::default();
        self.trendline = Trendline::new();
        self.throughput = Throughput::default();
        self.usage = Usage::Normal;
    }

    fn micros(&mut self, now: Instant) -> u64 {
        let origin = *self.origin.get_or_insert(now);
        micros(origin, now)
    }
}

/// What the line carries, bit/s: what arrives, or what arrived while packets waited.
fn carried(
    throughput: &Throughput,
    busy: &Busy,
    queue: &QueueDelay,
    (now, usage): (u64, Usage),
) -> Option<f64> {
    let arrives = throughput.rate()?;
    let busy = busy.rate(now).filter(|_| usage == Usage::Over);
    Some(match busy {
        // The mean still remembers the line as it was before.
        Some(busy) if queue.is_collapsing() => busy,
        Some(busy) => busy.max(arrives),
        None => arrives,
    })
}

/// Time since the origin, us; never 0.
fn micros(origin: Instant, now: Instant) -> u64 {
    now.saturating_duration_since(origin).as_micros() as u64 + 1
}

/// The rate that leaves, over half-second windows.
#[derive(Default)]
struct SendRate {
    start: u64,
    bytes: u64,
    rate: f64,
}

impl SendRate {
    fn add(&mut self, at: u64, bytes: u32) {
        let elapsed = at.saturating_sub(self.start);
        if elapsed >= SEND_WINDOW {
            let sample = self.bytes as f64 * 8e6 / elapsed as f64;
            self.rate = if self.rate == 0.0 {
                sample
            } else {
                0.5 * (self.rate + sample)
            };
            (self.start, self.bytes) = (at, 0);
        }
        self.bytes += u64::from(bytes);
    }
}

fn smooth(before: u64, sample: u64, known: Option<u64>) -> u64 {
    match known {
        None => sample,
        Some(_) => (before * 7 + sample) / 8,
    }
}

/// While draining, the headers of repairs and sound come on top of what was allocated.
const DRAIN_PACE: f64 = 1.2;
/// A burst leaves at this multiple of the estimate: a key frame that leaves faster than the line takes
/// it waits there all the same, and looks like a line that is full.
const PACING_FACTOR: f64 = 1.5;
/// But not while even the packet that waited least waited this long, us.
const BURST_QUEUE: f64 = 60_000.0;
/// And at this rate while no limit has been met, bit/s.
const UNKNOWN_PACE: f64 = 20e6;
/// Less than this (bit/s) fills no queue within [`THIN_PATIENCE`] (us): whether a queue that comes up
/// goes again, as one does that others have made, can be waited for.
const THIN: f64 = 300_000.0;
const THIN_PATIENCE: u64 = 400_000;
/// Sending less than this share of the estimate is being limited by the application.
const APP_LIMITED: f64 = 0.65;
/// After this time of feedback the estimate is no guess any more, us.
const LEARNING: u64 = 3_000_000;
/// Length of a window of the sending rate, us.
const SEND_WINDOW: u64 = 300_000;
/// Queues (ms) above which a cut starts draining, and below which draining is over.
const DRAIN_ABOVE: f64 = 80.0;
const DRAIN_BELOW: f64 = 40.0;
/// Draining lasts no longer, and not again before, us.
const DRAIN_TIME: u64 = 4_000_000;
const DRAIN_REST: u64 = 4_000_000;
/// The least share of the rate while draining.
const LEAST_DRAIN: f64 = 0.7;
/// No probe while packets wait longer than this, ms.
const PROBE_QUEUE: f64 = 50.0;
/// With nothing sent for this long a line has come to rest, us: at least, and at most where the last
/// word of the peer is waited for.
const REST: u64 = 1_000_000;
const MAX_REST: u64 = 4_000_000;
/// A round trip that stood in a queue, once that has gone, us.
const RESTED_RTT: u64 = 200_000;
/// Hearing nothing for this long cuts the rate, and again after the same time, us.
const SILENCE: u64 = 1_000_000;

const _: () = assert!(size_of::<Estimator>() <= 2 * 1024);
