//! What Python asks of a media thread. Every command is a value; every command has one reply.
//!
//! Handles of new objects are allocated by the caller and travel inside the command, so that a
//! caller that gives up waiting can close what it asked for.

use std::net::SocketAddr;
use std::time::Duration;

use crate::ids::{
    DataPublisherId, DataSubscriberId, PublisherId, RecordingTrackId, RouterId, SubscriberId,
    TransportId,
};

use crate::event::{CodecInfo, TrackKind};
use crate::layer::{Content, Preferences};
use crate::srtp::{Keys, Profile};

/// The DTLS version a transport's server side negotiates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtlsVersion {
    /// DTLS 1.2 (RFC 6347), the default.
    #[default]
    V12,
    /// DTLS 1.3 (RFC 9147).
    V13,
}

/// A codec a router carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodecKind {
    /// Opus, with RED (RFC 2198) when both sides have it.
    Opus,
    /// VP8.
    Vp8,
    /// VP9 profiles 0 and 2.
    Vp9,
    /// AV1.
    Av1,
    /// H.264 constrained baseline, baseline, main and high.
    H264,
}

/// Settings of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterOptions {
    /// Codecs offered and accepted, in order of preference.
    pub codecs: Vec<CodecKind>,
}

/// Settings of a WebRTC transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportOptions {
    /// DTLS version.
    pub dtls: DtlsVersion,
    /// Silence of the peer after which the connection counts as disconnected. Consent checks come
    /// every 5 s, give or take a fifth (RFC 7675 section 5.1): with 8 s one may be lost.
    pub disconnected_timeout: Duration,
    /// Silence after which the connection is given up, also when it never came up.
    pub failed_timeout: Duration,
    /// The most that is sent to a subscriber, bit/s.
    pub max_bitrate: Option<u64>,
    /// Its client speaks parameters, not SDP: nobody tells its ICE credentials, they are learned.
    pub by_parameters: bool,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            dtls: DtlsVersion::default(),
            disconnected_timeout: Duration::from_secs(8),
            failed_timeout: Duration::from_secs(45),
            max_bitrate: None,
            by_parameters: false,
        }
    }
}

/// The master key and the salt behind it of one direction of SRTP, as RFC 4568 section 6.1 writes
/// them. Neither printed nor recorded.
#[derive(Clone, PartialEq, Eq)]
pub struct Keying {
    /// What they are for.
    pub profile: Profile,
    /// Key and salt.
    pub material: Vec<u8>,
}

impl Keying {
    /// The keys; None unless key and salt have the profile's length together.
    pub(crate) fn keys(&self) -> Option<Keys> {
        Keys::from_material(self.profile, &self.material)
    }
}

impl std::fmt::Debug for Keying {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Keying")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// Settings of a plain transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainOptions {
    /// Where it receives RTP. Port 0 stands for one that the worker finds and fills in.
    pub local: SocketAddr,
    /// The same for RTCP; none when it comes to the port of RTP (RFC 5761).
    pub rtcp_local: Option<SocketAddr>,
    /// The remote address is that of the first valid packet.
    pub comedia: bool,
    /// What it seals with; with it, only what is sealed is taken in.
    pub keys: Option<Keying>,
}

/// What a plain transport receives as one track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainParameters {
    /// The codec with its payload type.
    pub codec: CodecInfo,
    /// The SSRCs of its encodings, the smallest first; empty for whatever has the payload type.
    pub ssrcs: Vec<u32>,
    /// The sender understands NACK (RFC 4585 section 6.2.1).
    pub nack: bool,
    /// The sender understands PLI (RFC 4585 section 6.3.1).
    pub pli: bool,
    /// The sender understands FIR (RFC 5104 section 4.3.1).
    pub fir: bool,
    /// Id of the header extension for audio levels (RFC 6464), in the short form.
    pub audio_level: Option<u8>,
}

/// A data channel that both sides have agreed on elsewhere (RFC 8831 section 6.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataStream {
    /// SCTP stream id.
    pub id: u16,
    /// Messages arrive in order.
    pub ordered: bool,
    /// How often a message is sent again; for ever without this and the next.
    pub max_retransmits: Option<u16>,
    /// For how long a message is sent again, ms.
    pub max_packet_lifetime: Option<u16>,
    /// Sub-protocol, empty when there is none.
    pub protocol: String,
}

/// Who fills a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Whoever is loudest, or spoke last.
    Loudest,
    /// This one, for good.
    Publisher(PublisherId),
    /// Nobody.
    Nobody,
}

/// What a statistics request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsTarget {
    /// The media thread as a whole.
    Thread,
    /// One transport.
    Transport(TransportId),
    /// One publisher.
    Publisher(PublisherId),
    /// One subscriber.
    Subscriber(SubscriberId),
    /// One data publisher.
    DataPublisher(DataPublisherId),
    /// One data subscriber.
    DataSubscriber(DataSubscriberId),
    /// One recording track.
    RecordingTrack(RecordingTrackId),
}

/// A command to one media thread. The comment names the reply on success.
#[allow(missing_docs)] // a field's type says what it is; what it does not, the variant's comment says
#[derive(Clone, Debug)]
pub enum Command {
    /// Open a router. -> `Done`
    CreateRouter {
        router: RouterId,
        options: RouterOptions,
    },
    /// Open a branch of a router: its part on another media thread. Tracks of one branch can be
    /// taken in all branches of a home. -> `Done`
    CreateBranch {
        router: RouterId,
        home: RouterId,
        options: RouterOptions,
    },
    /// Close a router, or a branch, and all it holds on this thread. -> `Done`
    CloseRouter { router: RouterId },
    /// Tell how loud a router's publishers are, every `interval` (200 ms at least) while anybody
    /// is, or no more. -> `Done`
    SetAudioLevels {
        router: RouterId,
        interval: Option<Duration>,
    },

    /// Open a transport that receives media. -> `Done`
    CreatePublishTransport {
        router: RouterId,
        transport: TransportId,
        options: TransportOptions,
    },
    /// Open a transport that sends media. -> `Done`
    CreateSubscribeTransport {
        router: RouterId,
        transport: TransportId,
        options: TransportOptions,
    },
    /// Open a transport that sends plain RTP and RTCP to `remote`'s address. -> `Done`
    CreateRecordingTransport {
        router: RouterId,
        transport: TransportId,
        remote: SocketAddr,
    },
    /// Open a transport for plain RTP, or SRTP with keys from signalling, in both directions.
    /// -> `Bound`
    CreatePlainTransport {
        router: RouterId,
        transport: TransportId,
        options: PlainOptions,
    },
    /// Where a plain transport's peer is, unless it shows by itself, and what it seals with. Once.
    /// -> `Done`
    ConnectPlainTransport {
        transport: TransportId,
        remote: Option<SocketAddr>,
        rtcp_remote: Option<SocketAddr>,
        keys: Option<Keying>,
    },
    /// Close a transport and all it carries. -> `Done`
    CloseTransport { transport: TransportId },
    /// What a client by parameters has to know of its transport. -> `Parameters`
    DescribeTransport { transport: TransportId },
    /// The certificate of a client by parameters, hash function and digest (RFC 8122 section 5),
    /// where its first offer could not name it yet. -> `Done`
    SetFingerprint {
        transport: TransportId,
        fingerprint: String,
    },
    /// New ICE credentials for a client by parameters; those in force go with the first check that
    /// uses the new. -> `Parameters`
    RenewIce { transport: TransportId },

    /// Accept a client's offer: on a publish transport its tracks become publishable; on a
    /// subscribe transport (WHEP) its recvonly m-lines become slots for `Attach`. New ICE
    /// credentials in the offer are an ICE restart. -> `Answer`
    AcceptOffer { transport: TransportId, sdp: String },
    /// Make an offer that carries all changes since the last answer, or an ICE restart; always has
    /// a data channel m-line. -> `Offer`
    CreateOffer {
        transport: TransportId,
        ice_restart: bool,
    },
    /// Accept the client's answer to the open offer. -> `Done`
    AcceptAnswer { transport: TransportId, sdp: String },
    /// Drop the open offer, as if it had never been made. -> `Done`
    RollbackOffer { transport: TransportId },
    /// A remote candidate, as in `candidate:…` or an `a=` line. -> `Done`
    AddCandidate {
        transport: TransportId,
        candidate: String,
    },

    /// Make the offered track at `mid` available. -> `Published`
    Publish {
        transport: TransportId,
        publisher: PublisherId,
        mid: String,
    },
    /// Stop or resume forwarding for every subscriber of this publisher. -> `Done`
    SetPublisherPaused {
        publisher: PublisherId,
        paused: bool,
    },
    /// Ask the publishing client for a key frame (coalesced: one per 500 ms). -> `Done`
    RequestKeyFrame { publisher: PublisherId },
    /// Close a publisher and its subscribers. -> `Done`
    ClosePublisher { publisher: PublisherId },

    /// Subscribe to several publishers with one offer. -> `Offer`
    Subscribe {
        transport: TransportId,
        items: Vec<(SubscriberId, PublisherId)>,
    },
    /// Feed a publisher into a free slot that the client offered (WHEP), any or the one of this
    /// m-line. -> `Attached`
    Attach {
        transport: TransportId,
        subscriber: SubscriberId,
        publisher: PublisherId,
        mid: Option<String>,
    },
    /// Add slots: subscribers that carry the loudest of the router, or for video those who spoke
    /// last, without another offer. `own` is the publish transport of the same client. -> `Offer`
    OpenSlots {
        transport: TransportId,
        kind: TrackKind,
        slots: Vec<SubscriberId>,
        own: Option<TransportId>,
    },
    /// The publish transport of the client that has these slots, which they never carry. -> `Done`
    SetOwnTransport {
        transport: TransportId,
        own: Option<TransportId>,
    },
    /// Who is to fill a slot of this transport from now on. -> `Done`
    SetSlot {
        transport: TransportId,
        subscriber: SubscriberId,
        feed: Feed,
    },
    /// Stop or resume forwarding to one subscriber; resume starts at a key frame. -> `Done`
    SetSubscriberPaused {
        subscriber: SubscriberId,
        paused: bool,
    },
    /// What this subscriber wishes to get; replaces all it wished before. -> `Done`
    SetPreferences {
        subscriber: SubscriberId,
        preferences: Preferences,
    },
    /// What this publisher shows, for those who do not say what to give up first; sound that belongs
    /// to anything but a camera fills no slot by itself. -> `Done`
    SetPublisherContent {
        publisher: PublisherId,
        content: Content,
    },
    /// What part of its subscribers' lines this media thread may fill, 0 to 1: less than all where
    /// the server is short of CPU or bandwidth. Videos give up layers, audio does not. -> `Done`
    SetShare { share: f64 },
    /// The most that is sent to this subscribe transport, bit/s; None for whatever its line carries.
    /// -> `Done`
    SetMaxBitrate {
        transport: TransportId,
        bitrate: Option<u64>,
    },
    /// Close a subscriber; its m-line becomes inactive with the next offer. -> `Done`
    CloseSubscriber { subscriber: SubscriberId },

    /// Make a client's data channel available: the one of this label, now or when it opens, or the
    /// one that is agreed to be this stream. -> `Done`
    PublishData {
        transport: TransportId,
        data_publisher: DataPublisherId,
        label: String,
        stream: Option<DataStream>,
    },
    /// Send a data publisher's messages on, by a channel of our own or as the stream of this id,
    /// as agreed. -> `Offer` when an m-line is missing, else `Done`
    SubscribeData {
        transport: TransportId,
        data_subscriber: DataSubscriberId,
        data_publisher: DataPublisherId,
        stream: Option<u16>,
    },
    /// Also deliver this data publisher's messages as events. -> `Done`
    SetDataTap {
        data_publisher: DataPublisherId,
        tapped: bool,
    },
    /// Send one message from the server through a data publisher to all its subscribers. -> `Done`
    SendData {
        data_publisher: DataPublisherId,
        binary: bool,
        payload: Vec<u8>,
    },
    /// Close a data publisher and its subscribers. -> `Done`
    CloseDataPublisher { data_publisher: DataPublisherId },
    /// Close a data subscriber and its channel. -> `Done`
    CloseDataSubscriber { data_subscriber: DataSubscriberId },

    /// Copy a publisher's packets, numbered anew and starting at a key frame, to `remote`;
    /// RTCP goes to `remote` + 1. -> `Done`
    StartRecording {
        transport: TransportId,
        track: RecordingTrackId,
        publisher: PublisherId,
        remote: SocketAddr,
    },
    /// Make what a plain transport receives available. -> `Published`
    Produce {
        transport: TransportId,
        publisher: PublisherId,
        kind: TrackKind,
        parameters: PlainParameters,
    },
    /// Copy a publisher's packets, numbered anew and starting at a key frame, to the peer of a plain
    /// transport. `StopRecording` ends it. -> `Consumed`
    Consume {
        transport: TransportId,
        track: RecordingTrackId,
        publisher: PublisherId,
        paused: bool,
    },
    /// Stop or resume one track out of a plain transport; resume starts at a key frame. -> `Done`
    SetTrackPaused {
        track: RecordingTrackId,
        paused: bool,
    },
    /// What a track out of a plain transport is to be of its publisher's layers. -> `Done`
    SetTrackPreferences {
        track: RecordingTrackId,
        preferences: Preferences,
    },
    /// Stop one recording track, or one out of a plain transport. -> `Done`
    StopRecording { track: RecordingTrackId },

    /// Counters. -> `Stats`
    GetStats { target: StatsTarget },
    /// The last decisions about a subscriber, oldest first. -> `Journal`
    GetJournal { subscriber: SubscriberId },
    /// Panic inside this transport's session (tests only: proves containment). -> `Done`
    InjectPanic { transport: TransportId },
}
