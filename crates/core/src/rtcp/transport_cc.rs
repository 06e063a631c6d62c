//! Transport-wide feedback: which packets arrived, and when
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).
//!
//! After the header come chunks of two bytes that give each packet a status, then one or two bytes
//! of time for each packet that arrived. [`TransportCc::parse`] walks the chunks once to see that
//! the times are all there; [`Arrivals`] then reads both side by side.

use super::parse::{Malformed, word};

/// One feedback message.
#[derive(Clone, Copy, Debug)]
pub struct TransportCc<'a> {
    /// Who reports.
    pub sender: u32,
    /// A source of the reported transport.
    pub media: u32,
    /// The transport-wide sequence number of the first packet it speaks for.
    pub base: u16,
    /// How many packets it speaks for.
    pub count: u16,
    /// The peer's clock before the first packet: 24 bits, in units of 64 ms.
    pub reference: u32,
    /// Number of this message, modulo 256: a gap is a lost message.
    pub number: u8,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> TransportCc<'a> {
    /// From a message's body.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let (numbers, times) = (word(body, 8)?, word(body, 12)?);
        let count = numbers as u16;
        let rest = &body[HEADER..];
        let (mut left, mut chunks, mut deltas) = (usize::from(count), 0, 0);
        while left > 0 {
            let bytes = rest.get(chunks..).and_then(<[u8]>::first_chunk::<2>);
            let chunk = Chunk::read(*bytes.ok_or(Malformed::Claims)?);
            let covered = chunk.len().min(left);
            deltas += chunk.delta_bytes(covered);
            left -= covered;
            chunks += 2;
        }
        let (chunks, rest) = rest.split_at(chunks);
        Ok(Self {
            sender: word(body, 0)?,
            media: word(body, 4)?,
            base: (numbers >> 16) as u16,
            count,
            reference: times >> 8,
            number: times as u8,
            chunks,
            deltas: rest.get(..deltas).ok_or(Malformed::Claims)?,
        })
    }

    /// What became of each packet, in the order of their numbers.
    pub const fn arrivals(&self) -> Arrivals<'a> {
        Arrivals {
            sequence: self.base,
            left: self.count,
            chunk: Chunk::Run { status: 0, len: 0 },
            within: 0,
            chunks: self.chunks,
            deltas: self.deltas,
            ticks: self.reference as i64 * TICKS_PER_REFERENCE,
        }
    }
}

/// One packet of a feedback message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its transport-wide sequence number.
    pub sequence: u16,
    /// When it arrived, in units of 250 us of the peer's clock, which starts again every 2^32
    /// (twelve days); None when it did not.
    pub ticks: Option<i64>,
}

/// Iterates over a message's packets.
#[derive(Clone, Copy, Debug)]
pub struct Arrivals<'a> {
    sequence: u16,
    left: u16,
    chunk: Chunk,
    /// Packets of `chunk` that were read.
    within: usize,
    chunks: &'a [u8],
    deltas: &'a [u8],
    ticks: i64,
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.left = self.left.checked_sub(1)?;
        while self.within == self.chunk.len() {
            let (chunk, rest) = self.chunks.split_first_chunk::<2>()?;
            (self.chunk, self.chunks, self.within) = (Chunk::read(*chunk), rest, 0);
        }
        let status = self.chunk.status(self.within);
        self.within += 1;
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let (delta, rest) = self.deltas.split_at_checked(delta_len(status))?;
        self.deltas = rest;
        let ticks = match *delta {
            [small] => Some(i64::from(small)),
            [high, low] => Some(i64::from(i16::from_be_bytes([high, low]))),
            _ => None,
        };
        self.ticks += ticks.unwrap_or(0);
        Some(Arrival {
            sequence,
            ticks: ticks.map(|_| self.ticks),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(usize::from(self.left)))
    }
}

/// The statuses that two bytes stand for.
#[derive(Clone, Copy, Debug)]
enum Chunk {
    Run { status: u8, len: u16 },
    Bits(u16),
    Pairs(u16),
}

impl Chunk {
    const fn read(bytes: [u8; 2]) -> Self {
        let word = u16::from_be_bytes(bytes);
        match word >> 14 {
            0 | 1 => Self::Run {
                status: (word >> 13) as u8 & 3,
                len: word & 0x1fff,
            },
            2 => Self::Bits(word),
            _ => Self::Pairs(word),
        }
    }

    const fn len(self) -> usize {
        match self {
            Self::Run { len, .. } => len as usize,
            Self::Bits(_) => 14,
            Self::Pairs(_) => 7,
        }
    }

    const fn status(self, at: usize) -> u8 {
        match self {
            Self::Run { status, .. } => status,
            Self::Bits(word) => (word >> (13 - at)) as u8 & 1,
            Self::Pairs(word) => (word >> (12 - 2 * at)) as u8 & 3,
        }
    }

    /// Bytes of time for its first `covered` packets.
    fn delta_bytes(self, covered: usize) -> usize {
        match self {
            Self::Run { status, .. } => covered * delta_len(status),
            _ => (0..covered).map(|at| delta_len(self.status(at))).sum(),
        }
    }
}

/// Bytes of time for a packet of this status: not received, a small step, a large one, and a status
/// that the draft reserves and nobody sends.
const fn delta_len(status: u8) -> usize {
    match status {
        1 => 1,
        2 => 2,
        _ => 0,
    }
}

/// Two sources, base and count, reference and number.
const HEADER: usize = 16;
const TICKS_PER_REFERENCE: i64 = 256;
