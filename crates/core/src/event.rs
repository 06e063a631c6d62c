//! What Python hears from a media thread. Values only, no handles into the core.

use std::net::SocketAddr;

use crate::error::Error;
use crate::ids::{
    DataPublisherId, ObjectId, PublisherId, RequestId, RouterId, SubscriberId, TransportId,
};
use crate::journal::Told;
use crate::layer::{Layer, LayerReason};

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Audio.
    Audio,
    /// Video.
    Video,
}

/// One codec as negotiated with one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecInfo {
    /// `audio/opus`, `video/VP8`, …
    pub mime: String,
    /// RTP payload type on that peer's connection.
    pub payload_type: u8,
    /// RTP clock rate in Hz.
    pub clock_rate: u32,
    /// Channels, audio only.
    pub channels: Option<u8>,
    /// The `a=fmtp` value, empty when there is none.
    pub fmtp: String,
}

/// A track that a client offers on a publish transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackInfo {
    /// The m-line.
    pub mid: String,
    /// Audio or video.
    pub kind: TrackKind,
    /// The browser's track id (second token of `msid`); the mid where the offer names none.
    pub track_id: String,
    /// The browser's stream id (first token of `msid`), empty where there is none.
    pub stream_id: String,
    /// Whether the m-line currently sends.
    pub active: bool,
    /// RIDs of simulcast layers, in the order offered; their places, from 0, where SSRCs tell them
    /// apart.
    pub rids: Vec<String>,
}

/// Which m-line carries which subscriber, as of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MidMapping {
    /// The m-line.
    pub mid: String,
    /// What it carries.
    pub subscriber: SubscriberId,
}

/// The value of a successful command.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Nothing to say.
    Done,
    /// Answer to a client's offer.
    Answer {
        /// SDP answer.
        sdp: String,
        /// Every track the client has offered on this transport.
        tracks: Vec<TrackInfo>,
    },
    /// An offer for the client.
    Offer {
        /// SDP offer.
        sdp: String,
        /// All current subscribers of the transport and their m-lines.
        mids: Vec<MidMapping>,
    },
    /// A publisher exists.
    Published {
        /// Audio or video.
        kind: TrackKind,
        /// Its codec; the one the client prefers until packets say otherwise.
        codec: CodecInfo,
    },
    /// How a client by parameters reaches a transport.
    Parameters {
        /// ICE username fragment.
        ufrag: String,
        /// ICE password.
        password: String,
        /// Where it listens, and whether that is for TCP.
        candidates: Vec<(SocketAddr, bool)>,
        /// Hash function and digest of its DTLS certificate (RFC 8122 section 5).
        fingerprint: String,
    },
    /// A subscriber feeds a slot.
    Attached {
        /// The slot's m-line.
        mid: String,
    },
    /// A plain transport listens.
    Bound {
        /// Where for RTP.
        local: SocketAddr,
        /// Where for RTCP, unless it comes to the same port.
        rtcp_local: Option<SocketAddr>,
    },
    /// A plain transport sends a publisher's packets on.
    Consumed {
        /// The SSRC that they have there.
        ssrc: u32,
    },
    /// Counters, by name. Names and units: `docs/reference/statistics.md`.
    Stats(Vec<(&'static str, StatValue)>),
    /// Decisions, oldest first.
    Journal(Vec<Told>),
}

/// One counter or fact of a statistics reply.
#[derive(Clone, Debug, PartialEq)]
pub enum StatValue {
    /// A counter or gauge.
    Int(u64),
    /// A ratio or a time in ms.
    Float(f64),
    /// A fact, such as the SRTP profile.
    Text(String),
}

/// The state of a transport's connection (ICE and DTLS together).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Nothing has arrived yet.
    New,
    /// A verified check has arrived; DTLS is under way.
    Connecting,
    /// Media can flow.
    Connected,
    /// Nothing verified for a while; may come back.
    Disconnected,
    /// Gone for good; the transport closes.
    Failed,
}

/// Why something closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Its own close command.
    Requested,
    /// What it hangs on closed.
    Parent,
    /// The publisher it takes from closed.
    PublisherClosed,
    /// The client removed or stopped the track or channel.
    RemoteEnded,
    /// The client sent DTLS close_notify.
    RemoteClosed,
    /// ICE consent was lost for good.
    ConnectionFailed,
    /// The client answered without the codec this needs.
    UnsupportedCodec,
    /// A bug was contained in this session.
    Panic,
}

/// Something that happened on a media thread.
#[derive(Clone, Debug)]
pub enum Event {
    /// The outcome of a command. Never dropped.
    Reply {
        /// The command.
        request: RequestId,
        /// Its value, or why not.
        result: Result<Reply, Error>,
    },
    /// A transport's connection changed.
    ConnectionState {
        /// Which transport.
        transport: TransportId,
        /// Its state now.
        state: ConnectionState,
    },
    /// Something closed, once. Never dropped.
    Closed {
        /// What closed.
        object: ObjectId,
        /// Why.
        reason: CloseReason,
    },
    /// A subscribe transport has changes that a new offer must carry.
    NegotiationNeeded {
        /// Which transport.
        transport: TransportId,
    },
    /// The first packet of a publisher has arrived, or the first key frame of another codec.
    PublisherActive {
        /// Which publisher.
        publisher: PublisherId,
        /// The codec of the packets.
        codec: CodecInfo,
    },
    /// A plain transport has learned where its peer is.
    PeerFound {
        /// Which transport.
        transport: TransportId,
        /// Where its RTP comes from.
        remote: SocketAddr,
        /// Where its RTCP comes from, with a port of its own.
        rtcp_remote: Option<SocketAddr>,
    },
    /// A publisher or subscriber was paused or resumed.
    Paused {
        /// A publisher or a subscriber.
        object: ObjectId,
        /// True when it forwards nothing.
        paused: bool,
    },
    /// Another layer passes to a subscriber.
    LayerChanged {
        /// Which subscriber.
        subscriber: SubscriberId,
        /// What passed before; none at the start and after a pause.
        from: Option<Layer>,
        /// What passes now; none for want of bandwidth.
        to: Option<Layer>,
        /// Why.
        reason: LayerReason,
        /// What its line is believed to carry, in bit/s.
        estimate: Option<u64>,
    },
    /// How well a transport's connection works has changed.
    ConnectionQuality {
        /// Which transport.
        transport: TransportId,
        /// 0 (nothing gets through) to 100; below 40 it is poor, from 70 on excellent.
        score: u8,
    },
    /// Which of a publisher's layers anybody has use for has changed.
    LayersWanted {
        /// Which publisher.
        publisher: PublisherId,
        /// RIDs, and whether they are wanted; empty without simulcast.
        encodings: Vec<(String, bool)>,
        /// The highest layer that anybody has use for; none when nobody watches.
        max: Option<Layer>,
    },
    /// Somebody else speaks in a router, or nobody any more.
    ActiveSpeaker {
        /// Which router: the home, wherever the publisher is.
        router: RouterId,
        /// Who.
        publisher: Option<PublisherId>,
    },
    /// Somebody else fills a slot, or nobody.
    SlotChanged {
        /// Which slot.
        subscriber: SubscriberId,
        /// Who.
        publisher: Option<PublisherId>,
    },
    /// How loud a router's publishers are.
    AudioLevels {
        /// Which router: the home.
        router: RouterId,
        /// In -dBov (0 is the loudest), the loudest first; nobody when all are silent.
        levels: Vec<(PublisherId, u8)>,
    },
    /// A client opened a data channel on a publish transport.
    DataChannelOpened {
        /// Which transport.
        transport: TransportId,
        /// The channel's label.
        label: String,
        /// Whether messages keep their order.
        ordered: bool,
        /// Maximum retransmissions, where the channel bounds them.
        max_retransmits: Option<u16>,
        /// Lifetime of a packet in ms, where the channel bounds it.
        max_packet_lifetime: Option<u16>,
    },
    /// A message from a tapped data publisher.
    DataMessage {
        /// From which data publisher.
        data_publisher: DataPublisherId,
        /// Binary or text.
        binary: bool,
        /// The message.
        payload: Vec<u8>,
    },
}
