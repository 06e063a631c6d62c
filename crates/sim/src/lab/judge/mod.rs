//! A receiver's judgement: what a person behind this client heard and saw.
//!
//! Sound: a frame counts as delivered when it was there at its moment of playing, be it by its own
//! packet, a retransmission or a redundant copy. Pictures: an interval between two that are shown
//! is a freeze when it is longer than max(3 d, d + 150 ms), d being the mean of the thirty before
//! (W3C webrtc-stats, `freezeCount`). Delay: what the playout buffer adds to the bare way, on
//! average (`jitterBufferDelay`).

mod audio;
mod playout;
mod video;

use std::ops::Range;
use std::time::{Duration, Instant};

use str0m::format::Codec;

use crate::lab::source::SOUND;
use crate::peer::Peer;
use audio::Ear;
use playout::{Arrival, Buffer, play};
use video::{Eye, Picture};

/// Watches what one peer receives.
#[derive(Debug)]
pub struct Judge {
    began: Instant,
    ear: Ear,
    eye: Eye,
    /// When, how many payload bytes.
    packets: Vec<(Duration, u32)>,
}

/// What a person had of a stretch of a call.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Frames of sound that were captured.
    pub frames: usize,
    /// Those that were there when they were to be played.
    pub delivered: usize,
    /// Those that were there at all.
    pub arrived: usize,
    /// The longest run of frames that were not delivered.
    pub silence: Duration,
    /// Mean delay added to sound.
    pub sound_delay: Duration,
    /// Pictures shown.
    pub pictures: usize,
    /// Share of the time in which the picture was frozen, 0 to 1.
    pub frozen: f64,
    /// The longest freeze.
    pub blackout: Duration,
    /// Mean delay added to pictures.
    pub picture_delay: Duration,
    /// Payload received, bit/s.
    pub bitrate: f64,
    /// Requests for a key frame, in the whole call.
    pub key_frame_requests: u64,
}

impl Verdict {
    /// Share of the frames of sound that were delivered, 0 to 1.
    #[must_use]
    pub fn heard(&self) -> f64 {
        self.delivered as f64 / self.frames.max(1) as f64
    }
}

/// A moment of a call.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Since the call began.
    pub at: Duration,
    /// Payload received since the last sample, bit/s.
    pub bitrate: f64,
    /// The encoding of the newest picture: 0 is the smallest.
    pub layer: Option<u8>,
}

impl Judge {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            ear: Ear::default(),
            eye: Eye::default(),
            packets: Vec::new(),
        }
    }

    /// Take what the peer has received since the last call, and ask for what a browser would.
    pub(crate) fn watch(&mut self, peer: &mut Peer, now: Instant) {
        let mut camera = None;
        for packet in peer.take_received() {
            let at = packet.at - self.began;
            self.packets.push((at, packet.payload.len() as u32));
            if peer.payload_type(packet.mid, Codec::Vp8) == Some(packet.payload_type) {
                camera = Some(packet.mid);
                self.eye
                    .see(at, packet.sequence, packet.marker, &packet.payload);
            } else {
                let red = peer.red_payload_type(packet.mid) == Some(packet.payload_type);
                self.ear.hear(at, &packet.payload, red);
            }
        }
        if let Some(mid) = camera
            && self.eye.asks(now - self.began)
        {
            peer.request_key_frame(mid);
        }
    }

    /// Judge the stretch in which `captured` frames of sound were captured, one every 20 ms.
    #[must_use]
    pub fn verdict(&self, stretch: Range<Duration>, captured: &[Duration]) -> Verdict {
        let base = self.base(&stretch);
        let sound = self.sound(base, &stretch, captured);
        let heard: Vec<bool> = sound.iter().map(playout::Played::in_time).collect();
        let shown = self.shown(base);
        let (frozen, blackout) = freezes(&shown, &stretch);
        let within = |at: &Duration| stretch.contains(at);
        let shown: Vec<_> = shown.iter().filter(|s| within(&s.at)).collect();
        let added = shown.iter().map(|s| s.added).sum::<Duration>();
        let bytes = self.packets.iter().filter(|(at, _)| within(at));
        let bytes: u64 = bytes.map(|(_, size)| u64::from(*size)).sum();
        let length = stretch.end - stretch.start;
        Verdict {
            frames: heard.len(),
            delivered: heard.iter().filter(|heard| **heard).count(),
            arrived: sound.iter().filter(|f| f.lateness.is_some()).count(),
            silence: longest_silence(&heard),
            sound_delay: sound.iter().map(|f| f.wait).sum::<Duration>() / sound.len().max(1) as u32,
            pictures: shown.len(),
            frozen: frozen.as_secs_f64() / length.as_secs_f64(),
            blackout,
            picture_delay: added / shown.len().max(1) as u32,
            bitrate: bytes as f64 * 8.0 / length.as_secs_f64(),
            key_frame_requests: self.eye.requests,
        }
    }

    /// The stretch in steps.
    #[must_use]
    pub fn samples(&self, stretch: Range<Duration>, step: Duration) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut at = stretch.start;
        while at < stretch.end {
            let window = at..at + step;
            at += step;
            let bytes = self.packets.iter().filter(|(at, _)| window.contains(at));
            let bytes: u64 = bytes.map(|(_, size)| u64::from(*size)).sum();
            let seen = self
                .eye
                .pictures
                .partition_point(|p| p.decoded < window.end);
            samples.push(Sample {
                at,
                bitrate: bytes as f64 * 8.0 / step.as_secs_f64(),
                layer: seen.checked_sub(1).map(|n| self.eye.pictures[n].layer),
            });
        }
        samples
    }

    /// Times at which a picture of `layer` was decoded, within a stretch.
    pub fn seen(&self, layer: u8, stretch: Range<Duration>) -> impl Iterator<Item = Duration> {
        let pictures = self.eye.pictures.iter();
        pictures
            .filter(move |p| p.layer == layer && stretch.contains(&p.decoded))
            .map(|p| p.decoded)
    }

    /// When the first frame of sound captured after `moment` arrived.
    #[must_use]
    pub fn heard_again(&self, moment: Duration) -> Option<Duration> {
        let after = self.ear.frames.range(moment..);
        after.map(|(_, arrived)| *arrived).min()
    }

    /// When the first picture captured after `moment` was decoded.
    #[must_use]
    pub fn seen_again(&self, moment: Duration) -> Option<Duration> {
        let mut pictures = self.eye.pictures.iter();
        pictures.find(|p| p.captured >= moment).map(|p| p.decoded)
    }

    fn sound(
        &self,
        base: Duration,
        stretch: &Range<Duration>,
        captured: &[Duration],
    ) -> Vec<playout::Played> {
        let arrivals = captured.iter().map(|captured| Arrival {
            captured: *captured,
            complete: self.ear.frames.get(captured).copied(),
        });
        let mut played = play(&arrivals.collect::<Vec<_>>(), base, &SOUND_BUFFER);
        played.retain(|frame| stretch.contains(&frame.captured));
        played
    }

    /// Every picture with the moment it was shown.
    fn shown(&self, base: Duration) -> Vec<Shown> {
        let arrivals: Vec<_> = self.eye.pictures.iter().map(arrival).collect();
        let mut last = Duration::ZERO;
        let played = play(&arrivals, base, &PICTURE_BUFFER);
        let shown = played
            .iter()
            .zip(&self.eye.pictures)
            .map(|(frame, picture)| {
                let due = frame.captured + base + frame.wait;
                last = due.max(picture.decoded).max(last);
                let added = last.saturating_sub(frame.captured + base);
                Shown { at: last, added }
            });
        shown.collect()
    }

    /// The bare way: how long the fastest frame of a stretch took.
    fn base(&self, stretch: &Range<Duration>) -> Duration {
        let frames = self.ear.frames.range(stretch.start..stretch.end);
        frames
            .map(|(from, to)| *to - *from)
            .min()
            .unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    at: Duration,
    added: Duration,
}

const fn arrival(picture: &Picture) -> Arrival {
    Arrival {
        captured: picture.captured,
        complete: Some(picture.decoded),
    }
}

/// Time frozen, and the longest freeze, within a stretch.
fn freezes(shown: &[Shown], stretch: &Range<Duration>) -> (Duration, Duration) {
    let (mut frozen, mut longest) = (Duration::ZERO, Duration::ZERO);
    let mut mean: f64 = 1.0 / 30.0;
    let ends = shown.iter().map(|s| s.at).chain([stretch.end]);
    let mut last = Duration::ZERO;
    for at in ends {
        let at = at.min(stretch.end);
        let interval = at.saturating_sub(last).as_secs_f64();
        let freeze = interval > (3.0 * mean).max(mean + 0.15);
        if freeze && at > stretch.start {
            let length = at - last.max(stretch.start);
            frozen += length;
            longest = longest.max(length);
        }
        if !freeze {
            mean += (interval - mean) / 30.0;
        }
        last = at;
    }
    (frozen, longest)
}

fn longest_silence(heard: &[bool]) -> Duration {
    let runs = heard.split(|heard| *heard).map(<[bool]>::len);
    SOUND * runs.max().unwrap_or(0) as u32
}

/// A late frame of sound is lost.
const SOUND_BUFFER: Buffer = Buffer {
    grace: Duration::ZERO,
    late: Duration::from_millis(20),
    quantile: 0.95,
    shortest: SOUND,
    longest: Duration::from_millis(500),
};
/// A late picture is shown when it comes: only one that is later than a freeze's threshold hurts,
/// but then for some ten pictures' time, and more than a silence does.
const PICTURE_BUFFER: Buffer = Buffer {
    grace: Duration::from_millis(150),
    late: Duration::from_millis(500),
    quantile: 0.0,
    shortest: Duration::from_millis(10),
    longest: Duration::from_millis(500),
};

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Shown {
        Shown {
            at: Duration::from_millis(ms),
            added: Duration::ZERO,
        }
    }

    #[test]
    fn a_long_interval_is_a_freeze_and_a_short_one_is_not() {
        let mut shown: Vec<_> = (0..60).map(|n| at(n * 33)).collect();
        shown.extend((0..60).map(|n| at(2_147 + n * 33)));
        let stretch = Duration::ZERO..Duration::from_millis(4_100);
        let (frozen, longest) = freezes(&shown, &stretch);
        assert_eq!(frozen, Duration::from_millis(2_147 - 59 * 33));
        assert_eq!(frozen, longest);
        let short: Vec<_> = (0..100).map(|n| at(n * 33 + n / 50 * 140)).collect();
        let stretch = Duration::ZERO..Duration::from_millis(3_300);
        assert_eq!(freezes(&short, &stretch).0, Duration::ZERO);
    }

    #[test]
    fn an_end_without_pictures_is_frozen() {
        let shown: Vec<_> = (0..30).map(|n| at(n * 33)).collect();
        let stretch = Duration::ZERO..Duration::from_millis(1_957);
        let (frozen, _) = freezes(&shown, &stretch);
        assert_eq!(frozen, Duration::from_millis(1_000));
    }

    #[test]
    fn silence_is_the_longest_run() {
        let heard = [true, false, false, true, false, false, false, true];
        assert_eq!(longest_silence(&heard), Duration::from_millis(60));
    }
}
