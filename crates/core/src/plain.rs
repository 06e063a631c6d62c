//! Plain transports: their commands, what comes in on their sockets, and what is said back.
//!
//! A datagram: address, seal, header, publisher; from there it goes the way of any other packet
//! ([`Sfu::take_packet`]). RTCP of the peer: reports of its clock, which the rewriter uses, and
//! requests for key frames of what we send. We send receiver reports each second, and ask for lost
//! packets and key frames as far as the peer has said that it understands that.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::media::Rid;
use str0m::rtp::{ExtensionValues, RtpHeader};

use crate::codec::Format;
use crate::command::{Keying, PlainOptions, PlainParameters};
use crate::error::Error;
use crate::event::{CloseReason, Event, Reply, TrackKind};
use crate::ids::{ObjectId, PublisherId, RecordingTrackId, RouterId, TransportId};
use crate::ntp;
use crate::packet::{MAX_PAYLOAD, Rtp};
use crate::publisher::{Origin, Publisher, Source};
use crate::rewrite::Report;
use crate::rtcp::{Compound, Message, ReportBlock, SenderInfo};
use crate::sfu::Sfu;
use crate::shared::Payload;
use crate::srtp::{Opener, rtp_header_len};
use crate::timer::Reason;
use crate::transport::plain::{self, BAD_KEYS, Drop, Input, PlainTransport, is_rtcp};
use crate::transport::reception::Reception;
use crate::transport::recording::{self, Tap, Way, report_to_recorder};
use crate::transport::webrtc::contained;
use crate::transport::{Belongs, Transport};
use crate::{Output, Transmit};

impl Sfu {
    /// A datagram on a socket of a plain transport: the one for RTP, or that for RTCP alone.
    pub fn receive_plain(
        &mut self,
        now: Instant,
        transport: TransportId,
        on_rtcp_port: bool,
        source: SocketAddr,
        contents: &[u8],
    ) {
        let Some(place) = self.plain_place(transport) else {
            return;
        };
        let mut datagram = std::mem::take(&mut self.datagram);
        datagram.clear();
        datagram.extend_from_slice(contents);
        let arrived = Arrived {
            place,
            on_rtcp_port,
            source,
            now,
        };
        match contained(|| self.take_datagram(&arrived, &mut datagram)) {
            Ok(Ok(())) => {}
            Ok(Err(why)) => {
                let plain = &mut self.plains[place];
                plain.note_dropped(why, &mut self.counters);
            }
            Err(_) => self.doomed.push((transport, CloseReason::Panic)),
        }
        self.reap(now);
        self.datagram = datagram;
    }

    pub(crate) fn plain_place(&self, id: TransportId) -> Option<usize> {
        match self.transports.get(&id) {
            Some(Transport::Plain(place)) => Some(*place),
            _ => None,
        }
    }

    fn take_datagram(&mut self, arrived: &Arrived, datagram: &mut [u8]) -> Result<(), Drop> {
        let plain = &mut self.plains[arrived.place];
        let is_rtcp = is_rtcp(datagram);
        if !plain.is_muxed() && is_rtcp != arrived.on_rtcp_port {
            return Err(Drop::Malformed);
        }
        if !plain.admits(is_rtcp, arrived.source) {
            return Err(Drop::Stranger);
        }
        let len = datagram.len();
        let opened = plain.open(is_rtcp, datagram)?;
        if is_rtcp {
            let mut messages = Compound::new(opened);
            if !matches!(messages.next(), Some(Ok(_))) {
                return Err(Drop::Malformed);
            }
            plain.note_received(len, &mut self.counters);
            self.found(arrived, true);
            self.record_feedback(
                arrived.now,
                self.plains[arrived.place].belongs.transport,
                opened,
            );
            self.take_plain_feedback(arrived.place, arrived.now, opened);
            return Ok(());
        }
        let packet = Header::parse(opened).ok_or(Drop::Malformed)?;
        plain.note_received(len, &mut self.counters);
        self.take_plain_packet(arrived, &packet)
    }

    /// A valid packet has come from there.
    fn found(&mut self, arrived: &Arrived, is_rtcp: bool) {
        let plain = &mut self.plains[arrived.place];
        if plain.learn(is_rtcp, arrived.source)
            && let Some(remote) = plain.remote
        {
            let event = Event::PeerFound {
                transport: plain.belongs.transport,
                remote,
                rtcp_remote: plain.rtcp_remote,
            };
            self.emit(event);
        }
    }

    fn take_plain_packet(&mut self, arrived: &Arrived, packet: &Header<'_>) -> Result<(), Drop> {
        let (place, now) = (arrived.place, arrived.now);
        let claimed = self.claim(place, packet, now);
        let plain = &self.plains[place];
        if claimed || plain.profile.is_some() || plain.publishers.is_empty() {
            self.found(arrived, false);
        }
        if !claimed {
            return Err(Drop::Unclaimed);
        }
        let plain = &mut self.plains[place];
        let transport = plain.belongs.transport;
        let source = plain.sources.get_mut(&packet.ssrc).ok_or(Drop::Unclaimed)?;
        let (key, rid) = (source.publisher, source.rid);
        let number = source
            .reception
            .take(packet.sequence, packet.timestamp, now)
            .ok_or(Drop::Unclaimed)?;
        let report = source.reception.report;
        self.ask_for_missing(place, now);
        self.arm_plain(place, transport, now);
        if packet.payload.len() > MAX_PAYLOAD {
            self.counters.drop_oversized += 1;
            return Ok(());
        }
        let Some(format) = self.format_of(key, packet.payload_type) else {
            return Err(Drop::Unclaimed);
        };
        let rtp = packet.rtp(number, report, self.level_id(key), now);
        self.record_packet(now, key, rid, &rtp);
        self.relay_packet(key, &rtp, rid, &format);
        self.hear_voice(key, &rtp, now);
        self.take_packet(key, &rtp, rid, format, now);
        Ok(())
    }

    /// Whether a publisher of the transport takes this packet.
    fn claim(&mut self, place: usize, packet: &Header<'_>, now: Instant) -> bool {
        let plain = &self.plains[place];
        let takes = |key: &usize| match &self.publishers[*key].source {
            Source::Plain { input, .. } => {
                let place = input.ssrcs.iter().position(|ssrc| *ssrc == packet.ssrc);
                let fits = input.format.payload_type == packet.payload_type;
                (fits && (place.is_some() || input.ssrcs.is_empty()))
                    .then_some((*key, input, place))
            }
            _ => None,
        };
        if let Some(source) = plain.sources.get(&packet.ssrc) {
            return takes(&source.publisher).is_some();
        }
        let Some((publisher, input, at)) = plain.publishers.iter().find_map(takes) else {
            return false;
        };
        let is_simulcast = input.ssrcs.len() > 1;
        let source = plain::Source {
            publisher,
            rid: at.filter(|_| is_simulcast).map(rid_of),
            nack: input.nack,
            reception: Reception::new(input.format.spec.clock_rate.get(), now),
        };
        let plain = &mut self.plains[place];
        let has_room = plain.has_room();
        if has_room {
            plain.sources.insert(packet.ssrc, source);
        }
        has_room
    }

    fn level_id(&self, publisher: usize) -> Option<u8> {
        match &self.publishers[publisher].source {
            Source::Plain { input, .. } => input.audio_level,
            _ => None,
        }
    }

    /// What the peer says, opened.
    pub(crate) fn take_plain_feedback(&mut self, place: usize, now: Instant, opened: &[u8]) {
        for message in Compound::new(opened) {
            match message {
                Ok(Message::SenderReport {
                    sender,
                    info,
                    blocks,
                }) => {
                    self.note_clock(place, sender, &info, now);
                    blocks.for_each(|block| self.note_block(place, &block, now));
                }
                Ok(Message::ReceiverReport { blocks, .. }) => {
                    blocks.for_each(|block| self.note_block(place, &block, now));
                }
                Ok(Message::Pli { media, .. }) => self.asked_for_key_frame(place, media, now),
                Ok(Message::Fir { requests, .. }) => {
                    requests.for_each(|(media, _)| self.asked_for_key_frame(place, media, now));
                }
                Ok(Message::Nack { .. }) => self.counters.nacks_received += 1,
                Ok(Message::Bye { sources }) => {
                    let plain = &mut self.plains[place];
                    sources.for_each(|ssrc| drop(plain.sources.remove(&ssrc)));
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    fn note_clock(&mut self, place: usize, sender: u32, info: &SenderInfo, now: Instant) {
        let Some(source) = self.plains[place].sources.get_mut(&sender) else {
            return;
        };
        if let Some(wall) = ntp::wall(info.ntp) {
            let report = Report {
                wall,
                timestamp: info.rtp_timestamp,
            };
            let middle = (info.ntp >> 16) as u32;
            source.reception.note_report(report, middle, now);
        }
    }

    fn note_block(&mut self, place: usize, block: &ReportBlock, now: Instant) {
        let since = ntp::middle(self.wall(now)).wrapping_sub(block.last_report);
        let round_trip = since.wrapping_sub(block.delay);
        let is_known = block.last_report != 0 && round_trip < 1 << 31;
        let round_trip =
            is_known.then(|| Duration::from_secs_f64(f64::from(round_trip) / 65_536.0));
        if let Some(key) = self.track_of(place, block.ssrc) {
            let loss = f32::from(block.fraction_lost) / 256.0;
            self.recordings[key].heard = Some((loss, round_trip));
        }
    }

    fn asked_for_key_frame(&mut self, place: usize, media: u32, now: Instant) {
        let Some(key) = self.track_of(place, media) else {
            return;
        };
        self.counters.plis_received += 1;
        let track = &self.recordings[key];
        if let Some(encoding) = track.selector.encoding().filter(|_| !track.paused) {
            self.want_key_frame(track.publisher, encoding, now);
        }
    }

    fn track_of(&self, place: usize, ssrc: u32) -> Option<usize> {
        let mut tracks = self.plains[place].tracks.iter().copied();
        tracks.find(|key| self.recordings[*key].ssrc == ssrc)
    }

    fn ask_for_missing(&mut self, place: usize, now: Instant) {
        let (request, nacks) = self.plains[place].ask_again(now);
        self.counters.nacks_sent += nacks;
        self.say(place, request);
    }

    fn say(&mut self, place: usize, compound: Option<Vec<u8>>) {
        let plain = &mut self.plains[place];
        let transmit = compound.and_then(|bytes| plain.send_rtcp(bytes, &mut self.counters));
        self.outputs.extend(transmit.map(Output::Transmit));
    }

    fn arm_plain(&mut self, place: usize, id: TransportId, now: Instant) {
        let plain = &mut self.plains[place];
        let report = *plain.report_at.get_or_insert(now + REPORT_INTERVAL);
        let at = plain.next_request().map_or(report, |at| at.min(report));
        if plain.armed.is_none_or(|armed| at < armed) {
            plain.armed = Some(at);
            self.timers.arm(at, Reason::Plain, id.0);
        }
    }

    pub(crate) fn plain_timer(&mut self, place: usize, at: Instant, now: Instant) {
        let plain = &mut self.plains[place];
        if plain.armed != Some(at) {
            return;
        }
        plain.armed = None;
        let id = plain.belongs.transport;
        if plain.report_at.is_some_and(|at| at <= now) {
            plain.report_at = None;
            let report = plain.report(now);
            self.say(place, report);
        }
        self.ask_for_missing(place, now);
        if !self.plains[place].sources.is_empty() {
            self.arm_plain(place, id, now);
        }
    }

    /// Asks the sender of a plain publisher for a key frame, if it understands that.
    pub(crate) fn ask_plain(&mut self, place: usize, key: usize, encoding: u8) {
        let publisher = &mut self.publishers[key];
        let Source::Plain { input, .. } = &publisher.source else {
            return;
        };
        let Some(ssrc) = publisher.encodings.ssrc(encoding) else {
            return;
        };
        let request = self.plains[place].key_frame_request(ssrc, (input.pli, input.fir));
        if request.is_some() {
            publisher.stats.key_frame_requests += 1;
            self.counters.key_frame_requests += 1;
        }
        self.say(place, request);
    }

    /// A track's sender report is due.
    pub(crate) fn report(&mut self, key: usize, now: Instant) {
        let wall = self.wall(now);
        let track = &self.recordings[key];
        let (id, way, report) = (track.id, track.way, track.sender_report(now, wall));
        if let Some(report) = report {
            self.send_report(way, report);
        }
        self.timers
            .arm(now + recording::REPORT_INTERVAL, Reason::SenderReport, id.0);
    }

    /// A report of a track, to wherever its packets go.
    pub(crate) fn send_report(&mut self, way: Way, contents: Vec<u8>) {
        match way {
            Way::Recorder { transport, remote } => {
                let transmit: Transmit = report_to_recorder(transport, remote, contents);
                self.outputs.push_back(Output::Transmit(transmit));
            }
            Way::Plain(place) => self.say(place, Some(contents)),
        }
    }

    pub(crate) fn create_plain_transport(
        &mut self,
        belongs: Belongs,
        options: &PlainOptions,
    ) -> Result<Reply, Error> {
        let ssrc = self.random.u32().max(1);
        self.router(belongs.router)?;
        let plain = PlainTransport::new(belongs, options, ssrc)?;
        let reply = Reply::Bound {
            local: plain.local,
            rtcp_local: plain.rtcp_local,
        };
        let place = self.plains.insert(plain);
        self.router(belongs.router)?
            .transports
            .push(belongs.transport);
        self.transports
            .insert(belongs.transport, Transport::Plain(place));
        Ok(reply)
    }

    pub(crate) fn connect_plain_transport(
        &mut self,
        id: TransportId,
        (remote, rtcp_remote): (Option<SocketAddr>, Option<SocketAddr>),
        keys: Option<Keying>,
    ) -> Result<Reply, Error> {
        let plain = self.plain_mut(id)?;
        if plain.connected {
            return Err(Error::InvalidState("the transport is connected already"));
        }
        if remote.is_some() == plain.comedia {
            return Err(Error::InvalidParameters(
                "an address is needed without comedia, and refused with it",
            ));
        }
        let opener = match &keys {
            None => None,
            Some(keying) if Some(keying.profile) == plain.profile => {
                Some(Opener::new(&keying.keys().ok_or(BAD_KEYS)?))
            }
            Some(_) => {
                return Err(Error::InvalidParameters(
                    "the peer's SRTP suite is not that of the transport",
                ));
            }
        };
        if plain.comedia && plain.profile.is_some() && opener.is_none() {
            return Err(Error::InvalidParameters(
                "comedia with SRTP needs the peer's key",
            ));
        }
        plain.connected = true;
        plain.opener = opener;
        plain.remote = remote;
        plain.rtcp_remote = if plain.is_muxed() { None } else { rtcp_remote };
        Ok(Reply::Done)
    }

    fn plain_mut(&mut self, id: TransportId) -> Result<&mut PlainTransport, Error> {
        match self.transports.get(&id) {
            Some(Transport::Plain(place)) => Ok(&mut self.plains[*place]),
            Some(_) => Err(Error::WrongTransport("only a plain transport can do this")),
            None => Err(Error::NotFound { what: "transport" }),
        }
    }

    pub(crate) fn produce(
        &mut self,
        id: TransportId,
        publisher: PublisherId,
        kind: TrackKind,
        parameters: PlainParameters,
    ) -> Result<Reply, Error> {
        let router = self.plain_mut(id)?.belongs.router;
        let Some(Transport::Plain(place)) = self.transports.get(&id) else {
            return Err(Error::NotFound { what: "transport" });
        };
        let place = *place;
        let format = self.format_carried(router, kind, &parameters)?;
        self.refuse_overlap(place, &format, &parameters)?;
        let ssrcs = parameters.ssrcs;
        let rids = match ssrcs.len() {
            0 | 1 => Vec::new(),
            several => (0..several).map(|at| rid_of(at).to_string()).collect(),
        };
        let input = Box::new(Input {
            format,
            ssrcs,
            nack: parameters.nack,
            pli: parameters.pli,
            fir: parameters.fir,
            audio_level: parameters.audio_level,
        });
        let origin = Origin {
            id: publisher,
            router,
            transport: id,
            source: Source::Plain { place, input },
            kind,
            rids,
        };
        let codec = format.info();
        let key = self
            .publishers
            .insert(Publisher::new(origin, codec.clone()));
        self.publisher_keys.insert(publisher, key);
        self.plains[place].publishers.push(key);
        Ok(Reply::Published { kind, codec })
    }

    /// The format of what is to be produced, if the router carries it.
    fn format_carried(
        &mut self,
        router: RouterId,
        kind: TrackKind,
        parameters: &PlainParameters,
    ) -> Result<Format, Error> {
        let codec = &parameters.codec;
        let unsupported = || Error::UnsupportedCodec(codec.mime.clone());
        let (name, format) = Format::of(codec).ok_or_else(unsupported)?;
        let is_carried = self.router(router)?.options.codecs.contains(&name);
        if !is_carried || format.spec.codec.is_audio() != (kind == TrackKind::Audio) {
            return Err(unsupported());
        }
        if codec.payload_type > 127 || (64..96).contains(&codec.payload_type) {
            return Err(Error::InvalidParameters(
                "a payload type is between 0 and 63 or between 96 and 127",
            ));
        }
        if parameters.ssrcs.len() > MAX_ENCODINGS || parameters.ssrcs.contains(&0) {
            return Err(Error::InvalidParameters("too many encodings, or SSRC 0"));
        }
        Ok(format)
    }

    /// Two publishers of one transport must be told apart.
    fn refuse_overlap(
        &self,
        place: usize,
        format: &Format,
        parameters: &PlainParameters,
    ) -> Result<(), Error> {
        for key in &self.plains[place].publishers {
            let Source::Plain { input, .. } = &self.publishers[*key].source else {
                continue;
            };
            let shares = |ssrc: &u32| parameters.ssrcs.contains(ssrc);
            let is_open = input.ssrcs.is_empty() || parameters.ssrcs.is_empty();
            let same_type = input.format.payload_type == format.payload_type;
            if input.ssrcs.iter().any(shares) || (is_open && same_type) {
                return Err(Error::InvalidParameters(
                    "another publisher of the transport has this SSRC or payload type",
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn consume(
        &mut self,
        id: TransportId,
        track: RecordingTrackId,
        publisher: PublisherId,
        paused: bool,
        now: Instant,
    ) -> Result<Reply, Error> {
        let key = self.publisher_key(publisher)?;
        let router = self.plain_mut(id)?.belongs.router;
        let place = self.plain_place(id);
        let place = place.ok_or(Error::NotFound { what: "transport" })?;
        if self.publishers[key].router != router {
            return Err(Error::NotFound { what: "publisher" });
        }
        let ssrc = self.random.u32().max(1);
        let tap = Tap {
            id: track,
            transport: id,
            publisher: key,
            way: Way::Plain(place),
            ssrc,
        };
        let place_of_track = self.add_track(tap, now);
        self.recordings[place_of_track].paused = paused;
        self.plains[place].tracks.push(place_of_track);
        if !paused {
            self.want_key_frames(key, now);
        }
        Ok(Reply::Consumed { ssrc })
    }

    pub(crate) fn pause_track(
        &mut self,
        id: RecordingTrackId,
        paused: bool,
        now: Instant,
    ) -> Result<Reply, Error> {
        let key = self.recording_key(id)?;
        let track = &mut self.recordings[key];
        if track.paused != paused {
            track.paused = paused;
            track.end_run();
            let publisher = track.publisher;
            if !paused {
                self.want_key_frames(publisher, now);
            }
            let object = ObjectId::RecordingTrack(id);
            self.emit(Event::Paused { object, paused });
        }
        Ok(Reply::Done)
    }

    /// Ends what a transport sends; what it receives stays.
    pub(crate) fn stop_plain_tracks(&mut self, id: TransportId, now: Instant) {
        let Some(place) = self.plain_place(id) else {
            return;
        };
        for track in self.plains[place].tracks.clone() {
            self.stop_recording(track, CloseReason::Parent, now);
        }
    }

    pub(crate) fn close_plain(&mut self, place: usize, now: Instant) -> RouterId {
        let belongs = self.plains[place].belongs;
        self.stop_plain_tracks(belongs.transport, now);
        for publisher in self.plains[place].publishers.clone() {
            self.close_publisher(publisher, CloseReason::Parent, now);
        }
        self.plains.remove(place);
        belongs.router
    }
}

/// A datagram that has come.
struct Arrived {
    place: usize,
    on_rtcp_port: bool,
    source: SocketAddr,
    now: Instant,
}

/// What is read of an RTP packet (RFC 3550 section 5.1).
struct Header<'a> {
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    /// The extensions of the one-byte form (RFC 8285 section 4.2).
    extensions: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(packet: &'a [u8]) -> Option<Self> {
        let len = rtp_header_len(packet)?;
        let (header, body) = packet.split_at_checked(len)?;
        let [
            first,
            second,
            s0,
            s1,
            t0,
            t1,
            t2,
            t3,
            i0,
            i1,
            i2,
            i3,
            rest @ ..,
        ] = header
        else {
            return None;
        };
        let padding = match first & 0x20 {
            0 => 0,
            _ => usize::from(*body.last()?),
        };
        let payload = body.get(..body.len().checked_sub(padding)?)?;
        let words = usize::from(first & 0x0f) * 4;
        let extensions = match rest.get(words..) {
            Some([0xbe, 0xde, _, _, extensions @ ..]) if first & 0x10 != 0 => extensions,
            _ => &[],
        };
        Some(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([*s0, *s1]),
            timestamp: u32::from_be_bytes([*t0, *t1, *t2, *t3]),
            ssrc: u32::from_be_bytes([*i0, *i1, *i2, *i3]),
            extensions,
            payload,
        })
    }

    /// The first byte of an extension.
    fn extension(&self, wanted: u8) -> Option<u8> {
        let mut rest = self.extensions;
        while let [head, after @ ..] = rest {
            if *head == 0 {
                rest = after;
                continue;
            }
            let len = usize::from(head & 0x0f) + 1;
            if head >> 4 == wanted {
                return after.first().copied();
            }
            rest = after.get(len..)?;
        }
        None
    }

    fn rtp(&self, number: u64, report: Option<Report>, level: Option<u8>, now: Instant) -> Rtp {
        let level = level.and_then(|id| self.extension(id));
        let ext_vals = ExtensionValues {
            audio_level: level.map(|level| -((level & 0x7f) as i8)),
            voice_activity: level.map(|level| level & 0x80 != 0),
            ..ExtensionValues::default()
        };
        Rtp {
            seq_no: number.into(),
            header: RtpHeader {
                version: 2,
                has_padding: false,
                has_extension: false,
                csrc_count: 0,
                marker: self.marker,
                payload_type: self.payload_type.into(),
                sequence_number: self.sequence,
                timestamp: self.timestamp,
                ssrc: self.ssrc.into(),
                csrc: [0; 15],
                ext_vals,
                header_len: 0,
            },
            payload: Payload::from(self.payload),
            timestamp: now,
            report,
        }
    }
}

/// The name of the encoding at this place: plain RTP has none of its own.
fn rid_of(place: usize) -> Rid {
    Rid::from(place.to_string().as_str())
}

/// How often receiver reports go out (RFC 3550 section 6.2 asks for 5 s at least; video wants more).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Encodings of one publisher.
const MAX_ENCODINGS: usize = 4;
