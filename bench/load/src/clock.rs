//! Clocks. A measurement here is CPU time of one thread: on a shared machine wall time is noise.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// CPU time (user and system) that the calling thread has used since it started.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Nanoseconds since the Unix epoch: the clock that the kernel stamps arriving datagrams with.
pub(crate) fn wall_nanos() -> u64 {
    // The clock of a machine that runs this stands after 1970, and 2^64 ns last until 2554.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}
