//! VP9's layers and numbers: the payload descriptor (RFC 9628 section 4.2).
//!
//! Frames are numbered by picture and spatial layer, so that a reference is a distance: in
//! flexible mode the descriptor names them, else only the switching-up points are known. A frame
//! is part of its own spatial layer and of those above, unless it says that they do without it
//! (`L3T3_KEY` between key pictures, `S3T3` always): then those above are sent without it.

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

/// What the last scalability structure told.
#[derive(Debug, Default)]
pub(crate) struct Structure {
    /// By spatial layer.
    sizes: [Option<(u16, u16)>; 8],
    /// The highest spatial layer; None before the first structure.
    top: Option<u8>,
}

/// None for a payload that is no VP9.
pub(super) fn read(
    payload: &[u8],
    pictures: &mut Unwrap,
    structure: &mut Structure,
) -> Option<Facts> {
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
        structure.read(&mut rest)?;
    }
    let layer = indices.layer;
    let (exists, present) = match head.indices {
        Some(_) => structure.targets(layer, flags & DISPENSABLE != 0),
        None => (0, 0),
    };
    Some(Facts {
        layer,
        frame: (head.picture).map(|n| n * u64::from(PER_PICTURE) + u64::from(layer.spatial)),
        end: flags & END != 0,
        key: !predicted && layer.spatial == 0,
        references: told.then_some(references),
        present,
        switch: match (predicted, indices.switch_up || flags & FLEXIBLE != 0) {
            (false, _) => above(layer),
            (true, true) if indices.switch_up => above(layer),
            (true, true) => at(layer),
            (true, false) => 0,
        },
        exists,
        size: structure.sizes[usize::from(layer.spatial)],
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

impl Structure {
    /// All targets, and those that a frame of this layer is part of. `dispensable`: the spatial
    /// layers above do without it. That counts only where it is known which is the highest, for
    /// a target above all layers would get nothing.
    fn targets(&self, layer: Layer, dispensable: bool) -> (u64, u64) {
        let Some(top) = self.top else {
            return (u64::MAX, above(layer));
        };
        let exists = u64::MAX >> (56 - 8 * u32::from(top));
        let own = if dispensable {
            0xff << (layer.spatial * 8)
        } else {
            u64::MAX
        };
        (exists, above(layer) & own & exists)
    }

    /// Passes a scalability structure.
    fn read(&mut self, rest: &mut impl Iterator<Item = u8>) -> Option<()> {
        let head = rest.next()?;
        self.top = Some(head >> 5);
        if head & 0x10 != 0 {
            self.sizes = Default::default();
            for place in 0..=usize::from(head >> 5) {
                let mut number = || Some(u16::from_be_bytes([rest.next()?, rest.next()?]));
                self.sizes[place] = Some((number()?, number()?));
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
/// Z: no frame of a higher spatial layer in the picture needs this one.
const DISPENSABLE: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::super::facts::{Head, Unwrap};
    use super::{Structure, at, bit, read};
    use crate::layer::Layer;

    /// As Firefox sends it (non-flexible mode, no references told): what a frame needs is not
    /// known, so only sync frames open a higher frame rate.
    #[test]
    fn non_flexible_mode() {
        let (mut pictures, mut structure) = (Unwrap::default(), Structure::default());
        // I L B E V, picture 0x1234, layer 0/0, TL0PICIDX 7, structure: 640 x 360, no pictures.
        let key = [0xae, 0x92, 0x34, 0x00, 7, 0x10, 2, 128, 1, 104, 0xff];
        let facts = read(&key, &mut pictures, &mut structure).expect("it is VP9");
        assert!(facts.key && facts.end);
        assert_eq!(facts.size, Some((640, 360)));
        assert_eq!(facts.references.map(|list| list.as_slice().len()), Some(0));
        let Head::Vp9(head) = facts.head else {
            panic!("{:?}", facts.head)
        };
        assert_eq!((head.tl0, head.long), (Some(7), true));
        let key_frame = facts.frame.expect("pictures are numbered");
        // I P L B E, the next picture, temporal layer 1: first without, then with the U bit.
        for (indices, can_switch) in [(0x20, false), (0x30, true)] {
            let next = [0xec, 0x92, 0x35, indices, 7, 0xff];
            let facts = read(&next, &mut pictures, &mut structure).expect("it is VP9");
            let target = Layer {
                spatial: 0,
                temporal: 1,
            };
            assert_eq!(facts.layer, target);
            assert_eq!(facts.frame, Some(key_frame + 8));
            assert!(facts.references.is_none() && !facts.key);
            assert_eq!(facts.switch & bit(target) != 0, can_switch);
            assert_eq!(
                facts.present & at(Layer::default()) & 1,
                0,
                "no part of 0/0"
            );
            assert_eq!(facts.size, Some((640, 360)), "known from the key frame");
        }
    }

    /// Torn anywhere: nothing or something, and no panic.
    #[test]
    fn survives_torn_descriptors() {
        let key = [0xae, 0x92, 0x34, 0x00, 7, 0x18, 2, 128, 1, 104, 1, 0x04, 1];
        for end in 0..key.len() {
            let (mut pictures, mut structure) = (Unwrap::default(), Structure::default());
            let facts = read(&key[..end], &mut pictures, &mut structure);
            assert!(facts.is_none(), "{end} bytes");
        }
    }
}
