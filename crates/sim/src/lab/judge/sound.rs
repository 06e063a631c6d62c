//! When frames of sound are played: a buffer that decides as WebRTC's NetEq.
//!
//! Every 10 ms it plays what is next, or conceals (`modules/audio_coding/neteq/decision_logic.cc`):
//!
//! - Nothing has come: it conceals and stays where it is. What comes late is played late.
//! - The next frame is missing and later ones are there: it conceals as long as the gap is, 100 ms at
//!   most, then skips the gap. What comes after that is lost.
//! - More has gathered than is wanted: it plays faster, by a tenth, much faster at four times as
//!   much. Less than is wanted: slower.
//!
//! What is wanted (`delay_manager.cc`, `underrun_optimizer.cc`, `reorder_optimizer.cc`): the wait that
//! 95 of 100 half seconds needed at their worst, weighed over about half a minute; and where packets
//! come out of order, as retransmissions do, the wait at which 20 ms more cost as much as one per
//! cent of them. Waits are against the fastest packet of the last two seconds.

use std::collections::VecDeque;
use std::time::Duration;

/// A packet of sound: when it came, and when its own frame was captured, since the call began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Duration,
    pub(crate) captured: Duration,
}

/// A frame: when it was captured, and when it was there, by whichever packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) captured: Duration,
    pub(crate) complete: Option<Duration>,
}

/// All that was played.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// When each frame was played; none was skipped.
    pub(crate) at: Vec<Option<Duration>>,
    /// Moments at which 10 ms were concealed.
    pub(crate) concealed: Vec<Duration>,
}

/// Plays `frames` (ascending, one every 20 ms) to the end; `packets` are in order of arrival.
pub(crate) fn play(frames: &[Frame], packets: &[Arrival]) -> Played {
    let Some(first) = packets.first() else {
        return Played::default();
    };
    let mut player = Player {
        next: frames.partition_point(|frame| frame.captured < first.captured),
        played: Played {
            at: vec![None; frames.len()],
            concealed: Vec::new(),
        },
        ..Player::default()
    };
    let mut order: Vec<(Duration, usize)> = (0..frames.len())
        .filter_map(|n| Some((frames[n].complete?, n)))
        .collect();
    order.sort_unstable();
    let end = order.last().map_or(first.at, |(at, _)| *at) + Duration::from_secs(1);
    let (mut now, mut packets) = (first.at, packets.iter().peekable());
    let mut order = order.into_iter().peekable();
    while now < end && player.next < frames.len() {
        while let Some(packet) = packets.next_if(|packet| packet.at <= now) {
            player.wanted.arrived(*packet);
        }
        while let Some((_, frame)) = order.next_if(|(at, _)| *at <= now) {
            player.newest = player.newest.max(frame);
        }
        player.tick(frames, now);
        now += TICK;
    }
    player.played
}

#[derive(Debug, Default)]
struct Player {
    /// The next frame to play.
    next: usize,
    /// The newest frame that has come.
    newest: usize,
    /// ms of frames taken and not played yet.
    ready: f64,
    /// ms concealed in a row.
    noise: f64,
    /// ms that wait in the buffer, smoothed.
    level: f64,
    /// Ticks until speed may change again.
    rest: u32,
    wanted: Wanted,
    played: Played,
}

impl Player {
    fn tick(&mut self, frames: &[Frame], now: Duration) {
        let here = |n: &usize| frames[*n].complete.is_some_and(|at| at <= now);
        let first = (self.next..=self.newest).find(here);
        let span = first.map_or(0.0, |first| (self.newest - first + 1) as f64 * FRAME);
        let target = self.wanted.target();
        if self.noise == 0.0 {
            self.level += (span - self.level) * smoothing(target);
        }
        self.rest = self.rest.saturating_sub(1);
        if self.ready >= 10.0 {
            self.ready -= 10.0;
            return;
        }
        match first.filter(|first| self.plays(*first, span, target)) {
            Some(first) => {
                self.next = first + 1;
                self.played.at[first] = Some(now);
                self.ready += FRAME - 10.0;
                if self.noise == 0.0 {
                    self.stretch(target);
                }
                self.noise = 0.0;
            }
            None => {
                self.noise += 10.0;
                self.played.concealed.push(now);
            }
        }
    }

    /// Whether the first frame that is there is played now.
    fn plays(&self, first: usize, span: f64, target: f64) -> bool {
        let leap = (first - self.next) as f64 * FRAME;
        if self.noise >= MUTED && span < target / 2.0 && self.noise < REINIT {
            return false; // or it would run dry at once again
        }
        if leap == 0.0 {
            return true;
        }
        let waits = leap < REINIT && self.noise < MOST_WAIT && self.noise < leap;
        self.noise > 0.0 && !(waits && self.level < target)
    }

    fn stretch(&mut self, target: f64) {
        let low = (target * 0.75).max(target - 85.0);
        let high = target.max(low + 20.0);
        let by = if self.level >= 4.0 * high {
            FRAME - 10.0
        } else if self.rest > 0 {
            0.0
        } else if self.level >= high {
            STRETCH
        } else if self.level < low {
            -STRETCH
        } else {
            0.0
        };
        if by != 0.0 {
            self.ready -= by;
            self.level -= by;
            self.rest = STRETCH_EVERY;
        }
    }
}

/// How much should wait in the buffer.
#[derive(Debug, Default)]
struct Wanted {
    /// Packets of the last two seconds, with what their way took.
    history: VecDeque<(Duration, f64)>,
    newest: Duration,
    underrun: Histogram,
    reorder: Histogram,
    /// The worst wait since the last half second began.
    worst: Option<(Duration, f64)>,
    known: bool,
}

impl Wanted {
    fn arrived(&mut self, packet: Arrival) {
        let way = ms(packet.at.saturating_sub(packet.captured));
        while self
            .history
            .front()
            .is_some_and(|(captured, _)| *captured + HISTORY < packet.captured)
        {
            self.history.pop_front();
        }
        self.history.push_back((packet.captured, way));
        let fastest = self.history.iter().map(|(_, way)| *way);
        let delay = way - fastest.fold(f64::INFINITY, f64::min);
        let reordered = packet.captured < self.newest;
        self.newest = self.newest.max(packet.captured);
        if !reordered {
            let (since, worst) = self.worst.unwrap_or((packet.at, 0.0));
            self.worst = Some((since, worst.max(delay)));
            if packet.at > since + RESAMPLE {
                self.underrun.add(worst, FORGET, Some(2.0));
                self.known = true;
                self.worst = Some((packet.at, delay));
            }
        }
        let bucket = if reordered { delay } else { 0.0 };
        self.reorder.add(bucket, FORGET_ORDER, None);
    }

    /// ms.
    fn target(&self) -> f64 {
        if !self.known {
            return START;
        }
        let underrun = self.underrun.quantile(QUANTILE);
        underrun.max(self.reorder.cheapest(underrun)).min(LONGEST)
    }
}

/// Shares of waits, by 20 ms.
#[derive(Debug, Default)]
struct Histogram {
    shares: Vec<f64>,
    added: u32,
}

impl Histogram {
    fn add(&mut self, delay: f64, forget: f64, start: Option<f64>) {
        self.shares.resize(BUCKETS, 0.0);
        self.added += 1;
        // The first ones weigh more: half a minute has not passed yet.
        let start = start.map_or(forget, |weight| 1.0 - weight / f64::from(self.added + 1));
        let forget = match self.added {
            1 => 0.0,
            _ => forget.min(start.max(0.0)),
        };
        self.shares.iter_mut().for_each(|share| *share *= forget);
        let bucket = ((delay / FRAME) as usize).min(BUCKETS - 1);
        self.shares[bucket] += 1.0 - forget;
    }

    fn quantile(&self, share: f64) -> f64 {
        let mut sum = 0.0;
        let reached = |one: &f64| {
            sum += one;
            sum >= share
        };
        let bucket = self.shares.iter().position(reached).unwrap_or_default();
        (bucket + 1) as f64 * FRAME
    }

    fn cheapest(&self, base: f64) -> f64 {
        let (mut late, mut best) = (1.0, (f64::INFINITY, 0));
        for (bucket, share) in self.shares.iter().enumerate() {
            late -= share;
            let cost = (bucket as f64 * FRAME - base).max(0.0) + 100.0 * PER_CENT * late.max(0.0);
            if cost < best.0 - 1e-9 {
                best = (cost, bucket);
            }
        }
        (best.1 + 1) as f64 * FRAME
    }
}

/// How fast the level follows, per tick (`buffer_level_filter.cc`).
fn smoothing(target: f64) -> f64 {
    match target {
        ..=20.0 => 5.0 / 256.0,
        ..=60.0 => 4.0 / 256.0,
        ..=140.0 => 3.0 / 256.0,
        _ => 2.0 / 256.0,
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

const TICK: Duration = Duration::from_millis(10);
/// Length of a frame and of a bucket, ms.
const FRAME: f64 = 20.0;
const BUCKETS: usize = 100;
/// From here on a concealment has faded away, the longest wait for a gap, and what counts as a
/// sender that has begun anew, ms.
const MUTED: f64 = 100.0;
const MOST_WAIT: f64 = 100.0;
const REINIT: f64 = 1_000.0;
/// A change of speed takes away or adds this much, ms, every so many ticks.
const STRETCH: f64 = 10.0;
const STRETCH_EVERY: u32 = 5;
const HISTORY: Duration = Duration::from_secs(2);
const RESAMPLE: Duration = Duration::from_millis(500);
const QUANTILE: f64 = 0.95;
const FORGET: f64 = 0.983;
const FORGET_ORDER: f64 = 0.9993;
/// What one per cent of packets out of order may cost, ms.
const PER_CENT: f64 = 20.0;
/// Before anything is known, and three quarters of the buffer, ms.
const START: f64 = 80.0;
const LONGEST: f64 = 3_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    const WAY: u64 = 50;

    /// Frames of half a minute, each as late as `lateness` says, ms, or lost.
    fn played(lateness: impl Fn(u64) -> Option<u64>) -> (Vec<Option<f64>>, usize) {
        let frame = |n: u64| Frame {
            captured: Duration::from_millis(20 * n),
            complete: lateness(n).map(|late| Duration::from_millis(20 * n + WAY + late)),
        };
        let frames: Vec<_> = (0..1_500).map(frame).collect();
        let mut packets: Vec<_> = frames
            .iter()
            .filter_map(|frame| {
                let (captured, at) = (frame.captured, frame.complete?);
                Some(Arrival { at, captured })
            })
            .collect();
        packets.sort_by_key(|packet| packet.at);
        let played = play(&frames, &packets);
        let wait = |(at, frame): (&Option<Duration>, &Frame)| {
            at.map(|at| ms(at - frame.captured) - WAY as f64)
        };
        let waits = played.at.iter().zip(&frames).map(wait).collect();
        (waits, played.concealed.len())
    }

    #[test]
    fn a_steady_line_costs_a_frame() {
        let (waits, _) = played(|_| Some(0));
        assert!(waits.iter().all(Option::is_some));
        assert!(waits[1_000..].iter().flatten().all(|wait| *wait <= 40.0));
    }

    #[test]
    fn a_lost_frame_is_skipped_and_no_other() {
        let (waits, concealed) = played(|n| (n % 50 != 7).then_some(0));
        let lost: Vec<_> = (0..waits.len()).filter(|n| waits[*n].is_none()).collect();
        assert_eq!(lost, (0..30).map(|n| 50 * n + 7).collect::<Vec<_>>());
        // Half of each: what waits behind the gap is enough to go on with.
        assert!((30..=60).contains(&concealed), "{concealed}");
    }

    #[test]
    fn trembling_is_waited_for() {
        let (waits, _) = played(|n| Some(if n % 8 == 0 { 120 } else { 0 }));
        let mean = waits[500..].iter().flatten().sum::<f64>() / 1_000.0;
        assert!((90.0..160.0).contains(&mean), "{mean}");
        let lost = waits[500..].iter().filter(|wait| wait.is_none()).count();
        assert!(lost <= 50, "one in twenty may be late: {lost}");
    }

    /// A line that holds everything back for a second and then lets it go.
    #[test]
    fn what_comes_late_is_played_late_and_caught_up_with() {
        let late = |n: u64| (1_000_u64).saturating_sub(20 * n.saturating_sub(500));
        let (waits, concealed) = played(|n| Some(if n >= 500 { late(n) } else { 0 }));
        assert!(waits.iter().all(Option::is_some), "nothing is lost");
        assert!(concealed >= 90, "but a second is silent: {concealed}");
        assert!(waits[505].is_some_and(|wait| wait > 800.0), "late");
        let after: Vec<_> = waits[1_000..].iter().flatten().collect();
        assert!(after.iter().all(|wait| **wait < 60.0), "{after:?}");
    }
}
