//! Which of a publisher's layers anybody has use for (known as dynacast).
//!
//! What nobody wishes for is not sent to us at all: the publisher is told to stop it, once that has
//! been so for [`PATIENCE`], and to resume at once. Wishes decide, not bandwidth: a line recovers
//! faster than an encoder starts. The smallest encoding is always wanted, so that a newcomer sees
//! something at once; recordings want all. Other media threads that take it say what they want.

use std::time::{Duration, Instant};

use crate::event::{Event, TrackKind};
use crate::journal::Decision;
use crate::layer::{Layer, Preferences};
use crate::layers::{Encoding, Encodings};
use crate::publisher::{Publisher, Source};
use crate::sfu::Sfu;
use crate::timer::Reason;

/// What a publisher was told last, and since when less would do.
#[derive(Debug)]
pub(crate) struct Wanted {
    told: Layer,
    less_since: Option<Instant>,
    /// What other media threads that take it have use for; who is not here wants all.
    theirs: Vec<(u16, Layer)>,
}

impl Wanted {
    /// What the takers of another media thread have use for.
    pub(crate) fn note(&mut self, thread: u16, layer: Layer) {
        self.forget(thread);
        self.theirs.push((thread, layer));
    }

    /// They have gone, or come anew.
    pub(crate) fn forget(&mut self, thread: u16) {
        self.theirs.retain(|(other, _)| *other != thread);
    }

    fn of(&self, thread: u16) -> Layer {
        let theirs = self.theirs.iter().find(|(other, _)| *other == thread);
        theirs.map_or(ALL, |(_, layer)| *layer)
    }
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            told: ALL,
            less_since: None,
            theirs: Vec::new(),
        }
    }
}

impl Sfu {
    /// A wish, a subscriber or a layer has changed: does the publisher send what is wanted?
    pub(crate) fn review_wanted(&mut self, key: usize, now: Instant) {
        let Some(publisher) = self.publishers.get(key) else {
            return;
        };
        if publisher.kind != TrackKind::Video || matches!(publisher.source, Source::Nobody) {
            return;
        }
        let needed = self.needed(publisher);
        let told = publisher.wanted.told;
        if let Source::Relayed(_) = publisher.source {
            if needed != told {
                self.publishers[key].wanted.told = needed;
                self.relay_wanted(key, needed); // its own thread has the patience
            }
            return;
        }
        let wanted = &mut self.publishers[key].wanted;
        let covered = needed.spatial <= told.spatial && needed.temporal <= told.temporal;
        if needed == told {
            wanted.less_since = None;
        } else if !covered {
            wanted.less_since = None;
            self.tell_wanted(key, needed, now);
        } else {
            let since = *wanted.less_since.get_or_insert(now);
            if now >= since + PATIENCE {
                wanted.less_since = None;
                self.tell_wanted(key, needed, now);
            } else {
                let id = self.publishers[key].id;
                self.timers.arm(since + PATIENCE, Reason::Wanted, id.0);
            }
        }
    }

    fn tell_wanted(&mut self, key: usize, needed: Layer, now: Instant) {
        let publisher = &mut self.publishers[key];
        publisher.wanted.told = needed;
        let all = &publisher.encodings;
        let lowest = all.all().iter().map(Encoding::rank).min();
        let one = |encoding: &Encoding| {
            let rid = encoding.rid.map(|rid| rid.to_string());
            let rank = encoding.rank();
            let is_wanted = rank <= needed.spatial || Some(rank) == lowest;
            (rid.unwrap_or_default(), is_wanted)
        };
        let encodings = match all.is_simulcast() {
            true => all.all().iter().map(one).collect(),
            false => Vec::new(),
        };
        let top = top(all);
        let max = (!publisher.is_unused()).then_some(Layer {
            spatial: needed.spatial.min(top.spatial),
            temporal: needed.temporal.min(top.temporal),
        });
        let event = Event::LayersWanted {
            publisher: publisher.id,
            encodings,
            max,
        };
        self.note_publisher(key, now, Decision::Wanted { max });
        self.emit(event);
    }

    /// The highest layer that anybody has use for.
    fn needed(&self, publisher: &Publisher) -> Layer {
        if !publisher.recordings.is_empty() {
            return ALL;
        }
        let mut needed = Layer::default();
        for thread in &publisher.relays {
            let theirs = publisher.wanted.of(*thread);
            needed.spatial = needed.spatial.max(theirs.spatial);
            needed.temporal = needed.temporal.max(theirs.temporal);
        }
        for key in &publisher.subscribers {
            let subscriber = &self.subscribers[*key];
            if subscriber.paused {
                continue;
            }
            let wished = wished(subscriber.selector.preferences(), &publisher.encodings);
            needed.spatial = needed.spatial.max(wished.spatial);
            needed.temporal = needed.temporal.max(wished.temporal);
        }
        needed
    }
}

/// The highest layers that there are.
fn top(encodings: &Encodings) -> Layer {
    let ranks = encodings.all().iter().map(Encoding::rank);
    let rank = ranks.max().filter(|_| encodings.is_simulcast());
    let living = encodings.layers().iter().map(|rate| rate.layer);
    let start = Layer {
        spatial: rank.unwrap_or(0),
        temporal: 0,
    };
    living.fold(start, |top, layer| Layer {
        spatial: top.spatial.max(layer.spatial),
        temporal: top.temporal.max(layer.temporal),
    })
}

/// The highest layer that these wishes leave over, alive or not.
fn wished(wishes: &Preferences, encodings: &Encodings) -> Layer {
    let least = |a: Option<u8>, b: Option<u8>| a.or(Some(ALL.spatial)).min(b.or(Some(ALL.spatial)));
    let spatial = least(wishes.spatial, wishes.max_spatial).unwrap_or(ALL.spatial);
    Layer {
        spatial: spatial.min(filling(wishes, encodings)).min(ALL.spatial),
        temporal: least(wishes.temporal, wishes.max_temporal).unwrap_or(ALL.temporal),
    }
}

/// The smallest encoding that fills the wanted picture, so far as sizes are known.
fn filling(wishes: &Preferences, encodings: &Encodings) -> u8 {
    if (wishes.width.is_none() && wishes.height.is_none()) || !encodings.is_simulcast() {
        return ALL.spatial;
    }
    let fills = |(width, height): (u16, u16)| {
        width >= wishes.width.unwrap_or(0) && height >= wishes.height.unwrap_or(0)
    };
    let all = encodings.all().iter();
    let filling = all.filter(|encoding| encoding.size().is_some_and(fills));
    filling.map(Encoding::rank).min().unwrap_or(ALL.spatial)
}

/// Without a limit: above every layer that there is.
const ALL: Layer = Layer {
    spatial: 7,
    temporal: 7,
};
/// For how long nobody must have use for a layer before it is stopped.
const PATIENCE: Duration = Duration::from_secs(3);
