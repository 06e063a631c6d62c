//! What was seen: pictures put together from packets, decoded in order where what they build on was.
//!
//! A picture is complete when its packets follow each other without a gap from start to marker. It
//! is decoded when it is a key frame, when it is the next of temporal layer 0, or when it is of a
//! higher temporal layer and its layer-0 picture was the last one decoded (RFC 7741 section 4.2).
//! Whoever sees nothing for a second asks for a key frame.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::pictures::Arrival;
use crate::lab::source::{STAMP, read_stamp};

/// A picture that could be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture {
    pub(crate) arrival: Arrival,
    pub(crate) layer: u8,
}

impl Picture {
    pub(crate) const fn captured(&self) -> Duration {
        self.arrival.captured
    }

    pub(crate) const fn decoded(&self) -> Duration {
        self.arrival.decodable
    }
}

/// Puts pictures together and decodes them.
#[derive(Debug, Default)]
pub(crate) struct Eye {
    pub(crate) pictures: Vec<Picture>,
    /// Requests for a key frame so far.
    pub(crate) requests: u64,
    shards: BTreeMap<u64, Shard>,
    /// The layer-0 index of the last decoded layer-0 picture.
    tl0: Option<u8>,
    decoded_to: u64,
    last_packet: Option<Duration>,
    asked: Option<Duration>,
}

/// A packet as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Came<'a> {
    pub(crate) at: Duration,
    pub(crate) sequence: u64,
    pub(crate) marker: bool,
    pub(crate) payload: &'a [u8],
    /// It came as a retransmission.
    pub(crate) repaired: bool,
    /// The least delay that it orders.
    pub(crate) ordered: Option<Duration>,
}

/// What a packet says about its picture; nothing if it is padding.
#[derive(Clone, Copy, Debug)]
struct Shard {
    at: Duration,
    marker: bool,
    size: usize,
    repaired: bool,
    ordered: Option<Duration>,
    part: Option<Part>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    start: bool,
    key_frame: bool,
    tl0: u8,
    temporal: u8,
    captured: Duration,
    layer: u8,
}

impl Eye {
    /// A packet.
    pub(crate) fn see(&mut self, came: &Came<'_>) {
        self.last_packet = Some(came.at);
        if came.sequence <= self.decoded_to && self.decoded_to > 0 {
            return;
        }
        let shard = Shard {
            at: came.at,
            marker: came.marker,
            size: came.payload.len(),
            repaired: came.repaired,
            ordered: came.ordered,
            part: Part::parse(came.payload),
        };
        self.shards.insert(came.sequence, shard);
        if self.shards.len() > MOST {
            self.shards.pop_first();
        }
        while let Some((packets, part)) = self.next_picture() {
            let arrival = self.arrival(packets.clone(), part, came.at);
            self.shards = self.shards.split_off(&(packets.end() + 1));
            self.decoded_to = *packets.end();
            if part.temporal == 0 {
                self.tl0 = Some(part.tl0);
            }
            self.pictures.push(Picture {
                arrival,
                layer: part.layer,
            });
        }
    }

    fn arrival(&self, packets: RangeInclusive<u64>, part: Part, decodable: Duration) -> Arrival {
        let shards = self.shards.range(packets.clone()).map(|(_, shard)| shard);
        // What the first packet orders counts for the picture.
        let first = self.shards.get(packets.start());
        Arrival {
            captured: part.captured,
            complete: shards.clone().map(|s| s.at).max().unwrap_or(decodable),
            decodable,
            size: shards.clone().map(|s| s.size).sum(),
            repaired: shards.clone().any(|s| s.repaired),
            ordered: first.and_then(|shard| shard.ordered),
        }
    }

    /// Whether a browser would ask for a key frame now; counts as asked.
    pub(crate) fn asks(&mut self, now: Duration) -> bool {
        let packets = self.last_packet.is_some_and(|at| now < at + PATIENCE);
        let seen = self.pictures.last().map(Picture::decoded);
        let stuck = seen.is_none_or(|at| now >= at + PATIENCE);
        let again = self.asked.is_none_or(|at| now >= at + AGAIN);
        let asks = packets && stuck && again;
        if asks {
            self.asked = Some(now);
            self.requests += 1;
        }
        asks
    }

    /// The first picture that is complete and can be decoded: its packets and what it is.
    fn next_picture(&self) -> Option<(RangeInclusive<u64>, Part)> {
        let mut open: Option<(u64, Part)> = None;
        let mut expected = 0;
        for (sequence, shard) in &self.shards {
            if *sequence != expected {
                open = None;
            }
            expected = sequence + 1;
            if let Some(part) = shard.part.filter(|part| part.start) {
                open = Some((*sequence, part));
            }
            if let Some((first, part)) = open.filter(|_| shard.marker) {
                if self.decodes(part) {
                    return Some((first..=*sequence, part));
                }
                open = None;
            }
        }
        None
    }

    fn decodes(&self, part: Part) -> bool {
        match self.tl0 {
            _ if part.key_frame => true,
            Some(tl0) if part.temporal == 0 => part.tl0 == tl0.wrapping_add(1),
            Some(tl0) => part.tl0 == tl0,
            None => false,
        }
    }
}

impl Part {
    /// Reads a payload descriptor (RFC 7741 section 4.2), the header's first bit and the stamp.
    fn parse(payload: &[u8]) -> Option<Self> {
        let (first, mut rest) = payload.split_first()?;
        let (mut tl0, mut temporal) = (0, 0);
        if first & 0x80 != 0 {
            let (extension, after) = rest.split_first()?;
            rest = after;
            if extension & 0x80 != 0 {
                let long = rest.first()? & 0x80 != 0;
                rest = rest.get(if long { 2 } else { 1 }..)?;
            }
            if extension & 0x40 != 0 {
                (tl0, rest) = rest.split_first().map(|(tl0, rest)| (*tl0, rest))?;
            }
            if extension & 0x30 != 0 {
                temporal = rest.first()? >> 6;
                rest = rest.get(1..)?;
            }
        }
        let start = first & 0x10 != 0;
        let (captured, layer) = read_stamp(rest.get(STAMP..)?)?;
        Some(Self {
            start,
            key_frame: start && rest.first()? & 1 == 0,
            tl0,
            temporal,
            captured,
            layer,
        })
    }
}

/// Time without a picture after which a key frame is asked for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two such requests.
const AGAIN: Duration = Duration::from_millis(500);
/// Packets kept while something is missing.
const MOST: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Vp8Descriptor, vp8_payload};

    /// One packet: picture number (0 is the key frame, odd ones are of temporal layer 1), which
    /// part of how many.
    fn show(eye: &mut Eye, sequence: u64, picture: u16, part: u64, parts: u64) {
        let descriptor = Vp8Descriptor {
            picture_id: picture,
            tl0_pic_idx: (picture / 2) as u8,
            start: part == 0,
            key_frame: picture == 0,
        };
        let mut payload = vp8_payload(descriptor, 60, 0);
        payload[5] = ((picture % 2) as u8) << 6;
        payload[6 + STAMP..6 + STAMP + 9].fill(0);
        eye.see(&Came {
            at: Duration::ZERO,
            sequence,
            marker: part + 1 == parts,
            payload: &payload,
            repaired: false,
            ordered: None,
        });
    }

    #[test]
    fn a_gap_stops_the_picture_until_it_is_filled() {
        let mut eye = Eye::default();
        show(&mut eye, 10, 0, 0, 1);
        show(&mut eye, 11, 2, 0, 3);
        show(&mut eye, 13, 2, 2, 3);
        show(&mut eye, 14, 4, 0, 1);
        assert_eq!(eye.pictures.len(), 1);
        show(&mut eye, 12, 2, 1, 3);
        assert_eq!(eye.pictures.len(), 3);
    }

    #[test]
    fn a_lost_picture_of_the_upper_layer_stops_nothing() {
        let mut eye = Eye::default();
        show(&mut eye, 10, 0, 0, 1);
        show(&mut eye, 12, 2, 0, 1);
        show(&mut eye, 14, 4, 0, 1);
        assert_eq!(eye.pictures.len(), 3);
    }

    #[test]
    fn nothing_is_shown_before_a_key_frame_and_one_is_asked_for() {
        let mut eye = Eye::default();
        show(&mut eye, 10, 2, 0, 1);
        assert!(eye.pictures.is_empty());
        assert!(eye.asks(Duration::ZERO));
        assert!(!eye.asks(Duration::from_millis(400)), "once is enough");
        assert!(eye.asks(Duration::from_millis(500)));
        show(&mut eye, 11, 0, 0, 1);
        assert!(!eye.asks(Duration::from_millis(999)), "it came");
    }
}
