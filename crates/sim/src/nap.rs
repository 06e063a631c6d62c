//! Machines that are short of CPU: a peer that is scheduled now and then, a server that stalls.
//!
//! What arrives meanwhile waits in the socket and is seen at the next waking, with that time.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::network::Flight;

/// A peer that is only scheduled at moments of its own.
#[derive(Debug)]
pub(crate) struct Nap {
    pub(crate) peer: usize,
    pub(crate) wakes: Instant,
    woken: Option<Instant>,
    between: Range<Duration>,
    random: fastrand::Rng,
    pub(crate) socket: Vec<Flight>,
}

impl Nap {
    pub(crate) fn new(peer: usize, now: Instant, between: Range<Duration>) -> Self {
        Self {
            peer,
            wakes: now,
            woken: None,
            between,
            random: fastrand::Rng::with_seed(peer as u64),
            socket: Vec::new(),
        }
    }

    /// What has gathered, when it wakes now; it sleeps again afterwards.
    pub(crate) fn wake(&mut self, now: Instant) -> Option<Vec<Flight>> {
        if now < self.wakes {
            return None;
        }
        self.woken = Some(now);
        self.wakes = now + pick(&mut self.random, &self.between);
        Some(std::mem::take(&mut self.socket))
    }

    /// It has woken at this very moment.
    pub(crate) fn is_awake(&self, now: Instant) -> bool {
        self.woken == Some(now)
    }
}

/// A server that is not scheduled now and then: what it was about to send leaves afterwards.
#[derive(Debug)]
pub(crate) struct Stalls {
    pub(crate) next: Instant,
    pub(crate) until: Instant,
    length: Duration,
    between: Range<Duration>,
    random: fastrand::Rng,
    pub(crate) socket: Vec<Flight>,
}

impl Stalls {
    pub(crate) fn new(now: Instant, between: Range<Duration>, length: Duration) -> Self {
        Self {
            next: now,
            until: now,
            length,
            between,
            random: fastrand::Rng::with_seed(1),
            socket: Vec::new(),
        }
    }

    /// Begins the next stall when it is due. The server has taken `now` for now just before.
    pub(crate) fn begin(&mut self, now: Instant) {
        if self.next <= now {
            self.until = now + self.length;
            self.next = self.until + pick(&mut self.random, &self.between);
        }
    }

    /// Whether the server sleeps: it has begun to before now.
    pub(crate) fn sleeps(&self, now: Instant) -> bool {
        now < self.until && now + self.length > self.until
    }
}

fn pick(random: &mut fastrand::Rng, between: &Range<Duration>) -> Duration {
    between.start + (between.end - between.start).mul_f64(random.f64())
}
