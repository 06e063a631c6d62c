//! What a receiver would notice, checked against what is true of each packet.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::publisher::{Frame, Kind, Publisher, Sent};
use crate::rewrite::Numbers;

/// A packet as it went out.
#[derive(Clone, Debug)]
pub(super) struct Output {
    numbers: Copied,
    marker: bool,
    /// Empty, in the place of one that was held back.
    filler: bool,
    payload: Vec<u8>,
    /// Frame number of its descriptor, as sent out.
    number: Option<u16>,
    frame: usize,
    ssrc: u32,
}

#[derive(Clone, Copy, Debug)]
struct Copied {
    sequence: u64,
    timestamp: u32,
}

impl Output {
    pub(super) fn new(numbers: Numbers, marker: bool, filler: bool, sent: &Sent) -> Self {
        let mut payload = sent.payload.clone();
        if let Some(patch) = &numbers.patch {
            let (replaces, _) = patch.lens();
            payload.splice(..replaces, patch.bytes().iter().copied());
        }
        let own = sent
            .descriptor
            .as_ref()
            .map(|bytes| u16::from_be_bytes([bytes[1], bytes[2]]));
        Self {
            numbers: Copied {
                sequence: numbers.sequence,
                timestamp: numbers.timestamp,
            },
            marker,
            filler,
            payload,
            number: numbers.frame_number.or(own),
            frame: sent.frame,
            ssrc: sent.ssrc,
        }
    }
}

/// All that came out, and what became of what went in.
#[derive(Default)]
pub(super) struct Receiver {
    outputs: BTreeMap<u64, Output>,
    /// Frames with a packet that never arrived at the server.
    torn: BTreeSet<usize>,
    /// Packets that left a number open for good: lost, or refused when they came late.
    missing: usize,
    newest: FxHashMap<u32, u64>,
    passed: BTreeSet<(u32, u64)>,
    /// Frames of which a packet came when it could no longer go out.
    refused: BTreeSet<usize>,
    /// Pictures of which something went out.
    begun: BTreeSet<(u32, u32)>,
}

impl Receiver {
    pub(super) fn lost(&mut self, sent: &Sent) {
        self.torn.insert(sent.frame);
        self.missing += 1;
    }

    pub(super) fn got(&mut self, sent: &Sent, output: Option<Output>) {
        let newest = self.newest.entry(sent.ssrc).or_default();
        let is_late = sent.sequence < *newest;
        *newest = sent.sequence.max(*newest);
        let Some(output) = output else {
            let is_cut = self.begun.contains(&(sent.ssrc, sent.timestamp));
            if (is_late || is_cut) && !self.passed.contains(&(sent.ssrc, sent.sequence)) {
                self.missing += usize::from(is_late);
                self.refused.insert(sent.frame);
            }
            return;
        };
        self.begun.insert((sent.ssrc, sent.timestamp));
        assert!(
            self.passed.insert((sent.ssrc, sent.sequence)),
            "{sent:?} passes twice"
        );
        let before = self.outputs.insert(output.numbers.sequence, output);
        assert!(before.is_none(), "{sent:?} takes the number of {before:?}");
    }

    pub(super) fn check(&self, publisher: &Publisher) {
        let all: Vec<&Output> = self.outputs.values().collect();
        self.check_sequence(&all);
        let real: Vec<&Output> = all
            .iter()
            .copied()
            .filter(|output| !output.filler)
            .collect();
        self.check_times(&real, publisher);
        self.check_decodable(&real, publisher);
        match publisher.kind {
            Kind::Vp8 => self.check_vp8(&real, &publisher.frames),
            Kind::Vp9(_) => self.check_references(&real, &publisher.frames, vp9),
            Kind::Av1(_) | Kind::H264 { described: true } => {
                self.check_references(&real, &publisher.frames, |output| {
                    output.number.unwrap_or_default()
                });
            }
            Kind::H264 { described: false } => {}
        }
    }

    /// A number is missing only where a packet is.
    fn check_sequence(&self, all: &[&Output]) {
        let (first, last) = (all[0].numbers.sequence, all[all.len() - 1].numbers.sequence);
        let holes = (last - first) as usize + 1 - all.len();
        assert!(
            holes <= self.missing,
            "{holes} holes for {} packets",
            self.missing
        );
    }

    /// Time goes on with every picture, and the marker ends it.
    fn check_times(&self, real: &[&Output], publisher: &Publisher) {
        let frames = &publisher.frames;
        let picture = |output: &Output| (output.ssrc, frames[output.frame].picture);
        let is_whole = |output: &Output| {
            let (ssrc, number) = picture(output);
            let gone = self.torn.iter().chain(&self.refused);
            gone.map(|frame| &frames[*frame])
                .all(|f| (f.ssrc, f.picture) != (ssrc, number))
        };
        for pair in real.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let ticks = b.numbers.timestamp.wrapping_sub(a.numbers.timestamp);
            if picture(a) == picture(b) {
                assert_eq!(ticks, 0, "{a:?} {b:?} are of one picture");
                assert!(!a.marker, "{a:?} is not the last, {b:?} follows");
            } else {
                assert!(
                    ticks > 0 && ticks < 1 << 31,
                    "time runs from {a:?} to {b:?}"
                );
                assert!(a.marker || !is_whole(a), "{a:?} ends a picture");
            }
        }
    }

    /// What came whole has all that it needs.
    fn check_decodable(&self, real: &[&Output], publisher: &Publisher) {
        let mut packets: FxHashMap<usize, usize> = FxHashMap::default();
        for output in real {
            *packets.entry(output.frame).or_default() += 1;
        }
        let gone = |frame: &usize| self.torn.contains(frame) || self.refused.contains(frame);
        for (frame, count) in &packets {
            let truth = &publisher.frames[*frame];
            assert!(
                *count == truth.packets || gone(frame),
                "{truth:?} is whole, not {count} packets"
            );
            for need in &truth.needs {
                assert!(
                    packets.contains_key(need) || gone(need),
                    "{truth:?} needs {:?}, which was held back",
                    publisher.frames[*need]
                );
            }
        }
    }

    /// Of the last pictures came what the layer needs, and nothing else.
    pub(super) fn check_lean(&self, publisher: &Publisher, spatial: u8, pictures: u64) {
        let frames = &publisher.frames;
        let passed: BTreeSet<usize> = (self.outputs.values())
            .filter(|output| !output.filler)
            .map(|output| output.frame)
            .filter(|frame| frames[*frame].picture + pictures > publisher.picture)
            .collect();
        assert!(!passed.is_empty(), "the stream goes on");
        if publisher.kind.is_simulcast() {
            return;
        }
        for frame in &passed {
            let serves = |other: &usize| frames[*other].needs.contains(frame);
            assert!(
                frames[*frame].layer.spatial == spatial || passed.iter().any(serves),
                "{:?} serves nobody who gets layer {spatial}",
                frames[*frame]
            );
        }
    }

    /// Picture ids count on by one, TL0PICIDX with every base frame.
    fn check_vp8(&self, real: &[&Output], frames: &[Frame]) {
        let is_clean = self.missing == 0;
        for pair in real.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let id =
                |output: &Output| u16::from_be_bytes([output.payload[2] & 0x7f, output.payload[3]]);
            let step = id(b).wrapping_sub(id(a)) & 0x7fff;
            let base = b.payload[4].wrapping_sub(a.payload[4]);
            if a.frame == b.frame {
                assert_eq!((step, base), (0, 0), "one picture, one number");
                continue;
            }
            let is_base = frames[b.frame].layer.temporal == 0;
            assert!(
                step == 1 || !is_clean && step > 0 && step < 100,
                "{a:?} then {b:?}"
            );
            assert!(
                base == u8::from(is_base) || !is_clean && base < 50,
                "{a:?} then {b:?}"
            );
        }
    }

    /// Numbers grow, and the distances to what a frame needs still hold.
    fn check_references(&self, real: &[&Output], frames: &[Frame], id: impl Fn(&Output) -> u16) {
        let mut numbers: FxHashMap<usize, u16> = FxHashMap::default();
        let mut last: Option<&Output> = None;
        for output in real {
            let number = id(output);
            let known = *numbers.entry(output.frame).or_insert(number);
            assert_eq!(known, number, "one frame, one number");
            if let Some(last) = last.filter(|last| last.frame != output.frame) {
                let step = number.wrapping_sub(id(last)) & 0x7fff;
                let same_picture = frames[last.frame].picture == frames[output.frame].picture;
                assert!(
                    step > 0 && step < 1 << 13 || same_picture,
                    "{last:?} then {output:?}"
                );
            }
            last = Some(output);
        }
        for (frame, number) in &numbers {
            let truth = &frames[*frame];
            for (need, other) in truth
                .needs
                .iter()
                .filter_map(|need| Some((need, numbers.get(need)?)))
            {
                let distance = number.wrapping_sub(*other) & 0x7fff;
                let pictures = truth.picture - frames[*need].picture;
                assert!(
                    u64::from(distance) <= 3 * pictures + 2,
                    "{truth:?} is {distance} from what it needs"
                );
            }
        }
    }
}

fn vp9(output: &Output) -> u16 {
    u16::from_be_bytes([output.payload[1] & 0x7f, output.payload[2]])
}
