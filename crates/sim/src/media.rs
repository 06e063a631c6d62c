//! Synthetic media: enough of a VP8 payload for a forwarding unit to see frames and key frames.

/// The fields of a VP8 payload descriptor (RFC 7741 section 4.2) that tests look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp8Descriptor {
    /// 15-bit picture id.
    pub picture_id: u16,
    /// Temporal-layer-zero index.
    pub tl0_pic_idx: u8,
    /// Whether this packet starts a frame.
    pub start: bool,
    /// Whether the frame is a key frame; known only where `start` is set.
    pub key_frame: bool,
}

impl Vp8Descriptor {
    /// Read the descriptor that [`vp8_payload`] writes; `None` for any other form.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [first, extension, high, low, tl0, _tid, header, ..] = *payload else {
            return None;
        };
        if extension & 0xe0 != 0xe0 || high & 0x80 == 0 {
            return None;
        }
        let start = first & 0x10 != 0;
        Some(Self {
            picture_id: u16::from_be_bytes([high & 0x7f, low]),
            tl0_pic_idx: tl0,
            start,
            key_frame: start && header & 1 == 0,
        })
    }
}

/// A VP8 payload of `size` bytes: descriptor with picture id, TL0PICIDX and TID, then a payload
/// header that says key frame or not, then `fill`.
#[must_use]
pub fn vp8_payload(descriptor: Vp8Descriptor, size: usize, fill: u8) -> Vec<u8> {
    const DESCRIPTOR: usize = 6;
    let [high, low] = descriptor.picture_id.to_be_bytes();
    let first = 0x80 | if descriptor.start { 0x10 } else { 0 };
    let mut payload = vec![first, 0xe0, high | 0x80, low, descriptor.tl0_pic_idx, 0];
    payload.resize(size.max(DESCRIPTOR + 10), fill);
    if descriptor.start {
        payload[DESCRIPTOR] = if descriptor.key_frame { 0x10 } else { 0x11 };
        if descriptor.key_frame {
            // Start code and a size of 320 x 180 (RFC 6386 section 9.1).
            payload[DESCRIPTOR + 3..DESCRIPTOR + 10]
                .copy_from_slice(&[0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
        }
    }
    payload
}
