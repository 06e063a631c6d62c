//! Clients that ask get a sign of life every 250 ms on the server's own data channel, however quiet
//! the call; those that do not ask cost nothing.

mod common;

use std::time::Duration;

use common::Room;
use headwater_sim::{Link, World};
use str0m::media::MediaKind;

const CHANNEL: &str = "headwater-heartbeat";

fn beats(room: &Room, peer: usize) -> usize {
    let messages = room.world.peers[peer].messages.iter();
    messages.filter(|(label, _)| label == CHANNEL).count()
}

/// A silent call beats four times a second from the question on, until it is told to stop.
#[test]
fn who_asks_is_answered() {
    let mut room = Room::new(300);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.world.run(Duration::from_secs(2));
    assert_eq!(beats(&room, bob), 0, "nobody asked");
    let config = room.world.peers[bob].channel_config(CHANNEL).unwrap();
    assert!(!config.ordered);
    assert!(room.world.peers[bob].send_message(CHANNEL, b"1"));
    room.world.run(Duration::from_secs(300));
    let heard = beats(&room, bob);
    assert!((1_190..=1_200).contains(&heard), "{heard} in five minutes");
    assert!(room.world.peers[bob].send_message(CHANNEL, b"0"));
    room.world.run(Duration::from_secs(1));
    let heard = beats(&room, bob);
    room.world.run(Duration::from_secs(5));
    assert_eq!(beats(&room, bob), heard, "told to stop");
}

/// Asked for twice, it still comes once.
#[test]
fn asking_again_changes_nothing() {
    let mut room = Room::new(301);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.world.run(Duration::from_secs(1));
    for message in [b"1", b"1", b"0", b"1", b"1"] {
        room.world.peers[bob].send_message(CHANNEL, message);
    }
    room.world.run(Duration::from_secs(10));
    let heard = beats(&room, bob);
    assert!((38..=40).contains(&heard), "{heard} in ten seconds");
}

/// After an outage it beats as before: what could not be sent is not made up for.
#[test]
fn an_outage_is_not_made_up_for() {
    let mut room = Room::new(302);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.world.run(Duration::from_secs(1));
    room.world.peers[bob].send_message(CHANNEL, b"1");
    room.world.run(Duration::from_secs(5));
    let address = room.world.peers[bob].address;
    room.world.network.set_link(address, Link::lossy(1.0));
    room.world.run(Duration::from_secs(5));
    let before = beats(&room, bob);
    room.world.network.set_link(address, Link::default());
    room.world.run(Duration::from_secs(10));
    let after = beats(&room, bob) - before;
    assert!((20..=42).contains(&after), "{after} in ten seconds");
}

/// Where heartbeats are switched off, asking for one is no error and brings none.
#[test]
fn a_deployment_can_do_without() {
    let mut world = World::without_heartbeats(303);
    let router = world.create_router();
    let (_, _, tracks) = world.publish(router, &[(MediaKind::Video, "camera")], &[]);
    let (bob, _, _) = world.subscribe(router, &[tracks[0].1]);
    world.run(Duration::from_secs(1));
    assert!(world.peers[bob].send_message(CHANNEL, b"1"));
    world.run(Duration::from_secs(5));
    assert_eq!(world.counter("heartbeats"), 0);
    assert!(world.peers[bob].connected);
}

/// Sessions that asked at different moments are served together: a thread wakes for a hundred moments a
/// second at most, however many sessions it has.
#[test]
fn beats_of_many_sessions_fall_on_common_moments() {
    let mut room = Room::new(304);
    let viewers: Vec<usize> = (0..12)
        .map(|_| room.world.subscribe(room.router, &[room.camera.1]).0)
        .collect();
    room.world.run(Duration::from_secs(1));
    for viewer in &viewers {
        room.world.run(Duration::from_micros(1_300));
        assert!(room.world.peers[*viewer].send_message(CHANNEL, b"1"));
    }
    room.world.run(Duration::from_secs(2));
    let before = room.world.counter("heartbeats");
    let mut moments = 0;
    for _ in 0..1_000 {
        let beaten = room.world.counter("heartbeats");
        room.world.run(Duration::from_millis(1));
        moments += usize::from(room.world.counter("heartbeats") > beaten);
    }
    let beats = room.world.counter("heartbeats") - before;
    assert!((47..=49).contains(&beats), "{beats} of twelve in a second");
    // Twelve sessions asked within 16 ms: two or three moments of ten, four times a second.
    assert!(moments <= 12, "{moments}");
}
