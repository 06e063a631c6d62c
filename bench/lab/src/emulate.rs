//! `headwater-lab emulate`: a link between two network namespaces, for programs that are real.
//!
//! Two TUN devices, `--near` (the server's) and `--far` (the client's), are opened here; the caller
//! moves them into their namespaces. Every IP packet read from one is carried by the same
//! [`Link`] as in simulations and written to the other. One loop, one thread, ahead of all ordinary
//! ones where the system allows.
//!
//! A line of JSON on standard input is an order; its end is the end:
//!
//! ```text
//! {"both": {"delay_ms": 45, "loss": 0.05}}    what is named changes, in the directions named
//! {"down": {"rate": 300000, "queue": 48000}}  "down" goes to the client, "up" to the server
//! {"rebind": true}                            the client's UDP gets new public ports
//! {"stats": true}                             answered by one line on standard output
//! ```
//!
//! It watches itself: `late_p99_ms` is by how much packets left later than they should have, since the
//! last answer. A test on a machine too busy for it is void.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use headwater_sim::{Direction, Link};
use lexopt::{Arg, Parser, ValueExt};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::sys;
use crate::translator::Translator;

pub(crate) fn run(mut parser: Parser) -> Result<(), Failure> {
    let (mut near, mut far, mut seed) = (String::new(), String::new(), 1);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("near") => near = parser.value()?.string()?,
            Arg::Long("far") => far = parser.value()?.string()?,
            Arg::Long("seed") => seed = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let mut emulator = Emulator::new([sys::open_tun(&near)?, sys::open_tun(&far)?], seed);
    let urgent = sys::become_urgent();
    println!(
        "{}",
        serde_json::json!({ "event": "ready", "urgent": urgent })
    );
    emulator.serve()
}

/// Index of the direction to the client, and of the device that its packets are read from.
const DOWN: usize = 0;
/// Index of the direction to the server.
const UP: usize = 1;

struct Emulator {
    /// Near and far.
    devices: [File; 2],
    links: [Link; 2],
    directions: [Direction; 2],
    random: fastrand::Rng,
    flights: BinaryHeap<Reverse<Flight>>,
    translator: Translator,
    order: u64,
    stats: Stats,
    late: Vec<u32>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    arrives: Instant,
    order: u64,
    direction: usize,
    packet: Vec<u8>,
}

/// What went over the link since it was made; each pair is down and up.
#[derive(Clone, Debug, Default, Serialize)]
struct Stats {
    packets: [u64; 2],
    bytes: [u64; 2],
    lost: [u64; 2],
    /// Packets to ports that the client no longer has.
    stray: u64,
    /// Of these, sound, pictures and their reports (RFC 7983), not the farewell of an earlier call.
    stray_media: u64,
    /// The first bytes of the last of them, from the UDP header on, in hexadecimal.
    last_stray: String,
    /// Client ports that have sent since the last rebinding.
    mapped: usize,
    late_p50_ms: f64,
    late_p99_ms: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Order {
    both: Option<Change>,
    down: Option<Change>,
    up: Option<Change>,
    rebind: bool,
    stats: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Start from this instead of from what is.
    preset: Option<Preset>,
    delay_ms: Option<f64>,
    jitter_ms: Option<f64>,
    ordered: Option<bool>,
    loss: Option<f64>,
    burst_enter: Option<f64>,
    burst_leave: Option<f64>,
    duplicate: Option<f64>,
    rate: Option<u64>,
    queue: Option<usize>,
    mtu: Option<usize>,
    broken: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Preset {
    Clean,
    WifiCongested,
}

impl Change {
    fn applied_to(self, link: Link) -> Link {
        let link = match self.preset {
            Some(Preset::Clean) => Link::CLEAN,
            Some(Preset::WifiCongested) => Link::wifi_congested().delayed(link.delay),
            None => link,
        };
        let time = |ms: f64| Duration::from_secs_f64(ms.max(0.0) / 1e3);
        Link {
            delay: self.delay_ms.map_or(link.delay, time),
            jitter: self.jitter_ms.map_or(link.jitter, time),
            ordered: self.ordered.unwrap_or(link.ordered),
            loss: self.loss.unwrap_or(link.loss),
            burst_enter: self.burst_enter.unwrap_or(link.burst_enter),
            burst_leave: self.burst_leave.unwrap_or(link.burst_leave),
            duplicate: self.duplicate.unwrap_or(link.duplicate),
            rate: self.rate.unwrap_or(link.rate),
            queue: self.queue.unwrap_or(link.queue),
            mtu: self.mtu.unwrap_or(link.mtu),
            down: self.broken.unwrap_or(link.down),
        }
    }
}

impl Emulator {
    fn new(devices: [File; 2], seed: u64) -> Self {
        Self {
            devices,
            links: [Link::CLEAN; 2],
            directions: Default::default(),
            random: fastrand::Rng::with_seed(seed),
            flights: BinaryHeap::new(),
            translator: Translator::default(),
            order: 0,
            stats: Stats::default(),
            late: Vec::new(),
        }
    }

    /// Until standard input ends.
    fn serve(&mut self) -> Result<(), Failure> {
        let mut orders = Vec::new();
        // Not through the standard library's buffer: what it holds, no poll tells of.
        let mut stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        loop {
            let now = Instant::now();
            let next = self.flights.peek().map(|flight| flight.0.arrives);
            let timeout = next.map_or(IDLE, |at| at.saturating_duration_since(now));
            let [near, far] = &self.devices;
            let readers = [near.as_fd(), far.as_fd(), stdin.as_fd()];
            let [near, far, order] = sys::wait(readers, timeout)?;
            self.deliver()?;
            if near {
                self.read(DOWN)?;
            }
            if far {
                self.read(UP)?;
            }
            if order && !self.obey(&mut stdin, &mut orders)? {
                return Ok(());
            }
        }
    }

    /// Take what one side sends.
    fn read(&mut self, direction: usize) -> Result<(), Failure> {
        let mut buffer = [0; LARGEST];
        for _ in 0..BATCH {
            let length = match self.devices[direction].read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The device is down, which it is until its namespace brings it up.
                Err(error) if error.raw_os_error() == Some(libc::EBADFD) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.carry(direction, &buffer[..length]);
        }
        Ok(())
    }

    fn carry(&mut self, direction: usize, packet: &[u8]) {
        let now = Instant::now();
        let mut packet = packet.to_vec();
        let known = match direction {
            UP => self.translator.outward(&mut packet),
            _ => self.translator.inward(&mut packet),
        };
        if !known {
            self.stats.stray += 1;
            let first = packet.get(IP_HEADER + UDP_HEADER);
            self.stats.stray_media +=
                u64::from(first.is_some_and(|byte| (128..192).contains(byte)));
            self.stats.last_stray = hexadecimal(packet.get(IP_HEADER..).unwrap_or_default());
            return;
        }
        let link = self.links[direction];
        let state = &mut self.directions[direction];
        let Some(arrives) = link.carry(state, &mut self.random, now, packet.len()) else {
            self.stats.lost[direction] += 1;
            return;
        };
        if link.repeats(&mut self.random) {
            self.push(arrives, direction, packet.clone());
        }
        self.push(arrives, direction, packet);
    }

    fn push(&mut self, arrives: Instant, direction: usize, packet: Vec<u8>) {
        if self.flights.len() >= MOST {
            self.stats.lost[direction] += 1;
            return;
        }
        self.order += 1;
        self.flights.push(Reverse(Flight {
            arrives,
            order: self.order,
            direction,
            packet,
        }));
    }

    fn deliver(&mut self) -> Result<(), Failure> {
        loop {
            let now = Instant::now();
            if self
                .flights
                .peek()
                .is_none_or(|flight| flight.0.arrives > now)
            {
                return Ok(());
            }
            let Some(Reverse(flight)) = self.flights.pop() else {
                return Ok(());
            };
            self.note_late(now - flight.arrives);
            let to = 1 - flight.direction;
            match self.devices[to].write_all(&flight.packet) {
                Ok(()) => {
                    self.stats.packets[flight.direction] += 1;
                    self.stats.bytes[flight.direction] += flight.packet.len() as u64;
                }
                // A full or absent device loses packets as any other would.
                Err(_) => self.stats.lost[flight.direction] += 1,
            }
        }
    }

    fn note_late(&mut self, late: Duration) {
        if self.late.len() == MEASURED {
            let slot = self.random.usize(..MEASURED);
            self.late[slot] = late.as_micros() as u32;
        } else {
            self.late.push(late.as_micros() as u32);
        }
    }

    /// Read and follow orders; false at the end of them.
    fn obey(&mut self, stdin: &mut File, pending: &mut Vec<u8>) -> Result<bool, Failure> {
        let mut buffer = [0; 4096];
        let length = stdin.read(&mut buffer)?;
        pending.extend(&buffer[..length]);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            self.follow(serde_json::from_slice(&line)?)?;
        }
        Ok(length > 0)
    }

    fn follow(&mut self, order: Order) -> Result<(), Failure> {
        for (direction, change) in [(DOWN, order.down), (UP, order.up)] {
            for change in [order.both, change].into_iter().flatten() {
                let old = self.links[direction];
                let new = change.applied_to(old);
                self.directions[direction].rescale(Instant::now(), old.rate, new.rate);
                self.links[direction] = new;
            }
        }
        if order.rebind {
            self.translator.rebind();
        }
        if order.stats {
            self.late.sort_unstable();
            let at = |share: f64| {
                let index = (self.late.len() as f64 * share) as usize;
                let late = self.late.get(index.min(self.late.len().saturating_sub(1)));
                late.map_or(0.0, |micros| f64::from(*micros) / 1e3)
            };
            (self.stats.late_p50_ms, self.stats.late_p99_ms) = (at(0.5), at(0.99));
            self.late.clear();
            let mut out = io::stdout().lock();
            self.stats.mapped = self.translator.mapped();
            serde_json::to_writer(&mut out, &self.stats)?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
        Ok(())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let shown = bytes.iter().take(32);
    shown.map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of an IPv4 header without options.
const IP_HEADER: usize = 20;
/// Bytes of a UDP header.
const UDP_HEADER: usize = 8;
/// How long to wait when nothing is under way.
const IDLE: Duration = Duration::from_secs(1);
/// Largest packet that a device hands over.
const LARGEST: usize = 65_536;
/// Packets taken from one side before the other has its turn.
const BATCH: usize = 64;
/// Packets under way at most.
const MOST: usize = 65_536;
/// Latenesses kept for the percentiles.
const MEASURED: usize = 100_000;
