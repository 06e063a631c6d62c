//! How much may come from one peer: the receive-side estimate of a publish transport whose client
//! knows no transport-wide feedback, to be told by REMB (draft-alvestrand-rmcat-remb-03).
//!
//! ```text
//! on_packet ──► departure ──► groups ──► trendline     does the delay grow?   ┐
//!                             queue, burst             does a queue stand?    ├─► rate
//!               throughput, busy                       what arrives           ┘
//! take_due  ◄── the rate: once a second, and at once when it fell
//! ```
//!
//! The parts are those of the send side ([`super::Estimator`]), as draft-ietf-rmcat-gcc-02 section 5
//! has both. What differs: nothing is known of what the peer would send if it could, so the rate grows
//! up to one and a half times what arrives and never sinks for want of media; there is no probing; and
//! loss is left to the peer, who hears of it by receiver reports. For [`LEARNING`] nothing is said, unless
//! the line is full.
//!
//! Rates are those of media, headers excluded, as REMB counts. Only video counts: that is what the
//! peer's encoders can change.

use std::time::Instant;

use super::burst::Burst;
use super::busy::Busy;
use super::departure::{Departures, Stamp};
use super::groups::Groups;
use super::queue::QueueDelay;
use super::rate::{Observed, Rate};
use super::throughput::Throughput;
use super::trendline::{Trendline, Usage};
use super::{Limits, carried, micros};

/// A packet that has come.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// When.
    pub at: Instant,
    /// Bytes of its payload.
    pub bytes: u32,
    /// Its number, extended.
    pub sequence: u64,
    /// Its source, and when it left.
    pub stamp: Stamp,
}

/// The receive-side estimator of one transport.
pub struct Incoming {
    limits: Limits,
    origin: Option<Instant>,
    delays: Delays,
    throughput: Throughput,
    /// None while nothing is known.
    rate: Option<Rate>,
    /// us: since when there is something to learn from, the last packet, and the last judgement.
    began: u64,
    last: u64,
    judged: u64,
    /// When the estimate was told last (us), and what it was then.
    told: Option<(u64, f64)>,
    sources: Vec<Source>,
}

/// What the times of packets say. Belongs to one path and one clock of the sender's.
struct Delays {
    departures: Departures,
    groups: Groups,
    trendline: Trendline,
    queue: QueueDelay,
    busy: Busy,
    burst: Burst,
    /// How long the newest packet waited, us.
    waited: i64,
}

/// One stream of the peer's.
struct Source {
    ssrc: u32,
    highest: u64,
    heard: u64,
}

impl Incoming {
    /// An estimator that knows nothing yet. The initial rate of `limits` says nothing here.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            origin: None,
            delays: Delays::new(),
            throughput: Throughput::default(),
            rate: None,
            began: 0,
            last: 0,
            judged: 0,
            told: None,
            sources: Vec::new(),
        }
    }

    /// A packet has come.
    pub fn on_packet(&mut self, packet: Arrived) {
        let origin = *self.origin.get_or_insert(packet.at);
        let now = micros(origin, packet.at);
        if now > self.last + SILENCE {
            self.rest(now);
        }
        self.last = now;
        // A repetition says nothing of the line at the time it was first sent.
        let advances = self.hear(now, &packet);
        self.throughput.add(now, packet.bytes, false);
        let rate = self.rate.as_ref().map(Rate::estimate);
        let stamp = advances.then_some(packet.stamp);
        self.delays.add(now, packet.bytes, stamp, rate);
        if now >= self.judged + INTERVAL {
            self.judged = now;
            self.judge(now);
        }
    }

    /// What may come (bit/s), if it is time to tell the peer.
    pub fn take_due(&mut self, now: Instant) -> Option<u64> {
        let now = micros(self.origin?, now);
        let rate = self.rate.as_ref()?.estimate();
        let due = self
            .told
            .is_none_or(|(at, told)| now >= at + TELL_EVERY || rate < told * TELL_BELOW);
        if !due {
            return None;
        }
        self.told = Some((now, rate));
        self.sources.retain(|source| now < source.heard + FORGET);
        Some(rate as u64)
    }

    /// What may come, bit/s, once known.
    pub fn estimate(&self) -> Option<u64> {
        self.rate.as_ref().map(|rate| rate.estimate() as u64)
    }

    /// The streams that the estimate is for, at most [`Incoming::MOST_SOURCES`].
    pub fn sources(&self) -> impl Iterator<Item = u32> {
        self.sources.iter().map(|source| source.ssrc)
    }

    /// Another address of the peer or of ours: what was learnt of the line is forgotten.
    pub fn on_path_change(&mut self) {
        self.delays = Delays::new();
        self.throughput = Throughput::default();
        if let Some(rate) = &mut self.rate {
            rate.forget_capacity();
        }
    }

    /// Notes a packet's stream. Whether the packet is newer than all before.
    fn hear(&mut self, now: u64, packet: &Arrived) -> bool {
        let ssrc = packet.stamp.ssrc;
        if let Some(source) = self.sources.iter_mut().find(|source| source.ssrc == ssrc) {
            source.heard = now;
            let advances = packet.sequence > source.highest;
            source.highest = source.highest.max(packet.sequence);
            return advances;
        }
        if self.sources.len() >= Self::MOST_SOURCES {
            let sources = self.sources.iter().enumerate();
            let oldest = sources.min_by_key(|(_, source)| source.heard);
            let oldest = oldest.map_or(0, |(place, _)| place);
            self.sources.swap_remove(oldest);
        }
        self.sources.push(Source {
            ssrc,
            highest: packet.sequence,
            heard: now,
        });
        true
    }

    /// Nothing has come for a while: what stood in a queue has gone, and the rate stays what it was.
    fn rest(&mut self, now: u64) {
        self.delays.rest();
        self.throughput = Throughput::default();
        self.judged = now;
        match &mut self.rate {
            Some(rate) => rate.rest(now, f64::INFINITY),
            None => self.began = now,
        }
    }

    fn judge(&mut self, now: u64) {
        let usage = self.delays.judge(now);
        let Some(arrives) = self.throughput.rate() else {
            return;
        };
        let known = now >= self.began + LEARNING || usage == Usage::Over;
        if self.rate.is_none() && !known {
            return;
        }
        // As far as growth may go: a peer that sends less than it would like is not held back.
        let start = || Rate::new(arrives * HEADROOM);
        let rate = self.rate.get_or_insert_with(start);
        let Delays { busy, queue, .. } = &self.delays;
        rate.update(
            now,
            Observed {
                usage,
                throughput: carried(&self.throughput, busy, queue, (now, usage)),
                rtt: RTT,
                is_app_limited: false,
                is_thin: false,
            },
        );
        let (min, max) = (self.limits.min as f64, self.limits.max as f64);
        let bounded = rate.estimate().clamp(min, max.max(min));
        if bounded != rate.estimate() {
            rate.set(now, bounded);
        }
    }

    /// Streams that are told of at a time: more than any browser sends.
    pub const MOST_SOURCES: usize = 31;
}

impl Delays {
    fn new() -> Self {
        Self {
            departures: Departures::default(),
            groups: Groups::default(),
            trendline: Trendline::new(),
            queue: QueueDelay::default(),
            busy: Busy::default(),
            burst: Burst::default(),
            waited: 0,
        }
    }

    /// Nothing has come for a while.
    fn rest(&mut self) {
        self.queue.rest();
        (self.groups, self.trendline) = (Groups::default(), Trendline::new());
        (self.busy, self.waited) = (Busy::default(), 0);
    }

    /// Notes a packet; without a stamp it says no more than that it took its room on the line.
    fn add(&mut self, now: u64, bytes: u32, stamp: Option<Stamp>, rate: Option<f64>) {
        if let Some(departure) = stamp.and_then(|stamp| self.departures.read(now, stamp)) {
            if departure.is_fresh {
                let departures = std::mem::take(&mut self.departures);
                *self = Self {
                    departures,
                    ..Self::new()
                };
            }
            self.waited = self.queue.add(departure.at, now);
            if let Some(delta) = self.groups.add(departure.at, now) {
                self.trendline.add(delta);
            }
        }
        self.busy.add(now, now, bytes, self.waited);
        let rate = rate.unwrap_or(f64::INFINITY);
        self.burst.add(self.departures.newest(), bytes, rate);
    }

    /// What the packets since the last judgement say. A queue that the peer's own burst explains, as
    /// a key frame makes one, is no sign against the rate.
    fn judge(&mut self, now: u64) -> Usage {
        self.queue.finish(now);
        let newest = self.departures.newest();
        let own_doing = self.burst.explains(newest, self.queue.least());
        match self.trendline.usage() {
            _ if self.queue.is_collapsing() && !own_doing => Usage::Over,
            Usage::Over if own_doing || !self.queue.stands() => Usage::Normal,
            usage => usage,
        }
    }
}

/// How often it is judged, us: about as often as feedback would come.
const INTERVAL: u64 = 50_000;
/// For how long nothing is said at the beginning, us.
const LEARNING: u64 = 2_000_000;
/// The first estimate, in terms of what arrives.
const HEADROOM: f64 = 1.5;
/// The round trip is not known here, us: what libwebrtc takes for it.
const RTT: u64 = 200_000;
/// With nothing received for this long a line has come to rest, us.
const SILENCE: u64 = 1_000_000;
/// How often the peer is told, us, and below which share of what it was told last it is told at once.
const TELL_EVERY: u64 = 1_000_000;
const TELL_BELOW: f64 = 0.97;
/// A stream not heard for this long is not told of any more, us.
const FORGET: u64 = 10_000_000;

const _: () = assert!(size_of::<Incoming>() <= 1024 + 512);
