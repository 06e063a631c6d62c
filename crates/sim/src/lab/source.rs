//! A camera and a microphone: frames of realistic sizes that carry their moment of capture.
//!
//! The camera makes three encodings of VP8 (RFC 7741) with two or three temporal layers each, as
//! browsers do for simulcast; a key frame comes when it is asked for. What is filmed ([`Film`]) decides
//! on sizes. The microphone makes Opus frames of 20 ms, each packet with the frame before it as RED
//! (RFC 2198).
//!
//! The capture time (microseconds since the call began) stands behind the codec's headers.

use std::time::{Duration, Instant};

use str0m::format::Codec;
use str0m::media::Mid;
use str0m::rtp::{RedEncoder, RedundantBlock};

use crate::media::{Vp8Descriptor, vp8_payload};
use crate::peer::{Outgoing, Peer};

/// One encoding of the camera.
#[derive(Clone, Copy, Debug)]
pub struct Encoding {
    /// RTP stream id.
    pub rid: &'static str,
    /// Pixels across.
    pub width: u16,
    /// Mean rate in bit/s, headers excluded.
    pub rate: u32,
}

/// What the camera films, and what its encoders make of it.
#[derive(Clone, Copy, Debug)]
pub struct Film {
    /// What the camera sends, the smallest first.
    pub encodings: [Encoding; ENCODINGS],
    /// Time between two pictures of the largest encoding.
    pub(crate) picture: Duration,
    /// Every picture so many of those is one of this encoding.
    every: [u32; ENCODINGS],
    /// Temporal layers in their order, and what a picture of each layer is of a mean one.
    pattern: &'static [u8],
    shares: [f64; 3],
    /// What a key frame is of a mean picture.
    key_frame: [f64; ENCODINGS],
    /// Bytes of a frame of sound, and whether each packet carries the one before as well.
    pub(crate) sound: usize,
    pub(crate) red: bool,
}

/// How many encodings there are.
pub const ENCODINGS: usize = 3;

impl Film {
    /// Somebody who talks in front of a wall.
    pub const FACE: Self = Self {
        encodings: [
            Encoding::new("low", 480, 150_000),
            Encoding::new("mid", 960, 600_000),
            Encoding::new("high", 1920, 2_500_000),
        ],
        picture: Duration::from_micros(33_333),
        every: [1; ENCODINGS],
        pattern: &[0, 1],
        shares: [1.2, 0.8, 0.0],
        key_frame: [4.0; ENCODINGS],
        sound: 80,
        red: true,
    };

    /// Nothing but noise, as Chromium encodes it: few pictures of the small encodings, and key frames
    /// of 11, 40 and 170 kB.
    pub const NOISE: Self = Self {
        encodings: [
            Encoding::new("low", 320, 150_000),
            Encoding::new("mid", 640, 500_000),
            Encoding::new("high", 1280, 1_700_000),
        ],
        picture: Duration::from_millis(40),
        every: [3, 2, 1],
        pattern: &[0, 2, 1, 2],
        shares: [1.33, 0.67, 1.0],
        key_frame: [5.0, 8.0, 20.0],
        sound: 40,
        red: false,
    };
}

impl Encoding {
    const fn new(rid: &'static str, width: u16, rate: u32) -> Self {
        Self { rid, width, rate }
    }
}

/// Length of a frame of sound.
pub(crate) const SOUND: Duration = Duration::from_millis(20);
/// Where the capture time stands behind the payload descriptor: after room for a key frame's header.
pub(crate) const STAMP: usize = 10;

/// State of one encoder.
#[derive(Clone, Copy, Debug, Default)]
struct Encoder {
    picture: u16,
    tl0: u8,
    /// Pictures since the last key frame; none before the first.
    since_key: Option<u32>,
}

/// A camera that sends through a peer.
#[derive(Debug)]
pub(crate) struct Camera {
    pub(crate) mid: Mid,
    film: Film,
    shot: u32,
    encoders: [Encoder; ENCODINGS],
    random: fastrand::Rng,
}

impl Camera {
    pub(crate) fn new(mid: Mid, film: Film, seed: u64) -> Self {
        Self {
            mid,
            film,
            shot: 0,
            encoders: Default::default(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// One picture in every encoding; `captured` is what it carries.
    pub(crate) fn shoot(&mut self, peer: &mut Peer, now: Instant, captured: Duration) {
        let asked = std::mem::take(&mut peer.key_frames_wanted);
        let shot = self.shot;
        self.shot = shot.wrapping_add(1);
        for (layer, encoding) in self.film.encodings.into_iter().enumerate() {
            let is_asked = asked.iter().any(|rid| **rid == *encoding.rid);
            if is_asked {
                self.encoders[layer].since_key = None;
            }
            if is_asked || shot.is_multiple_of(self.film.every[layer]) {
                self.encode(peer, now, captured, layer);
            }
        }
    }

    fn encode(&mut self, peer: &mut Peer, now: Instant, captured: Duration, layer: usize) {
        let Some(payload_type) = peer.payload_type(self.mid, Codec::Vp8) else {
            return;
        };
        let encoder = &mut self.encoders[layer];
        let since = encoder.since_key.map_or(0, |since| since + 1);
        encoder.since_key = Some(since);
        encoder.picture = (encoder.picture + 1) & 0x7fff;
        let pattern = self.film.pattern;
        let temporal = pattern[since as usize % pattern.len()];
        encoder.tl0 = encoder.tl0.wrapping_add(u8::from(temporal == 0));
        let descriptor = Vp8Descriptor {
            picture_id: encoder.picture,
            tl0_pic_idx: encoder.tl0,
            start: true,
            key_frame: since == 0,
        };
        let encoding = self.film.encodings[layer];
        let size = self.size(layer, since, temporal);
        let packets = size.div_ceil(BODY);
        for index in 0..packets {
            let descriptor = Vp8Descriptor {
                start: index == 0,
                ..descriptor
            };
            let body = (size / packets).max(STAMP + 16);
            let mut payload = vp8_payload(descriptor, DESCRIPTOR + body, 0);
            payload[DESCRIPTOR - 1] = temporal << 6 | temporal << 5; // each is a layer sync: it needs layer 0 alone
            if descriptor.start && descriptor.key_frame {
                let width = encoding.width;
                payload[12..14].copy_from_slice(&width.to_le_bytes());
                payload[14..16].copy_from_slice(&(width / 16 * 9).to_le_bytes());
            }
            stamp(&mut payload[DESCRIPTOR + STAMP..], captured, layer as u8);
            let packet = Outgoing {
                payload_type,
                timestamp: ticks(captured, 90),
                marker: index + 1 == packets,
                payload,
            };
            peer.send_packet(now, self.mid, Some(encoding.rid), packet);
        }
    }

    /// Bytes of a picture: a fifth more or less than its kind has on average.
    fn size(&mut self, layer: usize, since: u32, temporal: u8) -> usize {
        let film = &self.film;
        let interval = film.picture.as_secs_f64() * f64::from(film.every[layer]);
        let mean = f64::from(film.encodings[layer].rate) / 8.0 * interval;
        let share = match since {
            0 => film.key_frame[layer],
            _ => film.shares[usize::from(temporal)],
        };
        (mean * share * (0.8 + 0.4 * self.random.f64())) as usize
    }
}

/// A microphone that sends through a peer.
#[derive(Debug)]
pub(crate) struct Microphone {
    pub(crate) mid: Mid,
    film: Film,
    last: Vec<u8>,
}

impl Microphone {
    pub(crate) const fn new(mid: Mid, film: Film) -> Self {
        Self {
            mid,
            film,
            last: Vec::new(),
        }
    }

    /// One frame of sound, with the one before it where RED was negotiated.
    pub(crate) fn listen(&mut self, peer: &mut Peer, now: Instant, captured: Duration) {
        let Some(opus) = peer.payload_type(self.mid, Codec::Opus) else {
            return;
        };
        let mut frame = vec![0x78; self.film.sound];
        stamp(&mut frame[1..], captured, 0);
        let last = std::mem::replace(&mut self.last, frame.clone());
        let red = peer.red_payload_type(self.mid).filter(|_| self.film.red);
        let payload = if red.is_some() {
            let older = RedundantBlock {
                pt: opus,
                timestamp_offset: 960,
                payload: last,
            };
            let older: &[_] = if older.payload.is_empty() {
                &[]
            } else {
                &[older]
            };
            RedEncoder::encode(opus, &frame, older)
        } else {
            frame
        };
        let packet = Outgoing {
            payload_type: red.unwrap_or(opus),
            timestamp: ticks(captured, 48),
            marker: false,
            payload,
        };
        peer.send_packet(now, self.mid, None, packet);
    }
}

/// What [`stamp`] wrote: capture time and layer.
pub(crate) fn read_stamp(bytes: &[u8]) -> Option<(Duration, u8)> {
    let (micros, rest) = bytes.split_first_chunk()?;
    let captured = Duration::from_micros(u64::from_be_bytes(*micros));
    Some((captured, *rest.first()?))
}

fn stamp(bytes: &mut [u8], captured: Duration, layer: u8) {
    bytes[..8].copy_from_slice(&(captured.as_micros() as u64).to_be_bytes());
    bytes[8] = layer;
}

fn ticks(captured: Duration, per_millisecond: u64) -> u32 {
    (captured.as_micros() as u64 * per_millisecond / 1000) as u32
}

/// Bytes of the payload descriptor that [`vp8_payload`] writes.
const DESCRIPTOR: usize = 6;
/// Bytes of a picture in one packet at most.
const BODY: usize = 1_100;
