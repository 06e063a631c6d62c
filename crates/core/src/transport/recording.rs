//! A recording transport: plain RTP (RFC 3550) to an address, for a recorder such as FFmpeg.
//!
//! Packets have the 12-byte header and nothing else. Sequence numbers start at random and have
//! no jumps but real losses; a video track starts at a key frame; RED is unwrapped, VP9's
//! descriptor made plain. Every second a sender report with the wall clock goes to the next
//! port, and a BYE at the end. The payload type is the publisher's own (that of the codec, not
//! of RED), as told by the `Published` reply and the `PublisherActive` event.
//!
//! A track out of a plain transport is the same copy on another way: see [`Way`].

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use str0m::format::Codec;

use crate::event::StatValue;
use crate::ids::{RecordingTrackId, TransportId};
use crate::layers::{Admission, Encodings, Head, Selector};
use crate::ntp::ntp;
use crate::packet::Packet;
use crate::rewrite::{Original, PlainVp9, Rewriter};
use crate::transport::Belongs;
use crate::{Socket, Transmit};

/// A recording transport.
pub(crate) struct RecordingTransport {
    pub(crate) belongs: Belongs,
    pub(crate) tracks: Vec<usize>,
}

/// One track copied to a recorder.
pub(crate) struct RecordingTrack {
    pub(crate) id: RecordingTrackId,
    pub(crate) transport: TransportId,
    pub(crate) publisher: usize,
    pub(crate) way: Way,
    pub(crate) paused: bool,
    pub(crate) ssrc: u32,
    /// What the receiver last said: the part that was lost, and the round trip.
    pub(crate) heard: Option<(f32, Option<Duration>)>,
    rewriter: Rewriter,
    vp9: PlainVp9,
    pub(crate) selector: Selector,
    clock_rate: u32,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// Where a track's copies go.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// To an address, in the clear; RTCP to the next port.
    Recorder {
        transport: TransportId,
        remote: SocketAddr,
    },
    /// To the peer of the plain transport at this place.
    Plain(usize),
}

/// A packet made for a track, in the clear.
pub(crate) struct Copy {
    pub(crate) contents: Vec<u8>,
    /// Extended by the rollover counter.
    pub(crate) sequence: u64,
    /// Bytes of its header.
    pub(crate) header: usize,
}

/// Who a new recording track is.
pub(crate) struct Tap {
    pub(crate) id: RecordingTrackId,
    pub(crate) transport: TransportId,
    pub(crate) publisher: usize,
    pub(crate) way: Way,
    pub(crate) ssrc: u32,
}

impl RecordingTrack {
    pub(crate) fn new(tap: Tap, rewriter: Rewriter) -> Self {
        let Tap {
            id,
            transport,
            publisher,
            way,
            ssrc,
        } = tap;
        Self {
            id,
            transport,
            publisher,
            way,
            paused: false,
            ssrc,
            heard: None,
            rewriter,
            vp9: PlainVp9::default(),
            selector: Selector::unmetered(),
            clock_rate: 0,
            packets: 0,
            bytes: 0,
        }
    }

    /// A pause ends the run; what follows starts at a key frame again.
    pub(crate) fn end_run(&mut self) {
        self.selector.stop();
    }

    /// The copy of a packet, if it passes.
    pub(crate) fn forward(&mut self, packet: &Packet<'_>, encodings: &Encodings) -> Option<Copy> {
        // Recorders start afresh at the key frame of a switch: ids may jump.
        let original = Original {
            head: Head::Plain,
            number: None,
            ..packet.original()
        };
        let (starts_run, marker) = match self.selector.admit(packet, encodings) {
            Admission::Pass { starts_run, marker } => (starts_run, marker),
            Admission::Skip => {
                self.rewriter.hold(&original);
                return None;
            }
            Admission::Ignore => return None,
        };
        if starts_run {
            self.clock_rate = packet.format.spec.clock_rate.get();
        }
        let payload = &packet.content(packet.format.red)?.payload;
        let numbers = self.rewriter.rewrite(&original, starts_run)?;
        let vp9 = match packet.format.spec.codec {
            Codec::Vp9 => self.vp9.map(payload),
            _ => None,
        };
        let mut contents = Vec::with_capacity(HEADER + payload.len() + SEAL);
        contents.push(VERSION);
        contents.push(packet.format.primary | u8::from(marker) << 7);
        contents.extend_from_slice(&(numbers.sequence as u16).to_be_bytes());
        contents.extend_from_slice(&numbers.timestamp.to_be_bytes());
        contents.extend_from_slice(&self.ssrc.to_be_bytes());
        match &vp9 {
            Some(plain) => {
                contents.extend_from_slice(plain.bytes());
                contents.extend_from_slice(&payload[plain.lens().0..]);
            }
            None => contents.extend_from_slice(payload),
        }
        self.packets += 1;
        self.bytes += (contents.len() - HEADER) as u64;
        Some(Copy {
            contents,
            sequence: numbers.sequence,
            header: HEADER,
        })
    }

    /// A sender report (RFC 3550 section 6.4.1) for `now`, once a packet has gone out.
    pub(crate) fn sender_report(&self, now: Instant, wall: SystemTime) -> Option<Vec<u8>> {
        let (timestamp, arrival) = self.rewriter.last()?;
        let ticks =
            now.saturating_duration_since(arrival).as_micros() * u128::from(self.clock_rate);
        let rtp_time = timestamp.wrapping_add((ticks / 1_000_000) as u32);
        let mut contents = vec![VERSION, PT_SENDER_REPORT, 0, 6];
        contents.extend_from_slice(&self.ssrc.to_be_bytes());
        contents.extend_from_slice(&ntp(wall).to_be_bytes());
        contents.extend_from_slice(&rtp_time.to_be_bytes());
        contents.extend_from_slice(&(self.packets as u32).to_be_bytes());
        contents.extend_from_slice(&(self.bytes as u32).to_be_bytes());
        self.push_cname(&mut contents);
        Some(contents)
    }

    /// A last report and BYE (RFC 3550 section 6.6).
    pub(crate) fn bye(&self, now: Instant, wall: SystemTime) -> Option<Vec<u8>> {
        let mut contents = self.sender_report(now, wall)?;
        contents.extend_from_slice(&[VERSION | 1, PT_BYE, 0, 1]);
        contents.extend_from_slice(&self.ssrc.to_be_bytes());
        Some(contents)
    }

    pub(crate) fn values(&self) -> Vec<(&'static str, StatValue)> {
        let mut values = vec![
            ("packets_sent", StatValue::Int(self.packets)),
            ("bytes_sent", StatValue::Int(self.bytes)),
        ];
        if let Some((loss, round_trip)) = self.heard {
            values.push(("fraction_lost", StatValue::Float(loss.into())));
            let millis = round_trip.map(|time| time.as_secs_f64() * 1000.0);
            values.extend(millis.map(|ms| ("round_trip_time_ms", StatValue::Float(ms))));
        }
        values
    }

    /// SDES with a CNAME that is the same for all tracks of the transport: one clock.
    fn push_cname(&self, contents: &mut Vec<u8>) {
        let name = format!("{:016x}", self.transport.0);
        let item_len = 2 + name.len() + 1; // type, length, text, end of list
        let chunk = (4 + item_len).next_multiple_of(4);
        contents.extend_from_slice(&[VERSION | 1, PT_SDES]);
        contents.extend_from_slice(&((chunk / 4) as u16).to_be_bytes());
        contents.extend_from_slice(&self.ssrc.to_be_bytes());
        contents.extend_from_slice(&[SDES_CNAME, name.len() as u8]);
        contents.extend_from_slice(name.as_bytes());
        contents.resize(contents.len() + chunk - 4 - 2 - name.len(), 0);
    }
}

/// A packet on its way to a recorder.
pub(crate) fn to_recorder(transport: TransportId, remote: SocketAddr, copy: Copy) -> Transmit {
    transmit(transport, remote, copy.contents)
}

/// A report on its way to a recorder: to the port behind that of RTP.
pub(crate) fn report_to_recorder(
    transport: TransportId,
    remote: SocketAddr,
    contents: Vec<u8>,
) -> Transmit {
    let remote = SocketAddr::new(remote.ip(), remote.port().wrapping_add(1));
    transmit(transport, remote, contents)
}

const fn transmit(transport: TransportId, destination: SocketAddr, contents: Vec<u8>) -> Transmit {
    Transmit {
        socket: Socket::Recording(transport),
        source: None,
        destination,
        contents,
    }
}

/// How often a sender report goes out.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const HEADER: usize = 12;
/// Room for what sealing adds.
const SEAL: usize = 16;
const VERSION: u8 = 2 << 6;
const PT_SENDER_REPORT: u8 = 200;
const PT_SDES: u8 = 202;
const PT_BYE: u8 = 203;
const SDES_CNAME: u8 = 1;
