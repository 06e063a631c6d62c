//! RTP timestamps: an offset per source, chosen so that a switch looks like time passing.
//!
//! How much time, the sender reports of both sources say (RFC 3550 section 6.4.1: their NTP
//! times are of one clock); without them, arrival. What must be added so that time does not run
//! backwards is taken back at the next switch, so switches do not add up to a drift.

use std::time::{Duration, Instant};

use super::{Original, Report};

/// Maps the media clock of the current source onto one clock.
#[derive(Default)]
pub(crate) struct Timestamp {
    offset: u32,
    /// Ticks in `offset` that are there only to keep time from running backwards.
    pushed: u32,
    last: Option<Last>,
}

/// The newest packet that went out.
#[derive(Clone, Copy)]
struct Last {
    output: u32,
    input: u32,
    arrival: Instant,
    report: Option<Report>,
}

impl Timestamp {
    /// A new source.
    pub(crate) fn start_run(&mut self, packet: &Original<'_>) {
        let Some(last) = self.last else {
            return; // the first source of all keeps its own clock
        };
        let waited = packet.arrival.saturating_duration_since(last.arrival);
        let by_arrival = ticks(waited, packet.clock_rate) as i64;
        let by_report = elapsed(&last, packet)
            .filter(|ticks| (ticks - by_arrival).unsigned_abs() < u64::from(packet.clock_rate));
        let since = by_report.unwrap_or(by_arrival);
        let due = since - i64::from(self.pushed);
        let step = due.max(1);
        self.pushed = (step - due) as u32;
        let next = last.output.wrapping_add(step as u32);
        self.offset = next.wrapping_sub(packet.timestamp);
    }

    pub(crate) fn map(&mut self, packet: &Original<'_>) -> u32 {
        let output = packet.timestamp.wrapping_add(self.offset);
        // Half of the number circle tells newer from older (RFC 1982).
        if self
            .last
            .is_none_or(|last| output.wrapping_sub(last.output) < 1 << 31)
        {
            self.last = Some(Last {
                output,
                input: packet.timestamp,
                arrival: packet.arrival,
                report: packet.report,
            });
        }
        output
    }

    /// Newest output and its moment, for sender reports.
    pub(crate) fn last(&self) -> Option<(u32, Instant)> {
        self.last.map(|last| (last.output, last.arrival))
    }
}

/// Ticks from the capture of one packet to that of the other, if both sources have reported.
fn elapsed(last: &Last, packet: &Original<'_>) -> Option<i64> {
    let (before, after) = (last.report?, packet.report?);
    let between = match after.wall.duration_since(before.wall) {
        Ok(forward) => ticks(forward, packet.clock_rate) as i64,
        Err(backward) => -(ticks(backward.duration(), packet.clock_rate) as i64),
    };
    let since_report =
        |timestamp: u32, report: Report| timestamp.wrapping_sub(report.timestamp) as i32;
    let (start, end) = (
        since_report(last.input, before),
        since_report(packet.timestamp, after),
    );
    Some(between + i64::from(end) - i64::from(start))
}

fn ticks(duration: Duration, clock_rate: u32) -> u64 {
    (duration.as_micros() * u128::from(clock_rate) / 1_000_000) as u64
}
