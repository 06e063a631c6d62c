//! Subscribers start at a key frame, and key frames are asked for sparingly.

mod common;

use std::time::Duration;

use common::{Room, assert_continuous, video};
use headwater_core::command::{Command, StatsTarget};
use headwater_core::event::{Reply, StatValue};
use headwater_sim::World;
use str0m::media::{KeyframeRequestKind, MediaKind};

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

/// FIR (RFC 5104) from subscribers counts as what it is and costs the publisher one request.
#[test]
fn full_intra_requests_are_coalesced_too() {
    let mut room = Room::new(9);
    let (bob, _, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(10);
    room.world.run(Duration::from_secs(1));
    room.world.peers[room.alice].key_frame_requests.clear();
    let mid = room.world.peers[bob].received[0].mid;
    for _ in 0..3 {
        room.world.peers[bob].request_key_frame_by(mid, KeyframeRequestKind::Fir);
        room.world.run(Duration::from_millis(30));
    }
    assert_eq!(room.world.peers[room.alice].key_frame_requests.len(), 1);
    let target = StatsTarget::Subscriber(subscribers[0]);
    let Ok(Reply::Stats(stats)) = room.world.command(Command::GetStats { target }) else {
        panic!("statistics are answered")
    };
    assert!(
        stats.contains(&("fir_count", StatValue::Int(3))),
        "{stats:?}"
    );
    assert!(
        stats.contains(&("pli_count", StatValue::Int(0))),
        "{stats:?}"
    );
}

/// A publisher that takes FIR and not PLI is asked by FIR; one that takes both, by PLI.
#[test]
fn a_publisher_is_asked_as_it_can_be_asked() {
    for (pli, kind) in [
        (true, KeyframeRequestKind::Pli),
        (false, KeyframeRequestKind::Fir),
    ] {
        let mut world = World::new(10);
        let router = world.create_router();
        let publishing = world.create_publish_transport(router);
        let alice = world.add_peer();
        let (sdp, mids) = world.peers[alice].offer(&[(MediaKind::Video, "camera")], &[]);
        assert!(sdp.contains(" nack pli\r\n") && sdp.contains(" ccm fir\r\n"));
        let offered = sdp
            .split_inclusive("\r\n")
            .filter(|line| pli || !line.contains(" nack pli"));
        let sdp = common::answer_to(&mut world, publishing, offered.collect());
        world.peers[alice].accept_answer(&sdp);
        let publisher = common::publish(&mut world, publishing, mids[0]);
        world.run_until(Duration::from_secs(5), |world| world.peers[alice].connected);
        world.subscribe(router, &[publisher]);
        let now = world.now;
        world.peers[alice].send_video(now, mids[0], false, 1, 600);
        world.run(Duration::from_millis(600));
        assert_eq!(world.peers[alice].key_frame_kind, Some(kind));
    }
}
