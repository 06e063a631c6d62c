//! A publisher: one track in. What it sends, which encodings, who takes it.

use std::time::Instant;

use str0m::media::{Mid, Rid};

use crate::codec::Format;
use crate::event::{CodecInfo, TrackKind};
use crate::ids::{PublisherId, RouterId, TransportId};
use crate::keyframe::{self, Throttle};
use crate::layers::Largest;
use crate::packet::Packet;
use crate::relay::RelayedTrack;

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
    pub(crate) paused: bool,
    pub(crate) layers: Largest,
    pub(crate) throttle: Throttle,
    pub(crate) subscribers: Vec<usize>,
    pub(crate) recordings: Vec<usize>,
    /// The media threads that take it by relay.
    pub(crate) relays: Vec<u16>,
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
}

/// Who a new publisher is.
pub(crate) struct Origin {
    pub(crate) id: PublisherId,
    pub(crate) router: RouterId,
    pub(crate) transport: TransportId,
    pub(crate) source: Source,
    pub(crate) kind: TrackKind,
}

impl Publisher {
    pub(crate) fn new(origin: Origin, codec: CodecInfo) -> Self {
        let Origin {
            id,
            router,
            transport,
            source,
            kind,
        } = origin;
        Self {
            id,
            router,
            transport,
            source,
            kind,
            codec,
            active: false,
            paused: false,
            layers: Largest::default(),
            throttle: Throttle::default(),
            subscribers: Vec::new(),
            recordings: Vec::new(),
            relays: Vec::new(),
            format: None,
            stats: PublisherStats::default(),
        }
    }

    /// Its session, unless it is relayed.
    pub(crate) const fn session(&self) -> Option<usize> {
        match self.source {
            Source::Session { key, .. } => Some(key),
            Source::Relayed(_) => None,
        }
    }

    /// Its m-line, unless it is relayed.
    pub(crate) const fn mid(&self) -> Option<Mid> {
        match self.source {
            Source::Session { mid, .. } => Some(mid),
            Source::Relayed(_) => None,
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

    /// Counts a packet and looks which encoding goes out. True when the target has changed.
    pub(crate) fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        rid: Option<Rid>,
        now: Instant,
    ) -> bool {
        let rtp = packet.rtp;
        self.stats.packets += 1;
        self.stats.bytes += rtp.payload.len() as u64;
        self.stats.last_packet = Some(now);
        let changed = self
            .layers
            .handle_packet(packet.ssrc, rid, rtp.payload.len(), now);
        if self.kind == TrackKind::Video && packet.keyframe {
            self.stats.key_frames += 1;
            if self.layers.target() == Some(packet.ssrc) {
                self.throttle.satisfied();
            }
            if let Some(descriptor) = &packet.vp8
                && let Some(pixels) = keyframe::vp8_pixels(&rtp.payload, descriptor)
            {
                self.layers.set_pixels(packet.ssrc, pixels);
            }
        }
        changed
    }
}
