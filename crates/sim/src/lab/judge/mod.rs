//! A receiver's judgement: what a person behind this client heard and saw.
//!
//! Sound: a frame counts as delivered when it was played, be it by its own packet, a retransmission or
//! a redundant copy; what filled the time without one counts as concealed (`sound`). Pictures
//! (`pictures`): an interval between two that are shown is a freeze when it is longer than max(3 d,
//! d + 150 ms), d being the mean of the thirty before (W3C webrtc-stats, `freezeCount`). Delay: what
//! the playout buffer adds to the bare way, on average (`jitterBufferDelay`).

mod audio;
mod pictures;
mod sound;
mod video;

use std::ops::Range;
use std::time::{Duration, Instant};

use str0m::format::Codec;

use crate::peer::Peer;
use audio::Ear;
use sound::Frame;
use video::{Came, Eye, Picture};

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
    /// Those that were played.
    pub delivered: usize,
    /// Those that were there at all.
    pub arrived: usize,
    /// Share of the time in which sound was made up, for want of any to play, 0 to 1.
    pub concealed: f64,
    /// The longest time in which it was.
    pub silence: Duration,
    /// Mean delay that the way itself added to sound, above its fastest frame.
    pub way: Duration,
    /// Mean delay added to sound by way and buffer.
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
                let ordered = packet.extensions.play_delay_min.map(Duration::from);
                self.eye.see(&Came {
                    at,
                    sequence: packet.sequence,
                    marker: packet.marker,
                    payload: &packet.payload,
                    repaired: packet.repaired,
                    ordered,
                });
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
        let within = |at: &Duration| stretch.contains(at);
        let sound = self.sound(captured);
        let heard: Vec<_> = captured
            .iter()
            .zip(&sound.at)
            .filter(|(at, _)| within(at))
            .collect();
        let waits = heard
            .iter()
            .filter_map(|(captured, at)| Some((**at)?.saturating_sub(**captured + base)));
        let waits: Vec<Duration> = waits.collect();
        let concealed: Vec<_> = sound.concealed.iter().copied().filter(within).collect();
        let shown = self.shown();
        let (frozen, blackout) = freezes(&shown, &stretch);
        let seen = shown
            .iter()
            .zip(&self.eye.pictures)
            .filter(|(at, _)| within(at));
        let added: Vec<Duration> = seen
            .map(|(at, picture)| at.saturating_sub(picture.captured() + base))
            .collect();
        let bytes = self.packets.iter().filter(|(at, _)| within(at));
        let bytes: u64 = bytes.map(|(_, size)| u64::from(*size)).sum();
        let length = stretch.end - stretch.start;
        let ways = heard.iter().filter_map(|(captured, _)| {
            let at = self.ear.frames.get(captured)?;
            Some(at.saturating_sub(**captured + base))
        });
        let ways: Vec<Duration> = ways.collect();
        Verdict {
            frames: heard.len(),
            delivered: waits.len(),
            arrived: ways.len(),
            way: mean(&ways),
            concealed: (TICK * concealed.len() as u32).as_secs_f64() / length.as_secs_f64(),
            silence: longest_run(&concealed),
            sound_delay: mean(&waits),
            pictures: added.len(),
            frozen: frozen.as_secs_f64() / length.as_secs_f64(),
            blackout,
            picture_delay: mean(&added),
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
                .partition_point(|p| p.decoded() < window.end);
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
            .filter(move |p| p.layer == layer && stretch.contains(&p.decoded()))
            .map(Picture::decoded)
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
        let after = pictures.find(|picture| picture.captured() >= moment);
        after.map(Picture::decoded)
    }

    fn sound(&self, captured: &[Duration]) -> sound::Played {
        let frames = captured.iter().map(|captured| Frame {
            captured: *captured,
            complete: self.ear.frames.get(captured).copied(),
        });
        sound::play(&frames.collect::<Vec<_>>(), &self.ear.packets)
    }

    /// When each picture was shown.
    fn shown(&self) -> Vec<Duration> {
        let arrivals: Vec<_> = self.eye.pictures.iter().map(|p| p.arrival).collect();
        pictures::show(&arrivals)
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

/// Time frozen, and the longest freeze, within a stretch.
fn freezes(shown: &[Duration], stretch: &Range<Duration>) -> (Duration, Duration) {
    let (mut frozen, mut longest) = (Duration::ZERO, Duration::ZERO);
    let mut mean: f64 = 1.0 / 30.0;
    let ends = shown.iter().copied().chain([stretch.end]);
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

/// The longest of the runs of ticks.
fn longest_run(ticks: &[Duration]) -> Duration {
    let (mut longest, mut run, mut last) = (Duration::ZERO, Duration::ZERO, None);
    for tick in ticks {
        let goes_on = last.is_some_and(|last| *tick <= last + TICK);
        run = if goes_on { run + TICK } else { TICK };
        longest = longest.max(run);
        last = Some(*tick);
    }
    longest
}

fn mean(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>() / times.len().max(1) as u32
}

/// How often sound is played.
const TICK: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
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
        let ticks = [at(100), at(110), at(500), at(510), at(520), at(900)];
        assert_eq!(longest_run(&ticks), at(30));
    }
}
