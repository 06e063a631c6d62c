//! One stream out: an SSRC, the SSRC of its repairs, and what has been said about both.
//!
//! A stream belongs to an m-line. It lives as long as its SSRC: over all subscribers of a WHEP slot,
//! or over one subscriber where the server makes the offers.

use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::media::Mid;

use super::copies::Copies;
use super::header::Ids;
use super::history::History;
use crate::event::TrackKind;

/// The SSRCs of an m-line, as its offer or answer names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(crate) ssrc: u32,
    /// Of retransmissions (RFC 4588); unused unless the peer takes them.
    pub(crate) rtx: Option<u32>,
}

/// One stream out.
pub(crate) struct OutStream {
    pub(crate) mid: Mid,
    pub(crate) kind: TrackKind,
    pub(crate) ssrc: u32,
    pub(crate) repair: Option<Repair>,
    pub(crate) ids: Ids,
    /// The peer has reported on the SSRC: it knows the m-line and needs no mid any more.
    pub(crate) known: bool,
    pub(crate) history: History,
    /// Sound, for those who ask for it again.
    pub(crate) copies: Option<Copies>,
    /// The newest timestamp and the arrival of its packet, Hz of its clock.
    pub(crate) newest: Option<Newest>,
    /// The extended sequence number at which the newest run started.
    pub(crate) run: u64,
    /// The timestamp of its first picture.
    pub(crate) run_timestamp: Option<u32>,
    /// When that came, ms as in the queue.
    pub(crate) run_since: u32,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
    /// Packets that still tell that a hold has ended.
    pub(crate) release: u8,
    /// A packet has left since the last sender report.
    pub(crate) fresh: bool,
    pub(crate) heard: Heard,
    /// Up to this number, what is lost for good has been noticed: a key frame was asked for.
    given_up: u64,
}

/// Retransmission of one stream.
pub(crate) struct Repair {
    pub(crate) ssrc: u32,
    /// Next extended sequence number.
    pub(crate) next: u64,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
    /// Payload type, and the one of its retransmissions.
    formats: Vec<(u8, u8)>,
}

impl Repair {
    /// Some payload type of this stream.
    pub(crate) fn any_payload_type(&self) -> Option<u8> {
        self.formats.first().map(|(_, rtx)| *rtx)
    }

    pub(crate) fn payload_type(&self, of: u8) -> Option<u8> {
        let mut formats = self.formats.iter();
        formats.find(|(main, _)| *main == of).map(|(_, rtx)| *rtx)
    }
}

/// A point on the media clock.
#[derive(Clone, Copy)]
pub(crate) struct Newest {
    pub(crate) timestamp: u32,
    pub(crate) arrival: Instant,
    pub(crate) clock_rate: u32,
}

impl Newest {
    /// The timestamp that belongs to `now`.
    pub(crate) fn at(&self, now: Instant) -> u32 {
        let elapsed = now.saturating_duration_since(self.arrival).as_micros();
        let ticks = elapsed * u128::from(self.clock_rate) / 1_000_000;
        self.timestamp.wrapping_add(ticks as u32)
    }
}

/// What the peer has said about a stream.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) nacks: u64,
    /// Packets that these asked for.
    pub(crate) asked: u64,
    /// Number of the last FIR.
    pub(crate) fir: Option<u8>,
    pub(crate) retransmitted: u64,
    /// Ratio of packets lost, 0 to 1.
    pub(crate) loss: Option<f32>,
    pub(crate) rtt: Option<Duration>,
    /// How much its arrival times tremble (RFC 3550 section 6.4.1).
    pub(crate) jitter: Option<Duration>,
}

impl OutStream {
    /// A stream as the peer has agreed to it. None: the m-line does not exist.
    pub(crate) fn new(
        rtc: &Rtc,
        mid: Mid,
        kind: TrackKind,
        sources: Sources,
        first_repair: u64,
    ) -> Option<Self> {
        let media = rtc.media(mid)?;
        let accepted = media.remote_pts();
        let formats: Vec<(u8, u8)> = rtc
            .codec_config()
            .params()
            .iter()
            .filter(|params| accepted.contains(&params.pt()))
            .filter_map(|params| Some((*params.pt(), *params.resend()?)))
            .collect();
        let repair = sources
            .rtx
            .filter(|_| !formats.is_empty())
            .map(|ssrc| Repair {
                ssrc,
                next: first_repair,
                packets: 0,
                octets: 0,
                formats,
            });
        Some(Self {
            mid,
            kind,
            ssrc: sources.ssrc,
            repair,
            ids: Ids::new(media.remote_extmap()),
            known: false,
            history: History::default(),
            copies: (kind == TrackKind::Audio).then(Copies::default),
            newest: None,
            run: 0,
            run_timestamp: None,
            run_since: 0,
            packets: 0,
            octets: 0,
            release: 0,
            fresh: false,
            heard: Heard::default(),
            given_up: 0,
        })
    }

    /// Whether a picture is among these that stands still for good: too old to be sent again, and
    /// nothing after it that one could begin with. True once for each time that happens.
    pub(crate) fn misses(&mut self, lost: impl Iterator<Item = u16>) -> bool {
        if self.kind == TrackKind::Audio {
            return false;
        }
        let Some((oldest, newest)) = self.history.ends() else {
            return false;
        };
        let is_gone = |sequence: u16| {
            let behind = u64::from((newest as u16).wrapping_sub(sequence));
            let sequence = newest.checked_sub(behind);
            sequence.is_some_and(|it| it < oldest && it >= self.run && it > self.given_up)
        };
        let mut lost = lost;
        let misses = lost.any(is_gone);
        if misses {
            self.given_up = newest;
        }
        misses
    }

    /// Notes a packet's place on the media clock.
    pub(crate) fn note(&mut self, newest: Newest) {
        let newer = |old: Newest| newest.timestamp.wrapping_sub(old.timestamp) < 1 << 31;
        if self.newest.is_none_or(newer) {
            self.newest = Some(newest);
        }
    }
}
