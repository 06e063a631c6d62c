//! The RTCP that a watching browser sends: reports, requests, and transport-wide feedback.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A receiver report with one block (RFC 3550 section 6.4.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) ssrc: u32,
    pub(crate) fraction: u8,
    pub(crate) lost: u32,
    pub(crate) highest: u32,
    pub(crate) jitter: u32,
    pub(crate) last_report: u32,
    /// In units of 1/65536 s.
    pub(crate) since_report: u32,
}

impl Report {
    pub(crate) fn packet(blocks: &[Self]) -> Vec<u8> {
        let mut packet = header(blocks.len() as u8, 201);
        for block in blocks {
            let words = [
                block.ssrc,
                u32::from(block.fraction) << 24 | block.lost & 0xff_ffff,
                block.highest,
                block.jitter,
                block.last_report,
                block.since_report,
            ];
            words.iter().for_each(|w| packet.extend(w.to_be_bytes()));
        }
        sized(packet)
    }
}

/// A request for packets (RFC 4585 section 6.2.1); the numbers must ascend.
pub(crate) fn nack(ssrc: u32, numbers: &[u64]) -> Vec<u8> {
    let mut packet = header(1, 205);
    packet.extend(ssrc.to_be_bytes());
    let mut rest = numbers;
    while let [first, tail @ ..] = rest {
        let near = tail.iter().take_while(|n| **n - first <= 16);
        let (mut mask, mut taken) = (0u16, 0);
        for number in near {
            mask |= 1 << (number - first - 1);
            taken += 1;
        }
        packet.extend((*first as u16).to_be_bytes());
        packet.extend(mask.to_be_bytes());
        rest = &tail[taken..];
    }
    sized(packet)
}

/// A request for a key frame (RFC 4585 section 6.3.1).
pub(crate) fn pli(ssrc: u32) -> Vec<u8> {
    let mut packet = header(1, 206);
    packet.extend(ssrc.to_be_bytes());
    sized(packet)
}

/// Arrivals by transport-wide number, told every 100 ms.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    new: BTreeMap<u64, Instant>,
    newest: u64,
    /// The first number that no message has spoken for.
    next: Option<u64>,
    told: u8,
}

impl Arrivals {
    pub(crate) fn arrived(&mut self, number: u16, at: Instant) {
        let extended = near(self.newest, number);
        self.newest = self.newest.max(extended);
        self.new.insert(extended, at);
    }

    /// The next message (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1), with
    /// times since `epoch`; none when nothing came.
    pub(crate) fn packet(&mut self, ssrc: u32, epoch: Instant) -> Option<Vec<u8>> {
        let (first, _) = self.new.first_key_value()?;
        let base = self.next.map_or(*first, |next| next.min(*first));
        let end = self.new.last_key_value().map(|(n, _)| n + 1)?;
        let base = base.max(end.saturating_sub(SPAN));
        let since = |at: &Instant| (*at - epoch).as_micros() as i64 / 250;
        let start = self.new.range(base..).next().map(|(_, at)| since(at))?;
        let reference = start / 256;
        let mut last = reference * 256;
        let (mut symbols, mut deltas) = (Vec::new(), Vec::new());
        for number in base..end {
            let Some(at) = self.new.get(&number) else {
                symbols.push(0);
                continue;
            };
            let delta = since(at) - last;
            last = since(at);
            if let Ok(small) = u8::try_from(delta) {
                symbols.push(1);
                deltas.push(small);
            } else {
                symbols.push(2);
                deltas.extend((delta as i16).to_be_bytes());
            }
        }
        let packet = self.write(ssrc, base, reference, &symbols, &deltas);
        self.new.clear();
        self.next = Some(end.max(self.next.unwrap_or_default()));
        self.told = self.told.wrapping_add(1);
        Some(packet)
    }

    fn write(
        &self,
        ssrc: u32,
        base: u64,
        reference: i64,
        symbols: &[u16],
        deltas: &[u8],
    ) -> Vec<u8> {
        let mut packet = header(15, 205);
        packet.extend(ssrc.to_be_bytes());
        packet.extend((base as u16).to_be_bytes());
        packet.extend((symbols.len() as u16).to_be_bytes());
        packet.extend(&(reference as u32).to_be_bytes()[1..]);
        packet.push(self.told);
        for seven in symbols.chunks(7) {
            let vector = |word: u16, (n, symbol): (usize, &u16)| word | symbol << (12 - 2 * n);
            let chunk = seven.iter().enumerate().fold(0xc000, vector);
            packet.extend(chunk.to_be_bytes());
        }
        packet.extend(deltas);
        sized(packet)
    }
}

/// The 64-bit number nearest to `reference` that ends in `low`.
pub(crate) const fn near(reference: u64, low: u16) -> u64 {
    let difference = low.wrapping_sub(reference as u16) as i16;
    let extended = reference as i64 + difference as i64;
    if extended < 0 {
        low as u64
    } else {
        extended as u64
    }
}

fn header(count: u8, kind: u8) -> Vec<u8> {
    let [a, b, c, d] = OURS.to_be_bytes();
    vec![0x80 | count, kind, 0, 0, a, b, c, d]
}

fn sized(mut packet: Vec<u8>) -> Vec<u8> {
    packet.resize(packet.len().next_multiple_of(4), 0);
    let words = (packet.len() / 4 - 1) as u16;
    packet[2..4].copy_from_slice(&words.to_be_bytes());
    packet
}

/// What a browser that only watches calls itself.
const OURS: u32 = 1;
/// Numbers that one message speaks for at most.
const SPAN: u64 = 1_000;
/// Time between two messages.
pub(crate) const FEEDBACK: Duration = Duration::from_millis(100);
