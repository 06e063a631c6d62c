//! A publisher goes over to another codec in the middle of a call.

mod common;

use std::time::Duration;

use common::Room;
use headwater_core::event::{CloseReason, Event};
use headwater_core::ids::ObjectId;
use str0m::format::Codec;

/// An instantaneous decoder refresh (H.264 NAL unit type 5) as one packet.
const H264_KEY_FRAME: [u8; 6] = [0x65, 0x88, 0x84, 0x00, 0x33, 0xff];
/// A slice that depends on earlier ones (NAL unit type 1).
const H264_SLICE: [u8; 6] = [0x41, 0x9a, 0x24, 0x6c, 0x41, 0x4f];

/// Who negotiated the new codec gets it without a new offer; who did not is closed, with the
/// reason, at the new codec's key frame and not before.
#[test]
fn who_can_follows_and_who_cannot_is_closed() {
    let mut room = Room::new(120);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    let watching = room.world.create_subscribe_transport(room.router);
    let carol = room
        .world
        .add_peer_with(|config| config.clear_codecs().enable_vp8(true));
    let subscribers = room.world.subscribe_more(carol, watching, &[room.camera.1]);
    room.world
        .run_until(Duration::from_secs(5), |world| world.peers[carol].connected);
    room.frames(10);
    assert!(!room.world.peers[carol].received.is_empty());
    assert_eq!(codecs(&mut room), ["video/VP8"]);
    for payload in [H264_SLICE, H264_KEY_FRAME, H264_SLICE] {
        assert_eq!(room.closed(), [], "nothing closes before the key frame");
        send_h264(&mut room, &payload);
        if payload == H264_KEY_FRAME {
            let closed = (
                ObjectId::Subscriber(subscribers[0]),
                CloseReason::UnsupportedCodec,
            );
            assert_eq!(room.closed(), [closed]);
        }
    }
    assert_eq!(codecs(&mut room), ["video/H264"]);
    let negotiation = room.world.take_events(|event| match event {
        Event::NegotiationNeeded { transport } => Some(*transport),
        _ => None,
    });
    assert_eq!(negotiation, [watching], "the line without a subscriber");
    let peer = &room.world.peers[bob];
    let last = peer.received.last().expect("media arrived");
    assert_eq!(last.payload, H264_SLICE);
    assert_eq!(
        Some(last.payload_type),
        peer.payload_type(last.mid, Codec::H264)
    );
}

/// Back again, and a subscriber of the new codec alone closes when the old one returns. A late
/// packet of the old codec is no change.
#[test]
fn a_late_packet_is_no_change() {
    let mut room = Room::new(121);
    room.frames(5);
    send_h264(&mut room, &H264_KEY_FRAME);
    let watching = room.world.create_subscribe_transport(room.router);
    let carol = room
        .world
        .add_peer_with(|config| config.clear_codecs().enable_h264(true));
    let subscribers = room.world.subscribe_more(carol, watching, &[room.camera.1]);
    room.world
        .run_until(Duration::from_secs(5), |world| world.peers[carol].connected);
    room.frame_as(false);
    send_h264(&mut room, &H264_KEY_FRAME);
    assert_eq!(room.closed(), []);
    assert_eq!(room.world.peers[carol].received.len(), 1);
    room.frame_as(true);
    let closed = (
        ObjectId::Subscriber(subscribers[0]),
        CloseReason::UnsupportedCodec,
    );
    assert_eq!(room.closed(), [closed]);
}

/// A publisher that goes back and forth is announced now and then, and in the end as what it is.
#[test]
fn back_and_forth_is_told_now_and_then() {
    let mut room = Room::new(122);
    room.frames(1);
    assert_eq!(codecs(&mut room), ["video/VP8"]);
    for _ in 0..50 {
        send_h264(&mut room, &H264_KEY_FRAME);
        room.frame_as(true);
    }
    let told = codecs(&mut room).len();
    assert!((2..=5).contains(&told), "{told} times in four seconds");
    send_h264(&mut room, &H264_KEY_FRAME);
    for _ in 0..30 {
        send_h264(&mut room, &H264_SLICE);
    }
    let told = codecs(&mut room);
    assert!(told.len() <= 2 && told.last().is_none_or(|codec| codec == "video/H264"));
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    send_h264(&mut room, &H264_KEY_FRAME);
    assert!(
        !room.world.peers[bob].received.is_empty(),
        "it is taken as such"
    );
    assert_eq!(codecs(&mut room), [""; 0], "all is told");
}

fn send_h264(room: &mut Room, payload: &[u8]) {
    let now = room.world.now;
    let mid = room.camera.0;
    let alice = &mut room.world.peers[room.alice];
    let payload_type = alice
        .payload_type(mid, Codec::H264)
        .expect("H.264 was negotiated");
    alice.send_raw(now, mid, payload_type, 3000, payload.to_vec());
    room.world.run(Duration::from_millis(40));
}

/// The codecs of the camera that were announced since the last call.
fn codecs(room: &mut Room) -> Vec<String> {
    let camera = room.camera.1;
    room.world.take_events(|event| match event {
        Event::PublisherActive { publisher, codec } if *publisher == camera => {
            Some(codec.mime.clone())
        }
        _ => None,
    })
}
