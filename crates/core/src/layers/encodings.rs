//! What a publisher sends now: its encodings, the layers in each, their rates and sizes.
//!
//! An encoding is one RID, or one SSRC where there are no RIDs; it keeps its place when the
//! browser restarts it under a new SSRC, and what still comes from the old one is stale. Spatial
//! layers are numbered by size, by the order of the offer until sizes are known. A layer lives
//! while its packets come.

use std::time::{Duration, Instant};

use str0m::format::Codec;
use str0m::media::Rid;

use super::facts::{Facts, Reader};
use crate::layer::{Layer, Preferences};

/// The encodings of one publisher.
#[derive(Debug, Default)]
pub(crate) struct Encodings {
    all: Vec<Encoding>,
    window_start: Option<Instant>,
    generation: u32,
    layers: Vec<LayerRate>,
}

/// One encoding.
#[derive(Debug, Default)]
pub(crate) struct Encoding {
    pub(crate) rid: Option<Rid>,
    /// None until it has sent something.
    pub(crate) ssrc: Option<u32>,
    /// The SSRCs before, whose late packets count no more; newest first.
    retired: [Option<u32>; RETIRED],
    /// Its spatial layer where there are several encodings.
    rank: u8,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    last: Option<Instant>,
    /// When it came to life, until it has been measured.
    began: Option<Instant>,
    /// The newest sequence number.
    newest: u64,
    alive: bool,
    reader: Reader,
    sizes: [Option<(u16, u16)>; SPATIAL],
    /// By target: a packet counts for each that it is part of.
    cells: [[Cell; TEMPORAL]; SPATIAL],
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    bytes: u64,
    frames: u32,
    /// Bit per second and frames per second, over the last windows.
    rate: u64,
    fps: f32,
    /// Has had a packet of exactly this layer, and when the last.
    last: Option<Instant>,
}

/// A layer that can be had now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LayerRate {
    pub(crate) layer: Layer,
    /// Bit per second with all that it needs.
    pub(crate) bitrate: u64,
    pub(crate) width: Option<u16>,
    pub(crate) height: Option<u16>,
    /// None until it has been measured.
    pub(crate) fps: Option<f32>,
}

impl LayerRate {
    /// Bit rate and frame rate are known.
    pub(crate) const fn is_measured(&self) -> bool {
        self.fps.is_some()
    }
}

/// A packet, for counting.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) ssrc: u32,
    /// Extended.
    pub(crate) sequence: u64,
    pub(crate) rid: Option<Rid>,
    pub(crate) codec: Codec,
    pub(crate) payload: &'a [u8],
    pub(crate) descriptor: Option<&'a [u8]>,
    pub(crate) marker: bool,
    pub(crate) now: Instant,
}

/// Where a target lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) encoding: u8,
    pub(crate) ssrc: u32,
    /// The encoding's spatial layer; None where the spatial layers are inside the stream.
    pub(crate) spatial: Option<u8>,
}

impl Encodings {
    /// `rids` as offered, smallest first by custom; none for a single encoding.
    pub(crate) fn new<'a>(rids: impl Iterator<Item = &'a str>) -> Self {
        let encoding = |(rank, rid): (u8, &str)| Encoding {
            rid: Some(Rid::from(rid)),
            rank,
            ..Encoding::default()
        };
        Self {
            all: (0..).zip(rids.take(MAX)).map(encoding).collect(),
            ..Self::default()
        }
    }

    /// Notes a packet and reads it. None for one that counts no more.
    pub(crate) fn handle_packet(&mut self, arrival: Arrival<'_>) -> Option<(u8, Facts)> {
        let place = self.place_of(&arrival)?;
        let encoding = &mut self.all[place];
        let mut facts = (encoding.reader).read(arrival.codec, arrival.payload, arrival.descriptor);
        facts.fresh = arrival.sequence >= encoding.newest;
        encoding.newest = arrival.sequence.max(encoding.newest);
        let changed = encoding.note(&arrival, &facts);
        let now = arrival.now;
        let elapsed = now.saturating_duration_since(*self.window_start.get_or_insert(now));
        if elapsed >= WINDOW {
            self.window_start = Some(now);
            let mut died = false;
            for encoding in &mut self.all {
                died |= encoding.end_window(elapsed, now);
            }
            self.refresh(died || changed);
        } else if changed {
            self.refresh(true);
        }
        Some((place as u8, facts))
    }

    /// The living layers, smallest first.
    pub(crate) fn layers(&self) -> &[LayerRate] {
        &self.layers
    }

    /// Grows when the layers are others than before, not when only their rates are.
    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn get(&self, encoding: u8) -> Option<&Encoding> {
        self.all.get(usize::from(encoding))
    }

    /// All encodings, those that have not sent anything included.
    pub(crate) fn all(&self) -> &[Encoding] {
        &self.all
    }

    /// Encodings that have sent something.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &Encoding> {
        self.all.iter().filter(|encoding| encoding.ssrc.is_some())
    }

    /// The place of this RID.
    pub(crate) fn find(&self, rid: Option<Rid>) -> Option<u8> {
        let place = self.all.iter().position(|encoding| encoding.rid == rid);
        place.map(|place| place as u8)
    }

    pub(crate) fn rid(&self, encoding: u8) -> Option<Rid> {
        self.all.get(usize::from(encoding))?.rid
    }

    /// As offered.
    pub(crate) fn rids(&self) -> Vec<String> {
        let rids = self.all.iter().filter_map(|encoding| encoding.rid);
        rids.map(|rid| rid.to_string()).collect()
    }

    /// The living encoding with the largest picture.
    pub(crate) fn largest(&self) -> Option<u8> {
        let largest = self.alive().max_by_key(|(_, encoding)| encoding.rank)?;
        Some(largest.0 as u8)
    }

    pub(crate) fn ssrc(&self, encoding: u8) -> Option<u32> {
        self.all.get(usize::from(encoding))?.ssrc
    }

    /// Whether spatial layers are encodings, and not inside a stream.
    pub(crate) fn is_simulcast(&self) -> bool {
        self.all.len() > 1
    }

    /// The stream of the living encoding that comes closest to `layer` and not above it, else of
    /// the smallest.
    pub(crate) fn place(&self, layer: Layer) -> Option<Place> {
        let living = || self.alive();
        let fitting = living().filter(|(_, e)| !self.is_simulcast() || e.rank <= layer.spatial);
        let (place, encoding) = fitting
            .max_by_key(|(_, e)| e.rank)
            .or_else(|| living().min_by_key(|(_, e)| e.rank))?;
        Some(Place {
            encoding: place as u8,
            ssrc: encoding.ssrc?,
            spatial: self.spatial_of(place as u8),
        })
    }

    /// The spatial layer of an encoding; None where the layers are inside the stream.
    pub(crate) fn spatial_of(&self, encoding: u8) -> Option<u8> {
        let encoding = self.all.get(usize::from(encoding))?;
        self.is_simulcast().then_some(encoding.rank)
    }

    /// The highest layers that an encoding has.
    pub(crate) fn top(&self, encoding: u8) -> Layer {
        self.all
            .get(usize::from(encoding))
            .map_or(Layer::default(), Encoding::top)
    }

    /// What may pass before anybody has looked at what it costs: of several encodings the least.
    pub(crate) fn least_to_begin(&self, wishes: &Preferences) -> Option<Layer> {
        let spatial = self.is_simulcast().then_some(0).or(wishes.spatial);
        let wishes = Preferences { spatial, ..*wishes };
        self.best(&wishes)
    }

    /// The best living layer within the wishes, else the smallest that is not too little. None
    /// when all are: rather nothing than less.
    pub(crate) fn best(&self, wishes: &Preferences) -> Option<Layer> {
        let spatial = wishes.spatial_ceiling(self.needed(wishes));
        let least = |rate: &LayerRate| least_temporal(&self.layers, rate.layer.spatial, wishes);
        let enough = |rate: &&LayerRate| match (wishes.max_fps, rate.fps) {
            // A rate that is measured is never exact.
            (Some(most), Some(fps)) => {
                fps <= f32::from(most) * 1.2 || rate.layer.temporal == least(rate)
            }
            _ => true,
        };
        let suffices = |rate: &&LayerRate| {
            rate.layer.spatial >= wishes.min_spatial.unwrap_or(0)
                && rate.layer.temporal >= least(rate)
        };
        let within = |rate: &&LayerRate| {
            rate.layer.spatial <= spatial
                && rate.layer.temporal <= wishes.temporal_ceiling(least(rate))
        };
        let fitting = self.layers.iter().filter(suffices).filter(within);
        let best = fitting.filter(enough).max_by_key(|rate| rate.layer);
        best.or_else(|| self.layers.iter().find(suffices))
            .map(|rate| rate.layer)
    }

    /// The smallest spatial layer that fills the wanted picture.
    fn needed(&self, wishes: &Preferences) -> u8 {
        if wishes.width.is_none() && wishes.height.is_none() {
            return u8::MAX;
        }
        let fills = |rate: &&LayerRate| {
            rate.width
                .is_none_or(|have| have >= wishes.width.unwrap_or(0))
                && rate
                    .height
                    .is_none_or(|have| have >= wishes.height.unwrap_or(0))
        };
        let smallest = self.layers.iter().find(fills);
        smallest.map_or(u8::MAX, |rate| rate.layer.spatial)
    }

    fn alive(&self) -> impl Iterator<Item = (usize, &Encoding)> {
        self.all.iter().enumerate().filter(|(_, e)| e.alive)
    }

    /// The encoding of a packet. A new SSRC for a known RID takes the old one's place: the
    /// browser has restarted that encoder.
    fn place_of(&mut self, arrival: &Arrival<'_>) -> Option<usize> {
        let ssrc = Some(arrival.ssrc);
        if let Some(place) = self.all.iter().position(|e| e.ssrc == ssrc) {
            return Some(place);
        }
        let of_rid = |e: &Encoding| e.rid == arrival.rid;
        let Some(place) = self.all.iter().position(of_rid) else {
            if self.all.len() == MAX {
                return None;
            }
            let rank = self.all.len() as u8;
            self.all.push(Encoding {
                rid: arrival.rid,
                rank,
                ssrc,
                ..Encoding::default()
            });
            self.generation = self.generation.wrapping_add(1);
            return Some(self.all.len() - 1);
        };
        let encoding = &mut self.all[place];
        let silent = |last| arrival.now.saturating_duration_since(last) >= ALIVE;
        if encoding.retired.contains(&ssrc) && !encoding.last.is_some_and(silent) {
            return None;
        }
        encoding.restart(arrival.ssrc);
        self.generation = self.generation.wrapping_add(1);
        Some(place)
    }

    /// Makes the table of layers anew.
    fn refresh(&mut self, changed: bool) {
        let before = std::mem::take(&mut self.layers);
        self.sort();
        let mut living: Vec<&Encoding> = self.alive().map(|(_, encoding)| encoding).collect();
        living.sort_by_key(|encoding| encoding.rank);
        let simulcast = self.is_simulcast();
        let mut layers = Vec::with_capacity(before.capacity());
        for encoding in living {
            encoding.list(simulcast, &mut layers);
        }
        smooth(&mut layers);
        self.layers = layers;
        let shape = |rate: &LayerRate| (rate.layer, rate.width, rate.height);
        if changed || !before.iter().map(shape).eq(self.layers.iter().map(shape)) {
            self.generation = self.generation.wrapping_add(1);
        }
    }

    /// Ranks by size, once the size of every encoding that sends is known.
    fn sort(&mut self) {
        if self.seen().count() < 2 || self.seen().any(|e| e.pixels().is_none()) {
            return;
        }
        let mut ranks: Vec<u8> = self.seen().map(|e| e.rank).collect();
        ranks.sort_unstable();
        let mut places: Vec<usize> = (0..self.all.len())
            .filter(|i| self.all[*i].ssrc.is_some())
            .collect();
        places.sort_by_key(|place| (self.all[*place].pixels(), self.all[*place].rank));
        for (place, rank) in places.into_iter().zip(ranks) {
            self.all[place].rank = rank;
        }
    }
}

impl Encoding {
    /// Bit per second of all its layers.
    pub(crate) fn rate(&self) -> u64 {
        self.cells
            .iter()
            .flatten()
            .map(|cell| cell.rate)
            .max()
            .unwrap_or(0)
    }

    /// Its spatial layer among several encodings.
    pub(crate) const fn rank(&self) -> u8 {
        self.rank
    }

    /// Its largest picture.
    pub(crate) fn size(&self) -> Option<(u16, u16)> {
        self.sizes.iter().flatten().copied().max()
    }

    fn pixels(&self) -> Option<u32> {
        self.size()
            .map(|(width, height)| u32::from(width) * u32::from(height))
    }

    fn top(&self) -> Layer {
        let mut top = Layer::default();
        for (spatial, row) in (0..).zip(&self.cells) {
            for (temporal, _) in (0..).zip(row).filter(|(_, cell)| cell.last.is_some()) {
                top = Layer {
                    spatial: top.spatial.max(spatial),
                    temporal: top.temporal.max(temporal),
                };
            }
        }
        top
    }

    fn restart(&mut self, ssrc: u32) {
        if self.ssrc.is_some() {
            self.retired.rotate_right(1);
            self.retired[0] = self.ssrc;
        }
        self.ssrc = Some(ssrc);
        self.newest = 0;
        self.reader = Reader::default();
        self.cells = Default::default();
    }

    /// Counts a packet. True when a layer or a size is new.
    fn note(&mut self, arrival: &Arrival<'_>, facts: &Facts) -> bool {
        let len = arrival.payload.len() as u64;
        self.packets += 1;
        self.bytes += len;
        self.last = Some(arrival.now);
        let spatial = usize::from(facts.layer.spatial).min(SPATIAL - 1);
        let temporal = usize::from(facts.layer.temporal).min(TEMPORAL - 1);
        let own = &mut self.cells[spatial][temporal];
        let mut changed = own.last.is_none() || !self.alive;
        own.last = Some(arrival.now);
        let is_frame = facts.end || arrival.marker;
        for (s, row) in self.cells.iter_mut().enumerate().skip(spatial) {
            for (t, cell) in row.iter_mut().enumerate().skip(temporal) {
                if facts.exists == 0 || facts.present >> (s * 8 + t) & 1 == 1 {
                    cell.bytes += len;
                    cell.frames += u32::from(is_frame && s == spatial);
                }
            }
        }
        if !self.alive {
            self.began = Some(arrival.now);
        }
        self.alive = true;
        if let Some(size) = facts.size {
            changed |= self.sizes[spatial] != Some(size);
            self.sizes[spatial] = Some(size);
        }
        changed
    }

    /// Computes rates. True when a layer or the encoding has died.
    fn end_window(&mut self, elapsed: Duration, now: Instant) -> bool {
        // What began in the midst of a window has not sent for all of it.
        let since = self.began.map(|at| now.saturating_duration_since(at));
        if since.is_some_and(|since| since < ENOUGH) {
            return false;
        }
        self.began = None;
        let seconds = since.unwrap_or(elapsed).as_secs_f64();
        let silent = |last: Option<Instant>| {
            last.is_some_and(|at| now.saturating_duration_since(at) >= ALIVE)
        };
        let mut died = false;
        for cell in self.cells.iter_mut().flatten() {
            let rate = (cell.bytes as f64 * 8.0 / seconds) as u64;
            let fps = (f64::from(cell.frames) / seconds) as f32;
            let is_new = cell.rate == 0;
            cell.rate = if is_new { rate } else { (cell.rate + rate) / 2 };
            cell.fps = if is_new { fps } else { (cell.fps + fps) / 2.0 };
            (cell.bytes, cell.frames) = (0, 0);
            if silent(cell.last) {
                (cell.last, cell.rate, cell.fps) = (None, 0, 0.0);
                died = true;
            }
        }
        if self.alive && silent(self.last) {
            self.alive = false;
            died = true;
        }
        died
    }

    /// Adds its layers to a table.
    fn list(&self, simulcast: bool, layers: &mut Vec<LayerRate>) {
        let top = self.top();
        let rows = if simulcast {
            top.spatial..=top.spatial
        } else {
            0..=top.spatial
        };
        for spatial in rows {
            let row = &self.cells[usize::from(spatial)];
            let lives = |temporal: u8| row[usize::from(temporal)].last.is_some();
            for temporal in (0..=top.temporal).filter(|t| lives(*t)) {
                let cell = &row[usize::from(temporal)];
                let size = self.sizes[usize::from(spatial)];
                layers.push(LayerRate {
                    layer: Layer {
                        spatial: if simulcast { self.rank } else { spatial },
                        temporal,
                    },
                    bitrate: cell.rate,
                    width: size.map(|(width, _)| width),
                    height: size.map(|(_, height)| height),
                    fps: (cell.fps > 0.0).then_some(cell.fps),
                });
            }
        }
    }
}

/// The least temporal layer of a size that the wishes allow. A size with fewer layers than asked
/// for is complete with its highest: it lacks nothing of its frame rate.
pub(crate) fn least_temporal(layers: &[LayerRate], spatial: u8, wishes: &Preferences) -> u8 {
    let of_size = layers.iter().filter(|rate| rate.layer.spatial == spatial);
    let top = of_size.map(|rate| rate.layer.temporal).max();
    wishes.min_temporal.unwrap_or(0).min(top.unwrap_or(0))
}

/// More never costs less: a table that an allocator can climb.
fn smooth(layers: &mut [LayerRate]) {
    for place in 1..layers.len() {
        let own = layers[place].layer;
        let below = |rate: &&LayerRate| {
            rate.layer.spatial <= own.spatial && rate.layer.temporal <= own.temporal
        };
        let least = layers[..place]
            .iter()
            .filter(below)
            .map(|rate| rate.bitrate)
            .max();
        layers[place].bitrate = layers[place].bitrate.max(least.unwrap_or(0));
    }
}

/// How often bit rates are computed.
const WINDOW: Duration = Duration::from_millis(500);
/// Less than this of an encoding's life tells nothing of its rate; the next window decides.
const ENOUGH: Duration = Duration::from_millis(125);
/// What sends nothing for this long is dead.
const ALIVE: Duration = Duration::from_secs(2);
/// Former SSRCs remembered of one encoding.
const RETIRED: usize = 4;
/// Encodings of one publisher.
const MAX: usize = 8;
/// Layers that are told apart in the table.
const SPATIAL: usize = 4;
const TEMPORAL: usize = 4;
