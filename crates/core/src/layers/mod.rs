//! Layer selection: which encoding of a publisher goes out.
//!
//! Today one strategy: the largest simulcast encoding that is alive, the same for all
//! subscribers. Per-subscriber selection joins this room as a strategy of its own.

mod simulcast;

pub(crate) use simulcast::Largest;
