//! UDP sockets as the generator and the floor use them: readiness by mio, offloads by quinn-udp.
//!
//! Receive offload (GRO) is off unless asked for. On loopback a GSO send to a socket with GRO
//! crosses the whole kernel as one buffer, which no network does: the sender would be billed for
//! one packet instead of nine. Without GRO the kernel cuts the buffer up on the sender's account,
//! as it does in front of a network card without segmentation offload.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;

use quinn_udp::{Transmit, UdpSocketState};

/// A non-blocking UDP socket on loopback.
pub(crate) struct Socket {
    /// The socket, to be registered with a poll.
    pub(crate) io: mio::net::UdpSocket,
    /// Where it is bound.
    pub(crate) address: SocketAddr,
    state: UdpSocketState,
}

impl Socket {
    /// Bind an ephemeral port on 127.0.0.1.
    pub(crate) fn bind(gro: bool) -> io::Result<Self> {
        let io = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let state = UdpSocketState::new((&io).into())?;
        if !gro {
            disable_gro(&io)?;
        }
        // A frame for each of hundreds of sockets arrives at once while one thread reads them all.
        let _ = socket2::SockRef::from(&io).set_recv_buffer_size(RECEIVE_BUFFER);
        let address = io.local_addr()?;
        Ok(Self {
            io: mio::net::UdpSocket::from_std(io),
            address,
            state,
        })
    }

    /// Send one datagram, or several of `segment` bytes (the last may be shorter) in one call.
    pub(crate) fn send(
        &self,
        destination: SocketAddr,
        contents: &[u8],
        segment: Option<usize>,
    ) -> io::Result<()> {
        let transmit = Transmit {
            destination,
            ecn: None,
            contents,
            segment_size: segment,
            src_ip: None,
        };
        self.state.try_send((&self.io).into(), &transmit)
    }

    /// Receive a batch: datagrams of `meta[i].stride` bytes in the first `meta[i].len` of `buffers[i]`.
    pub(crate) fn receive(
        &self,
        buffers: &mut [io::IoSliceMut<'_>],
        meta: &mut [quinn_udp::RecvMeta],
    ) -> io::Result<usize> {
        self.state.recv((&self.io).into(), buffers, meta)
    }
}

fn disable_gro(io: &std::net::UdpSocket) -> io::Result<()> {
    let off: libc::c_int = 0;
    // SAFETY: the descriptor is open for the whole call, and the option value is a c_int whose
    // address and size are passed.
    let result = unsafe {
        libc::setsockopt(
            io.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_GRO,
            (&raw const off).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

const RECEIVE_BUFFER: usize = 1 << 20;
