//! Subscribers start at a key frame, and key frames are asked for sparingly.

mod common;

use std::time::Duration;

use common::{Room, assert_continuous, video};

/// A late joiner gets a key frame at once, though none was due.
#[test]
fn a_late_joiner_starts_at_a_key_frame() {
    let mut room = Room::new(6);
    room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(50);
    let (carol, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    let joined = room.world.now;
    room.frames(25);
    let packets = video(&room.world.peers[carol].received);
    assert_continuous(&packets);
    let waited = packets[0].0.at - joined;
    assert!(waited < Duration::from_millis(150), "waited {waited:?}");
}

/// Twenty subscribers asking again and again cost one request per 500 ms.
#[test]
fn requests_are_coalesced() {
    let mut room = Room::new(7);
    let camera = [room.camera.1];
    let peers: Vec<_> = (0..20)
        .map(|_| room.world.subscribe(room.router, &camera).0)
        .collect();
    room.frames(50);
    room.world.run(Duration::from_secs(1));
    room.world.peers[room.alice].key_frame_requests.clear();
    let start = room.world.now;
    for _ in 0..50 {
        for peer in &peers {
            let mid = room.world.peers[*peer].received[0].mid;
            room.world.peers[*peer].request_key_frame(mid);
        }
        // The publisher never complies, so the server keeps asking.
        room.frame_as(false);
    }
    let elapsed = room.world.now - start;
    let requests = room.world.peers[room.alice].key_frame_requests.len();
    let most = elapsed.as_millis() as usize / 500 + 1;
    assert!(
        (3..=most).contains(&requests),
        "{requests} requests in {elapsed:?}"
    );
}

/// Until the key frame comes the request is repeated; then it stops.
#[test]
fn requests_are_repeated_until_satisfied() {
    let mut room = Room::new(8);
    room.frames(5);
    room.world.subscribe(room.router, &[room.camera.1]);
    for _ in 0..50 {
        room.frame_as(false);
    }
    assert!(room.world.peers[room.alice].key_frame_requests.len() >= 3);
    room.frame_as(true);
    room.world.run(Duration::from_millis(600));
    room.world.peers[room.alice].key_frame_requests.clear();
    room.world.run(Duration::from_secs(3));
    assert_eq!(room.world.peers[room.alice].key_frame_requests, []);
}
