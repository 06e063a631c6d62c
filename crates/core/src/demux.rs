//! Whose datagram is this? Answered before any session parses it.
//!
//! Two maps: local ICE ufrag -> session, and source address -> session. An address enters the
//! second map only after a session has verified the integrity of a STUN check from it, so the
//! port neither answers nor remembers strangers. STUN is always looked up by ufrag, because a
//! ufrag is proof of intent and an address may have moved on to a new session.
//! A TCP connection belongs to the session whose check it brought first.
//! A ufrag of another media thread is recognised by its prefix alone.

use std::net::SocketAddr;

use rustc_hash::FxHashMap;

use crate::ids::TcpId;
use crate::{Route, SessionKey};

/// The maps of one media thread.
#[derive(Default)]
pub(crate) struct Demux {
    thread: u16,
    ufrags: FxHashMap<Box<str>, usize>,
    addresses: FxHashMap<SocketAddr, usize>,
    connections: FxHashMap<TcpId, usize>,
}

impl Demux {
    pub(crate) fn new(thread: u16) -> Self {
        Self {
            thread,
            ..Self::default()
        }
    }

    pub(crate) fn route(&self, source: SocketAddr, contents: &[u8]) -> Route {
        if !is_stun(contents) {
            return self.by_address(source);
        }
        let Some(ufrag) = local_ufrag(contents) else {
            return self.by_address(source);
        };
        if let Some(&key) = self.ufrags.get(ufrag) {
            return Route::Session(SessionKey(key));
        }
        match thread_of(ufrag) {
            Some(thread) if thread != self.thread => Route::Thread(thread),
            _ => Route::Unknown,
        }
    }

    fn by_address(&self, source: SocketAddr) -> Route {
        match self.addresses.get(&source) {
            Some(&key) => Route::Session(SessionKey(key)),
            None => Route::Unknown,
        }
    }

    pub(crate) fn add_ufrag(&mut self, ufrag: &str, key: usize) {
        self.ufrags.insert(ufrag.into(), key);
    }

    pub(crate) fn remove_ufrag(&mut self, ufrag: &str) {
        self.ufrags.remove(ufrag);
    }

    /// Gives `source` to `key`. Returns whoever had it before.
    pub(crate) fn learn(&mut self, source: SocketAddr, key: usize) -> Option<usize> {
        self.addresses.insert(source, key)
    }

    /// Takes `source` from `key`, unless it belongs to another session by now.
    pub(crate) fn forget(&mut self, source: SocketAddr, key: usize) {
        if self.addresses.get(&source) == Some(&key) {
            self.addresses.remove(&source);
        }
    }

    /// Whose check this frame of an unknown TCP connection is.
    pub(crate) fn by_ufrag(&self, contents: &[u8]) -> Option<usize> {
        if !is_stun(contents) {
            return None;
        }
        self.ufrags.get(local_ufrag(contents)?).copied()
    }

    pub(crate) fn by_connection(&self, connection: TcpId) -> Option<usize> {
        self.connections.get(&connection).copied()
    }

    pub(crate) fn connect(&mut self, connection: TcpId, key: usize) {
        self.connections.insert(connection, key);
    }

    pub(crate) fn disconnect(&mut self, connection: TcpId) -> Option<usize> {
        self.connections.remove(&connection)
    }

    /// Ufrags, addresses and TCP connections known, for leak tests.
    pub(crate) fn len(&self) -> (usize, usize, usize) {
        (
            self.ufrags.len(),
            self.addresses.len(),
            self.connections.len(),
        )
    }
}

/// The media thread that a STUN check's ufrag names. Says nothing about whether it is genuine.
pub fn thread_of_check(contents: &[u8]) -> Option<u16> {
    let is_check = is_stun(contents) && contents.get(4..8) == Some(&MAGIC_COOKIE);
    thread_of(local_ufrag(contents).filter(|_| is_check)?)
}

/// RFC 7983: a first byte of 0 to 3 is STUN.
pub(crate) fn is_stun(contents: &[u8]) -> bool {
    contents.len() >= STUN_HEADER && contents[0] < 4
}

/// The transaction id of a STUN message (RFC 8489 section 5).
pub(crate) fn transaction(contents: &[u8]) -> Option<[u8; 12]> {
    contents.get(8..20)?.try_into().ok()
}

/// The part before the colon of a STUN USERNAME attribute: the receiver's ufrag.
fn local_ufrag(contents: &[u8]) -> Option<&str> {
    ufrags(contents).map(|(local, _)| local)
}

/// A STUN USERNAME attribute: the receiver's ufrag and the sender's.
pub(crate) fn ufrags(contents: &[u8]) -> Option<(&str, &str)> {
    let mut rest = contents.get(STUN_HEADER..)?;
    // A check has a handful of attributes; the bound keeps hostile ones cheap.
    for _ in 0..MAX_ATTRIBUTES {
        let head = rest.get(..4)?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = rest.get(4..4 + len)?;
        if kind == ATTRIBUTE_USERNAME {
            let text = std::str::from_utf8(value).ok()?;
            return text.split_once(':');
        }
        rest = rest.get(4 + len.next_multiple_of(4)..)?;
    }
    None
}

fn thread_of(ufrag: &str) -> Option<u16> {
    u16::from_str_radix(ufrag.get(..4)?, 16).ok()
}

const STUN_HEADER: usize = 20;
/// RFC 8489 section 5.
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const ATTRIBUTE_USERNAME: u16 = 0x0006;
const MAX_ATTRIBUTES: usize = 16;
