//! The media half of a browser that watches: opens SRTP, asks for what is missing, reports.
//!
//! str0m's receiving half gives a packet up after five requests or a hundred packets; browsers
//! try ten times within a thousand. A server is judged by what browsers do, so a peer made by
//! [`crate::World::add_viewer`] keeps str0m for ICE, DTLS, SDP and SCTP and has this for media:
//!
//! - NACK at once, then every round trip, ten times (`missing`);
//! - retransmissions unwrapped (RFC 4588), each packet handed on once;
//! - receiver reports every second, transport-wide feedback every 100 ms (`feedback`).

mod feedback;
mod missing;
mod sections;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::time::{Duration, Instant};

use headwater_core::srtp::{Keys, Opener, Sealer};
use str0m::media::{MediaTime, Mid};
use str0m::rtp::ExtensionValues;

use crate::peer::Received;
use feedback::{Arrivals, FEEDBACK, Report, nack, near, pli};
use missing::Missing;
use sections::{Apt, Offered};

type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Viewer {
    epoch: Instant,
    crypto: Option<(Sealer, Opener)>,
    streams: Map<u32, Stream>,
    /// Which stream a retransmission stream repairs.
    repairs: Map<u32, u32>,
    apt: Apt,
    arrivals: Arrivals,
    next_feedback: Instant,
    next_report: Instant,
    next_nack: Instant,
    outbox: Vec<Vec<u8>>,
}

/// What is known of one stream.
#[derive(Debug)]
struct Stream {
    offered: Offered,
    missing: Missing,
    seen: HashSet<u64, BuildHasherDefault<DefaultHasher>>,
    first: Option<u64>,
    came: u64,
    /// Expected and came at the last report.
    reported: (u64, u64),
    jitter: f64,
    transit: Option<f64>,
    /// Middle of the NTP time of the last sender report, and when it came.
    sender_report: Option<(u32, Instant)>,
}

impl Viewer {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            crypto: None,
            streams: Map::default(),
            repairs: Map::default(),
            apt: Apt::new(),
            arrivals: Arrivals::default(),
            next_feedback: now,
            next_report: now,
            next_nack: now,
            outbox: Vec::new(),
        }
    }

    /// Take what an offer says; streams already known keep their state.
    pub(crate) fn learn(&mut self, sdp: &str) {
        let (offered, apt) = sections::read(sdp);
        self.apt = apt;
        for stream in offered {
            if let Some(rtx) = stream.rtx {
                self.repairs.insert(rtx, stream.ssrc);
            }
            match self.streams.get_mut(&stream.ssrc) {
                Some(known) => known.offered = stream,
                None => drop(self.streams.insert(stream.ssrc, Stream::new(stream))),
            }
        }
    }

    /// The handshake has ended with these keys.
    pub(crate) fn start(&mut self, ours: &Keys, theirs: &Keys) {
        self.crypto = Some((Sealer::new(ours), Opener::new(theirs)));
    }

    /// Whether a datagram is for this half (RFC 7983).
    pub(crate) fn takes(datagram: &[u8]) -> bool {
        datagram.first().is_some_and(|b| (128..192).contains(b))
    }

    /// A datagram of SRTP or SRTCP; a media packet not seen before comes out.
    pub(crate) fn receive(&mut self, now: Instant, datagram: &[u8]) -> Option<Received> {
        let (_, opener) = self.crypto.as_mut()?;
        let mut buffer = datagram.to_vec();
        if (192..224).contains(datagram.get(1)?) {
            let compound = opener.open_rtcp(&mut buffer).ok()?.to_vec();
            self.note_reports(now, &compound);
            return None;
        }
        let (packet, sequence) = opener.open_rtp(&mut buffer).ok()?;
        let packet = Packet::parse(packet)?;
        self.note_arrival(now, &packet);
        let (ssrc, sequence, payload_type, payload) = self.unwrapped(&packet, sequence)?;
        let stream = self.streams.get_mut(&ssrc)?;
        stream.missing.arrived(sequence);
        if !stream.seen.insert(sequence) {
            return None;
        }
        // What came as a retransmission counts as lost in reports, as browsers count.
        if packet.ssrc == ssrc {
            stream.note(now - self.epoch, sequence, packet.timestamp);
        }
        self.ask(now, ssrc);
        Some(Received {
            at: now,
            mid: self.streams[&ssrc].offered.mid,
            payload_type,
            sequence,
            timestamp: packet.timestamp,
            ssrc,
            marker: packet.marker,
            payload,
            extensions: self.extensions(&packet, ssrc),
            repaired: packet.ssrc != ssrc,
        })
    }

    /// Ask for a key frame of what arrives at `mid`.
    pub(crate) fn request_key_frame(&mut self, mid: Mid) {
        let of_line = |stream: &&Stream| stream.offered.mid == mid && stream.came > 0;
        let stream = self.streams.values().filter(of_line).max_by_key(|s| s.came);
        if let Some(ssrc) = stream.map(|stream| stream.offered.ssrc) {
            self.seal(pli(ssrc));
        }
    }

    /// Let the time pass; returns what to send.
    pub(crate) fn drive(&mut self, now: Instant) -> Vec<Vec<u8>> {
        if self.crypto.is_some() {
            if self.next_nack <= now {
                self.next_nack = now + TICK;
                let mut ssrcs: Vec<u32> = self.streams.keys().copied().collect();
                ssrcs.sort_unstable();
                ssrcs.into_iter().for_each(|ssrc| self.ask(now, ssrc));
            }
            if self.next_feedback <= now {
                self.next_feedback = now + FEEDBACK;
                let ssrc = self.streams.keys().copied().min().unwrap_or_default();
                let packet = self.arrivals.packet(ssrc, self.epoch);
                packet.into_iter().for_each(|packet| self.seal(packet));
            }
            if self.next_report <= now {
                self.next_report = now + REPORT;
                self.report(now);
            }
        }
        std::mem::take(&mut self.outbox)
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.crypto.as_ref()?;
        let next = self.next_nack.min(self.next_feedback);
        Some(next.min(self.next_report))
    }

    fn seal(&mut self, mut packet: Vec<u8>) {
        let Some((sealer, _)) = self.crypto.as_mut() else {
            return;
        };
        let len = packet.len();
        packet.resize(len + ROOM, 0);
        if let Ok(total) = sealer.seal_rtcp(len, &mut packet) {
            packet.truncate(total);
            self.outbox.push(packet);
        }
    }

    fn ask(&mut self, now: Instant, ssrc: u32) {
        let Some(stream) = self.streams.get_mut(&ssrc).filter(|s| s.offered.nack) else {
            return;
        };
        let due = stream.missing.due(now, ROUND_TRIP);
        if !due.is_empty() {
            self.seal(nack(ssrc, &due));
        }
    }

    /// What of its extensions a picture's buffer obeys.
    fn extensions(&self, packet: &Packet<'_>, ssrc: u32) -> ExtensionValues {
        let id = self
            .streams
            .get(&ssrc)
            .and_then(|s| s.offered.playout_delay);
        let order = id.and_then(|id| packet.extension(id));
        let mut values = ExtensionValues::default();
        if let [high, middle, _] = *order.unwrap_or_default() {
            let least = u64::from(high) << 4 | u64::from(middle) >> 4;
            values.play_delay_min = Some(MediaTime::from_hundredths(least));
        }
        values
    }

    fn note_arrival(&mut self, now: Instant, packet: &Packet<'_>) {
        let main = self.repairs.get(&packet.ssrc).unwrap_or(&packet.ssrc);
        let id = self.streams.get(main).and_then(|s| s.offered.transport_cc);
        let number = id.and_then(|id| packet.extension(id));
        if let Some([high, low, ..]) = number {
            self.arrivals
                .arrived(u16::from_be_bytes([*high, *low]), now);
        }
    }

    /// The packet itself, out of its retransmission if it is one (RFC 4588 section 4).
    fn unwrapped(&self, packet: &Packet<'_>, sequence: u64) -> Option<(u32, u64, u8, Vec<u8>)> {
        let Some(main) = self.repairs.get(&packet.ssrc) else {
            let payload = packet.payload.to_vec();
            return Some((packet.ssrc, sequence, packet.payload_type, payload));
        };
        let (number, payload) = packet.payload.split_first_chunk()?;
        let newest = self.streams.get(main)?.missing.newest()?;
        let carried = self.apt.iter().find(|(pt, _)| *pt == packet.payload_type)?;
        let sequence = near(newest, u16::from_be_bytes(*number));
        Some((*main, sequence, carried.1, payload.to_vec()))
    }

    fn note_reports(&mut self, now: Instant, mut compound: &[u8]) {
        while let [_, kind, high, low, body @ ..] = compound {
            let length = usize::from(u16::from_be_bytes([*high, *low])) * 4;
            let Some(body) = body.get(..length) else {
                return;
            };
            if *kind == 200
                && let Some(ssrc) = word(body, 0)
                && let Some(stream) = self.streams.get_mut(&ssrc)
                && let (Some(whole), Some(part)) = (word(body, 4), word(body, 8))
            {
                stream.sender_report = Some((whole << 16 | part >> 16, now));
            }
            compound = &compound[4 + length..];
        }
    }

    fn report(&mut self, now: Instant) {
        let mut streams: Vec<_> = self.streams.values_mut().filter(|s| s.came > 0).collect();
        streams.sort_by_key(|stream| stream.offered.ssrc);
        let blocks: Vec<_> = streams.into_iter().map(|s| s.report(now)).collect();
        if !blocks.is_empty() {
            self.seal(Report::packet(&blocks));
        }
    }
}

impl Stream {
    fn new(offered: Offered) -> Self {
        Self {
            offered,
            missing: Missing::default(),
            seen: HashSet::default(),
            first: None,
            came: 0,
            reported: (0, 0),
            jitter: 0.0,
            transit: None,
            sender_report: None,
        }
    }

    /// Count a packet; jitter as in RFC 3550 appendix A.8.
    fn note(&mut self, at: Duration, sequence: u64, timestamp: u32) {
        self.first.get_or_insert(sequence);
        self.came += 1;
        let clock = f64::from(self.offered.clock);
        let transit = at.as_secs_f64() * clock - f64::from(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            let step = (transit - last).abs();
            if step < clock {
                self.jitter += (step - self.jitter) / 16.0;
            }
        }
    }

    fn report(&mut self, now: Instant) -> Report {
        let newest = self.missing.newest().unwrap_or_default();
        let expected = newest.saturating_sub(self.first.unwrap_or(newest)) + 1;
        let step = expected.saturating_sub(self.reported.0);
        let lost = step.saturating_sub(self.came.saturating_sub(self.reported.1));
        self.reported = (expected, self.came);
        let (last_report, at) = self.sender_report.unwrap_or((0, now));
        Report {
            ssrc: self.offered.ssrc,
            fraction: (lost * 256).checked_div(step).unwrap_or(0).min(255) as u8,
            lost: expected.saturating_sub(self.came) as u32,
            highest: newest as u32,
            jitter: self.jitter as u32,
            last_report,
            since_report: ((now - at).as_secs_f64() * 65_536.0) as u32,
        }
    }
}

/// A plain RTP packet (RFC 3550 section 5.1), read.
struct Packet<'a> {
    ssrc: u32,
    marker: bool,
    payload_type: u8,
    timestamp: u32,
    extensions: &'a [u8],
    two_byte: bool,
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    fn parse(packet: &'a [u8]) -> Option<Self> {
        let [first, second, ..] = *packet else {
            return None;
        };
        let mut at = 12 + 4 * usize::from(first & 15);
        let (mut extensions, mut two_byte): (&[u8], bool) = (&[], false);
        if first & 0x10 != 0 {
            let head = word(packet, at)?;
            let length = 4 * (head & 0xffff) as usize;
            two_byte = head >> 20 == 0x100;
            extensions = packet.get(at + 4..at + 4 + length)?;
            at += 4 + length;
        }
        let padding = if first & 0x20 != 0 {
            *packet.last()?
        } else {
            0
        };
        let end = packet.len().checked_sub(usize::from(padding))?;
        Some(Self {
            ssrc: word(packet, 8)?,
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            timestamp: word(packet, 4)?,
            extensions,
            two_byte,
            payload: packet.get(at..end)?,
        })
    }

    /// A header extension by its id (RFC 8285).
    fn extension(&self, wanted: u8) -> Option<&'a [u8]> {
        let mut rest = self.extensions;
        while let [head, tail @ ..] = rest {
            if *head == 0 {
                rest = tail;
                continue;
            }
            let (id, length, body) = if self.two_byte {
                (*head, usize::from(*tail.first()?), tail.get(1..)?)
            } else {
                (head >> 4, usize::from(head & 15) + 1, tail)
            };
            let (value, after) = body.split_at_checked(length)?;
            if id == wanted {
                return Some(value);
            }
            rest = after;
        }
        None
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*four))
}

/// How often gaps are looked at.
const TICK: Duration = Duration::from_millis(20);
/// Time between two receiver reports.
const REPORT: Duration = Duration::from_secs(1);
/// What a browser assumes before it knows better, and what the lab's links have.
const ROUND_TRIP: Duration = Duration::from_millis(100);
/// Tag and index that sealing adds at most.
const ROOM: usize = 32;
