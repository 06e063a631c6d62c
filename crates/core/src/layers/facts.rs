//! What one packet says about the frame it belongs to, read once for all subscribers.
//!
//! The dependency descriptor counts where there is one, for any codec; else VP8's and VP9's own
//! payload descriptors; else the packet has no layers and always passes (H264 tells its size).
//! What is malformed counts as the base layer of its stream.

use str0m::format::Codec;

use super::dependency_descriptor::{Described, References, Structure};
use super::{h264, svc, temporal};
use crate::layer::Layer;

/// What a packet says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) layer: Layer,
    /// The frame's number within its encoding, unwrapped. None: frames have no numbers.
    pub(crate) frame: Option<u64>,
    /// No newer packet of its encoding has come before it.
    pub(crate) fresh: bool,
    /// Last packet of a frame.
    pub(crate) end: bool,
    /// Belongs to a frame of the lowest spatial layer that needs nothing before it.
    pub(crate) key: bool,
    /// What the frame needs, as distances of frame numbers. None: not told.
    pub(crate) references: Option<References>,
    /// Targets it is part of, that can be taken up from it, and that there are at all. All
    /// zero: it has no layers.
    pub(crate) present: u64,
    pub(crate) switch: u64,
    pub(crate) exists: u64,
    /// Width and height of its layer, where it tells.
    pub(crate) size: Option<(u16, u16)>,
    /// Numbers that a subscriber must see without a jump.
    pub(crate) head: Head,
    /// The descriptor's frame number.
    pub(crate) number: Option<u16>,
}

/// The numbers in a payload descriptor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Head {
    #[default]
    Plain,
    Vp8(temporal::Vp8),
    Vp9(svc::Vp9),
}

/// What must be remembered to read the packets of one encoding.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    structure: Structure,
    numbers: Unwrap,
    pictures: Unwrap,
    shape: svc::Structure,
}

impl Reader {
    pub(crate) fn read(
        &mut self,
        codec: Codec,
        payload: &[u8],
        descriptor: Option<&[u8]>,
    ) -> Facts {
        let mut facts = match codec {
            Codec::Vp8 => temporal::read(payload, &mut self.pictures),
            Codec::Vp9 => svc::read(payload, &mut self.pictures, &mut self.shape),
            Codec::H264 => Some(h264::read(payload)),
            _ => None,
        }
        .unwrap_or_default();
        let described = descriptor.and_then(|bytes| self.structure.read(bytes).ok());
        if let Some(described) = described {
            self.apply(&mut facts, &described);
        }
        facts
    }

    /// The descriptor overrules what the payload says, but for its numbers.
    fn apply(&mut self, facts: &mut Facts, described: &Described) {
        *facts = Facts {
            layer: described.layer,
            frame: Some(self.numbers.unwrap(described.number, 16)),
            fresh: facts.fresh,
            end: described.end,
            key: described.layer.spatial == 0 && described.references.as_slice().is_empty(),
            references: Some(described.references),
            present: described.present,
            switch: described.switch,
            exists: described.exists,
            size: described.size.or(facts.size),
            head: facts.head,
            number: Some(described.number),
        };
    }
}

/// Makes a wrapping number one that only grows.
#[derive(Debug, Default)]
pub(crate) struct Unwrap {
    newest: Option<u64>,
}

impl Unwrap {
    /// The nearest number to the newest one with these low bits.
    pub(crate) fn unwrap(&mut self, number: u16, bits: u32) -> u64 {
        let (number, circle) = (u64::from(number), 1u64 << bits);
        let Some(newest) = self.newest else {
            self.newest = Some(FIRST + number);
            return FIRST + number;
        };
        let ahead = number.wrapping_sub(newest) & (circle - 1);
        if ahead < circle / 2 {
            self.newest = Some(newest + ahead);
            newest + ahead
        } else {
            newest + ahead - circle
        }
    }
}

/// The picture id of a VP8 or VP9 descriptor: 15 bits, or 7 where the first bit is clear (RFC 7741
/// section 4.2, RFC 9628 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PictureId {
    /// Unwrapped.
    pub(super) number: u64,
    /// It has 15 bits.
    pub(super) long: bool,
}

impl PictureId {
    /// None when the payload ends in it.
    pub(super) fn read(rest: &mut impl Iterator<Item = u8>, pictures: &mut Unwrap) -> Option<Self> {
        let first = rest.next()?;
        let long = first & LONG != 0;
        let (number, bits) = match long {
            true => (u16::from_be_bytes([first & !LONG, rest.next()?]), 15),
            false => (u16::from(first), 7),
        };
        Some(Self {
            number: pictures.unwrap(number, bits),
            long,
        })
    }
}

const LONG: u8 = 0x80;
/// Room below the first number; a multiple of every circle.
const FIRST: u64 = 1 << 20;
