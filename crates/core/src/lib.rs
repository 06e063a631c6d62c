//! Sans-IO selective forwarding unit: no socket, no thread, no clock.
//!
//! One [`Sfu`] is all that one media thread knows. Feed it with [`Sfu::route`] + [`Sfu::receive`],
//! [`Sfu::command`] and [`Sfu::timeout`]; then drain [`Sfu::poll`] until it answers
//! [`Output::Timeout`].
#![forbid(unsafe_code)]
#![allow(missing_docs)] // until the first version stands

use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

pub mod command;
pub mod error;
pub mod event;
pub mod ids;

use command::Command;
use event::Event;
use ids::{RequestId, TransportId};

/// What the core needs from outside: it has no clock, no randomness and no addresses of its own.
#[derive(Clone, Debug)]
pub struct SfuConfig {
    /// Number of the media thread that owns this instance; the prefix of its ICE ufrags.
    pub thread: u16,
    /// Host candidates to advertise.
    pub candidates: Vec<SocketAddr>,
    /// Seed of everything that must be unguessable (ICE credentials, SSRCs).
    pub seed: [u8; 32],
    /// The same moment on the monotonic and on the wall clock, for RTCP sender reports.
    pub epoch: (Instant, SystemTime),
}

/// Names a session inside one `Sfu` between `route` and `receive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionKey(pub(crate) usize);

/// To whom a datagram belongs, decided before any session parses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A session of this instance (known source address, or a STUN check with its ufrag).
    Session(SessionKey),
    /// A STUN check whose ufrag names another media thread.
    Thread(u16),
    /// Nobody's: drop it silently and count it.
    Unknown,
}

/// A datagram to send.
#[derive(Debug)]
pub struct Transmit {
    /// Which socket.
    pub socket: Socket,
    /// The local address it must leave from, where one is known.
    pub source: Option<SocketAddr>,
    /// Where to.
    pub destination: SocketAddr,
    /// The bytes.
    pub contents: Vec<u8>,
}

/// The sockets a media thread has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Socket {
    /// The one UDP port.
    Media,
    /// A recording transport's own socket; opened by the worker at `CreateRecordingTransport`,
    /// closed when the transport's `Closed` event passes.
    Recording(TransportId),
}

/// What the core wants done.
#[derive(Debug)]
pub enum Output {
    /// Send this. Consecutive datagrams of one session come out together.
    Transmit(Transmit),
    /// Tell Python.
    Event(Event),
    /// Nothing more now; call `timeout` at this moment at the latest.
    Timeout(Instant),
}

/// One media thread's SFU. See the module documentation for how to drive it.
pub struct Sfu {
    config: SfuConfig,
    events: std::collections::VecDeque<Event>,
}

impl Sfu {
    pub fn new(config: SfuConfig) -> Self {
        Self { config, events: std::collections::VecDeque::new() }
    }

    pub fn command(&mut self, _now: Instant, request: RequestId, _command: Command) {
        let result = Err(error::Error::NotFound { what: "router" });
        self.events.push_back(Event::Reply { request, result });
    }

    /// To whom a datagram belongs. Parses no more than a STUN header and username.
    pub fn route(&self, _source: SocketAddr, _contents: &[u8]) -> Route {
        let _ = self.config.thread;
        Route::Unknown
    }

    /// True when the session took it (for STUN: integrity verified), so that the worker may
    /// remember `source` as belonging here.
    pub fn receive(
        &mut self,
        _now: Instant,
        _key: SessionKey,
        _source: SocketAddr,
        _destination: SocketAddr,
        _contents: &[u8],
    ) -> bool {
        false
    }

    pub fn timeout(&mut self, _now: Instant) {}

    pub fn poll(&mut self, now: Instant) -> Output {
        match self.events.pop_front() {
            Some(event) => Output::Event(event),
            None => Output::Timeout(now + std::time::Duration::from_secs(1)),
        }
    }

    /// Counters of this thread by name, cheap enough to read once a second.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}
