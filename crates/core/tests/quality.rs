//! How well connections work is told when it changes, and only then.

mod common;

use common::Room;
use headwater_core::event::Event;
use headwater_core::ids::TransportId;
use headwater_sim::Link;
use std::time::Duration;

/// The scores of one transport that were told since the last look.
fn told(room: &mut Room, of: TransportId) -> Vec<u8> {
    room.world.take_events(|event| match event {
        Event::ConnectionQuality { transport, score } if *transport == of => Some(*score),
        _ => None,
    })
}

#[test]
fn loss_towards_a_viewer_is_the_viewers_bad_line_and_nobody_elses() {
    let mut room = Room::new(61);
    let (bob, watching, _) = room.world.subscribe(room.router, &[room.camera.1]);
    let publishing = room.publishing;
    room.frames(300);
    assert!(
        told(&mut room, watching)
            .last()
            .is_some_and(|score| *score > 70)
    );
    let address = room.world.peers[bob].address;
    room.world.network.set_link(address, Link::lossy(0.15));
    room.frames(500);
    let scores = told(&mut room, watching);
    assert!(scores.last().is_some_and(|score| *score < 40), "{scores:?}");
    assert_eq!(
        told(&mut room, publishing).len(),
        1,
        "the first score alone"
    );
    room.world.network.set_link(address, Link::default());
    room.frames(500);
    let scores = told(&mut room, watching);
    assert!(scores.last().is_some_and(|score| *score > 70), "{scores:?}");
}

#[test]
fn a_line_that_stays_as_it_is_is_told_once() {
    let mut room = Room::new(62);
    let (_, watching, _) = room.world.subscribe(room.router, &[room.camera.1]);
    let publishing = room.publishing;
    room.frames(1500);
    assert_eq!(told(&mut room, watching).len(), 1);
    assert_eq!(told(&mut room, publishing).len(), 1);
}

#[test]
fn silence_is_lost_and_a_sign_of_life_ends_it() {
    let mut room = Room::new(63);
    let (bob, watching, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(200);
    let address = room.world.peers[bob].address;
    room.world.network.set_link(address, Link::lossy(1.0));
    told(&mut room, watching);
    room.frames(300);
    room.world.run(Duration::from_secs(3));
    assert_eq!(told(&mut room, watching).last(), Some(&0));
    room.world.network.set_link(address, Link::default());
    room.frames(500);
    assert!(
        told(&mut room, watching)
            .last()
            .is_some_and(|score| *score > 0)
    );
}
