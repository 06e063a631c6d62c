//! One estimate, shared among the videos of a transport.
//!
//! Audio comes first and is never counted out. Then every video gets its least picture, in the
//! order of priority; what is left goes step by step to where a bit is worth most. Who does not
//! get even the least for [`PAUSE_AFTER`] is paused, and told so. Where all are and no probe can ask
//! the line, one goes out now and then ([`trial`]).
//!
//! A decision that fits stays: going up needs [`HEADROOM`], the least estimate of the last
//! seconds, and time since the video's last change; going down happens at once, small excess
//! excepted ([`PATIENCE`]). A rise that had to be taken back makes the next one wait twice as long.

mod ladder;
mod trial;

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::ids::SubscriberId;
use crate::layer::{Content, Layer, LayerReason, Preferences};
use crate::layers::LayerRate;

use ladder::Ladder;
use trial::Trial;

#[cfg(test)]
use ladder::wire;

/// One video that wants its share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand<'a> {
    pub(crate) subscriber: SubscriberId,
    pub(crate) preferences: &'a Preferences,
    pub(crate) content: Content,
    /// What there is, ascending.
    pub(crate) layers: &'a [LayerRate],
}

/// What there is to share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// bit/s, audio included.
    pub(crate) bitrate: u64,
    /// bit/s that audio takes on the wire.
    pub(crate) audio: u64,
    /// The bitrate is known, not guessed; without that nobody is paused.
    pub(crate) is_measured: bool,
    /// The share that the server can afford, 0 to 1.
    pub(crate) share: f64,
    /// No probe can ask the line for more.
    pub(crate) is_blind: bool,
}

/// What one video gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) subscriber: SubscriberId,
    /// None pauses.
    pub(crate) target: Option<Layer>,
    pub(crate) reason: LayerReason,
}

/// What all get, and what they would like.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) decisions: Vec<Decision>,
    /// bit/s with everything at its best, and as decided.
    pub(crate) wanted: u64,
    pub(crate) sending: u64,
    /// Pictures are wanted and all of them paused, because the line carries none.
    pub(crate) is_starved: bool,
}

/// The memory of one transport's decisions.
#[derive(Debug, Default)]
pub(crate) struct Allocator {
    videos: FxHashMap<SubscriberId, Video>,
    low: Lowest,
    trial: Trial,
    is_starved: bool,
    over_since: Option<Instant>,
    /// What there was to share last, bit/s.
    bits: u64,
    round: u64,
}

/// What is remembered of a video.
#[derive(Clone, Copy, Debug)]
struct Video {
    target: Option<Layer>,
    reason: LayerReason,
    preferences: Preferences,
    top: Option<Layer>,
    changed: Instant,
    /// When it was last raised, while that is not yet proven.
    raised: Option<Instant>,
    /// What there was to share then, bit/s.
    grounds: u64,
    dwell: Duration,
    /// What there was to share when a rise was taken back, bit/s.
    failed: Option<u64>,
    round: u64,
}

/// The least estimate of the last seconds.
#[derive(Debug, Default)]
struct Lowest {
    since: Option<Instant>,
    before: Option<u64>,
    now: Option<u64>,
}

impl Allocator {
    /// Decides for all videos of the transport.
    pub(crate) fn decide(
        &mut self,
        now: Instant,
        budget: Budget,
        demands: &[Demand<'_>],
    ) -> Outcome {
        self.round += 1;
        let ladders: Vec<Ladder> = demands
            .iter()
            .map(|demand| Ladder::new(demand.layers, demand.preferences, demand.content))
            .collect();
        // A wide line says nothing of the load: what the server saves is part of what is wanted.
        let best: u64 = ladders.iter().map(|ladder| ladder.cost(ladder.top())).sum();
        let affordable = match budget.share {
            share if share < 1.0 => {
                (budget.bitrate.min(budget.audio + best) as f64 * share.max(0.0)) as u64
            }
            _ => budget.bitrate,
        };
        let bits = affordable.saturating_sub(budget.audio);
        self.bits = bits;
        let steady = self.low.add(now, affordable).saturating_sub(budget.audio);
        let held = self.held(demands, &ladders);
        let mut rungs = self.choose(
            now,
            bits,
            steady,
            budget.is_measured,
            demands,
            &ladders,
            &held,
        );
        let shed = budget.share < 1.0;
        let is_starved = self.is_starved;
        let asks = self.trial.is_on(now, is_starved, budget.is_blind && !shed);
        if asks
            && is_nothing(&rungs)
            && let Some(index) = foremost(&ladders)
        {
            rungs[index] = Some(0);
        }
        self.is_starved = best > 0 && !shed && is_nothing(&rungs);
        let mut outcome = Outcome {
            wanted: budget.audio,
            sending: budget.audio,
            is_starved: self.is_starved,
            decisions: Vec::with_capacity(demands.len()),
        };
        for (index, demand) in demands.iter().enumerate() {
            let (ladder, rung) = (&ladders[index], rungs[index]);
            outcome.wanted += ladder.cost(ladder.top());
            outcome.sending += ladder.cost(rung);
            let decision = self.remember(now, demand, ladder, rung, shed);
            outcome.decisions.push(decision);
        }
        let round = self.round;
        self.videos.retain(|_, video| video.round == round);
        outcome
    }

    /// The rung each video stands on; `None` in `None` for one that is paused.
    fn held(&self, demands: &[Demand<'_>], ladders: &[Ladder]) -> Vec<Held> {
        let one =
            |(demand, ladder): (&Demand<'_>, &Ladder)| match self.videos.get(&demand.subscriber) {
                None => Held::New,
                Some(video) => match video.target.map(|layer| ladder.rung(layer)) {
                    // Its layers are others than before: it begins again.
                    Some(None) => Held::New,
                    Some(rung) => Held::At(rung),
                    None if video.top.is_none() => Held::New,
                    None => Held::At(None),
                },
            };
        demands.iter().zip(ladders).map(one).collect()
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one decision, and all that it depends on"
    )]
    fn choose(
        &mut self,
        now: Instant,
        bits: u64,
        steady: u64,
        is_measured: bool,
        demands: &[Demand<'_>],
        ladders: &[Ladder],
        held: &[Held],
    ) -> Vec<Option<usize>> {
        let kept: Vec<Option<usize>> = held.iter().map(Held::rung).collect();
        let cost: u64 = ladders
            .iter()
            .zip(&kept)
            .map(|(l, rung)| l.cost(*rung))
            .sum();
        if cost > bits && !self.is_patient(now, cost, bits) && !self.has_just_risen(now, bits) {
            let ceilings = ceilings(ladders, held, |_| false);
            let may_pause = is_measured && self.is_lasting(now);
            return climb(bits, |_| may_pause, ladders, &ceilings, &no_start(ladders));
        }
        if cost <= bits {
            self.over_since = None;
        }
        // An estimate that has just jumped is still rising: half a step now would cost the next.
        let is_rising = bits as f64 > steady as f64 * RISING;
        let may_rise = |index: usize| {
            let wishes = demands[index].preferences;
            let video = self.videos.get(&demands[index].subscriber);
            video.is_none_or(|video| match *wishes == video.preferences {
                true => !is_rising && video.may_rise(now, bits),
                false => true,
            })
        };
        let ceilings = ceilings(ladders, held, may_rise);
        let bits = (bits.min(steady) as f64 / HEADROOM) as u64;
        // A line that had little to carry may carry more than it has shown: a new video starts.
        let may_pause = |index: usize| is_measured && !matches!(held[index], Held::New);
        let onwards = climb(bits, may_pause, ladders, &ceilings, &kept);
        let afresh = climb(bits, may_pause, ladders, &ceilings, &no_start(ladders));
        // Taking from one to give to another must be worth the change.
        if worth(ladders, &afresh) > worth(ladders, &onwards) + WORTH_A_CHANGE {
            afresh
        } else {
            onwards
        }
    }

    /// A small excess may be a dip of the estimate that the line survives.
    fn is_patient(&mut self, now: Instant, cost: u64, bits: u64) -> bool {
        let since = *self.over_since.get_or_insert(now);
        cost as f64 <= bits as f64 * SMALL_EXCESS && now.saturating_duration_since(since) < PATIENCE
    }

    /// A rise begins with a key frame, which makes its layer look dear for a moment: unless the line
    /// itself has turned out to be narrower, that is no reason to take it back.
    fn has_just_risen(&self, now: Instant, bits: u64) -> bool {
        self.videos.values().any(|video| {
            bits >= video.grounds
                && video
                    .raised
                    .is_some_and(|at| now.saturating_duration_since(at) < KEY_FRAME)
        })
    }

    /// The excess has lasted so long that a video without any lower step must stop.
    fn is_lasting(&self, now: Instant) -> bool {
        let since = self.over_since.unwrap_or(now);
        now.saturating_duration_since(since) >= PAUSE_AFTER
    }

    fn remember(
        &mut self,
        now: Instant,
        demand: &Demand<'_>,
        ladder: &Ladder,
        rung: Option<usize>,
        shed: bool,
    ) -> Decision {
        let target = rung.map(|rung| ladder.steps[rung].layer);
        let top = ladder.top().map(|rung| ladder.steps[rung].layer);
        let fresh = Video::new(now, demand.preferences);
        let video = self.videos.entry(demand.subscriber).or_insert(fresh);
        video.settle(now);
        if video.top.is_some() || video.target.is_some() {
            let failed = video.reconsider(now, target, top, demand.preferences, shed);
            video.failed = failed.then_some(self.bits).or(video.failed);
            if video.raised == Some(now) {
                video.grounds = self.bits;
            }
        }
        video.target = target;
        video.preferences = *demand.preferences;
        video.top = top;
        video.round = self.round;
        Decision {
            subscriber: demand.subscriber,
            target,
            reason: video.reason,
        }
    }
}

impl Video {
    fn new(now: Instant, preferences: &Preferences) -> Self {
        Self {
            target: None,
            reason: LayerReason::Start,
            preferences: *preferences,
            top: None,
            changed: now,
            raised: None,
            grounds: 0,
            dwell: FIRST_DWELL,
            failed: None,
            round: 0,
        }
    }

    /// A wider line is followed after a while; that a rise has failed does not count on a line
    /// that has become another.
    fn may_rise(&self, now: Instant, bits: u64) -> bool {
        let is_another = self.failed.is_some_and(|failed| bits > failed / 2 * 3);
        let dwell = if is_another {
            self.dwell.min(DWELL)
        } else {
            self.dwell
        };
        now.saturating_duration_since(self.changed) >= dwell
    }

    /// A rise that has lasted was right.
    fn settle(&mut self, now: Instant) {
        if self
            .raised
            .is_some_and(|at| now.saturating_duration_since(at) >= PROVEN)
        {
            self.raised = None;
            self.failed = None;
            self.dwell = DWELL;
        }
    }

    /// Takes a decision in. True when it takes back a rise.
    fn reconsider(
        &mut self,
        now: Instant,
        target: Option<Layer>,
        top: Option<Layer>,
        wishes: &Preferences,
        shed: bool,
    ) -> bool {
        if target == self.target {
            return false;
        }
        let rises = target > self.target;
        let asked = *wishes != self.preferences;
        self.changed = now;
        self.reason = match () {
            () if asked => LayerReason::Requested,
            () if top != self.top => LayerReason::Publisher,
            () if shed && !rises => LayerReason::Overload,
            () => LayerReason::Bandwidth,
        };
        if rises {
            self.raised = (top == self.top && !asked).then_some(now);
            self.dwell = self.dwell.max(FIRST_DWELL);
            return false;
        }
        self.dwell = self.dwell.max(DWELL);
        let failed = self.raised.take().is_some() && !asked && top == self.top;
        if failed {
            self.dwell = (self.dwell * 2).min(MAX_DWELL);
        }
        failed
    }
}

impl Lowest {
    fn add(&mut self, now: Instant, bits: u64) -> u64 {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= STEADY {
            self.since = Some(now);
            self.before = self.now.take();
        }
        let least = self.now.map_or(bits, |least| least.min(bits));
        self.now = Some(least);
        self.before.map_or(least, |before| before.min(least))
    }
}

/// Where a video stands before a decision.
#[derive(Clone, Copy, Debug)]
enum Held {
    New,
    At(Option<usize>),
}

impl Held {
    fn rung(&self) -> Option<usize> {
        match self {
            Self::New => None,
            Self::At(rung) => *rung,
        }
    }
}

/// How high each may climb: to the top who is new or may rise, else to where it stands; `None`
/// stays paused.
fn ceilings(
    ladders: &[Ladder],
    held: &[Held],
    may_rise: impl Fn(usize) -> bool,
) -> Vec<Option<usize>> {
    let one = |(index, ladder): (usize, &Ladder)| match held[index] {
        Held::New => ladder.top(),
        Held::At(_) if may_rise(index) => ladder.top(),
        Held::At(rung) => rung,
    };
    ladders.iter().enumerate().map(one).collect()
}

fn no_start(ladders: &[Ladder]) -> Vec<Option<usize>> {
    vec![None; ladders.len()]
}

fn is_nothing(rungs: &[Option<usize>]) -> bool {
    rungs.iter().all(Option::is_none)
}

/// The most important video of those that there are; the first of equals.
fn foremost(ladders: &[Ladder]) -> Option<usize> {
    let known = (0..ladders.len()).filter(|index| !ladders[*index].steps.is_empty());
    known.reduce(
        |best, other| match ladders[other].weight > ladders[best].weight {
            true => other,
            false => best,
        },
    )
}

fn worth(ladders: &[Ladder], rungs: &[Option<usize>]) -> f64 {
    let each = ladders.iter().zip(rungs);
    each.map(|(ladder, rung)| ladder.worth(*rung)).sum()
}

/// Shares `bits`: the least picture for all in order of priority, then step by step where a bit
/// is worth most. Starts from `start`, whose costs count.
fn climb(
    bits: u64,
    may_pause: impl Fn(usize) -> bool,
    ladders: &[Ladder],
    ceilings: &[Option<usize>],
    start: &[Option<usize>],
) -> Vec<Option<usize>> {
    let mut at = start.to_vec();
    let spent: u64 = ladders.iter().zip(&at).map(|(l, rung)| l.cost(*rung)).sum();
    let mut left = bits as i64 - spent as i64;
    let mut order: Vec<usize> = (0..ladders.len()).collect();
    order.sort_by(|a, b| ladders[*b].weight.total_cmp(&ladders[*a].weight));
    for index in order {
        if at[index].is_some() || ceilings[index].is_none() || ladders[index].steps.is_empty() {
            continue;
        }
        let cost = ladders[index].steps[0].bitrate as i64;
        if cost <= left || !may_pause(index) {
            at[index] = Some(0);
            left -= cost;
        }
    }
    let prospect = |index: usize, rung: Option<usize>| match (rung, ceilings[index]) {
        (Some(rung), Some(ceiling)) => ladders[index].prospect(rung, ceiling),
        _ => 0.0,
    };
    let mut prospects: Vec<f64> = (0..at.len()).map(|i| prospect(i, at[i])).collect();
    while let Some((index, best)) = best_of(&prospects)
        && best > 0.0
    {
        let rung = at[index].map_or(0, |rung| rung + 1);
        let step = ladders[index].cost(Some(rung)) as i64 - ladders[index].cost(at[index]) as i64;
        if step <= left {
            left -= step;
            at[index] = Some(rung);
            prospects[index] = prospect(index, at[index]);
        } else {
            prospects[index] = 0.0;
        }
    }
    at
}

fn best_of(prospects: &[f64]) -> Option<(usize, f64)> {
    let all = prospects.iter().copied().enumerate();
    // The first of equals, so that nothing depends on the order of a search.
    all.fold(
        None,
        |best: Option<(usize, f64)>, (index, value)| match best {
            Some((_, most)) if most >= value => best,
            _ => Some((index, value)),
        },
    )
}

#[cfg(test)]
mod tests;

/// What a rise must leave over.
const HEADROOM: f64 = 1.05;
/// An excess of this size is borne for [`PATIENCE`].
const SMALL_EXCESS: f64 = 1.2;
const PATIENCE: Duration = Duration::from_millis(700);
/// How long a key frame weighs in the measured rate of its layer.
const KEY_FRAME: Duration = Duration::from_secs(2);
/// What has no lower step is paused when the line has been too narrow for so long.
const PAUSE_AFTER: Duration = Duration::from_secs(2);
/// An estimate this much above the least of the last seconds is on the move.
const RISING: f64 = 1.3;
/// A rise needs an estimate that was high enough for one to two times as long.
const STEADY: Duration = Duration::from_millis(1000);
/// How long a video stays where it is before it rises: the first time, as a rule, at most.
const FIRST_DWELL: Duration = Duration::from_millis(500);
const DWELL: Duration = Duration::from_secs(2);
const MAX_DWELL: Duration = Duration::from_secs(30);
/// A rise that has lasted so long was right.
const PROVEN: Duration = Duration::from_secs(8);
/// What a reshuffle must gain: as one video with a third more bits.
const WORTH_A_CHANGE: f64 = 0.3;
