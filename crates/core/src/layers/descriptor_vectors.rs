//! What senders really send, read: the structures of some scalability modes with templates and
//! chains as libwebrtc has them, written as AV1 RTP 1.0 appendix A.8 says, and packets of a Chromium.

use std::collections::BTreeSet;

use super::dependency_descriptor::{Malformed, Structure, bit};
use crate::layer::Layer;

/// One template: its layer, decode target indications, frame distances, chain distances.
struct Row(u8, u8, &'static str, &'static [u32], &'static [u32]);

/// A scalability mode: temporal layers, and all templates in order.
struct Mode {
    name: &'static str,
    temporal: u8,
    /// The chain that protects each target; none without chains.
    protected: &'static [u32],
    rows: &'static [Row],
}

const L1T1: Mode = Mode {
    name: "L1T1",
    temporal: 1,
    protected: &[0],
    rows: &[Row(0, 0, "S", &[], &[0]), Row(0, 0, "S", &[1], &[1])],
};

const L1T3: Mode = Mode {
    name: "L1T3",
    temporal: 3,
    protected: &[0, 0, 0],
    rows: &[
        Row(0, 0, "SSS", &[], &[0]),
        Row(0, 0, "SSS", &[4], &[4]),
        Row(0, 1, "-DS", &[2], &[2]),
        Row(0, 2, "--D", &[1], &[1]),
        Row(0, 2, "--D", &[1], &[3]),
    ],
};

const L3T3: Mode = Mode {
    name: "L3T3",
    temporal: 3,
    protected: &[0, 0, 0, 1, 1, 1, 2, 2, 2],
    rows: &[
        Row(0, 0, "SSSRRRRRR", &[12], &[12, 11, 10]),
        Row(0, 0, "SSSSSSSSS", &[], &[0, 0, 0]),
        Row(0, 1, "-DS-RR-RR", &[6], &[6, 5, 4]),
        Row(0, 2, "--D--R--R", &[3], &[3, 2, 1]),
        Row(0, 2, "--D--R--R", &[3], &[9, 8, 7]),
        Row(1, 0, "---SSSRRR", &[12, 1], &[1, 1, 1]),
        Row(1, 0, "---SSSSSS", &[1], &[1, 1, 1]),
        Row(1, 1, "----DS-RR", &[6, 1], &[7, 6, 5]),
        Row(1, 2, "-----D--R", &[3, 1], &[4, 3, 2]),
        Row(1, 2, "-----D--R", &[3, 1], &[10, 9, 8]),
        Row(2, 0, "------SSS", &[12, 1], &[2, 1, 1]),
        Row(2, 0, "------SSS", &[1], &[2, 1, 1]),
        Row(2, 1, "-------DS", &[6, 1], &[8, 7, 6]),
        Row(2, 2, "--------D", &[3, 1], &[5, 4, 3]),
        Row(2, 2, "--------D", &[3, 1], &[11, 10, 9]),
    ],
};

const L3T3_KEY: Mode = Mode {
    name: "L3T3_KEY",
    temporal: 3,
    protected: &[0, 0, 0, 1, 1, 1, 2, 2, 2],
    rows: &[
        Row(0, 0, "SSSSSSSSS", &[], &[0, 0, 0]),
        Row(0, 0, "SSS------", &[12], &[12, 11, 10]),
        Row(0, 1, "-DS------", &[6], &[6, 5, 4]),
        Row(0, 2, "--D------", &[3], &[3, 2, 1]),
        Row(0, 2, "--D------", &[3], &[9, 8, 7]),
        Row(1, 0, "---SSSSSS", &[1], &[1, 1, 1]),
        Row(1, 0, "---SSS---", &[12], &[1, 12, 11]),
        Row(1, 1, "----DS---", &[6], &[7, 6, 5]),
        Row(1, 2, "-----D---", &[3], &[4, 3, 2]),
        Row(1, 2, "-----D---", &[3], &[10, 9, 8]),
        Row(2, 0, "------SSS", &[1], &[2, 1, 1]),
        Row(2, 0, "------SSS", &[12], &[2, 1, 12]),
        Row(2, 1, "-------DS", &[6], &[8, 7, 6]),
        Row(2, 2, "--------D", &[3], &[5, 4, 3]),
        Row(2, 2, "--------D", &[3], &[11, 10, 9]),
    ],
};

const S3T3: Mode = Mode {
    name: "S3T3",
    temporal: 3,
    protected: &[0, 0, 0, 1, 1, 1, 2, 2, 2],
    rows: &[
        Row(0, 0, "SSS------", &[12], &[12, 11, 10]),
        Row(0, 0, "SSS------", &[], &[0, 0, 0]),
        Row(0, 1, "-DS------", &[6], &[6, 5, 4]),
        Row(0, 2, "--D------", &[3], &[3, 2, 1]),
        Row(0, 2, "--D------", &[3], &[9, 8, 7]),
        Row(1, 0, "---SSS---", &[12], &[1, 12, 11]),
        Row(1, 0, "---SSS---", &[], &[1, 0, 0]),
        Row(1, 1, "----DS---", &[6], &[7, 6, 5]),
        Row(1, 2, "-----D---", &[3], &[4, 3, 2]),
        Row(1, 2, "-----D---", &[3], &[10, 9, 8]),
        Row(2, 0, "------SSS", &[12], &[2, 1, 12]),
        Row(2, 0, "------SSS", &[], &[2, 1, 0]),
        Row(2, 1, "-------DS", &[6], &[8, 7, 6]),
        Row(2, 2, "--------D", &[3], &[5, 4, 3]),
        Row(2, 2, "--------D", &[3], &[11, 10, 9]),
    ],
};

/// The same without chains, which a sender may leave out.
const CHAINLESS: Mode = Mode {
    name: "L1T3 without chains",
    protected: &[],
    rows: &[
        Row(0, 0, "SSS", &[], &[]),
        Row(0, 0, "SSS", &[4], &[]),
        Row(0, 1, "-DS", &[2], &[]),
        Row(0, 2, "--D", &[1], &[]),
    ],
    ..L1T3
};

/// Writes bits, the most significant first.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        self.0.extend((0..count).rev().map(|n| value >> n & 1 == 1));
    }

    /// `ns(n)`.
    fn put_below(&mut self, value: u32, n: u32) {
        let width = u32::BITS - n.leading_zeros();
        let short = (1 << width) - n;
        if value < short {
            self.put(value, width - 1);
        } else {
            self.put((value + short) >> 1, width - 1);
            self.put((value + short) & 1, 1);
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            (0..8).fold(0, |byte, n| {
                byte << 1 | u8::from(bits.get(n) == Some(&true))
            })
        };
        self.0.chunks(8).map(byte).collect()
    }
}

impl Mode {
    fn targets(&self) -> usize {
        self.rows[0].2.len()
    }

    fn target(&self, n: usize) -> Layer {
        let temporal = usize::from(self.temporal);
        Layer {
            spatial: (n / temporal) as u8,
            temporal: (n % temporal) as u8,
        }
    }

    /// Targets of a row whose indication is one of `kinds`.
    fn of(&self, row: &Row, kinds: &str) -> u64 {
        let chosen = row.2.chars().enumerate();
        let chosen = chosen.filter(|(_, indication)| kinds.contains(*indication));
        chosen.fold(0, |all, (n, _)| all | bit(self.target(n)))
    }

    /// The first packet of a frame by template `row`, which brings the structure.
    fn opening(&self, row: usize, offset: u8, number: u16) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.put(1, 1);
        bits.put(0, 1);
        bits.put((u32::from(offset) + row as u32) & 63, 6);
        bits.put(number.into(), 16);
        bits.put(0b10000, 5);
        let targets = self.targets() as u32;
        bits.put(offset.into(), 6);
        bits.put(targets - 1, 5);
        for pair in self.rows.windows(2) {
            let next = match (pair[1].0 - pair[0].0, pair[1].1.cmp(&pair[0].1)) {
                (0, std::cmp::Ordering::Equal) => 0,
                (0, _) => 1,
                _ => 2,
            };
            bits.put(next, 2);
        }
        bits.put(3, 2);
        for row in self.rows {
            for indication in row.2.chars() {
                bits.put("-DSR".find(indication).expect("one of four") as u32, 2);
            }
        }
        for row in self.rows {
            for distance in row.3 {
                bits.put(0x10 | (distance - 1), 5);
            }
            bits.put(0, 1);
        }
        self.put_chains(&mut bits);
        bits.put(1, 1);
        for n in 0..=u32::from(self.rows[self.rows.len() - 1].0) {
            bits.put((320 << n) - 1, 16);
            bits.put((180 << n) - 1, 16);
        }
        bits.bytes()
    }

    fn put_chains(&self, bits: &mut Bits) {
        let chains = self.rows[0].4.len() as u32;
        bits.put_below(chains, self.targets() as u32 + 1);
        for chain in self.protected {
            bits.put_below(*chain, chains);
        }
        for distance in self.rows.iter().flat_map(|row| row.4) {
            bits.put(*distance, 4);
        }
    }
}

/// Every template of every mode says what its row says, wherever the numbering of templates begins.
#[test]
fn modes() {
    for mode in [L1T1, L1T3, L3T3, L3T3_KEY, S3T3, CHAINLESS] {
        for offset in [0, 7, 60] {
            let mut structure = Structure::default();
            let first = structure.read(&mode.opening(0, offset, 65_535));
            let first = first.unwrap_or_else(|error| panic!("{}: {error:?}", mode.name));
            assert!(first.structured && first.start && !first.end);
            let all = (0..mode.targets()).fold(0, |all, n| all | bit(mode.target(n)));
            for (place, row) in mode.rows.iter().enumerate() {
                let template = (offset + place as u8) % 64;
                let packet = [0x40 | template, 0, place as u8];
                let read = structure.read(&packet).expect("a known template");
                let what = format!("{} template {place}", mode.name);
                let distances: Vec<u16> = row.3.iter().map(|d| *d as u16).collect();
                assert_eq!((read.layer.spatial, read.layer.temporal), (row.0, row.1));
                assert_eq!(read.references.as_slice(), distances, "{what}");
                assert_eq!(read.present, mode.of(row, "DSR"), "{what}");
                assert_eq!(read.switch, mode.of(row, "S"), "{what}");
                assert_eq!(read.exists, all, "{what}");
                assert_eq!(read.size, Some((320 << row.0, 180 << row.0)), "{what}");
                assert!(read.end && !read.start && read.number == place as u16);
            }
            let beyond = (offset + mode.rows.len() as u8) % 64;
            let unknown = structure.read(&[0x40 | beyond, 0, 1]);
            assert_eq!(unknown, Err(Malformed::UnknownTemplate), "{}", mode.name);
        }
    }
}

/// A sender that goes over to another mode: what names the old templates is not guessed at, and
/// a structure that makes no sense leaves the one before in force.
#[test]
fn another_structure() {
    let mut structure = Structure::default();
    assert_eq!(
        structure.read(&[0xc0, 0, 1]),
        Err(Malformed::UnknownTemplate),
        "none has come"
    );
    structure.read(&L3T3.opening(1, 0, 1)).expect("it is whole");
    let before = structure.read(&[14, 0, 2]).expect("a template of L3T3");
    assert_eq!((before.layer.spatial, before.layer.temporal), (2, 2));
    let torn = &L1T3.opening(0, 15, 3)[..9];
    assert_eq!(structure.read(torn), Err(Malformed::Torn));
    assert_eq!(structure.read(&[14, 0, 2]), Ok(before));
    let opening = structure
        .read(&L1T3.opening(0, 15, 3))
        .expect("it is whole");
    assert_eq!(opening.exists, 0b111);
    let late = structure.read(&[14, 0, 2]);
    assert_eq!(late, Err(Malformed::UnknownTemplate));
    let next = structure.read(&[15 + 2, 0, 4]).expect("of L1T3");
    assert_eq!(
        (next.layer.temporal, next.references.as_slice()),
        (1, &[2][..])
    );
}

/// A Chromium that sends AV1 as L3T3 to a line that carries two of the three sizes: after the key
/// frame it says that the upper three targets are fed no more.
#[test]
fn captured() {
    let opening = "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040\
         001d954926e082b04a0941b820ac1282503157f974000ca864330e222222eca8655304224230eca8775300\
         77004200ef008601df010d";
    let mut structure = Structure::default();
    let first = structure.read(&bytes(opening)).expect("it is whole");
    assert_eq!((first.number, first.size), (370, Some((120, 67))));
    assert!(first.references.as_slice().is_empty());
    assert_eq!(first.present, 0x07_0707, "three by three targets");
    assert_eq!(first.switch, first.present);
    // Start and end of frame 371, of the middle size: template 6, which needs the frame before.
    for (packet, is_start) in [("86017340fc", true), ("46017340fc", false)] {
        let read = structure.read(&bytes(packet)).expect("a known template");
        assert_eq!((read.number, read.layer.spatial), (371, 1));
        assert_eq!((read.start, read.end), (is_start, !is_start));
        assert_eq!(read.references.as_slice(), [1]);
        assert_eq!(read.exists, 0x0707, "six targets are left");
        assert_eq!(read.present, 0x0700);
        assert_eq!(read.size, Some((240, 135)));
    }
    let next = structure
        .read(&bytes("c3017540fc"))
        .expect("a known template");
    assert_eq!(
        (next.layer.temporal, next.references.as_slice()),
        (2, &[3][..])
    );
    assert_eq!(next.present, 0x0404);
    // A late packet of before takes nothing back; the next structure does.
    let late = structure
        .read(&bytes("86017247fc"))
        .expect("a known template");
    assert_eq!(late.exists, 0x0707);
    let again = structure.read(&bytes(opening)).expect("it is whole");
    assert_eq!(again.exists, 0x07_0707);
    let last = structure.read(&bytes("8b0174")).expect("a known template");
    assert_eq!((last.layer.spatial, last.layer.temporal), (2, 0));
    assert_eq!(last.present, 0x07_0000);
}

/// Torn anywhere, or with any one bit wrong: an answer or an error, and no panic.
#[test]
fn broken() {
    let mut answers = BTreeSet::new();
    for mode in [L1T3, L3T3_KEY, CHAINLESS] {
        let whole = mode.opening(0, 63, 9);
        for end in 0..whole.len() {
            let torn = Structure::default().read(&whole[..end]);
            assert!(torn.is_err(), "{} ends after {end} bytes", mode.name);
        }
        for place in 0..whole.len() * 8 {
            let mut broken = whole.clone();
            broken[place / 8] ^= 0x80 >> (place % 8);
            let mut structure = Structure::default();
            answers.insert(structure.read(&broken).is_ok());
            let _ = structure.read(&[0xc0 | 63, 0, 10]);
        }
    }
    assert_eq!(answers.len(), 2, "some are still readable, some are not");
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = (hex.bytes())
        .filter_map(|digit| char::from(digit).to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}
