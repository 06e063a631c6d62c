//! The network, the clock and the peers around [`headwater_core::Sfu`], all of them virtual.
//!
//! A [`World`] holds one Sfu, any number of scripted [`Peer`]s (each a str0m client) and a seeded
//! [`Network`] between them. Nothing here reads a clock or opens a socket: time jumps from one
//! event to the next, so minutes of a call take milliseconds, and the impairments of a seed are
//! the same every time. (ICE and DTLS inside str0m draw their own random numbers, so packet
//! *contents* differ between runs; order, loss and delay do not.)
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod descriptor;
pub mod fuzz;
mod gathered;
mod keys;
pub mod lab;
mod link;
mod media;
mod nap;
mod network;
mod peer;
mod threads;
mod viewer;
mod world;

pub use link::{Direction, Link};
pub use media::{Vp8Descriptor, vp8_payload};
pub use network::{Network, SERVER};
pub use peer::{Estimate, Outgoing, Peer, Received};
pub use threads::Threads;
pub use world::World;
