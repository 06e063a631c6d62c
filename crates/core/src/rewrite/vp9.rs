//! VP9 picture id and TL0PICIDX (RFC 9628 section 4.2). References are distances between
//! picture ids, so inside a run the ids keep theirs; a run continues where the last one ended.

use super::counter::Counter;
use super::patch::{Draft, Patch};
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
        let mut draft = Draft::default();
        draft.put(head.flags);
        if let Some(picture) = head.picture {
            let mapped = self.picture.map(picture as u16 & LONG_MASK, LONG_BITS);
            draft.put_picture(mapped, head.long);
        }
        if let Some(indices) = head.indices {
            draft.put(indices);
        }
        if let Some(tl0) = head.tl0 {
            draft.put(self.tl0.map(tl0.into(), TL0_BITS) as u8);
        }
        draft.finish(payload)
    }
}

const LONG_BITS: u32 = 15;
const LONG_MASK: u16 = 0x7fff;
const TL0_BITS: u32 = 8;
