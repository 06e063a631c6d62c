//! What a forwarded packet costs in the core alone, without a kernel: a frame of nine packets to a
//! hundred subscribers, and their transport-wide feedback, in nanoseconds.
//!
//! `cargo bench --profile measure --bench forward`; medians over frames, so that another program's
//! turns on the core do not count. Sealing is part of *send*: the bench `seal` says how much. So is a
//! copy of each run to somewhere else, which takes the near caches as a kernel that sends does.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use headwater_core::ids::PublisherId;
use headwater_core::rtcp::Writer;
use headwater_core::sink::{Path, Sink};
use headwater_core::{Output, Route};
use headwater_sim::{SERVER, World};
use str0m::media::{MediaKind, Mid};

fn main() {
    let mut room = Room::new();
    let mut costs = Costs::default();
    for frame in 0..FRAMES {
        room.frame(&mut costs, frame % 25 == 0);
        if frame % FRAMES_PER_FEEDBACK == 0 {
            room.feedback(&mut costs);
        }
    }
    let packets = (SUBSCRIBERS * PACKETS as usize) as f64;
    let heard = SUBSCRIBERS as f64;
    println!("ns per forwarded packet   choose and queue   send");
    let (queue, send) = (median(&mut costs.queue), median(&mut costs.send));
    println!("{:>43.0} {:>6.0}", queue / packets, send / packets);
    println!("ns per feedback           take   flush");
    let (take, flush) = (median(&mut costs.take), median(&mut costs.flush));
    println!("{:>30.0} {:>7.0}", take / heard, flush / heard);
    println!("ns per timer turn and session");
    println!("{:>30.0}", median(&mut costs.timers) / heard);
}

/// Nanoseconds of each frame or round of feedback.
#[derive(Default)]
struct Costs {
    queue: Vec<f64>,
    send: Vec<f64>,
    take: Vec<f64>,
    flush: Vec<f64>,
    timers: Vec<f64>,
}

struct Room {
    world: World,
    alice: usize,
    camera: Mid,
    viewers: Vec<usize>,
    slab: Slab,
    due: Instant,
    number: u8,
}

impl Room {
    fn new() -> Self {
        let mut world = World::new(7);
        let router = world.create_router();
        let (alice, _, tracks) = world.publish(router, &[(MediaKind::Video, "camera")], &[]);
        let (camera, publisher): (Mid, PublisherId) = tracks[0];
        let viewers: Vec<usize> = (0..SUBSCRIBERS)
            .map(|_| world.subscribe(router, &[publisher]).0)
            .collect();
        for frame in 0..WARM {
            let now = world.now;
            world.peers[alice].send_video(now, camera, frame % 25 == 0, PACKETS, PAYLOAD);
            world.run(FRAME);
        }
        let due = world.now;
        Self {
            world,
            alice,
            camera,
            viewers,
            slab: Slab::default(),
            due,
            number: 0,
        }
    }

    fn frame(&mut self, costs: &mut Costs, key_frame: bool) {
        let world = &mut self.world;
        world.now += FRAME;
        let now = world.now;
        if self.due <= now {
            let begun = clock();
            world.sfu.timeout(now);
            self.due = world.sfu.drain(now, &mut self.slab);
            costs.timers.push(since(begun));
        }
        let peer = &mut world.peers[self.alice];
        peer.send_video(now, self.camera, key_frame, PACKETS, PAYLOAD);
        let source = peer.address;
        // What was written goes when str0m is next given the time.
        let mut datagrams = peer.drive(now);
        datagrams.extend(peer.drive(now + SOON));
        self.slab.clear();
        let begun = clock();
        for datagram in datagrams {
            let Route::Session(key) = world.sfu.route(source, &datagram.contents) else {
                panic!("the publisher is known")
            };
            let sfu = &mut world.sfu;
            sfu.receive(now, key, source, SERVER, &datagram.contents);
        }
        costs.queue.push(since(begun));
        let begun = clock();
        self.due = world.sfu.drain(now, &mut self.slab);
        costs.send.push(since(begun));
    }

    /// Everybody tells what arrived since the last time: all of it, as quickly as it was sent.
    fn feedback(&mut self, costs: &mut Costs) {
        let world = &mut self.world;
        self.number = self.number.wrapping_add(1);
        let (mut take, mut flush) = (0.0, 0.0);
        world.now += Duration::from_micros(300);
        let now = world.now;
        for viewer in &self.viewers {
            let peer = &mut world.peers[*viewer];
            let Some(newest) = self.slab.newest(peer.address) else {
                continue;
            };
            let mut room = [0; 400];
            let mut writer = Writer::new(&mut room);
            let count = FRAMES_PER_FEEDBACK as u16 * PACKETS;
            let gap = |at: u16| if at.is_multiple_of(PACKETS) { 133 } else { 0 };
            let deltas: Vec<_> = (0..count).map(|at| Some(gap(at))).collect();
            let elapsed = now.saturating_duration_since(self.slab.epoch(now));
            let reference = (elapsed.as_millis() / 64) as u32;
            let base = newest.wrapping_sub(count - 1);
            writer
                .transport_cc((77, 78), base, (reference, self.number), &deltas)
                .expect("room");
            let len = writer.len();
            let datagram = peer.forge_rtcp(&room[..len]);
            let source = peer.address;
            let begun = clock();
            let Route::Session(key) = world.sfu.route(source, &datagram) else {
                panic!("the viewer is known")
            };
            world.sfu.receive(now, key, source, SERVER, &datagram);
            take += since(begun);
            let begun = clock();
            self.due = world.sfu.drain(now, &mut self.slab);
            flush += since(begun);
        }
        costs.take.push(take);
        costs.flush.push(flush);
    }
}

/// Takes datagrams as a worker does, into one run per subscriber, and copies each run away.
struct Slab {
    room: Vec<u8>,
    away: Vec<u8>,
    next: usize,
    filled: usize,
    last: usize,
    to: Option<Path>,
    /// The newest transport-wide number that went to each address.
    numbers: Vec<(SocketAddr, u16)>,
    began: Option<Instant>,
}

impl Default for Slab {
    fn default() -> Self {
        Self {
            room: vec![0; RUN],
            away: vec![0; AWAY],
            next: 0,
            filled: 0,
            last: 0,
            to: None,
            numbers: Vec::new(),
            began: None,
        }
    }
}

impl Slab {
    fn clear(&mut self) {
        self.numbers.clear();
    }

    fn carry_away(&mut self) {
        if self.next + self.filled > AWAY {
            self.next = 0;
        }
        let away = &mut self.away[self.next..self.next + self.filled];
        away.copy_from_slice(&self.room[..self.filled]);
        self.next += self.filled;
    }

    fn newest(&self, to: SocketAddr) -> Option<u16> {
        let known = self.numbers.iter().rev().find(|(known, _)| *known == to);
        known.map(|(_, number)| *number)
    }

    fn epoch(&mut self, now: Instant) -> Instant {
        *self.began.get_or_insert(now)
    }
}

impl Sink for Slab {
    fn lend(&mut self, path: &Path, len: usize) -> &mut [u8] {
        if self.to != Some(*path) || self.filled + len > self.room.len() {
            self.carry_away();
            (self.to, self.filled) = (Some(*path), 0);
        }
        self.last = len;
        &mut self.room[self.filled..self.filled + len]
    }

    fn commit(&mut self) {
        let datagram = &self.room[self.filled..self.filled + self.last];
        let ends_frame = datagram.len() > PAYLOAD && datagram[1] & 0x80 != 0;
        if let Some(path) = self.to.filter(|_| ends_frame) {
            // Its first extension element, after the header, the extension's own and the id.
            let number = u16::from_be_bytes([datagram[17], datagram[18]]);
            self.numbers.push((path.destination, number));
        }
        self.filled += self.last;
    }

    fn take(&mut self, output: Output) {
        std::hint::black_box(output);
    }
}

#[expect(clippy::disallowed_methods, reason = "what is measured is time")]
fn clock() -> Instant {
    Instant::now()
}

fn since(begun: Instant) -> f64 {
    clock().duration_since(begun).as_nanos() as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Bytes of one run at most, and more than the near caches hold.
const RUN: usize = 65_000;
const AWAY: usize = 16 << 20;
const SUBSCRIBERS: usize = 100;
const PACKETS: u16 = 9;
const PAYLOAD: usize = 1_150;
const FRAME: Duration = Duration::from_micros(33_333);
/// More than the publisher lets pass between two looks at its own clock.
const SOON: Duration = Duration::from_micros(200);
const FRAMES_PER_FEEDBACK: usize = 3;
const WARM: usize = 90;
const FRAMES: usize = 600;
