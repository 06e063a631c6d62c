//! Loss is repaired on both legs and never hidden: a hole stays a hole until it is filled.

mod common;

use std::time::Duration;

use common::{Room, assert_continuous, video};
use headwater_core::rtcp::Writer;
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

/// Who asks for everything again on a line that is full gets little of it: repairs take a fifth of what
/// is sent, beside what gathers in moments in which the line has room.
#[test]
fn a_greedy_viewer_does_not_fill_its_own_line() {
    let mut room = Room::new(6);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    let address = room.world.peers[bob].address;
    let narrow = Link {
        rate: 420_000,
        queue: 32 * 1024,
        ..Link::default()
    };
    room.frames(25);
    room.world.network.set_link(address, narrow);
    let mut counts = [(0, 0); 2];
    for (count, frames) in counts.iter_mut().zip([100, 400]) {
        for _ in 0..frames {
            room.frame();
            ask_for_all(&mut room, bob);
        }
        let sent = room.world.counter("packets_forwarded");
        *count = (sent, room.world.counter("packets_retransmitted"));
    }
    let [before, after] = counts;
    let (sent, again) = (after.0 - before.0, after.1 - before.1);
    assert!(again > 0 && again * 10 < sent * 3, "{again} of {sent}");
}

/// A request for each of the last packets.
fn ask_for_all(room: &mut Room, viewer: usize) {
    let Some(newest) = room.world.peers[viewer].received.last() else {
        return;
    };
    let (ssrc, last) = (newest.ssrc, newest.sequence as u16);
    let lost: Vec<u16> = (0..200).map(|back| last.wrapping_sub(199 - back)).collect();
    let mut bytes = [0; 300];
    let mut writer = Writer::new(&mut bytes);
    writer.receiver_report(FORGED, &[]).expect("room");
    writer.nack(FORGED, ssrc, &lost).expect("room");
    let len = writer.len();
    let datagram = room.world.peers[viewer].forge_rtcp(&bytes[..len]);
    let address = room.world.peers[viewer].address;
    room.world.inject(address, &datagram);
}

/// The forger's own source.
const FORGED: u32 = 0x0bad_0bad;
