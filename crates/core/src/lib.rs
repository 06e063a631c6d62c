//! Sans-IO selective forwarding unit: no socket, no thread, no clock.
//!
//! One [`Sfu`] is all that one media thread knows. Feed it with [`Sfu::route`] + [`Sfu::receive`],
//! [`Sfu::command`] and [`Sfu::timeout`]; then [`Sfu::drain`] it into a [`sink::Sink`], which says
//! when to call `timeout` next.
//!
//! The path of a packet:
//!
//! ```text
//! route            demux       whose is it? (ufrag, else verified source address)
//! receive          sfu         integrity, replay; str0m opens it   (transport/webrtc, tcp)
//!                  publisher   which encoding, is it a key frame?  (layers, keyframe)
//!                  router      for each subscriber:
//!                  subscriber    gate, codec, numbers               (codec, rewrite)
//!                  egress        queue
//! drain            drain       each dirty session once:
//!                  egress        header, payload, seal, in the worker's buffer  (sink, srtp)
//! ```
//!
//! Beside it: `negotiation` (SDP through `sdp_in` and `sdp_out`), `datachannel`,
//! `transport/recording`, `plain` (RTP without WebRTC), `relay` (tracks of other media threads),
//! `gate` (pauses, key-frame requests) and `closing` (who closes whom).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

pub mod bandwidth;
pub mod command;
pub mod error;
pub mod event;
#[doc(hidden)]
pub mod fuzzing;
pub mod ids;
pub mod journal;
pub mod layer;
pub mod record;
pub mod rtcp;
pub mod sink;
pub mod srtp;

mod allocation;
mod allocator;
mod client_hello;
mod closing;
mod codec;
mod commands;
mod crypto;
mod datachannel;
mod demux;
mod drain;
mod egress;
mod extension;
mod gate;
mod handles;
mod heartbeat;
mod keyframe;
mod layers;
mod liveness;
mod negotiation;
mod ntp;
mod packet;
mod parameters;
mod plain;
mod publisher;
mod quality;
mod random;
pub mod relay;
mod rewrite;
mod router;
mod sdp_in;
mod sdp_out;
mod sfu;
mod shared;
mod slots;
mod speakers;
mod stats;
mod subscriber;
mod tcp;
mod timer;
mod transport;
mod wanted;

use event::Event;
use ids::{TcpId, TransportId};
use relay::RelayMessage;

pub use demux::thread_of_check;
pub use sfu::Sfu;
pub use tcp::Verdict;

/// What the core needs from outside: it has no clock, no randomness and no addresses of its own.
#[derive(Clone, Debug)]
pub struct SfuConfig {
    /// Number of the media thread that owns this instance; the prefix of its ICE ufrags.
    pub thread: u16,
    /// Host candidates to advertise.
    pub candidates: Vec<SocketAddr>,
    /// Of these, the ones on whose port we also listen for TCP (RFC 6544, passive).
    pub tcp_candidates: Vec<SocketAddr>,
    /// Seed of everything that must be unguessable (ICE credentials, SSRCs).
    pub seed: [u8; 32],
    /// The same moment on the monotonic and on the wall clock, for RTCP sender reports.
    pub epoch: (Instant, SystemTime),
    /// Clients that ask for a heartbeat get one.
    pub heartbeats: bool,
}

/// Names a session inside one `Sfu` between `route` and `receive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionKey(pub(crate) usize);

/// To whom a datagram belongs, decided before any session parses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A session of this instance (known source address, or a STUN check with its ufrag).
    Session(SessionKey),
    /// A STUN check whose ufrag names another media thread.
    Thread(u16),
    /// Nobody's: drop it silently and count it.
    Unknown,
}

/// A datagram to send.
#[derive(Debug)]
pub struct Transmit {
    /// Which socket.
    pub socket: Socket,
    /// The local address it must leave from, where one is known.
    pub source: Option<SocketAddr>,
    /// Where to.
    pub destination: SocketAddr,
    /// The bytes.
    pub contents: Vec<u8>,
}

/// The sockets a media thread has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Socket {
    /// The one UDP port.
    Media,
    /// A TCP connection; each datagram is one frame (RFC 4571).
    Tcp(TcpId),
    /// A plain transport's own socket for RTP; opened by the worker at `CreatePlainTransport`,
    /// closed when the transport's `Closed` event passes.
    Plain(TransportId),
    /// Its socket for RTCP, where that has a port of its own.
    PlainRtcp(TransportId),
    /// A recording transport's own socket; opened by the worker at `CreateRecordingTransport`,
    /// closed when the transport's `Closed` event passes.
    Recording(TransportId),
}

/// What the core wants done, media packets excepted (see [`sink::Sink`]).
#[derive(Debug)]
pub enum Output {
    /// Send this.
    Transmit(Transmit),
    /// Close this TCP connection when what was sent on it has left.
    HangUp(TcpId),
    /// Tell Python.
    Event(Event),
    /// Hand this to [`Sfu::relay`] of another media thread, in order.
    Relay {
        /// Which.
        thread: u16,
        /// What.
        message: RelayMessage,
    },
}
