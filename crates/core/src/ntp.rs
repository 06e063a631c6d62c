//! The wall clock as RTP and RTCP write it.

use std::time::{Duration, Instant, SystemTime};

/// A moment on both clocks: what leaves in one wake-up has it in common.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    now: Instant,
    pub(crate) wall: SystemTime,
    /// `wall` as abs-send-time has it.
    pub(crate) send_time: u32,
}

impl Moment {
    pub(crate) fn new((now, wall): (Instant, SystemTime)) -> Self {
        let send_time = send_time(wall);
        Self {
            now,
            wall,
            send_time,
        }
    }

    /// Moves to `now`; `epoch` is what both clocks said at once.
    pub(crate) fn at(&mut self, now: Instant, epoch: (Instant, SystemTime)) -> Self {
        if self.now != now {
            let wall = epoch.1 + now.saturating_duration_since(epoch.0);
            *self = Self::new((now, wall));
        }
        *self
    }
}

/// 32.32 fixed-point seconds since 1900 (RFC 3550 section 4).
pub(crate) fn ntp(wall: SystemTime) -> u64 {
    let unix = since_epoch(wall);
    let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
    (unix.as_secs().wrapping_add(UNIX_IN_NTP) << 32) | fraction
}

/// The moment of such a time. None for one before 1970.
pub(crate) fn wall(ntp: u64) -> Option<SystemTime> {
    let seconds = (ntp >> 32).checked_sub(UNIX_IN_NTP)?;
    let nanos = ((ntp & 0xffff_ffff) * 1_000_000_000) >> 32;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos as u32))
}

/// The middle 32 bits, 16.16 seconds, in which reports count delays (RFC 3550 section 6.4.1).
pub(crate) fn middle(wall: SystemTime) -> u32 {
    (ntp(wall) >> 16) as u32
}

/// 6.18 fixed-point seconds of abs-send-time.
fn send_time(wall: SystemTime) -> u32 {
    let unix = since_epoch(wall);
    let fraction = (u64::from(unix.subsec_nanos()) << 18) / 1_000_000_000;
    (((unix.as_secs() << 18) | fraction) & 0x00ff_ffff) as u32
}

fn since_epoch(wall: SystemTime) -> Duration {
    wall.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
}

/// Seconds from 1900 to 1970.
const UNIX_IN_NTP: u64 = 2_208_988_800;
