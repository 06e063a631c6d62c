//! One source that comes in by plain RTP: its numbers, what is lost of it, and what to say of that.
//!
//! Sequence numbers are extended (RFC 3550 appendix A.1). A source that jumps is believed when its
//! next packet confirms the jump; it then goes on without a gap, for nothing is missing between two
//! lives of a sender. What is missing is asked for at once and again every [`AGAIN`], a few times.

use std::time::{Duration, Instant};

use crate::rewrite::Report;
use crate::rtcp::ReportBlock;

/// What is known of one incoming source.
pub(crate) struct Reception {
    clock_rate: u32,
    /// The highest number, continuous.
    highest: Option<u64>,
    /// What is added to a number of the sender's to make it continuous.
    shift: u16,
    /// The number that would confirm a jump.
    suspect: Option<u16>,
    first: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    origin: Instant,
    transit: Option<i64>,
    /// In RTP ticks, times 16 (RFC 3550 appendix A.8).
    jitter: i64,
    pub(crate) report: Option<Report>,
    /// The middle of its last report's time, and when that came.
    reported: Option<(u32, Instant)>,
    missing: Vec<Missing>,
}

/// A number that has not come.
struct Missing {
    sequence: u64,
    at: Instant,
    times: u8,
}

impl Reception {
    pub(crate) const fn new(clock_rate: u32, now: Instant) -> Self {
        Self {
            clock_rate,
            highest: None,
            shift: 0,
            suspect: None,
            first: 0,
            received: 0,
            expected_before: 0,
            received_before: 0,
            origin: now,
            transit: None,
            jitter: 0,
            report: None,
            reported: None,
            missing: Vec::new(),
        }
    }

    /// The continuous number of a packet. None for one out of nowhere.
    pub(crate) fn take(&mut self, sequence: u16, timestamp: u32, now: Instant) -> Option<u64> {
        let shifted = sequence.wrapping_add(self.shift);
        let Some(highest) = self.highest else {
            let number = START + u64::from(sequence);
            (self.highest, self.first) = (Some(number), number);
            self.count(timestamp, now);
            return Some(number);
        };
        let ahead = shifted.wrapping_sub(highest as u16);
        let behind = ahead.wrapping_neg();
        let number = if ahead < MAX_DROPOUT {
            highest + u64::from(ahead)
        } else if behind < MAX_MISORDER {
            highest - u64::from(behind)
        } else if self.suspect == Some(sequence) {
            self.shift = ((highest + 1) as u16).wrapping_sub(sequence);
            self.missing.clear();
            highest + 1
        } else {
            self.suspect = Some(sequence.wrapping_add(1));
            return None;
        };
        self.suspect = None;
        if number > highest {
            self.miss(highest + 1..number, now);
            self.highest = Some(number);
        } else {
            self.missing.retain(|missing| missing.sequence != number);
        }
        self.count(timestamp, now);
        Some(number)
    }

    fn miss(&mut self, numbers: std::ops::Range<u64>, now: Instant) {
        if numbers.end - numbers.start > MAX_MISSING as u64 {
            return self.missing.clear(); // more than a repair can mend
        }
        self.missing.extend(numbers.map(|sequence| Missing {
            sequence,
            at: now,
            times: 0,
        }));
        let surplus = self.missing.len().saturating_sub(MAX_MISSING);
        self.missing.drain(..surplus);
    }

    fn count(&mut self, timestamp: u32, now: Instant) {
        self.received += 1;
        let since = now.saturating_duration_since(self.origin).as_micros();
        let arrival = (since * u128::from(self.clock_rate) / 1_000_000) as u32;
        let transit = i64::from(arrival.wrapping_sub(timestamp) as i32);
        if let Some(before) = self.transit.replace(transit) {
            let moved = (transit - before).abs();
            self.jitter += moved - ((self.jitter + 8) >> 4);
        }
    }

    /// What the source says of its clock.
    pub(crate) const fn note_report(&mut self, report: Report, middle: u32, now: Instant) {
        self.report = Some(report);
        self.reported = Some((middle, now));
    }

    /// What a receiver report says of it (RFC 3550 section 6.4.1).
    pub(crate) fn block(&mut self, ssrc: u32, now: Instant) -> ReportBlock {
        let highest = self.highest.unwrap_or(self.first);
        let expected = highest + 1 - self.first;
        let lost = expected as i64 - self.received as i64;
        let expected_now = expected - self.expected_before;
        let lost_now =
            expected_now.saturating_sub(self.received.saturating_sub(self.received_before));
        (self.expected_before, self.received_before) = (expected, self.received);
        let (last_report, delay) = self.reported.map_or((0, 0), |(middle, at)| {
            let since = now.saturating_duration_since(at).as_micros();
            (middle, (since * 65_536 / 1_000_000) as u32)
        });
        let cycles = (highest - START) as u32 & 0xffff_0000;
        ReportBlock {
            ssrc,
            fraction_lost: (lost_now * 256)
                .checked_div(expected_now)
                .unwrap_or(0)
                .min(255) as u8,
            lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: cycles | u32::from(self.raw(highest)),
            jitter: (self.jitter >> 4) as u32,
            last_report,
            delay,
        }
    }

    /// The sender's numbers that are to be asked for now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<u16> {
        let shift = self.shift;
        let mut due = Vec::new();
        for missing in self.missing.iter_mut().filter(|missing| missing.at <= now) {
            due.push((missing.sequence as u16).wrapping_sub(shift));
            missing.at = now + AGAIN;
            missing.times += 1;
        }
        self.missing.retain(|missing| missing.times < TIMES);
        due
    }

    /// When something is next to be asked for.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.missing.iter().map(|missing| missing.at).min()
    }

    const fn raw(&self, number: u64) -> u16 {
        (number as u16).wrapping_sub(self.shift)
    }
}

/// Where numbers begin, so that late ones before the first are above zero.
const START: u64 = 1 << 16;
/// A step forward that is loss, and one back that is disorder (RFC 3550 appendix A.1).
const MAX_DROPOUT: u16 = 3_000;
const MAX_MISORDER: u16 = 1_000;
/// Numbers that are asked for at a time.
const MAX_MISSING: usize = 128;
/// Time between two requests for the same packet.
const AGAIN: Duration = Duration::from_millis(50);
/// How often a packet is asked for.
const TIMES: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[allow(clippy::disallowed_methods)] // a test needs some moment to start from
        Instant::now()
    }

    #[test]
    fn numbers_go_on_over_the_roll_over_and_late_ones_find_their_place() {
        let now = start();
        let mut reception = Reception::new(90_000, now);
        let numbers = [65_534, 65_535, 1, 0, 2];
        let taken: Vec<_> = numbers
            .iter()
            .filter_map(|sequence| reception.take(*sequence, 0, now))
            .map(|number| number - START)
            .collect();
        assert_eq!(taken, [65_534, 65_535, 65_537, 65_536, 65_538]);
        let block = reception.block(7, now);
        assert_eq!((block.highest_sequence, block.lost), (65_538, 0));
    }

    #[test]
    fn a_jump_is_believed_when_the_next_packet_confirms_it() {
        let now = start();
        let mut reception = Reception::new(90_000, now);
        let before = reception.take(100, 0, now).expect("the first");
        assert_eq!(reception.take(40_000, 0, now), None, "a lone stray");
        assert_eq!(reception.take(101, 0, now), Some(before + 1));
        assert_eq!(reception.take(40_000, 0, now), None);
        assert_eq!(reception.take(40_001, 0, now), Some(before + 2));
        assert_eq!(reception.take(40_003, 0, now), Some(before + 4));
        assert_eq!(reception.take_due(now), [40_002], "by the sender's number");
        assert_eq!(reception.take(101, 0, now), None, "of the former life");
    }

    #[test]
    fn what_is_missing_is_asked_for_a_few_times_until_it_comes() {
        let now = start();
        let mut reception = Reception::new(90_000, now);
        reception.take(10, 0, now);
        reception.take(13, 0, now);
        assert_eq!(reception.take_due(now), [11, 12]);
        assert_eq!(reception.take_due(now), [0_u16; 0]);
        reception.take(11, 0, now);
        let mut at = now;
        let mut asked = 1;
        while let Some(next) = reception.next() {
            at = next.max(at + Duration::from_millis(1));
            asked += reception.take_due(at).len();
        }
        assert_eq!(asked, usize::from(TIMES));
        let block = reception.block(7, now);
        assert_eq!((block.lost, block.fraction_lost), (1, 64));
        assert_eq!(reception.block(7, now).fraction_lost, 0, "since the last");
    }

    #[test]
    fn a_steady_sender_has_no_jitter_and_an_unsteady_one_has() {
        let origin = start();
        let mut reception = Reception::new(90_000, origin);
        for number in 0..100_u16 {
            let at = origin + Duration::from_millis(20 * u64::from(number));
            reception.take(number, u32::from(number) * 1_800, at);
        }
        assert_eq!(reception.block(7, origin).jitter, 0);
        for number in 100..200_u16 {
            let late = u64::from(number % 2) * 10;
            let at = origin + Duration::from_millis(20 * u64::from(number) + late);
            reception.take(number, u32::from(number) * 1_800, at);
        }
        let jitter = reception.block(7, origin).jitter;
        assert!((800..=900).contains(&jitter), "{jitter} ticks of 900");
    }
}
