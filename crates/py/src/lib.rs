//! `headwater._core._native`: translates between Python and `headwater-worker`, and decides nothing.
//!
//! - No Python object ever reaches a media thread: commands are made of Rust values, events become
//!   Python objects while they are drained, on the thread that drains.
//! - What may wait (opening and closing a Worker) releases the GIL.
//! - The stub `_native.pyi` is the reference; `tests/seam` checks that it tells the truth.
#![allow(missing_docs)] // every name is documented in the stub, where its reader looks

use pyo3::prelude::*;
use pyo3::types::PyDict;

mod convert;
mod errors;
mod events;
mod replay;
mod replies;
mod values;
mod worker;

/// What the binary was built from.
#[pyfunction]
fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("str0m", env!("HEADWATER_STR0M"))?;
    info.set_item("profile", env!("HEADWATER_PROFILE"))?;
    info.set_item("source_hash", env!("HEADWATER_SOURCE_HASH"))?;
    Ok(info)
}

#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::build_info;
    #[pymodule_export]
    use crate::errors::error_samples;
    #[pymodule_export]
    use crate::events::{
        ActiveSpeaker, AudioLevels, Closed, ConnectionQuality, ConnectionStateChanged,
        DataChannelOpened, DataMessage, Failed, LayerChanged, LayersWanted, NegotiationNeeded,
        Paused, PeerFound, PublisherActive, Replied, SlotChanged,
    };
    #[pymodule_export]
    use crate::replay::{ReplayReport, ReplayStep, replay_record};
    #[pymodule_export]
    use crate::replies::{
        AnswerReply, AttachedReply, BoundReply, ConsumedReply, Decision, JournalReply, OfferReply,
        ParametersReply, PublishedReply, StatsReply,
    };
    #[pymodule_export]
    use crate::values::{Codec, Track};
    #[pymodule_export]
    use crate::worker::Worker;
}
