//! A publisher's packets reach its subscribers complete, with numbers of their own.

mod common;

use common::{Room, assert_continuous, audio, video};
use headwater_core::event::Event;

/// Everything arrives, in order, marker and payload as they were.
#[test]
fn video_and_audio_arrive() {
    let mut room = Room::new(1);
    let ids = [room.camera.1, room.microphone.1];
    let (bob, _, _) = room.world.subscribe(room.router, &ids);
    room.frames(100);
    let received = &room.world.peers[bob].received;
    let packets = video(received);
    assert_continuous(&packets);
    assert!(packets.len() > 280, "{} video packets", packets.len());
    let audio = audio(received);
    assert!(audio.len() > 95, "{} audio packets", audio.len());
    for pair in audio.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        assert_eq!(pair[1].timestamp, pair[0].timestamp + 960);
        assert_eq!(pair[1].payload.len(), 80);
    }
    let mut active = room.world.take_events(|event| match event {
        Event::PublisherActive { codec, .. } => Some(codec.mime.clone()),
        _ => None,
    });
    active.sort();
    assert_eq!(active, ["audio/opus", "video/VP8"]);
}

/// Many subscribers get the same payload under numbers and SSRCs of their own.
#[test]
fn each_subscriber_has_its_own_stream() {
    let mut room = Room::new(2);
    let camera = [room.camera.1];
    let peers: Vec<_> = (0..5)
        .map(|_| room.world.subscribe(room.router, &camera).0)
        .collect();
    room.frames(30);
    let mut ssrcs: Vec<_> = peers
        .iter()
        .map(|peer| {
            let packets = video(&room.world.peers[*peer].received);
            assert_continuous(&packets);
            assert!(packets.len() > 75, "{} packets", packets.len());
            packets[0].0.ssrc
        })
        .collect();
    ssrcs.sort_unstable();
    ssrcs.dedup();
    assert_eq!(ssrcs.len(), 5);
}
