//! Transports: one connection each. A closed enum, so that one `match` shows all kinds.

use crate::ids::{RouterId, TransportId};

pub(crate) mod path;
pub(crate) mod plain;
pub(crate) mod reception;
pub(crate) mod recording;
pub(crate) mod remb;
pub(crate) mod webrtc;

use recording::RecordingTransport;

/// One connection.
pub(crate) enum Transport {
    /// A WebRTC session: publish or subscribe. The number is its place among the sessions.
    WebRtc(usize),
    /// Plain RTP to an address.
    Recording(RecordingTransport),
    /// Plain RTP or SRTP in both directions. The number is its place among the plain transports.
    Plain(usize),
}

/// What every transport has.
#[derive(Clone, Copy)]
pub(crate) struct Belongs {
    pub(crate) transport: TransportId,
    pub(crate) router: RouterId,
}
