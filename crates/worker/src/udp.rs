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

    /// A socket of its own in both directions, on a port the kernel picks.
    pub(crate) fn bind_own(address: IpAddr) -> io::Result<Self> {
        let socket = new_socket(address.is_ipv6())?;
        socket.bind(&SocketAddr::new(address, 0).into())?;
        enlarge_buffers(&socket);
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
pub(crate) const RECEIVE_BATCH: usize = 16;
const GRO_BUFFER: usize = 65_536;
const SOCKET_BUFFER: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn counters() -> Counters {
        Counters::default()
    }

    /// Receive until `datagrams` have come, or nothing more does.
    fn receive_all(port: &mut UdpPort, datagrams: usize) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        let mut buffers = ReceiveBuffers::new();
        let mut all = Vec::new();
        while all.len() < datagrams {
            let count = port.receive(&mut buffers, &mut counters());
            assert!(count > 0, "{} of {datagrams} arrived", all.len());
            for (meta, data) in buffers.metas.iter().zip(&buffers.data).take(count) {
                let destination = port.destination(meta);
                for datagram in data[..meta.len].chunks(meta.stride) {
                    all.push((meta.addr, destination, datagram.to_vec()));
                }
            }
        }
        all
    }

    fn at(ip: &str, port: &UdpPort) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), port.port())
    }

    #[test]
    fn a_run_leaves_in_one_call_and_arrives_as_its_datagrams() {
        let mut sender = UdpPort::bind_media(false, 0, false).unwrap();
        let mut receiver = UdpPort::bind_media(false, 0, false).unwrap();
        let contents: Vec<u8> = (0..10_000_u32).map(|n| n as u8).collect();
        let run = Run {
            source: None,
            destination: at("127.0.0.1", &receiver),
            contents: &contents,
            segment: 1200,
        };
        let mut sent = counters();
        sender.send(&run, &mut sent);
        assert_eq!(
            (sent.datagrams_sent, sent.send_calls, sent.bytes_sent),
            (9, 1, 10_000)
        );
        let arrived = receive_all(&mut receiver, 9);
        assert_eq!(
            arrived
                .iter()
                .map(|(.., data)| data.len())
                .collect::<Vec<_>>(),
            [&[1200; 8][..], &[400]].concat()
        );
        assert_eq!(
            arrived
                .into_iter()
                .flat_map(|(.., data)| data)
                .collect::<Vec<_>>(),
            contents
        );
    }

    #[test]
    fn without_segmentation_offload_the_datagrams_leave_one_by_one() {
        let mut sender = UdpPort::bind_media(false, 0, false).unwrap();
        sender.gso = false;
        let mut receiver = UdpPort::bind_media(false, 0, false).unwrap();
        let destination = at("127.0.0.1", &receiver);
        let mut sent = counters();
        sender.send(
            &Run {
                source: None,
                destination,
                contents: &[5; 1000],
                segment: 300,
            },
            &mut sent,
        );
        assert_eq!((sent.datagrams_sent, sent.send_calls), (4, 4));
        assert_eq!(receive_all(&mut receiver, 4).len(), 4);
    }

    #[test]
    fn a_reply_leaves_from_the_address_at_which_the_datagram_arrived() {
        let mut server = UdpPort::bind_media(false, 0, false).unwrap();
        let mut client = UdpPort::bind_media(false, 0, false).unwrap();
        let destination = at("127.0.0.2", &server);
        let hello = Run {
            source: None,
            destination,
            contents: b"hello",
            segment: 5,
        };
        client.send(&hello, &mut counters());
        let (source, arrived_at, _) = receive_all(&mut server, 1).remove(0);
        assert_eq!(arrived_at, destination);
        let reply = Run {
            source: Some(arrived_at.ip()),
            destination: source,
            contents: b"hi",
            segment: 2,
        };
        server.send(&reply, &mut counters());
        assert_eq!(receive_all(&mut client, 1)[0].0, destination);
    }

    #[test]
    fn one_unreachable_peer_does_not_cost_the_others_their_batching() {
        let mut sender = UdpPort::bind_media(false, 0, false).unwrap();
        let mut receiver = UdpPort::bind_media(false, 0, false).unwrap();
        let destination = at("127.0.0.1", &receiver);
        let mut sent = counters();
        // No interface of ours: the kernel refuses, with the very error of a GSO refusal.
        let wrong = Some("203.0.113.77".parse().unwrap());
        sender.send(
            &Run {
                source: wrong,
                destination,
                contents: &[1; 2400],
                segment: 1200,
            },
            &mut sent,
        );
        assert_eq!(
            (sent.datagrams_sent, sent.gso_refused, sent.send_errors),
            (0, 1, 2)
        );
        let mut sent = counters();
        sender.send(
            &Run {
                source: None,
                destination,
                contents: &[1; 2400],
                segment: 1200,
            },
            &mut sent,
        );
        assert_eq!((sent.datagrams_sent, sent.send_calls), (2, 1));
        assert_eq!(receive_all(&mut receiver, 2).len(), 2);
    }

    #[test]
    fn an_empty_socket_says_so_and_is_no_longer_readable() {
        let mut port = UdpPort::bind_media(false, 0, false).unwrap();
        port.readable = true;
        let mut counted = counters();
        assert_eq!(port.receive(&mut ReceiveBuffers::new(), &mut counted), 0);
        assert!(!port.readable);
        assert_eq!(counted.receive_errors, 0);
    }

    #[test]
    fn threads_share_a_port_but_programs_do_not() {
        let first = UdpPort::bind_media(false, 0, false).unwrap();
        let _sibling = UdpPort::bind_media(false, first.port(), true).unwrap();
        let stranger = UdpPort::bind_media(false, first.port(), false);
        assert_eq!(stranger.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
