//! When packets left, out of what each says of itself: its send time (abs-send-time), or where that was
//! not negotiated the RTP timestamp of its frame.
//!
//! Send times are those of one clock for all streams, and roll over every 64 s; timestamps are those
//! of one stream, so one stream leads, for as long as it is heard. A clock that jumps, and one not heard
//! for a while, is another clock: nothing that was measured by the old one holds.

use std::time::Instant;

/// What a packet says of its departure.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Its source.
    pub ssrc: u32,
    /// Of its frame, and the clock this is counted by (Hz).
    pub timestamp: (u32, u32),
    /// When it left by the sender's clock. True but for whole multiples of 64 s.
    pub send_time: Option<Instant>,
}

/// When a packet left, us by a clock that begins somewhere above [`START`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Departure {
    pub(super) at: u64,
    /// By another clock than the departures before.
    pub(super) is_fresh: bool,
}

/// The clock by which departures are read.
#[derive(Default)]
pub(super) struct Departures {
    clock: Option<Clock>,
    /// us: the newest departure, and when that packet came by our clock.
    newest: u64,
    heard: u64,
}

#[derive(Clone, Copy)]
enum Clock {
    /// Counted from this send time.
    SendTime(Instant),
    /// The leading source, and the newest timestamp of it.
    Timestamp(u32, u32),
}

impl Departures {
    /// us: the newest departure.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// When a packet left that came at `now` (us). None for one that cannot be told.
    pub(super) fn read(&mut self, now: u64, stamp: Stamp) -> Option<Departure> {
        let silent = now.saturating_sub(self.heard);
        let ahead = match (self.clock, stamp.send_time) {
            (Some(Clock::SendTime(origin)), Some(at)) => Some(self.by_send_time(origin, at)),
            (Some(Clock::SendTime(_)), None) if silent < PATIENCE => return None,
            (Some(Clock::Timestamp(lead, newest)), None) => {
                if lead != stamp.ssrc && silent < PATIENCE {
                    return None;
                }
                (lead == stamp.ssrc).then(|| ticks(newest, stamp))
            }
            _ => None,
        };
        let goes_on = |ahead: &i64| ahead.abs_diff(silent as i64) < JUMP && silent < PATIENCE;
        let Some(ahead) = ahead.filter(goes_on) else {
            self.begin(now, stamp);
            return Some(Departure {
                at: START,
                is_fresh: true,
            });
        };
        let at = self.newest.saturating_add_signed(ahead);
        if at > self.newest {
            (self.newest, self.heard) = (at, now);
            if let Some(Clock::Timestamp(_, newest)) = &mut self.clock {
                *newest = stamp.timestamp.0;
            }
        }
        Some(Departure {
            at,
            is_fresh: false,
        })
    }

    fn begin(&mut self, now: u64, stamp: Stamp) {
        (self.newest, self.heard) = (START, now);
        self.clock = Some(match stamp.send_time {
            Some(origin) => Clock::SendTime(origin),
            None => Clock::Timestamp(stamp.ssrc, stamp.timestamp.0),
        });
    }

    /// us from the newest departure to this one, the short way round.
    fn by_send_time(&self, origin: Instant, at: Instant) -> i64 {
        let since = match at.checked_duration_since(origin) {
            Some(since) => since.as_micros() as i64,
            None => -(origin.duration_since(at).as_micros() as i64),
        };
        let newest = (self.newest - START) as i64;
        (since - newest + ROUND / 2).rem_euclid(ROUND) - ROUND / 2
    }
}

/// us from one timestamp to another, the short way round.
fn ticks(newest: u32, stamp: Stamp) -> i64 {
    let (timestamp, rate) = stamp.timestamp;
    let ahead = timestamp.wrapping_sub(newest) as i32;
    i64::from(ahead) * 1_000_000 / i64::from(rate.max(1))
}

/// Where a clock begins: above all that a late packet may go back, us.
const START: u64 = 1_000_000_000;
/// Send times roll over after this, us.
const ROUND: i64 = 64_000_000;
/// A clock that was not heard for so long is another one, us.
const PATIENCE: u64 = 2_000_000;
/// So is one that is so far from where it should be, us.
const JUMP: u64 = 2_000_000;

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test has to begin at some moment
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn sent(at: Instant) -> Stamp {
        Stamp {
            ssrc: 1,
            timestamp: (0, 90_000),
            send_time: Some(at),
        }
    }

    fn stamped(ssrc: u32, timestamp: u32) -> Stamp {
        Stamp {
            ssrc,
            timestamp: (timestamp, 90_000),
            send_time: None,
        }
    }

    /// Departures since the first, us; none where the clock begins anew.
    fn read(departures: &mut Departures, now: u64, stamp: Stamp) -> Option<u64> {
        let departure = departures.read(now, stamp).expect("it can be told");
        (!departure.is_fresh).then(|| departure.at - START)
    }

    #[test]
    fn send_times_go_on_over_their_roll_over() {
        let (origin, mut departures) = (Instant::now(), Departures::default());
        for step in 0..1_000_u64 {
            let at = step * 100_000;
            // What is left of a send time: 24 bits, so 64 s. Somebody has put it near his own clock.
            let seen = origin + Duration::from_micros(at % 64_000_000 + 128_000_000);
            let expected = (step > 0).then_some(at);
            assert_eq!(read(&mut departures, SECOND + at, sent(seen)), expected);
        }
    }

    #[test]
    fn one_stream_leads_until_it_is_silent() {
        let mut departures = Departures::default();
        let first = u32::MAX - 4_500;
        assert_eq!(read(&mut departures, SECOND, stamped(7, first)), None);
        let later = stamped(7, first.wrapping_add(9_000));
        assert_eq!(
            read(&mut departures, SECOND + 100_000, later),
            Some(100_000)
        );
        assert_eq!(departures.read(SECOND + 150_000, stamped(8, 5)), None);
        assert_eq!(read(&mut departures, 4 * SECOND, stamped(8, 90_000)), None);
        let next = stamped(8, 180_000);
        assert_eq!(read(&mut departures, 5 * SECOND, next), Some(SECOND));
    }

    #[test]
    fn a_clock_that_jumps_is_another_one() {
        let (origin, mut departures) = (Instant::now(), Departures::default());
        assert_eq!(read(&mut departures, SECOND, sent(origin)), None);
        let jumped = sent(origin + Duration::from_secs(9));
        assert_eq!(read(&mut departures, SECOND + 20_000, jumped), None);
        // Send times where there were timestamps are preferred, and the other way round missed.
        let mut departures = Departures::default();
        assert_eq!(read(&mut departures, SECOND, stamped(1, 0)), None);
        assert_eq!(read(&mut departures, SECOND, sent(origin)), None);
        assert_eq!(departures.read(SECOND + 1, stamped(1, 3_000)), None);
    }
}
