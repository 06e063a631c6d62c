//! Which Python exception a failure becomes. The classes live in `headwater/errors.py`; a misspelt
//! name here fails only when it is raised, so `tests/seam/test_errors.py` raises each one.

use headwater_core::error::Error;
use headwater_worker::{OpenError, SendError};
use pyo3::PyErr;
use pyo3::exceptions::PyOSError;

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
        Error::NegotiationPending => InvalidState::new_err(text),
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

