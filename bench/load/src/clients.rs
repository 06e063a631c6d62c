//! All clients of the run, turned by one poll: sockets, timeouts, answers from signalling.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use mio::{Events, Interest, Poll, Token, Waker};
use str0m::crypto::CryptoProvider;

use crate::batch::Scratch;
use crate::frame;
use crate::peer::{Arrival, Failure, Peer, Role};
use crate::profile;
use crate::signalling::{Request, Signalling};
use crate::tally::Tally;

/// The clients; the publisher is the first.
pub(crate) struct Clients {
    /// What the subscribers received.
    pub(crate) tally: Tally,
    poll: Poll,
    events: Events,
    peers: Vec<Peer>,
    signalling: Signalling,
    scratch: Scratch,
    crypto: Arc<CryptoProvider>,
    gro: bool,
    loss: f64,
}

impl Clients {
    /// None yet.
    pub(crate) fn new(token: Option<String>, gro: bool, loss: f64) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        Ok(Self {
            tally: Tally::default(),
            poll,
            events: Events::with_capacity(1024),
            peers: Vec::new(),
            signalling: Signalling::start(waker, token),
            scratch: Scratch::new(gro),
            crypto: Arc::new(profile::provider()),
            gro,
            loss,
        })
    }

    /// Add a client; it connects in the course of [`Clients::wait`].
    pub(crate) fn join(&mut self, role: Role, url: &str) -> Result<(), Failure> {
        let (mut peer, offer) = Peer::new(role, self.gro, self.loss, &self.crypto)?;
        let number = self.peers.len();
        self.poll
            .registry()
            .register(&mut peer.socket.io, Token(number), Interest::READABLE)?;
        self.peers.push(peer);
        self.signalling.open(Request {
            peer: number,
            url: url.to_owned(),
            offer,
        });
        Ok(())
    }

    /// The publisher.
    ///
    /// # Panics
    ///
    /// When nobody has joined.
    pub(crate) fn publisher(&mut self) -> &mut Peer {
        &mut self.peers[0]
    }

    /// Whether the publisher is connected.
    pub(crate) fn publishing(&self) -> bool {
        self.peers.first().is_some_and(|peer| peer.connected)
    }

    /// How many clients are connected.
    pub(crate) fn connected(&self) -> usize {
        self.peers.iter().filter(|peer| peer.connected).count()
    }

    /// Wait for input until `latest` and handle what came and what is due.
    pub(crate) fn wait(&mut self, latest: Instant) -> Result<(), Failure> {
        let due = self
            .peers
            .iter()
            .map(|peer| peer.deadline)
            .min()
            .map_or(latest, |due| due.min(latest));
        let timeout = due.saturating_duration_since(Instant::now());
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let mut answered = false;
        for event in &self.events {
            let Some(peer) = self.peers.get_mut(event.token().0) else {
                answered = true;
                continue;
            };
            let (role, tally) = (peer.role, &mut self.tally);
            peer.readable(&mut self.scratch, &mut |arrival| {
                record(tally, role, &arrival);
            })?;
        }
        if answered {
            self.take_answers()?;
        }
        let now = Instant::now();
        self.peers
            .iter_mut()
            .filter(|peer| peer.deadline <= now)
            .try_for_each(|peer| peer.timeout(now))
    }

    fn take_answers(&mut self) -> Result<(), Failure> {
        while let Some(outcome) = self.signalling.outcome() {
            self.peers[outcome.peer].answer(&outcome.answer?)?;
        }
        Ok(())
    }
}

fn record(tally: &mut Tally, role: Role, arrival: &Arrival) {
    let Role::Subscriber(number) = role else {
        return;
    };
    if let Some(stamp) = frame::stamp(&arrival.packet.payload) {
        tally.record(number, stamp, arrival.at, arrival.bytes);
    }
}

const WAKER: Token = Token(usize::MAX - 1);
