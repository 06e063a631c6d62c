//! A playout buffer that adapts: how long a frame waits so that the next ones are not late.
//!
//! The buffer looks at the last 1500 frames and waits as long as is cheapest when a
//! millisecond costs one and every per cent of frames that come too late costs [`Buffer::late`],
//! but at least for a share of them (for sound both as in WebRTC's NetEq). A frame never heard of
//! is late whatever the wait.

use std::time::Duration;

/// A frame: when it was captured and when it was there, both since the call began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) captured: Duration,
    pub(crate) complete: Option<Duration>,
}

/// How a buffer decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    /// By how much a frame may be late and do no harm.
    pub(crate) grace: Duration,
    /// What one per cent of late frames may cost.
    pub(crate) late: Duration,
    /// The share of frames that is always waited for.
    pub(crate) quantile: f64,
    /// Shortest wait: a packet of sound, a scheduler's grain.
    pub(crate) shortest: Duration,
    /// Longest wait; a conversation would suffer.
    pub(crate) longest: Duration,
}

/// How one frame fared: the wait in force, and whether the frame had come by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Played {
    pub(crate) captured: Duration,
    /// What the buffer adds to the way itself.
    pub(crate) wait: Duration,
    /// How much later than the fastest the frame came, if it did.
    pub(crate) lateness: Option<Duration>,
}

impl Played {
    pub(crate) fn in_time(&self) -> bool {
        self.lateness.is_some_and(|lateness| lateness <= self.wait)
    }
}

/// Plays frames in order of capture; `base` is the bare way.
pub(crate) fn play(arrivals: &[Arrival], base: Duration, buffer: &Buffer) -> Vec<Played> {
    let lateness = |a: &Arrival| {
        let complete = a.complete?;
        Some(complete.saturating_sub(a.captured).saturating_sub(base))
    };
    let all: Vec<_> = arrivals.iter().map(lateness).collect();
    let mut played = Vec::with_capacity(all.len());
    let mut wait = FIRST;
    for (index, arrival) in arrivals.iter().enumerate() {
        // A verdict over frames that were due a while ago: all that comes of them has come.
        let known = index.saturating_sub(SETTLED);
        if index % STRIDE == 0 && known >= FEW {
            wait = buffer.wait(&all[known.saturating_sub(WINDOW)..known]);
        }
        played.push(Played {
            captured: arrival.captured,
            wait,
            lateness: all[index],
        });
    }
    played
}

impl Buffer {
    fn wait(&self, window: &[Option<Duration>]) -> Duration {
        let mut came: Vec<Duration> = window.iter().flatten().copied().collect();
        came.sort_unstable();
        let total = window.len() as f64;
        let quantile = (total * self.quantile) as usize;
        let quantile = came
            .get(quantile.min(came.len().saturating_sub(1)))
            .filter(|_| self.quantile > 0.0);
        let cost = |index: usize, wait: Duration| {
            let late = 100.0 * (total - (index + 1) as f64) / total;
            wait.as_secs_f64() + self.late.as_secs_f64() * late
        };
        let needed = |lateness: Duration| lateness.saturating_sub(self.grace);
        let cheapest = came
            .iter()
            .enumerate()
            .min_by(|(i, a), (j, b)| cost(*i, needed(**a)).total_cmp(&cost(*j, needed(**b))))
            .map_or(Duration::ZERO, |(_, lateness)| needed(*lateness));
        let wait = quantile.copied().unwrap_or_default().max(cheapest);
        wait.min(self.longest).max(self.shortest)
    }
}

/// Before anything is known.
const FIRST: Duration = Duration::from_millis(80);
/// Frames looked back at.
const WINDOW: usize = 1_500;
/// Frames after which nothing more is expected.
const SETTLED: usize = 15;
/// Frames needed for a first opinion.
const FEW: usize = 25;
/// Frames between two opinions.
const STRIDE: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(lateness: impl Fn(u32) -> Option<u64>) -> Vec<Arrival> {
        let frame = |n: u32| {
            let captured = Duration::from_millis(20) * n;
            let late = |ms| captured + Duration::from_millis(50 + ms);
            Arrival {
                captured,
                complete: lateness(n).map(late),
            }
        };
        (0..1_000).map(frame).collect()
    }

    const BASE: Duration = Duration::from_millis(50);
    const SOUND: Buffer = Buffer {
        grace: Duration::ZERO,
        late: Duration::from_millis(20),
        quantile: 0.95,
        shortest: Duration::from_millis(20),
        longest: Duration::from_millis(500),
    };

    #[test]
    fn a_steady_link_costs_no_wait() {
        let played = play(&arrivals(|_| Some(0)), BASE, &SOUND);
        assert!(played.iter().all(Played::in_time));
        assert_eq!(played.last().unwrap().wait, SOUND.shortest);
    }

    #[test]
    fn many_late_frames_are_waited_for_and_rare_ones_are_not() {
        let many = play(
            &arrivals(|n| Some(if n % 8 == 0 { 120 } else { 0 })),
            BASE,
            &SOUND,
        );
        assert!(many.last().unwrap().wait >= Duration::from_millis(120));
        assert!(many[100..].iter().all(Played::in_time));
        let rare = play(
            &arrivals(|n| Some(if n % 100 == 0 { 400 } else { 0 })),
            BASE,
            &SOUND,
        );
        assert_eq!(rare.last().unwrap().wait, SOUND.shortest);
    }

    #[test]
    fn what_does_no_harm_is_not_waited_for() {
        let buffer = Buffer {
            grace: Duration::from_millis(150),
            quantile: 0.0,
            ..SOUND
        };
        let late = arrivals(|n| Some(if n % 4 == 0 { 220 } else { 0 }));
        let played = play(&late, BASE, &buffer);
        assert_eq!(played.last().unwrap().wait, Duration::from_millis(70));
    }

    #[test]
    fn frames_that_never_come_do_not_lengthen_the_wait() {
        let played = play(&arrivals(|n| (n % 10 != 0).then_some(0)), BASE, &SOUND);
        assert_eq!(played.last().unwrap().wait, SOUND.shortest);
        let lost = played.iter().filter(|p| !p.in_time()).count();
        assert_eq!(lost, 100);
    }
}
