//! RTP header extensions: which ones, with which ids, and the dependency descriptor.
//!
//! str0m maps the ids of a publisher to values; `egress` writes them under each subscriber's own
//! ids. str0m does not know the dependency descriptor (AV1 RTP 1.0 appendix A): that one travels
//! as opaque bytes.

use str0m::rtp::{Extension, ExtensionMap, ExtensionSerializer, ExtensionValues};

/// The extensions we offer, all with ids that fit the one-byte form (RFC 8285 section 4.2).
pub(crate) fn map() -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    map.set(1, Extension::AudioLevel);
    map.set(2, Extension::AbsoluteSendTime);
    map.set(3, Extension::TransportSequenceNumber);
    map.set(4, Extension::RtpMid);
    map.set(5, Extension::PlayoutDelay);
    map.set(6, Extension::AbsoluteCaptureTime);
    map.set(10, Extension::RtpStreamId);
    map.set(11, Extension::RepairedRtpStreamId);
    map.set(
        12,
        Extension::with_serializer(DEPENDENCY_DESCRIPTOR, Opaque),
    );
    map.set(13, Extension::VideoOrientation);
    map
}

/// The bytes of a dependency descriptor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DependencyDescriptor(pub(crate) Box<[u8]>);

/// Carries a dependency descriptor through unread.
#[derive(Debug)]
struct Opaque;

impl ExtensionSerializer for Opaque {
    fn write_to(&self, buf: &mut [u8], values: &ExtensionValues) -> usize {
        let Some(DependencyDescriptor(bytes)) = values.user_values.get() else {
            return 0;
        };
        let Some(target) = buf.get_mut(..bytes.len()) else {
            return 0;
        };
        target.copy_from_slice(bytes);
        bytes.len()
    }

    fn parse_value(&self, buf: &[u8], values: &mut ExtensionValues) -> bool {
        values.user_values.set(DependencyDescriptor(buf.into()));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    // A descriptor with its template structure is longer than the 16 bytes of the short form.
    fn requires_two_byte_form(&self, values: &ExtensionValues) -> bool {
        values
            .user_values
            .get::<DependencyDescriptor>()
            .is_some_and(|d| d.0.len() > 16)
    }
}

pub(crate) const DEPENDENCY_DESCRIPTOR: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
