//! VP8 picture id and TL0PICIDX (RFC 7741 section 4.2): both count pictures, and a jump makes
//! decoders wait for pictures that never were.

use str0m::rtp::{Vp8Descriptor, Vp8Patch};

/// Offsets of the two counters.
#[derive(Default)]
pub(crate) struct Vp8 {
    picture: Counter,
    tl0: Counter,
}

impl Vp8 {
    pub(crate) fn start_run(&mut self, descriptor: Option<&Vp8Descriptor>) {
        if let Some(descriptor) = descriptor {
            self.picture
                .start_run(descriptor.picture_id(), PICTURE_BITS);
            self.tl0
                .start_run(descriptor.tl0_pic_idx().map(u16::from), TL0_BITS);
        }
    }

    /// None when the packet may go out as it is.
    pub(crate) fn map(&mut self, descriptor: &Vp8Descriptor) -> Option<Vp8Patch> {
        let picture = descriptor
            .picture_id()
            .map(|n| (n, self.picture.map(n, PICTURE_BITS)));
        let tl0 = descriptor
            .tl0_pic_idx()
            .map(|n| (n, self.tl0.map(n.into(), TL0_BITS) as u8));
        let mut builder = descriptor.patch();
        let mut changed = false;
        if let Some((old, new)) = picture.filter(|(old, new)| old != new) {
            // A 7-bit field cannot hold a 15-bit number; its low bits still count on.
            let new = if old < 128 && descriptor.patch().picture_id(new).build().is_err() {
                new & 0x7f
            } else {
                new
            };
            builder = builder.picture_id(new);
            changed = true;
        }
        if let Some((_, new)) = tl0.filter(|(old, new)| old != new) {
            builder = builder.tl0_pic_idx(new);
            changed = true;
        }
        if changed { builder.build().ok() } else { None }
    }
}

/// A wrapping counter of up to 15 bits.
#[derive(Default)]
struct Counter {
    offset: u16,
    last: Option<u16>,
}

impl Counter {
    fn start_run(&mut self, input: Option<u16>, bits: u32) {
        if let (Some(last), Some(input)) = (self.last, input) {
            self.offset = last.wrapping_add(1).wrapping_sub(input) & mask(bits);
        }
    }

    fn map(&mut self, input: u16, bits: u32) -> u16 {
        let output = input.wrapping_add(self.offset) & mask(bits);
        let newer = |last: u16| output.wrapping_sub(last) & mask(bits) < 1 << (bits - 1);
        if self.last.is_none_or(newer) {
            self.last = Some(output);
        }
        output
    }
}

const fn mask(bits: u32) -> u16 {
    ((1u32 << bits) - 1) as u16
}

const PICTURE_BITS: u32 = 15;
const TL0_BITS: u32 = 8;
