//! The links between clients and the server, with everything under way on them, from one seed.
//!
//! A client may sit behind an address translator: the server then sees its public address, and
//! [`Network::rebind`] gives it another one, as translators do after a silence.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::link::{Direction, Link};

/// Address of the server in every [`crate::World`].
pub const SERVER: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
    8443,
);

/// A datagram under way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flight {
    pub(crate) arrives: Instant,
    order: u64,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) contents: Vec<u8>,
}

/// All links; each client has one towards the server, named by the client's address.
#[derive(Debug)]
pub struct Network {
    random: fastrand::Rng,
    flights: BinaryHeap<Reverse<Flight>>,
    links: Vec<(SocketAddr, Link, [Direction; 2])>,
    /// Private and public address of those behind a translator, newest last.
    translated: Vec<(SocketAddr, SocketAddr)>,
    order: u64,
    /// Datagrams the server sent to a public address that had been given up.
    pub stray: u64,
    /// Datagrams the network has lost so far.
    pub lost: u64,
    /// Datagrams the network has delivered so far, duplicates included.
    pub delivered: u64,
    /// Bytes of the largest datagram that the server has sent.
    pub largest: usize,
    /// When present, gets a copy of every datagram towards the server.
    pub wiretap: Option<Vec<(SocketAddr, Vec<u8>)>>,
}

impl Network {
    /// A network whose impairments follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            flights: BinaryHeap::new(),
            links: Vec::new(),
            translated: Vec::new(),
            order: 0,
            stray: 0,
            lost: 0,
            delivered: 0,
            largest: 0,
            wiretap: None,
        }
    }

    /// Set what happens between `client` (its private address) and the server from `now` on.
    pub fn change_link(&mut self, now: Instant, client: SocketAddr, link: Link) {
        let known = self.links.iter_mut().find(|entry| entry.0 == client);
        if let Some((_, old, directions)) = known {
            for direction in directions {
                direction.rescale(now, old.rate, link.rate);
            }
            *old = link;
        } else {
            self.links.push((client, link, Default::default()));
        }
    }

    /// As [`Network::change_link`], for links on which nothing waits for a rate limit.
    pub fn set_link(&mut self, client: SocketAddr, link: Link) {
        match self.links.iter_mut().find(|entry| entry.0 == client) {
            Some(entry) => entry.1 = link,
            None => self.links.push((client, link, Default::default())),
        }
    }

    /// From now on the server sees `client` at `public`; what goes to its last address is lost.
    pub fn rebind(&mut self, client: SocketAddr, public: SocketAddr) {
        self.translated.push((client, public));
    }

    /// Put a datagram on its way, or lose it.
    pub fn send(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        contents: Vec<u8>,
    ) {
        let upward = destination == SERVER;
        if let Some(tap) = self.wiretap.as_mut().filter(|_| upward) {
            tap.push((source, contents.clone()));
        }
        let client = if upward {
            source
        } else {
            self.largest = self.largest.max(contents.len());
            match self.private(destination) {
                Some(client) => client,
                None => return self.stray += 1,
            }
        };
        let random = &mut self.random;
        let Some((_, link, directions)) = known_link(&mut self.links, client) else {
            return;
        };
        let direction = &mut directions[usize::from(upward)];
        let Some(arrives) = link.carry(direction, random, now, contents.len()) else {
            self.lost += 1;
            return;
        };
        let repeated = link.repeats(random);
        let (source, destination) = if upward {
            (self.public(client), SERVER)
        } else {
            (source, client)
        };
        if repeated {
            self.push(arrives, source, destination, contents.clone());
        }
        self.push(arrives, source, destination, contents);
    }

    /// Other traffic on the way to `client`: it takes its room on the link and goes to somebody else.
    pub fn fill(&mut self, now: Instant, client: SocketAddr, size: usize) {
        let random = &mut self.random;
        if let Some((_, link, [down, _])) = known_link(&mut self.links, client) {
            link.carry(down, random, now, size);
        }
    }

    /// How long a datagram of `client` would wait for its link's rate before it leaves.
    #[must_use]
    pub fn waiting(&self, now: Instant, client: SocketAddr) -> Duration {
        let link = self.links.iter().find(|(known, ..)| *known == client);
        link.map_or(Duration::ZERO, |(.., [_, up])| up.waiting(now))
    }

    /// Where the server sees `client`.
    fn public(&self, client: SocketAddr) -> SocketAddr {
        let mut newest = self.translated.iter().rev();
        newest
            .find(|(private, _)| *private == client)
            .map_or(client, |(_, public)| *public)
    }

    /// Whose public address this is now; `None` when it has been given up.
    fn private(&self, public: SocketAddr) -> Option<SocketAddr> {
        let mut newest = self.translated.iter().rev();
        let client = match newest.find(|(_, known)| *known == public) {
            Some((client, _)) => *client,
            None => public,
        };
        (self.public(client) == public).then_some(client)
    }

    /// When the next datagram arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.flights.peek().map(|flight| flight.0.arrives)
    }

    /// The next datagram that has arrived by `now`.
    pub(crate) fn receive(&mut self, now: Instant) -> Option<Flight> {
        if self.next_arrival()? > now {
            return None;
        }
        self.delivered += 1;
        self.flights.pop().map(|flight| flight.0)
    }

    fn push(
        &mut self,
        arrives: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        contents: Vec<u8>,
    ) {
        self.order += 1;
        let order = self.order;
        self.flights.push(Reverse(Flight {
            arrives,
            order,
            source,
            destination,
            contents,
        }));
    }
}

/// A client's link, made when it has none yet.
fn known_link(
    links: &mut Vec<(SocketAddr, Link, [Direction; 2])>,
    client: SocketAddr,
) -> Option<&mut (SocketAddr, Link, [Direction; 2])> {
    if !links.iter().any(|entry| entry.0 == client) {
        links.push((client, Link::default(), Default::default()));
    }
    links.iter_mut().find(|entry| entry.0 == client)
}
