//! One publisher to N subscribers through a server: the run from the first offer to the result.
//!
//! One thread does all media; signalling has its own ([`crate::signalling`]). The stages:
//!
//! ```text
//! Publishing   the publisher joins and sends; after a second the server's memory is read
//! Joining      every subscriber joins; ends when each has received media
//! Warming      rates and buffers settle
//! Measuring    CPU time, delay and loss
//! Draining     late packets and retransmissions arrive
//! ```
//!
//! The load: 2.5 Mbit/s at 30 frames a second in packets of about 1200 bytes. A frame leaves as one
//! burst of 8 or 9 packets, or (`spread`) the same packets leave one by one at even distances.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use crate::clients::Clients;
use crate::clock::{Core, stay_on, wall_nanos};
use crate::frame::{self, Position, Stamp};
use crate::peer::{Failure, Role};
use crate::profile;
use crate::server::{Spent, Usage};
use crate::tally::Delivery;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// WHIP endpoint.
    pub(crate) whip: String,
    /// WHEP endpoint.
    pub(crate) whep: String,
    /// Bearer token, where the server wants one.
    pub(crate) token: Option<String>,
    /// Subscribers.
    pub(crate) subscribers: usize,
    /// How long to measure.
    pub(crate) seconds: f64,
    /// Packets one by one instead of a frame at once.
    pub(crate) spread: bool,
    /// Receive offload at the subscribers.
    pub(crate) gro: bool,
    /// Media and RTCP that each subscriber loses, percent.
    pub(crate) loss: f64,
    /// Process whose CPU time and memory to read.
    pub(crate) server: Option<u32>,
}

/// The outcome of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    event: &'static str,
    subscribers: usize,
    spread: bool,
    gro: bool,
    injected_loss_percent: f64,
    seconds: f64,
    /// Packets the publisher sent in the window.
    sent: u32,
    /// Packets that reached subscribers between the two readings of CPU time.
    forwarded: u64,
    /// Mean bytes of a datagram at a subscriber.
    datagram_bytes: f64,
    key_frames: u64,
    /// Sessions per SRTP profile, the publisher's included.
    srtp_profiles: Vec<(&'static str, usize)>,
    #[serde(flatten)]
    delivery: Delivery,
    /// CPU microseconds of the server per forwarded packet.
    cpu_us_per_packet: Option<f64>,
    cpu: Option<Spent>,
    /// Resident memory that each subscriber added, in bytes.
    memory_per_subscriber: Option<f64>,
    /// Resident memory at the end, in bytes.
    memory: Option<u64>,
    /// CPU time of the generator's media thread per forwarded packet.
    generator_us_per_packet: f64,
}

/// Run it; prints a JSON line per stage and answers the result.
pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    stay_on(Core::Last);
    let mut clients = Clients::new(options.token.clone(), options.gro, options.loss / 100.0)?;
    let mut source = Source::new(options.spread);
    clients.join(Role::Publisher, &options.whip)?;
    until(
        &mut clients,
        &mut source,
        JOIN_LIMIT,
        "the publisher did not connect",
        Clients::publishing,
    )?;
    turn(&mut clients, &mut source, SETTLE)?;
    let empty = options.server.map(Usage::read).transpose()?;
    stage("publishing", 0);

    for _ in 0..options.subscribers {
        let number = clients.tally.add_subscriber();
        clients.join(Role::Subscriber(number), &options.whep)?;
    }
    join_all(&mut clients, &mut source, options.subscribers)?;
    stage("warming", options.subscribers);
    turn(&mut clients, &mut source, WARM)?;
    stage("measuring", options.subscribers);
    measure(&mut clients, &mut source, options, empty.as_ref())
}

fn join_all(clients: &mut Clients, source: &mut Source, subscribers: usize) -> Result<(), Failure> {
    let limit = JOIN_LIMIT + JOIN_EACH * subscribers as u32;
    let mut shown = 0;
    let everyone_fed = |clients: &Clients| {
        let fed = clients.tally.fed();
        if fed >= shown + subscribers.div_ceil(20) || fed == subscribers {
            shown = fed;
            stage("joining", fed);
        }
        fed == subscribers
    };
    until(
        clients,
        source,
        limit,
        "not every subscriber received media",
        everyone_fed,
    )
}

fn measure(
    clients: &mut Clients,
    source: &mut Source,
    options: &Options,
    empty: Option<&Usage>,
) -> Result<Report, Failure> {
    let first = source.index;
    clients.tally.open_window(first);
    let (packets, bytes) = (clients.tally.packets, clients.tally.bytes);
    let before = options.server.map(Usage::read).transpose()?;
    let own = crate::clock::thread_cpu();
    turn(clients, source, Duration::from_secs_f64(options.seconds))?;
    let own = crate::clock::thread_cpu() - own;
    let after = options.server.map(Usage::read).transpose()?;
    let forwarded = clients.tally.packets - packets;
    let bytes = clients.tally.bytes - bytes;
    clients.tally.close_window(source.index);
    let sent = source.index - first;
    turn(clients, source, DRAIN)?;

    let cpu = after
        .as_ref()
        .zip(before.as_ref())
        .map(|(after, before)| after.since(before));
    let each = |total: f64| total / forwarded.max(1) as f64;
    let grown = after
        .as_ref()
        .zip(empty)
        .map(|(full, empty)| full.resident as f64 - empty.resident as f64);
    Ok(Report {
        event: "result",
        subscribers: options.subscribers,
        spread: options.spread,
        gro: options.gro,
        injected_loss_percent: options.loss,
        seconds: options.seconds,
        sent,
        forwarded,
        datagram_bytes: each(bytes as f64),
        key_frames: source.key_frames,
        srtp_profiles: profile::negotiated(),
        delivery: clients.tally.delivery(),
        cpu_us_per_packet: cpu.as_ref().map(|cpu| each(cpu.total_us)),
        cpu,
        memory_per_subscriber: grown.map(|grown| grown / options.subscribers.max(1) as f64),
        memory: after.map(|after| after.resident),
        generator_us_per_packet: each(own.as_secs_f64() * 1e6),
    })
}

fn stage(name: &str, subscribers: usize) {
    println!(
        "{}",
        json!({"event": "stage", "stage": name, "subscribers": subscribers})
    );
}

/// Go on until `done`, at most for `limit`.
fn until(
    clients: &mut Clients,
    source: &mut Source,
    limit: Duration,
    problem: &str,
    mut done: impl FnMut(&Clients) -> bool,
) -> Result<(), Failure> {
    let end = Instant::now() + limit;
    while !done(clients) {
        if Instant::now() > end {
            let (fed, all) = (clients.tally.fed(), clients.connected());
            return Err(format!("{problem} ({all} connected, {fed} fed)").into());
        }
        step(clients, source, Instant::now() + TICK)?;
    }
    Ok(())
}

/// Go on for `time`.
fn turn(clients: &mut Clients, source: &mut Source, time: Duration) -> Result<(), Failure> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        step(clients, source, end)?;
    }
    Ok(())
}

fn step(clients: &mut Clients, source: &mut Source, latest: Instant) -> Result<(), Failure> {
    clients.wait(latest.min(source.due))?;
    source.send(clients)
}

/// The publisher's clock: which packets are due.
struct Source {
    spread: bool,
    due: Instant,
    frame: u64,
    /// Packets of this frame already sent, and whether it is a key frame.
    position: u64,
    key: bool,
    key_frames: u64,
    /// Number of the next packet.
    index: u32,
}

impl Source {
    fn new(spread: bool) -> Self {
        Self {
            spread,
            due: Instant::now(),
            frame: 0,
            position: 0,
            key: false,
            key_frames: 0,
            index: 0,
        }
    }

    fn send(&mut self, clients: &mut Clients) -> Result<(), Failure> {
        let now = Instant::now();
        if now < self.due {
            return Ok(());
        }
        let interval = if self.spread {
            Duration::from_secs(1) / PACKET_RATE as u32
        } else {
            Duration::from_secs(1) / FRAME_RATE as u32
        };
        // After a stall the clock starts anew: a real encoder does not catch up either.
        self.due = if now > self.due + STALL {
            now + interval
        } else {
            self.due + interval
        };
        if !clients.publishing() {
            return Ok(());
        }
        let count = if self.spread { 1 } else { self.frame_packets() };
        (0..count).try_for_each(|_| self.packet(clients))?;
        clients.publisher().flush()
    }

    /// 8 or 9 packets, so that a second has [`PACKET_RATE`].
    fn frame_packets(&self) -> u64 {
        (self.frame + 1) * PACKET_RATE / FRAME_RATE - self.frame * PACKET_RATE / FRAME_RATE
    }

    fn packet(&mut self, clients: &mut Clients) -> Result<(), Failure> {
        let publisher = clients.publisher();
        let first = self.position == 0;
        if first {
            self.key = std::mem::take(&mut publisher.key_frame_wanted);
            self.key_frames += u64::from(self.key);
        }
        let last = self.position + 1 == self.frame_packets();
        let stamp = Stamp {
            index: self.index,
            sent: wall_nanos(),
        };
        let payload = frame::payload(
            Position {
                frame: self.frame,
                first,
                key: self.key,
            },
            stamp,
        );
        publisher.write(
            u64::from(self.index),
            (self.frame * RTP_STEP) as u32,
            last,
            payload,
        )?;
        self.index += 1;
        self.position += 1;
        if last {
            self.frame += 1;
            self.position = 0;
        }
        Ok(())
    }
}

const FRAME_RATE: u64 = 30;
const PACKET_RATE: u64 = 260;
const RTP_STEP: u64 = 90_000 / FRAME_RATE;
const STALL: Duration = Duration::from_millis(200);
const TICK: Duration = Duration::from_millis(20);
const SETTLE: Duration = Duration::from_secs(1);
const WARM: Duration = Duration::from_millis(1500);
const DRAIN: Duration = Duration::from_millis(500);
const JOIN_LIMIT: Duration = Duration::from_secs(10);
const JOIN_EACH: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_frames_has_the_packet_rate() {
        let mut source = Source::new(false);
        let sizes: Vec<u64> = (0..FRAME_RATE)
            .map(|frame| {
                source.frame = frame;
                source.frame_packets()
            })
            .collect();
        assert_eq!(sizes.iter().sum::<u64>(), PACKET_RATE);
        assert!(sizes.iter().all(|size| [8, 9].contains(size)));
    }
}
