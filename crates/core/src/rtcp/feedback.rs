//! What feedback messages repeat: lost sequence numbers and key-frame requests.

/// The sequence numbers of a NACK (RFC 4585 section 6.2.1), in the order written.
#[derive(Clone, Copy, Debug)]
pub struct Lost<'a> {
    rest: &'a [u8],
    /// The number before the next bit of `mask`.
    last: u16,
    mask: u16,
}

impl<'a> Lost<'a> {
    pub(super) const fn new(pairs: &'a [u8]) -> Self {
        Self {
            rest: pairs,
            last: 0,
            mask: 0,
        }
    }
}

impl Iterator for Lost<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.mask != 0 {
            let skip = self.mask.trailing_zeros() as u16 + 1;
            self.last = self.last.wrapping_add(skip);
            self.mask = self.mask.checked_shr(u32::from(skip)).unwrap_or(0);
            return Some(self.last);
        }
        let (pair, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        self.last = u16::from_be_bytes([pair[0], pair[1]]);
        self.mask = u16::from_be_bytes([pair[2], pair[3]]);
        Some(self.last)
    }
}

/// Source and number of each request of a FIR (RFC 5104 section 4.3.1.1); a request with the
/// number of the last one is its repetition.
#[derive(Clone, Copy, Debug)]
pub struct KeyFrameRequests<'a>(&'a [u8]);

impl<'a> KeyFrameRequests<'a> {
    pub(super) const fn new(entries: &'a [u8]) -> Self {
        Self(entries)
    }
}

impl Iterator for KeyFrameRequests<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<(u32, u8)> {
        let (entry, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        let ssrc = u32::from_be_bytes([entry[0], entry[1], entry[2], entry[3]]);
        Some((ssrc, entry[4]))
    }
}
