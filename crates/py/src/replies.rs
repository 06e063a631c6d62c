//! What a command can be answered with.

use headwater_core::event::{Reply, StatValue};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert;
use crate::values::{Codec, Track, value_class};

value_class! {
    AnswerReply {
        sdp: String,
        tracks: Vec<Py<Track>>,
    }
}

value_class! {
    OfferReply {
        sdp: String,
        mids: Vec<(String, u64)>,
    }
}

value_class! {
    PublishedReply {
        kind: &'static str,
        codec: Py<Codec>,
    }
}

value_class! {
    AttachedReply {
        mid: String,
    }
}

value_class! {
    StatsReply {
        values: Py<PyDict>,
    }
}

/// The Python value of a reply; `None` where there is nothing to say.
pub(crate) fn reply(py: Python<'_>, reply: Reply) -> PyResult<Py<PyAny>> {
    match reply {
        Reply::Done => Ok(py.None()),
        Reply::Answer { sdp, tracks } => {
            let tracks = tracks
                .into_iter()
                .map(|track| Py::new(py, convert::track(track)));
            AnswerReply {
                sdp,
                tracks: tracks.collect::<PyResult<_>>()?,
            }
            .into_py_any(py)
        }
        Reply::Offer { sdp, mids } => {
            let mids = mids
                .into_iter()
                .map(|mapping| (mapping.mid, mapping.subscriber.0))
                .collect();
            OfferReply { sdp, mids }.into_py_any(py)
        }
        Reply::Published { kind, codec } => {
            let codec = Py::new(py, convert::codec(codec))?;
            PublishedReply {
                kind: convert::track_kind(kind),
                codec,
            }
            .into_py_any(py)
        }
        Reply::Attached { mid } => AttachedReply { mid }.into_py_any(py),
        Reply::Stats(stats) => {
            let values = PyDict::new(py);
            for (name, value) in stats {
                match value {
                    StatValue::Int(value) => values.set_item(name, value)?,
                    StatValue::Float(value) => values.set_item(name, value)?,
                    StatValue::Text(value) => values.set_item(name, value)?,
                }
            }
            StatsReply {
                values: values.unbind(),
            }
            .into_py_any(py)
        }
    }
}
