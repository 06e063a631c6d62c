//! A *session*: one peer's WebRTC connection, publishing or subscribing, around one str0m `Rtc`.
//!
//! str0m wants exactly one mutation, then a drain. It has the whole connection of a publish
//! transport. Of a subscribe transport it has ICE, DTLS, SDP and SCTP; media and RTCP are the
//! business of `egress`, and a wake-up that only sends media does not touch str0m at all.
//!
//! States of a connection: `New` -> (verified check) `Connecting` -> (DTLS done) `Connected`
//! <-> `Disconnected` -> `Failed`, which closes the transport.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use str0m::change::SdpPendingOffer;
use str0m::channel::ChannelId;
use str0m::config::DtlsCert;
use str0m::media::{KeyframeRequestKind, MediaKind, Mid, Rid};
use str0m::net::{Protocol, TcpType};
use str0m::rtp::Ssrc;
use str0m::stats::PeerStats;
use str0m::{Candidate, IceCreds, Rtc, RtcConfig};

use crate::allocation::Allocation;
use crate::codec;
use crate::command::{CodecKind, DtlsVersion, TransportOptions};
use crate::crypto::Agreement;
use crate::demux::is_stun;
use crate::egress::{Egress, Sources};
use crate::error::Error;
use crate::event::{ConnectionState, TrackInfo, TrackKind};
use crate::extension;
use crate::heartbeat::Heartbeat;
use crate::ids::{DataPublisherId, DataSubscriberId};
use crate::journal::Journal;
use crate::parameters;
use crate::quality::Meter;
use crate::rewrite::Rewriter;
use crate::shared::Provider;
use crate::sink::Path;
use crate::srtp::{Keys, Opener, Profile};
use crate::stats::Counters;
use crate::transport::Belongs;
use crate::transport::path::Paths;
use crate::transport::remb::Remb;
use crate::{Socket, Transmit};

/// One WebRTC connection.
pub(crate) struct Session {
    pub(crate) belongs: Belongs,
    pub(crate) options: TransportOptions,
    pub(crate) rtc: Rtc,
    pub(crate) side: Side,
    /// The next drain panics (tests only).
    pub(crate) poisoned: bool,
    /// Waiting in the dirty list.
    pub(crate) dirty: bool,
    /// str0m has something to do in the next flush; else only the egress has.
    pub(crate) stirred: bool,
    /// When the session's timer fires, if one is armed.
    pub(crate) armed: Option<Instant>,
    /// When the liveness timer fires, if one is armed.
    pub(crate) watched: Option<Instant>,
    pub(crate) state: ConnectionState,
    /// Last verified sign of the peer.
    pub(crate) heard: Instant,
    /// When its first verified check came: from then on the handshake has so much time.
    pub(crate) approached: Option<Instant>,
    /// When the first SDP exchange was complete.
    pub(crate) exchanged: Option<Instant>,
    /// Local credentials by which this session can be found: in force, and of an open ICE
    /// restart.
    pub(crate) credentials: Vec<IceCreds>,
    /// Of a client by parameters: what str0m holds to be its credentials (see `parameters`).
    pub(crate) learned: Option<IceCreds>,
    /// Verified source addresses, oldest first.
    pub(crate) addresses: VecDeque<SocketAddr>,
    /// The newest checks: transaction id and where it came from first.
    checks: VecDeque<([u8; 12], SocketAddr)>,
    /// Whether and where it beats.
    pub(crate) heartbeat: Heartbeat,
    /// Where its datagrams go.
    pub(crate) paths: Paths,
    /// When a flush is due for packets that wait for the pacer.
    pub(crate) paced: Option<Instant>,
    /// A candidate address that stands for a local address which is not a candidate (NAT).
    pub(crate) alias: Option<(SocketAddr, SocketAddr)>,
    pub(crate) channels: FxHashMap<ChannelId, Channel>,
    pub(crate) srtp_profile: Option<Profile>,
    pub(crate) stats: SessionStats,
    pub(crate) quality: Meter,
}

/// What differs by direction.
pub(crate) enum Side {
    Publish(Publishing),
    Subscribe(Box<Subscribing>),
}

impl Side {
    /// Another address of the client or of ours. Whether that may enter decisions.
    pub(crate) fn moved(&mut self, now: Instant) -> bool {
        match self {
            Self::Publish(publishing) => publishing.moved(),
            Self::Subscribe(subscribing) => subscribing.egress.moved(now),
        }
        matches!(self, Self::Subscribe(_))
    }
}

/// What a publish transport holds.
#[derive(Default)]
pub(crate) struct Publishing {
    /// Every track ever offered, in order.
    pub(crate) tracks: Vec<TrackInfo>,
    /// m-lines of the last offer whose key frames are asked for by FIR.
    pub(crate) by_fir: Vec<Mid>,
    pub(crate) publishers: Vec<usize>,
    pub(crate) streams: FxHashMap<Ssrc, Stream>,
    /// Encodings without RIDs, of the last offer.
    pub(crate) by_ssrc: Vec<(Ssrc, Rid)>,
    pub(crate) data_publishers: Vec<DataPublisherId>,
    /// Of a client that is told by REMB how much may come.
    pub(crate) remb: Option<Box<Remb>>,
    /// Tells reports that have been here before.
    pub(crate) reports: Option<Box<Opener>>,
}

impl Publishing {
    /// The handshake has ended.
    pub(crate) fn set_keys(&mut self, agreement: &Agreement) {
        let keys = Keys::from_dtls(agreement.profile, &agreement.material, agreement.side);
        self.reports = keys.map(|(_, theirs)| Box::new(Opener::new(&theirs)));
    }
}

/// What an incoming SSRC is.
pub(crate) struct Stream {
    /// None for an offered track that nobody has published.
    pub(crate) publisher: Option<usize>,
    pub(crate) rid: Option<Rid>,
}

/// What a subscribe transport holds.
pub(crate) struct Subscribing {
    pub(crate) egress: Egress,
    pub(crate) allocation: Allocation,
    /// The client makes the offers (WHEP); else the server does.
    pub(crate) client_offers: bool,
    pub(crate) lines: Vec<Line>,
    pub(crate) subscribers: Vec<usize>,
    pub(crate) data_subscribers: Vec<DataSubscriberId>,
    pub(crate) pending: Option<Pending>,
    /// The text of the last offer, for an offer that changes nothing.
    pub(crate) last_offer: Option<String>,
    /// NegotiationNeeded has been said.
    pub(crate) needs_negotiation: bool,
    /// A data channel m-line has been agreed.
    pub(crate) has_data: bool,
    pub(crate) journal: Journal,
    /// The estimate that was noted last, bit/s.
    pub(crate) noted: u64,
}

/// An m-line of a subscribe transport. It outlives its subscribers.
pub(crate) struct Line {
    pub(crate) mid: Mid,
    pub(crate) kind: TrackKind,
    pub(crate) subscriber: Option<usize>,
    /// Whether the remote believes that we send on it.
    pub(crate) sending: bool,
    /// Rejected by the remote: never used again.
    pub(crate) dead: bool,
    /// The SSRCs that its description names.
    pub(crate) sources: Sources,
    /// Its stream's place at the egress, once there is one.
    pub(crate) stream: Option<usize>,
    /// The numbering of a slot whose SSRC stays the same for its next subscriber (WHEP).
    pub(crate) rewriter: Option<Rewriter>,
}

/// An open offer.
pub(crate) struct Pending {
    /// None for an offer that repeats the last one.
    pub(crate) change: Option<SdpPendingOffer>,
    /// Lines that exist only if this offer is answered.
    pub(crate) new_lines: Vec<Line>,
    /// Subscribers that got an m-line in this offer and have not closed since.
    pub(crate) placed: Vec<(usize, Mid)>,
    /// Lines that this offer makes active, whatever has become of their subscribers.
    pub(crate) filled: Vec<Mid>,
    /// Lines that this offer makes inactive.
    pub(crate) emptied: Vec<Mid>,
    /// The internal channel, if it comes with this offer.
    pub(crate) channel: Option<ChannelId>,
    /// ICE restart: str0m's new credentials and ours in their place.
    pub(crate) restart: Option<(IceCreds, IceCreds)>,
}

/// What a data channel of this session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Keeps the data m-line alive, and carries the heartbeat.
    Internal,
    /// Opened by a client that has nothing to say here.
    Ignored,
    /// Opened by the client.
    Incoming {
        label: String,
        data_publisher: Option<DataPublisherId>,
        /// The stream that both sides know it by; None for one that was opened in band.
        stream: Option<u16>,
    },
    /// Opened by us.
    Outgoing {
        data_subscriber: DataSubscriberId,
        open: bool,
    },
}

/// Counters of one session.
#[derive(Default)]
pub(crate) struct SessionStats {
    pub(crate) packets_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) packets_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) peer: Option<PeerStats>,
}

/// A session's str0m panicked. Its state means nothing any more.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Runs a call into one session; a panic stops here.
pub(crate) fn contained<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    // The caller drops the session without looking into it again, so no broken invariant is seen.
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| Panicked)
}

/// What a session is built from.
pub(crate) struct Recipe<'a> {
    pub(crate) credentials: IceCreds,
    pub(crate) certificate: &'a DtlsCert,
    pub(crate) crypto: &'a Provider,
    pub(crate) candidates: &'a [SocketAddr],
    pub(crate) tcp_candidates: &'a [SocketAddr],
    pub(crate) codecs: &'a [CodecKind],
    pub(crate) options: TransportOptions,
}

impl Session {
    pub(crate) fn new(
        belongs: Belongs,
        side: Side,
        recipe: Recipe<'_>,
        now: Instant,
    ) -> Result<Self, Error> {
        let dtls = match recipe.options.dtls {
            DtlsVersion::V12 => str0m::config::DtlsVersion::Dtls12,
            DtlsVersion::V13 => str0m::config::DtlsVersion::Dtls13,
        };
        let credentials = recipe.credentials.clone();
        let mut rtc = codec::enable(RtcConfig::new(), recipe.codecs)
            .set_crypto_provider(Provider::clone(recipe.crypto))
            .set_dtls_cert(recipe.certificate.clone())
            .set_dtls_version(dtls)
            .set_local_ice_credentials(recipe.credentials)
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .set_extension_map(extension::map())
            .set_stats_interval(matches!(side, Side::Publish(_)).then_some(STATS_INTERVAL))
            .set_sctp_max_message_size(MAX_MESSAGE as u32)
            .set_sctp_max_buffered_amount(SCTP_BUFFER)
            .build(now);
        for address in recipe.candidates {
            let candidate = Candidate::host(*address, "udp")
                .map_err(|e| Error::InvalidCandidate(e.to_string()))?;
            rtc.add_local_candidate(candidate);
        }
        for address in recipe.tcp_candidates {
            let candidate = Candidate::builder()
                .tcp()
                .host(*address)
                .tcptype(TcpType::Passive)
                .build()
                .map_err(|e| Error::InvalidCandidate(e.to_string()))?;
            rtc.add_local_candidate(candidate);
        }
        Ok(Self {
            belongs,
            options: recipe.options,
            rtc,
            side,
            poisoned: false,
            dirty: false,
            stirred: false,
            armed: None,
            watched: None,
            state: ConnectionState::New,
            heard: now,
            approached: None,
            exchanged: None,
            credentials: vec![credentials],
            learned: recipe.options.by_parameters.then(parameters::unknown),
            addresses: VecDeque::new(),
            checks: VecDeque::new(),
            heartbeat: Heartbeat::default(),
            paths: Paths::default(),
            paced: None,
            alias: None,
            channels: FxHashMap::default(),
            srtp_profile: None,
            stats: SessionStats::default(),
            quality: Meter::default(),
        })
    }

    /// A datagram of this session as the worker takes it, counted. None: there is no way to go.
    pub(crate) fn outgoing(
        &mut self,
        transmit: str0m::net::Transmit,
        counters: &mut Counters,
    ) -> Option<Transmit> {
        let path = if is_stun(&transmit.contents) {
            self.way_back(&transmit)
        } else {
            self.paths.current()
        };
        let Some(path) = path else {
            counters.drop_no_path += 1;
            return None;
        };
        let contents = Vec::from(transmit.contents);
        self.stats.packets_out += 1;
        self.stats.bytes_out += contents.len() as u64;
        counters.packets_out += 1;
        counters.bytes_out += contents.len() as u64;
        Some(Transmit {
            socket: path.socket,
            source: Some(path.source),
            destination: path.destination,
            contents,
        })
    }

    /// An answer to a check goes back the way the check came.
    fn way_back(&self, transmit: &str0m::net::Transmit) -> Option<Path> {
        let source = match self.alias {
            Some((candidate, local)) if candidate == transmit.source => local,
            _ => transmit.source,
        };
        let destination = transmit.destination;
        let socket = match transmit.proto {
            Protocol::Tcp => Socket::Tcp(self.paths.tcp_to(destination)?),
            _ => Socket::Media,
        };
        Some(Path {
            socket,
            source,
            destination,
        })
    }

    /// Since when it has been up to the peer to connect: the SDP is exchanged, or its checks come.
    /// Checks alone buy no more time, or who never starts DTLS would stay for ever.
    pub(crate) fn coming_since(&self) -> Option<Instant> {
        self.exchanged
            .map(|exchanged| self.approached.map_or(exchanged, |at| at.max(exchanged)))
    }

    /// DTLS is up and media can flow.
    pub(crate) const fn is_connected(&self) -> bool {
        matches!(
            self.state,
            ConnectionState::Connected | ConnectionState::Disconnected
        )
    }

    /// Whether there is a channel on which the heartbeat can be asked for.
    pub(crate) fn has_heartbeat_channel(&self) -> bool {
        let mut channels = self.channels.values();
        channels.any(|channel| *channel == Channel::Internal)
    }

    pub(crate) fn publishing(&mut self) -> Result<&mut Publishing, Error> {
        match &mut self.side {
            Side::Publish(publishing) => Ok(publishing),
            Side::Subscribe(_) => Err(Error::WrongTransport(
                "only a publish transport can do this",
            )),
        }
    }

    /// How to ask for a key frame of what this m-line sends.
    pub(crate) fn key_frame_kind(&self, mid: Mid) -> KeyframeRequestKind {
        match &self.side {
            Side::Publish(publishing) if publishing.by_fir.contains(&mid) => {
                KeyframeRequestKind::Fir
            }
            _ => KeyframeRequestKind::Pli,
        }
    }

    pub(crate) fn subscribing(&mut self) -> Result<&mut Subscribing, Error> {
        match &mut self.side {
            Side::Subscribe(subscribing) => Ok(subscribing),
            Side::Publish(_) => Err(Error::WrongTransport(
                "only a subscribe transport can do this",
            )),
        }
    }

    /// The password that goes with one of our ufrags.
    pub(crate) fn password(&self, ufrag: &str) -> Option<&str> {
        self.credentials
            .iter()
            .find(|known| known.ufrag == ufrag)
            .map(|known| known.pass.as_str())
    }

    /// Whether a verified check is a copy of one that came from elsewhere. Integrity does not
    /// cover the source address, so a captured check sent again from another place would move
    /// the connection there. A peer's own retransmission comes from where the first one came.
    pub(crate) fn is_replay(&mut self, transaction: [u8; 12], source: SocketAddr) -> bool {
        if let Some((_, first)) = self.checks.iter().find(|(seen, _)| *seen == transaction) {
            return *first != source;
        }
        if self.checks.len() == MAX_CHECKS {
            self.checks.pop_front();
        }
        self.checks.push_back((transaction, source));
        false
    }

    /// Takes note of a packet's source. Returns the oldest one when there are too many.
    pub(crate) fn remember(&mut self, source: SocketAddr) -> Option<SocketAddr> {
        self.addresses.retain(|known| *known != source);
        self.addresses.push_back(source);
        if self.addresses.len() > MAX_ADDRESSES {
            self.addresses.pop_front()
        } else {
            None
        }
    }

    /// The local address as str0m must see it: one of the candidates.
    pub(crate) fn candidate_for(destination: SocketAddr, candidates: &[SocketAddr]) -> SocketAddr {
        if candidates.contains(&destination) {
            return destination;
        }
        let same_family = |c: &&SocketAddr| c.is_ipv4() == destination.is_ipv4();
        let candidate = candidates.iter().find(same_family);
        candidate.copied().unwrap_or(destination)
    }
}

impl Line {
    /// Frees the line if `subscriber` has it.
    pub(crate) fn release(&mut self, subscriber: usize) {
        self.subscriber = self.subscriber.filter(|other| *other != subscriber);
    }
}

impl Subscribing {
    pub(crate) fn new(egress: Egress) -> Self {
        Self {
            egress,
            allocation: Allocation::default(),
            client_offers: false,
            lines: Vec::new(),
            subscribers: Vec::new(),
            data_subscribers: Vec::new(),
            pending: None,
            last_offer: None,
            needs_negotiation: false,
            has_data: false,
            journal: Journal::default(),
            noted: 0,
        }
    }

    /// The line that a stream of the egress belongs to.
    pub(crate) fn line_of(&self, stream: usize) -> Option<&Line> {
        self.lines.iter().find(|line| line.stream == Some(stream))
    }

    pub(crate) fn line(&mut self, mid: Mid) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.mid == mid)
    }

    /// Whether the next offer would say anything new.
    pub(crate) fn has_changes(&self, unplaced: bool) -> bool {
        unplaced
            || self
                .lines
                .iter()
                .any(|line| !line.dead && line.sending != line.subscriber.is_some())
    }
}

pub(crate) const fn media_kind(kind: TrackKind) -> MediaKind {
    match kind {
        TrackKind::Audio => MediaKind::Audio,
        TrackKind::Video => MediaKind::Video,
    }
}

/// Source addresses one session may be known by.
const MAX_ADDRESSES: usize = 16;
/// Checks remembered against replay: five minutes of a browser's checks.
const MAX_CHECKS: usize = 128;
/// How often str0m counts NACKs, loss and round-trip time.
const STATS_INTERVAL: Duration = Duration::from_secs(2);
/// Bytes of one data channel message.
pub(crate) const MAX_MESSAGE: usize = 256 * 1024;
/// Bytes that all channels of one session may have queued. Each channel has its own, lower
/// bound; this one only keeps a session with many channels finite.
const SCTP_BUFFER: usize = 8 * 1024 * 1024;
