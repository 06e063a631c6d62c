//! VP8 picture id, TL0PICIDX and KEYIDX (RFC 7741 section 4.2): all count pictures, and a jump
//! makes decoders wait for pictures that never were. So the id of a picture that is held back
//! goes to the next one.

use super::counter::Counter;
use super::numbering::Numbering;
use super::patch::{Draft, Patch};
use crate::layers::Vp8Numbers;

/// The three counters.
#[derive(Default)]
pub(crate) struct Vp8 {
    /// None before the first picture, which keeps its id.
    picture: Option<Numbering<PICTURES>>,
    tl0: Counter,
    key: Counter,
}

impl Vp8 {
    pub(crate) fn start_run(&mut self, head: &Vp8Numbers) {
        if let Some(picture) = head.picture {
            let numbering = self.picture.get_or_insert_with(|| Numbering::new(picture));
            numbering.start_run(picture);
        }
        if let Some(tl0) = head.tl0 {
            self.tl0.start_run(tl0.into(), TL0_BITS);
        }
        if let Some(key) = head.key() {
            self.key.start_run(key.into(), KEY_BITS);
        }
    }

    /// A picture that is held back, or a late packet of one.
    pub(crate) fn hold(&mut self, head: &Vp8Numbers) {
        if let (Some(numbering), Some(picture)) = (&mut self.picture, head.picture) {
            numbering.hold(picture);
        }
    }

    /// None when the packet may go out as it is.
    pub(crate) fn map(&mut self, head: &Vp8Numbers, payload: &[u8]) -> Option<Patch> {
        let mut draft = Draft::default();
        draft.put(head.flags[0]);
        if head.flags[0] & EXTENDED != 0 {
            draft.put(head.flags[1]);
        }
        if let Some(picture) = head.picture {
            let numbering = self.picture.as_mut()?;
            let mapped = numbering.map(picture).unwrap_or(picture);
            draft.put_picture(mapped as u16, head.long);
        }
        if let Some(tl0) = head.tl0 {
            draft.put(self.tl0.map(tl0.into(), TL0_BITS) as u8);
        }
        if let Some(byte) = head.tid_and_key {
            let key = head.key().map_or(byte & KEY_MASK, |key| {
                self.key.map(key.into(), KEY_BITS) as u8
            });
            draft.put(byte & !KEY_MASK | key);
        }
        draft.finish(payload)
    }
}

/// Pictures remembered, in 64s.
const PICTURES: usize = 4;
const TL0_BITS: u32 = 8;
const KEY_BITS: u32 = 5;
const KEY_MASK: u8 = 0x1f;
const EXTENDED: u8 = 0x80;
