//! Sessions that do nothing: what they cost while nobody speaks.
//!
//! Half of them are publishers that never send (muted), half are subscribers in the same rooms. CPU time
//! of the server is read in windows of one length:
//!
//! ```text
//! empty     nobody has joined: what the process costs by itself
//! checked   all are connected; the clients send their consent checks and the server answers them
//! silent    the clients neither send nor read: what is left are the server's own timers
//! beating   every subscriber has asked for the heartbeat as well
//! ```
//!
//! The clients' checks are theirs and more frequent than a browser's, so the difference between
//! `checked` and `silent` is told per check and not hidden in a sum.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::clients::Clients;
use crate::clock::{Core, stay_on};
use crate::peer::{Bed, Codec, Failure, Lines, Role};
use crate::run::{Reading, stage};
use crate::server::Spent;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Where the server is; `/whip/ROOM` and `/whep/ROOM` are added.
    pub(crate) url: String,
    /// Bearer token, where the server wants one.
    pub(crate) token: Option<String>,
    /// Sessions, half of them publishing.
    pub(crate) sessions: usize,
    /// Sessions of one room.
    pub(crate) each: usize,
    /// Length of a window; less than the server takes to miss a client.
    pub(crate) seconds: f64,
    /// Process whose CPU time and memory to read.
    pub(crate) server: u32,
}

/// The outcome.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    event: &'static str,
    sessions: usize,
    subscribers: usize,
    rooms: usize,
    /// Resident memory that each session added, in bytes.
    memory_per_session: f64,
    /// How long it took until all were connected.
    join_seconds: f64,
    windows: Vec<Window>,
}

/// One window.
#[derive(Debug, Serialize)]
pub(crate) struct Window {
    name: &'static str,
    seconds: f64,
    /// CPU time of the server.
    cpu: Spent,
    /// Datagrams that the clients sent and received.
    sent: u64,
    received: u64,
    /// Heartbeats that they received.
    beats: u64,
}

/// Run it; prints a JSON line per stage and answers the result.
pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    stay_on(Core::Last);
    // A socket per session, and what the process has besides.
    let allowed = allow_files(options.sessions as u64 + 64);
    if allowed < options.sessions as u64 + 64 {
        return Err(format!("only {allowed} files may be open: ask for fewer sessions").into());
    }
    let time = Duration::from_secs_f64(options.seconds);
    let mut clients = Clients::new(
        options.token.clone(),
        Bed::new(false, 0.0, None, Codec::Vp8),
    )?;
    let mut windows = Vec::new();
    stage("empty", 0);
    windows.push(window("empty", &mut clients, options, pause(time))?);
    let before = Reading::of(Some(options.server))?;
    let begun = Instant::now();
    let rooms = join(&mut clients, options)?;
    let join_seconds = begun.elapsed().as_secs_f64();
    stage("settling", options.sessions);
    turn(&mut clients, SETTLE)?;
    let after = Reading::of(Some(options.server))?;
    for name in ["checked", "silent"] {
        stage(name, options.sessions);
        windows.push(if name == "silent" {
            window(name, &mut clients, options, pause(time))?
        } else {
            window(name, &mut clients, options, |clients| turn(clients, time))?
        });
    }
    stage("asking", options.sessions);
    ask_for_beats(&mut clients)?;
    turn(&mut clients, SETTLE)?;
    stage("beating", options.sessions);
    let beating = |clients: &mut Clients| turn(clients, time);
    windows.push(window("beating", &mut clients, options, beating)?);
    stage("end", options.sessions);
    clients.vanish();
    let subscribers = clients.peers.iter().filter(|peer| subscribes(peer.role));
    Ok(Report {
        event: "result",
        sessions: options.sessions,
        subscribers: subscribers.count(),
        rooms,
        memory_per_session: after
            .grown_since(&before, options.sessions)
            .unwrap_or_default(),
        join_seconds,
        windows,
    })
}

/// Joins everybody, room by room; how many rooms.
fn join(clients: &mut Clients, options: &Options) -> Result<usize, Failure> {
    let one_each = Lines {
        video: 1,
        audio: 1,
        heartbeat: false,
    };
    let mut rooms = 0;
    for number in 0..options.sessions {
        let room = number / options.each.max(2);
        rooms = room + 1;
        let (role, lines, kind) = if number % 2 == 0 {
            (Role::Publisher, one_each, "whip")
        } else {
            let number = clients.tally.add_subscriber(0);
            let lines = Lines {
                heartbeat: true,
                ..one_each
            };
            (Role::Subscriber(number), lines, "whep")
        };
        let url = format!("{}/{kind}/idle-{room}", options.url);
        clients.join(role, &lines, &url)?;
        // Not all offers at once: a client whose answer comes late has given up by then.
        let waiting = |clients: &Clients| clients.peers.len() - clients.connected();
        while waiting(clients) > AT_ONCE {
            clients.wait(Instant::now() + TICK)?;
        }
        if number % 250 == 249 {
            stage("joining", number + 1);
        }
    }
    let end = Instant::now() + JOIN_LIMIT;
    while clients.connected() < options.sessions {
        if Instant::now() > end {
            let connected = clients.connected();
            return Err(format!("{connected} of {} connected", options.sessions).into());
        }
        clients.wait(Instant::now() + TICK)?;
    }
    Ok(rooms)
}

fn ask_for_beats(clients: &mut Clients) -> Result<(), Failure> {
    for number in 0..clients.peers.len() {
        let peer = &mut clients.peers[number];
        if subscribes(peer.role) && !peer.ask_for_beats(true)? {
            return Err("a subscriber's data channel is not open".into());
        }
        clients.touched(number);
    }
    Ok(())
}

/// What the server spends while `work` goes on.
fn window(
    name: &'static str,
    clients: &mut Clients,
    options: &Options,
    work: impl FnOnce(&mut Clients) -> Result<(), Failure>,
) -> Result<Window, Failure> {
    let beats = |clients: &Clients| clients.peers.iter().map(|peer| peer.beats).sum::<u64>();
    let (sent, received) = clients.traffic();
    let beaten = beats(clients);
    let (begun, before) = (Instant::now(), Reading::of(Some(options.server))?);
    work(clients)?;
    let after = Reading::of(Some(options.server))?;
    let seconds = begun.elapsed().as_secs_f64();
    let traffic = clients.traffic();
    Ok(Window {
        name,
        seconds,
        cpu: after.spent_since(&before).unwrap_or_default(),
        sent: traffic.0 - sent,
        received: traffic.1 - received,
        beats: beats(clients) - beaten,
    })
}

/// Neither sends nor reads.
fn pause(time: Duration) -> impl FnOnce(&mut Clients) -> Result<(), Failure> {
    move |_| {
        thread::sleep(time);
        Ok(())
    }
}

fn turn(clients: &mut Clients, time: Duration) -> Result<(), Failure> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        clients.wait(end)?;
    }
    Ok(())
}

fn subscribes(role: Role) -> bool {
    matches!(role, Role::Subscriber(_))
}

/// Raises the limit of open files where that is allowed; what it is then.
fn allow_files(wanted: u64) -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted.min(most));
        let _ = setrlimit(Resource::Nofile, limit);
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Clients that are connecting at the same time.
const AT_ONCE: usize = 16;
const TICK: Duration = Duration::from_millis(20);
const SETTLE: Duration = Duration::from_secs(2);
const JOIN_LIMIT: Duration = Duration::from_secs(30);
