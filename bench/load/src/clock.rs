//! Clocks and cores. A measurement here is CPU time of one thread: on a shared machine wall time is
//! noise. Even CPU time depends on where the reader runs: a send to a reader that works on another core
//! costs nearly twice as much as one whose reader waits for the sender's own core. So both are put on
//! cores of their own, where there are two.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
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

/// Which of the cores that the process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Core {
    /// For the side that is measured.
    First,
    /// For the side that makes or takes the load.
    Last,
}

/// Keep the calling thread on one core. Without effect where there is only one, or no permission.
pub(crate) fn stay_on(core: Core) {
    let Ok(allowed) = sched_getaffinity(None) else {
        return;
    };
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let chosen = match core {
        Core::First => cores.next(),
        Core::Last => cores.next_back(),
    };
    if let Some(chosen) = chosen {
        let mut only = CpuSet::new();
        only.set(chosen);
        let _ = sched_setaffinity(None, &only);
    }
}
