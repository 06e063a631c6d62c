//! A real Worker and str0m peers on real loopback sockets, all driven from one test thread.

#![allow(dead_code)] // each test file uses its part

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use headwater_core::command::{CodecKind, Command, RouterOptions, StatsTarget, TransportOptions};
use headwater_core::event::{Event, Reply};
use headwater_core::ids::{PublisherId, RequestId, RouterId, SubscriberId, TransportId};
use headwater_sim::Peer;
use headwater_worker::{Worker, WorkerConfig};
use str0m::channel::ChannelConfig;
use str0m::media::{MediaKind, Mid};

/// A peer and its socket.
pub(crate) struct SocketPeer {
    pub(crate) peer: Peer,
    pub(crate) socket: UdpSocket,
    /// Datagrams it has sent, up to a bound: the seeds of mutations.
    pub(crate) sent: Vec<Vec<u8>>,
}

impl SocketPeer {
    pub(crate) fn new(bind: &str) -> Self {
        let socket = UdpSocket::bind(bind).expect("a loopback port");
        socket.set_nonblocking(true).expect("a non-blocking socket");
        let address = socket.local_addr().expect("a bound socket");
        Self {
            peer: Peer::new(address, Instant::now(), |config| config),
            socket,
            sent: Vec::new(),
        }
    }

    /// Take what has arrived, send what is due.
    pub(crate) fn turn(&mut self) {
        let mut buffer = [0; 2048];
        loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((size, source)) => self.peer.receive(Instant::now(), source, &buffer[..size]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("receive: {error}"),
            }
        }
        for transmit in self.peer.drive(Instant::now()) {
            let _ = self
                .socket
                .send_to(&transmit.contents, transmit.destination);
            if self.sent.len() < 2000 {
                self.sent.push(transmit.contents.to_vec());
            }
        }
    }
}

/// A Worker with one router and the peers of one call.
pub(crate) struct Call {
    pub(crate) worker: Worker,
    pub(crate) router: RouterId,
    pub(crate) peers: Vec<SocketPeer>,
    pub(crate) events: Vec<Event>,
    /// Where its peers are.
    pub(crate) bind: &'static str,
}

impl Call {
    pub(crate) fn open(threads: u16) -> Self {
        Self::open_with(WorkerConfig {
            threads,
            ..WorkerConfig::default()
        })
    }

    pub(crate) fn open_with(config: WorkerConfig) -> Self {
        let worker = Worker::open(&config).expect("a Worker opens");
        let router = RouterId(worker.allocate_router().expect("an open Worker"));
        let mut call = Self {
            worker,
            router,
            peers: Vec::new(),
            events: Vec::new(),
            bind: "127.0.0.1:0",
        };
        let options = RouterOptions {
            codecs: vec![CodecKind::Opus, CodecKind::Vp8],
        };
        call.command(Command::CreateRouter { router, options });
        call
    }

    pub(crate) fn handle(&self) -> u64 {
        self.worker.allocate(self.router.thread())
    }

    /// Run a command that must succeed.
    pub(crate) fn command(&mut self, command: Command) -> Reply {
        let request = self
            .worker
            .send(self.router.thread(), command)
            .expect("an open Worker");
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            for event in self.worker.drain(1024) {
                match event {
                    Event::Reply {
                        request: id,
                        result,
                    } if id == request => {
                        return result.expect("the command succeeds");
                    }
                    other => self.events.push(other),
                }
            }
            self.turn();
        }
        panic!("no reply within 10 s");
    }

    /// A connected peer that publishes one video track and a data channel.
    pub(crate) fn publish(&mut self) -> (usize, Mid, PublisherId) {
        let transport = TransportId(self.handle());
        let options = TransportOptions::default();
        let router = self.router;
        self.command(Command::CreatePublishTransport {
            router,
            transport,
            options,
        });
        let mut peer = SocketPeer::new(self.bind);
        let channel = ChannelConfig {
            label: "chat".to_owned(),
            ..ChannelConfig::default()
        };
        let (sdp, mids) = peer.peer.offer(&[(MediaKind::Video, "camera")], &[channel]);
        let Reply::Answer { sdp, .. } = self.command(Command::AcceptOffer { transport, sdp })
        else {
            panic!("an offer is answered");
        };
        peer.peer.accept_answer(&sdp);
        let index = self.peers.len();
        self.peers.push(peer);
        let publisher = PublisherId(self.handle());
        self.command(Command::Publish {
            transport,
            publisher,
            mid: mids[0].to_string(),
        });
        self.run_until("the publisher connects", |call| {
            call.peers[index].peer.connected
        });
        (index, mids[0], publisher)
    }

    /// A connected peer that subscribes.
    pub(crate) fn subscribe(&mut self, publisher: PublisherId) -> (usize, TransportId) {
        let transport = TransportId(self.handle());
        let options = TransportOptions::default();
        let router = self.router;
        self.command(Command::CreateSubscribeTransport {
            router,
            transport,
            options,
        });
        let items = vec![(SubscriberId(self.handle()), publisher)];
        let reply = self.command(Command::Subscribe { transport, items });
        let Reply::Offer { sdp, .. } = reply else {
            panic!("subscribe makes an offer")
        };
        let mut peer = SocketPeer::new(self.bind);
        let sdp = peer.peer.answer(&sdp);
        let index = self.peers.len();
        self.peers.push(peer);
        self.command(Command::AcceptAnswer { transport, sdp });
        self.run_until("the subscriber connects", |call| {
            call.peers[index].peer.connected
        });
        (index, transport)
    }

    /// Wait until every media thread has had a turn.
    pub(crate) fn sync(&mut self) {
        let end = Instant::now() + Duration::from_secs(20);
        let mut open: Vec<RequestId> = Vec::new();
        for thread in 0..self.worker.threads() {
            let target = StatsTarget::Thread;
            open.push(
                self.worker
                    .send(thread, Command::GetStats { target })
                    .expect("an open Worker"),
            );
        }
        while !open.is_empty() {
            assert!(Instant::now() < end, "a media thread does not answer");
            self.turn();
            for event in self.worker.drain(1024) {
                match event {
                    Event::Reply { request, .. } => open.retain(|other| *other != request),
                    other => self.events.push(other),
                }
            }
        }
    }

    /// One turn of every peer.
    #[expect(
        clippy::disallowed_methods,
        reason = "the test thread is a guest of the media threads"
    )]
    pub(crate) fn turn(&mut self) {
        for peer in &mut self.peers {
            peer.turn();
        }
        std::thread::yield_now();
    }

    pub(crate) fn run_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(
                Instant::now() < end,
                "{what}: not within 20 s; {:?}",
                self.worker.counters()
            );
            self.turn();
            let events = self.worker.drain(1024);
            self.events.extend(events);
        }
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        let counters = self.worker.counters();
        counters
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(0, |(_, value)| *value)
    }

    /// Where the media port listens on loopback.
    pub(crate) fn server(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.worker.port()))
    }
}
