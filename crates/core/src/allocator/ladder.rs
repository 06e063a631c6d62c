//! The steps by which one video climbs from its least picture to its best.
//!
//! Layers form a grid, size by frame rate; a ladder is a path through it. What is shed first when
//! bits are short is what the path adds last:
//!
//! | content | path | gives up first |
//! |---|---|---|
//! | detail | all sizes at the lowest frame rate, then frame rate | frame rate |
//! | motion | all frame rates of the smallest size, then sizes at full rate | size |
//! | camera | as motion, but a new size may begin one frame rate lower | in turns |

use crate::layer::{Content, Layer, Preferences};
use crate::layers::{LayerRate, least_temporal};

/// One rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) layer: Layer,
    /// bit/s on the wire of everything up to here.
    pub(crate) bitrate: u64,
}

/// The rungs of one video, each dearer than the one before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ladder {
    pub(crate) steps: Vec<Step>,
    pub(crate) weight: f64,
    /// Layers that are no rungs, for the next one costs no more.
    surpassed: Vec<Layer>,
}

impl Ladder {
    /// The ladder through `layers` (ascending) that the wishes leave over.
    pub(crate) fn new(layers: &[LayerRate], wishes: &Preferences, content: Content) -> Self {
        let allowed = known(allowed(layers, wishes));
        let mut steps: Vec<Step> = Vec::with_capacity(allowed.len());
        let mut surpassed = Vec::new();
        let top = allowed.iter().map(|rate| rate.layer.spatial).max();
        let mut rest = allowed.as_slice();
        let mut is_first = true;
        while let Some(first) = rest.first() {
            let same = |rate: &LayerRate| rate.layer.spatial == first.layer.spatial;
            let (row, others) = rest.split_at(rest.partition_point(same));
            let is_top = Some(first.layer.spatial) == top;
            for rate in part(row, content, is_first, is_top) {
                // A rung that costs no less than a better one is no rung.
                let bitrate = wire(rate.bitrate);
                while let Some(last) = steps.pop_if(|last| last.bitrate >= bitrate) {
                    surpassed.push(last.layer);
                }
                steps.push(Step {
                    layer: rate.layer,
                    bitrate,
                });
            }
            (rest, is_first) = (others, false);
        }
        Self {
            steps,
            weight: weight(wishes),
            surpassed,
        }
    }

    /// The rung of a layer, or of the better one that costs no more, else the best one below it.
    pub(crate) fn rung(&self, layer: Layer) -> Option<usize> {
        if let Some(rung) = self.steps.iter().position(|step| step.layer == layer) {
            return Some(rung);
        }
        if self.surpassed.contains(&layer) {
            return self.steps.iter().position(|step| step.layer > layer);
        }
        self.steps.iter().rposition(|step| step.layer < layer)
    }

    pub(crate) fn top(&self) -> Option<usize> {
        self.steps.len().checked_sub(1)
    }

    pub(crate) fn cost(&self, rung: Option<usize>) -> u64 {
        rung.map_or(0, |rung| self.steps[rung].bitrate)
    }

    /// What a rung is worth: twice the bits are worth the same again, wherever one stands, so
    /// that bits go where there are few.
    pub(crate) fn worth(&self, rung: Option<usize>) -> f64 {
        let value = |rung: usize| (self.steps[rung].bitrate.max(1) as f64).ln();
        rung.map_or(0.0, |rung| self.weight * value(rung))
    }

    /// The best worth per bit that is to be had by climbing on from `rung`.
    pub(crate) fn prospect(&self, rung: usize, ceiling: usize) -> f64 {
        let (worth, cost) = (self.worth(Some(rung)), self.steps[rung].bitrate);
        (rung + 1..=ceiling)
            .map(|next| {
                let bits = (self.steps[next].bitrate - cost).max(1);
                (self.worth(Some(next)) - worth) / bits as f64
            })
            .fold(0.0, f64::max)
    }
}

/// What a payload of `bitrate` takes on the wire, bit/s: 80 bytes of headers on packets of 1,200,
/// and the last packet of a picture is half full.
pub(crate) const fn wire(bitrate: u64) -> u64 {
    bitrate + bitrate / 15 + 10_000
}

/// The rungs that a row of one size contributes.
fn part(row: &[LayerRate], content: Content, is_first: bool, is_top: bool) -> &[LayerRate] {
    match content {
        Content::Detail if is_top => row,
        Content::Detail => &row[..1],
        _ if is_first => row,
        Content::Motion => &row[row.len() - 1..],
        Content::Camera => &row[row.len().saturating_sub(2)..],
    }
}

/// What nobody has measured yet may cost anything: it is no rung until its first window has
/// passed, and of a publisher that has just begun there is the least picture alone.
fn known(mut layers: Vec<LayerRate>) -> Vec<LayerRate> {
    if layers.iter().any(LayerRate::is_measured) {
        layers.retain(LayerRate::is_measured);
    } else if let Some(least) = layers.first().map(|rate| rate.layer.spatial) {
        layers.retain(|rate| rate.layer.spatial == least);
    }
    layers
}

fn allowed(layers: &[LayerRate], wishes: &Preferences) -> Vec<LayerRate> {
    let spatial = wishes.spatial_ceiling(filling(layers, wishes));
    let sizes = wishes.min_spatial.unwrap_or(0)..=spatial.max(smallest(layers));
    let is_fit = |rate: &&LayerRate| {
        let least = least_temporal(layers, rate.layer.spatial, wishes);
        let rates = least..=wishes.temporal_ceiling(least);
        rates.contains(&rate.layer.temporal)
            && (rate.layer.temporal == least || is_slow_enough(rate, wishes))
    };
    let of_size = |rate: &&LayerRate| sizes.contains(&rate.layer.spatial);
    let fitting = layers.iter().filter(of_size).filter(is_fit);
    let mut rates: Vec<LayerRate> = fitting.copied().collect();
    rates.sort_by_key(|rate| rate.layer);
    rates
}

fn smallest(layers: &[LayerRate]) -> u8 {
    let sizes = layers.iter().map(|rate| rate.layer.spatial);
    sizes.min().unwrap_or(0)
}

fn is_slow_enough(rate: &LayerRate, wishes: &Preferences) -> bool {
    match (wishes.max_fps, rate.fps) {
        // A measured frame rate is never exact.
        (Some(most), Some(fps)) => fps <= f32::from(most) * 1.2,
        _ => true,
    }
}

/// The smallest size that fills the wanted picture.
fn filling(layers: &[LayerRate], wishes: &Preferences) -> u8 {
    if wishes.width.is_none() && wishes.height.is_none() {
        return u8::MAX;
    }
    let fills = |rate: &&LayerRate| {
        let wide = rate
            .width
            .is_none_or(|have| have >= wishes.width.unwrap_or(0));
        let high = rate
            .height
            .is_none_or(|have| have >= wishes.height.unwrap_or(0));
        wide && high
    };
    let filling = layers.iter().filter(fills).map(|rate| rate.layer.spatial);
    filling.min().unwrap_or(u8::MAX)
}

/// Priority, and the size at which it is shown where that is known.
fn weight(wishes: &Preferences) -> f64 {
    let priority = f64::from(wishes.priority.max(1)) / 128.0;
    let (Some(width), Some(height)) = (wishes.width, wishes.height) else {
        return priority;
    };
    let area = f64::from(width) * f64::from(height) / USUAL_AREA;
    priority * area.sqrt().clamp(0.25, 4.0)
}

/// A tile of 640 x 360.
const USUAL_AREA: f64 = 640.0 * 360.0;
