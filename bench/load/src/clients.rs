//! All clients of the run, turned by one poll: sockets, timeouts, answers from signalling.
//!
//! Deadlines are in one heap: an entry that fires before its client is due is only put back, so
//! thousands of idle clients cost nothing while they wait.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::time::Instant;

use mio::{Events, Interest, Poll, Token, Waker};

use crate::batch::Scratch;
use crate::film::Ledger;
use crate::frame;
use crate::peer::{Arrival, Bed, Failure, Lines, Peer, Role};
use crate::signalling::{Request, Signalling};
use crate::tally::Tally;

/// The clients, in the order in which they joined.
pub(crate) struct Clients {
    /// What the subscribers received.
    pub(crate) tally: Tally,
    /// What left of films.
    pub(crate) ledger: Ledger,
    pub(crate) peers: Vec<Peer>,
    poll: Poll,
    events: Events,
    signalling: Signalling,
    scratch: Scratch,
    bed: Bed,
    /// When each client's timeout is due, or sooner.
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    /// The earliest entry of each client in it.
    armed: Vec<Instant>,
}

impl Clients {
    /// None yet.
    pub(crate) fn new(token: Option<String>, bed: Bed) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        Ok(Self {
            tally: Tally::default(),
            ledger: Ledger::default(),
            peers: Vec::new(),
            poll,
            events: Events::with_capacity(1024),
            signalling: Signalling::start(waker, token),
            scratch: Scratch::new(bed.gro),
            bed,
            timers: BinaryHeap::new(),
            armed: Vec::new(),
        })
    }

    /// Add a client; it connects in the course of [`Clients::wait`]. Its place.
    pub(crate) fn join(&mut self, role: Role, lines: &Lines, url: &str) -> Result<usize, Failure> {
        let (mut peer, offer) = Peer::new(role, lines, &self.bed)?;
        let number = self.peers.len();
        self.poll
            .registry()
            .register(&mut peer.socket.io, Token(number), Interest::READABLE)?;
        self.armed.push(peer.deadline);
        self.timers.push(Reverse((peer.deadline, number)));
        self.peers.push(peer);
        self.signalling.open(Request {
            peer: number,
            url: url.to_owned(),
            offer,
        });
        Ok(number)
    }

    /// How many clients are connected.
    pub(crate) fn connected(&self) -> usize {
        self.peers.iter().filter(|peer| peer.connected).count()
    }

    /// Datagrams that all clients have sent and received.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        let each = self.peers.iter().map(|peer| peer.traffic);
        each.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Leave without a goodbye: the server is about to end.
    pub(crate) fn vanish(&mut self) {
        self.signalling.forget();
    }

    /// Wait for input until `latest` and handle what came and what is due.
    pub(crate) fn wait(&mut self, latest: Instant) -> Result<(), Failure> {
        let next = self.timers.peek().map(|Reverse((at, _))| *at);
        let due = next.map_or(latest, |next| next.min(latest));
        let timeout = due.saturating_duration_since(Instant::now());
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let mut answered = false;
        for event in &self.events {
            let number = event.token().0;
            let Some(peer) = self.peers.get_mut(number) else {
                answered = true;
                continue;
            };
            let (role, tally, ledger) = (peer.role, &mut self.tally, &self.ledger);
            peer.readable(&mut self.scratch, &mut |arrival| {
                record(tally, ledger, role, &arrival);
            })?;
            arm(&mut self.timers, &mut self.armed, number, peer.deadline);
        }
        if answered {
            self.take_answers()?;
        }
        self.run_timers(Instant::now())
    }

    /// Call it when a client was touched from outside.
    pub(crate) fn touched(&mut self, number: usize) {
        let deadline = self.peers[number].deadline;
        arm(&mut self.timers, &mut self.armed, number, deadline);
    }

    fn run_timers(&mut self, now: Instant) -> Result<(), Failure> {
        while let Some(Reverse((at, number))) = self.timers.peek().copied()
            && at <= now
        {
            self.timers.pop();
            if self.armed[number] != at {
                continue; // an earlier entry has taken its place
            }
            let peer = &mut self.peers[number];
            if peer.deadline <= now {
                peer.timeout(now)?;
            }
            self.armed[number] = peer.deadline;
            self.timers.push(Reverse((peer.deadline, number)));
        }
        Ok(())
    }

    fn take_answers(&mut self) -> Result<(), Failure> {
        while let Some(outcome) = self.signalling.outcome() {
            self.peers[outcome.peer].answer(&outcome.answer?)?;
            self.touched(outcome.peer);
        }
        Ok(())
    }
}

/// Wakes client `number` at `deadline`, if nothing wakes it before.
fn arm(
    timers: &mut BinaryHeap<Reverse<(Instant, usize)>>,
    armed: &mut [Instant],
    number: usize,
    deadline: Instant,
) {
    if deadline < armed[number] {
        armed[number] = deadline;
        timers.push(Reverse((deadline, number)));
    }
}

fn record(tally: &mut Tally, ledger: &Ledger, role: Role, arrival: &Arrival) {
    let Role::Subscriber(number) = role else {
        return;
    };
    let payload = &arrival.packet.payload;
    if let Some(stamp) = frame::stamp(payload).or_else(|| ledger.find(payload)) {
        tally.record(number, stamp, arrival.at, arrival.bytes);
    }
}

const WAKER: Token = Token(usize::MAX - 1);
