//! A subscriber: one track out. Decides which packets pass and gives them their numbers.
//!
//! Its selector chooses, its rewriter numbers. Nothing passes before a key frame: at its start,
//! after a pause, and of another encoding (until then the old one goes on).

use str0m::Rtc;
use str0m::media::Mid;

use crate::codec::{self, Outgoing};
use crate::command::Feed;
use crate::egress::{Content, Egress, Newest, Queued};
use crate::event::TrackKind;
use crate::ids::SubscriberId;
use crate::journal::Journal;
use crate::layers::{Admission, Change, Encodings, Selector};
use crate::packet::Packet;
use crate::rewrite::Rewriter;
use crate::shared::Shared;

/// One track out.
pub(crate) struct Subscriber {
    pub(crate) id: SubscriberId,
    pub(crate) session: usize,
    pub(crate) publisher: usize,
    pub(crate) kind: TrackKind,
    /// Its m-line, once it has one.
    pub(crate) mid: Option<Mid>,
    /// Its stream's place at the egress, once the remote has agreed.
    pub(crate) stream: Option<usize>,
    pub(crate) paused: bool,
    /// Of a slot: who is to fill it.
    pub(crate) feed: Option<Feed>,
    /// The session is connected, the remote has agreed and nobody has paused: packets may pass.
    pub(crate) open: bool,
    pub(crate) selector: Selector,
    pub(crate) rewriter: Rewriter,
    /// The last answer to "what goes out for this payload type?".
    outgoing: Option<(u8, Option<Outgoing>)>,
    /// What its session's line was believed to carry at the last allocation, bit/s.
    pub(crate) estimate: Option<u64>,
    pub(crate) journal: Journal,
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
    pub(crate) switches: u64,
}

/// Who a new subscriber is.
pub(crate) struct Taker {
    pub(crate) id: SubscriberId,
    pub(crate) session: usize,
    pub(crate) publisher: usize,
    pub(crate) kind: TrackKind,
}

/// What has changed for a subscriber.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) target: Option<Change>,
    pub(crate) current: Option<Change>,
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
            stream: None,
            paused: false,
            feed: None,
            open: false,
            selector: Selector::default(),
            rewriter,
            outgoing: None,
            estimate: None,
            journal: Journal::default(),
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

    /// Takes from another publisher from now on; what comes starts a new run.
    pub(crate) fn move_to(&mut self, publisher: usize) {
        self.publisher = publisher;
        self.set_open(false);
        self.selector.forget();
        self.outgoing = None;
    }

    /// A change of its layers that is yet to be told.
    pub(crate) fn take_turn(&mut self) -> Option<Turn> {
        if !self.selector.may_have_changed() {
            return None;
        }
        let target = self.selector.take_target_change();
        let current = self.selector.take_change();
        (self.kind == TrackKind::Video).then_some(Turn { target, current })
    }

    /// Passes a packet on to the session, or not.
    pub(crate) fn forward(
        &mut self,
        rtc: &Rtc,
        egress: &mut Egress,
        packet: &Packet<'_>,
        encodings: &Encodings,
    ) -> Verdict {
        let (Some(stream), Some(outgoing)) = (self.stream, self.outgoing(rtc, packet)) else {
            return self.drop_packet();
        };
        let original = packet.original();
        let mut starts_run = false;
        let sent = match self.selector.admit(packet, encodings) {
            Admission::Pass {
                starts_run: first,
                marker,
            } => {
                starts_run = first;
                self.stats.switches += u64::from(starts_run);
                let numbers = self.rewriter.rewrite(&original, starts_run);
                let content = packet.content(outgoing.unwrap_red).map(Shared::clone);
                numbers.zip(content).zip(Some(marker))
            }
            // An empty packet in the place of one that was waited for.
            Admission::Skip => {
                let hole = self.rewriter.hold(&original);
                hole.map(|numbers| ((numbers, Shared::new(Content::empty())), false))
            }
            Admission::Ignore => None,
        };
        let Some(((numbers, content), marker)) = sent else {
            return self.drop_packet();
        };
        let newest = Newest {
            timestamp: numbers.timestamp,
            arrival: original.arrival,
            clock_rate: original.clock_rate,
        };
        let queued = Queued {
            content,
            stream: stream as u16, // a session has hundreds of m-lines at most
            sequence: numbers.sequence,
            timestamp: numbers.timestamp,
            payload_type: outgoing.payload_type,
            marker,
            patch: numbers.patch,
            frame_number: numbers.frame_number,
            starts_run,
            since: 0,
        };
        self.stats.packets += 1;
        self.stats.bytes += queued.payload_len() as u64;
        egress.queue(queued, newest);
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
