//! What a session costs in which nobody speaks. Counts, so they say the same on every machine: a node
//! with thousands of muted people must have nothing to do but answer their consent checks.

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::time::Duration;

use counting::allocations;
use headwater_core::sink::{Path, Sink};
use headwater_core::{Output, Route};
use headwater_sim::{SERVER, World};
use str0m::media::MediaKind;

/// Counts of one idle minute, per session and second.
#[derive(Debug)]
struct Idle {
    timers: f64,
    /// Allocations by the core's timers, and by the clients' consent checks and their answers.
    in_timers: f64,
    per_check: f64,
    datagrams: f64,
}

#[test]
fn an_idle_session_has_hardly_a_timer() {
    let idle = idle(20);
    assert!(idle.timers <= MOST_TIMERS, "{idle:?}");
    assert!(idle.in_timers <= MOST_IN_TIMERS, "{idle:?}");
    assert!(idle.per_check <= MOST_PER_CHECK, "{idle:?}");
    // Answers to checks, and reports to publishers.
    assert!(idle.datagrams <= 1.0, "{idle:?}");
}

/// Timers are a session's own: a room of ten times as many people has ten times as many, not more.
#[test]
fn idle_costs_do_not_grow_with_the_room() {
    let (few, many) = (idle(4), idle(40));
    assert!(many.timers <= few.timers * 1.1 + 0.1, "{few:?} {many:?}");
    assert!(
        many.in_timers <= few.in_timers * 1.1 + 0.1,
        "{few:?} {many:?}"
    );
}

/// A room in which so many people once spoke and showed themselves, half of them watching, all muted.
fn idle(people: usize) -> Idle {
    let mut world = World::new(152);
    let router = world.create_router();
    let tracks = [
        (MediaKind::Video, "camera"),
        (MediaKind::Audio, "microphone"),
    ];
    let (speaker, _, published) = world.publish(router, &tracks, &[]);
    let all: Vec<_> = published.iter().map(|(_, publisher)| *publisher).collect();
    for number in 1..people {
        if number % 2 == 0 {
            world.publish(router, &tracks, &[]);
        } else {
            world.subscribe(router, &all);
        }
    }
    for frame in 0..50 {
        let (now, video, audio) = (world.now, published[0].0, published[1].0);
        world.peers[speaker].send_video(now, video, frame == 0, 3, 600);
        world.peers[speaker].send_audio(now, audio);
        world.run(Duration::from_millis(40));
    }
    world.run(Duration::from_secs(20)); // what spoke is forgotten
    let (timers, sent) = (world.counter("timers"), world.counter("packets_out"));
    let (mut in_timers, mut in_checks, mut checks) = (0, 0, 0);
    let end = world.now + MINUTE;
    let mut wake = world.now;
    while world.now < end {
        let next = world
            .peers
            .iter()
            .map(headwater_sim::Peer::next_timeout)
            .min();
        let next = next.map_or(wake, |next| next.min(wake));
        world.now = next.max(world.now + Duration::from_micros(100));
        let now = world.now;
        for peer in 0..world.peers.len() {
            let source = world.peers[peer].address;
            for datagram in world.peers[peer].drive(now) {
                let Route::Session(key) = world.sfu.route(source, &datagram.contents) else {
                    panic!("the peer is known")
                };
                checks += 1;
                let mut answers = Answers::default();
                in_checks += allocations(|| {
                    world
                        .sfu
                        .receive(now, key, source, SERVER, &datagram.contents);
                    world.sfu.drain(now, &mut answers);
                });
                for answer in answers.0 {
                    world.peers[peer].receive(now, SERVER, &answer);
                }
            }
        }
        let mut answers = Answers::default();
        in_timers += allocations(|| {
            if wake <= now {
                world.sfu.timeout(now);
            }
            wake = world.sfu.drain(now, &mut answers);
        });
    }
    let each = |count: u64| count as f64 / people as f64 / MINUTE.as_secs_f64();
    Idle {
        timers: each(world.counter("timers") - timers),
        in_timers: each(in_timers as u64),
        per_check: in_checks as f64 / f64::from(checks),
        datagrams: each(world.counter("packets_out") - sent),
    }
}

/// Takes what is sent.
#[derive(Default)]
struct Answers(Vec<Vec<u8>>);

impl Sink for Answers {
    fn lend(&mut self, _: &Path, len: usize) -> &mut [u8] {
        self.0.push(vec![0; len]);
        self.0.last_mut().expect("just pushed")
    }

    fn commit(&mut self) {}

    fn take(&mut self, output: Output) {
        if let Output::Transmit(transmit) = output {
            self.0.push(transmit.contents);
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
/// The library's idle poll and reports, and whether the peer is still there.
const MOST_TIMERS: f64 = 1.0;
/// In the library: receiver reports towards publishers, and its statistics of them.
const MOST_IN_TIMERS: f64 = 3.0;
const MOST_PER_CHECK: f64 = 6.0;
