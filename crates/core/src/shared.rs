//! The only two things that are shared by reference count, because str0m takes them so.
#![allow(clippy::disallowed_types)] // named here once, so that no other `Arc` slips in

use std::sync::Arc;

use str0m::config::CryptoProvider;

/// The payload of a packet: one copy for all subscribers and their retransmission caches.
pub(crate) type Payload = Arc<[u8]>;
/// The crypto provider of all sessions.
pub(crate) type Provider = Arc<CryptoProvider>;
