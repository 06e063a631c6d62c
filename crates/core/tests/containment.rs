//! A panic inside one session closes that session and nothing else.

mod common;

use common::{Room, assert_continuous, video};
use headwater_core::command::Command;
use headwater_core::event::CloseReason;
use headwater_core::ids::ObjectId;

/// A subscriber's session panics; the other subscriber misses nothing.
#[test]
fn a_subscribing_session() {
    let mut room = Room::new(40);
    let (_, broken, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    let (carol, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(10);
    room.closed();
    room.world
        .command(Command::InjectPanic { transport: broken })
        .unwrap();
    assert_eq!(
        room.closed(),
        [
            (ObjectId::Subscriber(subscribers[0]), CloseReason::Parent),
            (ObjectId::Transport(broken), CloseReason::Panic),
        ]
    );
    room.frames(30);
    let packets = video(&room.world.peers[carol].received);
    assert_continuous(&packets);
    assert!(packets.len() > 100);
    assert_eq!(room.world.counter("panics"), 1);
}

/// A publisher's session panics; what it published closes, the subscriber's connection stays.
#[test]
fn a_publishing_session() {
    let mut room = Room::new(41);
    let (bob, _, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(10);
    room.closed();
    room.world
        .command(Command::InjectPanic {
            transport: room.publishing,
        })
        .unwrap();
    assert_eq!(
        room.closed(),
        [
            (
                ObjectId::Subscriber(subscribers[0]),
                CloseReason::PublisherClosed
            ),
            (ObjectId::Publisher(room.camera.1), CloseReason::Parent),
            (ObjectId::Publisher(room.microphone.1), CloseReason::Parent),
            (ObjectId::Transport(room.publishing), CloseReason::Panic),
        ]
    );
    room.world.run(std::time::Duration::from_secs(20));
    assert!(room.world.peers[bob].connected);
    assert_eq!(room.closed(), []);
}
