//! Where what the core has to say goes.
//!
//! A sealed media packet is written straight into the worker's send buffer: the sink *lends* room
//! of the right size, the core seals in place, and *commits*. What is not committed never was; a
//! panic between the two sends nothing. Everything rare comes as a value ([`Output`]).

use std::net::SocketAddr;

use crate::{Output, Socket};

/// One way to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Which socket.
    pub socket: Socket,
    /// Our address.
    pub source: SocketAddr,
    /// The peer's.
    pub destination: SocketAddr,
}

/// Takes what [`crate::Sfu::drain`] brings.
pub trait Sink {
    /// Room for one datagram of exactly `len` bytes towards a peer. Consecutive datagrams of one
    /// session come out together.
    fn lend(&mut self, path: &Path, len: usize) -> &mut [u8];

    /// The datagram in the room lent last is complete: send it, after all before it.
    fn commit(&mut self);

    /// Anything else, in order with the datagrams.
    fn take(&mut self, output: Output);
}
