//! VP8's temporal layers and numbers: the payload descriptor (RFC 7741 section 4.2).

use super::dependency_descriptor::bit;
use super::facts::{Facts, Head, PictureId, Unwrap};
use crate::layer::Layer;

/// The numbers of a VP8 descriptor, and where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vp8 {
    /// Unwrapped.
    pub(crate) picture: Option<u64>,
    /// The picture id has 15 bits and not 7.
    pub(crate) long: bool,
    pub(crate) tl0: Option<u8>,
    /// The byte of TID, Y and KEYIDX.
    pub(crate) tid_and_key: Option<u8>,
    /// The first byte and the extension byte.
    pub(crate) flags: [u8; 2],
    /// First packet of a key frame.
    pub(crate) starts_key: bool,
}

impl Vp8 {
    /// KEYIDX.
    pub(crate) fn key(&self) -> Option<u8> {
        let has_key = self.flags[1] & KEY != 0;
        self.tid_and_key.filter(|_| has_key).map(|byte| byte & 0x1f)
    }
}

/// None for a payload that is no VP8.
pub(super) fn read(payload: &[u8], pictures: &mut Unwrap) -> Option<Facts> {
    let mut rest = payload.iter().copied();
    let first = rest.next()?;
    let mut head = Vp8 {
        flags: [first, 0],
        ..Vp8::default()
    };
    if first & EXTENDED != 0 {
        let extension = rest.next()?;
        head.flags[1] = extension;
        if extension & PICTURE != 0 {
            let id = PictureId::read(&mut rest, pictures)?;
            (head.picture, head.long) = (Some(id.number), id.long);
        }
        if extension & TL0 != 0 {
            head.tl0 = Some(rest.next()?);
        }
        if extension & (TID | KEY) != 0 {
            head.tid_and_key = Some(rest.next()?);
        }
    }
    let tag = rest.next();
    let is_key = first & 0x17 == START && tag.is_some_and(|byte| byte & 1 == 0);
    head.starts_key = is_key;
    let has_tid = head.flags[1] & TID != 0;
    let temporal = head.tid_and_key.filter(|_| has_tid).map_or(0, |b| b >> 6);
    let synced = head.tid_and_key.is_some_and(|byte| byte & 0x20 != 0);
    Some(Facts {
        layer: Layer {
            spatial: 0,
            temporal,
        },
        frame: head.picture,
        key: is_key,
        present: if has_tid { from(temporal) } else { 0 },
        switch: match (is_key, synced && temporal > 0) {
            (true, _) => ALL,
            (false, true) => bit(Layer {
                spatial: 0,
                temporal,
            }),
            (false, false) => 0,
        },
        exists: if has_tid { ALL } else { 0 },
        size: is_key.then(|| size(rest)).flatten(),
        head: Head::Vp8(head),
        ..Facts::default()
    })
}

/// What follows the first byte of a key frame (RFC 6386 section 9.1).
fn size(rest: impl Iterator<Item = u8>) -> Option<(u16, u16)> {
    let mut bytes = [0; 9];
    let mut filled = 0;
    for (place, byte) in bytes.iter_mut().zip(rest) {
        *place = byte;
        filled += 1;
    }
    let [_, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = bytes else {
        return None;
    };
    let side = |bytes: [u8; 2]| u16::from_le_bytes(bytes) & 0x3fff;
    (filled == bytes.len()).then(|| (side([w0, w1]), side([h0, h1])))
}

/// The targets of this temporal layer and above.
const fn from(temporal: u8) -> u64 {
    ALL & !((1 << temporal) - 1)
}

/// Spatial layer 0 with every temporal layer: a byte of the set.
const ALL: u64 = 0xff;
const EXTENDED: u8 = 0x80;
const PICTURE: u8 = 0x80;
const TL0: u8 = 0x40;
const TID: u8 = 0x20;
const KEY: u8 = 0x10;
/// Start of partition 0: S set, PID zero.
const START: u8 = 0x10;
