//! What others put before a media thread: commands from above; datagrams, steering advice and
//! relayed tracks from its siblings. All bounded; the thread is woken by its [`Bell`].

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};

use crossbeam_queue::ArrayQueue;
use headwater_core::command::Command;
use headwater_core::ids::RequestId;

use crate::outbox::Outbox;
use crate::relay::RelayRing;
use crate::signal::Bell;

/// Datagrams of one source that arrived at another thread's socket, one after the other.
#[derive(Debug)]
pub(crate) struct HandedOver {
    /// Where they came from.
    pub(crate) source: SocketAddr,
    /// The local address at which they arrived.
    pub(crate) destination: SocketAddr,
    /// Their bytes.
    pub(crate) contents: Box<[u8]>,
    /// The size of each; the last may be shorter.
    pub(crate) stride: usize,
    /// The thread at which they arrived.
    pub(crate) from: u16,
    /// Whether that thread's steering table already named us.
    pub(crate) steered: bool,
}

/// An owner's word to the thread at which a datagram arrived.
#[derive(Debug)]
pub(crate) struct Advice {
    /// Whose datagrams.
    pub(crate) source: SocketAddr,
    /// Whose they are; `None`: not mine (any more).
    pub(crate) owner: Option<u16>,
}

/// What a media thread is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// For the core.
    Command(RequestId, Command),
    /// Panic outside of any session, to test that the thread survives it.
    #[cfg(test)]
    Panic,
}

/// One media thread's letter box. Shared by all threads and the Worker; the only thing that is.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) orders: ArrayQueue<Order>,
    pub(crate) datagrams: ArrayQueue<HandedOver>,
    pub(crate) advice: ArrayQueue<Advice>,
    pub(crate) relay: RelayRing,
    /// Accepted TCP connections that begin with a STUN check.
    pub(crate) connections: ArrayQueue<OwnedFd>,
    pub(crate) bell: Bell,
    pub(crate) stop: AtomicBool,
    pub(crate) outbox: Outbox,
    /// Commands whose reply has not been drained; bounds both queues.
    pub(crate) in_flight: AtomicUsize,
    /// Routers that exist or are being made.
    pub(crate) routers: AtomicU32,
    /// Transports that exist or are being made.
    pub(crate) transports: AtomicU32,
    /// How much of a core it used lately, per mille.
    pub(crate) busy: AtomicU32,
    /// Counters as last published. Locked for the copy only, and never waited for by the thread.
    pub(crate) counters: Mutex<Vec<(&'static str, u64)>>,
}

impl Inbox {
    pub(crate) fn new(bell: Bell) -> Self {
        Self {
            orders: ArrayQueue::new(MAX_IN_FLIGHT),
            datagrams: ArrayQueue::new(HANDOVER_RING),
            advice: ArrayQueue::new(ADVICE_RING),
            relay: RelayRing::new(),
            connections: ArrayQueue::new(CONNECTION_RING),
            bell,
            stop: AtomicBool::new(false),
            outbox: Outbox::new(),
            in_flight: AtomicUsize::new(0),
            routers: AtomicU32::new(0),
            transports: AtomicU32::new(0),
            busy: AtomicU32::new(0),
            counters: Mutex::new(Vec::new()),
        }
    }
}

/// Commands per media thread that may wait for execution or for their reply to be read.
pub(crate) const MAX_IN_FLIGHT: usize = 8_192;
/// Letters of one datagram to 64 KB; a burst of 9 is about 11 KB.
const HANDOVER_RING: usize = 1_024;
const ADVICE_RING: usize = 1_024;
const CONNECTION_RING: usize = 256;
