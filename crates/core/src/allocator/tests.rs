//! What a viewer would notice: who gets what, when it changes, and how often.

use std::time::{Duration, Instant};

use super::{Allocator, Budget, Decision, Demand, Outcome};
use crate::ids::SubscriberId;
use crate::layer::{Content, Layer, LayerReason, Preferences};
use crate::layers::LayerRate;

#[expect(
    clippy::disallowed_methods,
    reason = "an origin only; it never advances by itself"
)]
fn origin() -> Instant {
    Instant::now()
}

fn rate(spatial: u8, temporal: u8, kbit: u64) -> LayerRate {
    let height = 180_u16 << spatial;
    LayerRate {
        layer: Layer { spatial, temporal },
        bitrate: kbit * 1000,
        width: Some(height * 16 / 9),
        height: Some(height),
        fps: Some(30.0 / f32::from(1_u8 << (2 - temporal.min(2)))),
    }
}

/// Three sizes, three frame rates: 150, 500 and 1700 kbit/s at full rate.
fn camera() -> Vec<LayerRate> {
    [(0, 150), (1, 500), (2, 1700)]
        .into_iter()
        .flat_map(|(s, full)| {
            [(0, 50), (1, 70), (2, 100)].map(|(t, share)| rate(s, t, full * share / 100))
        })
        .collect()
}

fn layer(spatial: u8, temporal: u8) -> Option<Layer> {
    Some(Layer { spatial, temporal })
}

/// A viewer's transport in virtual time.
struct Viewer {
    allocator: Allocator,
    now: Instant,
    layers: Vec<LayerRate>,
    videos: Vec<(Preferences, Content)>,
    audio: u64,
    is_measured: bool,
    share: f64,
    is_blind: bool,
    changes: u32,
    last: Vec<Option<Layer>>,
}

impl Viewer {
    fn of(videos: usize) -> Self {
        Self {
            allocator: Allocator::default(),
            now: origin(),
            layers: camera(),
            videos: vec![(Preferences::default(), Content::Camera); videos],
            audio: 0,
            is_measured: true,
            share: 1.0,
            is_blind: false,
            changes: 0,
            last: vec![None; videos],
        }
    }

    fn decide(&mut self, bitrate: u64) -> Outcome {
        self.now += Duration::from_millis(100);
        let demands: Vec<Demand<'_>> = (0..)
            .zip(&self.videos)
            .map(|(id, (preferences, content))| Demand {
                subscriber: SubscriberId(id),
                preferences,
                content: *content,
                layers: &self.layers,
            })
            .collect();
        let budget = Budget {
            bitrate,
            audio: self.audio,
            is_measured: self.is_measured,
            share: self.share,
            is_blind: self.is_blind,
        };
        let outcome = self.allocator.decide(self.now, budget, &demands);
        let targets: Vec<_> = outcome.decisions.iter().map(|d| d.target).collect();
        let changed = targets.iter().zip(&self.last).filter(|(a, b)| a != b);
        self.changes += changed.count() as u32;
        self.last = targets;
        outcome
    }

    /// Lets `seconds` pass at one estimate.
    fn settle(&mut self, bitrate: u64, seconds: u64) -> Vec<Decision> {
        (1..seconds * 10).for_each(|_| drop(self.decide(bitrate)));
        self.decide(bitrate).decisions
    }
}

fn bits(layers: &[LayerRate], target: Option<Layer>) -> u64 {
    let of = |layer| layers.iter().find(|rate| rate.layer == layer);
    target
        .and_then(of)
        .map_or(0, |rate| super::wire(rate.bitrate))
}

#[test]
fn a_wide_line_carries_the_best_at_once() {
    let mut viewer = Viewer::of(1);
    let first = viewer.decide(5_000_000).decisions[0];
    assert_eq!(
        (first.target, first.reason),
        (layer(2, 2), LayerReason::Start)
    );
}

#[test]
fn a_narrow_line_is_followed_down_at_once_and_up_in_time() {
    let mut viewer = Viewer::of(1);
    viewer.settle(5_000_000, 2);
    let down = viewer.decide(300_000).decisions[0];
    assert_eq!(
        (down.target, down.reason),
        (layer(0, 2), LayerReason::Bandwidth)
    );
    let soon = viewer.settle(5_000_000, 1)[0];
    assert_eq!(soon.target, layer(0, 2), "a second is no proof");
    let up = viewer.settle(5_000_000, 4)[0];
    assert_eq!(
        (up.target, up.reason),
        (layer(2, 2), LayerReason::Bandwidth)
    );
}

#[test]
fn below_the_least_picture_there_is_a_pause_with_its_reason() {
    let mut viewer = Viewer::of(1);
    viewer.settle(5_000_000, 2);
    assert_eq!(
        viewer.settle(40_000, 1)[0].target,
        layer(0, 0),
        "not for a dip"
    );
    let paused = viewer.settle(40_000, 2)[0];
    assert_eq!(
        (paused.target, paused.reason),
        (None, LayerReason::Bandwidth)
    );
    let back = viewer.settle(390_000, 5)[0];
    assert_eq!(
        (back.target, back.reason),
        (layer(0, 2), LayerReason::Bandwidth)
    );
}

/// A still picture costs the same in every size: who stands on one that is no step any more goes on with
/// the better one, and does not fall to the least.
#[test]
fn what_costs_no_more_is_taken() {
    let mut viewer = Viewer::of(1);
    viewer.layers = vec![rate(0, 2, 150), rate(1, 2, 500)];
    assert_eq!(viewer.settle(900_000, 5)[0].target, layer(1, 2));
    viewer.layers.push(rate(2, 2, 500));
    assert_eq!(viewer.settle(900_000, 1)[0].target, layer(2, 2));
}

/// Where no probe can ask the line, the most important picture does: now and then, ever more rarely,
/// and it stays when there is room.
#[test]
fn a_picture_asks_where_no_probe_can() {
    let mut viewer = Viewer::of(2);
    viewer.videos[1].0.priority = 200;
    viewer.settle(5_000_000, 2);
    let shown = |viewer: &mut Viewer, seconds: u64| {
        (0..seconds * 10).fold([0; 2], |mut shown, _| {
            let outcome = viewer.decide(40_000);
            let targets = outcome.decisions.iter().map(|decision| decision.target);
            let seen: Vec<bool> = targets.map(|target| target.is_some()).collect();
            assert_eq!(outcome.is_starved, !seen.contains(&true));
            (0..2).for_each(|index| shown[index] += u32::from(seen[index]));
            shown
        })
    };
    shown(&mut viewer, 5);
    assert_eq!(shown(&mut viewer, 60), [0, 0], "probes ask");
    viewer.is_blind = true;
    let first = shown(&mut viewer, 60);
    assert!(first[0] == 0 && (80..=160).contains(&first[1]), "{first:?}");
    shown(&mut viewer, 60);
    let later = shown(&mut viewer, 120);
    assert!(later[0] == 0 && (40..=80).contains(&later[1]), "{later:?}");
    while viewer.decide(40_000).is_starved {}
    let back = viewer.settle(120_000, 20);
    assert!(back[1].target.is_some(), "{back:?}");
}

/// The estimate of a line that had nothing to carry is low, and says nothing of the line.
#[test]
fn a_new_video_starts_before_it_is_judged() {
    let mut viewer = Viewer::of(1);
    viewer
        .layers
        .retain(|rate| rate.layer == layer(2, 2).unwrap());
    let first = viewer.decide(500_000).decisions[0];
    assert_eq!(first.target, layer(2, 2));
    assert_eq!(viewer.settle(2_500_000, 3)[0].target, layer(2, 2));
    viewer.allocator = Allocator::default();
    assert_eq!(viewer.settle(500_000, 3)[0].target, None);
    assert_eq!(viewer.settle(500_000, 30)[0].target, None, "and stays so");
}

#[test]
fn nobody_is_paused_on_a_guess() {
    let mut viewer = Viewer::of(3);
    viewer.is_measured = false;
    let all = viewer.decide(30_000).decisions;
    assert!(
        all.iter().all(|decision| decision.target == layer(0, 0)),
        "{all:?}"
    );
}

#[test]
fn audio_comes_first() {
    let mut viewer = Viewer::of(1);
    viewer.audio = 64_000;
    assert_eq!(
        viewer.settle(130_000, 4)[0].target,
        None,
        "75 kbit/s of video beside 64 of audio"
    );
    let outcome = viewer.decide(130_000);
    assert_eq!(outcome.sending, 64_000);
    assert_eq!(outcome.wanted, 64_000 + super::wire(1_700_000));
}

#[test]
fn priority_decides_who_gets_more() {
    let mut viewer = Viewer::of(3);
    viewer.videos[1].0.priority = 255;
    viewer.videos[2].0.priority = 20;
    for bitrate in [100_000, 200_000, 700_000, 1_500_000, 2_500_000, 4_000_000] {
        viewer.allocator = Allocator::default();
        let got = viewer.decide(bitrate).decisions;
        assert!(got[1].target >= got[0].target, "{bitrate}: {got:?}");
        assert!(got[0].target >= got[2].target, "{bitrate}: {got:?}");
    }
}

#[test]
fn a_large_tile_gets_more_than_small_ones() {
    let mut viewer = Viewer::of(4);
    for (index, (preferences, _)) in viewer.videos.iter_mut().enumerate() {
        let (width, height) = if index == 0 { (1280, 720) } else { (320, 180) };
        (preferences.width, preferences.height) = (Some(width), Some(height));
    }
    let got = viewer.settle(2_600_000, 5);
    assert_eq!(got[0].target, layer(2, 2));
    assert!(got[1..].iter().all(|d| d.target == layer(0, 2)), "{got:?}");
}

#[test]
fn wishes_are_limits() {
    let mut viewer = Viewer::of(1);
    let mut check = |preferences: Preferences, expected: Option<Layer>, bitrate| {
        viewer.videos[0].0 = preferences;
        let got = viewer.settle(bitrate, 3)[0];
        assert_eq!(got.target, expected, "{preferences:?}");
    };
    let none = Preferences::default();
    let wide = 9_000_000;
    check(
        Preferences {
            spatial: Some(1),
            ..none
        },
        layer(1, 2),
        wide,
    );
    check(
        Preferences {
            max_spatial: Some(0),
            spatial: Some(2),
            ..none
        },
        layer(0, 2),
        wide,
    );
    check(
        Preferences {
            temporal: Some(0),
            ..none
        },
        layer(2, 0),
        wide,
    );
    check(
        Preferences {
            max_fps: Some(15),
            ..none
        },
        layer(2, 1),
        wide,
    );
    check(
        Preferences {
            height: Some(300),
            ..none
        },
        layer(1, 2),
        wide,
    );
    check(
        Preferences {
            min_spatial: Some(1),
            ..none
        },
        layer(1, 1),
        420_000,
    );
    check(
        Preferences {
            min_spatial: Some(1),
            ..none
        },
        None,
        200_000,
    );
}

/// The minimum lifts what is preferred, and a stream without frame rates to choose from is whole.
#[test]
fn rather_nothing_than_less() {
    let wishes = Preferences {
        spatial: Some(0),
        height: Some(100),
        min_spatial: Some(1),
        min_temporal: Some(1),
        ..Preferences::default()
    };
    let mut viewer = Viewer::of(1);
    viewer.videos[0].0 = wishes;
    let outcome = viewer.settle(5_000_000, 3);
    assert_eq!(outcome[0].target, layer(1, 2));
    let outcome = viewer.settle(420_000, 10);
    assert_eq!(outcome[0].target, layer(1, 1));
    let outcome = viewer.settle(300_000, 10);
    assert_eq!(outcome[0].target, None);
    viewer.layers = vec![rate(0, 0, 150), rate(1, 0, 500)];
    let outcome = viewer.settle(5_000_000, 100);
    assert_eq!(outcome[0].target, layer(1, 0));
    viewer.layers = vec![rate(0, 0, 150)];
    let outcome = viewer.settle(5_000_000, 100);
    assert_eq!(outcome[0].target, None);
}

#[test]
fn a_new_wish_is_followed_at_once() {
    let mut viewer = Viewer::of(1);
    viewer.videos[0].0.spatial = Some(0);
    viewer.settle(5_000_000, 3);
    viewer.videos[0].0.spatial = Some(2);
    let asked = viewer.decide(5_000_000).decisions[0];
    assert_eq!(
        (asked.target, asked.reason),
        (layer(2, 2), LayerReason::Requested)
    );
}

#[test]
fn content_says_what_is_shed_first() {
    for (content, expected) in [
        (Content::Detail, layer(2, 0)),
        (Content::Motion, layer(1, 2)),
        (Content::Camera, layer(1, 2)),
    ] {
        let mut viewer = Viewer::of(1);
        viewer.videos[0].1 = content;
        assert_eq!(
            viewer.settle(1_000_000, 4)[0].target,
            expected,
            "{content:?}"
        );
    }
    let mut viewer = Viewer::of(1);
    assert_eq!(
        viewer.settle(1_400_000, 4)[0].target,
        layer(2, 1),
        "camera: in turns"
    );
}

#[test]
fn an_overloaded_server_sheds_layers_and_says_so() {
    let mut viewer = Viewer::of(1);
    viewer.settle(2_200_000, 3);
    viewer.share = 0.3;
    let shed = viewer.decide(2_200_000).decisions[0];
    assert_eq!(
        (shed.target, shed.reason),
        (layer(1, 2), LayerReason::Overload)
    );
}

#[test]
fn a_layer_that_vanishes_is_the_publishers_doing() {
    let mut viewer = Viewer::of(1);
    viewer.settle(5_000_000, 3);
    viewer.layers.retain(|rate| rate.layer.spatial < 2);
    let less = viewer.decide(5_000_000).decisions[0];
    assert_eq!(
        (less.target, less.reason),
        (layer(1, 2), LayerReason::Publisher)
    );
}

/// An estimate that swings by a quarter around what a layer costs must not make the picture swing.
#[test]
fn a_noisy_estimate_does_not_flap() {
    for (seed, center) in [(1, 1_900_000), (2, 1_700_000), (3, 600_000), (4, 160_000)] {
        let mut viewer = Viewer::of(1);
        let mut noise = Noise(seed);
        for step in 0..3000_u64 {
            let saw = 0.85 + 0.2 * (step % 30) as f64 / 30.0;
            let bitrate = center as f64 * saw * (0.95 + 0.1 * noise.share());
            viewer.decide(bitrate as u64);
        }
        assert!(
            viewer.changes <= 20,
            "{center}: {} in five minutes",
            viewer.changes
        );
    }
}

/// Whatever comes, the budget holds (unless only the least is left), and no video is paused for
/// a poorer one.
#[test]
fn the_budget_holds_whatever_comes() {
    for seed in 1..=300 {
        let mut noise = Noise(seed);
        let mut viewer = Viewer::of(1 + (noise.next() % 8) as usize);
        for (preferences, content) in &mut viewer.videos {
            preferences.priority = (1 + noise.next() % 255) as u8;
            preferences.spatial = (noise.share() < 0.3).then(|| (noise.next() % 3) as u8);
            *content =
                [Content::Camera, Content::Detail, Content::Motion][(noise.next() % 3) as usize];
        }
        for _ in 0..60 {
            let bitrate = noise.next() % 8_000_000;
            let outcome = viewer.decide(bitrate);
            let sum: u64 = outcome
                .decisions
                .iter()
                .map(|d| bits(&viewer.layers, d.target))
                .sum();
            assert_eq!(sum, outcome.sending);
            let least = |d: &Decision| d.target.is_none_or(|target| target <= layer(0, 0).unwrap());
            assert!(
                sum as f64 <= bitrate as f64 * super::SMALL_EXCESS
                    || outcome.decisions.iter().all(least),
                "seed {seed}: {sum} of {bitrate}"
            );
            assert!(outcome.sending <= outcome.wanted);
        }
    }
}

/// More to share never leaves a single viewer with less, nor more of many paused.
#[test]
fn more_is_never_worse() {
    for videos in [1, 5] {
        let mut best = (0, None);
        for bitrate in (0..4_000_000).step_by(20_000) {
            let mut viewer = Viewer::of(videos);
            let got = viewer.decide(bitrate).decisions;
            let running = got.iter().filter(|d| d.target.is_some()).count();
            let step = (running, (videos == 1).then_some(got[0].target));
            assert!(step >= best, "{bitrate}: {step:?} after {best:?}");
            best = step;
        }
    }
}

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) ^ (self.0 >> 11 & 0x3ff)
    }

    fn share(&mut self) -> f64 {
        (self.next() % 10_000) as f64 / 10_000.0
    }
}
