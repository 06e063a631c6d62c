//! Writes a compound packet into a caller's buffer, message by message.
//!
//! Rule: a message is written whole or not at all; after [`Full`] the packet is as it was before.

use super::{
    APPLICATION, BLOCK, FIR, GOODBYE, NACK, PAYLOAD_FEEDBACK, PLI, RECEIVER_REPORT, REMB,
    ReportBlock, SENDER_INFO, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo, TRANSPORT_CC,
    TRANSPORT_FEEDBACK,
};

/// A compound packet in the making.
#[derive(Debug)]
pub struct Writer<'a> {
    buf: &'a mut [u8],
    len: usize,
}

/// The buffer has no room for the message, or the message is larger than its counters can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for the message")]
pub struct Full;

impl<'a> Writer<'a> {
    /// An empty packet at the start of `buf`.
    pub const fn new(buf: &'a mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    /// Bytes written so far.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// RFC 3550 section 6.4.1.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn sender_report(
        &mut self,
        sender: u32,
        info: &SenderInfo,
        blocks: &[ReportBlock],
    ) -> Result<(), Full> {
        let len = 4 + SENDER_INFO + blocks.len() * BLOCK;
        let mut body = self.message(SENDER_REPORT, blocks.len(), len)?;
        body.word(sender);
        body.word((info.ntp >> 32) as u32);
        body.word(info.ntp as u32);
        body.word(info.rtp_timestamp);
        body.word(info.packets);
        body.word(info.octets);
        blocks.iter().for_each(|block| body.block(block));
        Ok(())
    }

    /// RFC 3550 section 6.4.2.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn receiver_report(&mut self, sender: u32, blocks: &[ReportBlock]) -> Result<(), Full> {
        let mut body = self.message(RECEIVER_REPORT, blocks.len(), 4 + blocks.len() * BLOCK)?;
        body.word(sender);
        blocks.iter().for_each(|block| body.block(block));
        Ok(())
    }

    /// A source description with the canonical name alone (RFC 3550 section 6.5.1), which is cut
    /// at 255 bytes.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn canonical_name(&mut self, sender: u32, name: &str) -> Result<(), Full> {
        let name = &name.as_bytes()[..name.len().min(255)];
        // The list of items ends with a zero, and the chunk at a word.
        let len = (4 + 2 + name.len() + 1).next_multiple_of(4);
        let mut body = self.message(SOURCE_DESCRIPTION, 1, len)?;
        body.word(sender);
        body.bytes(&[1, name.len() as u8]);
        body.bytes(name);
        body.end();
        Ok(())
    }

    /// RFC 3550 section 6.6.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn bye(&mut self, sources: &[u32]) -> Result<(), Full> {
        let mut body = self.message(GOODBYE, sources.len(), sources.len() * 4)?;
        sources.iter().for_each(|source| body.word(*source));
        Ok(())
    }

    /// RFC 4585 section 6.2.1; the numbers in the order in which they were sent.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn nack(&mut self, sender: u32, media: u32, lost: &[u16]) -> Result<(), Full> {
        let pairs = || NackPairs(lost);
        let mut body = self.message(TRANSPORT_FEEDBACK, NACK.into(), 8 + pairs().count() * 4)?;
        body.word(sender);
        body.word(media);
        pairs().for_each(|(first, mask)| body.word(u32::from(first) << 16 | u32::from(mask)));
        Ok(())
    }

    /// RFC 4585 section 6.3.1.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn pli(&mut self, sender: u32, media: u32) -> Result<(), Full> {
        let mut body = self.message(PAYLOAD_FEEDBACK, PLI.into(), 8)?;
        body.word(sender);
        body.word(media);
        Ok(())
    }

    /// RFC 5104 section 4.3.1, for one source.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn fir(&mut self, sender: u32, media: u32, number: u8) -> Result<(), Full> {
        let mut body = self.message(PAYLOAD_FEEDBACK, FIR.into(), 16)?;
        body.word(sender);
        body.word(0);
        body.word(media);
        body.word(u32::from(number) << 24);
        Ok(())
    }

    /// draft-alvestrand-rmcat-remb-03; `bitrate` in bit/s, of which 18 binary digits are kept.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn remb(&mut self, sender: u32, bitrate: u64, sources: &[u32]) -> Result<(), Full> {
        let count = u8::try_from(sources.len()).map_err(|_| Full)?;
        let len = 16 + sources.len() * 4;
        let mut body = self.message(PAYLOAD_FEEDBACK, APPLICATION.into(), len)?;
        body.word(sender);
        body.word(0);
        body.bytes(&REMB);
        let exponent = (64 - bitrate.leading_zeros()).saturating_sub(18);
        let mantissa = (bitrate >> exponent) as u32;
        body.word(u32::from(count) << 24 | exponent << 18 | mantissa);
        sources.iter().for_each(|source| body.word(*source));
        Ok(())
    }

    /// draft-holmer-rmcat-transport-wide-cc-extensions-01: the packets from `base` on, each with
    /// its distance in 250 us from the one before (the first from `reference`, in 64 ms), or None
    /// when it did not arrive. Written in the plainest form, two bits for each status.
    ///
    /// # Errors
    ///
    /// [`Full`], also when a distance does not fit 16 bits.
    pub fn transport_cc(
        &mut self,
        (sender, media): (u32, u32),
        base: u16,
        (reference, number): (u32, u8),
        deltas: &[Option<i32>],
    ) -> Result<(), Full> {
        let count = u32::from(u16::try_from(deltas.len()).map_err(|_| Full)?);
        let fits = |delta: &i32| i16::try_from(*delta).is_ok();
        if !deltas.iter().flatten().all(fits) {
            return Err(Full);
        }
        let times = deltas.iter().map(|delta| usize::from(status(*delta)));
        let len = (16 + deltas.len().div_ceil(7) * 2 + times.sum::<usize>()).next_multiple_of(4);
        let mut body = self.message(TRANSPORT_FEEDBACK, TRANSPORT_CC.into(), len)?;
        body.word(sender);
        body.word(media);
        body.word(u32::from(base) << 16 | count);
        body.word(reference << 8 | u32::from(number));
        for statuses in deltas.chunks(7) {
            let pairs = statuses.iter().enumerate();
            let bits = pairs.map(|(at, delta)| u16::from(status(*delta)) << (12 - 2 * at));
            body.bytes(&(0xc000 | bits.sum::<u16>()).to_be_bytes());
        }
        for delta in deltas.iter().flatten() {
            match u8::try_from(*delta) {
                Ok(small) => body.bytes(&[small]),
                Err(_) => body.bytes(&(*delta as i16).to_be_bytes()),
            }
        }
        body.end();
        Ok(())
    }

    /// Header and room for a body of `len` bytes, a multiple of four.
    fn message(&mut self, packet_type: u8, count: usize, len: usize) -> Result<Body<'_>, Full> {
        let words = u16::try_from(len / 4).map_err(|_| Full)?.to_be_bytes();
        let count = u8::try_from(count).ok().filter(|count| *count < 32);
        let first = 0x80 | count.ok_or(Full)?;
        let end = self.len + 4 + len;
        let message = self.buf.get_mut(self.len..end).ok_or(Full)?;
        self.len = end;
        let (header, body) = message.split_at_mut(4);
        header.copy_from_slice(&[first, packet_type, words[0], words[1]]);
        Ok(Body { rest: body })
    }
}

/// What is left to write of a message.
struct Body<'a> {
    rest: &'a mut [u8],
}

impl Body<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let (place, rest) = std::mem::take(&mut self.rest).split_at_mut(bytes.len());
        place.copy_from_slice(bytes);
        self.rest = rest;
    }

    fn word(&mut self, word: u32) {
        self.bytes(&word.to_be_bytes());
    }

    fn block(&mut self, block: &ReportBlock) {
        let lost = block.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        self.word(block.ssrc);
        self.word(u32::from(block.fraction_lost) << 24 | lost);
        self.word(block.highest_sequence);
        self.word(block.jitter);
        self.word(block.last_report);
        self.word(block.delay);
    }

    /// Zeros up to the end.
    fn end(self) {
        self.rest.fill(0);
    }
}

/// A lost number and the sixteen behind it as bits, for as long as the numbers rise.
struct NackPairs<'a>(&'a [u16]);

impl Iterator for NackPairs<'_> {
    type Item = (u16, u16);

    fn next(&mut self) -> Option<(u16, u16)> {
        let (first, mut rest) = self.0.split_first()?;
        let (mut mask, mut last) = (0_u16, 0);
        while let [next, after @ ..] = rest {
            let distance = next.wrapping_sub(*first);
            if distance <= last || distance > 16 {
                break;
            }
            mask |= 1 << (distance - 1);
            last = distance;
            rest = after;
        }
        self.0 = rest;
        Some((*first, mask))
    }
}

/// Not received, a small step, a large one; also the bytes that its time takes.
fn status(delta: Option<i32>) -> u8 {
    match delta {
        None => 0,
        Some(delta) if u8::try_from(delta).is_ok() => 1,
        Some(_) => 2,
    }
}
