//! A publisher: one track in. What it sends, which encodings, who takes it.

use std::time::Instant;

use str0m::media::{Mid, Rid};

use crate::codec::Format;
use crate::event::{CodecInfo, TrackKind};
use crate::extension::DependencyDescriptor;
use crate::ids::{PublisherId, RouterId, TransportId};
use crate::journal::Journal;
use crate::keyframe::Throttle;
use crate::layer::Content;
use crate::layers::{Arrival, Encodings, Facts};
use crate::packet::{Packet, Rtp};
use crate::relay::RelayedTrack;
use crate::speakers::Voice;
use crate::transport::plain::Input;
use crate::wanted::Wanted;

/// One track in.
pub(crate) struct Publisher {
    pub(crate) id: PublisherId,
    pub(crate) router: RouterId,
    pub(crate) source: Source,
    /// The transport on which it arrives, perhaps on another media thread.
    pub(crate) transport: TransportId,
    pub(crate) kind: TrackKind,
    pub(crate) codec: CodecInfo,
    /// The first packet has come.
    pub(crate) active: bool,
    /// The payload type that the application was told last, and when it was told of a change.
    pub(crate) announced: Option<(u8, Option<Instant>)>,
    pub(crate) paused: bool,
    pub(crate) encodings: Encodings,
    /// Of each encoding, by its place.
    pub(crate) throttles: Vec<Throttle>,
    /// What it shows.
    pub(crate) content: Content,
    pub(crate) subscribers: Vec<usize>,
    pub(crate) recordings: Vec<usize>,
    /// The media threads that take it by relay.
    pub(crate) relays: Vec<u16>,
    pub(crate) wanted: Wanted,
    pub(crate) voice: Voice,
    /// It has been silent so long that nobody's allocation looks at it again before its next packet.
    pub(crate) resting: bool,
    /// An encoding whose key frame was asked for and has come just now.
    pub(crate) answered: Option<u8>,
    pub(crate) journal: Journal,
    /// The meaning of the last payload type seen.
    format: Option<Format>,
    pub(crate) stats: PublisherStats,
}

/// Counters of one publisher.
#[derive(Default)]
pub(crate) struct PublisherStats {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) key_frames: u64,
    pub(crate) key_frame_requests: u64,
    pub(crate) nacks_sent: u64,
    pub(crate) loss: Option<f32>,
    pub(crate) rtt_ms: Option<f64>,
    pub(crate) last_packet: Option<Instant>,
}

/// Where a publisher's packets come from.
pub(crate) enum Source {
    /// An m-line of a client's session.
    Session { key: usize, mid: Mid },
    /// The same publisher on another media thread.
    Relayed(RelayedTrack),
    /// A plain transport.
    Plain { place: usize, input: Box<Input> },
    /// None: it is what an empty slot takes.
    Nobody,
}

/// Who a new publisher is.
pub(crate) struct Origin {
    pub(crate) id: PublisherId,
    pub(crate) router: RouterId,
    pub(crate) transport: TransportId,
    pub(crate) source: Source,
    pub(crate) kind: TrackKind,
    /// RIDs of its encodings, in the order of the offer.
    pub(crate) rids: Vec<String>,
}

impl Publisher {
    pub(crate) fn new(origin: Origin, codec: CodecInfo) -> Self {
        let Origin {
            id,
            router,
            transport,
            source,
            kind,
            rids,
        } = origin;
        Self {
            id,
            router,
            transport,
            source,
            kind,
            codec,
            active: false,
            announced: None,
            paused: false,
            encodings: Encodings::new(rids.iter().map(String::as_str)),
            throttles: Vec::new(),
            content: Content::default(),
            subscribers: Vec::new(),
            recordings: Vec::new(),
            relays: Vec::new(),
            wanted: Wanted::default(),
            voice: Voice::default(),
            resting: false,
            answered: None,
            journal: Journal::default(),
            format: None,
            stats: PublisherStats::default(),
        }
    }

    /// Does nobody take it?
    pub(crate) fn is_unused(&self) -> bool {
        self.subscribers.is_empty() && self.recordings.is_empty() && self.relays.is_empty()
    }

    /// Its session, unless it is relayed.
    pub(crate) const fn session(&self) -> Option<usize> {
        match self.source {
            Source::Session { key, .. } => Some(key),
            Source::Relayed(_) | Source::Plain { .. } | Source::Nobody => None,
        }
    }

    /// Its m-line, unless it is relayed.
    pub(crate) const fn mid(&self) -> Option<Mid> {
        match self.source {
            Source::Session { mid, .. } => Some(mid),
            Source::Relayed(_) | Source::Plain { .. } | Source::Nobody => None,
        }
    }

    /// The meaning of a payload type, if it is the one of the packet before.
    pub(crate) fn format(&self, payload_type: u8) -> Option<Format> {
        self.format
            .filter(|format| format.payload_type == payload_type)
    }

    pub(crate) const fn set_format(&mut self, format: Format) {
        self.format = Some(format);
    }

    /// Reads and counts a packet. None for one that counts no more: of an encoding's old SSRC.
    pub(crate) fn handle_packet<'a>(
        &mut self,
        rtp: &'a Rtp,
        rid: Option<Rid>,
        format: Format,
        now: Instant,
    ) -> Option<Packet<'a>> {
        let values = &rtp.header.ext_vals.user_values;
        let descriptor = values.get::<DependencyDescriptor>();
        let (encoding, facts): (u8, Facts) = self.encodings.handle_packet(Arrival {
            ssrc: *rtp.header.ssrc,
            sequence: *rtp.seq_no,
            rid,
            codec: format.spec.codec,
            payload: &rtp.payload,
            descriptor: descriptor.map(|descriptor| &*descriptor.0),
            marker: rtp.header.marker,
            now,
        })?;
        let packet = Packet::new(rtp, format, facts);
        self.stats.packets += 1;
        self.stats.bytes += rtp.payload.len() as u64;
        self.stats.last_packet = Some(now);
        if self.kind == TrackKind::Video && packet.keyframe {
            self.stats.key_frames += 1;
            if self.throttle(encoding).satisfied() {
                self.answered = Some(encoding);
            }
        }
        Some(packet)
    }

    /// The throttle of an encoding's key frames.
    pub(crate) fn throttle(&mut self, encoding: u8) -> &mut Throttle {
        let place = usize::from(encoding);
        if self.throttles.len() <= place {
            self.throttles.resize_with(place + 1, Throttle::default);
        }
        &mut self.throttles[place]
    }
}
