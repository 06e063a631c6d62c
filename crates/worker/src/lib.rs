//! The threads, sockets and clock around `headwater-core`.
//!
//! A [`Worker`] owns N media threads. Each is a single-owner loop around one `Sfu`: it shares no
//! state with the others, only values in bounded queues.
//!
//! ```text
//!   callers ── Worker::send ──► Inbox.commands ─┐                     ┌─► Outbox ── Worker::drain ──► caller
//!                                               ▼                     │     (one eventfd for all threads)
//!   UDP port ── SO_REUSEPORT ─► receive ──► media thread n: Sfu ──► drain ─► send batch ──► UDP port
//!                                  │            ▲
//!                                  └─ not ours ─┴─ Inbox.datagrams of the thread that owns the session
//! ```
//!
//! One file per noun; `media_thread.rs` is the loop and the place to start reading, `receive.rs` how
//! a datagram finds its session.
#![forbid(unsafe_code)]

mod counters;
mod exit;
mod inbox;
mod interfaces;
mod ledger;
mod media_thread;
mod outbox;
mod plain;
mod receive;
mod recording;
mod relay;
mod send_batch;
mod signal;
mod steering;
mod tape;
mod tcp;
mod udp;
mod worker;

pub use tape::{RecordConfig, play};
pub use worker::{AdoptError, Load, OpenError, SendError, Worker, WorkerConfig};
