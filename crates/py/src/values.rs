//! Frozen value classes, and the two that occur inside others.

use pyo3::prelude::*;

/// Define a frozen Python class of plain fields with `__match_args__`, `__repr__` and nothing else.
macro_rules! value_class {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[pyo3::pyclass(frozen, get_all, module = "headwater._core._native")]
        pub(crate) struct $name {
            $(pub(crate) $field: $type,)+
        }

        #[pyo3::pymethods]
        impl $name {
            #[classattr]
            fn __match_args__(py: pyo3::Python<'_>) -> pyo3::PyResult<pyo3::Py<pyo3::types::PyTuple>> {
                let names = pyo3::types::PyTuple::new(py, [$(stringify!($field)),+])?;
                Ok(names.unbind())
            }

            fn __repr__(slf: &pyo3::Bound<'_, Self>) -> pyo3::PyResult<String> {
                crate::values::repr(slf.as_any(), stringify!($name), &[$(stringify!($field)),+])
            }
        }
    };
}
pub(crate) use value_class;

/// `Name(field=…, …)`.
pub(crate) fn repr(object: &Bound<'_, PyAny>, name: &str, fields: &[&str]) -> PyResult<String> {
    let mut parts = Vec::with_capacity(fields.len());
    for field in fields {
        parts.push(format!("{field}={}", object.getattr(*field)?.repr()?));
    }
    Ok(format!("{name}({})", parts.join(", ")))
}

value_class! {
    Codec {
        mime: String,
        payload_type: u8,
        clock_rate: u32,
        channels: Option<u8>,
        fmtp: String,
    }
}

value_class! {
    Track {
        mid: String,
        kind: &'static str,
        track_id: String,
        stream_id: String,
        active: bool,
        rids: Vec<String>,
    }
}
