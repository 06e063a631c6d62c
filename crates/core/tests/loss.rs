//! Loss is repaired on both legs and never hidden: a hole stays a hole until it is filled.

mod common;

use std::time::Duration;

use common::{Room, assert_continuous, video};
use headwater_sim::Link;

/// 5 % loss between server and subscriber: retransmissions fill every hole.
#[test]
fn subscriber_leg_is_repaired() {
    let mut room = Room::new(3);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    let address = room.world.peers[bob].address;
    room.world.network.set_link(address, Link::lossy(0.05));
    room.frames(150);
    room.world.network.set_link(address, Link::default());
    room.frames(10);
    room.world.run(Duration::from_millis(500));
    let packets = video(&room.world.peers[bob].received);
    assert!(room.world.network.lost > 10);
    assert_continuous(&packets);
    assert!(packets.len() > 450, "{} packets", packets.len());
    room.world.run(Duration::from_secs(3));
    assert!(room.world.counter("nacks_received") > 0);
}

/// 5 % loss between publisher and server: the late packets take their own numbers.
#[test]
fn publisher_leg_is_repaired() {
    let mut room = Room::new(4);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(10);
    let address = room.world.peers[room.alice].address;
    room.world.network.set_link(address, Link::lossy(0.05));
    room.frames(150);
    room.world.network.set_link(address, Link::default());
    room.frames(10);
    room.world.run(Duration::from_millis(500));
    let packets = video(&room.world.peers[bob].received);
    assert_continuous(&packets);
    assert!(packets.len() > 480, "{} packets", packets.len());
    let in_order = room.world.peers[bob]
        .received
        .windows(2)
        .all(|p| p[0].sequence < p[1].sequence);
    assert!(
        !in_order,
        "some packets came late and still found their place"
    );
}

/// A packet that never comes leaves a hole: the next numbers do not close ranks.
#[test]
fn a_hole_stays_a_hole() {
    let mut room = Room::new(5);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(10);
    room.world.peers[room.alice].skip_sequence(room.camera.0);
    room.frames(10);
    let packets = video(&room.world.peers[bob].received);
    let holes = packets
        .windows(2)
        .filter(|p| p[1].0.sequence == p[0].0.sequence + 2)
        .count();
    assert_eq!(holes, 1);
}
