//! What happens for every packet of every subscriber asks the allocator for nothing. A count, so it
//! says the same on every machine: the gate that keeps the packet path as cheap as it was measured.

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::hint::black_box;
use std::time::Duration;

use common::Room;
use counting::allocations;
use headwater_core::rtcp::{Compound, Message, SenderInfo, Writer};
use headwater_core::sink::{Path, Sink};
use headwater_core::srtp::{Keys, Opener, Profile, Sealer, Side};
use headwater_core::{Output, Route};
use headwater_sim::{SERVER, World};
use str0m::media::MediaKind;

/// A frame of a publisher's, from the datagrams that arrive to those that leave. What a packet costs
/// once (opened, parsed, its content shared) is bounded apart from what it costs per subscriber.
#[test]
fn forwarding_allocates_nothing_per_subscriber() {
    let [few, many] = [4, 24].map(|subscribers| forwarded(Room::new(150), subscribers));
    for run in [&few, &many] {
        assert_eq!(run.forwarded, run.arrived * run.subscribers, "{run:?}");
        assert!(run.arrived > 200, "{run:?}");
    }
    assert!(
        many.in_drain <= MOST_IN_DRAIN * many.forwarded / 1_000,
        "{many:?}"
    );
    // More subscribers do not make the arrival dearer: queues have their room by now.
    assert!(
        many.in_receive <= few.in_receive + many.arrived / 10,
        "{few:?} {many:?}"
    );
    assert!(
        many.in_receive <= MOST_PER_ARRIVAL * many.arrived,
        "{many:?}"
    );
}

/// The flight recorder asks for memory when its buffer grows, not for each packet or subscriber, and
/// writes as much as `docs/topics/why.md` says.
#[test]
fn recording_allocates_nothing_per_subscriber() {
    let [few, many] = [4, 24].map(|subscribers| forwarded(Room::recorded(150), subscribers));
    let plain = forwarded(Room::new(150), 24);
    assert_eq!((plain.recorded, plain.forwarded), (0, many.forwarded));
    for (count, without) in [
        (many.in_receive, plain.in_receive),
        (many.in_drain, plain.in_drain),
    ] {
        assert!(count <= without + BUFFER_GROWTHS, "{many:?} {plain:?}");
    }
    let arrival = few.recorded as f64 / few.arrived as f64;
    let more = (many.recorded - few.recorded) as f64 / (many.forwarded - few.forwarded) as f64;
    println!("{arrival:.1} bytes per arrival for 4, {more:.2} more per forwarded packet");
    assert!(arrival < MOST_BYTES_PER_ARRIVAL, "{few:?}");
    assert!(more < MOST_BYTES_PER_FORWARDED, "{few:?} {many:?}");
}

/// What was counted, in a room of so many subscribers.
#[derive(Debug)]
struct Run {
    subscribers: usize,
    /// Media packets that came from the publisher, and that left.
    arrived: usize,
    forwarded: usize,
    /// Allocations while they were taken in and queued, and while they were sealed and sent.
    in_receive: usize,
    in_drain: usize,
    /// Bytes of the record.
    recorded: usize,
}

fn forwarded(mut room: Room, subscribers: usize) -> Run {
    for _ in 0..subscribers {
        room.world.subscribe(room.router, &[room.camera.1]);
    }
    room.frames(60); // histories reach their length, streams are known
    let mut before = 0;
    let mut run = Run {
        subscribers,
        arrived: 0,
        forwarded: 0,
        in_receive: 0,
        in_drain: 0,
        recorded: 0,
    };
    let mut sink = Slab(vec![0; 2_000]);
    let (alice, camera) = (room.alice, room.camera.0);
    for frame in 0..WARM + FRAMES {
        if frame == WARM {
            before = room.world.counter("packets_forwarded");
            (run.in_receive, run.in_drain) = (0, 0);
            room.world.sfu.take_record(0);
        }
        let world = &mut room.world;
        world.now += Duration::from_millis(40);
        let now = world.now;
        world.peers[alice].send_video(now, camera, false, PACKETS, 600);
        let source = world.peers[alice].address;
        for datagram in world.peers[alice].drive(now) {
            let Route::Session(key) = world.sfu.route(source, &datagram.contents) else {
                panic!("the publisher is known")
            };
            let sfu = &mut world.sfu;
            run.in_receive += allocations(|| {
                sfu.receive(now, key, source, SERVER, &datagram.contents);
            });
        }
        let sfu = &mut world.sfu;
        run.in_drain += allocations(|| {
            sfu.drain(now, &mut sink);
        });
    }
    run.recorded = room
        .world
        .sfu
        .take_record(0)
        .map_or(0, |frames| frames.len());
    run.forwarded = (room.world.counter("packets_forwarded") - before) as usize;
    run.arrived = run.forwarded / subscribers; // all of them, or the division leaves a rest
    run
}

/// A room in which everybody sends and takes everybody: it is each packet's takers that cost, not the
/// number of senders.
#[test]
fn a_mesh_allocates_nothing_per_subscriber() {
    let (few, many) = (meshed(3), meshed(8));
    for run in [&few, &many] {
        assert_eq!(run.forwarded, run.arrived * run.subscribers, "{run:?}");
        assert!(run.arrived > 200, "{run:?}");
        assert!(
            run.in_drain <= MOST_IN_MESH * run.forwarded / 1_000,
            "{run:?}"
        );
        assert!(run.in_receive <= MOST_PER_ARRIVAL * run.arrived, "{run:?}");
    }
}

/// So many members; what is counted as subscribers are the takers of each packet.
fn meshed(members: usize) -> Run {
    let mut world = World::new(151);
    let router = world.create_router();
    let mut senders = Vec::new();
    for _ in 0..members {
        let (peer, _, tracks) = world.publish(router, &[(MediaKind::Video, "camera")], &[]);
        senders.push((peer, tracks[0]));
    }
    for own in 0..members {
        let others = (0..members).filter(|other| *other != own);
        let others: Vec<_> = others.map(|other| senders[other].1.1).collect();
        world.subscribe(router, &others);
    }
    for frame in 0..100 {
        for (peer, (mid, _)) in &senders {
            world.peers[*peer].send_video(world.now, *mid, frame % 25 == 0, 3, 600);
        }
        world.run(Duration::from_millis(40));
    }
    let mut run = Run {
        subscribers: members - 1,
        arrived: 0,
        forwarded: 0,
        in_receive: 0,
        in_drain: 0,
        recorded: 0,
    };
    let (mut before, mut sink) = (0, Slab(vec![0; 2_000]));
    for frame in 0..WARM + FRAMES {
        if frame == WARM {
            before = world.counter("packets_forwarded");
            (run.in_receive, run.in_drain) = (0, 0);
        }
        world.now += Duration::from_millis(40);
        let now = world.now;
        for (peer, (mid, _)) in &senders {
            world.peers[*peer].send_video(now, *mid, false, 3, 600);
            let source = world.peers[*peer].address;
            for datagram in world.peers[*peer].drive(now) {
                let Route::Session(key) = world.sfu.route(source, &datagram.contents) else {
                    panic!("the publisher is known")
                };
                run.in_receive += allocations(|| {
                    world
                        .sfu
                        .receive(now, key, source, SERVER, &datagram.contents);
                });
            }
        }
        run.in_drain += allocations(|| {
            world.sfu.drain(now, &mut sink);
        });
    }
    run.forwarded = (world.counter("packets_forwarded") - before) as usize;
    run.arrived = run.forwarded / run.subscribers;
    run
}

/// Takes datagrams as a worker does: into one room that is there for good.
struct Slab(Vec<u8>);

impl Sink for Slab {
    fn lend(&mut self, _: &Path, len: usize) -> &mut [u8] {
        &mut self.0[..len]
    }

    fn commit(&mut self) {}

    fn take(&mut self, output: Output) {
        black_box(output);
    }
}

/// Frames after which queues have the room that frames of this size take.
const WARM: usize = 5;
const FRAMES: usize = 25;
const PACKETS: u16 = 9;
/// Of a thousand forwarded packets: sender reports once a second, timers.
const MOST_IN_DRAIN: usize = 25;
/// A buffer that doubles until it holds the record of the run.
const BUFFER_GROWTHS: usize = 24;
/// Twenty and a payload's first 96.
const MOST_BYTES_PER_ARRIVAL: f64 = 130.0;
/// A dozen for each connection of each wake-up, in which a frame of nine packets is sent to it.
const MOST_BYTES_PER_FORWARDED: f64 = 3.0;
/// The same in a mesh, whose streams each send few packets.
const MOST_IN_MESH: usize = 25;
/// In str0m, which opens the packet, and for the content that all share.
const MOST_PER_ARRIVAL: usize = 5;

#[test]
fn sealing_and_opening_allocate_nothing() {
    for profile in [
        Profile::AeadAes128Gcm,
        Profile::AeadAes256Gcm,
        Profile::Aes128CmSha1_80,
    ] {
        let material = vec![7; profile.keying_material()];
        let (ours, _) = Keys::from_dtls(profile, &material, Side::Client).expect("enough");
        let (mut sealer, mut opener) = (Sealer::new(&ours), Opener::new(&ours));
        let mut turn = |sequence: u64| {
            let mut packet = [0x55; 1_300];
            packet[0] = 0x80;
            packet[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
            let len = sealer.seal_rtp(12, 1_172, &mut packet, sequence);
            let opened = opener.open_rtp(&mut packet[..len.expect("room")]);
            assert!(opened.is_ok());
            let mut report = [0x80; 128];
            let len = sealer.seal_rtcp(64, &mut report).expect("room");
            assert!(opener.open_rtcp(&mut report[..len]).is_ok());
        };
        turn(0); // the first packet of a source makes its window
        let count = allocations(|| (1..1_000).for_each(&mut turn));
        assert_eq!(count, 0, "{}", profile.name());
    }
}

#[test]
fn rtcp_allocates_nothing() {
    let lost: Vec<u16> = (0..200).step_by(3).collect();
    let deltas: Vec<Option<i32>> = (0..200).map(|at| (at % 7 != 0).then_some(at * 3)).collect();
    let mut buf = [0; 1_200];
    let count = allocations(|| {
        let mut writer = Writer::new(&mut buf);
        let info = SenderInfo::default();
        writer.sender_report(1, &info, &[]).expect("room");
        writer.canonical_name(1, "headwater").expect("room");
        writer.nack(1, 2, &lost).expect("room");
        writer
            .transport_cc((1, 2), 0, (0, 0), &deltas)
            .expect("room");
        let len = writer.len();
        for message in Compound::new(&buf[..len]) {
            match message.expect("what was written") {
                Message::Nack { lost, .. } => assert_eq!(lost.count(), 67),
                Message::TransportCc(feedback) => assert_eq!(feedback.arrivals().count(), 200),
                other => drop(black_box(other)),
            }
        }
    });
    assert_eq!(count, 0);
}

/// The test of the test.
#[test]
fn an_allocation_is_counted() {
    assert_eq!(allocations(|| drop(black_box(vec![1_u8; 100]))), 1);
}
