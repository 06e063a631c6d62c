//! The dependency descriptor (AV1 RTP 1.0 appendix A) of a scripted client: bytes, unread.

use str0m::rtp::{Extension, ExtensionMap, ExtensionSerializer, ExtensionValues};

/// What browsers number by default, and the descriptor.
pub(crate) fn map() -> ExtensionMap {
    let mut map = ExtensionMap::standard();
    map.set(14, extension());
    map
}

/// The descriptor as an extension, for clients with numbers of their own.
#[must_use]
pub fn extension() -> Extension {
    Extension::with_serializer(URI, Opaque)
}

/// Makes `bytes` the descriptor of a packet, as many as an extension can hold.
pub fn set(values: &mut ExtensionValues, bytes: &[u8]) {
    values
        .user_values
        .set(Descriptor(bytes[..bytes.len().min(255)].into()));
}

/// The bytes of the descriptor of a packet.
#[must_use]
pub fn get(values: &ExtensionValues) -> Option<&[u8]> {
    let Descriptor(bytes) = values.user_values.get()?;
    Some(bytes)
}

#[derive(Debug)]
struct Descriptor(Box<[u8]>);

#[derive(Debug)]
struct Opaque;

impl ExtensionSerializer for Opaque {
    fn write_to(&self, buf: &mut [u8], values: &ExtensionValues) -> usize {
        let Some(Descriptor(bytes)) = values.user_values.get() else {
            return 0;
        };
        buf[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    }

    fn parse_value(&self, buf: &[u8], values: &mut ExtensionValues) -> bool {
        values.user_values.set(Descriptor(buf.into()));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, values: &ExtensionValues) -> bool {
        values
            .user_values
            .get::<Descriptor>()
            .is_some_and(|Descriptor(bytes)| bytes.len() > 16)
    }
}

const URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
