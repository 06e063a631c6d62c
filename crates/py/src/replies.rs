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
    ParametersReply {
        ufrag: String,
        password: String,
        candidates: Vec<(String, u16, &'static str)>,
        fingerprint: String,
    }
}

value_class! {
    AttachedReply {
        mid: String,
    }
}

value_class! {
    BoundReply {
        local: (String, u16),
        rtcp_local: Option<(String, u16)>,
    }
}

value_class! {
    ConsumedReply {
        ssrc: u32,
    }
}

value_class! {
    StatsReply {
        values: Py<PyDict>,
    }
}

value_class! {
    Decision {
        at: f64,
        what: &'static str,
        facts: Py<PyDict>,
    }
}

value_class! {
    JournalReply {
        decisions: Vec<Py<Decision>>,
    }
}

/// Names and their values.
pub(crate) fn facts(
    py: Python<'_>,
    values: Vec<(&'static str, StatValue)>,
) -> PyResult<Py<PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in values {
        match value {
            StatValue::Int(value) => dict.set_item(name, value)?,
            StatValue::Float(value) => dict.set_item(name, value)?,
            StatValue::Text(value) => dict.set_item(name, value)?,
        }
    }
    Ok(dict.unbind())
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
        Reply::Parameters {
            ufrag,
            password,
            candidates,
            fingerprint,
        } => {
            let candidates = candidates.into_iter().map(|(at, is_tcp)| {
                let protocol = if is_tcp { "tcp" } else { "udp" };
                (at.ip().to_string(), at.port(), protocol)
            });
            ParametersReply {
                ufrag,
                password,
                candidates: candidates.collect(),
                fingerprint,
            }
            .into_py_any(py)
        }
        Reply::Attached { mid } => AttachedReply { mid }.into_py_any(py),
        Reply::Bound { local, rtcp_local } => BoundReply {
            local: convert::host_and_port(local),
            rtcp_local: rtcp_local.map(convert::host_and_port),
        }
        .into_py_any(py),
        Reply::Consumed { ssrc } => ConsumedReply { ssrc }.into_py_any(py),
        Reply::Stats(stats) => StatsReply {
            values: facts(py, stats)?,
        }
        .into_py_any(py),
        Reply::Journal(journal) => {
            let decisions = journal.into_iter().map(|told| {
                let (at, what) = (told.at, told.what);
                let facts = facts(py, told.facts)?;
                Py::new(py, Decision { at, what, facts })
            });
            JournalReply {
                decisions: decisions.collect::<PyResult<_>>()?,
            }
            .into_py_any(py)
        }
    }
}
