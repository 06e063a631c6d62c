//! Doors for the fuzz harnesses of `crates/sim`: what no peer reaches directly enough to be tried
//! a hundred thousand times. Not a part of the interface.
//!
//! Each takes any bytes and panics when something is wrong.

use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;
use str0m::format::{Codec, CodecSpec, FormatParams};
use str0m::media::{Frequency, Rid};
use str0m::rtp::RtpHeader;

use crate::codec::Format;
use crate::egress::{Content, History, Queued};
use crate::layer::{Layer, LayerReason, Preferences};
use crate::layers::{Admission, Arrival, Encodings, Selector, h264};
use crate::packet::{Packet, Rtp};
use crate::rewrite::{Numbers, PlainVp9, Rewriter};
use crate::shared::{Payload, Shared};
use crate::srtp::{Keys, Profile, Sealer};

/// Payload and dependency descriptor of one packet after another, read, judged and rewritten for a
/// subscriber of each codec. A record is a byte for the codec and a run's start, one length byte
/// each (times 4 for the payload), then payload and descriptor.
pub fn descriptors(now: Instant, data: &[u8]) {
    let mut streams = CODECS.map(Stream::new);
    let (mut rest, mut sequence) = (data, 1_u64);
    while let [how, payload_len, descriptor_len, tail @ ..] = rest {
        let (payload, tail) = tail.split_at(tail.len().min(usize::from(*payload_len) * 4));
        let (descriptor, tail) = tail.split_at(tail.len().min(usize::from(*descriptor_len)));
        rest = tail;
        // Mostly the next number, sometimes a late one or a jump.
        sequence = match how >> 5 {
            0 => sequence.saturating_sub(3),
            1 => sequence + 700,
            _ => sequence + 1,
        };
        let stream = &mut streams[usize::from(how & 3)];
        let descriptor = (!descriptor.is_empty()).then_some(descriptor);
        stream.handle(now, sequence, how & 4 != 0, payload, descriptor);
    }
}

/// An H264 payload, whose sequence parameter set tells the size of the picture. A set says the same
/// alone and behind another unit in an aggregate, and no picture is empty.
pub fn parameters(data: &[u8]) {
    let size = h264::read(data).size;
    assert!(size.is_none_or(|(width, height)| width > 0 && height > 0));
    let is_set = data.first().is_some_and(|first| first & 0x1f == 7);
    if let (true, Ok(len)) = (is_set, u16::try_from(data.len())) {
        let mut aggregate = vec![0x18, 0, 2, 0x09, 0x10];
        aggregate.extend(len.to_be_bytes());
        aggregate.extend(data);
        assert_eq!(h264::read(&aggregate).size, size);
    }
}

/// One codec's way through.
struct Stream {
    codec: Codec,
    encodings: Encodings,
    selector: Selector,
    rewriter: Rewriter,
    plain: PlainVp9,
}

impl Stream {
    fn new(codec: Codec) -> Self {
        Self {
            codec,
            encodings: Encodings::default(),
            selector: Selector::default(),
            rewriter: Rewriter::new(100),
            plain: PlainVp9::default(),
        }
    }

    fn handle(
        &mut self,
        now: Instant,
        sequence: u64,
        restarts: bool,
        payload: &[u8],
        descriptor: Option<&[u8]>,
    ) {
        let arrival = Arrival {
            ssrc: 1,
            sequence,
            rid: None,
            codec: self.codec,
            payload,
            descriptor,
            marker: false,
            now,
        };
        let Some((_, facts)) = self.encodings.handle_packet(arrival) else {
            return;
        };
        assert!(facts.layer.spatial < 8 && facts.layer.temporal < 8);
        assert_eq!(facts.present & !facts.exists, 0, "{facts:?}");
        if self.codec == Codec::Vp9
            && let Some(patch) = self.plain.map(payload)
        {
            assert!(patch.lens().0 <= payload.len());
        }
        if restarts {
            self.selector.stop();
        }
        let rtp = rtp(now, 1, sequence, sequence as u32 * 3_000, payload);
        let packet = Packet::new(&rtp, format(self.codec), facts);
        if let Some(sent) = send(
            &mut self.selector,
            &mut self.rewriter,
            &self.encodings,
            &packet,
        ) && let Some(patch) = sent.numbers.patch
        {
            assert!(patch.lens().0 <= payload.len(), "{patch:?}");
        }
    }
}

/// A simulcast of three VP8 encodings with temporal layers, any order of switches, pauses and wishes,
/// and one subscriber. The first byte says whether packets are lost, late and doubled on their way in.
///
/// Whatever happens, no number goes out twice, and only what was lost leaves a hole. When nothing is
/// lost, sequence numbers, picture ids, TL0PICIDX and timestamps count on as of one camera.
///
/// Answers how many packets went out.
pub fn switches(now: Instant, data: &[u8]) -> usize {
    let Some((mode, script)) = data.split_first() else {
        return 0;
    };
    let mut camera = Camera::new(now, mode & 1 != 0);
    for pair in script.chunks_exact(2) {
        camera.step(pair[0], pair[1]);
    }
    camera.end()
}

/// The history of one outgoing stream under any order of sending, asking and waiting. A packet that
/// is found is the one that was asked for, and one that was sent within the last second is found.
pub fn history(data: &[u8]) {
    let (mut history, mut now, mut next) = (History::default(), 0_u32, 65_000_u64);
    let mut sent: Vec<(u64, u32)> = Vec::new();
    let content = Shared::new(Content::empty());
    for pair in data.chunks_exact(2) {
        let (how, more) = (pair[0], u64::from(pair[1]));
        match how & 3 {
            // In order, with gaps that late packets fill.
            0 => {
                next += if how & 4 == 0 { 1 } else { 1 + more };
                history.push(queued(&content, next), now);
                sent.push((next, now));
            }
            1 => {
                let late = next.saturating_sub(more);
                if sent.iter().all(|(sequence, _)| *sequence != late) {
                    history.push(queued(&content, late), now);
                    sent.push((late, now));
                }
            }
            2 => now += more as u32 * if how & 4 == 0 { 1 } else { 20 },
            _ => {
                let asked = next.saturating_sub(more * 9);
                let found = history.find(asked as u16);
                if let Some(found) = &found {
                    assert_eq!(found.packet.sequence as u16, asked as u16);
                }
                // Only the newest thousand are kept, so the oldest of them may be gone.
                let recent = sent.iter().rev().take(1_000);
                let known = recent
                    .filter(|(sequence, at)| *sequence == asked && now - at <= 1_000)
                    .count();
                assert!(known == 0 || found.is_some(), "{asked} is forgotten");
            }
        }
        let _ = history.newest(usize::from(how));
    }
}

fn queued(content: &Shared<Content>, sequence: u64) -> Queued {
    Queued {
        content: Shared::clone(content),
        stream: 0,
        sequence,
        timestamp: 0,
        payload_type: 96,
        marker: false,
        patch: None,
        frame_number: None,
        starts_run: false,
        since: 0,
    }
}

/// The publisher of [`switches`], its subscriber, and what the subscriber has got.
struct Camera {
    now: Instant,
    ticks: u32,
    lossy: bool,
    sources: [Source; 3],
    /// Late packets.
    waiting: Vec<Frame>,
    lost: usize,
    encodings: Encodings,
    selector: Selector,
    rewriter: Rewriter,
    oracle: Oracle,
}

/// The counters of one encoding.
#[derive(Clone, Copy)]
struct Source {
    sequence: u64,
    picture: u16,
    tl0: u8,
}

/// One packet of a picture.
#[derive(Clone)]
struct Frame {
    encoding: u8,
    sequence: u64,
    timestamp: u32,
    payload: Vec<u8>,
}

impl Camera {
    fn new(now: Instant, lossy: bool) -> Self {
        let source = |sequence| Source {
            sequence,
            picture: (sequence * 11_000) as u16 & 0x7fff,
            tl0: sequence as u8,
        };
        Self {
            now,
            ticks: 0xffff_0000,
            lossy,
            sources: [source(10_000), source(30), source(65_530)],
            waiting: Vec::new(),
            lost: 0,
            encodings: Encodings::new(RIDS.into_iter()),
            selector: Selector::default(),
            rewriter: Rewriter::new(5_000),
            oracle: Oracle::new(),
        }
    }

    fn step(&mut self, how: u8, more: u8) {
        if how & 3 == 3 {
            return self.control(how >> 2, more);
        }
        let millis = u64::from(more & 0x1f) + 1;
        self.now += Duration::from_millis(millis);
        self.ticks = self.ticks.wrapping_add(millis as u32 * 90);
        let encoding = how & 3;
        for frame in self.picture(encoding, how) {
            match more >> 5 {
                0 if self.lossy => self.lost += 1,
                1 if self.lossy => self.waiting.push(frame),
                2 if self.lossy => {
                    self.deliver(&frame);
                    self.deliver(&frame);
                }
                _ => self.deliver(&frame),
            }
        }
        if more & 0x10 != 0 {
            let late = std::mem::take(&mut self.waiting);
            late.iter().rev().for_each(|frame| self.deliver(frame));
        }
    }

    /// Key frame, temporal layer, switching point and number of packets as `how` says.
    fn picture(&mut self, encoding: u8, how: u8) -> Vec<Frame> {
        let (key, temporal) = (how & 4 != 0, (how >> 3 & 3) % 3);
        let temporal = if key { 0 } else { temporal };
        let source = &mut self.sources[usize::from(encoding)];
        source.picture = (source.picture + 1) & 0x7fff;
        source.tl0 = source.tl0.wrapping_add(u8::from(temporal == 0));
        let count = 1 + (how >> 6 & 1);
        let (first, second) = (source.picture >> 8, source.picture);
        let id = [0x80 | first as u8, second as u8];
        let sync = how & 0x20;
        (0..count)
            .map(|at| {
                source.sequence += 1;
                let start = if at == 0 { 0x10 } else { 0 };
                let mut payload = vec![0x80 | start, 0xe0, id[0], id[1], source.tl0];
                payload.extend([temporal << 6 | sync, u8::from(!key), 0, 0]);
                let width = 320_u16 << encoding;
                payload.extend([0x9d, 1, 0x2a, width as u8, (width >> 8) as u8, 180, 0]);
                Frame {
                    encoding,
                    sequence: source.sequence,
                    timestamp: self.ticks.wrapping_add(u32::from(encoding) << 30),
                    payload,
                }
            })
            .collect()
    }

    fn control(&mut self, kind: u8, how: u8) {
        let layer = Layer {
            spatial: how & 3,
            temporal: how >> 2 & 3,
        };
        match kind % 5 {
            0 => self
                .selector
                .set_target(Some(layer), LayerReason::Bandwidth),
            1 => self.selector.set_target(None, LayerReason::Bandwidth),
            2 => self.selector.stop(),
            3 => self.selector.set_preferences(Preferences {
                spatial: Some(layer.spatial),
                temporal: (how & 0x10 != 0).then_some(layer.temporal),
                max_fps: (how & 0x20 != 0).then_some(how >> 3),
                width: (how & 0x40 != 0).then_some(u16::from(how) * 8),
                ..Preferences::default()
            }),
            // Long enough for encodings to count as gone.
            _ => {
                let pause = u64::from(how) * 20;
                self.now += Duration::from_millis(pause);
                self.ticks = self.ticks.wrapping_add(pause as u32 * 90);
            }
        }
    }

    fn deliver(&mut self, frame: &Frame) {
        let ssrc = 100 + u32::from(frame.encoding);
        let arrival = Arrival {
            ssrc,
            sequence: frame.sequence,
            rid: Some(Rid::from(RIDS[usize::from(frame.encoding)])),
            codec: Codec::Vp8,
            payload: &frame.payload,
            descriptor: None,
            marker: true,
            now: self.now,
        };
        let Some((_, facts)) = self.encodings.handle_packet(arrival) else {
            return;
        };
        let rtp = rtp(
            self.now,
            ssrc,
            frame.sequence,
            frame.timestamp,
            &frame.payload,
        );
        let packet = Packet::new(&rtp, format(Codec::Vp8), facts);
        let sent = send(
            &mut self.selector,
            &mut self.rewriter,
            &self.encodings,
            &packet,
        );
        let Some(sent) = sent else { return };
        self.oracle.see(&sent, &frame.payload, !self.lossy);
    }

    /// Late packets that never came count as lost.
    fn end(self) -> usize {
        let holes = self.oracle.holes();
        assert!(holes <= self.lost + self.waiting.len(), "{holes} holes");
        self.oracle.seen.len()
    }
}

/// What a subscriber must see.
struct Oracle {
    /// Refuses a number that was sealed before, or comes too late to know.
    sealer: Sealer,
    seen: FxHashSet<u64>,
    last: Option<Seen>,
}

/// The newest packet.
#[derive(Clone, Copy, Debug)]
struct Seen {
    sequence: u64,
    timestamp: u32,
    picture: u16,
    tl0: u8,
}

impl Oracle {
    fn new() -> Self {
        let keys = Keys::new(Profile::AeadAes128Gcm, &[1; 16], &[2; 12]);
        Self {
            sealer: Sealer::new(&keys.expect("the profile's lengths")),
            seen: FxHashSet::default(),
            last: None,
        }
    }

    fn see(&mut self, sent: &Outgoing, payload: &[u8], strict: bool) {
        let sequence = sent.numbers.sequence;
        assert!(self.seen.insert(sequence), "{sequence} goes out twice");
        let [high, low] = (sequence as u16).to_be_bytes();
        let mut buf = [0; 32];
        buf[..4].copy_from_slice(&[0x80, 96, high, low]);
        let sealed = self.sealer.seal_rtp(12, 4, &mut buf, sequence);
        assert!(sealed.is_ok(), "{sequence}: {sealed:?}");
        if sent.is_empty {
            assert!(!strict, "a hole without a loss");
            return;
        }
        let mut rewritten = payload.to_vec();
        if let Some(patch) = sent.numbers.patch {
            rewritten.splice(..patch.lens().0, patch.bytes().iter().copied());
        }
        let id = u16::from_be_bytes([rewritten[2] & 0x7f, rewritten[3]]);
        let now = Seen {
            sequence,
            timestamp: sent.numbers.timestamp,
            picture: id,
            tl0: rewritten[4],
        };
        if let Some(last) = self.last
            && strict
        {
            let (base, starts) = (rewritten[5] >> 6 == 0, rewritten[0] & 0x10 != 0);
            now.follows(last, starts, base);
        }
        self.last = Some(now);
    }

    fn holes(&self) -> usize {
        let bounds = self.seen.iter().min().zip(self.seen.iter().max());
        bounds.map_or(0, |(first, last)| {
            (last - first + 1) as usize - self.seen.len()
        })
    }
}

impl Seen {
    fn follows(self, last: Self, starts: bool, base: bool) {
        assert_eq!(self.sequence, last.sequence + 1, "{self:?} after {last:?}");
        let ticks = self.timestamp.wrapping_sub(last.timestamp) as i32;
        let step = u16::from(starts);
        assert_eq!(ticks > 0, starts, "{self:?} after {last:?}");
        assert!(ticks >= 0, "{self:?} after {last:?}");
        let picture = (last.picture + step) & 0x7fff;
        assert_eq!(self.picture, picture, "{self:?} after {last:?}");
        let tl0 = last.tl0.wrapping_add(u8::from(starts && base));
        assert_eq!(self.tl0, tl0, "{self:?} after {last:?}");
    }
}

/// What goes out for a packet.
struct Outgoing {
    numbers: Numbers,
    is_empty: bool,
}

/// As [`crate::subscriber`] does it.
fn send(
    selector: &mut Selector,
    rewriter: &mut Rewriter,
    encodings: &Encodings,
    packet: &Packet<'_>,
) -> Option<Outgoing> {
    let original = packet.original();
    let (numbers, is_empty) = match selector.admit(packet, encodings) {
        Admission::Pass { starts_run, .. } => (rewriter.rewrite(&original, starts_run)?, false),
        Admission::Skip => (rewriter.hold(&original)?, true),
        Admission::Ignore => return None,
    };
    Some(Outgoing { numbers, is_empty })
}

fn rtp(now: Instant, ssrc: u32, sequence: u64, timestamp: u32, payload: &[u8]) -> Rtp {
    Rtp {
        seq_no: sequence.into(),
        header: RtpHeader {
            sequence_number: sequence as u16,
            timestamp,
            ssrc: ssrc.into(),
            ..RtpHeader::default()
        },
        payload: Payload::from(payload),
        timestamp: now,
        report: None,
    }
}

fn format(codec: Codec) -> Format {
    Format {
        payload_type: 96,
        spec: CodecSpec {
            codec,
            clock_rate: Frequency::NINETY_KHZ,
            channels: None,
            format: FormatParams::default(),
        },
        red: false,
        primary: 96,
    }
}

const CODECS: [Codec; 4] = [Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H264];
const RIDS: [&str; 3] = ["low", "mid", "high"];
