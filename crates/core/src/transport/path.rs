//! Where a session's datagrams leave to.
//!
//! The server is ICE-lite: the peer decides which path is used, by nominating (USE-CANDIDATE), and we
//! follow its verified checks. str0m keeps the pair it has when a new one has the same priority,
//! which is what a NAT that gives the peer a new port looks like; so the choice is made here and
//! str0m's own is not asked.
//!
//! - The first verified check opens a path.
//! - A nominating check moves it when its candidate is at least as good as the present one (an
//!   *aggressive* peer nominates every pair and means the best), or when the present one has not
//!   been nominated for a while (a *regular* peer nominates the pair that it uses, again and again).
//! - Any other verified check moves it only when the present path has fallen silent: Firefox does
//!   not nominate twice.
//!
//! Whoever has moved is not sent another byte at the old address: STUN answers aside, everything
//! goes to the one path.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::Socket;
use crate::ids::TcpId;
use crate::sink::Path;

/// What a verified check says about its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// PRIORITY of the peer's candidate (RFC 8445 section 7.1.1).
    pub(crate) priority: u32,
    /// USE-CANDIDATE is set.
    pub(crate) nominates: bool,
}

/// The path in use, and the TCP connections of the session.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    current: Option<InUse>,
    /// TCP connections with a verified check, oldest first.
    tcp: Vec<(SocketAddr, TcpId)>,
}

#[derive(Clone, Copy, Debug)]
struct InUse {
    path: Path,
    priority: u32,
    /// When it was nominated last.
    nominated: Option<Instant>,
    /// When anything came from it last.
    heard: Instant,
}

impl Paths {
    /// Where everything but STUN answers goes.
    pub(crate) fn current(&self) -> Option<Path> {
        self.current.map(|used| used.path)
    }

    /// A datagram of the session came from here.
    pub(crate) fn hear(&mut self, now: Instant, socket: Socket, source: SocketAddr) {
        if let Some(used) = &mut self.current
            && used.path.destination == source
            && used.path.socket == socket
        {
            used.heard = now;
        }
    }

    /// A verified check came this way. True when the path has moved.
    pub(crate) fn check(&mut self, now: Instant, path: Path, check: Check) -> bool {
        let same = |used: &InUse| {
            (used.path.socket, used.path.destination) == (path.socket, path.destination)
        };
        let moves = match &self.current {
            None => true,
            Some(used) if same(used) => false,
            Some(used) if check.nominates => used.nominated.is_none_or(|at| {
                check.priority >= used.priority
                    || now.saturating_duration_since(at) >= NOMINATION_HOLDS
            }),
            Some(used) => now.saturating_duration_since(used.heard) >= SILENT,
        };
        if moves {
            self.current = Some(InUse {
                path,
                priority: check.priority,
                nominated: check.nominates.then_some(now),
                heard: now,
            });
        } else if let Some(used) = self.current.as_mut().filter(|used| same(used)) {
            used.path.source = path.source;
            used.priority = check.priority;
            used.heard = now;
            if check.nominates {
                used.nominated = Some(now);
            }
        }
        moves
    }

    /// After an ICE restart the first nomination counts, whatever was before.
    pub(crate) const fn restart(&mut self) {
        if let Some(used) = &mut self.current {
            used.nominated = None;
        }
    }

    /// The connection on which a STUN answer to `destination` leaves.
    pub(crate) fn tcp_to(&self, destination: SocketAddr) -> Option<TcpId> {
        let found = self.tcp.iter().rev().find(|(peer, _)| *peer == destination);
        found.map(|(_, connection)| *connection)
    }

    /// Takes note of a connection. Returns the oldest unused one when there are too many.
    pub(crate) fn connected(&mut self, peer: SocketAddr, connection: TcpId) -> Option<TcpId> {
        self.tcp.push((peer, connection));
        if self.tcp.len() <= MAX_TCP {
            return None;
        }
        let used = self.current().map(|path| path.socket);
        let idle = |(_, id): &(SocketAddr, TcpId)| Some(Socket::Tcp(*id)) != used;
        let oldest = self.tcp.iter().position(idle)?;
        Some(self.tcp.remove(oldest).1)
    }

    /// A connection has gone.
    pub(crate) fn disconnected(&mut self, connection: TcpId) {
        self.tcp.retain(|(_, known)| *known != connection);
        if self.current().map(|path| path.socket) == Some(Socket::Tcp(connection)) {
            self.current = None;
        }
    }

    /// All connections, taken out.
    pub(crate) fn take_tcp(&mut self) -> Vec<TcpId> {
        let all = std::mem::take(&mut self.tcp);
        all.into_iter().map(|(_, connection)| connection).collect()
    }
}

/// A regular peer nominates the pair it uses at least every 2.5 s; an aggressive one nominates all
/// of them in its first second.
const NOMINATION_HOLDS: Duration = Duration::from_secs(1);
/// Longer than the pause between two checks of a browser that nominates.
const SILENT: Duration = Duration::from_secs(3);
/// TCP connections of one session: a dual-stack client's, and those it is leaving.
const MAX_TCP: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods)] // a test needs some moment to start from
    fn start() -> Instant {
        Instant::now()
    }

    fn udp(port: u16) -> Path {
        Path {
            socket: Socket::Media,
            source: SocketAddr::from(([192, 0, 2, 1], 8443)),
            destination: SocketAddr::from(([198, 51, 100, 7], port)),
        }
    }

    fn tcp(id: u64, port: u16) -> Path {
        Path {
            socket: Socket::Tcp(TcpId(id)),
            ..udp(port)
        }
    }

    const fn nominates(priority: u32) -> Check {
        Check {
            priority,
            nominates: true,
        }
    }

    const fn plain(priority: u32) -> Check {
        Check {
            priority,
            nominates: false,
        }
    }

    #[test]
    fn a_new_port_of_the_same_candidate_takes_over_at_its_first_nomination() {
        let (mut paths, now) = (Paths::default(), start());
        assert!(paths.check(now, udp(1), nominates(110)));
        assert!(paths.check(now, udp(2), nominates(110)));
        assert_eq!(paths.current(), Some(udp(2)));
    }

    #[test]
    fn of_pairs_nominated_together_the_best_is_used() {
        let (mut paths, now) = (Paths::default(), start());
        paths.check(now, tcp(1, 1), nominates(80));
        assert!(paths.check(now, udp(2), nominates(110)));
        assert!(!paths.check(now, tcp(1, 1), nominates(80)));
        assert_eq!(paths.current(), Some(udp(2)));
    }

    #[test]
    fn a_worse_pair_is_used_once_the_better_is_no_longer_nominated() {
        let (mut paths, now) = (Paths::default(), start());
        paths.check(now, udp(1), nominates(110));
        assert!(paths.check(now + NOMINATION_HOLDS, udp(2), nominates(90)));
    }

    #[test]
    fn a_check_that_does_not_nominate_moves_only_a_silent_path() {
        let (mut paths, now) = (Paths::default(), start());
        paths.check(now, udp(1), nominates(110));
        let later = now + Duration::from_secs(2);
        paths.hear(later, Socket::Media, udp(1).destination);
        assert!(!paths.check(now + SILENT, udp(2), plain(110)));
        assert!(paths.check(later + SILENT, udp(2), plain(110)));
    }

    #[test]
    fn a_connection_that_goes_takes_its_path_along() {
        let (mut paths, now) = (Paths::default(), start());
        paths.connected(tcp(1, 1).destination, TcpId(1));
        paths.check(now, tcp(1, 1), nominates(80));
        paths.disconnected(TcpId(1));
        assert_eq!(paths.current(), None);
        assert!(paths.check(now, tcp(2, 2), plain(80)));
    }

    #[test]
    fn connections_are_few_and_the_one_in_use_stays() {
        let (mut paths, now) = (Paths::default(), start());
        paths.check(now, tcp(1, 1), nominates(80));
        for id in 1..=4 {
            assert_eq!(
                paths.connected(tcp(id, id as u16).destination, TcpId(id)),
                None
            );
        }
        let fifth = tcp(5, 5).destination;
        assert_eq!(paths.connected(fifth, TcpId(5)), Some(TcpId(2)));
        assert_eq!(paths.tcp_to(fifth), Some(TcpId(5)));
    }
}
