//! Playing a record of decisions.

use headwater_core::ids::ObjectId;
use headwater_core::record::replay;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::replies;
use crate::values::value_class;

value_class! {
    ReplayStep {
        thread: u16,
        at: f64,
        kind: &'static str,
        handle: u64,
        what: &'static str,
        facts: Py<PyDict>,
    }
}

value_class! {
    ReplayReport {
        steps: Vec<Py<ReplayStep>>,
        inputs: u64,
        cut: Vec<u16>,
        difference: Option<String>,
    }
}

/// Take the decisions of a record again.
#[pyfunction]
pub(crate) fn replay_record(py: Python<'_>, record: &[u8]) -> PyResult<ReplayReport> {
    let played = py.detach(|| headwater_worker::play(record));
    let played = played.map_err(|error| PyValueError::new_err(error.to_string()))?;
    let step = |step: replay::Step| {
        Py::new(
            py,
            ReplayStep {
                thread: step.thread,
                at: step.at.as_secs_f64(),
                kind: kind(step.owner),
                handle: step.owner.handle(),
                what: step.what,
                facts: replies::facts(py, step.facts)?,
            },
        )
    };
    Ok(ReplayReport {
        steps: (played.steps.into_iter().map(step)).collect::<PyResult<_>>()?,
        inputs: played.inputs,
        cut: played.cut,
        difference: played.difference,
    })
}

const fn kind(owner: ObjectId) -> &'static str {
    match owner {
        ObjectId::Transport(_) => "transport",
        ObjectId::Publisher(_) => "publisher",
        ObjectId::Router(_) => "router",
        _ => "subscriber",
    }
}
