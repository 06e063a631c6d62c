//! A subscriber: one track out. Decides which packets pass and gives them their numbers.
//!
//! Its selector chooses, its rewriter numbers. Nothing passes before a key frame: at its start,
//! after a pause, and of another encoding (until then the old one goes on).

use str0m::Rtc;
use str0m::media::Mid;
use str0m::rtp::{RtpWrite, Ssrc};

use crate::codec::{self, Outgoing};
use crate::event::{Event, TrackKind};
use crate::extension;
use crate::ids::SubscriberId;
use crate::layers::{Admission, Change, Encodings, Selector};
use crate::packet::Packet;
use crate::rewrite::{Patch, Rewriter};
use crate::shared::Payload;

/// One track out.
pub(crate) struct Subscriber {
    pub(crate) id: SubscriberId,
    pub(crate) session: usize,
    pub(crate) publisher: usize,
    pub(crate) kind: TrackKind,
    /// Its m-line, once it has one.
    pub(crate) mid: Option<Mid>,
    /// The stream to write to, once the remote has agreed.
    pub(crate) ssrc: Option<Ssrc>,
    pub(crate) paused: bool,
    /// The session is connected, the remote has agreed and nobody has paused: packets may pass.
    pub(crate) open: bool,
    pub(crate) selector: Selector,
    pub(crate) rewriter: Rewriter,
    /// The last answer to "what goes out for this payload type?".
    outgoing: Option<(u8, Option<Outgoing>)>,
    pub(crate) stats: SubscriberStats,
}

/// Counters of one subscriber.
#[derive(Default)]
pub(crate) struct SubscriberStats {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
    pub(crate) plis: u64,
    pub(crate) firs: u64,
    pub(crate) nacks: u64,
    pub(crate) switches: u64,
    pub(crate) loss: Option<f32>,
    pub(crate) rtt_ms: Option<f64>,
}

/// Who a new subscriber is.
pub(crate) struct Taker {
    pub(crate) id: SubscriberId,
    pub(crate) session: usize,
    pub(crate) publisher: usize,
    pub(crate) kind: TrackKind,
}

/// What became of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Queued at the session.
    Sent,
    /// Not for this subscriber, or not now.
    Dropped,
}

impl Subscriber {
    pub(crate) fn new(taker: Taker, rewriter: Rewriter) -> Self {
        let Taker {
            id,
            session,
            publisher,
            kind,
        } = taker;
        Self {
            id,
            session,
            publisher,
            kind,
            mid: None,
            ssrc: None,
            paused: false,
            open: false,
            selector: Selector::default(),
            rewriter,
            outgoing: None,
            stats: SubscriberStats::default(),
        }
    }

    /// Waits for a key frame to start with?
    pub(crate) fn is_waiting(&self) -> bool {
        self.open && self.kind == TrackKind::Video && self.selector.is_stopped()
    }

    /// Opens or shuts the gate. What comes after it opens starts a new run.
    pub(crate) fn set_open(&mut self, open: bool) {
        self.open = open;
        if !open {
            self.selector.stop();
        }
    }

    /// A change of its layer that is yet to be told.
    pub(crate) fn take_layer_change(&mut self) -> Option<Event> {
        let Change { from, to, reason } = self.selector.take_change()?;
        (self.kind == TrackKind::Video).then_some(Event::LayerChanged {
            subscriber: self.id,
            from,
            to,
            reason,
            estimate: None,
        })
    }

    /// Passes a packet on to the session, or not.
    pub(crate) fn forward(
        &mut self,
        rtc: &mut Rtc,
        packet: &Packet<'_>,
        encodings: &Encodings,
    ) -> Verdict {
        let (Some(ssrc), Some(outgoing)) = (self.ssrc, self.outgoing(rtc, packet)) else {
            return self.drop_packet();
        };
        let original = packet.original();
        let sent = match self.selector.admit(packet, encodings) {
            Admission::Pass { starts_run, marker } => {
                self.stats.switches += u64::from(starts_run);
                let numbers = self.rewriter.rewrite(&original, starts_run);
                numbers
                    .zip(packet.payload(outgoing.unwrap_red))
                    .zip(Some(marker))
            }
            // An empty packet in the place of one that was waited for.
            Admission::Skip => {
                let hole = self.rewriter.hold(&original);
                hole.map(|numbers| ((numbers, Payload::from([])), false))
            }
            Admission::Ignore => None,
        };
        let Some(((numbers, payload), marker)) = sent else {
            return self.drop_packet();
        };
        let payload = match numbers.patch {
            Some(patch) => patched(&payload, &patch),
            None => payload,
        };
        let mut extensions = packet.extensions.clone();
        if let Some(number) = numbers.frame_number {
            extension::renumber(&mut extensions, number);
        }
        let len = payload.len();
        let write = RtpWrite::new(
            outgoing.payload_type.into(),
            numbers.sequence.into(),
            numbers.timestamp,
            packet.rtp.timestamp,
            payload,
        )
        .marker(marker)
        .nackable(self.kind == TrackKind::Video)
        .ext_vals(extensions);
        let mut direct = rtc.direct_api();
        let Some(stream) = direct.stream_tx(&ssrc) else {
            return self.drop_packet();
        };
        stream.write_rtp(write);
        self.stats.packets += 1;
        self.stats.bytes += len as u64;
        Verdict::Sent
    }

    const fn drop_packet(&mut self) -> Verdict {
        self.stats.dropped += 1;
        Verdict::Dropped
    }

    fn outgoing(&mut self, rtc: &Rtc, packet: &Packet<'_>) -> Option<Outgoing> {
        let payload_type = packet.format.payload_type;
        match self.outgoing {
            Some((known, outgoing)) if known == payload_type => outgoing,
            _ => {
                let outgoing = self.mid.and_then(|mid| fit(rtc, mid, &packet.format));
                self.outgoing = Some((payload_type, outgoing));
                outgoing
            }
        }
    }
}

/// How a format would go out on an m-line. None: the remote does not take it.
pub(crate) fn fit(rtc: &Rtc, mid: Mid, format: &codec::Format) -> Option<Outgoing> {
    let media = rtc.media(mid)?;
    let accepted = media.remote_pts();
    codec::outgoing(
        format,
        rtc.codec_config()
            .params()
            .iter()
            .filter(|p| accepted.contains(&p.pt())),
    )
}

fn patched(payload: &[u8], patch: &Patch) -> Payload {
    let (replaces, _) = patch.lens();
    let tail = payload.get(replaces..).unwrap_or_default();
    [patch.bytes(), tail].concat().into()
}
