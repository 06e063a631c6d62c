//! What the server under test uses, read from outside: CPU time of each of its threads and its
//! resident memory, from /proc.

use std::fs;
use std::io;

use serde::Serialize;

/// A reading of one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    threads: Vec<Thread>,
    /// Resident memory in bytes.
    pub(crate) resident: u64,
}

#[derive(Clone, Debug)]
struct Thread {
    id: u32,
    name: String,
    /// Nanoseconds on a core, exact.
    running: u64,
    /// Clock ticks in user and in system mode: coarse, good for the split only.
    user: u64,
    system: u64,
}

/// CPU time between two readings, in microseconds.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Spent {
    /// All threads.
    pub(crate) total_us: f64,
    /// Share of user mode in `total_us`, 0 to 1.
    pub(crate) user_share: f64,
    /// Per thread name, largest first.
    pub(crate) threads: Vec<(String, f64)>,
}

impl Usage {
    /// Read process `pid`.
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        let mut threads = Vec::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let entry = entry?;
            let Some(id) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            // A thread may end between the listing and the reading.
            if let Ok(thread) = Thread::read(pid, id) {
                threads.push(thread);
            }
        }
        let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
        let pages: u64 = field(&statm, 1)?;
        Ok(Self {
            threads,
            resident: pages * rustix::param::page_size() as u64,
        })
    }

    /// CPU time since `before`. A thread that ended in between is left out.
    pub(crate) fn since(&self, before: &Self) -> Spent {
        let (mut ticks, mut user) = (0, 0);
        let mut names: Vec<(String, f64)> = Vec::new();
        for thread in &self.threads {
            let old = before.threads.iter().find(|old| old.id == thread.id);
            let micros = (thread.running - old.map_or(0, |old| old.running)) as f64 / 1e3;
            let in_user = thread.user - old.map_or(0, |old| old.user);
            user += in_user;
            ticks += in_user + thread.system - old.map_or(0, |old| old.system);
            match names.iter_mut().find(|(name, _)| *name == thread.name) {
                Some((_, sum)) => *sum += micros,
                None => names.push((thread.name.clone(), micros)),
            }
        }
        names.sort_by(|one, two| two.1.total_cmp(&one.1));
        Spent {
            total_us: names.iter().map(|(_, micros)| micros).sum(),
            user_share: user as f64 / ticks.max(1) as f64,
            threads: names,
        }
    }
}

impl Thread {
    fn read(pid: u32, id: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/task/{id}/stat"))?;
        let schedstat = fs::read_to_string(format!("/proc/{pid}/task/{id}/schedstat"))?;
        // The name stands in parentheses and may itself hold spaces and parentheses.
        let (open, close) = (stat.find('('), stat.rfind(')'));
        let (Some(open), Some(close)) = (open, close) else {
            return Err(io::Error::other("no thread name in stat"));
        };
        let rest = &stat[close + 1..];
        Ok(Self {
            id,
            name: stat[open + 1..close].to_owned(),
            running: field(&schedstat, 0)?,
            user: field(rest, 11)?,
            system: field(rest, 12)?,
        })
    }
}

fn field(text: &str, index: usize) -> io::Result<u64> {
    text.split_whitespace()
        .nth(index)
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| io::Error::other("a field of /proc is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_work_shows_in_the_reading() {
        let pid = std::process::id();
        let before = Usage::read(pid).unwrap();
        let begun = crate::clock::thread_cpu();
        while crate::clock::thread_cpu() - begun < std::time::Duration::from_millis(50) {}
        let spent = Usage::read(pid).unwrap().since(&before);
        assert!(spent.total_us > 40_000.0, "{spent:?}");
        assert!(before.resident > 100_000);
    }
}
