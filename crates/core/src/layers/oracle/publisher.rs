//! A publisher by the book: pictures, their layers and references, as packets of four formats.

use str0m::format::Codec;

use super::Dice;
use crate::layer::Layer;

/// What is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Three encodings with three temporal layers each.
    Vp8,
    /// Three encodings; what a dependency descriptor tells of three temporal layers in each, where there is one.
    H264 {
        described: bool,
    },
    /// Three by three layers.
    Vp9(Mode),
    Av1(Mode),
}

/// How spatial layers depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// L3T3: always.
    Full,
    /// L3T3_KEY: in key pictures.
    Key,
    /// S3T3: never.
    Independent,
    /// Each is an encoding, a stream of its own with L1T3.
    Encodings,
}

/// A frame of one spatial layer, or of one encoding.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) ssrc: u32,
    pub(super) picture: u64,
    pub(super) layer: Layer,
    /// What it needs, as places in the list of all frames.
    pub(super) needs: Vec<usize>,
    pub(super) packets: usize,
}

/// A packet on the wire.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) ssrc: u32,
    pub(super) place: usize,
    pub(super) sequence: u64,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: Vec<u8>,
    pub(super) descriptor: Option<Vec<u8>>,
    pub(super) frame: usize,
}

/// The publisher.
pub(super) struct Publisher {
    pub(super) kind: Kind,
    pub(super) frames: Vec<Frame>,
    pub(super) picture: u64,
    streams: Vec<Stream>,
    dice: Dice,
}

struct Stream {
    ssrc: u32,
    sequence: u64,
    clock: u32,
    number: u16,
    tl0: u8,
    /// Place in the temporal pattern; a key frame starts it.
    phase: usize,
    wants_key: bool,
    /// The newest frame of each layer, with its number.
    newest: [[Option<(usize, u16)>; 3]; 3],
}

impl Publisher {
    pub(super) fn new(kind: Kind, mut dice: Dice) -> Self {
        let count = if kind.is_simulcast() { 3 } else { 1 };
        let streams = (0..count).map(|_| Stream::new(&mut dice)).collect();
        Self {
            kind,
            frames: Vec::new(),
            picture: 0,
            streams,
            dice,
        }
    }

    /// A key frame of this encoding is asked for.
    pub(super) fn ask(&mut self, encoding: u8) {
        self.streams[usize::from(encoding)].wants_key = true;
    }

    /// The browser starts an encoder anew.
    pub(super) fn restart(&mut self, encoding: usize) {
        self.streams[encoding] = Stream::new(&mut self.dice);
    }

    /// All packets of the next picture.
    pub(super) fn next(&mut self) -> Vec<Sent> {
        self.picture += 1;
        let mut sent = Vec::new();
        for place in 0..self.streams.len() {
            sent.extend(self.encode(place));
        }
        sent
    }

    fn encode(&mut self, place: usize) -> Vec<Sent> {
        let (kind, picture) = (self.kind, self.picture);
        let stream = &mut self.streams[place];
        let is_key = std::mem::take(&mut stream.wants_key);
        stream.phase = if is_key { 0 } else { (stream.phase + 1) % 4 };
        let temporal = match kind {
            Kind::H264 { described: false } => 0,
            _ => [0, 2, 1, 2][stream.phase],
        };
        if temporal == 0 {
            stream.tl0 = stream.tl0.wrapping_add(1);
        }
        let spatial = if kind.is_simulcast() { 1 } else { 3 };
        let timestamp = stream.clock.wrapping_add(picture as u32 * 3000);
        if !kind.is_described() {
            stream.number = stream.number.wrapping_add(1);
        }
        let mut sent = Vec::new();
        for s in 0..spatial {
            if kind.is_described() {
                stream.number = stream.number.wrapping_add(1);
            }
            let layer = Layer {
                spatial: s,
                temporal,
            };
            let needs = stream.needs(kind, layer, is_key);
            let packets = 1 + self.dice.below(3);
            self.frames.push(Frame {
                ssrc: stream.ssrc,
                picture,
                layer,
                needs: needs.iter().map(|(frame, _)| *frame).collect(),
                packets,
            });
            let frame = self.frames.len() - 1;
            stream.newest[usize::from(s)][usize::from(temporal)] = Some((frame, stream.number));
            for index in 0..packets {
                stream.sequence += 1;
                let part = Part {
                    layer,
                    is_key,
                    needs: &needs,
                    first: index == 0,
                    last: index + 1 == packets,
                };
                sent.push(Sent {
                    ssrc: stream.ssrc,
                    place,
                    sequence: stream.sequence,
                    timestamp,
                    marker: part.last && s + 1 == spatial,
                    payload: stream.payload(kind, &part),
                    descriptor: (kind.is_described())
                        .then(|| stream.descriptor(kind.mode(), place, &part)),
                    frame,
                });
            }
        }
        sent
    }
}

/// One packet of a frame.
struct Part<'a> {
    layer: Layer,
    is_key: bool,
    /// Frames and their numbers.
    needs: &'a [(usize, u16)],
    first: bool,
    last: bool,
}

impl Kind {
    pub(super) const fn is_simulcast(self) -> bool {
        matches!(self.mode(), Mode::Encodings)
    }

    /// Each frame has a number, in a dependency descriptor.
    const fn is_described(self) -> bool {
        matches!(self, Self::Av1(_) | Self::H264 { described: true })
    }

    pub(super) const fn codec(self) -> Codec {
        match self {
            Self::Vp8 => Codec::Vp8,
            Self::H264 { .. } => Codec::H264,
            Self::Vp9(_) => Codec::Vp9,
            Self::Av1(_) => Codec::Av1,
        }
    }

    const fn mode(self) -> Mode {
        match self {
            Self::Vp8 | Self::H264 { .. } => Mode::Encodings,
            Self::Vp9(mode) | Self::Av1(mode) => mode,
        }
    }
}

impl Stream {
    fn new(dice: &mut Dice) -> Self {
        Self {
            ssrc: dice.word(),
            sequence: u64::from(dice.word() & 0x7fff) + (1 << 17),
            clock: dice.word(),
            number: dice.word() as u16,
            tl0: dice.word() as u8,
            phase: 0,
            wants_key: true,
            newest: Default::default(),
        }
    }

    /// The pattern 0 2 1 2: a second 2 needs the 1 before it.
    fn needs(&self, kind: Kind, layer: Layer, is_key: bool) -> Vec<(usize, u16)> {
        let own = &self.newest[usize::from(layer.spatial)];
        let mut needs = Vec::new();
        if !is_key {
            let before = match (layer.temporal, self.phase) {
                (2, 3) => own[1],
                _ => own[0],
            };
            needs.extend(before);
        }
        let on_lower = match kind.mode() {
            Mode::Full => true,
            Mode::Key => is_key,
            Mode::Independent | Mode::Encodings => false,
        };
        if layer.spatial > 0 && on_lower {
            let lower = &self.newest[usize::from(layer.spatial) - 1];
            needs.extend(lower[usize::from(layer.temporal)]);
        }
        needs
    }

    fn payload(&self, kind: Kind, part: &Part<'_>) -> Vec<u8> {
        let Layer { spatial, temporal } = part.layer;
        match kind {
            Kind::H264 { .. } if part.is_key && part.first => vec![0x65, 1, 2, 3],
            Kind::H264 { .. } => vec![0x41, 1, 2, 3],
            Kind::Av1(_) => vec![
                if part.is_key && part.first && spatial == 0 {
                    0x18
                } else {
                    0x10
                },
                1,
                2,
            ],
            Kind::Vp8 => {
                let [high, low] = self.number.to_be_bytes();
                let sync = u8::from(temporal > 0 && self.phase != 3) << 5;
                let start = if part.first { 0x90 } else { 0x80 };
                let mut payload = vec![
                    start,
                    0xe0,
                    high | 0x80,
                    low,
                    self.tl0,
                    temporal << 6 | sync,
                ];
                payload.push(u8::from(!(part.is_key && part.first)));
                payload.extend([0; 9]);
                payload
            }
            Kind::Vp9(_) => {
                let [high, low] = self.number.to_be_bytes();
                let on_lower = part.needs.iter().any(|(_, number)| *number == self.number);
                let distances: Vec<u16> = (part.needs.iter())
                    .map(|(_, number)| self.number.wrapping_sub(*number))
                    .filter(|distance| *distance > 0)
                    .collect();
                let sync = u8::from(temporal > 0 && self.phase != 3) << 4;
                let mut flags = 0x80 | 0x20 | 0x10;
                flags |= if distances.is_empty() { 0 } else { 0x40 };
                flags |= if part.first { 0x08 } else { 0 } | if part.last { 0x04 } else { 0 };
                let mode = kind.mode();
                // Of the picture, the spatial layers above do without it.
                let alone = mode == Mode::Independent || mode == Mode::Key && !part.is_key;
                flags |= u8::from(alone);
                let structured = part.is_key && part.first && spatial == 0;
                flags |= u8::from(structured) << 1;
                let mut payload = vec![flags, high | 0x80, low];
                payload.push(temporal << 5 | sync | spatial << 1 | u8::from(on_lower));
                for (n, distance) in distances.iter().enumerate() {
                    payload.push((*distance as u8) << 1 | u8::from(n + 1 < distances.len()));
                }
                if structured {
                    let more = if kind.is_simulcast() { 0 } else { 2 };
                    payload.push(more << 5); // so many more spatial layers, whose sizes are not told
                }
                payload.extend([9; 8]);
                payload
            }
        }
    }

    /// A dependency descriptor with everything spelt out; key pictures bring the structure.
    fn descriptor(&self, mode: Mode, place: usize, part: &Part<'_>) -> Vec<u8> {
        let Layer { spatial, temporal } = part.layer;
        let mut bits = Bits::default();
        bits.put(u32::from(part.first), 1);
        bits.put(u32::from(part.last), 1);
        bits.put(u32::from(spatial * 3 + temporal), 6);
        bits.put(self.number.into(), 16);
        let structured = part.is_key && part.first && spatial == 0;
        for flag in [structured, false, part.is_key, true, false] {
            bits.put(flag.into(), 1);
        }
        if structured {
            bits.structure(mode, place);
        }
        if part.is_key {
            bits.indications(mode, part.layer, true);
        }
        for (_, number) in part.needs {
            bits.put(2, 2);
            bits.put(u32::from(self.number.wrapping_sub(*number)) - 1, 8);
        }
        bits.put(0, 2);
        bits.bytes()
    }
}

#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        self.0.extend((0..count).rev().map(|n| value >> n & 1 == 1));
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            (0..8).fold(0, |byte, n| {
                byte << 1 | u8::from(bits.get(n) == Some(&true))
            })
        };
        self.0.chunks(8).map(byte).collect()
    }

    /// One template and one target for each of the layers, nine of them or an encoding's three.
    fn structure(&mut self, mode: Mode, place: usize) {
        self.put(0, 6);
        let count = layers(mode).count() as u32;
        self.put(count - 1, 5);
        for next in 1..=count {
            let last = if next == count {
                3
            } else {
                1 + u32::from(next % 3 == 0)
            };
            self.put(last, 2);
        }
        for layer in layers(mode) {
            self.indications(mode, layer, false);
        }
        self.put(0, count); // templates have no references
        self.put(0, if count == 9 { 3 } else { 2 }); // ns(count + 1): no chains
        self.put(1, 1);
        let sizes = [[320, 180], [640, 360], [1280, 720]];
        let own = if mode == Mode::Encodings {
            &sizes[place..=place]
        } else {
            &sizes[..]
        };
        for side in own.iter().flatten() {
            self.put(side - 1, 16);
        }
    }

    fn indications(&mut self, mode: Mode, layer: Layer, is_key: bool) {
        for target in layers(mode) {
            let below = layer.spatial < target.spatial
                && (mode == Mode::Full || mode == Mode::Key && is_key);
            let present =
                layer.temporal <= target.temporal && (layer.spatial == target.spatial || below);
            let switch = is_key || layer.spatial == target.spatial && layer.temporal < 2;
            self.put(
                if !present {
                    0
                } else if switch {
                    2
                } else if layer.temporal == 2 {
                    1
                } else {
                    3
                },
                2,
            );
        }
    }
}

fn layers(mode: Mode) -> impl Iterator<Item = Layer> {
    let spatial = if mode == Mode::Encodings { 1 } else { 3 };
    (0..spatial).flat_map(|spatial| (0..3).map(move |temporal| Layer { spatial, temporal }))
}
