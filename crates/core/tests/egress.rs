//! What a subscribe transport sends: numbers that no key ever sees twice, repairs within a budget,
//! reports that tell the time.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Room, video};
use headwater_core::command::{Command, StatsTarget};
use headwater_core::event::{Reply, StatValue};
use headwater_core::ids::SubscriberId;
use headwater_core::rtcp::Writer;
use headwater_sim::Link;

fn pause(room: &mut Room, subscriber: SubscriberId, paused: bool) {
    let command = Command::SetSubscriberPaused { subscriber, paused };
    room.world.command(command).expect("it exists");
}

fn stat(room: &mut Room, subscriber: SubscriberId, name: &str) -> f64 {
    let target = StatsTarget::Subscriber(subscriber);
    let Ok(Reply::Stats(stats)) = room.world.command(Command::GetStats { target }) else {
        panic!("a subscriber has statistics")
    };
    match stats.iter().find(|(known, _)| *known == name) {
        Some((_, StatValue::Int(value))) => *value as f64,
        Some((_, StatValue::Float(value))) => *value,
        other => panic!("{name}: {other:?}"),
    }
}

/// An hour of pauses and switches on a line that loses, over a roll-over of the sequence
/// number: the sealer refuses nothing, the peer opens everything, and no number comes twice.
#[test]
fn an_hour_of_switches() {
    let mut room = Room::new(140);
    let (bob, _, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    let address = room.world.peers[bob].address;
    room.world.network.set_link(address, Link::lossy(0.02));
    let mut seen = BTreeSet::new();
    let mut packets = 0;
    for minute in 0..60 {
        for burst in 0..12 {
            let camera = room.camera.0;
            for frame in 0..9 {
                let now = room.world.now;
                let key_frame = frame == 0;
                room.world.peers[room.alice].send_video(now, camera, key_frame, 24, 600);
                room.world.run(Duration::from_millis(400));
            }
            if burst % 4 == minute % 4 {
                pause(&mut room, subscribers[0], true);
                room.world.run(Duration::from_secs(1));
                pause(&mut room, subscribers[0], false);
            }
            room.world.run(Duration::from_millis(400));
        }
        for packet in room.world.peers[bob].received.drain(..) {
            packets += 1;
            seen.insert((packet.ssrc, packet.sequence));
        }
    }
    assert_eq!(seen.len(), packets, "a number came twice");
    let highest = seen.iter().map(|(_, sequence)| *sequence).max();
    assert!(highest > Some(1 << 16), "{highest:?}: a roll-over");
    assert_eq!(room.world.counter("drop_queue"), 0, "the sealer refused");
    assert_eq!(room.world.counter("panics"), 0);
}

/// A peer that asks for everything again and again costs as much again as it is sent, not more,
/// and half of it when its line is full.
#[test]
fn repairs_have_a_budget() {
    let mut room = Room::new(141);
    let (bob, transport, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    let address = room.world.peers[bob].address;
    room.frames(20);
    room.world.network.set_link(address, Link::lossy(0.6));
    room.frames(400);
    room.world.run(Duration::from_secs(1));
    let sent = stat(&mut room, subscribers[0], "packets_sent");
    let again = stat(&mut room, subscribers[0], "retransmitted_packets_sent");
    assert!(again > 50.0, "{again}");
    // As much in bytes, headers counted, and what was saved up at the start: 64 KiB.
    assert!(again < sent + 110.0, "{again} of {sent}");
    assert!(stat(&mut room, subscribers[0], "nack_count") > 0.0);
    let target = StatsTarget::Transport(transport);
    assert!(room.world.command(Command::GetStats { target }).is_ok());
}

/// What was sent is kept by its age: asked for after a second it goes out again, after three no more.
#[test]
fn what_was_sent_is_kept_for_a_second() {
    let mut room = Room::new(144);
    let (bob, _, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(400); // what the line carries is known, and is not asked by repetitions any more
    for (frames, is_kept) in [(25, true), (75, false)] {
        let received = video(&room.world.peers[bob].received);
        let (wanted, _) = received.last().expect("it watches");
        room.frames(frames);
        let before = stat(&mut room, subscribers[0], "retransmitted_packets_sent");
        let mut bytes = [0; 64];
        let mut writer = Writer::new(&mut bytes);
        let lost = [wanted.sequence as u16];
        writer.nack(1, wanted.ssrc, &lost).expect("room");
        let len = writer.len();
        let datagram = room.world.peers[bob].forge_rtcp(&bytes[..len]);
        let address = room.world.peers[bob].address;
        assert!(room.world.inject(address, &datagram));
        room.world.run(Duration::from_millis(100));
        let again = stat(&mut room, subscribers[0], "retransmitted_packets_sent") - before;
        assert_eq!(again > 0.0, is_kept, "after {frames} frames of 40 ms");
    }
}

/// Sender reports reach the peer, so its own reports tell the round trip and the loss.
#[test]
fn reports_tell_the_round_trip() {
    let mut room = Room::new(142);
    let (bob, _, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    let address = room.world.peers[bob].address;
    let link = Link {
        delay: Duration::from_millis(30),
        ..Link::default()
    };
    room.world.network.set_link(address, link);
    room.frames(150);
    let rtt = stat(&mut room, subscribers[0], "round_trip_time_ms");
    assert!((55.0..75.0).contains(&rtt), "{rtt} ms");
    assert!(stat(&mut room, subscribers[0], "fraction_lost") < 0.01);
    assert!(video(&room.world.peers[bob].received).len() > 400);
}

/// Once the peer has reported on a stream, the mid is no longer repeated in each packet.
#[test]
fn the_mid_is_said_until_it_is_known() {
    let mut room = Room::new(143);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(200);
    let received = &room.world.peers[bob].received;
    let (first, last) = (received.first().unwrap(), received.last().unwrap());
    assert_eq!(first.extensions.mid, Some(first.mid));
    assert_eq!(last.extensions.mid, None);
    assert_eq!(last.mid, first.mid);
}

/// Who lost what is kept no more gets a key frame at once: no repetition of the request would help.
#[test]
fn what_is_lost_for_good_costs_one_key_frame() {
    let mut room = Room::new(145);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(50);
    let packets = video(&room.world.peers[bob].received);
    let last = packets
        .last()
        .map(|(packet, _)| (packet.ssrc, packet.sequence));
    let (ssrc, sequence) = last.expect("it watches");
    let asked = |room: &mut Room| {
        let before = room.world.counter("key_frame_requests");
        for _ in 0..3 {
            let mut bytes = [0; 64];
            let mut writer = Writer::new(&mut bytes);
            let lost = [sequence as u16];
            writer.nack(1, ssrc, &lost).expect("room");
            let len = writer.len();
            let datagram = room.world.peers[bob].forge_rtcp(&bytes[..len]);
            let address = room.world.peers[bob].address;
            assert!(room.world.inject(address, &datagram));
            room.frames(5);
        }
        room.world.counter("key_frame_requests") - before
    };
    assert_eq!(asked(&mut room), 0, "it can be sent again");
    room.frames(75);
    assert_eq!(asked(&mut room), 1, "it cannot, and is told once");
    assert_eq!(asked(&mut room), 0);
}
