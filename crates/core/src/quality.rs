//! How well a transport's connection works, in one number: 0 nothing gets through, 100 nothing is
//! amiss.
//!
//! From 100 is taken what people notice: loss, delay, jitter, a picture smaller than they want and
//! one that stands still. The cuts between good and bad words ([`CUTS`]) are where the penalties of
//! loss and delay alone lead at 2 % and 300 ms, and at 8 % and 600 ms.
//!
//! A score is looked at once in [`INTERVAL`] at most, when the peer has spoken. It is told when it
//! moves far, or over a cut and not by a hair; silence (0) and what comes after it at once.

use std::time::{Duration, Instant};

use crate::event::{ConnectionState, Event, TrackKind};
use crate::layer::Layer;
use crate::sfu::Sfu;
use crate::transport::webrtc::{Publishing, Side, Subscribing};

/// What there is to see of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signs {
    /// Ratio of packets lost, 0 to 1, of the worst track.
    loss: f64,
    rtt: Duration,
    jitter: Duration,
    /// What part of the pictures' layers is missing, 0 to 1.
    missing: f64,
    /// A picture waits for a key frame.
    still: bool,
    /// Packets sent and asked for again, in total.
    counted: (u64, u64),
}

impl Signs {
    fn score(&self) -> f64 {
        let percent = self.loss * 100.0;
        let loss = (percent.min(2.0) * 15.0) + (percent - 2.0).max(0.0) * 5.0;
        let delay = millis(self.rtt) * 0.1;
        let jitter = (millis(self.jitter) - 30.0).max(0.0) * 0.5;
        let still = if self.still { 30.0 } else { 0.0 };
        let missing = self.missing * 40.0;
        let penalty = loss.min(90.0) + delay.min(70.0) + jitter.min(30.0) + missing + still;
        (100.0 - penalty).max(1.0)
    }
}

/// The score of one connection over time.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    score: Option<f64>,
    told: Option<u8>,
    next: Option<Instant>,
    /// A picture stood still when it was last looked at.
    stood: bool,
    /// Packets sent and asked for again until then.
    counted: (u64, u64),
}

impl Meter {
    /// The score now, once there is one.
    pub(crate) const fn score(&self) -> Option<u8> {
        self.told
    }

    fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| now >= next)
    }

    /// What part of the packets since the last look was asked for again: reports of loss may speak
    /// of what was lost for good only. Arguments are totals.
    fn repaired(&mut self, packets: u64, asked: u64) -> f64 {
        let (before, asked_before) = std::mem::replace(&mut self.counted, (packets, asked));
        let sent = packets.saturating_sub(before).max(FEW);
        (asked.saturating_sub(asked_before) as f64 / sent as f64).min(1.0)
    }

    /// Takes in what is seen; returns a score to tell. A picture may wait for a moment.
    fn see(&mut self, now: Instant, mut signs: Signs) -> Option<u8> {
        self.next = Some(now + INTERVAL);
        let stands = signs.still;
        signs.still &= self.stood;
        self.stood = stands;
        let seen = signs.score();
        let score = self
            .score
            .map_or(seen, |before| before + (seen - before) * WEIGHT);
        self.score = Some(score);
        self.tell(score.round() as u8)
    }

    /// Nothing is heard of the peer any more.
    fn lose(&mut self) -> Option<u8> {
        self.score = None;
        self.next = None;
        (self.told.replace(0) != Some(0)).then_some(0)
    }

    fn tell(&mut self, score: u8) -> Option<u8> {
        let news = self.told.is_none_or(|told| {
            let moved = told.abs_diff(score);
            told == 0 || moved >= FAR || (moved >= HAIR && level(told) != level(score))
        });
        news.then(|| *self.told.insert(score))
    }
}

impl Sfu {
    /// The peer of a connection has spoken: how well does it work?
    pub(crate) fn judge(&mut self, key: usize, now: Instant) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        if session.state != ConnectionState::Connected || !session.quality.is_due(now) {
            return;
        }
        let signs = match &session.side {
            Side::Publish(publishing) => self.signs_of_sending(publishing),
            Side::Subscribe(subscribing) => self.signs_of_receiving(subscribing),
        };
        let Some(mut signs) = signs else {
            return;
        };
        let session = &mut self.sessions[key];
        let (packets, asked) = signs.counted;
        signs.loss = signs.loss.max(session.quality.repaired(packets, asked));
        let transport = session.belongs.transport;
        if let Some(score) = session.quality.see(now, signs) {
            self.emit(Event::ConnectionQuality { transport, score });
        }
    }

    /// Nothing is heard of the peer of a connection.
    pub(crate) fn judge_lost(&mut self, key: usize) {
        let session = &mut self.sessions[key];
        let transport = session.belongs.transport;
        if let Some(score) = session.quality.lose() {
            self.emit(Event::ConnectionQuality { transport, score });
        }
    }

    fn signs_of_sending(&self, publishing: &Publishing) -> Option<Signs> {
        let mut signs = None;
        for place in &publishing.publishers {
            let stats = &self.publishers[*place].stats;
            if stats.packets == 0 {
                continue;
            }
            let signs: &mut Signs = signs.get_or_insert_default();
            signs.loss = signs.loss.max(stats.loss.unwrap_or(0.0).into());
            let rtt = Duration::from_secs_f64(stats.rtt_ms.unwrap_or(0.0).max(0.0) / 1000.0);
            signs.rtt = signs.rtt.max(rtt);
        }
        signs
    }

    fn signs_of_receiving(&self, subscribing: &Subscribing) -> Option<Signs> {
        let mut signs = Signs {
            rtt: subscribing.egress.round_trip().unwrap_or_default(),
            ..Signs::default()
        };
        let (mut tracks, mut pictures, mut missing) = (0, 0, 0.0);
        for place in &subscribing.subscribers {
            let subscriber = &self.subscribers[*place];
            if !subscriber.open {
                continue;
            }
            let stream = subscriber
                .stream
                .and_then(|at| subscribing.egress.streams.get(at));
            if let Some((packets, heard)) = stream.map(|stream| (stream.packets, &stream.heard)) {
                tracks += 1;
                signs.counted.0 += u64::from(packets);
                signs.counted.1 += heard.asked;
                signs.loss = signs.loss.max(heard.loss.unwrap_or(0.0).into());
                signs.jitter = signs.jitter.max(heard.jitter.unwrap_or_default());
            }
            let encodings = &self.publishers[subscriber.publisher].encodings;
            if subscriber.kind == TrackKind::Video
                && let Some(preferred) = subscriber.selector.preferred(encodings)
            {
                pictures += 1;
                missing += lacks(preferred, subscriber.selector.target());
                signs.still |= subscriber.is_waiting() && subscriber.selector.target().is_some();
            }
        }
        signs.missing = missing / f64::from(pictures.max(1));
        (tracks > 0).then_some(signs)
    }
}

/// What part of a picture is missing, 0 to 1; frames count half as much as size.
fn lacks(preferred: Layer, target: Option<Layer>) -> f64 {
    let Some(target) = target else {
        return 1.0;
    };
    let part = |wanted: u8, got: u8| {
        f64::from(wanted.saturating_sub(got)) / f64::from(wanted.saturating_add(1))
    };
    let size = part(preferred.spatial, target.spatial);
    size.max(part(preferred.temporal, target.temporal) / 2.0)
}

fn level(score: u8) -> usize {
    CUTS.iter().filter(|cut| score >= **cut).count()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// From here on a connection is poor, good, excellent; below the first it is lost.
const CUTS: [u8; 3] = [1, 40, 70];
const INTERVAL: Duration = Duration::from_secs(1);
/// How much a new look counts against those before.
const WEIGHT: f64 = 0.5;
/// So that one packet of ten is no disaster.
const FEW: u64 = 30;
const FAR: u8 = 10;
const HAIR: u8 = 3;

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test has to begin at some moment
mod tests {
    use super::*;

    fn lossy(percent: f64) -> Signs {
        Signs {
            loss: percent / 100.0,
            ..Signs::default()
        }
    }

    fn delayed(ms: u64) -> Signs {
        Signs {
            rtt: Duration::from_millis(ms),
            ..Signs::default()
        }
    }

    #[test]
    fn the_cuts_are_where_people_notice() {
        let level = |signs: Signs| level(signs.score().round() as u8);
        assert_eq!(level(Signs::default()), 3);
        assert_eq!([level(lossy(1.5)), level(lossy(2.5))], [3, 2]);
        assert_eq!([level(lossy(7.5)), level(lossy(8.5))], [2, 1]);
        assert_eq!([level(delayed(290)), level(delayed(310))], [3, 2]);
        assert_eq!([level(delayed(590)), level(delayed(610))], [2, 1]);
        assert_eq!(level(lossy(100.0)), 1, "only silence is lost");
    }

    #[test]
    fn a_picture_that_is_withheld_costs_more_than_a_small_one() {
        let best = Layer {
            spatial: 2,
            temporal: 2,
        };
        let small = Layer {
            spatial: 0,
            temporal: 2,
        };
        let slow = Layer {
            spatial: 2,
            temporal: 0,
        };
        let [none, small, slow, all] =
            [None, Some(small), Some(slow), Some(best)].map(|target| lacks(best, target));
        assert!(none > small && small > slow && slow > all && all == 0.0);
    }

    #[test]
    fn a_score_that_trembles_around_a_cut_is_told_once() {
        let (mut meter, mut now) = (Meter::default(), Instant::now());
        let mut told = Vec::new();
        for round in 0..60 {
            now += INTERVAL;
            told.extend(meter.see(now, lossy(if round % 2 == 0 { 1.95 } else { 2.05 })));
        }
        assert_eq!(told.len(), 1, "{told:?}");
        for _ in 0..6 {
            now += INTERVAL;
            told.extend(meter.see(now, lossy(20.0)));
        }
        assert!(told.last().is_some_and(|score| *score < 40), "{told:?}");
    }

    #[test]
    fn silence_is_told_at_once_and_so_is_its_end() {
        let (mut meter, now) = (Meter::default(), Instant::now());
        assert_eq!(meter.see(now, Signs::default()), Some(100));
        assert_eq!(meter.lose(), Some(0));
        assert_eq!(meter.lose(), None);
        assert_eq!(meter.see(now, lossy(90.0)), Some(10));
    }

    #[test]
    fn a_picture_that_waits_for_a_moment_does_not_stand() {
        let (mut meter, now) = (Meter::default(), Instant::now());
        let still = Signs {
            still: true,
            ..Signs::default()
        };
        assert_eq!(meter.see(now, still), Some(100));
        assert_eq!(meter.see(now, still), Some(85));
    }
}
