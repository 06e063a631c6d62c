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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    use super::{Original, Report, Timestamp};
    use crate::layers::Head;

    /// Two encodings of one camera whose clocks began at other numbers.
    struct Camera {
        began: Instant,
        has_reports: bool,
    }

    impl Camera {
        fn new(has_reports: bool) -> Self {
            #[allow(clippy::disallowed_methods)] // a test needs some moment to start from
            let began = Instant::now();
            Self { began, has_reports }
        }

        /// The picture captured after `ms`, of the encoding whose clock began at `clock`, which
        /// came `delay` ms later.
        fn picture(&self, clock: u32, ms: u64, delay: u64) -> Original<'static> {
            let reported = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
            Original {
                ssrc: clock,
                sequence: 0,
                timestamp: clock.wrapping_add(ms as u32 * 90),
                clock_rate: 90_000,
                arrival: self.began + Duration::from_millis(ms + delay),
                report: self.has_reports.then_some(Report {
                    wall: reported + Duration::from_millis(u64::from(clock % 7)),
                    timestamp: clock.wrapping_add(clock % 7 * 90),
                }),
                head: Head::Plain,
                number: None,
                payload: &[],
            }
        }
    }

    const SMALL: u32 = 4_294_900_000;
    const LARGE: u32 = 77_777;

    /// With sender reports a switch is as long as the time between the captures, however late
    /// the larger picture arrives.
    #[test]
    fn reports_align_encodings() {
        let camera = Camera::new(true);
        let mut time = Timestamp::default();
        let mut last = time.map(&camera.picture(SMALL, 1000, 5));
        for (clock, ms, delay) in [(LARGE, 1033, 60), (SMALL, 1066, 2), (LARGE, 1166, 45)] {
            let before = (last, ms);
            let packet = camera.picture(clock, ms, delay);
            time.start_run(&packet);
            last = time.map(&packet);
            let expected = if ms == 1166 { 100 } else { 33 } * 90;
            assert_eq!(last.wrapping_sub(before.0), expected, "at {ms} ms");
        }
    }

    /// Without them arrival tells. Time never runs backwards, and what is added for that is
    /// taken back: a thousand switches do not drift.
    #[test]
    fn arrival_aligns_encodings() {
        let camera = Camera::new(false);
        let mut time = Timestamp::default();
        let first = time.map(&camera.picture(SMALL, 0, 0));
        let mut last = first;
        for n in 1..=1000 {
            let (clock, delay) = if n % 2 == 0 { (SMALL, 0) } else { (LARGE, 33) };
            let packet = camera.picture(clock, n * 33, delay);
            time.start_run(&packet);
            let next = time.map(&packet);
            let step = next.wrapping_sub(last);
            assert!((1..100 * 90).contains(&step), "{step} ticks at switch {n}");
            last = next;
        }
        let drift = i64::from(last.wrapping_sub(first)) - 1000 * 33 * 90;
        assert!(drift.abs() <= 33 * 90, "{drift} ticks");
    }

    /// Reports that contradict arrival by more than a second are not believed.
    #[test]
    fn wild_reports_are_ignored() {
        let camera = Camera::new(true);
        let mut time = Timestamp::default();
        let first = time.map(&camera.picture(SMALL, 1000, 0));
        let mut packet = camera.picture(LARGE, 1033, 0);
        packet.report = packet.report.map(|report| Report {
            wall: report.wall + Duration::from_secs(3600),
            ..report
        });
        time.start_run(&packet);
        assert_eq!(time.map(&packet).wrapping_sub(first), 33 * 90);
    }
}
