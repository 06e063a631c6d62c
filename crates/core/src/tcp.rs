//! Sessions whose datagrams come by TCP (RFC 6544), for networks that let no UDP out.
//!
//! The worker accepts connections and cuts them into frames; here a frame is a datagram that knows its
//! connection. A connection belongs to the session whose verified check it brought first; before
//! that, and ever after with anything but that session's own datagrams, it is refused, and the
//! worker closes it. With its session it is hung up.

use std::net::SocketAddr;
use std::time::Instant;

use crate::ids::TcpId;
use crate::sfu::Sfu;
use crate::sink::Path;
use crate::{Output, Socket};

/// What to do with a connection after one of its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Keep,
    /// It is a stranger's: close it without a word.
    Refuse,
}

impl Sfu {
    /// Hands in a frame of a TCP connection between the peer at `source` and our `destination`.
    pub fn receive_tcp(
        &mut self,
        now: Instant,
        connection: TcpId,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) -> Verdict {
        let owner = self.demux.by_connection(connection);
        let named = self.demux.by_ufrag(contents);
        let key = match (owner, named) {
            (Some(owner), Some(named)) if owner != named => return Verdict::Refuse,
            (None, None) => return Verdict::Refuse,
            (Some(key), _) | (None, Some(key)) => key,
        };
        let way = Path {
            socket: Socket::Tcp(connection),
            source: destination,
            destination: source,
        };
        let taken = self.sessions.contains(key) && self.take_in(now, key, way, contents);
        // A session may refuse a datagram now and then; a stranger gets no second try.
        if taken || owner.is_some() {
            Verdict::Keep
        } else {
            Verdict::Refuse
        }
    }

    /// The worker has closed this connection, or the peer has.
    pub fn disconnected(&mut self, connection: TcpId) {
        if let Some(key) = self.demux.disconnect(connection)
            && let Some(session) = self.sessions.get_mut(key)
        {
            session.paths.disconnected(connection);
        }
    }

    /// A connection has brought its session's check.
    pub(crate) fn adopt(&mut self, key: usize, peer: SocketAddr, connection: TcpId) {
        if self.demux.by_connection(connection).is_some() {
            return;
        }
        self.demux.connect(connection, key);
        if let Some(surplus) = self.sessions[key].paths.connected(peer, connection) {
            self.hang_up(surplus);
        }
    }

    pub(crate) fn hang_up(&mut self, connection: TcpId) {
        self.demux.disconnect(connection);
        self.outputs.push_back(Output::HangUp(connection));
    }
}
