//! A link emulator: delay, jitter, random and bursty loss, duplication, and a rate limit with a
//! byte-limited queue, all from one seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Address of the server in every [`crate::World`].
pub const SERVER: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
    8443,
);

/// What a link does to datagrams, in either direction.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// One-way delay.
    pub delay: Duration,
    /// Added to the delay, uniformly from zero; reorders when larger than the packet spacing.
    pub jitter: Duration,
    /// Share of datagrams lost at random, 0 to 1.
    pub loss: f64,
    /// Gilbert-Elliott: chance per datagram to enter the bad state, where all is lost.
    pub burst_enter: f64,
    /// Gilbert-Elliott: chance per datagram to leave the bad state.
    pub burst_leave: f64,
    /// Share of datagrams delivered twice, 0 to 1.
    pub duplicate: f64,
    /// Rate in bit/s; 0 is unlimited.
    pub rate: u64,
    /// Bytes that may wait for the rate limit; more are dropped.
    pub queue: usize,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(5),
            jitter: Duration::ZERO,
            loss: 0.0,
            burst_enter: 0.0,
            burst_leave: 0.5,
            duplicate: 0.0,
            rate: 0,
            queue: 256 * 1024,
        }
    }
}

impl Link {
    /// A link that loses this share of datagrams at random.
    #[must_use]
    pub fn lossy(loss: f64) -> Self {
        Self {
            loss,
            ..Self::default()
        }
    }
}

/// A datagram under way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flight {
    pub(crate) arrives: Instant,
    order: u64,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) contents: Vec<u8>,
}

/// State of one direction of one link.
#[derive(Debug, Default)]
struct Direction {
    bad: bool,
    busy_until: Option<Instant>,
}

/// All links; each client has one towards the server, named by the client's address.
#[derive(Debug)]
pub struct Network {
    random: fastrand::Rng,
    flights: BinaryHeap<Reverse<Flight>>,
    links: Vec<(SocketAddr, Link, [Direction; 2])>,
    order: u64,
    /// Datagrams the network has lost so far.
    pub lost: u64,
    /// Datagrams the network has delivered so far, duplicates included.
    pub delivered: u64,
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
            order: 0,
            lost: 0,
            delivered: 0,
            wiretap: None,
        }
    }

    /// Set what happens between `client` and the server from now on.
    pub fn set_link(&mut self, client: SocketAddr, link: Link) {
        match self
            .links
            .iter_mut()
            .find(|(address, _, _)| *address == client)
        {
            Some(entry) => entry.1 = link,
            None => self.links.push((client, link, Default::default())),
        }
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
        let client = if upward { source } else { destination };
        if !self.links.iter().any(|(address, _, _)| *address == client) {
            self.set_link(client, Link::default());
        }
        let random = &mut self.random;
        let Some((_, link, directions)) = self
            .links
            .iter_mut()
            .find(|(address, _, _)| *address == client)
        else {
            return;
        };
        let Some(arrives) = link.carry(
            &mut directions[usize::from(upward)],
            random,
            now,
            contents.len(),
        ) else {
            self.lost += 1;
            return;
        };
        let twice = link.duplicate > 0.0 && random.f64() < link.duplicate;
        if twice {
            self.push(arrives, source, destination, contents.clone());
        }
        self.push(arrives, source, destination, contents);
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

impl Link {
    /// When a datagram of `size` bytes arrives; `None` when it is lost.
    fn carry(
        &self,
        direction: &mut Direction,
        random: &mut fastrand::Rng,
        now: Instant,
        size: usize,
    ) -> Option<Instant> {
        let flip = if direction.bad {
            self.burst_leave
        } else {
            self.burst_enter
        };
        if random.f64() < flip {
            direction.bad = !direction.bad;
        }
        if direction.bad && self.burst_enter > 0.0 || random.f64() < self.loss {
            return None;
        }
        let mut leaves = now;
        if self.rate > 0 {
            let start = direction.busy_until.map_or(now, |busy| busy.max(now));
            let waiting = start.duration_since(now).as_secs_f64() * self.rate as f64 / 8.0;
            if waiting as usize + size > self.queue {
                return None;
            }
            leaves = start + Duration::from_secs_f64(size as f64 * 8.0 / self.rate as f64);
            direction.busy_until = Some(leaves);
        }
        Some(leaves + self.delay + self.jitter.mul_f64(random.f64()))
    }
}
