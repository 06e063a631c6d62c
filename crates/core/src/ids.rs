//! Handles of everything the core knows.
//!
//! A handle is a plain number, unique for the life of a Worker. Its top 16 bits name the media
//! thread on which the object lives, so a command finds its thread without a table. The caller
//! allocates handles ([`HandleAllocator`]); the core never invents one. The readable, unguessable
//! ids that users see (`rtr_…`, `pub_…`) live in Python and never reach the packet path.

use std::fmt;

/// Bits of a handle below the thread number.
const THREAD_SHIFT: u32 = 48;

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u64);

        impl $name {
            /// The media thread on which the object lives.
            pub const fn thread(self) -> u16 {
                (self.0 >> THREAD_SHIFT) as u16
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
    };
}

handle!(
    /// A router: publishers, subscribers and the fan-out between them.
    RouterId
);
handle!(
    /// One connection: publish, subscribe, recording or plain.
    TransportId
);
handle!(
    /// One media track in.
    PublisherId
);
handle!(
    /// One media track out.
    SubscriberId
);
handle!(
    /// One data channel in.
    DataPublisherId
);
handle!(
    /// One data channel out.
    DataSubscriberId
);
handle!(
    /// One track copied to a recording or plain transport.
    RecordingTrackId
);

/// Identifies a command; its reply carries the same number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RequestId(pub u64);

/// One TCP connection that carries a session's datagrams (RFC 4571 frames). The worker numbers
/// them and never uses a number twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TcpId(pub u64);

/// Any object that can close, for [`crate::event::Event::Closed`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ObjectId {
    /// A router.
    Router(RouterId),
    /// A transport.
    Transport(TransportId),
    /// A publisher.
    Publisher(PublisherId),
    /// A subscriber.
    Subscriber(SubscriberId),
    /// A data publisher.
    DataPublisher(DataPublisherId),
    /// A data subscriber.
    DataSubscriber(DataSubscriberId),
    /// A recording track.
    RecordingTrack(RecordingTrackId),
}

impl ObjectId {
    /// The media thread on which the object lives.
    pub const fn thread(self) -> u16 {
        (self.handle() >> THREAD_SHIFT) as u16
    }

    /// The bare handle.
    pub const fn handle(self) -> u64 {
        match self {
            Self::Router(id) => id.0,
            Self::Transport(id) => id.0,
            Self::Publisher(id) => id.0,
            Self::Subscriber(id) => id.0,
            Self::DataPublisher(id) => id.0,
            Self::DataSubscriber(id) => id.0,
            Self::RecordingTrack(id) => id.0,
        }
    }
}

/// Hands out handles. Not shared between threads: its owner is whoever sends commands.
#[derive(Debug, Default)]
pub struct HandleAllocator {
    last: u64,
}

impl HandleAllocator {
    /// The next handle for an object that lives on `thread`.
    pub const fn allocate(&mut self, thread: u16) -> u64 {
        self.last += 1;
        ((thread as u64) << THREAD_SHIFT) | self.last
    }
}
