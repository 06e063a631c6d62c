//! Pausing stops the flow; resuming starts at a key frame and the numbers count on.

mod common;

use std::time::Duration;

use common::{Room, assert_continuous, pause_publisher, video};
use headwater_core::command::Command;
use headwater_core::event::Event;
use headwater_core::ids::{ObjectId, SubscriberId};

fn paused(room: &mut Room) -> Vec<(ObjectId, bool)> {
    room.world.take_events(|event| match event {
        Event::Paused { object, paused } => Some((*object, *paused)),
        _ => None,
    })
}

fn pause_subscriber(room: &mut Room, subscriber: SubscriberId, paused: bool) {
    let command = Command::SetSubscriberPaused { subscriber, paused };
    room.world.command(command).expect("it subscribes");
}

/// One subscriber pauses; the other does not notice.
#[test]
fn one_subscriber() {
    let mut room = Room::new(9);
    let (bob, _, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    let (carol, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(20);
    let subscriber = subscribers[0];
    pause_subscriber(&mut room, subscriber, true);
    room.world.run(Duration::from_millis(20));
    let before = room.world.peers[bob].received.len();
    room.frames(40);
    assert_eq!(room.world.peers[bob].received.len(), before);
    pause_subscriber(&mut room, subscriber, false);
    room.frames(20);
    let packets = video(&room.world.peers[bob].received);
    assert!(packets.len() > before + 50, "flows again");
    assert_continuous(&packets);
    assert!(packets[before].1.key_frame, "resumes at a key frame");
    assert_continuous(&video(&room.world.peers[carol].received));
    assert!(video(&room.world.peers[carol].received).len() > 220);
    let object = ObjectId::Subscriber(subscriber);
    assert_eq!(paused(&mut room), [(object, true), (object, false)]);
}

/// A paused publisher is silent to all; while it is, nobody asks it for key frames.
#[test]
fn the_publisher() {
    let mut room = Room::new(10);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(20);
    let publisher = room.camera.1;
    pause_publisher(&mut room.world, publisher, true);
    room.world.run(Duration::from_millis(20));
    let before = room.world.peers[bob].received.len();
    room.world.peers[room.alice].key_frame_requests.clear();
    for _ in 0..40 {
        room.frame_as(false);
    }
    let mid = room.world.peers[bob].received[0].mid;
    room.world.peers[bob].request_key_frame(mid);
    room.world.run(Duration::from_secs(1));
    assert_eq!(room.world.peers[bob].received.len(), before);
    assert_eq!(room.world.peers[room.alice].key_frame_requests, []);
    pause_publisher(&mut room.world, publisher, false);
    room.frames(20);
    let packets = video(&room.world.peers[bob].received);
    assert!(packets.len() > before + 50, "flows again");
    assert_continuous(&packets);
    let object = ObjectId::Publisher(publisher);
    assert_eq!(paused(&mut room), [(object, true), (object, false)]);
}

/// After a pause the media clock shows the time that has passed.
#[test]
fn the_clock_keeps_ticking() {
    let mut room = Room::new(11);
    let (bob, _, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(20);
    let subscriber = subscribers[0];
    pause_subscriber(&mut room, subscriber, true);
    room.frames(100);
    pause_subscriber(&mut room, subscriber, false);
    room.frames(20);
    let packets = video(&room.world.peers[bob].received);
    let (first, last) = (&packets[0].0, &packets[packets.len() - 1].0);
    // The scripted encoder advances 3,000 ticks per frame, sent or not.
    let frames = last.timestamp.wrapping_sub(first.timestamp) / 3000;
    assert!((130..=140).contains(&frames), "{frames} frames");
}
