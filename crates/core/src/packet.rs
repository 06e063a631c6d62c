//! One packet on its way through the fan-out: parsed once, shared by all subscribers.

use std::cell::OnceCell;
use std::time::Instant;

use str0m::rtp::{ExtensionValues, RedDecoder, RtpHeader, RtpPacket, SeqNo};

use crate::codec::Format;
use crate::extension;
use crate::keyframe;
use crate::layers::Facts;
use crate::rewrite::{Original, Report};
use crate::shared::Payload;

/// What of an opened RTP packet goes on; a value, so that it can cross to another media thread.
#[derive(Clone, Debug)]
pub(crate) struct Rtp {
    /// Extended by the rollover counter.
    pub(crate) seq_no: SeqNo,
    pub(crate) header: RtpHeader,
    pub(crate) payload: Payload,
    /// When it arrived.
    pub(crate) timestamp: Instant,
    /// What its source last said of its clock.
    pub(crate) report: Option<Report>,
}

impl From<RtpPacket> for Rtp {
    fn from(packet: RtpPacket) -> Self {
        Self {
            seq_no: packet.seq_no,
            header: packet.header,
            payload: packet.payload,
            timestamp: packet.timestamp,
            report: packet.last_sender_info.map(|info| Report {
                wall: info.ntp_time,
                timestamp: info.rtp_time.numer() as u32,
            }),
        }
    }
}

/// A publisher's packet with what every subscriber needs to know about it.
pub(crate) struct Packet<'a> {
    pub(crate) rtp: &'a Rtp,
    pub(crate) format: Format,
    pub(crate) ssrc: u32,
    pub(crate) keyframe: bool,
    /// What it says of its frame.
    pub(crate) facts: Facts,
    pub(crate) extensions: ExtensionValues,
    /// The codec's own payload when `rtp` is RED; made when the first subscriber needs it.
    primary: OnceCell<Option<Payload>>,
}

impl<'a> Packet<'a> {
    pub(crate) fn new(rtp: &'a Rtp, format: Format, facts: Facts) -> Self {
        Self {
            ssrc: *rtp.header.ssrc,
            keyframe: keyframe::starts_keyframe(format.spec.codec, &rtp.payload, &facts),
            extensions: extension::forwarded(&rtp.header.ext_vals),
            primary: OnceCell::new(),
            rtp,
            format,
            facts,
        }
    }

    /// The numbers as the publisher sent them.
    pub(crate) fn original(&self) -> Original<'_> {
        Original {
            ssrc: self.ssrc,
            sequence: *self.rtp.seq_no,
            timestamp: self.rtp.header.timestamp,
            clock_rate: self.format.spec.clock_rate.get(),
            arrival: self.rtp.timestamp,
            report: self.rtp.report,
            head: self.facts.head,
            number: self.facts.number,
            payload: &self.rtp.payload,
        }
    }

    /// The payload to send, shared and not copied. None when RED is malformed.
    pub(crate) fn payload(&self, unwrap_red: bool) -> Option<Payload> {
        if !unwrap_red {
            return Some(Payload::clone(&self.rtp.payload));
        }
        self.primary
            .get_or_init(|| {
                let blocks = RedDecoder::decode(&self.rtp.payload).ok()?;
                blocks.last().map(|block| Payload::from(block.payload)) // RFC 2198: primary is last
            })
            .clone()
    }
}

/// The largest payload that is forwarded: what fits a packet of 1,500 bytes on the way in also
/// fits str0m's send buffer with our header extensions on the way out.
pub(crate) const MAX_PAYLOAD: usize = 1460;
