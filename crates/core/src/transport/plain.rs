//! A plain transport: RTP and RTCP without ICE and DTLS, to and from one peer on ports of its own.
//!
//! ```text
//! waiting ──connect(address)──────────────────► peer known
//!    └─────connect() or not, comedia: packets──►  for good
//! ```
//!
//! Rules. With keys (SRTP, RFC 3711; from signalling, RFC 4568) everything is sealed, and only
//! what the peer's keys open is taken in. A datagram that does not come from the peer's address is
//! dropped before anything reads it. With *comedia* the first valid packet tells the address: one
//! that opens; without keys, one that a publisher of the transport takes, or any RTP when there is
//! none. It is believed once: who comes later from elsewhere is a stranger, or a player of copies.

use std::net::SocketAddr;
use std::time::Instant;

use rustc_hash::FxHashMap;
use str0m::media::Rid;

use crate::codec::Format;
use crate::command::PlainOptions;
use crate::error::Error;
use crate::event::StatValue;
use crate::rtcp::Writer;
use crate::srtp::{Keys, OpenError, Opener, Profile, Sealer};
use crate::stats::Counters;
use crate::transport::Belongs;
use crate::transport::reception::Reception;
use crate::transport::recording::Copy;
use crate::{Socket, Transmit};

/// A plain transport.
pub(crate) struct PlainTransport {
    pub(crate) belongs: Belongs,
    pub(crate) local: SocketAddr,
    pub(crate) rtcp_local: Option<SocketAddr>,
    pub(crate) comedia: bool,
    pub(crate) profile: Option<Profile>,
    /// The caller has said all it will.
    pub(crate) connected: bool,
    pub(crate) remote: Option<SocketAddr>,
    /// Where RTCP has a port of its own.
    pub(crate) rtcp_remote: Option<SocketAddr>,
    sealer: Option<Sealer>,
    pub(crate) opener: Option<Opener>,
    /// The sender of our receiver reports and requests.
    pub(crate) ssrc: u32,
    pub(crate) tracks: Vec<usize>,
    pub(crate) publishers: Vec<usize>,
    pub(crate) sources: FxHashMap<u32, Source>,
    /// Number of the last FIR.
    firs: u8,
    /// When its timer fires, if one is armed, and when it reports next.
    pub(crate) armed: Option<Instant>,
    pub(crate) report_at: Option<Instant>,
    pub(crate) stats: PlainStats,
}

/// What a publisher on a plain transport is made of.
pub(crate) struct Input {
    pub(crate) format: Format,
    pub(crate) ssrcs: Vec<u32>,
    pub(crate) nack: bool,
    pub(crate) pli: bool,
    pub(crate) fir: bool,
    pub(crate) audio_level: Option<u8>,
}

/// An SSRC that comes in.
pub(crate) struct Source {
    pub(crate) publisher: usize,
    pub(crate) rid: Option<Rid>,
    pub(crate) nack: bool,
    pub(crate) reception: Reception,
}

/// Counters of one plain transport.
#[derive(Default)]
pub(crate) struct PlainStats {
    packets_in: u64,
    bytes_in: u64,
    packets_out: u64,
    bytes_out: u64,
    strangers: u64,
    unopened: u64,
    malformed: u64,
    unclaimed: u64,
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drop {
    /// It does not come from the peer.
    Stranger,
    /// It does not open.
    Unopened,
    /// It was seen before.
    Replayed,
    /// It is not RTP, or not RTCP.
    Malformed,
    /// Nobody has asked for it.
    Unclaimed,
}

impl PlainTransport {
    pub(crate) fn new(belongs: Belongs, options: &PlainOptions, ssrc: u32) -> Result<Self, Error> {
        let keys = match &options.keys {
            Some(keying) => Some(keying.keys().ok_or(BAD_KEYS)?),
            None => None,
        };
        Ok(Self {
            belongs,
            local: options.local,
            rtcp_local: options.rtcp_local,
            comedia: options.comedia,
            profile: keys.as_ref().map(Keys::profile),
            connected: false,
            remote: None,
            rtcp_remote: None,
            sealer: keys.as_ref().map(Sealer::new),
            opener: None,
            ssrc,
            tracks: Vec::new(),
            publishers: Vec::new(),
            sources: FxHashMap::default(),
            firs: 0,
            armed: None,
            report_at: None,
            stats: PlainStats::default(),
        })
    }

    /// Whether RTCP comes to the port of RTP.
    pub(crate) const fn is_muxed(&self) -> bool {
        self.rtcp_local.is_none()
    }

    /// Whether a datagram from there may be looked at.
    pub(crate) fn admits(&self, is_rtcp: bool, source: SocketAddr) -> bool {
        let apart = is_rtcp && !self.is_muxed();
        if let Some(known) = if apart { self.rtcp_remote } else { self.remote } {
            return known == source;
        }
        let can_tell = self.comedia && (self.profile.is_none() || self.opener.is_some());
        // In the clear, who sends the RTCP is who sends the RTP, from another port.
        let is_near = self
            .remote
            .is_some_and(|remote| apart && remote.ip() == source.ip());
        can_tell && (self.profile.is_some() || !is_rtcp || is_near)
    }

    /// A valid packet came from there. True when that is news.
    pub(crate) fn learn(&mut self, is_rtcp: bool, source: SocketAddr) -> bool {
        let place = if is_rtcp && !self.is_muxed() {
            &mut self.rtcp_remote
        } else {
            &mut self.remote
        };
        let is_news = place.is_none();
        place.get_or_insert(source);
        is_news
    }

    /// What is left of a datagram when its seal is gone.
    pub(crate) fn open<'a>(
        &mut self,
        is_rtcp: bool,
        datagram: &'a mut [u8],
    ) -> Result<&'a [u8], Drop> {
        if self.profile.is_none() {
            return Ok(datagram);
        }
        let opener = self.opener.as_mut().ok_or(Drop::Unopened)?;
        let opened = if is_rtcp {
            opener.open_rtcp(datagram)
        } else {
            opener.open_rtp(datagram).map(|(packet, _)| packet)
        };
        opened.map_err(|error| match error {
            OpenError::Replayed => Drop::Replayed,
            OpenError::Malformed => Drop::Malformed,
            _ => Drop::Unopened,
        })
    }

    /// Counts what was taken in.
    pub(crate) const fn note_received(&mut self, len: usize, counters: &mut Counters) {
        self.stats.packets_in += 1;
        self.stats.bytes_in += len as u64;
        counters.packets_in += 1;
        counters.bytes_in += len as u64;
    }

    /// Counts what was not.
    pub(crate) const fn note_dropped(&mut self, why: Drop, counters: &mut Counters) {
        let (own, all) = match why {
            Drop::Stranger => (&mut self.stats.strangers, &mut counters.drop_unaccepted),
            Drop::Unopened => (&mut self.stats.unopened, &mut counters.drop_integrity),
            Drop::Replayed => (&mut self.stats.unopened, &mut counters.drop_replay),
            Drop::Malformed => (&mut self.stats.malformed, &mut counters.drop_unaccepted),
            Drop::Unclaimed => (&mut self.stats.unclaimed, &mut counters.drop_unpublished),
        };
        *own += 1;
        *all += 1;
    }

    /// A copied packet on its way, sealed where there are keys.
    pub(crate) fn send_rtp(&mut self, copy: Copy, counters: &mut Counters) -> Option<Transmit> {
        let Some(destination) = self.remote else {
            counters.drop_no_path += 1;
            return None;
        };
        let Copy {
            mut contents,
            sequence,
            header,
        } = copy;
        if let Some(sealer) = &mut self.sealer {
            let payload = contents.len() - header;
            contents.resize(contents.len() + sealer.profile().rtp_overhead(), 0);
            if sealer
                .seal_rtp(header, payload, &mut contents, sequence)
                .is_err()
            {
                counters.session_errors += 1;
                return None;
            }
        }
        let socket = Socket::Plain(self.belongs.transport);
        Some(self.sent(socket, destination, contents, counters))
    }

    /// A compound packet on its way, sealed where there are keys.
    pub(crate) fn send_rtcp(
        &mut self,
        mut contents: Vec<u8>,
        counters: &mut Counters,
    ) -> Option<Transmit> {
        let id = self.belongs.transport;
        let (socket, destination) = match self.is_muxed() {
            true => (Socket::Plain(id), self.remote),
            false => (Socket::PlainRtcp(id), self.rtcp_remote),
        };
        let destination = destination?;
        if let Some(sealer) = &mut self.sealer {
            let len = contents.len();
            contents.resize(len + sealer.profile().rtcp_overhead(), 0);
            if sealer.seal_rtcp(len, &mut contents).is_err() {
                counters.session_errors += 1;
                return None;
            }
        }
        Some(self.sent(socket, destination, contents, counters))
    }

    const fn sent(
        &mut self,
        socket: Socket,
        destination: SocketAddr,
        contents: Vec<u8>,
        counters: &mut Counters,
    ) -> Transmit {
        self.stats.packets_out += 1;
        self.stats.bytes_out += contents.len() as u64;
        counters.packets_out += 1;
        counters.bytes_out += contents.len() as u64;
        Transmit {
            socket,
            source: None,
            destination,
            contents,
        }
    }

    /// Reports on all that comes in, with what was lost and is to come again.
    pub(crate) fn report(&mut self, now: Instant) -> Option<Vec<u8>> {
        let mut blocks: Vec<_> = self
            .sources
            .iter_mut()
            .map(|(ssrc, source)| source.reception.block(*ssrc, now))
            .collect();
        blocks.sort_unstable_by_key(|block| block.ssrc);
        blocks.truncate(MAX_BLOCKS);
        (!blocks.is_empty()).then(|| {
            self.compound(|writer, ssrc| {
                writer.receiver_report(ssrc, &blocks).ok()?;
                let name = format!("{:016x}", self.belongs.transport.0);
                writer.canonical_name(ssrc, &name).ok()
            })
        })?
    }

    /// Asks again for what is missing and due. Empty reports come first (RFC 3550 section 6.1).
    pub(crate) fn ask_again(&mut self, now: Instant) -> (Option<Vec<u8>>, u64) {
        let mut asked = Vec::new();
        for (ssrc, source) in self.sources.iter_mut().filter(|(_, source)| source.nack) {
            let missing = source.reception.take_due(now);
            if !missing.is_empty() {
                asked.push((*ssrc, missing));
            }
        }
        if asked.is_empty() {
            return (None, 0);
        }
        let count = asked.len() as u64;
        let compound = self.compound(|writer, ssrc| {
            writer.receiver_report(ssrc, &[]).ok()?;
            // What does not fit is asked for a little later.
            asked
                .iter()
                .try_for_each(|(media, missing)| writer.nack(ssrc, *media, missing).ok());
            Some(())
        });
        (compound, count)
    }

    /// When something is next to be asked again.
    pub(crate) fn next_request(&self) -> Option<Instant> {
        let sources = self.sources.values().filter(|source| source.nack);
        sources.filter_map(|source| source.reception.next()).min()
    }

    /// A request for a key frame, in the way the sender understands.
    pub(crate) fn key_frame_request(&mut self, media: u32, input: (bool, bool)) -> Option<Vec<u8>> {
        let (pli, fir) = input;
        if !pli {
            self.firs = self.firs.wrapping_add(1);
        }
        let number = self.firs;
        self.compound(|writer, ssrc| {
            writer.receiver_report(ssrc, &[]).ok()?;
            match (pli, fir) {
                (true, _) => writer.pli(ssrc, media).ok(),
                (false, true) => writer.fir(ssrc, media, number).ok(),
                (false, false) => None,
            }
        })
    }

    fn compound(&self, write: impl FnOnce(&mut Writer<'_>, u32) -> Option<()>) -> Option<Vec<u8>> {
        let mut contents = vec![0; ROOM];
        let mut writer = Writer::new(&mut contents);
        write(&mut writer, self.ssrc)?;
        let len = writer.len();
        contents.truncate(len);
        Some(contents)
    }

    /// A publisher is gone, and what came of it is a stranger's.
    pub(crate) fn forget_publisher(&mut self, key: usize) {
        self.publishers.retain(|other| *other != key);
        self.sources.retain(|_, source| source.publisher != key);
    }

    /// Makes room for one more source, if there is any.
    pub(crate) fn has_room(&self) -> bool {
        self.sources.len() < MAX_SOURCES
    }

    pub(crate) fn values(&self) -> Vec<(&'static str, StatValue)> {
        let s = &self.stats;
        let mut values: Vec<_> = [
            ("packets_received", s.packets_in),
            ("bytes_received", s.bytes_in),
            ("packets_sent", s.packets_out),
            ("bytes_sent", s.bytes_out),
            ("dropped_strangers", s.strangers),
            ("dropped_unopened", s.unopened),
            ("dropped_malformed", s.malformed),
            ("dropped_unclaimed", s.unclaimed),
            ("tracks", self.tracks.len() as u64),
        ]
        .into_iter()
        .map(|(name, count)| (name, StatValue::Int(count)))
        .collect();
        let text = |address: SocketAddr| StatValue::Text(address.to_string());
        values.push(("local_address", text(self.local)));
        values.extend(self.remote.map(|remote| ("remote_address", text(remote))));
        let name = |profile: Profile| StatValue::Text(profile.name().to_owned());
        values.extend(self.profile.map(|profile| ("srtp_profile", name(profile))));
        values
    }
}

/// Second byte of RTCP (RFC 5761 section 4).
pub(crate) fn is_rtcp(contents: &[u8]) -> bool {
    matches!(contents.get(1), Some(192..=223))
}

/// Key and salt have not the length that the suite asks for.
pub(crate) const BAD_KEYS: Error = Error::InvalidParameters("the SRTP key has a wrong length");
/// SSRCs that one transport takes in.
const MAX_SOURCES: usize = 64;
/// Report blocks of one compound packet (five bits count them).
const MAX_BLOCKS: usize = 31;
/// Bytes of one compound packet.
const ROOM: usize = 1_000;
