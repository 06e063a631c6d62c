//! VP9 for recorders: the payload descriptor (RFC 9628 section 4.2) without what serves layers.
//!
//! FFmpeg reads the references of flexible mode as an old draft had them, and Chromium sends in
//! flexible mode: FFmpeg took the rest for the picture. Where there is one spatial layer,
//! a descriptor of picture id and the two ends of a frame says enough, and everybody reads it.

use super::Patch;

/// Whether the stream has several spatial layers, as its key frames say.
#[derive(Default)]
pub(crate) struct PlainVp9 {
    layered: bool,
}

impl PlainVp9 {
    /// None when the packet should go out as it is: it has layers, or makes no sense.
    pub(crate) fn map(&mut self, payload: &[u8]) -> Option<Patch> {
        let mut reader = Reader { payload, at: 0 };
        let flags = reader.byte()?;
        let mut bytes = [flags & (PICTURE_ID | KEPT), 0, 0];
        let mut len = 1;
        if flags & PICTURE_ID != 0 {
            bytes[1] = reader.byte()?;
            len = 2;
            if bytes[1] & EXTENDED != 0 {
                bytes[2] = reader.byte()?;
                len = 3;
            }
        }
        if flags & LAYERS != 0 {
            let indices = reader.byte()?;
            self.layered |= indices & SPATIAL != 0;
            if flags & FLEXIBLE == 0 {
                reader.byte()?; // TL0PICIDX
            }
        }
        if flags & FLEXIBLE != 0 && flags & PREDICTED != 0 {
            while reader.byte()? & MORE != 0 {}
        }
        if flags & STRUCTURE != 0 {
            self.layered = reader.structure()? > 0;
        }
        if self.layered {
            return None;
        }
        Patch::new(&bytes[..len], reader.at)
    }
}

struct Reader<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.payload.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Passes the scalability structure; returns how many spatial layers there are above the first.
    fn structure(&mut self) -> Option<u8> {
        let head = self.byte()?;
        let above = head >> 5;
        if head & SIZES != 0 {
            for _ in 0..4 * (usize::from(above) + 1) {
                self.byte()?;
            }
        }
        if head & GROUP != 0 {
            for _ in 0..self.byte()? {
                for _ in 0..(self.byte()? >> 2) & 0b11 {
                    self.byte()?;
                }
            }
        }
        Some(above)
    }
}

const PICTURE_ID: u8 = 0x80;
const PREDICTED: u8 = 0x40;
const LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const STRUCTURE: u8 = 0x02;
/// Predicted or not, start and end of a frame, "nothing depends on this".
const KEPT: u8 = PREDICTED | 0x08 | 0x04 | 0x01;
/// A picture id of 15 bits.
const EXTENDED: u8 = 0x80;
const SPATIAL: u8 = 0b0000_1110;
/// Another reference follows.
const MORE: u8 = 1;
const SIZES: u8 = 0x10;
const GROUP: u8 = 0x08;

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(payload: &[u8]) -> Option<(Vec<u8>, usize)> {
        let patch = PlainVp9::default().map(payload)?;
        Some((patch.bytes().to_vec(), patch.lens().0))
    }

    /// Chromium: flexible mode, a reference, a picture id of 15 bits.
    #[test]
    fn references_go() {
        assert_eq!(
            plain(&[0xdc, 0x92, 0x34, 0x02, 0x86]),
            Some((vec![0xcc, 0x92, 0x34], 4))
        );
        assert_eq!(
            plain(&[0xdc, 0x12, 0x03, 0x05, 0x02, 0x86]),
            Some((vec![0xcc, 0x12], 5)),
            "three references"
        );
    }

    /// A key frame with sizes and a picture group; Firefox: temporal indices and TL0PICIDX.
    #[test]
    fn structure_and_indices_go() {
        let key = [
            0x8a, 0x11, 0x18, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x04, 0x01, 0x08, 0x01, 0x02, 0x82,
        ];
        assert_eq!(plain(&key), Some((vec![0x88, 0x11], 13)));
        assert_eq!(
            plain(&[0xac, 0x11, 0x20, 0x07, 0x86]),
            Some((vec![0x8c, 0x11], 4))
        );
        assert_eq!(plain(&[0x0c, 0x82]), Some((vec![0x0c], 1)));
    }

    /// Spatial layers need their descriptors, from the key frame that announces them on.
    #[test]
    fn layers_stay() {
        let mut state = PlainVp9::default();
        assert_eq!(state.map(&[0x0a, 0x20, 0x82]), None);
        assert_eq!(state.map(&[0x4c, 0x86]), None);
        assert!(
            state.map(&[0x0a, 0x00, 0x82]).is_some(),
            "a key frame without layers"
        );
        assert_eq!(state.map(&[0x2c, 0x02, 0x00, 0x82]), None);
    }

    /// What is cut off is left alone.
    #[test]
    fn torn() {
        for torn in [
            &[][..],
            &[0x80],
            &[0x90, 0x91],
            &[0xdc, 0x11, 0x03],
            &[0x0a, 0x18, 1],
        ] {
            assert_eq!(plain(torn), None, "{torn:?}");
        }
    }
}
