//! Which packets of a publisher one subscriber gets.
//!
//! The steps of a decision: what the application *prefers*, the *target* (the allocator's, or
//! until it has spoken the least encoding that the preferences allow; the best where none will
//! speak), and what is *current*. A new target takes effect between encodings at a key frame of
//! the new one (until then the old one goes on), and inside a stream as [`Filter`] says.

use super::encodings::{Encodings, Place};
use super::filter::{Filter, Verdict};
use crate::layer::{Layer, LayerReason, Preferences};
use crate::packet::Packet;

/// The layer selection of one subscriber.
#[derive(Debug, Default)]
pub(crate) struct Selector {
    preferences: Preferences,
    /// What the allocator has decided; `Some(None)` is a pause for want of bandwidth.
    allocated: Option<Option<Layer>>,
    /// State of the encodings for which `target` and `wanted` were computed.
    generation: Option<u32>,
    target: Option<Layer>,
    /// The stream that the target lies in, and what passes inside it.
    wanted: Option<(Place, Layer)>,
    source: Option<Source>,
    reason: LayerReason,
    /// No allocator will ever speak.
    unmetered: bool,
    told: Option<Layer>,
    /// The target that was told last.
    noted: Option<Layer>,
    /// Current may be another than told.
    dirty: bool,
}

/// The stream that passes now.
#[derive(Debug)]
struct Source {
    place: Place,
    /// The highest layers there are of it.
    top: Layer,
    filter: Filter,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It passes.
    Pass {
        /// First after a switch or a pause: the numbers continue and do not jump.
        starts_run: bool,
        /// The marker bit that it gets.
        marker: bool,
    },
    /// It belongs to the stream that passes and is held back: its number must be closed up.
    Skip,
    /// It belongs to another stream.
    Ignore,
}

/// A change of the current layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: Option<Layer>,
    pub(crate) to: Option<Layer>,
    pub(crate) reason: LayerReason,
}

#[allow(dead_code)] // some of it is for the allocator alone
impl Selector {
    /// For what no allocator looks after, recordings and plain transports: the best from the start.
    pub(crate) fn unmetered() -> Self {
        Self {
            unmetered: true,
            ..Self::default()
        }
    }

    /// The allocator has spoken.
    pub(crate) const fn is_allocated(&self) -> bool {
        self.allocated.is_some()
    }

    /// What the application wishes.
    pub(crate) const fn preferences(&self) -> &Preferences {
        &self.preferences
    }

    pub(crate) const fn set_preferences(&mut self, preferences: Preferences) {
        self.preferences = preferences;
        self.reason = LayerReason::Requested;
        self.generation = None;
    }

    /// The allocator's decision; None pauses.
    pub(crate) fn set_target(&mut self, target: Option<Layer>, reason: LayerReason) {
        if self.allocated != Some(target) {
            self.allocated = Some(target);
            self.reason = reason;
            self.generation = None;
        }
    }

    /// The best layer there is that the preferences allow, whatever it costs.
    pub(crate) fn preferred(&self, encodings: &Encodings) -> Option<Layer> {
        encodings.best(&self.preferences)
    }

    /// What it is to get.
    pub(crate) const fn target(&self) -> Option<Layer> {
        self.target
    }

    /// What passes now.
    pub(crate) fn current(&self) -> Option<Layer> {
        let source = self.source.as_ref()?;
        let inner = source.filter.current();
        Some(Layer {
            spatial: source
                .place
                .spatial
                .unwrap_or(inner.spatial.min(source.top.spatial)),
            temporal: inner.temporal.min(source.top.temporal),
        })
    }

    /// The encoding whose key frame it waits for.
    pub(crate) fn awaited(&self) -> Option<u8> {
        let (place, _) = self.wanted?;
        match &self.source {
            Some(source) if source.place.ssrc == place.ssrc => {
                source.filter.is_waiting().then_some(place.encoding)
            }
            _ => Some(place.encoding),
        }
    }

    /// Nothing passes until a key frame comes.
    pub(crate) const fn is_stopped(&self) -> bool {
        self.source.is_none()
    }

    /// The encoding that passes now, else the one to come.
    pub(crate) fn encoding(&self) -> Option<u8> {
        let source = self.source.as_ref().map(|source| source.place);
        let place = source.or(self.wanted.map(|(place, _)| place));
        place.map(|place| place.encoding)
    }

    /// A hole was torn into the run: it goes on with a key frame, and nobody need be told.
    pub(crate) fn interrupt(&mut self) {
        self.source = None;
    }

    /// Ends the run: what follows starts at a key frame.
    pub(crate) fn stop(&mut self) {
        if self.source.take().is_some() {
            self.told = None;
            self.reason = LayerReason::Paused;
        }
    }

    /// Keeps the wishes and nothing else: what comes is of another publisher.
    pub(crate) fn forget(&mut self) {
        *self = Self {
            preferences: self.preferences,
            unmetered: self.unmetered,
            ..Self::default()
        };
    }

    /// A target or a current layer may not have been told yet.
    pub(crate) const fn may_have_changed(&self) -> bool {
        self.dirty
    }

    /// A change of the target that has not been told yet.
    pub(crate) fn take_target_change(&mut self) -> Option<Change> {
        let from = std::mem::replace(&mut self.noted, self.target);
        (from != self.target).then_some(Change {
            from,
            to: self.target,
            reason: self.reason,
        })
    }

    /// A change of the current layer that has not been told yet.
    pub(crate) fn take_change(&mut self) -> Option<Change> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        let to = self.current();
        let from = std::mem::replace(&mut self.told, to);
        (from != to).then_some(Change {
            from,
            to,
            reason: self.reason,
        })
    }

    /// Judges a packet.
    pub(crate) fn admit(&mut self, packet: &Packet<'_>, encodings: &Encodings) -> Admission {
        self.update(encodings);
        let timestamp = packet.rtp.header.timestamp;
        let is_own = |source: &&mut Source| source.place.ssrc == packet.ssrc;
        if let Some(source) = self.source.as_mut().filter(is_own) {
            let before = source.filter.current();
            let verdict = (source.filter).judge(&packet.facts, timestamp, packet.keyframe);
            self.dirty |= before != source.filter.current();
            match verdict {
                Verdict::Pass { last } => {
                    return Admission::Pass {
                        starts_run: false,
                        marker: last || packet.rtp.header.marker,
                    };
                }
                Verdict::Hold => return Admission::Skip,
                Verdict::Restart => {}
            }
        }
        let starts = packet.keyframe && packet.facts.fresh;
        match self.wanted {
            Some((place, goal)) if place.ssrc == packet.ssrc && starts => {
                self.start(place, goal, encodings.top(place.encoding), packet)
            }
            _ => Admission::Ignore,
        }
    }

    /// Begins with this key frame: with its first packet, and before any other, for those that
    /// were not waited for are gone.
    fn start(&mut self, place: Place, goal: Layer, top: Layer, packet: &Packet<'_>) -> Admission {
        let mut filter = Filter::new(goal);
        let verdict = filter.judge(&packet.facts, packet.rtp.header.timestamp, true);
        let Verdict::Pass { last } = verdict else {
            return Admission::Ignore;
        };
        self.source = Some(Source { place, top, filter });
        self.dirty = true;
        Admission::Pass {
            starts_run: true,
            marker: last || packet.rtp.header.marker,
        }
    }

    /// Follows what has changed: the encodings, the wishes, the allocator's decision.
    pub(crate) fn update(&mut self, encodings: &Encodings) {
        if self.generation != Some(encodings.generation()) {
            self.resolve(encodings);
        }
    }

    /// Computes target and stream anew after the encodings or the wishes have changed.
    fn resolve(&mut self, encodings: &Encodings) {
        if self.generation.is_some() && self.source.is_some() {
            self.reason = LayerReason::Publisher;
        }
        self.generation = Some(encodings.generation());
        self.dirty = true;
        self.target = match self.allocated {
            Some(allocated) => allocated,
            None if self.unmetered => encodings.best(&self.preferences),
            None => encodings.least_to_begin(&self.preferences),
        };
        let least = self.preferences.min_spatial.unwrap_or(0);
        let place = self.target.and_then(|target| encodings.place(target));
        // In the place of an encoding that has died comes no smaller one than is wished.
        let place = place.filter(|place| place.spatial.is_none_or(|spatial| spatial >= least));
        self.wanted = place.map(|place| (place, self.goal(place)));
        if self.target.is_none() && (self.allocated.is_some() || !encodings.layers().is_empty()) {
            self.source = None;
        }
        let wanted = self.wanted;
        // What comes of an encoding that was started anew begins with a key frame, also when its
        // old SSRC comes back.
        let is_current =
            |source: &Source| encodings.ssrc(source.place.encoding) == Some(source.place.ssrc);
        self.source = self.source.take().filter(is_current);
        let Some(source) = &mut self.source else {
            return;
        };
        source.place.spatial = encodings.spatial_of(source.place.encoding);
        source.top = encodings.top(source.place.encoding);
        if let Some((place, goal)) = wanted
            && place.ssrc == source.place.ssrc
        {
            source.filter.set_goal(goal);
        }
    }

    /// The layers that may pass inside a stream. Without a limit also those that are yet to come.
    fn goal(&self, place: Place) -> Layer {
        let target = self.target.unwrap_or_default();
        let wishes = &self.preferences;
        let is_sized = wishes.width.is_some() || wishes.height.is_some();
        let limit = |is_exact: bool, exact: u8, a: Option<u8>, b: Option<u8>| match is_exact {
            true => exact,
            false => a.unwrap_or(ALL).min(b.unwrap_or(ALL)).min(ALL),
        };
        let is_exact = self.allocated.is_some();
        let spatial = limit(
            is_exact || is_sized || wishes.min_spatial.is_some(),
            target.spatial,
            wishes.spatial,
            wishes.max_spatial,
        );
        Layer {
            spatial: if place.spatial.is_some() {
                ALL
            } else {
                spatial
            },
            temporal: limit(
                is_exact || wishes.max_fps.is_some() || wishes.min_temporal.is_some(),
                target.temporal,
                wishes.temporal,
                wishes.max_temporal,
            ),
        }
    }
}

/// Above every layer.
const ALL: u8 = 7;
