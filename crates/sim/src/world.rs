//! One Sfu, its peers and the network between them, in virtual time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use headwater_core::command::{CodecKind, Command, RouterOptions, TransportOptions};
use headwater_core::error::Error;
use headwater_core::event::{Event, Reply};
use headwater_core::ids::{
    HandleAllocator, PublisherId, RequestId, RouterId, SubscriberId, TcpId, TransportId,
};
use headwater_core::relay::RelayMessage;
use headwater_core::{Output, Route, Sfu, SfuConfig, Socket, Transmit, Verdict};
use str0m::RtcConfig;
use str0m::channel::ChannelConfig;
use str0m::media::{MediaKind, Mid};

use crate::gathered::Gathered;
use crate::nap::{Nap, Stalls};
use crate::network::{Flight, Network, SERVER};
use crate::peer::Peer;

/// See the module documentation.
pub struct World {
    /// Virtual now.
    pub now: Instant,
    /// The unit under test.
    pub sfu: Sfu,
    /// Its clients, by the index that [`World::add_peer`] returned.
    pub peers: Vec<Peer>,
    /// What is between them.
    pub network: Network,
    /// Every event the core has emitted, replies excepted.
    pub events: Vec<Event>,
    /// What recording and plain transports have sent: when, where to, what.
    pub recorded: Vec<(Instant, SocketAddr, Vec<u8>)>,
    /// What the core has for other media threads, and for which.
    pub relayed: Vec<(u16, RelayMessage)>,
    /// Addresses of clients that use TCP, and their connections.
    pub tcp: Vec<(SocketAddr, TcpId)>,
    /// Connections that the core has hung up or refused.
    pub hung_up: Vec<TcpId>,
    /// Datagrams nobody claimed.
    pub unrouted: u64,
    thread: u16,
    handles: HandleAllocator,
    requests: u64,
    replies: Vec<(RequestId, Result<Reply, Error>)>,
    sfu_timeout: Instant,
    naps: Vec<Nap>,
    stalls: Option<Stalls>,
}

impl World {
    /// An empty world; `seed` decides every impairment of its network.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::on_thread(seed, 0, Instant::now()) // The origin only; it never advances by itself.
    }

    /// An empty world around the core of one media thread, see [`crate::Threads`].
    #[must_use]
    pub fn on_thread(seed: u64, thread: u16, now: Instant) -> Self {
        Self::with(seed, thread, now, true)
    }

    /// An empty world whose clients get no heartbeat.
    #[must_use]
    pub fn without_heartbeats(seed: u64) -> Self {
        Self::with(seed, 0, Instant::now(), false) // the origin only, as above
    }

    fn with(seed: u64, thread: u16, now: Instant, heartbeats: bool) -> Self {
        let mut bytes = [0; 32];
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        let config = SfuConfig {
            thread,
            candidates: vec![SERVER],
            tcp_candidates: vec![SERVER],
            seed: bytes,
            epoch: (
                now,
                SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            ),
            heartbeats,
        };
        Self {
            now,
            thread,
            sfu: Sfu::new(config),
            peers: Vec::new(),
            network: Network::new(seed),
            events: Vec::new(),
            recorded: Vec::new(),
            tcp: Vec::new(),
            hung_up: Vec::new(),
            relayed: Vec::new(),
            unrouted: 0,
            handles: HandleAllocator::default(),
            requests: 0,
            replies: Vec::new(),
            sfu_timeout: now,
            naps: Vec::new(),
            stalls: None,
        }
    }

    /// From now on a peer is scheduled at moments only that lie so far apart.
    pub fn starve(&mut self, peer: usize, between: Range<Duration>) {
        self.naps.retain(|nap| nap.peer != peer);
        self.naps.push(Nap::new(peer, self.now, between));
    }

    /// From now on the server is not scheduled for `length`, again and again, `between` apart. What
    /// it decided to send in the moment before leaves afterwards.
    pub fn stall(&mut self, between: Range<Duration>, length: Duration) {
        self.stalls = Some(Stalls::new(self.now, between, length));
    }

    /// Record from now on, which must be before the first command, what enters decisions.
    pub fn record(&mut self) {
        self.sfu.record(self.now);
    }

    /// Append to a file what was recorded since the last call.
    pub fn take_record(&mut self, file: &mut Vec<u8>) {
        if let Some(frames) = self.sfu.take_record(0) {
            file.extend(headwater_core::record::chunk(self.thread, &frames));
            file.extend(frames);
        }
    }

    /// A new handle.
    pub const fn handle(&mut self) -> u64 {
        self.handles.allocate(self.thread)
    }

    /// Add a client with an address of its own.
    pub fn add_peer(&mut self) -> usize {
        self.add_peer_with(|config| config)
    }

    /// Add a client with settings of its own.
    pub fn add_peer_with(&mut self, configure: impl FnOnce(RtcConfig) -> RtcConfig) -> usize {
        let peer = Peer::new(self.next_address(), self.now, configure);
        self.peers.push(peer);
        self.peers.len() - 1
    }

    /// Add a client that watches as browsers do, with settings of its own.
    pub fn add_viewer(&mut self, configure: impl FnOnce(RtcConfig) -> RtcConfig) -> usize {
        let peer = Peer::viewer(self.next_address(), self.now, configure);
        self.peers.push(peer);
        self.peers.len() - 1
    }

    fn next_address(&self) -> SocketAddr {
        let [high, low] = (self.peers.len() as u16).to_be_bytes();
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, high, low)), 40_000)
    }

    /// Add a client whose datagrams are frames of this TCP connection.
    pub fn add_tcp_peer(&mut self, connection: TcpId) -> usize {
        let index = self.add_peer();
        let address = self.peers[index].address;
        self.peers[index] = Peer::by_tcp(address, self.now);
        self.tcp.push((address, connection));
        index
    }

    /// Run a command; it must be answered at once.
    ///
    /// # Errors
    /// What the core answered.
    pub fn command(&mut self, command: Command) -> Result<Reply, Error> {
        let request = self.start(command);
        self.reply(request).expect("every command is answered")
    }

    /// Give the core a command whose answer may come later.
    pub fn start(&mut self, command: Command) -> RequestId {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.sfu.command(self.now, request, command);
        self.drain_sfu();
        request
    }

    /// The answer to a command, once it is there.
    pub fn reply(&mut self, request: RequestId) -> Option<Result<Reply, Error>> {
        let found = self.replies.iter().position(|(id, _)| *id == request);
        found.map(|found| self.replies.swap_remove(found).1)
    }

    /// Hand the core what another media thread has for it.
    pub fn relay(&mut self, from: u16, message: RelayMessage) {
        self.sfu.relay(self.now, from, message);
        self.drain_sfu();
    }

    /// Every codec there is, in the order of our preference.
    pub(crate) fn codecs() -> Vec<CodecKind> {
        vec![
            CodecKind::Opus,
            CodecKind::Vp8,
            CodecKind::Vp9,
            CodecKind::H264,
            CodecKind::Av1,
        ]
    }

    /// Open a router with every codec.
    pub fn create_router(&mut self) -> RouterId {
        let router = RouterId(self.handle());
        let codecs = Self::codecs();
        let options = RouterOptions { codecs };
        self.command(Command::CreateRouter { router, options })
            .expect("a router opens");
        router
    }

    /// Open a publish transport.
    pub fn create_publish_transport(&mut self, router: RouterId) -> TransportId {
        let transport = TransportId(self.handle());
        let options = TransportOptions::default();
        self.command(Command::CreatePublishTransport {
            router,
            transport,
            options,
        })
        .expect("a transport opens");
        transport
    }

    /// Open a subscribe transport.
    pub fn create_subscribe_transport(&mut self, router: RouterId) -> TransportId {
        let transport = TransportId(self.handle());
        let options = TransportOptions::default();
        self.command(Command::CreateSubscribeTransport {
            router,
            transport,
            options,
        })
        .expect("a transport opens");
        transport
    }

    /// The events that `pick` picks, taken out of [`World::events`].
    pub fn take_events<T>(&mut self, mut pick: impl FnMut(&Event) -> Option<T>) -> Vec<T> {
        let mut picked = Vec::new();
        self.events.retain(|event| match pick(event) {
            Some(found) => {
                picked.push(found);
                false
            }
            None => true,
        });
        picked
    }

    /// A counter or gauge out of [`Sfu::counters`].
    ///
    /// # Panics
    /// When there is no such counter.
    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        let counters = self.sfu.counters();
        counters
            .iter()
            .find(|(known, _)| *known == name)
            .expect("a known counter")
            .1
    }

    /// A peer that publishes these tracks and channels, connected.
    pub fn publish(
        &mut self,
        router: RouterId,
        tracks: &[(MediaKind, &str)],
        channels: &[ChannelConfig],
    ) -> (usize, TransportId, Vec<(Mid, PublisherId)>) {
        let transport = self.create_publish_transport(router);
        let peer = self.add_peer();
        let (sdp, mids) = self.peers[peer].offer(tracks, channels);
        let reply = self
            .command(Command::AcceptOffer { transport, sdp })
            .expect("a good offer");
        let Reply::Answer { sdp, .. } = reply else {
            panic!("an offer is answered")
        };
        self.peers[peer].accept_answer(&sdp);
        let publishers = mids
            .into_iter()
            .map(|mid| {
                let publisher = PublisherId(self.handle());
                let name = mid.to_string();
                self.command(Command::Publish {
                    transport,
                    publisher,
                    mid: name,
                })
                .expect("the track was offered");
                (mid, publisher)
            })
            .collect();
        self.run_until(Duration::from_secs(5), |world| world.peers[peer].connected);
        (peer, transport, publishers)
    }

    /// A peer that subscribes to these publishers, connected.
    pub fn subscribe(
        &mut self,
        router: RouterId,
        publishers: &[PublisherId],
    ) -> (usize, TransportId, Vec<SubscriberId>) {
        let transport = self.create_subscribe_transport(router);
        let peer = self.add_peer();
        let subscribers = self.subscribe_more(peer, transport, publishers);
        self.run_until(Duration::from_secs(5), |world| world.peers[peer].connected);
        (peer, transport, subscribers)
    }

    /// Subscribe an existing transport to more publishers, with one offer and its answer.
    pub fn subscribe_more(
        &mut self,
        peer: usize,
        transport: TransportId,
        publishers: &[PublisherId],
    ) -> Vec<SubscriberId> {
        let items: Vec<_> = publishers
            .iter()
            .map(|publisher| (SubscriberId(self.handle()), *publisher))
            .collect();
        let command = Command::Subscribe {
            transport,
            items: items.clone(),
        };
        let reply = self.command(command).expect("the publishers exist");
        let Reply::Offer { sdp, .. } = reply else {
            panic!("subscribe makes an offer")
        };
        let sdp = self.peers[peer].answer(&sdp);
        self.command(Command::AcceptAnswer { transport, sdp })
            .expect("a good answer");
        items
            .into_iter()
            .map(|(subscriber, _)| subscriber)
            .collect()
    }

    /// Let time pass.
    pub fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Let time pass until `done` or until `limit`; returns whether `done`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            let wakes = |peer: usize| self.nap(peer).map(|nap| nap.wakes);
            let peers = self.peers.iter().enumerate();
            let peers = peers.map(|(n, peer)| wakes(n).unwrap_or_else(|| peer.next_timeout()));
            let stalled = self
                .stalls
                .as_ref()
                .filter(|stalls| stalls.sleeps(self.now));
            let sfu_timeout = stalled.map_or(self.sfu_timeout, |stalls| stalls.until);
            let next = peers
                .chain([sfu_timeout])
                .chain(self.network.next_arrival())
                .min()
                .unwrap_or(end);
            if next >= end {
                self.now = end;
                self.settle();
                return done(self);
            }
            self.now = next.max(self.now);
        }
    }

    /// Hand a datagram to the core as if it had arrived; returns whether a session took it.
    pub fn inject(&mut self, source: SocketAddr, contents: &[u8]) -> bool {
        if let Some(&(_, connection)) = self.tcp.iter().find(|(peer, _)| *peer == source) {
            return self.inject_frame(connection, source, contents);
        }
        let taken = match self.sfu.route(source, contents) {
            Route::Session(key) => self.sfu.receive(self.now, key, source, SERVER, contents),
            Route::Thread(_) | Route::Unknown => false,
        };
        self.unrouted += u64::from(!taken);
        self.drain_sfu();
        taken
    }

    /// Hand a datagram to the core as if it had arrived at a plain transport's port for RTP, or at
    /// that for RTCP.
    pub fn inject_plain(
        &mut self,
        transport: TransportId,
        on_rtcp_port: bool,
        source: SocketAddr,
        contents: &[u8],
    ) {
        self.sfu
            .receive_plain(self.now, transport, on_rtcp_port, source, contents);
        self.drain_sfu();
    }

    /// Hand the core a frame of a TCP connection; false when the core refuses the connection.
    pub fn inject_frame(&mut self, connection: TcpId, source: SocketAddr, frame: &[u8]) -> bool {
        let verdict = self
            .sfu
            .receive_tcp(self.now, connection, source, SERVER, frame);
        if verdict == Verdict::Refuse {
            self.sfu.disconnected(connection);
            self.hung_up.push(connection);
        }
        self.drain_sfu();
        verdict == Verdict::Keep
    }

    fn nap(&self, peer: usize) -> Option<&Nap> {
        self.naps.iter().find(|nap| nap.peer == peer)
    }

    /// Deliver all that is due now.
    fn settle(&mut self) {
        self.wake();
        while let Some(flight) = self.network.receive(self.now) {
            self.deliver(flight);
        }
        let now = self.now;
        let stalled = self
            .stalls
            .as_ref()
            .is_some_and(|stalls| stalls.sleeps(now));
        if !stalled {
            if self.sfu_timeout <= now {
                self.sfu.timeout(now);
            }
            self.drain_sfu();
        }
        for index in 0..self.peers.len() {
            // Who has just woken sleeps again only after this moment.
            if self.nap(index).is_some_and(|nap| !nap.is_awake(now)) {
                continue;
            }
            let peer = &mut self.peers[index];
            for transmit in peer.drive(now) {
                let contents = transmit.contents.to_vec();
                self.network
                    .send(now, peer.address, transmit.destination, contents);
            }
        }
    }

    /// Whoever has slept until now sees what has come meanwhile.
    fn wake(&mut self) {
        let now = self.now;
        let mut seen: Vec<Flight> = Vec::new();
        for nap in &mut self.naps {
            seen.extend(nap.wake(now).unwrap_or_default());
        }
        if let Some(stalls) = self.stalls.as_mut().filter(|stalls| !stalls.sleeps(now)) {
            seen.append(&mut stalls.socket);
        }
        seen.into_iter().for_each(|flight| self.deliver(flight));
        if let Some(stalls) = &mut self.stalls {
            stalls.begin(now);
        }
    }

    fn deliver(&mut self, flight: Flight) {
        let now = self.now;
        if flight.destination == SERVER {
            match self.stalls.as_mut().filter(|stalls| stalls.sleeps(now)) {
                Some(stalls) => stalls.socket.push(flight),
                None => drop(self.inject(flight.source, &flight.contents)),
            }
            return;
        }
        let mut peers = self.peers.iter();
        let Some(index) = peers.position(|peer| peer.address == flight.destination) else {
            return;
        };
        let mut naps = self.naps.iter_mut().filter(|nap| !nap.is_awake(now));
        match naps.find(|nap| nap.peer == index) {
            Some(nap) => nap.socket.push(flight),
            None => self.peers[index].receive(now, flight.source, &flight.contents),
        }
    }

    fn drain_sfu(&mut self) {
        let mut gathered = Gathered::default();
        let at = self.sfu.drain(self.now, &mut gathered);
        self.sfu_timeout = at.max(self.now + Duration::from_micros(100));
        for output in gathered.outputs {
            match output {
                Output::Transmit(transmit) => {
                    let Transmit {
                        socket,
                        destination,
                        contents,
                        ..
                    } = transmit;
                    let is_own = matches!(
                        socket,
                        Socket::Recording(_) | Socket::Plain(_) | Socket::PlainRtcp(_)
                    );
                    if is_own {
                        self.recorded.push((self.now, destination, contents));
                    } else {
                        // What is decided at the beginning of a stall leaves at its end.
                        let stalls = self.stalls.as_ref();
                        let leaves = stalls.map_or(self.now, |s| s.until.max(self.now));
                        self.network.send(leaves, SERVER, destination, contents);
                    }
                }
                Output::HangUp(connection) => self.hung_up.push(connection),
                Output::Event(Event::Reply { request, result }) => {
                    self.replies.push((request, result));
                }
                Output::Event(event) => self.events.push(event),
                Output::Relay { thread, message } => self.relayed.push((thread, message)),
            }
        }
    }
}
