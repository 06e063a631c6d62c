//! What all subscribers of a packet share: its payload, and the header extensions that travel.
//!
//! Extensions are kept as the bytes that go on the wire. What belongs to one connection (mid,
//! transport-cc, send time) is not among them.

use str0m::media::MediaTime;
use str0m::rtp::ExtensionValues;

use crate::extension::DependencyDescriptor;
use crate::ntp::ntp;
use crate::shared::{Payload, Shared};

/// One packet's content, made once and shared by all queues and histories.
pub(crate) struct Content {
    pub(crate) payload: Payload,
    pub(crate) carried: Carried,
}

impl Content {
    /// Nothing, which keeps a sequence number from being waited for.
    pub(crate) fn empty() -> Self {
        Self {
            payload: Payload::from([]),
            carried: Carried::default(),
        }
    }
}

/// Header extensions that a publisher's packet takes along.
#[derive(Default)]
pub(crate) struct Carried {
    /// RFC 6464.
    pub(crate) audio_level: Option<u8>,
    /// 3GPP TS 26.114 section 7.4.5.
    pub(crate) orientation: Option<u8>,
    pub(crate) playout_delay: Option<[u8; 3]>,
    pub(crate) capture_time: Option<CaptureTime>,
    pub(crate) descriptor: Option<Shared<DependencyDescriptor>>,
}

/// Absolute capture time: 8 bytes, or 16 with a clock offset.
#[derive(Clone, Copy)]
pub(crate) struct CaptureTime {
    bytes: [u8; 16],
    len: u8,
}

impl CaptureTime {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Carried {
    /// Nothing travels.
    pub(crate) const fn is_bare(&self) -> bool {
        self.audio_level.is_none()
            && self.orientation.is_none()
            && self.playout_delay.is_none()
            && self.capture_time.is_none()
            && self.descriptor.is_none()
    }

    pub(crate) fn new(from: &ExtensionValues) -> Self {
        Self {
            audio_level: from.audio_level.map(|level| {
                let voice = u8::from(from.voice_activity == Some(true)) << 7;
                voice | (level.unsigned_abs() & 0x7f)
            }),
            orientation: from.video_orientation.map(|orientation| orientation as u8),
            playout_delay: from.play_delay_min.zip(from.play_delay_max).map(delay),
            capture_time: from.abs_capture_time.as_ref().map(|time| {
                let mut bytes = [0; 16];
                bytes[..8].copy_from_slice(&ntp(time.capture_time).to_be_bytes());
                if let Some(offset) = time.clock_offset {
                    bytes[8..].copy_from_slice(&offset.to_be_bytes());
                }
                let len = if time.clock_offset.is_some() { 16 } else { 8 };
                CaptureTime { bytes, len }
            }),
            descriptor: from.user_values.get_arc(),
        }
    }
}

/// Two numbers of 12 bits, in units of 10 ms.
fn delay((min, max): (MediaTime, MediaTime)) -> [u8; 3] {
    let tens = |time: MediaTime| (std::time::Duration::from(time).as_millis() / 10).min(0xfff);
    let both = ((tens(min) as u32) << 12) | tens(max) as u32;
    let [_, bytes @ ..] = both.to_be_bytes();
    bytes
}
