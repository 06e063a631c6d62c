//! How values lie in a recording: numbers as variable-length integers, lists after their length.
//!
//! A reader never trusts a length: it takes only what is there. What cannot be read is `None`.

use std::net::SocketAddr;
use std::time::Duration;

/// A value that a recording can hold.
pub(crate) trait Wire: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(from: &mut Reader<'_>) -> Option<Self>;
}

/// The rest of what is to be read.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    /// An unsigned number, seven bits a byte, lowest first.
    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Bytes after their length.
    pub(crate) fn block(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        self.bytes(len)
    }
}

pub(crate) fn put_number(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_block(bytes: &[u8], out: &mut Vec<u8>) {
    put_number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                put_number(u64::from(*self), out);
            }

            fn take(from: &mut Reader<'_>) -> Option<Self> {
                Self::try_from(from.number()?).ok()
            }
        }
    )+};
}

numbers!(u8, u16, u32, u64);

impl Wire for f32 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self::from_le_bytes(from.bytes(4)?.try_into().ok()?))
    }
}

impl Wire for f64 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self::from_le_bytes(from.bytes(8)?.try_into().ok()?))
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push((*self).into());
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        match from.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_block(self.as_bytes(), out);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        Self::from_utf8(from.block()?.to_vec()).ok()
    }
}

impl Wire for Duration {
    fn put(&self, out: &mut Vec<u8>) {
        put_number(self.as_nanos() as u64, out);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self::from_nanos(from.number()?))
    }
}

impl Wire for SocketAddr {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_string().put(out);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        String::take(from)?.parse().ok()
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        match bool::take(from)? {
            true => Some(Some(T::take(from)?)),
            false => Some(None),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_number(self.len() as u64, out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let len = from.number()?;
        // Each value takes a byte at least, so a false length ends with the input.
        let mut values = Self::new();
        for _ in 0..len {
            values.push(T::take(from)?);
        }
        Some(values)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

/// Handles: a number with a name.
macro_rules! wire_ids {
    ($($type:ident),+ $(,)?) => {$(
        impl $crate::record::wire::Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }

            fn take(from: &mut $crate::record::wire::Reader<'_>) -> Option<Self> {
                Some(Self($crate::record::wire::Wire::take(from)?))
            }
        }
    )+};
}
pub(crate) use wire_ids;

/// A structure, field after field.
macro_rules! wire_struct {
    ($type:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::record::wire::Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let Self { $($field),+ } = self;
                $($field.put(out);)+
            }

            fn take(from: &mut $crate::record::wire::Reader<'_>) -> Option<Self> {
                Some(Self { $($field: $crate::record::wire::Wire::take(from)?),+ })
            }
        }
    };
}
pub(crate) use wire_struct;

/// An enumeration: the number of the variant, then its fields. A tuple's field is named `0`.
macro_rules! wire_enum {
    ($type:ident { $($tag:literal => $variant:ident { $($field:tt $(: $name:ident)?),* $(,)? }),+ $(,)? }) => {
        impl $crate::record::wire::Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant { $($field $(: $name)?),* } => {
                        out.push($tag);
                        $($crate::record::wire::pick!($field $($name)?).put(out);)*
                    })+
                }
            }

            fn take(from: &mut $crate::record::wire::Reader<'_>) -> Option<Self> {
                Some(match from.byte()? {
                    $($tag => Self::$variant { $($field: $crate::record::wire::Wire::take(from)?),* },)+
                    _ => return None,
                })
            }
        }
    };
}
pub(crate) use wire_enum;

/// The name by which a field was bound.
macro_rules! pick {
    ($field:tt $name:ident) => {
        $name
    };
    ($field:ident) => {
        $field
    };
}
pub(crate) use pick;
