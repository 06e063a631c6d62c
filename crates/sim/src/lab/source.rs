//! A camera and a microphone: frames of realistic sizes that carry their moment of capture.
//!
//! The camera makes three encodings of VP8 (RFC 7741) with two temporal layers each, as browsers do
//! for simulcast; a key frame is four times a mean frame and comes when it is asked for. The
//! microphone makes Opus frames of 20 ms, each packet with the frame before it as RED (RFC 2198).
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

/// What the camera sends, the smallest first.
pub const ENCODINGS: [Encoding; 3] = [
    Encoding {
        rid: "low",
        width: 480,
        rate: 150_000,
    },
    Encoding {
        rid: "mid",
        width: 960,
        rate: 600_000,
    },
    Encoding {
        rid: "high",
        width: 1920,
        rate: 2_500_000,
    },
];

/// Time between two pictures.
pub(crate) const PICTURE: Duration = Duration::from_micros(33_333);
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
    encoders: [Encoder; 3],
    random: fastrand::Rng,
}

impl Camera {
    pub(crate) fn new(mid: Mid, seed: u64) -> Self {
        Self {
            mid,
            encoders: Default::default(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// One picture in every encoding; `captured` is what it carries.
    pub(crate) fn shoot(&mut self, peer: &mut Peer, now: Instant, captured: Duration) {
        let asked = std::mem::take(&mut peer.key_frames_wanted);
        for (layer, encoding) in ENCODINGS.iter().enumerate() {
            if asked.iter().any(|rid| **rid == *encoding.rid) {
                self.encoders[layer].since_key = None;
            }
            self.encode(peer, now, captured, layer);
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
        let temporal = (since % 2) as u8;
        encoder.tl0 = encoder.tl0.wrapping_add(1 - temporal);
        let descriptor = Vp8Descriptor {
            picture_id: encoder.picture,
            tl0_pic_idx: encoder.tl0,
            start: true,
            key_frame: since == 0,
        };
        let size = self.size(ENCODINGS[layer].rate, since, temporal);
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
                let width = ENCODINGS[layer].width;
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
            peer.send_packet(now, self.mid, Some(ENCODINGS[layer].rid), packet);
        }
    }

    /// Bytes of a picture: a fifth more or less than its kind has on average.
    fn size(&mut self, rate: u32, since: u32, temporal: u8) -> usize {
        let mean = f64::from(rate) / 8.0 * PICTURE.as_secs_f64();
        let share = match (since, temporal) {
            (0, _) => 4.0,
            (_, 0) => 1.2,
            _ => 0.8,
        };
        (mean * share * (0.8 + 0.4 * self.random.f64())) as usize
    }
}

/// A microphone that sends through a peer.
#[derive(Debug)]
pub(crate) struct Microphone {
    pub(crate) mid: Mid,
    last: Vec<u8>,
}

impl Microphone {
    pub(crate) const fn new(mid: Mid) -> Self {
        Self {
            mid,
            last: Vec::new(),
        }
    }

    /// One frame of sound, with the one before it where RED was negotiated.
    pub(crate) fn listen(&mut self, peer: &mut Peer, now: Instant, captured: Duration) {
        let Some(opus) = peer.payload_type(self.mid, Codec::Opus) else {
            return;
        };
        let mut frame = vec![0x78; OPUS];
        stamp(&mut frame[1..], captured, 0);
        let last = std::mem::replace(&mut self.last, frame.clone());
        let red = peer.red_payload_type(self.mid);
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

/// Bytes of an Opus frame: 32 kbit/s.
const OPUS: usize = 80;
/// Bytes of the payload descriptor that [`vp8_payload`] writes.
const DESCRIPTOR: usize = 6;
/// Bytes of a picture in one packet at most.
const BODY: usize = 1_100;
