//! The state of one media thread, and how inputs drive it.
//!
//! A wake-up is: any number of `command`, `receive` and `timeout`, then `drain`. Inputs mark
//! sessions dirty; only dirty sessions are flushed, each once per wake-up, so the packets of a
//! burst leave a session together. A session that only has media to send is not *stirred*: its
//! str0m is left alone.
//!
//! A panic inside a session is caught where the session is called, and the session is put on
//! the list of the doomed; the list is worked off where no loop runs over its neighbours.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use rustc_hash::FxHashMap;
use slab::Slab;
use str0m::config::DtlsCert;
use str0m::ice::StunMessage;
use str0m::net::{Protocol, Receive};
use str0m::{Event as RtcEvent, Input, Output as RtcOutput, RtcError};

use crate::crypto;
use crate::datachannel::{DataPublisher, DataSubscriber};
use crate::demux::{Demux, is_stun, transaction};
use crate::egress::{Asked, By};
use crate::error::Error;
use crate::event::{CloseReason, ConnectionState, Event};
use crate::ids::{
    DataPublisherId, DataSubscriberId, PublisherId, RecordingTrackId, RouterId, SubscriberId,
    TransportId,
};
use crate::journal::Decision;
use crate::ntp::Moment;
use crate::publisher::Publisher;
use crate::random::Random;
use crate::record::{Kind, Recorder};
use crate::relay::Relays;
use crate::router::Router;
use crate::shared::Provider;
use crate::sink::Path;
use crate::srtp::OpenError;
use crate::stats::Counters;
use crate::subscriber::Subscriber;
use crate::timer::{self, Reason, Timers};
use crate::transport::Transport;
use crate::transport::path::Check;
use crate::transport::plain::{PlainTransport, is_rtcp};
use crate::transport::recording::RecordingTrack;
use crate::transport::webrtc::{Panicked, Session, Side, contained};
use crate::{Output, Route, SessionKey, SfuConfig, Socket, Transmit};

/// One media thread's SFU. The crate documentation tells how to drive it.
pub struct Sfu {
    pub(crate) config: SfuConfig,
    pub(crate) random: Random,
    pub(crate) certificate: DtlsCert,
    pub(crate) crypto: Provider,
    /// The same for sessions whose media we seal ourselves.
    pub(crate) withholding: Provider,
    pub(crate) demux: Demux,
    pub(crate) routers: FxHashMap<RouterId, Router>,
    pub(crate) transports: FxHashMap<TransportId, Transport>,
    pub(crate) sessions: Slab<Session>,
    pub(crate) publishers: Slab<Publisher>,
    pub(crate) publisher_keys: FxHashMap<PublisherId, usize>,
    pub(crate) subscribers: Slab<Subscriber>,
    pub(crate) subscriber_keys: FxHashMap<SubscriberId, usize>,
    pub(crate) data_publishers: FxHashMap<DataPublisherId, DataPublisher>,
    pub(crate) data_subscribers: FxHashMap<DataSubscriberId, DataSubscriber>,
    pub(crate) recordings: Slab<RecordingTrack>,
    pub(crate) recording_keys: FxHashMap<RecordingTrackId, usize>,
    pub(crate) plains: Slab<PlainTransport>,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) dirty: VecDeque<usize>,
    pub(crate) doomed: Vec<(TransportId, CloseReason)>,
    /// Publishers whose takers, or what those wish, may have changed.
    pub(crate) unreviewed: Vec<usize>,
    /// What part of the subscribers' estimates the server can afford to send, 0 to 1.
    pub(crate) share: f64,
    pub(crate) relays: Relays,
    /// Writes down what enters decisions.
    pub(crate) recorder: Option<Box<Recorder>>,
    pub(crate) timers: Timers,
    pub(crate) moment: Moment,
    pub(crate) counters: Counters,
    /// Room for a datagram that is opened, and for a header that is written.
    pub(crate) datagram: Vec<u8>,
    pub(crate) header: Vec<u8>,
    asked: Vec<Asked>,
}

impl Sfu {
    /// An SFU without anything in it. Makes the DTLS certificate that all its sessions share.
    ///
    /// # Panics
    /// When the crypto library cannot make a certificate.
    pub fn new(config: SfuConfig) -> Self {
        let crypto = crypto::provider(false);
        let certificate = crypto
            .dtls_provider
            .generate_certificate()
            .expect("aws-lc-rs can make certificates");
        Self {
            random: Random::new(config.seed),
            demux: Demux::new(config.thread),
            certificate,
            crypto: Provider::new(crypto),
            withholding: Provider::new(crypto::provider(true)),
            routers: FxHashMap::default(),
            transports: FxHashMap::default(),
            sessions: Slab::new(),
            publishers: Slab::new(),
            publisher_keys: FxHashMap::default(),
            subscribers: Slab::new(),
            subscriber_keys: FxHashMap::default(),
            data_publishers: FxHashMap::default(),
            data_subscribers: FxHashMap::default(),
            recordings: Slab::new(),
            recording_keys: FxHashMap::default(),
            plains: Slab::new(),
            outputs: VecDeque::new(),
            dirty: VecDeque::new(),
            doomed: Vec::new(),
            unreviewed: Vec::new(),
            share: 1.0,
            relays: Relays::default(),
            recorder: None,
            timers: Timers::default(),
            moment: Moment::new(config.epoch),
            counters: Counters::default(),
            datagram: Vec::new(),
            header: Vec::new(),
            asked: Vec::new(),
            config,
        }
    }

    /// To whom a datagram belongs. Reads no more than a STUN header and its username.
    pub fn route(&self, source: SocketAddr, contents: &[u8]) -> Route {
        self.demux.route(source, contents)
    }

    /// Hands a datagram to the session that [`Sfu::route`] named. True when the session took it
    /// (for STUN: integrity verified), so that the worker may remember `source` as belonging
    /// here. `destination` is the local address the datagram came to.
    pub fn receive(
        &mut self,
        now: Instant,
        key: SessionKey,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) -> bool {
        let SessionKey(key) = key;
        let way = Path {
            socket: Socket::Media,
            source: destination,
            destination: source,
        };
        self.sessions.contains(key) && self.take_in(now, key, way, contents)
    }

    /// A datagram of a session, by whichever way it came.
    pub(crate) fn take_in(&mut self, now: Instant, key: usize, way: Path, contents: &[u8]) -> bool {
        if is_media(contents) && matches!(self.sessions[key].side, Side::Subscribe(_)) {
            return self.receive_feedback(now, key, way, contents);
        }
        if is_media(contents) && is_rtcp(contents) && self.is_old_report(key, contents) {
            return false;
        }
        let (source, destination) = (way.destination, way.source);
        let mut check = None;
        if is_stun(contents) {
            check = self.genuine(key, source, contents);
            if check.is_none() {
                return false;
            }
            self.learn_peer(key, contents);
        }
        let local = Session::candidate_for(destination, &self.config.candidates);
        if let (Some(_), Socket::Tcp(connection)) = (check, way.socket) {
            self.adopt(key, source, connection);
        }
        if !self.hand_in(
            now,
            key,
            Path {
                source: local,
                ..way
            },
            contents,
        ) {
            return false;
        }
        let session = &mut self.sessions[key];
        session.stats.packets_in += 1;
        session.stats.bytes_in += contents.len() as u64;
        self.counters.packets_in += 1;
        self.counters.bytes_in += contents.len() as u64;
        session.paths.hear(now, way.socket, source);
        if let Some(check) = check {
            // Only a verified check may say from which of our addresses the peer wants answers.
            if local != destination {
                session.alias = Some((local, destination));
            }
            if session.paths.check(now, way, check) {
                self.counters.path_changes += 1;
                if session.side.moved(now) {
                    self.record_of(now, Kind::Moved, key);
                }
            }
            if way.socket == Socket::Media {
                self.learn(key, source);
            }
            self.hear(key, now);
        }
        // str0m holds one RTP packet at a time: drain before the next datagram comes.
        self.drain_rtc(key, now);
        self.reap(now);
        true
    }

    /// Has this RTCP of a publisher been here before? str0m checks its tag, but remembers no SRTCP
    /// index (RFC 3711 section 3.3.2): a report that was recorded on the way would count again.
    fn is_old_report(&mut self, key: usize, contents: &[u8]) -> bool {
        let session = &mut self.sessions[key];
        let Side::Publish(publishing) = &mut session.side else {
            return false;
        };
        let Some(opener) = &mut publishing.reports else {
            return false; // nor can str0m open it
        };
        self.datagram.clear();
        self.datagram.extend_from_slice(contents);
        match contained(|| opener.open_rtcp(&mut self.datagram).err()) {
            Ok(error) => {
                let is_replay = error == Some(OpenError::Replayed);
                self.counters.drop_replay += u64::from(is_replay);
                is_replay
            }
            Err(Panicked) => {
                self.doomed
                    .push((session.belongs.transport, CloseReason::Panic));
                true
            }
        }
    }

    /// RTCP of a subscribe transport; false when it is not the peer's.
    fn receive_feedback(&mut self, now: Instant, key: usize, way: Path, contents: &[u8]) -> bool {
        let mut datagram = std::mem::take(&mut self.datagram);
        datagram.clear();
        datagram.extend_from_slice(contents);
        let session = &mut self.sessions[key];
        let transport = session.belongs.transport;
        let opened = match &mut session.side {
            Side::Subscribe(subscribing) => contained(|| subscribing.egress.open(&mut datagram)),
            Side::Publish(_) => Ok(None),
        };
        if let Ok(Some(opened)) = opened {
            session.stats.packets_in += 1;
            session.stats.bytes_in += contents.len() as u64;
            self.counters.packets_in += 1;
            self.counters.bytes_in += contents.len() as u64;
            session.paths.hear(now, way.socket, way.destination);
            self.hear(key, now);
            self.record_feedback(now, transport, opened);
            self.take_feedback(key, now, opened);
        } else if opened.is_ok() {
            self.counters.drop_unaccepted += 1;
        } else {
            self.doomed.push((transport, CloseReason::Panic));
        }
        self.reap(now);
        self.datagram = datagram;
        true
    }

    /// What the peer has said, opened.
    pub(crate) fn take_feedback(&mut self, key: usize, now: Instant, opened: &[u8]) {
        let wall = self.wall(now);
        let session = &mut self.sessions[key];
        let transport = session.belongs.transport;
        let Side::Subscribe(subscribing) = &mut session.side else {
            return;
        };
        let mut asked = std::mem::take(&mut self.asked);
        let egress = &mut subscribing.egress;
        match contained(|| egress.receive(now, wall, opened, &mut asked)) {
            Ok(nacks) => {
                self.counters.nacks_received += nacks;
                for request in asked.drain(..) {
                    self.handle_key_frame_request(key, request, now);
                }
                self.mark_sending(key);
                self.note_estimate(key, now);
                self.review_estimate(key, now);
                self.judge(key, now);
            }
            Err(Panicked) => self.doomed.push((transport, CloseReason::Panic)),
        }
        asked.clear();
        self.asked = asked;
    }

    /// Is this check the peer's own: valid integrity, and not somebody's recording of one?
    fn genuine(&mut self, key: usize, source: SocketAddr, contents: &[u8]) -> Option<Check> {
        let Some(check) = self.verify(key, contents) else {
            self.counters.drop_integrity += 1;
            return None;
        };
        let session = &mut self.sessions[key];
        let is_replay = transaction(contents).is_none_or(|id| session.is_replay(id, source));
        self.counters.drop_replay += u64::from(is_replay);
        (!is_replay).then_some(check)
    }

    /// Gives a datagram to a session's str0m; false when it does not belong there.
    fn hand_in(&mut self, now: Instant, key: usize, way: Path, contents: &[u8]) -> bool {
        let protocol = match way.socket {
            Socket::Tcp(_) => Protocol::Tcp,
            _ => Protocol::Udp,
        };
        let session = &mut self.sessions[key];
        let session_id = session.belongs.transport;
        let taken = contained(|| {
            let receive = Receive::new(protocol, way.destination, way.source, contents).ok()?;
            let input = Input::Receive(now, receive);
            session
                .rtc
                .accepts(&input)
                .then(|| session.rtc.handle_input(input))
        });
        match taken {
            Ok(Some(Ok(()))) => true,
            Ok(Some(Err(_))) => {
                self.counters.session_errors += 1;
                true
            }
            Ok(None) => {
                self.counters.drop_unaccepted += 1;
                false
            }
            Err(Panicked) => {
                self.doomed.push((session_id, CloseReason::Panic));
                self.reap(now);
                false
            }
        }
    }

    /// Time has come to the moment that [`Sfu::poll`] named.
    pub fn timeout(&mut self, now: Instant) {
        self.put_frame(now, Kind::Timeout, |_| {});
        while let Some(timer) = self.timers.pop_due(now) {
            self.counters.timers += 1;
            match timer.reason {
                Reason::Session => {
                    if let Some(&Transport::WebRtc(key)) =
                        self.transports.get(&TransportId(timer.handle))
                        && self.sessions[key].armed == Some(timer.at)
                    {
                        self.sessions[key].armed = None;
                        self.mark_dirty(key);
                    }
                }
                Reason::Pacer => {
                    if let Some(&Transport::WebRtc(key)) =
                        self.transports.get(&TransportId(timer.handle))
                        && self.sessions[key].paced == Some(timer.at)
                    {
                        self.sessions[key].paced = None;
                        self.egress_timer(key, now);
                    }
                }
                Reason::Liveness => {
                    if let Some(&Transport::WebRtc(key)) =
                        self.transports.get(&TransportId(timer.handle))
                        && self.sessions[key].watched == Some(timer.at)
                    {
                        self.sessions[key].watched = None;
                        self.check_liveness(key, now);
                    }
                }
                Reason::Heartbeat => {
                    if let Some(&Transport::WebRtc(key)) =
                        self.transports.get(&TransportId(timer.handle))
                    {
                        self.beat(key, timer.at, now);
                    }
                }
                Reason::KeyFrame => {
                    if let Some(&key) = self.publisher_keys.get(&PublisherId(timer.handle)) {
                        self.key_frame_timer(key, now);
                    }
                }
                Reason::Allocation => {
                    if let Some(&Transport::WebRtc(key)) =
                        self.transports.get(&TransportId(timer.handle))
                    {
                        self.allocation_timer(key, timer.at, now);
                    }
                }
                Reason::Wanted => {
                    if let Some(&key) = self.publisher_keys.get(&PublisherId(timer.handle)) {
                        self.unreviewed.push(key);
                    }
                }
                Reason::Relay => self.relay_timer(timer.handle, now),
                Reason::Speakers => self.speakers_timer(RouterId(timer.handle), now),
                Reason::Plain => {
                    if let Some(place) = self.plain_place(TransportId(timer.handle)) {
                        self.plain_timer(place, timer.at, now);
                    }
                }
                Reason::SenderReport => {
                    if let Some(&key) = self.recording_keys.get(&RecordingTrackId(timer.handle)) {
                        self.report(key, now);
                    }
                }
            }
        }
        self.reap(now);
    }

    /// Counters of this thread by name, cheap enough to read once a second.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.all_counters()
    }

    pub(crate) fn drain_rtc(&mut self, key: usize, now: Instant) {
        loop {
            let polled = self.send_pending(key);
            self.take_agreement(key, now);
            let reason = match polled {
                Ok(Ok(RtcOutput::Transmit(_))) => continue, // never: all of them are sent
                Ok(Ok(RtcOutput::Event(event))) => {
                    // A bug of ours that one peer's input can reach is that session's end too.
                    match contained(|| self.handle_event(key, event, now)) {
                        Ok(()) => continue,
                        Err(Panicked) => CloseReason::Panic,
                    }
                }
                Ok(Ok(RtcOutput::Timeout(at))) => return self.arm_session(key, at, now),
                Ok(Err(error)) => {
                    tracing::debug!(?error, "session failed");
                    self.counters.session_errors += 1;
                    CloseReason::ConnectionFailed
                }
                Err(Panicked) => CloseReason::Panic,
            };
            let transport = self.sessions[key].belongs.transport;
            return self.doomed.push((transport, reason));
        }
    }

    /// Sends what a session has to send; returns its next output that is something else. One guard
    /// for a whole burst: str0m's output is large, and each guard moves it once more.
    fn send_pending(&mut self, key: usize) -> Result<Result<RtcOutput, RtcError>, Panicked> {
        let session = &mut self.sessions[key];
        let (outputs, counters) = (&mut self.outputs, &mut self.counters);
        contained(|| {
            loop {
                match session.rtc.poll_output() {
                    Ok(RtcOutput::Transmit(transmit)) => {
                        let transmit = session.outgoing(transmit, counters);
                        outputs.extend(transmit.map(Output::Transmit));
                    }
                    other => return other,
                }
            }
        })
    }

    /// What a handshake that ended in this poll has agreed on.
    fn take_agreement(&mut self, key: usize, now: Instant) {
        let Some(agreement) = crypto::take_agreement() else {
            return;
        };
        let session = &mut self.sessions[key];
        session.srtp_profile = Some(agreement.profile);
        match &mut session.side {
            Side::Subscribe(subscribing) => {
                subscribing.egress.set_keys(&agreement);
                self.record_keys(now, key, agreement.profile);
            }
            Side::Publish(publishing) => publishing.set_keys(&agreement),
        }
    }

    fn arm_session(&mut self, key: usize, at: Instant, now: Instant) {
        if at > now + FAR {
            return; // str0m's "never"
        }
        let session = &mut self.sessions[key];
        // A timer that fires too early costs one empty drain; a new one per packet would cost
        // more. So only an earlier moment replaces the armed one.
        let at = timer::common(at, now, self.config.epoch.0);
        if session.armed.is_none_or(|armed| at < armed) {
            session.armed = Some(at);
            self.timers
                .arm(at, Reason::Session, session.belongs.transport.0);
        }
    }

    fn handle_event(&mut self, key: usize, event: RtcEvent, now: Instant) {
        match event {
            RtcEvent::RtpPacket(packet) => {
                self.hear(key, now);
                self.handle_rtp(key, packet, now);
            }
            RtcEvent::Connected => {
                self.set_state(key, ConnectionState::Connected, now);
                self.refresh_gates(key, now);
            }
            RtcEvent::ChannelOpen(channel, label) => self.handle_channel_open(key, channel, label),
            RtcEvent::ChannelData(data) => self.handle_channel_data(key, data, now),
            RtcEvent::ChannelClose(channel) => self.handle_channel_close(key, channel),
            RtcEvent::Closed => {
                self.doomed.push((
                    self.sessions[key].belongs.transport,
                    CloseReason::RemoteClosed,
                ));
            }
            RtcEvent::PeerStats(stats) => {
                self.sessions[key].stats.peer = Some(stats);
                self.judge(key, now);
            }
            RtcEvent::MediaIngressStats(stats) => self.note_ingress(key, &stats),
            _ => {}
        }
    }

    /// A STUN message is ours when its integrity holds under our password. `accepts()` alone
    /// would take anything from the nominated address.
    fn verify(&self, key: usize, contents: &[u8]) -> Option<Check> {
        let session = &self.sessions[key];
        let hmac = self.crypto.sha1_hmac_provider;
        contained(|| {
            let message = StunMessage::parse(contents).ok()?;
            let (local, _) = message.split_username()?;
            let password = session.password(local)?;
            let verified = message.is_binding_request()
                && message.verify(password.as_bytes(), |key, parts| hmac.sha1_hmac(key, parts));
            verified.then(|| Check {
                priority: message.prio().unwrap_or_default(),
                nominates: message.use_candidate(),
            })
        })
        .ok()
        .flatten()
    }

    fn learn(&mut self, key: usize, source: SocketAddr) {
        let forgotten = self.sessions[key].remember(source);
        if let Some(before) = self
            .demux
            .learn(source, key)
            .filter(|before| *before != key)
            && let Some(session) = self.sessions.get_mut(before)
        {
            session.addresses.retain(|address| *address != source);
        }
        if let Some(oldest) = forgotten {
            self.demux.forget(oldest, key);
        }
    }

    fn handle_key_frame_request(&mut self, key: usize, request: Asked, now: Instant) {
        let Side::Subscribe(subscribing) = &self.sessions[key].side else {
            return;
        };
        let line = subscribing.line_of(request.stream);
        let Some(place) = line.and_then(|line| line.subscriber) else {
            return;
        };
        let subscriber = &mut self.subscribers[place];
        match request.by {
            By::Fir => subscriber.stats.firs += 1,
            By::Pli => subscriber.stats.plis += 1,
            By::Nack => {}
        }
        self.counters.plis_received += u64::from(request.by != By::Nack);
        let publisher = subscriber.publisher;
        let encoding = subscriber.selector.encoding();
        let is_open = subscriber.open;
        let by_fir = request.by == By::Fir;
        self.note_subscriber(place, now, Decision::KeyFrameAsked { by_fir });
        if let Some(encoding) = encoding.filter(|_| is_open) {
            self.want_key_frame(publisher, encoding, now);
        }
    }

    pub(crate) fn refresh_gates(&mut self, key: usize, now: Instant) {
        let Side::Subscribe(subscribing) = &self.sessions[key].side else {
            return;
        };
        for subscriber in subscribing.subscribers.clone() {
            self.refresh_gate(subscriber, now);
        }
    }

    /// Sends BYE and close_notify, and nothing else that may still be queued.
    pub(crate) fn say_goodbye(&mut self, key: usize, now: Instant) {
        let wall = self.wall(now);
        let session = &mut self.sessions[key];
        if let (Side::Subscribe(subscribing), Some(path)) =
            (&mut session.side, session.paths.current())
            && let Ok(Some(contents)) = contained(|| subscribing.egress.farewell(now, wall))
        {
            self.outputs.push_back(Output::Transmit(Transmit {
                socket: path.socket,
                source: Some(path.source),
                destination: path.destination,
                contents,
            }));
        }
        let farewell = contained(|| {
            let mut transmits = Vec::new();
            session.rtc.close().ok()?;
            session.rtc.handle_input(Input::Timeout(now)).ok()?;
            while let Ok(output) = session.rtc.poll_output() {
                match output {
                    RtcOutput::Transmit(transmit) => transmits.push(transmit),
                    RtcOutput::Event(_) => {}
                    RtcOutput::Timeout(_) => break,
                }
            }
            Some(transmits)
        });
        for transmit in farewell.ok().flatten().unwrap_or_default() {
            let transmit = self.sessions[key].outgoing(transmit, &mut self.counters);
            self.outputs.extend(transmit.map(Output::Transmit));
        }
    }

    /// Closes what could not be closed on the spot.
    pub(crate) fn reap(&mut self, now: Instant) {
        self.record_reap(now);
        while let Some((transport, reason)) = self.doomed.pop() {
            self.close_transport(transport, reason, now);
        }
        while let Some(publisher) = self.unreviewed.pop() {
            self.review_wanted(publisher, now);
        }
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// The wall clock at `now`.
    pub(crate) fn wall(&self, now: Instant) -> SystemTime {
        let (instant, wall) = self.config.epoch;
        wall + now.saturating_duration_since(instant)
    }

    pub(crate) fn session_key(&self, id: TransportId) -> Result<usize, Error> {
        match self.transports.get(&id) {
            Some(Transport::WebRtc(key)) => Ok(*key),
            Some(Transport::Recording(_) | Transport::Plain(_)) => Err(Error::WrongTransport(
                "only a WebRTC transport has a session",
            )),
            None => Err(Error::NotFound { what: "transport" }),
        }
    }

    pub(crate) fn publisher_key(&self, id: PublisherId) -> Result<usize, Error> {
        self.publisher_keys
            .get(&id)
            .copied()
            .ok_or(Error::NotFound { what: "publisher" })
    }

    pub(crate) fn subscriber_key(&self, id: SubscriberId) -> Result<usize, Error> {
        self.subscriber_keys
            .get(&id)
            .copied()
            .ok_or(Error::NotFound { what: "subscriber" })
    }
}

/// SRTP or SRTCP, by the first byte (RFC 7983).
fn is_media(contents: &[u8]) -> bool {
    matches!(contents.first(), Some(128..=191))
}

/// A timeout further away than this is "never".
const FAR: Duration = Duration::from_secs(3600);
