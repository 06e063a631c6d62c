//! VP9 picture id and TL0PICIDX (RFC 9628 section 4.2). References are distances between
//! picture ids, so inside a run the ids keep theirs; a run continues where the last one ended.

use super::Patch;
use super::counter::Counter;
use crate::layers::Vp9Numbers;

/// The two counters.
#[derive(Default)]
pub(crate) struct Vp9 {
    picture: Counter,
    tl0: Counter,
}

impl Vp9 {
    pub(crate) fn start_run(&mut self, head: &Vp9Numbers) {
        if let Some(picture) = head.picture {
            self.picture
                .start_run(picture as u16 & LONG_MASK, LONG_BITS);
        }
        if let Some(tl0) = head.tl0 {
            self.tl0.start_run(tl0.into(), TL0_BITS);
        }
    }

    /// None when the packet may go out as it is.
    pub(crate) fn map(&mut self, head: &Vp9Numbers, payload: &[u8]) -> Option<Patch> {
        let mut bytes = [head.flags, 0, 0, 0, 0];
        let mut len = 1;
        let mut put = |byte: u8| {
            bytes[len] = byte;
            len += 1;
        };
        if let Some(picture) = head.picture {
            let mapped = self.picture.map(picture as u16 & LONG_MASK, LONG_BITS);
            if head.long {
                put((mapped >> 8) as u8 | LONG);
                put(mapped as u8);
            } else {
                put(mapped as u8 & !LONG); // the low bits still count on
            }
        }
        if let Some(indices) = head.indices {
            put(indices);
        }
        if let Some(tl0) = head.tl0 {
            put(self.tl0.map(tl0.into(), TL0_BITS) as u8);
        }
        if payload.get(..len)? == &bytes[..len] {
            return None;
        }
        Patch::new(&bytes[..len], len)
    }
}

const LONG: u8 = 0x80;
const LONG_BITS: u32 = 15;
const LONG_MASK: u16 = 0x7fff;
const TL0_BITS: u32 = 8;
