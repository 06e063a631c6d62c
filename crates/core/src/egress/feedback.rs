//! What the peer says about what it got: its RTCP.

use std::time::{Duration, Instant, SystemTime};

use super::Egress;
use super::repair::{MAX_REPAIRS, Told, Wanted};
use crate::bandwidth::Received;
use crate::ntp;
use crate::rtcp::transport_cc::TransportCc;
use crate::rtcp::{Compound, Message, ReportBlock};

/// A key frame that the peer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Place of the stream.
    pub(crate) stream: usize,
    pub(crate) by: By,
}

/// In which words a key frame is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// PLI (RFC 4585).
    Pli,
    /// FIR (RFC 5104).
    Fir,
    /// A NACK for packets that cannot be sent again any more. Chromium would repeat it for three
    /// seconds before it says PLI, and the picture stands still meanwhile.
    Nack,
}

impl Egress {
    /// Opens an SRTCP packet in place. None when it is not the peer's.
    pub(crate) fn open<'a>(&mut self, packet: &'a mut [u8]) -> Option<&'a [u8]> {
        let (_, opener) = &mut **self.seals.as_mut()?;
        opener.open_rtcp(packet).ok()
    }

    /// Takes an opened packet; returns how many NACKs were in it.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        wall: SystemTime,
        opened: &[u8],
        asked: &mut Vec<Asked>,
    ) -> u64 {
        let mut nacks = 0;
        // What follows a malformed message cannot be understood, what came before it counts.
        for message in Compound::new(opened).map_while(Result::ok) {
            match message {
                Message::ReceiverReport { blocks, .. } | Message::SenderReport { blocks, .. } => {
                    self.take_reports(now, wall, blocks);
                }
                Message::Nack { media, lost, .. } => {
                    nacks += 1;
                    asked.extend(self.take_nack(media, lost));
                }
                Message::Pli { media, .. } => {
                    let stream = self.by_ssrc.get(&media).copied();
                    asked.extend(stream.map(|stream| Asked {
                        stream,
                        by: By::Pli,
                    }));
                }
                Message::Fir { requests, .. } => {
                    for (ssrc, number) in requests {
                        asked.extend(self.take_fir(ssrc, number));
                    }
                }
                Message::TransportCc(feedback) => self.take_arrivals(now, &feedback),
                Message::Remb { bitrate, .. } => self.estimator.on_remb(now, bitrate),
                Message::Bye { .. } | Message::Other { .. } => {}
            }
        }
        self.pace();
        self.judge_hold(now);
        self.rest_when_collapsed(now);
        nacks
    }

    fn take_reports(
        &mut self,
        now: Instant,
        wall: SystemTime,
        blocks: impl Iterator<Item = ReportBlock>,
    ) {
        let mut worst: Option<(f32, Duration)> = None;
        for block in blocks {
            let Some(stream) = self.by_ssrc.get(&block.ssrc) else {
                continue;
            };
            let stream = &mut self.streams[*stream];
            if block.ssrc != stream.ssrc {
                continue; // of repairs
            }
            stream.known = true;
            let loss = f32::from(block.fraction_lost) / 256.0;
            stream.heard.loss = Some(loss);
            stream.heard.jitter = stream.newest.map(|newest| {
                let seconds = f64::from(block.jitter) / f64::from(newest.clock_rate.max(1));
                Duration::from_secs_f64(seconds.min(MOST_JITTER))
            });
            if let Some(rtt) = round_trip(wall, &block) {
                stream.heard.rtt = Some(rtt);
                worst = Some(worst.map_or((loss, rtt), |(most, _)| (loss.max(most), rtt)));
            }
        }
        if let Some((loss, rtt)) = worst {
            self.estimator.on_loss_report(now, loss, rtt);
        }
    }

    /// Puts what was lost in line to be sent again. A key frame is asked for when that is too late.
    fn take_nack(&mut self, media: u32, lost: impl Iterator<Item = u16> + Clone) -> Option<Asked> {
        let &place = self.by_ssrc.get(&media)?;
        self.streams[place].heard.nacks += 1;
        if self.streams[place].repair.is_none() && self.streams[place].copies.is_none() {
            return None;
        }
        let asked = lost.clone().count() as u64;
        self.streams[place].heard.asked += asked;
        for sequence in lost.clone().take(MAX_REPAIRS) {
            self.want_repair(Wanted {
                place,
                sequence,
                told: Told::Nack,
            });
        }
        self.streams[place].misses(lost).then_some(Asked {
            stream: place,
            by: By::Nack,
        })
    }

    fn take_fir(&mut self, ssrc: u32, number: u8) -> Option<Asked> {
        let place = *self.by_ssrc.get(&ssrc)?;
        let heard = &mut self.streams[place].heard;
        // A request with the number of the one before is its repetition.
        (heard.fir.replace(number) != Some(number)).then_some(Asked {
            stream: place,
            by: By::Fir,
        })
    }

    fn take_arrivals(&mut self, now: Instant, feedback: &TransportCc<'_>) {
        let Some(newest) = self.transport_cc.checked_sub(1) else {
            return;
        };
        let arrivals = feedback.arrivals().filter_map(|arrival| {
            let behind = (newest as u16).wrapping_sub(arrival.sequence);
            Some(Received {
                sequence: newest.checked_sub(behind.into())?,
                arrival: arrival.ticks.map(|ticks| TICK * ticks.max(0) as u32),
            })
        });
        self.estimator.on_feedback(now, &mut arrivals.clone());
        let mut last = None;
        for packet in arrivals.clone().filter(|packet| packet.arrival.is_some()) {
            last = Some(packet.sequence);
            self.note_arrived(packet.sequence);
        }
        // What is newer than the last two that came may be on its way still.
        let sure = last.map_or(0, |last| last.saturating_sub(REORDERED));
        for packet in arrivals.take_while(|packet| packet.sequence < sure) {
            if packet.arrival.is_none() {
                self.note_lost(packet.sequence);
            }
        }
    }
}

/// RFC 3550 section 6.4.1: now, less the report it speaks of, less the time it was kept. None when
/// the peer has not had a report yet, or makes it up.
fn round_trip(wall: SystemTime, block: &ReportBlock) -> Option<Duration> {
    if block.last_report == 0 {
        return None;
    }
    let units = ntp::middle(wall)
        .wrapping_sub(block.last_report)
        .wrapping_sub(block.delay);
    let micros = u64::from(units) * 1_000_000 / 65_536;
    (units < MOST_UNITS).then(|| Duration::from_micros(micros))
}

/// The unit of arrival times.
const TICK: Duration = Duration::from_micros(250);
/// Jitter of more than so many seconds is none.
const MOST_JITTER: f64 = 10.0;
/// By how many packets one may be overtaken and is not lost.
const REORDERED: u64 = 2;
/// A round trip of a minute is none.
const MOST_UNITS: u32 = 60 * 65_536;
