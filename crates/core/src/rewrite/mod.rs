//! Rewriting: what makes many sources look like one unbroken stream to a subscriber.
//!
//! A *run* is a stretch of packets of one source (one SSRC) without a switch or a pause. Inside
//! a run what was lost stays a gap (the subscriber asks for it) and a late packet lands on its
//! own number, while what is held back on purpose leaves none. At the start of a run the numbers
//! continue where the previous run ended. The ids in payload descriptors and the frame numbers
//! of the dependency descriptor are numbers of this kind too.

use std::time::{Instant, SystemTime};

mod counter;
mod numbering;
mod patch;
mod plain_vp9;
mod timestamp;
mod vp8;
mod vp9;

use counter::Counter;
use numbering::{Held, Numbering};
pub(crate) use patch::Patch;
pub(crate) use plain_vp9::PlainVp9;
use timestamp::Timestamp;
use vp8::Vp8;
use vp9::Vp9;

use crate::layers::Head;

/// The numbers of one packet as the subscriber sees them.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    /// A new head of the payload.
    pub(crate) patch: Option<Patch>,
    /// A new frame number for the dependency descriptor (its bytes 1 and 2).
    pub(crate) frame_number: Option<u16>,
}

/// The numbers of one packet as the publisher sent them.
pub(crate) struct Original<'a> {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) clock_rate: u32,
    pub(crate) arrival: Instant,
    pub(crate) report: Option<Report>,
    pub(crate) head: Head,
    /// The frame number of the dependency descriptor.
    pub(crate) number: Option<u16>,
    pub(crate) payload: &'a [u8],
}

/// What a source's last sender report said: this timestamp was at this time of its wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) wall: SystemTime,
    pub(crate) timestamp: u32,
}

/// All rewriting state of one outgoing stream.
pub(crate) struct Rewriter {
    source: Option<u32>,
    sequence: Numbering<PACKETS>,
    timestamp: Timestamp,
    vp8: Vp8,
    vp9: Vp9,
    frame: Counter,
}

impl Rewriter {
    /// `first` is the sequence number of the first packet that will be sent.
    pub(crate) fn new(first: u64) -> Self {
        Self {
            source: None,
            sequence: Numbering::new(first),
            timestamp: Timestamp::default(),
            vp8: Vp8::default(),
            vp9: Vp9::default(),
            frame: Counter::default(),
        }
    }

    /// The numbers for `packet`. `starts_run` when it is the first after a switch or a pause.
    /// None for one older than the run, whose number belongs to something else by now, and for
    /// one that has come before.
    pub(crate) fn rewrite(&mut self, packet: &Original<'_>, starts_run: bool) -> Option<Numbers> {
        if starts_run {
            self.start_run(packet);
        }
        let sequence = self.sequence.claim(packet.sequence)?;
        let timestamp = self.timestamp.map(packet);
        let patch = match &packet.head {
            Head::Plain => None,
            Head::Vp8(head) => self.vp8.map(head, packet.payload),
            Head::Vp9(head) => self.vp9.map(head, packet.payload),
        };
        let frame_number = packet.number.map(|n| (n, self.frame.map(n, FRAME_BITS)));
        Some(Numbers {
            sequence,
            timestamp,
            patch,
            frame_number: frame_number
                .filter(|(old, new)| old != new)
                .map(|(_, new)| new),
        })
    }

    /// A packet of the run is held back. The numbers of an empty packet to send in its place,
    /// when one was left for it.
    pub(crate) fn hold(&mut self, packet: &Original<'_>) -> Option<Numbers> {
        if let Head::Vp8(head) = &packet.head {
            self.vp8.hold(head);
        }
        match self.sequence.hold(packet.sequence) {
            Held::Closed => None,
            Held::Hole(sequence) => Some(Numbers {
                sequence,
                timestamp: self.timestamp.map(packet),
                patch: None,
                frame_number: None,
            }),
        }
    }

    /// The newest timestamp that went out and when its packet had come in.
    pub(crate) fn last(&self) -> Option<(u32, Instant)> {
        self.timestamp.last()
    }

    fn start_run(&mut self, packet: &Original<'_>) {
        self.sequence.start_run(packet.sequence);
        // A pause on the same source leaves the media clock alone: it kept ticking.
        if self.source != Some(packet.ssrc) {
            self.timestamp.start_run(packet);
        }
        match &packet.head {
            Head::Plain => {}
            Head::Vp8(head) => self.vp8.start_run(head),
            Head::Vp9(head) => self.vp9.start_run(head),
        }
        if let Some(number) = packet.number {
            self.frame.start_run(number, FRAME_BITS);
        }
        self.source = Some(packet.ssrc);
    }
}

/// Sequence numbers remembered, in 64s: a second and more of a large picture.
const PACKETS: usize = 16;
const FRAME_BITS: u32 = 16;
