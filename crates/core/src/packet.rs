//! One packet on its way through the fan-out: parsed once, shared by all subscribers.

use std::cell::OnceCell;
use std::time::Instant;

use str0m::rtp::{RedDecoder, RtpHeader, RtpPacket, SeqNo};

use crate::codec::Format;
use crate::egress::{Carried, Content};
use crate::keyframe;
use crate::layers::Facts;
use crate::rewrite::{Original, Report};
use crate::shared::{Payload, Shared};

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
    /// What goes out, as it came; made when the first subscriber needs it.
    content: OnceCell<Shared<Content>>,
    /// The same with the codec's own payload, when `rtp` is RED.
    unwrapped: OnceCell<Option<Shared<Content>>>,
}

impl<'a> Packet<'a> {
    pub(crate) fn new(rtp: &'a Rtp, format: Format, facts: Facts) -> Self {
        Self {
            ssrc: *rtp.header.ssrc,
            keyframe: keyframe::starts_keyframe(format.spec.codec, &rtp.payload, &facts),
            content: OnceCell::new(),
            unwrapped: OnceCell::new(),
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

    /// What to send, shared and not copied. None when RED is malformed.
    pub(crate) fn content(&self, unwrap_red: bool) -> Option<&Shared<Content>> {
        let content = |payload| {
            Shared::new(Content {
                payload,
                carried: Carried::new(&self.rtp.header.ext_vals),
            })
        };
        if !unwrap_red {
            let whole = || content(Payload::clone(&self.rtp.payload));
            return Some(self.content.get_or_init(whole));
        }
        let primary = || {
            let blocks = RedDecoder::decode(&self.rtp.payload).ok()?;
            let primary = blocks.last()?; // RFC 2198: the primary comes last
            Some(content(Payload::from(primary.payload)))
        };
        self.unwrapped.get_or_init(primary).as_ref()
    }
}

/// The largest payload that is forwarded: what fits a packet of 1,500 bytes on the way in also
/// fits one on the way out, with our header extensions.
pub(crate) const MAX_PAYLOAD: usize = 1460;
