//! What a publisher sends: VP8 packets that a server takes for a real encoder's, and sound.
//!
//! Every video payload begins with a VP8 payload descriptor (RFC 7741 section 4.2) with picture id,
//! TL0PICIDX and temporal layer; the first packet of a frame goes on with the VP8 frame tag, whose
//! lowest bit tells key frames, and for those the start code and size (RFC 6386 section 9.1). Behind
//! a fixed offset stand the flow (whose track it is), the packet's number and the moment of sending,
//! which the receivers read back. The rest is filler: nobody decodes it.

/// What a received payload says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which track of which publisher.
    pub(crate) flow: u32,
    /// Number of the packet within its flow, from 0.
    pub(crate) index: u32,
    /// When it was handed to the publisher's session, in nanoseconds since the Unix epoch.
    pub(crate) sent: u64,
}

/// One packet of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    /// Number of the frame.
    pub(crate) frame: u64,
    /// First packet of the frame.
    pub(crate) first: bool,
    /// Whether the frame is a key frame.
    pub(crate) key: bool,
}

/// A video payload of [`PAYLOAD`] bytes.
pub(crate) fn video(position: Position, stamp: Stamp) -> Vec<u8> {
    let mut bytes = vec![FILLER; PAYLOAD];
    bytes[..DESCRIPTOR].copy_from_slice(&descriptor(position));
    if position.first {
        let inter = u8::from(!position.key);
        bytes[6..9].copy_from_slice(&[inter | SHOW_FRAME, 0, 0]);
    }
    if position.first && position.key {
        bytes[9..12].copy_from_slice(&START_CODE);
        bytes[12..14].copy_from_slice(&1280_u16.to_le_bytes());
        bytes[14..16].copy_from_slice(&720_u16.to_le_bytes());
    }
    write(&mut bytes, stamp);
    bytes
}

/// The VP8 payload descriptor of a packet.
pub(crate) fn descriptor(position: Position) -> [u8; DESCRIPTOR] {
    let [high, low] = ((position.frame & 0x7fff) as u16 | 0x8000).to_be_bytes();
    let start = if position.first { START } else { 0 };
    let fields = PICTURE_ID | TL0PICIDX | TEMPORAL;
    [EXTENDED | start, fields, high, low, position.frame as u8, 0]
}

/// A sound payload of [`SOUND`] bytes, as 20 ms of Opus at 32 kbit/s take.
pub(crate) fn audio(stamp: Stamp) -> Vec<u8> {
    let mut bytes = vec![FILLER; SOUND];
    write(&mut bytes, stamp);
    bytes
}

fn write(bytes: &mut [u8], stamp: Stamp) {
    bytes[STAMP..STAMP + 4].copy_from_slice(&MAGIC);
    bytes[STAMP + 4..STAMP + 8].copy_from_slice(&stamp.flow.to_be_bytes());
    bytes[STAMP + 8..STAMP + 12].copy_from_slice(&stamp.index.to_be_bytes());
    bytes[STAMP + 12..STAMP + LEN].copy_from_slice(&stamp.sent.to_be_bytes());
}

/// Read the stamp back; `None` when the payload is not one of ours (padding, a probe).
pub(crate) fn stamp(payload: &[u8]) -> Option<Stamp> {
    let (magic, rest) = payload.get(STAMP..STAMP + LEN)?.split_first_chunk::<4>()?;
    let (flow, rest) = rest.split_first_chunk()?;
    let (index, rest) = rest.split_first_chunk()?;
    let sent = rest.first_chunk()?;
    (*magic == MAGIC).then_some(Stamp {
        flow: u32::from_be_bytes(*flow),
        index: u32::from_be_bytes(*index),
        sent: u64::from_be_bytes(*sent),
    })
}

/// RTP payload bytes: with a 12-byte header, the extensions str0m writes (mid, transport-cc,
/// abs-send-time) and the GCM tag, a datagram has about 1200 bytes.
pub(crate) const PAYLOAD: usize = 1156;
/// The same of a sound packet.
pub(crate) const SOUND: usize = 80;

const DESCRIPTOR: usize = 6;
const FILLER: u8 = 0x5a;
const EXTENDED: u8 = 0x80;
const START: u8 = 0x10;
const PICTURE_ID: u8 = 0x80;
const TL0PICIDX: u8 = 0x40;
const TEMPORAL: u8 = 0x20;
const SHOW_FRAME: u8 = 0x10;
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];
const STAMP: usize = 16;
const LEN: usize = 20;
const MAGIC: [u8; 4] = *b"hwld";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_is_seen_as_one() {
        let stamp = Stamp {
            flow: 0,
            index: 7,
            sent: 1,
        };
        for key in [true, false] {
            let bytes = video(
                Position {
                    frame: 3,
                    first: true,
                    key,
                },
                stamp,
            );
            let descriptor = str0m::rtp::Vp8Descriptor::parse(&bytes).unwrap();
            assert_eq!(descriptor.starts_keyframe(&bytes), key);
        }
    }

    #[test]
    fn a_stamp_survives() {
        let sent = Stamp {
            flow: 65_537,
            index: 70_000,
            sent: 1_700_000_000_000_000_001,
        };
        let bytes = video(
            Position {
                frame: 40_000,
                first: false,
                key: false,
            },
            sent,
        );
        assert_eq!(stamp(&bytes), Some(sent));
        assert_eq!(stamp(&bytes[1..]), None);
        assert_eq!(stamp(&audio(sent)), Some(sent));
    }
}
