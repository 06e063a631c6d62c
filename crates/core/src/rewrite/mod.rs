//! Rewriting: what makes many sources look like one unbroken stream to a subscriber.
//!
//! A *run* is a stretch of packets of one source (one SSRC) without a switch or a pause. Inside
//! a run every number keeps its distance to the first packet of the run, so a gap stays a gap
//! (the subscriber asks for it) and a late packet lands on its own number. At the start of a
//! run the numbers continue where the previous run ended.
//!
//! VP8's picture ids are numbers of this kind too. Those of VP9 and the frame numbers of AV1's
//! descriptor pass through unchanged until layers are dropped: before that only a pause or a
//! switch makes a gap in them, and both end at a key frame.

use std::time::Instant;

use str0m::rtp::{Vp8Descriptor, Vp8Patch};

mod sequence;
mod timestamp;
mod vp8;
mod vp9;

pub(crate) use sequence::Sequence;
pub(crate) use timestamp::Timestamp;
pub(crate) use vp8::Vp8;
pub(crate) use vp9::PlainVp9;

/// The numbers of one packet as the subscriber sees them.
pub(crate) struct Rewritten {
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) vp8: Option<Vp8Patch>,
}

/// The numbers of one packet as the publisher sent them.
pub(crate) struct Original<'a> {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) clock_rate: u32,
    pub(crate) arrival: Instant,
    pub(crate) vp8: Option<&'a Vp8Descriptor>,
}

/// All rewriting state of one outgoing stream.
pub(crate) struct Rewriter {
    source: Option<u32>,
    sequence: Sequence,
    timestamp: Timestamp,
    vp8: Vp8,
}

impl Rewriter {
    /// `first` is the sequence number of the first packet that will be sent.
    pub(crate) fn new(first: u64) -> Self {
        Self {
            source: None,
            sequence: Sequence::new(first),
            timestamp: Timestamp::default(),
            vp8: Vp8::default(),
        }
    }

    /// The numbers for `packet`. `starts_run` when it is the first after a switch or a pause.
    /// None for a packet older than the run: its number belongs to something else by now.
    pub(crate) fn rewrite(&mut self, packet: &Original<'_>, starts_run: bool) -> Option<Rewritten> {
        if starts_run {
            self.sequence.start_run(packet.sequence);
            // A pause on the same source leaves the media clock alone: it kept ticking.
            if self.source != Some(packet.ssrc) {
                self.timestamp.start_run(packet);
            }
            self.vp8.start_run(packet.vp8);
            self.source = Some(packet.ssrc);
        }
        let sequence = self.sequence.map(packet.sequence)?;
        let timestamp = self.timestamp.map(packet);
        let vp8 = packet.vp8.and_then(|descriptor| self.vp8.map(descriptor));
        Some(Rewritten {
            sequence,
            timestamp,
            vp8,
        })
    }

    /// The newest timestamp that went out and when its packet had come in.
    pub(crate) const fn last(&self) -> Option<(u32, Instant)> {
        self.timestamp.last()
    }
}
