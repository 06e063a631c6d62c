//! Publishers and subscribers through a server: the run from the first offer to the result.
//!
//! One thread does all media; signalling has its own ([`crate::signalling`]). The stages:
//!
//! ```text
//! Publishing   the publishers join and send; after a second the server's memory is read
//! Joining      every subscriber joins; ends when each has received all that it is to get
//! Warming      rates and buffers settle
//! Measuring    CPU time, delay and loss
//! Draining     late packets and retransmissions arrive
//! ```

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use crate::clients::Clients;
use crate::clock::{Core, stay_on};
use crate::one_profile::OneProfile;
use crate::peer::{Bed, Codec, Failure, Lines, Role};
use crate::profile;
use crate::server::{Spent, Usage};
use crate::source::{FLOWS, FRAME_RATE, Load, Source};
use crate::tally::Delivery;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) rooms: Vec<Room>,
    /// What each publisher sends.
    pub(crate) load: Load,
    /// Bearer token, where the server wants one.
    pub(crate) token: Option<String>,
    /// How long to measure.
    pub(crate) seconds: f64,
    /// Receive offload at the clients.
    pub(crate) gro: bool,
    /// Media and RTCP that each subscriber loses, percent.
    pub(crate) loss: f64,
    /// The one SRTP profile that every client offers.
    pub(crate) srtp: Option<&'static OneProfile>,
    /// Process whose CPU time and memory to read.
    pub(crate) server: Option<u32>,
}

/// One room and who joins it.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// WHIP endpoint.
    pub(crate) whip: String,
    /// WHEP endpoint.
    pub(crate) whep: String,
    pub(crate) publishers: usize,
    pub(crate) subscribers: usize,
    /// Publishers whose tracks each subscriber takes.
    pub(crate) takes: usize,
}

/// The outcome of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    event: &'static str,
    rooms: usize,
    publishers: usize,
    subscribers: usize,
    spread: bool,
    gro: bool,
    injected_loss_percent: f64,
    seconds: f64,
    /// Packets the publishers sent in the window.
    sent: u64,
    /// Packets that reached subscribers between the two readings of CPU time.
    forwarded: u64,
    /// Mean bytes of a datagram at a subscriber.
    datagram_bytes: f64,
    key_frames: u64,
    /// Sessions per SRTP profile, the publishers' included.
    srtp_profiles: Vec<(&'static str, usize)>,
    #[serde(flatten)]
    delivery: Delivery,
    /// CPU microseconds of the server per forwarded packet.
    cpu_us_per_packet: Option<f64>,
    cpu: Option<Spent>,
    /// Resident memory that each subscriber added, in bytes.
    memory_per_subscriber: Option<f64>,
    /// Resident memory that each session added, publishers' as well, in bytes.
    memory_per_session: Option<f64>,
    /// Resident memory at the end, in bytes.
    memory: Option<u64>,
    /// CPU time of the generator's media thread per forwarded packet.
    generator_us_per_packet: f64,
    /// What part of its core the generator's media thread used, 0 to 1.
    generator_busy: f64,
}

/// Run it; prints a JSON line per stage and answers the result.
pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    if options.load.rate < FRAME_RATE {
        return Err(format!("a publisher sends at least {FRAME_RATE} packets a second").into());
    }
    let mut run = Run::new(options)?;
    let before = Reading::of(options.server)?;
    run.publish(options)?;
    let publishing = Reading::of(options.server)?;
    stage("publishing", 0);
    run.subscribe(options)?;
    stage("warming", run.sessions() - run.sources.len());
    run.turn(WARM)?;
    stage("measuring", run.sessions() - run.sources.len());
    run.measure(options, &before, &publishing)
}

/// Tells how far a run has come.
pub(crate) fn stage(name: &str, subscribers: usize) {
    println!(
        "{}",
        json!({"event": "stage", "stage": name, "subscribers": subscribers})
    );
}

/// Clients and what they send.
pub(crate) struct Run {
    pub(crate) clients: Clients,
    sources: Vec<Source>,
}

impl Run {
    /// Nobody yet.
    pub(crate) fn new(options: &Options) -> Result<Self, Failure> {
        stay_on(Core::Last);
        let film = options.load.film.as_ref();
        let codec = film.map_or_else(Codec::default, |film| film.codec);
        let bed = Bed::new(options.gro, options.loss, options.srtp, codec);
        Ok(Self {
            clients: Clients::new(options.token.clone(), bed)?,
            sources: Vec::new(),
        })
    }

    fn sessions(&self) -> usize {
        self.clients.peers.len()
    }

    /// Every publisher joins and sends.
    pub(crate) fn publish(&mut self, options: &Options) -> Result<(), Failure> {
        let all: usize = options.rooms.iter().map(|room| room.publishers).sum();
        let lines = Lines {
            video: 1,
            audio: usize::from(options.load.audio),
            heartbeat: false,
        };
        for room in &options.rooms {
            for _ in 0..room.publishers {
                let number = self.sources.len();
                let peer = self.clients.join(Role::Publisher, &lines, &room.whip)?;
                let phase = FRAME * number as u32 / all as u32;
                let source = Source::new(number, peer, options.load.clone(), phase);
                self.sources.push(source);
            }
        }
        let limit = JOIN_LIMIT + JOIN_EACH * all as u32;
        self.until(limit, "not every publisher connected", |run| {
            run.clients.connected() == all
        })?;
        self.turn(SETTLE)
    }

    /// Every subscriber joins; ends when all are fed.
    pub(crate) fn subscribe(&mut self, options: &Options) -> Result<(), Failure> {
        for room in &options.rooms {
            let lines = Lines {
                video: room.takes,
                audio: room.takes * usize::from(options.load.audio),
                heartbeat: false,
            };
            for _ in 0..room.subscribers {
                let flows = room.takes * options.load.flows();
                let number = self.clients.tally.add_subscriber(flows);
                let role = Role::Subscriber(number);
                self.clients.join(role, &lines, &room.whep)?;
            }
        }
        let all = self.sessions() - self.sources.len();
        let limit = JOIN_LIMIT + JOIN_EACH * all as u32;
        let mut shown = 0;
        self.until(limit, "not every subscriber received media", |run| {
            let fed = run.clients.tally.fed();
            if fed >= shown + all.div_ceil(20) || fed == all {
                shown = fed;
                stage("joining", fed);
            }
            fed == all
        })
    }

    /// One window, with the readings before anybody came and before the subscribers did.
    pub(crate) fn measure(
        &mut self,
        options: &Options,
        begun: &Reading,
        publishing: &Reading,
    ) -> Result<Report, Failure> {
        let firsts = self.numbers();
        self.clients.tally.open_window(&firsts);
        let (packets, bytes) = (self.clients.tally.packets, self.clients.tally.bytes);
        let before = Reading::of(options.server)?;
        let own = crate::clock::thread_cpu();
        self.turn(Duration::from_secs_f64(options.seconds))?;
        let own = crate::clock::thread_cpu() - own;
        let after = Reading::of(options.server)?;
        let forwarded = self.clients.tally.packets - packets;
        let bytes = self.clients.tally.bytes - bytes;
        let ends = self.numbers();
        self.clients.tally.close_window(&ends);
        self.turn(DRAIN)?;

        let cpu = after.spent_since(&before);
        let each = |total: f64| total / forwarded.max(1) as f64;
        let (sessions, publishers) = (self.sessions(), self.sources.len());
        let numbers = ends.iter().zip(&firsts);
        Ok(Report {
            event: "result",
            rooms: options.rooms.len(),
            publishers,
            subscribers: sessions - publishers,
            spread: options.load.spread,
            gro: options.gro,
            injected_loss_percent: options.loss,
            seconds: options.seconds,
            sent: numbers.map(|(end, first)| u64::from(end - first)).sum(),
            forwarded,
            datagram_bytes: each(bytes as f64),
            key_frames: self.sources.iter().map(|one| one.video.key_frames).sum(),
            srtp_profiles: profile::negotiated(),
            delivery: self.clients.tally.delivery(),
            cpu_us_per_packet: cpu.as_ref().map(|cpu| each(cpu.total_us)),
            cpu,
            memory_per_subscriber: after.grown_since(publishing, sessions - publishers),
            memory_per_session: after.grown_since(begun, sessions),
            memory: after.0.map(|after| after.resident),
            generator_us_per_packet: each(own.as_secs_f64() * 1e6),
            generator_busy: own.as_secs_f64() / options.seconds,
        })
    }

    /// The next packet's number of every flow.
    fn numbers(&self) -> Vec<u32> {
        let flows = self
            .sources
            .iter()
            .flat_map(|source| [source.video.index, source.audio.index]);
        let flows: Vec<u32> = flows.collect();
        debug_assert_eq!(flows.len(), self.sources.len() * FLOWS);
        flows
    }

    /// Go on until `done`, at most for `limit`.
    fn until(
        &mut self,
        limit: Duration,
        problem: &str,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<(), Failure> {
        let end = Instant::now() + limit;
        while !done(self) {
            if Instant::now() > end {
                let (fed, all) = (self.clients.tally.fed(), self.clients.connected());
                return Err(format!("{problem} ({all} connected, {fed} fed)").into());
            }
            self.step(Instant::now() + TICK)?;
        }
        Ok(())
    }

    /// Go on for `time`.
    pub(crate) fn turn(&mut self, time: Duration) -> Result<(), Failure> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step(end)?;
        }
        Ok(())
    }

    /// Handle what comes until `latest`, or until something is due.
    pub(crate) fn step(&mut self, latest: Instant) -> Result<(), Failure> {
        let due = self.sources.iter().map(Source::due).min();
        self.clients
            .wait(due.map_or(latest, |due| due.min(latest)))?;
        let (clients, now) = (&mut self.clients, Instant::now());
        let mut sources = self.sources.iter_mut();
        sources.try_for_each(|source| source.send(clients, now))
    }
}

/// A reading of the server, if there is one to be read.
pub(crate) struct Reading(pub(crate) Option<Usage>);

impl Reading {
    pub(crate) fn of(server: Option<u32>) -> Result<Self, Failure> {
        Ok(Self(server.map(Usage::read).transpose()?))
    }

    /// CPU time since `before`.
    pub(crate) fn spent_since(&self, before: &Self) -> Option<Spent> {
        let (after, before) = (self.0.as_ref()?, before.0.as_ref()?);
        Some(after.since(before))
    }

    /// Resident memory since `before`, shared among so many, in bytes.
    pub(crate) fn grown_since(&self, before: &Self, among: usize) -> Option<f64> {
        let (after, before) = (self.0.as_ref()?, before.0.as_ref()?);
        let grown = after.resident as f64 - before.resident as f64;
        Some(grown / among.max(1) as f64)
    }
}

const FRAME: Duration = Duration::from_nanos(1_000_000_000 / FRAME_RATE);
const TICK: Duration = Duration::from_millis(20);
const SETTLE: Duration = Duration::from_secs(1);
const WARM: Duration = Duration::from_millis(1500);
const DRAIN: Duration = Duration::from_millis(500);
const JOIN_LIMIT: Duration = Duration::from_secs(30);
const JOIN_EACH: Duration = Duration::from_millis(200);
