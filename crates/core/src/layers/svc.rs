//! VP9's layers and numbers: the payload descriptor (RFC 9628 section 4.2).
//!
//! Frames are numbered by picture and spatial layer, so that a reference is a distance: in
//! flexible mode the descriptor names them, else only the switching-up points are known. An
//! upper spatial layer is part of every higher target; the lower ones always come along.

use super::dependency_descriptor::{References, bit};
use super::facts::{Facts, Head, PictureId, Unwrap};
use crate::layer::Layer;

/// The numbers of a VP9 descriptor, and where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vp9 {
    /// Unwrapped.
    pub(crate) picture: Option<u64>,
    /// The picture id has 15 bits and not 7.
    pub(crate) long: bool,
    /// The first byte.
    pub(crate) flags: u8,
    /// The byte of the layer indices.
    pub(crate) indices: Option<u8>,
    pub(crate) tl0: Option<u8>,
}

/// Picture sizes by spatial layer, as the last scalability structure told.
#[derive(Debug, Default)]
pub(crate) struct Sizes([Option<(u16, u16)>; 8]);

/// None for a payload that is no VP9.
pub(super) fn read(payload: &[u8], pictures: &mut Unwrap, sizes: &mut Sizes) -> Option<Facts> {
    let mut rest = payload.iter().copied();
    let flags = rest.next()?;
    let mut head = Vp9 {
        flags,
        ..Vp9::default()
    };
    if flags & PICTURE != 0 {
        let id = PictureId::read(&mut rest, pictures)?;
        (head.picture, head.long) = (Some(id.number), id.long);
    }
    if flags & LAYERS != 0 {
        head.indices = Some(rest.next()?);
        if flags & FLEXIBLE == 0 {
            head.tl0 = Some(rest.next()?);
        }
    }
    let predicted = flags & PREDICTED != 0;
    let indices = Indices::from(head.indices.unwrap_or(0));
    let mut references = References::default();
    let mut told = head.picture.is_some() && (flags & FLEXIBLE != 0 || !predicted);
    if flags & FLEXIBLE != 0 && predicted {
        loop {
            let byte = rest.next()?;
            told &= references.push(u16::from(byte >> 1) * PER_PICTURE);
            if byte & 1 == 0 {
                break;
            }
        }
    }
    if indices.on_lower {
        told &= references.push(1);
    }
    if flags & STRUCTURE != 0 {
        sizes.read(&mut rest)?;
    }
    let layer = indices.layer;
    Some(Facts {
        layer,
        frame: (head.picture).map(|n| n * u64::from(PER_PICTURE) + u64::from(layer.spatial)),
        end: flags & END != 0,
        key: !predicted && layer.spatial == 0,
        references: told.then_some(references),
        present: head.indices.map_or(0, |_| above(layer)),
        switch: match (predicted, indices.switch_up || flags & FLEXIBLE != 0) {
            (false, _) => above(layer),
            (true, true) if indices.switch_up => above(layer),
            (true, true) => at(layer),
            (true, false) => 0,
        },
        exists: if head.indices.is_some() { u64::MAX } else { 0 },
        size: sizes.0[usize::from(layer.spatial)],
        head: Head::Vp9(head),
        ..Facts::default()
    })
}

/// The byte of the layer indices.
struct Indices {
    layer: Layer,
    switch_up: bool,
    /// Depends on the spatial layer below of the same picture.
    on_lower: bool,
}

impl From<u8> for Indices {
    fn from(byte: u8) -> Self {
        let layer = Layer {
            spatial: byte >> 1 & 7,
            temporal: byte >> 5,
        };
        Self {
            layer,
            switch_up: byte & 0x10 != 0,
            on_lower: byte & 1 != 0 && layer.spatial > 0,
        }
    }
}

impl Sizes {
    /// Passes a scalability structure.
    fn read(&mut self, rest: &mut impl Iterator<Item = u8>) -> Option<()> {
        let head = rest.next()?;
        if head & 0x10 != 0 {
            *self = Self::default();
            for place in 0..=usize::from(head >> 5) {
                let mut number = || Some(u16::from_be_bytes([rest.next()?, rest.next()?]));
                self.0[place] = Some((number()?, number()?));
            }
        }
        if head & 0x08 != 0 {
            for _ in 0..rest.next()? {
                for _ in 0..rest.next()? >> 2 & 3 {
                    rest.next()?;
                }
            }
        }
        Some(())
    }
}

/// The targets of this layer's temporal layer and above, from its spatial layer on.
fn above(layer: Layer) -> u64 {
    spatial(layer).fold(0, |all, spatial| {
        all | ((0xff << layer.temporal) & 0xff) << (spatial * 8)
    })
}

/// The targets of exactly this temporal layer, from its spatial layer on.
fn at(layer: Layer) -> u64 {
    spatial(layer).fold(0, |all, spatial| {
        all | bit(Layer {
            spatial,
            temporal: layer.temporal,
        })
    })
}

fn spatial(layer: Layer) -> impl Iterator<Item = u8> {
    layer.spatial..=7
}

/// Numbers kept for the spatial layers of one picture.
const PER_PICTURE: u16 = 8;
const PICTURE: u8 = 0x80;
const PREDICTED: u8 = 0x40;
const LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const END: u8 = 0x04;
const STRUCTURE: u8 = 0x02;
