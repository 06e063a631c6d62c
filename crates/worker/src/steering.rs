//! Which media thread owns a foreign source address.
//!
//! The kernel spreads datagrams over the threads' sockets by a hash of the 5-tuple, so a session's
//! packets may arrive at a thread that does not own it. STUN checks name their owner in the ufrag;
//! for everything else this table remembers where earlier datagrams of that source were accepted.
//!
//! Bounded and scan-free: two generations. A lookup in the old one moves the entry to the new one;
//! every [`GENERATION`], or when the new one is half full, the old one is thrown away.

use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

/// Source address -> owning thread.
#[derive(Debug)]
pub(crate) struct SteeringTable {
    current: FxHashMap<SocketAddr, u16>,
    previous: FxHashMap<SocketAddr, u16>,
    turned: Instant,
}

impl SteeringTable {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            current: FxHashMap::default(),
            previous: FxHashMap::default(),
            turned: now,
        }
    }

    pub(crate) fn owner(&mut self, now: Instant, source: SocketAddr) -> Option<u16> {
        if self.current.is_empty() && self.previous.is_empty() {
            return None;
        }
        self.turn_when_due(now);
        if let Some(&owner) = self.current.get(&source) {
            return Some(owner);
        }
        let owner = self.previous.remove(&source)?;
        self.current.insert(source, owner);
        Some(owner)
    }

    pub(crate) fn remember(&mut self, now: Instant, source: SocketAddr, owner: u16) {
        self.turn_when_due(now);
        self.previous.remove(&source);
        self.current.insert(source, owner);
    }

    pub(crate) fn forget(&mut self, source: SocketAddr) {
        self.current.remove(&source);
        self.previous.remove(&source);
    }

    pub(crate) fn len(&self) -> usize {
        self.current.len() + self.previous.len()
    }

    fn turn_when_due(&mut self, now: Instant) {
        if self.current.len() >= CAPACITY / 2 || now.duration_since(self.turned) >= GENERATION {
            self.previous = mem::take(&mut self.current);
            self.turned = now;
        }
    }
}

/// Longer than ICE consent takes to expire, so that a live session is never forgotten.
const GENERATION: Duration = Duration::from_secs(60);
const CAPACITY: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn source(n: u32) -> SocketAddr {
        SocketAddr::from((n.to_be_bytes(), 4000))
    }

    #[test]
    fn a_source_in_use_is_kept_and_an_idle_one_forgotten() {
        let start = Instant::now();
        let mut table = SteeringTable::new(start);
        table.remember(start, source(1), 3);
        table.remember(start, source(2), 3);
        let mut now = start;
        for _ in 0..5 {
            now += Duration::from_secs(45);
            assert_eq!(table.owner(now, source(1)), Some(3));
        }
        assert_eq!(table.owner(now, source(2)), None);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_flood_of_sources_stays_within_the_bound() {
        let now = Instant::now();
        let mut table = SteeringTable::new(now);
        for n in 0..200_000 {
            table.remember(now, source(n), 1);
            assert!(table.len() <= CAPACITY);
        }
        assert_eq!(table.owner(now, source(199_999)), Some(1));
        assert_eq!(table.owner(now, source(0)), None);
    }

    #[test]
    fn a_refused_source_is_forgotten() {
        let now = Instant::now();
        let mut table = SteeringTable::new(now);
        table.remember(now, source(1), 2);
        table.forget(source(1));
        assert_eq!(table.owner(now, source(1)), None);
    }
}
