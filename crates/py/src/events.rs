//! What a media thread tells.

use headwater_core::event::Event;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::values::{Codec, value_class};
use crate::{convert, errors, replies};

value_class! {
    Replied {
        request: u64,
        value: Py<PyAny>,
    }
}

value_class! {
    Failed {
        request: u64,
        error: Py<PyAny>,
    }
}

value_class! {
    ConnectionStateChanged {
        transport: u64,
        state: &'static str,
    }
}

value_class! {
    Closed {
        kind: &'static str,
        handle: u64,
        reason: &'static str,
    }
}

value_class! {
    NegotiationNeeded {
        transport: u64,
    }
}

value_class! {
    PublisherActive {
        publisher: u64,
        codec: Py<Codec>,
    }
}

value_class! {
    PeerFound {
        transport: u64,
        remote: (String, u16),
        rtcp_remote: Option<(String, u16)>,
    }
}

value_class! {
    Paused {
        kind: &'static str,
        handle: u64,
        paused: bool,
    }
}

value_class! {
    LayerChanged {
        subscriber: u64,
        before: Option<(u8, u8)>,
        after: Option<(u8, u8)>,
        reason: &'static str,
        estimate: Option<u64>,
    }
}

value_class! {
    ConnectionQuality {
        transport: u64,
        score: u8,
    }
}

value_class! {
    LayersWanted {
        publisher: u64,
        encodings: Vec<(String, bool)>,
        maximum: Option<(u8, u8)>,
    }
}

value_class! {
    ActiveSpeaker {
        router: u64,
        publisher: Option<u64>,
    }
}

value_class! {
    AudioLevels {
        router: u64,
        levels: Vec<(u64, u8)>,
    }
}

value_class! {
    SlotChanged {
        subscriber: u64,
        publisher: Option<u64>,
    }
}

value_class! {
    DataChannelOpened {
        transport: u64,
        label: String,
        ordered: bool,
        max_retransmits: Option<u16>,
        max_packet_lifetime: Option<u16>,
    }
}

value_class! {
    DataMessage {
        data_publisher: u64,
        binary: bool,
        payload: Py<PyBytes>,
    }
}

/// The Python object of an event.
pub(crate) fn event(py: Python<'_>, event: Event) -> PyResult<Py<PyAny>> {
    match event {
        Event::Reply {
            request,
            result: Ok(reply),
        } => Replied {
            request: request.0,
            value: replies::reply(py, reply)?,
        }
        .into_py_any(py),
        Event::Reply {
            request,
            result: Err(error),
        } => {
            let error = errors::from_core(&error).into_value(py).into_any();
            Failed {
                request: request.0,
                error,
            }
            .into_py_any(py)
        }
        Event::ConnectionState { transport, state } => {
            let state = convert::connection_state(state);
            ConnectionStateChanged {
                transport: transport.0,
                state,
            }
            .into_py_any(py)
        }
        Event::Closed { object, reason } => {
            let (kind, reason) = (convert::object_kind(object), convert::close_reason(reason));
            Closed {
                kind,
                handle: object.handle(),
                reason,
            }
            .into_py_any(py)
        }
        Event::NegotiationNeeded { transport } => NegotiationNeeded {
            transport: transport.0,
        }
        .into_py_any(py),
        Event::PublisherActive { publisher, codec } => {
            let codec = Py::new(py, convert::codec(codec))?;
            PublisherActive {
                publisher: publisher.0,
                codec,
            }
            .into_py_any(py)
        }
        Event::PeerFound {
            transport,
            remote,
            rtcp_remote,
        } => PeerFound {
            transport: transport.0,
            remote: convert::host_and_port(remote),
            rtcp_remote: rtcp_remote.map(convert::host_and_port),
        }
        .into_py_any(py),
        Event::Paused { object, paused } => Paused {
            kind: convert::object_kind(object),
            handle: object.handle(),
            paused,
        }
        .into_py_any(py),
        Event::LayerChanged {
            subscriber,
            from,
            to,
            reason,
            estimate,
        } => LayerChanged {
            subscriber: subscriber.0,
            before: from.map(convert::layer),
            after: to.map(convert::layer),
            reason: convert::layer_reason(reason),
            estimate,
        }
        .into_py_any(py),
        Event::ConnectionQuality { transport, score } => ConnectionQuality {
            transport: transport.0,
            score,
        }
        .into_py_any(py),
        Event::LayersWanted {
            publisher,
            encodings,
            max,
        } => LayersWanted {
            publisher: publisher.0,
            encodings,
            maximum: max.map(convert::layer),
        }
        .into_py_any(py),
        Event::ActiveSpeaker { router, publisher } => ActiveSpeaker {
            router: router.0,
            publisher: publisher.map(|publisher| publisher.0),
        }
        .into_py_any(py),
        Event::AudioLevels { router, levels } => {
            let levels = levels
                .into_iter()
                .map(|(publisher, level)| (publisher.0, level));
            AudioLevels {
                router: router.0,
                levels: levels.collect(),
            }
            .into_py_any(py)
        }
        Event::SlotChanged {
            subscriber,
            publisher,
        } => SlotChanged {
            subscriber: subscriber.0,
            publisher: publisher.map(|publisher| publisher.0),
        }
        .into_py_any(py),
        Event::DataChannelOpened {
            transport,
            label,
            ordered,
            max_retransmits,
            max_packet_lifetime,
        } => {
            let transport = transport.0;
            DataChannelOpened {
                transport,
                label,
                ordered,
                max_retransmits,
                max_packet_lifetime,
            }
            .into_py_any(py)
        }
        Event::DataMessage {
            data_publisher,
            binary,
            payload,
        } => {
            let payload = PyBytes::new(py, &payload).unbind();
            DataMessage {
                data_publisher: data_publisher.0,
                binary,
                payload,
            }
            .into_py_any(py)
        }
    }
}
