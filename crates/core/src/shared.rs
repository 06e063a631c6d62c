//! What is shared by reference count: str0m takes it so, or a packet has many subscribers.
#![allow(clippy::disallowed_types)] // named here once, so that no other `Arc` slips in

use std::sync::Arc;

use str0m::config::CryptoProvider;

/// The payload of a packet: one copy for all subscribers and their retransmission caches.
pub(crate) type Payload = Arc<[u8]>;
/// What all subscribers of a packet have in common.
pub(crate) type Shared<T> = Arc<T>;
/// The crypto provider of all sessions.
pub(crate) type Provider = Arc<CryptoProvider>;
