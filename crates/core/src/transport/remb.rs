//! What a publisher without transport-wide feedback is told of its line: REMB
//! (draft-alvestrand-rmcat-remb-03) for all the video of its transport, out of [`Incoming`].
//!
//! It goes when a packet comes, so it needs no timer, and who sends nothing hears nothing. str0m seals
//! it with the rest of that transport's RTCP: there is no second sealer under its key. It decides
//! nothing here, so it is in no record of decisions.

use std::time::Instant;

use str0m::rtp::{RtpPacket, Ssrc};

use crate::bandwidth::{Arrived, Incoming, Limits, Stamp};
use crate::codec::Format;
use crate::rtcp::Writer;
use crate::sfu::Sfu;
use crate::transport::webrtc::{Publishing, Side};

/// The estimate of one publish transport, and in whose name it is told.
pub(crate) struct Remb {
    incoming: Incoming,
    sender: Ssrc,
}

impl Remb {
    /// What may come, bit/s, once known.
    pub(crate) fn estimate(&self) -> Option<u64> {
        self.incoming.estimate()
    }
}

impl Publishing {
    /// Another address of the client or of ours.
    pub(crate) fn moved(&mut self) {
        if let Some(remb) = &mut self.remb {
            remb.incoming.on_path_change();
        }
    }
}

impl Sfu {
    /// What was negotiated: whether a client that publishes is told by REMB.
    pub(crate) fn expect_remb(&mut self, key: usize, counts: bool) {
        let session = &mut self.sessions[key];
        let Side::Publish(publishing) = &mut session.side else {
            return;
        };
        if !counts {
            publishing.remb = None;
        } else if publishing.remb.is_none() {
            publishing.remb = Some(Box::new(Remb {
                incoming: Incoming::new(Limits::default()),
                sender: session.rtc.direct_api().new_ssrc(),
            }));
        }
    }

    /// A packet whose integrity held has come to a publish transport.
    pub(crate) fn note_incoming(&mut self, key: usize, packet: &RtpPacket, now: Instant) {
        let session = &mut self.sessions[key];
        let Side::Publish(publishing) = &mut session.side else {
            return;
        };
        let Some(remb) = &mut publishing.remb else {
            return;
        };
        let header = &packet.header;
        let params = session.rtc.codec_config().params();
        let format = Format::find(params, *header.payload_type);
        let Some(format) = format.filter(|format| format.spec.codec.is_video()) else {
            return;
        };
        remb.incoming.on_packet(Arrived {
            at: now,
            bytes: packet.payload.len() as u32,
            sequence: *packet.seq_no,
            stamp: Stamp {
                ssrc: *header.ssrc,
                timestamp: (header.timestamp, format.spec.clock_rate.get()),
                send_time: header.ext_vals.abs_send_time,
            },
        });
        let Some(bitrate) = remb.incoming.take_due(now) else {
            return;
        };
        let mut room = [0; MOST_BYTES];
        let mut writer = Writer::new(&mut room);
        let sources: Vec<u32> = remb.incoming.sources().collect();
        if writer.remb(*remb.sender, bitrate, &sources).is_ok() {
            let len = writer.len();
            let mut direct = session.rtc.direct_api();
            direct.send_app_specific_feedback(remb.sender, 0.into(), &room[HEADER..len]);
        }
    }
}

/// What str0m writes itself: the RTCP header and the two SSRCs.
const HEADER: usize = 12;
/// A message for as many sources as there can be.
const MOST_BYTES: usize = HEADER + 8 + 4 * Incoming::MOST_SOURCES;
