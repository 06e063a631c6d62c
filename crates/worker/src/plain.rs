//! The sockets of plain transports: one each, or two where RTCP has a port of its own.
//!
//! Opened before the core hears of the transport, so that the command can say which port it got;
//! closed when its `Closed` event passes. Whose a datagram is, the socket says: it is read here, a
//! bounded number of batches a turn, and handed to the core with the transport's name.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use headwater_core::command::Command;
use headwater_core::error::Error;
use headwater_core::ids::{ObjectId, TransportId};
use mio::{Interest, Registry, Token};
use rustc_hash::FxHashMap;

use crate::media_thread::MediaThread;
use crate::udp::{RECEIVE_BATCH, UdpPort};

/// The open sockets of plain transports of a media thread.
#[derive(Debug, Default)]
pub(crate) struct PlainSockets {
    transports: FxHashMap<TransportId, Pair>,
    tokens: FxHashMap<Token, (TransportId, bool)>,
    /// Those that may have something to read.
    readable: Vec<(TransportId, bool)>,
    last: usize,
}

#[derive(Debug)]
struct Pair {
    rtp: UdpPort,
    rtcp: Option<UdpPort>,
    tokens: [Token; 2],
}

impl PlainSockets {
    /// Open what a command needs and tell it the ports; an error means that the command must not
    /// reach the core.
    pub(crate) fn prepare(
        &mut self,
        command: &mut Command,
        registry: &Registry,
    ) -> Result<(), Error> {
        let Command::CreatePlainTransport {
            transport, options, ..
        } = command
        else {
            return Ok(());
        };
        if self.transports.contains_key(transport) {
            return Ok(()); // the core refuses a handle in use
        }
        let failed = |error: std::io::Error| Error::Socket(error.to_string());
        let tokens = [self.last, self.last + 1].map(|number| Token(FIRST_TOKEN.0 + number));
        self.last += 2;
        let open = |address: IpAddr, token| {
            let mut port = UdpPort::bind_own(address)?;
            registry.register(&mut port.socket, token, Interest::READABLE)?;
            Ok(port)
        };
        let address = options.local.ip();
        let rtp = open(address, tokens[0]).map_err(failed)?;
        let rtcp = match options.rtcp_local {
            Some(_) => Some(open(address, tokens[1]).map_err(failed)?),
            None => None,
        };
        options.local = SocketAddr::new(address, rtp.port());
        options.rtcp_local = rtcp
            .as_ref()
            .map(|port| SocketAddr::new(address, port.port()));
        self.tokens.insert(tokens[0], (*transport, false));
        self.tokens.insert(tokens[1], (*transport, true));
        self.transports
            .insert(*transport, Pair { rtp, rtcp, tokens });
        Ok(())
    }

    pub(crate) fn get(&mut self, transport: TransportId, rtcp: bool) -> Option<&mut UdpPort> {
        let pair = self.transports.get_mut(&transport)?;
        match rtcp {
            false => Some(&mut pair.rtp),
            true => pair.rtcp.as_mut(),
        }
    }

    /// The kernel says that there is something to read.
    pub(crate) fn ready(&mut self, token: Token) {
        if let Some((transport, rtcp)) = self.tokens.get(&token).copied()
            && let Some(port) = self.get(transport, rtcp)
            && !std::mem::replace(&mut port.readable, true)
        {
            self.readable.push((transport, rtcp));
        }
    }

    pub(crate) const fn has_work(&self) -> bool {
        !self.readable.is_empty()
    }

    /// An object is gone; if it was a plain transport, so are its sockets.
    pub(crate) fn closed(&mut self, object: ObjectId) {
        if let ObjectId::Transport(transport) = object
            && let Some(pair) = self.transports.remove(&transport)
        {
            for token in pair.tokens {
                self.tokens.remove(&token);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.transports.clear();
        self.tokens.clear();
        self.readable.clear();
    }
}

impl MediaThread {
    /// Take what the sockets of plain transports have, a bounded number of batches from each.
    pub(crate) fn receive_plain(&mut self) {
        for (transport, rtcp) in std::mem::take(&mut self.plains.readable) {
            for _ in 0..BATCHES_PER_TURN {
                let Some(port) = self.plains.get(transport, rtcp) else {
                    break;
                };
                let count = port.receive(&mut self.buffers, &mut self.counters);
                if count < RECEIVE_BATCH {
                    // The queue was empty; what came since raises a new edge.
                    port.readable = false;
                }
                if count == 0 {
                    break;
                }
                let now = Instant::now();
                for buffer in 0..count {
                    self.take_plain(now, (transport, rtcp), buffer);
                }
                self.drain(now);
                if count < RECEIVE_BATCH {
                    break;
                }
            }
            if let Some(port) = self.plains.get(transport, rtcp)
                && port.readable
            {
                self.plains.readable.push((transport, rtcp));
            }
        }
    }

    /// One receive buffer: datagrams of one source, `stride` bytes each.
    fn take_plain(&mut self, now: Instant, (transport, rtcp): (TransportId, bool), buffer: usize) {
        let meta = self.buffers.metas[buffer];
        let contents = &self.buffers.data[buffer][..meta.len];
        for datagram in contents.chunks(meta.stride.max(1)) {
            self.counters.datagrams_received += 1;
            self.counters.bytes_received += datagram.len() as u64;
            self.sfu
                .receive_plain(now, transport, rtcp, meta.addr, datagram);
        }
    }
}

/// Tokens of plain sockets; far above those of TCP connections.
pub(crate) const FIRST_TOKEN: Token = Token(1 << 40);
/// Receive calls per socket and turn.
const BATCHES_PER_TURN: usize = 4;
