//! Key frames: how to recognise the packet that starts one, and how often to ask for one.

use std::time::{Duration, Instant};

use str0m::format::Codec;

use crate::layers::{Facts, Head};

/// Whether decoding can start at this packet. Audio always can.
pub(crate) fn starts_keyframe(codec: Codec, payload: &[u8], facts: &Facts) -> bool {
    match codec {
        Codec::Vp8 => matches!(facts.head, Head::Vp8(head) if head.starts_key),
        Codec::Vp9 => vp9(payload),
        Codec::Av1 => av1(payload),
        Codec::H264 => h264(payload),
        _ => true,
    }
}

/// RFC 9628 section 4.2: begins a frame, is not inter-predicted, lowest spatial layer.
fn vp9(payload: &[u8]) -> bool {
    let Some(&flags) = payload.first() else {
        return false;
    };
    let (picture_id, inter, layers, begin) = (
        flags & 0x80 != 0,
        flags & 0x40 != 0,
        flags & 0x20 != 0,
        flags & 0x08 != 0,
    );
    if inter || !begin {
        return false;
    }
    if !layers {
        return true;
    }
    let at = match (picture_id, payload.get(1)) {
        (false, _) => 1,
        (true, Some(id)) if id & 0x80 != 0 => 3,
        (true, _) => 2,
    };
    payload
        .get(at)
        .is_some_and(|layer| (layer >> 1) & 0x07 == 0)
}

/// AV1 RTP 1.0 section 4.4: the N bit, first packet of a coded video sequence.
fn av1(payload: &[u8]) -> bool {
    payload.first().is_some_and(|header| header & 0x08 != 0)
}

/// RFC 6184: an SPS, alone or in a STAP-A, or the first packet of an IDR picture.
fn h264(payload: &[u8]) -> bool {
    let Some(&first) = payload.first() else {
        return false;
    };
    match first & 0x1f {
        NAL_IDR | NAL_SPS => true,
        NAL_STAP_A => {
            let mut rest = &payload[1..];
            while let [high, low, unit @ ..] = rest {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                match unit.first().map(|byte| byte & 0x1f) {
                    Some(NAL_IDR | NAL_SPS) => return true,
                    Some(_) => rest = unit.get(len..).unwrap_or_default(),
                    None => return false,
                }
            }
            false
        }
        NAL_FU_A => payload
            .get(1)
            .is_some_and(|fu| fu & 0x80 != 0 && fu & 0x1f == NAL_IDR),
        _ => false,
    }
}

/// Coalesces requests: at most one per [`INTERVAL`], repeated until a key frame comes.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    wanted: bool,
    last: Option<Instant>,
    /// When to look again.
    due: Option<Instant>,
}

/// What the owner of a throttle must do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Send a request, then call [`Throttle::fire`] at the given moment.
    Now(Instant),
    /// Call [`Throttle::fire`] at the given moment.
    At(Instant),
    /// Nothing: a timer is running.
    Nothing,
}

impl Throttle {
    /// Someone wants a key frame.
    pub(crate) fn want(&mut self, now: Instant) -> Ask {
        self.wanted = true;
        if self.due.is_some() {
            return Ask::Nothing;
        }
        let next = self.last.map(|last| last + INTERVAL);
        match next.filter(|next| *next > now) {
            Some(next) => {
                self.due = Some(next);
                Ask::At(next)
            }
            None => self.send(now),
        }
    }

    /// A timer fired, perhaps that of another throttle.
    pub(crate) fn fire(&mut self, now: Instant) -> Ask {
        if self.due.is_none_or(|due| due > now) {
            return Ask::Nothing;
        }
        self.due = None;
        if self.wanted {
            self.send(now)
        } else {
            Ask::Nothing
        }
    }

    /// A key frame came. True when it was wanted.
    pub(crate) const fn satisfied(&mut self) -> bool {
        std::mem::replace(&mut self.wanted, false)
    }

    fn send(&mut self, now: Instant) -> Ask {
        self.last = Some(now);
        self.due = Some(now + INTERVAL);
        Ask::Now(now + INTERVAL)
    }
}

/// The shortest time between two requests to one publisher.
const INTERVAL: Duration = Duration::from_millis(500);
const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_STAP_A: u8 = 24;
const NAL_FU_A: u8 = 28;

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten requests in a burst cost one PLI; it is repeated until a key frame comes.
    #[test]
    fn coalesces() {
        #[allow(clippy::disallowed_methods)] // a test needs some moment to start from
        let start = Instant::now();
        let mut throttle = Throttle::default();
        assert_eq!(throttle.want(start), Ask::Now(start + INTERVAL));
        for _ in 0..9 {
            assert_eq!(throttle.want(start), Ask::Nothing);
        }
        assert_eq!(
            throttle.fire(start + INTERVAL),
            Ask::Now(start + 2 * INTERVAL)
        );
        throttle.satisfied();
        assert_eq!(throttle.fire(start + 2 * INTERVAL), Ask::Nothing);
        let soon = start + INTERVAL + Duration::from_millis(510);
        assert_eq!(throttle.want(soon), Ask::Now(soon + INTERVAL));
    }

    /// H.264: parameter sets and IDR slices start decoding, delta slices do not.
    #[test]
    fn h264_starts() {
        assert!(h264(&[0x67, 1, 2]));
        assert!(h264(&[0x78, 0, 2, 0x67, 1, 0, 1, 0x68]));
        assert!(h264(&[0x7c, 0x85, 0]));
        assert!(!h264(&[0x7c, 0x05, 0]));
        assert!(!h264(&[0x41, 0]));
        assert!(!h264(&[0x78, 0, 0]));
    }

    /// VP9: only the first packet of an intra frame on the base layer.
    #[test]
    fn vp9_starts() {
        assert!(vp9(&[0x88, 0x11]));
        assert!(vp9(&[0xa8, 0x91, 0x22, 0x00]));
        assert!(!vp9(&[0xa8, 0x11, 0x02]));
        assert!(!vp9(&[0xc8, 0x11]));
        assert!(!vp9(&[0x80, 0x11]));
    }
}
