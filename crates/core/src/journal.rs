//! The decision journal: what was decided for a subscriber, when, and on what grounds.
//!
//! A decision is noted once, where it is taken: with the subscriber (layers, gate, queue), with its
//! publisher (key frames, layers wanted) or with its transport (estimate). [`Sfu::journal`] puts the
//! three together. Each keeps the last [`KEPT`]. With a recorder every decision goes to the record as
//! well, and `headwater replay` must come to the same ones.

use std::collections::VecDeque;
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::bandwidth::{LimitedBy, State};
use crate::error::Error;
use crate::event::{Event, StatValue};
use crate::ids::{ObjectId, PublisherId, SubscriberId};
use crate::layer::{Layer, LayerReason};
use crate::record::wire::{wire_enum, wire_struct};
use crate::sfu::Sfu;
use crate::subscriber::Turn;
use crate::transport::webrtc::Side;

/// Something that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// A subscriber is to get another layer.
    Target {
        from: Option<Layer>,
        to: Option<Layer>,
        reason: LayerReason,
        /// The best that the wishes allow.
        preferred: Option<Layer>,
        /// What the new layer takes, bit/s.
        bitrate: Option<u64>,
        /// What the line was believed to carry, bit/s.
        estimate: Option<u64>,
    },
    /// Another layer passes.
    Current {
        from: Option<Layer>,
        to: Option<Layer>,
        reason: LayerReason,
    },
    /// Packets may pass, or may no more: connected, agreed, not paused.
    Gate { open: bool },
    /// The viewer has asked for a key frame, by FIR or by PLI.
    KeyFrameAsked { by_fir: bool },
    /// What waited for the line was dropped: it was too old.
    QueueDropped {},
    /// The publisher was asked for a key frame of an encoding.
    KeyFrameRequested { encoding: u8 },
    /// And one has come.
    KeyFrameArrived { encoding: u8 },
    /// The publisher was told up to which layer anybody has use for what it sends.
    Wanted { max: Option<Layer> },
    /// The estimate of the line has moved.
    Estimate(Estimate),
    /// Somebody else speaks. Of a router, so in records only.
    Speaker { publisher: Option<PublisherId> },
    /// A slot carries another publisher.
    Slot { publisher: Option<PublisherId> },
}

/// What the estimator thinks of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// bit/s.
    pub(crate) bitrate: u64,
    pub(crate) limited_by: LimitedBy,
    /// Per mille of packets lost.
    pub(crate) loss: u16,
    /// How long packets wait on the way.
    pub(crate) queue: Duration,
    /// Round trip.
    pub(crate) rtt: Duration,
}

wire_enum!(LimitedBy { 0 => Delay {}, 1 => Loss {}, 2 => Peer {}, 3 => Drain {}, 4 => Maximum {} });
wire_struct!(Estimate {
    bitrate,
    limited_by,
    loss,
    queue,
    rtt,
});
wire_enum!(Decision {
    0 => Target { from, to, reason, preferred, bitrate, estimate },
    1 => Current { from, to, reason },
    2 => Gate { open },
    3 => KeyFrameAsked { by_fir },
    4 => QueueDropped {},
    5 => KeyFrameRequested { encoding },
    6 => KeyFrameArrived { encoding },
    7 => Wanted { max },
    8 => Estimate { 0: estimate },
    9 => Speaker { publisher },
    10 => Slot { publisher },
});

/// Facts of a decision, by name.
pub type Facts = Vec<(&'static str, StatValue)>;

/// The last decisions; the oldest make room.
#[derive(Debug, Default)]
pub(crate) struct Journal(VecDeque<(Instant, Decision)>);

/// A decision as the API tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Seconds since 1970.
    pub at: f64,
    /// What it was: `target`, `current`, `gate`, `key_frame_asked`, `queue_dropped`,
    /// `key_frame_requested`, `key_frame_arrived`, `wanted` or `estimate`.
    pub what: &'static str,
    /// On what grounds.
    pub facts: Facts,
}

impl Journal {
    fn push(&mut self, now: Instant, decision: Decision) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((now, decision));
    }
}

impl Sfu {
    /// The last decisions about a subscriber, oldest first.
    pub(crate) fn journal(&self, id: SubscriberId) -> Result<Vec<Told>, Error> {
        let subscriber = &self.subscribers[self.subscriber_key(id)?];
        let publisher = &self.publishers[subscriber.publisher].journal;
        let mut all: Vec<_> = subscriber.journal.0.iter().chain(&publisher.0).collect();
        if let Side::Subscribe(subscribing) = &self.sessions[subscriber.session].side {
            all.extend(&subscribing.journal.0);
        }
        all.sort_by_key(|(at, _)| *at);
        let told = |(at, decision): &(Instant, Decision)| Told {
            at: (self.wall(*at).duration_since(UNIX_EPOCH)).map_or(0.0, |at| at.as_secs_f64()),
            what: decision.what(),
            facts: decision.facts(),
        };
        Ok(all.into_iter().map(told).collect())
    }

    pub(crate) fn note_subscriber(&mut self, key: usize, now: Instant, decision: Decision) {
        let subscriber = &mut self.subscribers[key];
        if let Some(recorder) = &mut self.recorder {
            recorder.decision(now, ObjectId::Subscriber(subscriber.id), &decision);
        }
        subscriber.journal.push(now, decision);
    }

    pub(crate) fn note_publisher(&mut self, key: usize, now: Instant, decision: Decision) {
        let publisher = &mut self.publishers[key];
        if let Some(recorder) = &mut self.recorder {
            recorder.decision(now, ObjectId::Publisher(publisher.id), &decision);
        }
        publisher.journal.push(now, decision);
    }

    /// A subscriber's target or its current layer has changed.
    pub(crate) fn note_turn(&mut self, key: usize, turn: Turn, now: Instant) {
        let subscriber = &self.subscribers[key];
        let encodings = &self.publishers[subscriber.publisher].encodings;
        if let Some(change) = turn.target {
            let mut rates = encodings.layers().iter();
            let rate = rates.find(|rate| Some(rate.layer) == change.to);
            let decision = Decision::Target {
                from: change.from,
                to: change.to,
                reason: change.reason,
                preferred: subscriber.selector.preferred(encodings),
                bitrate: rate.map(|rate| rate.bitrate),
                estimate: subscriber.estimate,
            };
            self.note_subscriber(key, now, decision);
        }
        if let Some(change) = turn.current {
            let (from, to, reason) = (change.from, change.to, change.reason);
            self.note_subscriber(key, now, Decision::Current { from, to, reason });
            let subscriber = &self.subscribers[key];
            self.emit(Event::LayerChanged {
                subscriber: subscriber.id,
                from,
                to,
                reason,
                estimate: subscriber.estimate,
            });
        }
    }

    /// The peer has spoken, or time has: has the estimate moved notably?
    pub(crate) fn note_estimate(&mut self, key: usize, now: Instant) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let transport = ObjectId::Transport(session.belongs.transport);
        let Side::Subscribe(subscribing) = &mut session.side else {
            return;
        };
        let estimator = &subscribing.egress.estimator;
        let (before, estimate) = (subscribing.noted, estimator.estimate());
        if before.abs_diff(estimate) <= before / NOTABLE {
            return;
        }
        subscribing.noted = estimate;
        let decision = Decision::Estimate(Estimate::from(estimator.state()));
        if let Some(recorder) = &mut self.recorder {
            recorder.decision(now, transport, &decision);
        }
        subscribing.journal.push(now, decision);
    }
}

impl From<State> for Estimate {
    fn from(state: State) -> Self {
        Self {
            bitrate: state.estimate,
            limited_by: state.limited_by,
            loss: (state.loss * 1e3) as u16,
            queue: state.queue,
            rtt: state.rtt,
        }
    }
}

impl Decision {
    /// Its name.
    pub(crate) const fn what(&self) -> &'static str {
        match self {
            Self::Target { .. } => "target",
            Self::Current { .. } => "current",
            Self::Gate { .. } => "gate",
            Self::KeyFrameAsked { .. } => "key_frame_asked",
            Self::QueueDropped {} => "queue_dropped",
            Self::KeyFrameRequested { .. } => "key_frame_requested",
            Self::KeyFrameArrived { .. } => "key_frame_arrived",
            Self::Wanted { .. } => "wanted",
            Self::Estimate(_) => "estimate",
            Self::Speaker { .. } => "speaker",
            Self::Slot { .. } => "slot",
        }
    }

    /// What it was, by name; what there is none of is left out.
    pub(crate) fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        match self {
            Self::Target {
                from,
                to,
                reason,
                preferred,
                bitrate,
                estimate,
            } => {
                name_layer(&mut facts, ["from_spatial", "from_temporal"], *from);
                name_layer(&mut facts, ["to_spatial", "to_temporal"], *to);
                let names = ["preferred_spatial", "preferred_temporal"];
                name_layer(&mut facts, names, *preferred);
                facts.extend(bitrate.map(|rate| ("bitrate", StatValue::Int(rate))));
                facts.extend(estimate.map(|rate| ("estimate", StatValue::Int(rate))));
                facts.push(("reason", word(*reason)));
            }
            Self::Current { from, to, reason } => {
                name_layer(&mut facts, ["from_spatial", "from_temporal"], *from);
                name_layer(&mut facts, ["to_spatial", "to_temporal"], *to);
                facts.push(("reason", word(*reason)));
            }
            Self::Gate { open } => facts.push(("open", StatValue::Int((*open).into()))),
            Self::KeyFrameAsked { by_fir } => {
                facts.push(("by_fir", StatValue::Int((*by_fir).into())));
            }
            Self::QueueDropped {} => {}
            Self::KeyFrameRequested { encoding } | Self::KeyFrameArrived { encoding } => {
                facts.push(("encoding", StatValue::Int((*encoding).into())));
            }
            Self::Wanted { max } => name_layer(&mut facts, ["max_spatial", "max_temporal"], *max),
            Self::Speaker { publisher } | Self::Slot { publisher } => {
                facts.extend(publisher.map(|id| ("publisher", StatValue::Int(id.0))));
            }
            Self::Estimate(estimate) => {
                let millis = |time: Duration| StatValue::Float(time.as_secs_f64() * 1e3);
                facts.push(("estimate", StatValue::Int(estimate.bitrate)));
                facts.push(("limited_by", word(estimate.limited_by)));
                facts.push(("loss", StatValue::Float(f64::from(estimate.loss) / 1e3)));
                facts.push(("queue_ms", millis(estimate.queue)));
                facts.push(("rtt_ms", millis(estimate.rtt)));
            }
        }
        facts
    }
}

fn name_layer(facts: &mut Facts, names: [&'static str; 2], layer: Option<Layer>) {
    if let Some(Layer { spatial, temporal }) = layer {
        facts.push((names[0], StatValue::Int(spatial.into())));
        facts.push((names[1], StatValue::Int(temporal.into())));
    }
}

/// The name of a variant, as the API writes it.
fn word(variant: impl std::fmt::Debug) -> StatValue {
    StatValue::Text(format!("{variant:?}").to_lowercase())
}

/// Decisions that are kept of each kind of owner.
const KEPT: usize = 64;
/// An estimate that moves by less than one part in so many is not noted.
const NOTABLE: u64 = 10;
