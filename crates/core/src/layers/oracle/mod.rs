//! The oracle of switching: whatever is wished, lost, late or restarted, what a receiver gets is
//! one stream that it can decode.
//!
//! A publisher by the book (`publisher`) sends through a bad network to a selector and a
//! rewriter, whose wishes change all the time; `receiver` knows the truth about every packet and
//! checks what comes out. Everything follows from a seed, which a failure names.

mod publisher;
mod receiver;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use str0m::format::{Codec, CodecConfig};
use str0m::rtp::RtpHeader;

use self::publisher::{Kind, Mode, Publisher, Sent};
use self::receiver::{Output, Receiver};
use super::encodings::{Arrival, Encodings};
use super::selector::{Admission, Selector};
use crate::codec::Format;
use crate::extension::DependencyDescriptor;
use crate::layer::{Layer, LayerReason, Preferences};
use crate::packet::{Packet, Rtp};
use crate::rewrite::Rewriter;

/// A generator that is the same everywhere (splitmix64).
#[derive(Clone)]
pub(super) struct Dice(u64);

impl Dice {
    fn word(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as u32
    }

    fn below(&mut self, most: usize) -> usize {
        self.word() as usize % most
    }

    /// True in so many of a thousand cases.
    fn chance(&mut self, permille: usize) -> bool {
        self.below(1000) < permille
    }
}

/// What goes wrong, in permille.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    /// Lost and repaired later; lost for ever.
    late: usize,
    lost: usize,
    swapped: usize,
    doubled: usize,
    /// Of pictures: an encoder starts anew; the subscriber pauses.
    restarts: usize,
    pauses: usize,
}

struct Story {
    publisher: Publisher,
    encodings: Encodings,
    selector: Selector,
    rewriter: Rewriter,
    receiver: Receiver,
    dice: Dice,
    trouble: Trouble,
    /// Packets under way, by when they arrive.
    wire: BTreeMap<(u64, u64), Sent>,
    step: u64,
    now: Instant,
    format: Format,
    /// Pictures until the key frames that were asked for come.
    asked: BTreeMap<u8, usize>,
}

impl Story {
    fn new(kind: Kind, seed: u64, trouble: Trouble) -> Self {
        let rids: &[&str] = if kind.is_simulcast() {
            &["q", "h", "f"]
        } else {
            &[]
        };
        #[allow(clippy::disallowed_methods)] // a test needs some moment to start from
        let now = Instant::now();
        Self {
            publisher: Publisher::new(kind, Dice(seed)),
            encodings: Encodings::new(rids.iter().copied()),
            selector: Selector::default(),
            rewriter: Rewriter::new(seed & 0x7fff),
            receiver: Receiver::default(),
            dice: Dice(!seed),
            trouble,
            wire: BTreeMap::new(),
            step: 0,
            now,
            format: format(kind.codec()),
            asked: BTreeMap::new(),
        }
    }

    /// One picture: 33 ms.
    fn picture(&mut self) {
        self.now += Duration::from_millis(33);
        self.publish();
        for sent in self.publisher.next() {
            self.step += 1;
            self.send(sent);
            while let Some(entry) = self.wire.first_entry().filter(|e| e.key().0 <= self.step) {
                let sent = entry.remove();
                self.arrive(&sent);
            }
        }
    }

    /// Key frames come some pictures after they were asked for.
    fn publish(&mut self) {
        if let Some(encoding) = self.selector.awaited() {
            let wait = 1 + self.dice.below(4);
            self.asked.entry(encoding).or_insert(wait);
        }
        for (encoding, wait) in std::mem::take(&mut self.asked) {
            match wait.checked_sub(1) {
                Some(0) | None => self.publisher.ask(encoding),
                Some(left) => {
                    self.asked.insert(encoding, left);
                }
            }
        }
    }

    fn send(&mut self, sent: Sent) {
        let Trouble {
            late,
            lost,
            swapped,
            doubled,
            ..
        } = self.trouble;
        if self.dice.chance(lost) {
            return self.receiver.lost(&sent);
        }
        let mut due = self.step;
        if self.dice.chance(late) {
            due += 5 + self.dice.below(60) as u64;
        } else if self.dice.chance(swapped) {
            due += 1 + self.dice.below(6) as u64;
        }
        if self.dice.chance(doubled) {
            let again = due + self.dice.below(20) as u64;
            self.wire.insert((again, self.step << 1 | 1), sent.clone());
        }
        self.wire.insert((due, self.step << 1), sent);
    }

    fn arrive(&mut self, sent: &Sent) {
        let rid = ["q", "h", "f"][sent.place];
        let descriptor = sent.descriptor.as_deref();
        let Some((_, facts)) = self.encodings.handle_packet(Arrival {
            ssrc: sent.ssrc,
            sequence: sent.sequence,
            rid: self.publisher.kind.is_simulcast().then(|| rid.into()),
            codec: self.publisher.kind.codec(),
            payload: &sent.payload,
            descriptor,
            marker: sent.marker,
            now: self.now,
        }) else {
            return self.receiver.got(sent, None);
        };
        let mut header = RtpHeader {
            marker: sent.marker,
            timestamp: sent.timestamp,
            ssrc: sent.ssrc.into(),
            ..RtpHeader::default()
        };
        if let Some(bytes) = descriptor {
            header
                .ext_vals
                .user_values
                .set(DependencyDescriptor(bytes.into()));
        }
        let rtp = Rtp {
            seq_no: sent.sequence.into(),
            header,
            payload: sent.payload.clone().into(),
            timestamp: self.now,
            report: None,
        };
        let packet = Packet::new(&rtp, self.format, facts);
        let original = packet.original();
        let (numbers, marker, filler) = match self.selector.admit(&packet, &self.encodings) {
            Admission::Pass { starts_run, marker } => {
                (self.rewriter.rewrite(&original, starts_run), marker, false)
            }
            Admission::Skip => (self.rewriter.hold(&original), false, true),
            Admission::Ignore => (None, false, false),
        };
        let numbers = numbers.map(|numbers| Output::new(numbers, marker, filler, sent));
        self.receiver.got(sent, numbers);
    }

    /// Another wish, as an application or an allocator makes it.
    fn wish(&mut self) {
        let layer = Layer {
            spatial: self.dice.below(3) as u8,
            temporal: self.dice.below(3) as u8,
        };
        if self.dice.chance(500) {
            self.selector
                .set_target(Some(layer), LayerReason::Bandwidth);
        } else {
            self.selector.set_preferences(Preferences {
                spatial: Some(layer.spatial),
                temporal: self.dice.chance(500).then_some(layer.temporal),
                ..Preferences::default()
            });
        }
        self.selector.update(&self.encodings);
    }

    fn trouble(&mut self) {
        if self.dice.chance(self.trouble.restarts) {
            let streams = if self.publisher.kind.is_simulcast() {
                3
            } else {
                1
            };
            let place = self.dice.below(streams);
            self.publisher.restart(place);
        }
        if self.dice.chance(self.trouble.pauses) {
            self.selector.stop();
        }
    }

    /// Much happens; then all is quiet, and what was wished last is what comes.
    fn run(mut self) {
        for _ in 0..400 {
            if self.dice.chance(60) {
                self.wish();
            }
            self.trouble();
            self.picture();
        }
        self.trouble = Trouble::default();
        for _ in 0..90 {
            self.picture();
        }
        let wished = Layer {
            spatial: self.dice.below(3) as u8,
            temporal: self.dice.below(3) as u8,
        };
        self.selector
            .set_target(Some(wished), LayerReason::Requested);
        for _ in 0..40 {
            self.picture();
        }
        let top = if self.publisher.kind == (Kind::H264 { described: false }) {
            0
        } else {
            wished.temporal
        };
        let reached = Layer {
            temporal: top,
            ..wished
        };
        assert_eq!(
            self.selector.current(),
            Some(reached),
            "the wish of {wished:?} is fulfilled"
        );
        assert_eq!(
            self.selector.awaited(),
            None,
            "and nothing more is asked for"
        );
        self.receiver.check(&self.publisher);
        self.receiver
            .check_lean(&self.publisher, reached.spatial, 20);
    }
}

fn format(codec: Codec) -> Format {
    let params = CodecConfig::new_with_defaults();
    let params = params
        .params()
        .iter()
        .find(|params| params.spec().codec == codec);
    let params = params.expect("str0m knows the codec");
    Format {
        payload_type: *params.pt(),
        spec: params.spec(),
        red: false,
        primary: *params.pt(),
    }
}

fn stories(kind: Kind, trouble: Trouble) {
    for seed in 0..SEEDS {
        let outcome = std::panic::catch_unwind(|| Story::new(kind, seed, trouble).run());
        if let Err(panic) = outcome {
            eprintln!("seed {seed} of {kind:?} with {trouble:?}");
            std::panic::resume_unwind(panic);
        }
    }
}

const KINDS: [Kind; 11] = [
    Kind::Vp8,
    Kind::H264 { described: false },
    Kind::H264 { described: true },
    Kind::Vp9(Mode::Encodings),
    Kind::Av1(Mode::Encodings),
    Kind::Vp9(Mode::Full),
    Kind::Vp9(Mode::Key),
    Kind::Vp9(Mode::Independent),
    Kind::Av1(Mode::Full),
    Kind::Av1(Mode::Key),
    Kind::Av1(Mode::Independent),
];

/// Any order of switches on a good line: no number is missing, every picture can be decoded.
#[test]
fn switches() {
    KINDS
        .into_iter()
        .for_each(|kind| stories(kind, Trouble::default()));
}

/// With pauses and encoders that start anew.
#[test]
fn pauses_and_restarts() {
    let trouble = Trouble {
        restarts: 10,
        pauses: 20,
        ..Trouble::default()
    };
    KINDS.into_iter().for_each(|kind| stories(kind, trouble));
}

/// Packets overtake each other and come twice.
#[test]
fn reordering() {
    let trouble = Trouble {
        swapped: 50,
        doubled: 20,
        pauses: 5,
        ..Trouble::default()
    };
    KINDS.into_iter().for_each(|kind| stories(kind, trouble));
}

/// Packets are lost, most of them come late, some never.
#[test]
fn loss() {
    let trouble = Trouble {
        late: 50,
        lost: 5,
        swapped: 20,
        doubled: 5,
        restarts: 3,
        pauses: 3,
    };
    KINDS.into_iter().for_each(|kind| stories(kind, trouble));
}

const SEEDS: u64 = 90;
