//! Mutated STUN, DTLS, SRTP, SRTCP and SCTP-in-DTLS at a live port, from verified and from unknown
//! addresses, beside a call that must not notice.
//!
//! `HEADWATER_HOSTILE_DATAGRAMS` says how many in each test; `make hostile` sends ten million in all.
//! `HEADWATER_FUZZ_SEED` repeats the edits of a run; what is edited is that of the call, whose keys are new each time.

mod common;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use common::Call;
use headwater_core::event::{CloseReason, Event};

/// What a run of the test suite has time for.
const DATAGRAMS: u64 = 100_000;
const STRANGERS: usize = 8;
/// Less than a media thread takes from one socket in a turn.
const DATAGRAMS_PER_TURN: usize = 50;

fn mutate(random: &mut fastrand::Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[random.usize(..seeds.len())].clone();
    for _ in 0..random.u8(1..=6) {
        let at = random.usize(..data.len().max(1));
        match random.u8(..5) {
            0 | 1 if at < data.len() => data[at] ^= 1 << random.u8(..8),
            2 => data.truncate(at.max(1)),
            3 if at < data.len() => data[at] = random.u8(..),
            _ => {
                let tail = data[at..].to_vec();
                data.extend(tail);
                data.truncate(1500);
            }
        }
    }
    data
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("VmRSS");
    line.split_whitespace()
        .nth(1)
        .and_then(|value| value.parse().ok())
        .expect("a number")
}

/// How many datagrams this run sends.
fn datagrams() -> u64 {
    let asked = std::env::var("HEADWATER_HOSTILE_DATAGRAMS").ok();
    asked.map_or(DATAGRAMS, |count| count.parse().expect("a number"))
}

/// Counts the frames that a subscriber gets, and keeps none of them.
struct Frames {
    peer: usize,
    seen: usize,
}

impl Frames {
    const fn of(peer: usize) -> Self {
        Self { peer, seen: 0 }
    }

    fn count(&mut self, call: &mut Call) -> usize {
        let received = call.peers[self.peer].peer.take_received();
        self.seen += received.iter().filter(|packet| packet.marker).count();
        self.seen
    }
}

fn storm(threads: u16) {
    let asked = std::env::var("HEADWATER_FUZZ_SEED").ok();
    let seed = asked.map_or(std::process::id().into(), |seed| {
        seed.parse().expect("a number")
    });
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut call = Call::open(threads);
    let (publisher, mid, id) = call.publish();
    let (quiet, _) = call.subscribe(id);
    let (attacked, _) = call.subscribe(id);
    call.peers[publisher]
        .peer
        .send_video(Instant::now(), mid, true, 3, 900);
    let (mut at_quiet, mut at_attacked) = (Frames::of(quiet), Frames::of(attacked));
    call.run_until("a first frame", |call| {
        at_quiet.count(call) > 0 && at_attacked.count(call) > 0
    });

    let strangers: Vec<UdpSocket> = (0..STRANGERS)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
            socket.set_nonblocking(true).expect("a non-blocking socket");
            socket
        })
        .collect();
    let server = call.server();
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for peer in &call.peers {
        seeds.extend(peer.sent.iter().cloned());
    }
    assert!(seeds.iter().any(|seed| seed[0] < 2), "a STUN seed");
    assert!(
        seeds.iter().any(|seed| (20..64).contains(&seed[0])),
        "a DTLS seed"
    );
    assert!(
        seeds.iter().any(|seed| seed[0] >= 128),
        "an SRTP or SRTCP seed"
    );

    let datagrams = datagrams();
    let before = (at_quiet.count(&mut call), resident_kib());
    let mut sent_frames = 0;
    let mut next_frame = Instant::now();
    let mut sent = 0;
    while sent < datagrams {
        if Instant::now() >= next_frame {
            call.peers[publisher]
                .peer
                .send_video(Instant::now(), mid, false, 3, 900);
            next_frame += Duration::from_millis(33);
            sent_frames += 1;
        }
        for _ in 0..DATAGRAMS_PER_TURN {
            let mut data = mutate(&mut random, &seeds);
            let from = match random.usize(..STRANGERS + 2) {
                0 => &call.peers[publisher].socket,
                1 => &call.peers[attacked].socket,
                other => &strangers[other - 2],
            };
            if data[0] < 2 && data.len() > 20 {
                // An edit behind the integrity attribute would leave a valid check, and whoever
                // sends one is verified by definition.
                random.fill(&mut data[8..20]);
            }
            if from.send_to(&data, server).is_ok() {
                sent += 1;
            }
        }
        // In step with the media threads: a full socket buffer loses the call's datagrams as well,
        // and how a server fares beyond its capacity is another question.
        call.sync();
        at_quiet.count(&mut call);
        at_attacked.count(&mut call);
    }
    call.peers[publisher]
        .peer
        .send_video(Instant::now(), mid, false, 3, 900);
    sent_frames += 1;
    call.run_until("every frame of the quiet subscriber", |call| {
        at_quiet.count(call) >= before.0 + sent_frames
    });

    let mut buffer = [0; 2048];
    for stranger in &strangers {
        assert!(
            stranger.recv_from(&mut buffer).is_err(),
            "an unverified address got an answer"
        );
    }
    let closed: Vec<_> = call
        .events
        .iter()
        .filter(|event| matches!(event, Event::Closed { .. }))
        .collect();
    let panics = closed.iter().any(|e| {
        matches!(
            e,
            Event::Closed {
                reason: CloseReason::Panic,
                ..
            }
        )
    });
    assert!(!panics, "a session panicked: {closed:?}");
    assert!(
        closed.is_empty(),
        "forged datagrams closed something: {closed:?}"
    );
    let grown = resident_kib().saturating_sub(before.1);
    assert!(grown < 64 * 1024, "memory grew by {grown} KiB");
    call.run_until("counters", |call| {
        call.counter("datagrams_unknown") >= datagrams / 2
    });
    call.worker.close();
}

#[test]
fn a_storm_of_mutated_datagrams_disturbs_no_call() {
    storm(1);
}

#[test]
fn a_storm_at_four_media_threads_disturbs_no_call() {
    storm(4);
}
