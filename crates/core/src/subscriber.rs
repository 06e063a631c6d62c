//! A subscriber: one track out. Decides which packets pass and gives them their numbers.
//!
//! A video subscriber passes nothing until a key frame of the target encoding comes: at its
//! start, after a pause, and when the target changes (until then the old encoding goes on).

use str0m::Rtc;
use str0m::media::Mid;
use str0m::rtp::{RtpWrite, Ssrc};

use crate::codec::{self, Outgoing};
use crate::event::TrackKind;
use crate::ids::SubscriberId;
use crate::packet::Packet;
use crate::rewrite::Rewriter;

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
    pub(crate) rewriter: Rewriter,
    /// The encoding that passes now.
    current: Option<u32>,
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
            rewriter,
            current: None,
            outgoing: None,
            stats: SubscriberStats::default(),
        }
    }

    /// Waits for a key frame of `target`?
    pub(crate) fn is_waiting(&self, target: Option<u32>) -> bool {
        self.open && self.kind == TrackKind::Video && self.current != target
    }

    /// Opens or shuts the gate. What comes after it opens starts a new run.
    pub(crate) const fn set_open(&mut self, open: bool) {
        self.open = open;
        if !open {
            self.current = None;
        }
    }

    /// Passes a packet on to the session, or not.
    pub(crate) fn forward(
        &mut self,
        rtc: &mut Rtc,
        packet: &Packet<'_>,
        target: Option<u32>,
    ) -> Verdict {
        let Some(starts_run) = packet.admit(self.current, target) else {
            return self.drop_packet();
        };
        let (Some(ssrc), Some(outgoing)) = (self.ssrc, self.outgoing(rtc, packet)) else {
            return self.drop_packet();
        };
        let Some(payload) = packet.payload(outgoing.unwrap_red) else {
            return self.drop_packet();
        };
        if starts_run {
            self.current = Some(packet.ssrc);
            self.stats.switches += 1;
        }
        let rtp = packet.rtp;
        let Some(numbers) = self.rewriter.rewrite(&packet.original(), starts_run) else {
            return self.drop_packet();
        };
        let len = payload.len();
        let mut write = RtpWrite::new(
            outgoing.payload_type.into(),
            numbers.sequence.into(),
            numbers.timestamp,
            rtp.timestamp,
            payload,
        )
        .marker(rtp.header.marker)
        .nackable(self.kind == TrackKind::Video)
        .ext_vals(packet.extensions.clone());
        if let Some(patch) = numbers.vp8 {
            write = write.vp8_patch(patch);
        }
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
