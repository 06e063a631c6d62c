//! One UDP socket: receive in batches with GRO, send runs with GSO.
//!
//! - The media sockets listen on the wildcard address with `IP_PKTINFO`, so each datagram says at
//!   which local address it arrived and a reply can leave from there.
//! - Each media thread has its own socket pair (IPv4 and IPv6) on the one port, by `SO_REUSEPORT`.
//!   The first socket binds *without* it, so a port that another program holds is an error even
//!   when that program set `SO_REUSEPORT` too; only then is the option set for our siblings.
//! - quinn-udp does the system calls. Its own reaction to a refused GSO call is to switch GSO off for
//!   the socket; but one peer behind a small-MTU path would then cost all others their batching.
//!   So we keep our own switch: `EIO` (no checksum offload: GSO can never work) turns it off,
//!   anything else only sends that one run datagram by datagram.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rustix::io::Errno;
use rustix::net::sockopt::{self, set_socket_reuseport};
use socket2::{Domain, Protocol, Socket, Type};

use crate::counters::Counters;

/// A non-blocking UDP socket.
#[derive(Debug)]
pub(crate) struct UdpPort {
    pub(crate) socket: mio::net::UdpSocket,
    state: UdpSocketState,
    port: u16,
    wildcard: IpAddr,
    gso: bool,
    /// Edge-triggered: there may be more to read until a read says otherwise.
    pub(crate) readable: bool,
}

impl UdpPort {
    /// Bind the wildcard address of a family; `share` is false for the first socket of a port.
    pub(crate) fn bind_media(ipv6: bool, port: u16, share: bool) -> io::Result<Self> {
        let socket = new_socket(ipv6)?;
        if share {
            set_socket_reuseport(&socket, true)?;
        }
        let wildcard: IpAddr = if ipv6 {
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        };
        socket.bind(&SocketAddr::new(wildcard, port).into())?;
        if !share {
            set_socket_reuseport(&socket, true)?;
        }
        enlarge_buffers(&socket);
        Self::new(socket)
    }

    /// A socket of its own for sending only, on a port the kernel picks.
    pub(crate) fn bind_sender(address: IpAddr) -> io::Result<Self> {
        let socket = new_socket(address.is_ipv6())?;
        socket.bind(&SocketAddr::new(address, 0).into())?;
        // Nothing is ever read from it; do not let strangers' datagrams take up memory.
        socket.set_recv_buffer_size(0)?;
        Self::new(socket)
    }

    fn new(socket: Socket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        let local = socket
            .local_addr()?
            .as_socket()
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            socket: mio::net::UdpSocket::from_std(socket.into()),
            gso: state.max_gso_segments() > 1,
            state,
            port: local.port(),
            wildcard: local.ip(),
            readable: false,
        })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Receive one batch into `buffers`; how many of its `metas` are filled. Zero: nothing there.
    pub(crate) fn receive(
        &mut self,
        buffers: &mut ReceiveBuffers,
        counters: &mut Counters,
    ) -> usize {
        let mut slices = buffers.data.each_mut().map(|data| IoSliceMut::new(data));
        match self
            .state
            .recv((&self.socket).into(), &mut slices, &mut buffers.metas)
        {
            Ok(count) => {
                counters.receive_calls += 1;
                count
            }
            Err(error) => {
                self.readable = false;
                if error.kind() != io::ErrorKind::WouldBlock {
                    counters.receive_errors += 1;
                    tracing::debug!(%error, "cannot receive");
                }
                0
            }
        }
    }

    /// The local address of a received datagram.
    pub(crate) fn destination(&self, meta: &RecvMeta) -> SocketAddr {
        SocketAddr::new(meta.dst_ip.unwrap_or(self.wildcard), self.port)
    }

    /// Send `contents` as datagrams of `segment` bytes each (the last may be shorter).
    pub(crate) fn send(&mut self, run: &Run<'_>, counters: &mut Counters) {
        if self.gso && run.contents.len() > run.segment {
            match self.try_send(run, run.contents, Some(run.segment)) {
                Ok(()) => return count_sent(run.contents.len(), run.datagrams(), counters),
                Err(error) if is_full(&error) => {
                    counters.send_calls += 1;
                    counters.send_buffer_full += run.datagrams();
                    return;
                }
                Err(error) => {
                    counters.send_calls += 1;
                    counters.gso_refused += 1;
                    if Errno::from_io_error(&error) == Some(Errno::IO) {
                        tracing::warn!(%error, "no segmentation offload on this machine");
                        self.gso = false;
                    }
                }
            }
        }
        for datagram in run.contents.chunks(run.segment) {
            match self.try_send(run, datagram, None) {
                Ok(()) => count_sent(datagram.len(), 1, counters),
                Err(error) => {
                    counters.send_calls += 1;
                    if is_full(&error) {
                        counters.send_buffer_full += 1;
                    } else {
                        counters.send_errors += 1;
                        tracing::debug!(%error, destination = %run.destination, "cannot send");
                    }
                }
            }
        }
    }

    fn try_send(&self, run: &Run<'_>, contents: &[u8], segment: Option<usize>) -> io::Result<()> {
        let transmit = Transmit {
            destination: run.destination,
            ecn: None,
            contents,
            segment_size: segment,
            src_ip: run.source,
        };
        self.state.try_send((&self.socket).into(), &transmit)
    }
}

/// Datagrams of one size from one address to one other.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) source: Option<IpAddr>,
    pub(crate) destination: SocketAddr,
    pub(crate) contents: &'a [u8],
    pub(crate) segment: usize,
}

impl Run<'_> {
    const fn datagrams(&self) -> u64 {
        self.contents.len().div_ceil(self.segment) as u64
    }
}

/// Buffers for one receive call; one set per media thread.
pub(crate) struct ReceiveBuffers {
    pub(crate) data: [Box<[u8]>; RECEIVE_BATCH],
    pub(crate) metas: [RecvMeta; RECEIVE_BATCH],
}

impl ReceiveBuffers {
    pub(crate) fn new() -> Self {
        Self {
            data: std::array::from_fn(|_| vec![0; GRO_BUFFER].into_boxed_slice()),
            metas: [RecvMeta::default(); RECEIVE_BATCH],
        }
    }
}

fn count_sent(bytes: usize, datagrams: u64, counters: &mut Counters) {
    counters.send_calls += 1;
    counters.datagrams_sent += datagrams;
    counters.bytes_sent += bytes as u64;
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || Errno::from_io_error(error) == Some(Errno::NOBUFS)
}

fn new_socket(ipv6: bool) -> io::Result<Socket> {
    let domain = if ipv6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if ipv6 {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A key frame to many subscribers must not overflow the buffers. What the kernel grants beyond
/// its own limit depends on our privileges, so failure is no error.
fn enlarge_buffers(socket: &Socket) {
    if sockopt::set_socket_recv_buffer_size_force(socket, SOCKET_BUFFER).is_err() {
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    }
    if sockopt::set_socket_send_buffer_size_force(socket, SOCKET_BUFFER).is_err() {
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    }
}

/// Receive buffers per call. GRO packs up to 64 datagrams into each.
pub(crate) const RECEIVE_BATCH: usize = 8;
const GRO_BUFFER: usize = 65_536;
const SOCKET_BUFFER: usize = 4 << 20;
