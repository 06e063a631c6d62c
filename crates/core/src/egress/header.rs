//! RTP headers (RFC 3550 section 5.1) with the extensions of one m-line (RFC 8285).
//!
//! Each peer numbers extensions as it likes; [`Ids`] are what it agreed to. The one-byte form is
//! used unless a value is longer than 16 bytes or an id higher than 14.

use str0m::rtp::{Extension, ExtensionMap};

use super::content::Carried;
use crate::extension::DEPENDENCY_DESCRIPTOR;

/// The extension ids of one m-line; 0 is "not negotiated".
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ids {
    mid: u8,
    pub(crate) transport_cc: u8,
    send_time: u8,
    audio_level: u8,
    orientation: u8,
    capture_time: u8,
    playout_delay: u8,
    descriptor: u8,
    /// One of them is too high for the one-byte form.
    is_long: bool,
}

impl Ids {
    /// What the peer agreed to.
    pub(crate) fn new(map: &ExtensionMap) -> Self {
        let mut ids = Self::default();
        for (id, extension) in map.iter() {
            match extension {
                Extension::RtpMid => ids.mid = id,
                Extension::TransportSequenceNumber => ids.transport_cc = id,
                Extension::AbsoluteSendTime => ids.send_time = id,
                Extension::AudioLevel => ids.audio_level = id,
                Extension::VideoOrientation => ids.orientation = id,
                Extension::AbsoluteCaptureTime => ids.capture_time = id,
                Extension::PlayoutDelay => ids.playout_delay = id,
                other if other.as_uri() == DEPENDENCY_DESCRIPTOR => ids.descriptor = id,
                _ => {}
            }
        }
        ids.is_long = ids.highest() > SHORT_ID;
        ids
    }
}

/// The fixed part of a header.
#[derive(Clone, Copy)]
pub(crate) struct Fixed {
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    /// The payload ends in padding.
    pub(crate) padding: bool,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

/// What goes into the extensions, as far as the peer takes it.
pub(crate) struct Values<'a> {
    pub(crate) mid: Option<&'a str>,
    pub(crate) transport_cc: u16,
    /// abs-send-time, 24 bits.
    pub(crate) send_time: u32,
    pub(crate) carried: Option<&'a Carried>,
    /// Takes the place of the descriptor's own frame number.
    pub(crate) frame_number: Option<u16>,
    /// What the receiver is asked to wait, unless the publisher asks for something itself.
    pub(crate) playout: Option<Playout>,
}

/// A playout-delay extension: the least and the most, 12 bits each, in units of 10 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Playout(pub(crate) [u8; 3]);

impl Playout {
    /// This many ms at least, and ten seconds at most: with less than half a second as the most and
    /// zero as the least, a browser would show pictures as they come.
    pub(crate) const fn at_least(ms: u32) -> Self {
        let least = if ms / 10 < MOST { ms / 10 } else { MOST };
        let [_, bytes @ ..] = ((least << 12) | MOST).to_be_bytes();
        Self(bytes)
    }
}

/// Writes a header into `out`, in the place of what was there.
pub(crate) fn write(out: &mut Vec<u8>, fixed: &Fixed, ids: &Ids, values: &Values<'_>) {
    out.clear();
    let mut first = [0; FIXED];
    first[0] = VERSION | u8::from(fixed.padding) << 5;
    first[1] = fixed.payload_type | u8::from(fixed.marker) << 7;
    first[2..4].copy_from_slice(&fixed.sequence.to_be_bytes());
    first[4..8].copy_from_slice(&fixed.timestamp.to_be_bytes());
    first[8..].copy_from_slice(&fixed.ssrc.to_be_bytes());
    let is_bare = values.mid.is_none()
        && values.playout.is_none()
        && values.carried.is_none_or(Carried::is_bare);
    if is_bare && !ids.is_long {
        return bare(out, first, ids, values);
    }
    out.extend_from_slice(&first);
    let long = values
        .carried
        .and_then(|carried| carried.descriptor.as_ref())
        .is_some_and(|descriptor| ids.descriptor != 0 && descriptor.0.len() > SHORT);
    let written = if long || ids.is_long {
        extensions::<true>(out, ids, values)
    } else {
        extensions::<false>(out, ids, values)
    };
    if written {
        out[0] |= EXTENSION;
    }
}

/// What most headers are: nothing but the number and the time, in one piece.
fn bare(out: &mut Vec<u8>, first: [u8; FIXED], ids: &Ids, values: &Values<'_>) {
    let mut bytes = [0; BARE];
    bytes[..FIXED].copy_from_slice(&first);
    let mut end = FIXED + HEAD;
    if ids.transport_cc != 0 {
        let [high, low] = values.transport_cc.to_be_bytes();
        bytes[end..end + 3].copy_from_slice(&[ids.transport_cc << 4 | 1, high, low]);
        end += 3;
    }
    if ids.send_time != 0 {
        let time = values.send_time & 0x00ff_ffff | u32::from(ids.send_time << 4 | 2) << 24;
        bytes[end..end + 4].copy_from_slice(&time.to_be_bytes());
        end += 4;
    }
    let words = (end - FIXED - HEAD).div_ceil(4);
    if words == 0 {
        return out.extend_from_slice(&first);
    }
    bytes[0] |= EXTENSION;
    bytes[FIXED..FIXED + HEAD].copy_from_slice(&[SHORT_FORM[0], SHORT_FORM[1], 0, words as u8]);
    out.extend_from_slice(&bytes[..FIXED + HEAD + 4 * words]);
}

impl Ids {
    const fn highest(&self) -> u8 {
        // Ids are small: or-ing them finds out whether any has a bit that the short form lacks.
        // 15 is the one number that four bits hold and the short form does not.
        let all = [
            self.mid,
            self.transport_cc,
            self.send_time,
            self.audio_level,
            self.orientation,
            self.capture_time,
            self.playout_delay,
            self.descriptor,
        ];
        let (mut highest, mut at) = (0, 0);
        while at < all.len() {
            if all[at] > highest {
                highest = all[at];
            }
            at += 1;
        }
        highest
    }
}

/// Writes the extension part; false when there is nothing in it.
fn extensions<const LONG: bool>(out: &mut Vec<u8>, ids: &Ids, values: &Values<'_>) -> bool {
    let start = out.len();
    out.extend_from_slice(if LONG { &LONG_FORM } else { &SHORT_FORM });
    let mut element = |id: u8, bytes: &[u8]| {
        if id == 0 || bytes.is_empty() {
            return;
        }
        if LONG {
            out.extend_from_slice(&[id, bytes.len() as u8]);
        } else {
            out.push(id << 4 | (bytes.len() - 1) as u8);
        }
        out.extend_from_slice(bytes);
    };
    element(ids.transport_cc, &values.transport_cc.to_be_bytes());
    element(ids.send_time, &values.send_time.to_be_bytes()[1..]);
    if let Some(mid) = values.mid {
        element(ids.mid, mid.as_bytes());
    }
    let own = values.carried.and_then(|carried| carried.playout_delay);
    if let Some(delay) = own.or(values.playout.map(|playout| playout.0)) {
        element(ids.playout_delay, &delay);
    }
    if let Some(carried) = values.carried {
        if let Some(level) = carried.audio_level {
            element(ids.audio_level, &[level]);
        }
        if let Some(orientation) = carried.orientation {
            element(ids.orientation, &[orientation]);
        }
        if let Some(time) = &carried.capture_time {
            element(ids.capture_time, time.bytes());
        }
        if let Some(descriptor) = carried.descriptor.as_ref().filter(|_| ids.descriptor != 0) {
            element(ids.descriptor, &descriptor.0);
            if let (Some(number), Some(at)) = (
                values.frame_number,
                out.len().checked_sub(descriptor.0.len()),
            ) && descriptor.0.len() >= 3
            {
                out[at + 1..at + 3].copy_from_slice(&number.to_be_bytes());
            }
        }
    }
    let len = out.len() - start - HEAD;
    if len == 0 {
        out.truncate(start);
        return false;
    }
    let words = len.div_ceil(4);
    out.resize(start + HEAD + 4 * words, 0);
    out[start + 2..start + 4].copy_from_slice(&(words as u16).to_be_bytes());
    true
}

/// Ten seconds, in units of 10 ms.
const MOST: u32 = 1_000;
const VERSION: u8 = 2 << 6;
const EXTENSION: u8 = 1 << 4;
/// Bytes of the fixed part, and of the extension part before its first element.
const FIXED: usize = 12;
const HEAD: usize = 4;
/// Bytes of a header with number and time.
const BARE: usize = FIXED + HEAD + 8;
const SHORT_FORM: [u8; HEAD] = [0xbe, 0xde, 0, 0];
const LONG_FORM: [u8; HEAD] = [0x10, 0, 0, 0];
/// The longest value and the highest id of the one-byte form.
const SHORT: usize = 16;
const SHORT_ID: u8 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_in_one_piece_is_the_one_made_of_elements() {
        for (transport_cc, send_time) in [(0, 0), (3, 0), (0, 5), (3, 5), (14, 1)] {
            let ids = Ids {
                transport_cc,
                send_time,
                mid: 4,
                ..Ids::default()
            };
            let values = Values {
                mid: None,
                transport_cc: 0xfedc,
                send_time: 0x1234_5678,
                carried: Some(&Carried::default()),
                frame_number: None,
                playout: None,
            };
            let fixed = Fixed {
                payload_type: 96,
                marker: true,
                padding: false,
                sequence: 65_000,
                timestamp: 0x0102_0304,
                ssrc: 0xa0b0_c0d0,
            };
            let (mut whole, mut pieces) = (Vec::new(), Vec::new());
            write(&mut whole, &fixed, &ids, &values);
            pieces.extend_from_slice(&whole[..FIXED]);
            let written = extensions::<false>(&mut pieces, &ids, &values);
            assert_eq!(whole, pieces, "{transport_cc}, {send_time}");
            assert_eq!(written, whole[0] & EXTENSION != 0);
        }
    }
}
