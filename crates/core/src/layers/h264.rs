//! H264's picture size: the sequence parameter set (ITU-T H.264 section 7.3.2.1.1).
//!
//! H264 has no layers of its own here, and says its size once with each key frame. Whatever
//! makes no sense is a size that is not known. The work is bounded by [`LONGEST`].

use super::facts::Facts;

/// What an H264 payload says of its frame.
pub(crate) fn read(payload: &[u8]) -> Facts {
    Facts {
        size: parameters(payload).and_then(size),
        ..Facts::default()
    }
}

/// The sequence parameter set in a payload: alone, or in a STAP-A (RFC 6184 section 5.7.1).
fn parameters(payload: &[u8]) -> Option<&[u8]> {
    match payload.first()? & TYPE {
        SEQUENCE_PARAMETERS => payload.get(1..),
        AGGREGATE => {
            let mut rest = payload.get(1..)?;
            while let [high, low, units @ ..] = rest {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                let (unit, after) = units.split_at_checked(len)?;
                if unit.first()? & TYPE == SEQUENCE_PARAMETERS {
                    return unit.get(1..);
                }
                rest = after;
            }
            None
        }
        _ => None,
    }
}

/// Width and height in pixels, what is cropped left out.
fn size(parameters: &[u8]) -> Option<(u16, u16)> {
    let bytes = unescaped(parameters);
    let mut bits = Bits {
        bytes: &bytes,
        at: 0,
    };
    let profile = bits.take(8)?;
    bits.take(16)?; // constraints and level
    bits.number()?;
    let chroma = match HIGH.contains(&profile) {
        true => bits.chroma()?,
        false => Chroma::HALF,
    };
    bits.number()?; // log2_max_frame_num
    bits.order_count()?;
    bits.number()?; // max_num_ref_frames
    bits.take(1)?;
    let (width, height) = (bits.number()? + 1, bits.number()? + 1);
    let fields = 2 - bits.take(1)?;
    if fields == 2 {
        bits.take(1)?;
    }
    bits.take(1)?;
    let mut crop = [0; 4];
    if bits.take(1)? == 1 {
        for side in &mut crop {
            *side = bits.number()?;
        }
    }
    let [left, right, top, bottom] = crop.map(u64::from);
    let width = 16 * u64::from(width);
    let height = 16 * u64::from(height) * u64::from(fields);
    let width = width.checked_sub((left + right) * chroma.width)?;
    let height = height.checked_sub((top + bottom) * chroma.height * u64::from(fields))?;
    let sides = (u16::try_from(width).ok()?, u16::try_from(height).ok()?);
    (sides.0 > 0 && sides.1 > 0).then_some(sides)
}

/// Without the bytes that keep start codes away (section 7.4.1).
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len().min(LONGEST));
    let mut zeros = 0;
    for &byte in bytes.iter().take(LONGEST) {
        if zeros >= 2 && byte == ESCAPE {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

/// Pixels of a sample of colour, the unit of cropping.
struct Chroma {
    width: u64,
    height: u64,
}

impl Chroma {
    const FULL: Self = Self {
        width: 1,
        height: 1,
    };
    const HALF: Self = Self {
        width: 2,
        height: 2,
    };
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// Up to 32 bits, the most significant first.
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// `ue(v)`, of at most 20 bits. A signed number `se(v)` is as long.
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > MOST_ZEROS {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }

    /// What only the high profiles say.
    fn chroma(&mut self) -> Option<Chroma> {
        let chroma = match self.number()? {
            1 => Chroma::HALF,
            2 => Chroma {
                width: 2,
                height: 1,
            },
            format => {
                if format == 3 {
                    self.take(1)?;
                }
                Chroma::FULL
            }
        };
        self.number()?; // bit depths
        self.number()?;
        self.take(1)?;
        // Scaling lists are not what a browser sends: passing them is more than a size is worth.
        (self.take(1)? == 0).then_some(chroma)
    }

    /// How the order of pictures is told.
    fn order_count(&mut self) -> Option<()> {
        match self.number()? {
            0 => drop(self.number()?),
            1 => {
                self.take(1)?;
                self.number()?;
                self.number()?;
                for _ in 0..self.number()? {
                    self.number()?; // ends with the bytes
                }
            }
            _ => {}
        }
        Some(())
    }
}

const TYPE: u8 = 0x1f;
const SEQUENCE_PARAMETERS: u8 = 7;
const AGGREGATE: u8 = 24;
const ESCAPE: u8 = 3;
/// Bytes of a parameter set that are read.
const LONGEST: usize = 128;
/// Of a number: what is larger has no place before the size.
const MOST_ZEROS: usize = 20;
/// Profiles that tell of chroma.
const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

#[cfg(test)]
mod tests {
    use super::read;

    /// As x264 wrote them: high 320x180, baseline 640x360, high 4:4:4 1920x1080, all cropped.
    const SETS: [(&[u8], (u16, u16)); 3] = [
        (
            &[
                0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00,
                0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42, 0x99, 0x60,
            ],
            (320, 180),
        ),
        (
            &[
                0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03,
                0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16, 0x2e, 0x48,
            ],
            (640, 360),
        ),
        (
            &[
                0x67, 0xf4, 0x00, 0x28, 0x91, 0x9b, 0x28, 0x0f, 0x00, 0x44, 0xfc, 0x4e, 0x02, 0x20,
                0x00, 0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x07, 0x81, 0xe3, 0x06, 0x32, 0xc0,
            ],
            (1920, 1080),
        ),
    ];

    /// Alone, and behind another unit in a STAP-A.
    #[test]
    fn reads_sizes() {
        for (set, size) in SETS {
            assert_eq!(read(set).size, Some(size));
            let mut aggregate = vec![0x18, 0, 2, 0x09, 0x10, 0, set.len() as u8];
            aggregate.extend(set);
            aggregate.extend([0, 1, 0x68]);
            assert_eq!(read(&aggregate).size, Some(size));
        }
        assert_eq!(read(&[0x65, 1, 2, 3]).size, None);
    }

    /// Torn or broken at any place: another size or none, and no panic.
    #[test]
    fn survives_broken_sets() {
        for (set, _) in SETS {
            for end in 0..6 {
                assert_eq!(read(&set[..end]).size, None, "{end} bytes");
            }
            for place in 1..set.len() {
                for bit in 0..8 {
                    let mut broken = set.to_vec();
                    broken[place] ^= 1 << bit;
                    assert_ne!(read(&broken).size, Some((0, 0)));
                }
            }
        }
        assert_eq!(read(&[0x67; 2000]).size, None);
        assert_eq!(
            read(&[[0x67, 0x42, 0, 0].as_slice(), &[0; 500]].concat()).size,
            None
        );
    }
}
