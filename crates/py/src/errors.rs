//! Which Python exception a failure becomes. The classes live in `headwater/errors.py`; a misspelt
//! name here fails only when it is raised, so `tests/seam/test_errors.py` raises each one.

use headwater_core::error::Error;
use headwater_worker::{OpenError, SendError};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

macro_rules! import {
    ($($name:ident),+ $(,)?) => {
        $(pyo3::import_exception!(headwater.errors, $name);)+
    };
}

import!(
    BufferFull,
    ConfigurationError,
    DataChannelNotFound,
    InvalidCandidate,
    InvalidSdp,
    InvalidState,
    LimitReached,
    LocalError,
    NoOffer,
    NotFound,
    PortInUse,
    PublisherNotFound,
    ResourceError,
    TrackNotFound,
    UnsupportedCodec,
    WorkerClosed,
    WrongTransport,
);

pub(crate) fn from_core(error: &Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::NotFound { what: "publisher" } => PublisherNotFound::new_err(text),
        Error::NotFound { .. } => NotFound::new_err(text),
        Error::WrongTransport(_) => WrongTransport::new_err(text),
        Error::InvalidSdp(_) => InvalidSdp::new_err(text),
        Error::InvalidCandidate(_) => InvalidCandidate::new_err(text),
        Error::HandleInUse | Error::NegotiationPending | Error::InvalidState(_) => {
            InvalidState::new_err(text)
        }
        Error::InvalidParameters(_) => ConfigurationError::new_err(text),
        Error::NoOffer => NoOffer::new_err(text),
        Error::TrackNotFound(_) => TrackNotFound::new_err(text),
        Error::DataChannelNotFound(_) => DataChannelNotFound::new_err(text),
        Error::UnsupportedCodec(_) => UnsupportedCodec::new_err(text),
        Error::Limit { .. } => LimitReached::new_err(text),
        Error::BufferFull(_) => BufferFull::new_err(text),
        Error::Socket(_) => ResourceError::new_err(text),
        // A kind that is newer than this table is at least not hidden.
        _ => LocalError::new_err(text),
    }
}

pub(crate) fn from_open(error: OpenError) -> PyErr {
    let text = error.to_string();
    match error {
        OpenError::PortInUse(_) => PortInUse::new_err(text),
        OpenError::Configuration(_) => ConfigurationError::new_err(text),
        OpenError::System { source, .. } => match source.raw_os_error() {
            Some(number) => PyOSError::new_err((number, text)),
            None => PyOSError::new_err(text),
        },
        _ => ResourceError::new_err(text),
    }
}

pub(crate) fn from_send(error: SendError) -> PyErr {
    let text = error.to_string();
    match error {
        SendError::Closed => WorkerClosed::new_err(text),
        SendError::NoSuchThread(_) => NotFound::new_err(text),
        SendError::Busy(_) => LimitReached::new_err(text),
        _ => LocalError::new_err(text),
    }
}

/// One exception per kind of failure, by the name of the Rust variant. For tests: a misspelt or
/// missing class shows here, without having to provoke each failure.
#[pyfunction]
pub(crate) fn error_samples(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let text = || "sample".to_owned();
    let core = [
        ("NotFound", Error::NotFound { what: "router" }),
        ("HandleInUse", Error::HandleInUse),
        ("WrongTransport", Error::WrongTransport("sample")),
        ("InvalidSdp", Error::InvalidSdp(text())),
        ("InvalidCandidate", Error::InvalidCandidate(text())),
        ("NegotiationPending", Error::NegotiationPending),
        ("NoOffer", Error::NoOffer),
        ("TrackNotFound", Error::TrackNotFound(text())),
        ("DataChannelNotFound", Error::DataChannelNotFound(text())),
        ("UnsupportedCodec", Error::UnsupportedCodec(text())),
        (
            "Limit",
            Error::Limit {
                what: "sample",
                limit: 1,
            },
        ),
        ("BufferFull", Error::BufferFull(1)),
        ("InvalidState", Error::InvalidState("sample")),
        ("InvalidParameters", Error::InvalidParameters("sample")),
        ("Socket", Error::Socket(text())),
    ];
    let samples = PyDict::new(py);
    for (name, error) in core {
        samples.set_item(name, from_core(&error).into_value(py))?;
    }
    let publisher = Error::NotFound { what: "publisher" };
    samples.set_item("NotFound.publisher", from_core(&publisher).into_value(py))?;
    samples.set_item(
        "PortInUse",
        from_open(OpenError::PortInUse(1)).into_value(py),
    )?;
    samples.set_item(
        "Configuration",
        from_open(OpenError::Configuration("sample")).into_value(py),
    )?;
    let system = OpenError::System {
        what: "sample",
        source: std::io::Error::from_raw_os_error(13),
    };
    samples.set_item("System", from_open(system).into_value(py))?;
    samples.set_item("Closed", from_send(SendError::Closed).into_value(py))?;
    samples.set_item(
        "NoSuchThread",
        from_send(SendError::NoSuchThread(1)).into_value(py),
    )?;
    samples.set_item("Busy", from_send(SendError::Busy(1)).into_value(py))?;
    Ok(samples)
}
