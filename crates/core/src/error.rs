//! What can go wrong with a command, and who erred.

/// Why a command failed. `Invalid*` and `Unsupported*` are the remote's doing (bad SDP, a codec we
/// do not carry); the rest is misuse by the caller or a race with a close.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The object was closed, or never existed.
    #[error("{what} is closed or unknown")]
    NotFound {
        /// The kind of object, as in the vocabulary table.
        what: &'static str,
    },
    /// The command would make an object under a handle that another has.
    #[error("the handle is in use")]
    HandleInUse,
    /// The call does not fit this kind of transport.
    #[error("{0}")]
    WrongTransport(&'static str),
    /// The SDP cannot be parsed or contradicts an earlier one.
    #[error("invalid SDP: {0}")]
    InvalidSdp(String),
    /// The candidate line cannot be parsed.
    #[error("invalid ICE candidate: {0}")]
    InvalidCandidate(String),
    /// An offer is open and must be answered first.
    #[error("an offer is still open; answer it first")]
    NegotiationPending,
    /// An answer came without an open offer.
    #[error("no offer is open, so there is nothing to answer")]
    NoOffer,
    /// No track with that mid was offered, or it already has a publisher.
    #[error("no unpublished track {0:?} on this transport")]
    TrackNotFound(String),
    /// No data channel m-line or no such label on this transport.
    #[error("no data channel {0:?} on this transport")]
    DataChannelNotFound(String),
    /// The subscriber's side did not negotiate the publisher's codec.
    #[error("the remote does not support {0}")]
    UnsupportedCodec(String),
    /// A configured bound was reached.
    #[error("{what} limit of {limit} reached")]
    Limit {
        /// What is bounded.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// The message does not fit the data channel's buffer.
    #[error("data channel buffer is full ({0} bytes queued)")]
    BufferFull(usize),
    /// The object is past this, or not there yet.
    #[error("{0}")]
    InvalidState(&'static str),
    /// A value makes no sense.
    #[error("{0}")]
    InvalidParameters(&'static str),
    /// A socket operation failed (recording and plain transports only).
    #[error("socket: {0}")]
    Socket(String),
}
