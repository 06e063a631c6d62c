//! Layers: what a publisher sends (`encodings`), what a packet says of itself (`facts` and the
//! formats it reads), and which packets a subscriber gets (`selector`).
//!
//! A publisher's *spatial layers* are its simulcast encodings where it sends several (one SSRC
//! each), else the spatial layers inside its one stream (SVC). *Temporal layers* are always
//! inside a stream. A *target* is a layer with all it needs; a frame is *part of* a target.

mod dependency_descriptor;
#[cfg(test)]
mod descriptor_vectors;
mod encodings;
mod facts;
mod filter;
pub(crate) mod h264;
#[cfg(test)]
mod oracle;
mod selector;
mod svc;
mod temporal;

pub(crate) use encodings::{Arrival, Encoding, Encodings};
#[allow(unused_imports)] // for the allocator
pub(crate) use encodings::{LayerRate, least_temporal};
pub(crate) use facts::{Facts, Head};
pub(crate) use selector::{Admission, Change, Selector};
pub(crate) use svc::Vp9 as Vp9Numbers;
pub(crate) use temporal::Vp8 as Vp8Numbers;
