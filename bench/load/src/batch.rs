//! Sending and receiving many datagrams per system call.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;

use quinn_udp::{BATCH_SIZE, RecvMeta};

use crate::clock::wall_nanos;
use crate::peer::Failure;
use crate::socket::Socket;

/// Consecutive datagrams of one size to one destination: one send (GSO).
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    segment: usize,
    destination: Option<SocketAddr>,
    count: usize,
}

impl Batch {
    /// Add a datagram; what waits leaves first when this one does not fit to it.
    pub(crate) fn push(
        &mut self,
        socket: &Socket,
        destination: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), Failure> {
        let alike = self.destination == Some(destination) && self.segment == datagram.len();
        if !alike || self.count == MAX_SEGMENTS {
            self.flush(socket)?;
            (self.destination, self.segment) = (Some(destination), datagram.len());
        }
        self.bytes.extend_from_slice(datagram);
        self.count += 1;
        Ok(())
    }

    /// Send what waits.
    pub(crate) fn flush(&mut self, socket: &Socket) -> Result<(), Failure> {
        let Some(destination) = self.destination.take() else {
            return Ok(());
        };
        let segment = (self.count > 1).then_some(self.segment);
        let sent = socket.send(destination, &self.bytes, segment);
        self.bytes.clear();
        self.count = 0;
        match sent {
            // A full or refused send is loss on the way, as on any network.
            Err(error) if LOSS.contains(&error.kind()) => Ok(()),
            other => Ok(other?),
        }
    }
}

/// Receive buffers, shared by all sockets of a thread.
pub(crate) struct Scratch {
    buffers: Vec<Vec<u8>>,
    meta: [RecvMeta; BATCH_SIZE],
}

impl Scratch {
    /// For sockets with receive offload (GRO) or without.
    pub(crate) fn new(gro: bool) -> Self {
        let size = if gro { 1 << 16 } else { 2048 };
        Self {
            buffers: vec![vec![0; size]; BATCH_SIZE],
            meta: [RecvMeta::default(); BATCH_SIZE],
        }
    }

    /// Receive once; how many buffers are filled. An error (`WouldBlock`) when nothing waits.
    pub(crate) fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        let mut slices = self.buffers.iter_mut();
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            // There are exactly BATCH_SIZE buffers, see `new`.
            std::array::from_fn(|_| IoSliceMut::new(slices.next().expect("a buffer per slot")));
        socket.receive(&mut slices, &mut self.meta)
    }

    /// The datagrams of the first `count` buffers: source, receive stamp of the kernel in
    /// nanoseconds since the Unix epoch, contents.
    pub(crate) fn datagrams(&self, count: usize) -> impl Iterator<Item = (SocketAddr, u64, &[u8])> {
        self.buffers
            .iter()
            .zip(&self.meta)
            .take(count)
            .flat_map(|(buffer, meta)| {
                let at = meta
                    .timestamp
                    .map_or_else(wall_nanos, |stamp| stamp.as_nanos() as u64);
                buffer[..meta.len]
                    .chunks(meta.stride.max(1))
                    .map(move |datagram| (meta.addr, at, datagram))
            })
    }
}

const MAX_SEGMENTS: usize = 16;
const LOSS: [io::ErrorKind; 2] = [io::ErrorKind::WouldBlock, io::ErrorKind::ConnectionRefused];
