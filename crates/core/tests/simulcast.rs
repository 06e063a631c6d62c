//! Of several encodings the largest living one goes out; switching happens at a key frame.

mod common;

use std::time::Duration;

use common::simulcast::{LAYERS, Simulcast};
use headwater_core::command::Command;
use headwater_core::event::{Reply, TrackKind};
use headwater_core::ids::SubscriberId;
use headwater_core::layer::Preferences;
use headwater_core::rtcp::Writer;
use headwater_sim::{Link, World};

/// The largest is found, lost with its encoder, and found again under these names.
fn follow(call: &mut Simulcast, largest: &str, next: &str) {
    let steps = [
        (50, 3, largest, 1000),
        (100, 2, next, 800),
        (50, 3, largest, 1000),
    ];
    for (frames, encodings, rid, size) in steps {
        call.frames(frames, &LAYERS[..encodings]);
        assert_eq!(call.rid(), rid);
        assert_eq!(call.last_sizes(10), [size; 10]);
    }
}

/// The largest that lives goes out; numbers never jump.
#[test]
fn the_largest_that_lives() {
    let mut call = Simulcast::new();
    follow(&mut call, "f", "h");
    common::assert_continuous(&common::video(&call.world.peers[call.bob].received));
}

/// A key frame of another encoding, on which the target changes, does not stand for one of the
/// new target: that is asked for.
#[test]
fn key_frame_of_another() {
    let mut call = Simulcast::new();
    call.frames(5, &LAYERS[..1]);
    assert_eq!(call.rid(), "q");
    call.restless = true;
    call.frames(1, &LAYERS[..1]);
    call.restless = false;
    call.frames(1, &LAYERS);
    assert_eq!(call.rid(), "f");
    call.frames(40, &LAYERS);
    assert_eq!(call.last_sizes(10), [1000; 10]);
}

/// The same where only SSRCs tell encodings apart: key frames are asked for from the right one.
#[test]
fn encodings_without_rids() {
    let mut call = Simulcast::by_ssrc();
    follow(&mut call, "2", "1");
    let preferences = Preferences {
        spatial: Some(0),
        ..Preferences::default()
    };
    call.prefer(preferences);
    call.frames(20, &LAYERS);
    assert_eq!(call.last_sizes(10), [600; 10]);
    common::assert_continuous(&common::video(&call.world.peers[call.bob].received));
}

/// A Chromium whose offer was munged to SSRCs.
#[test]
fn an_offer_without_rids() {
    let sdp = include_str!("../../sim/fuzz/corpus/sdp/chromium-ssrc-simulcast");
    let mut world = World::new(111);
    let router = world.create_router();
    let transport = world.create_publish_transport(router);
    let sdp = sdp.to_owned();
    let Ok(Reply::Answer { tracks, .. }) = world.command(Command::AcceptOffer { transport, sdp })
    else {
        panic!("it is a good offer")
    };
    let video = tracks.iter().find(|track| track.kind == TrackKind::Video);
    assert_eq!(video.expect("a camera").rids, ["0", "1", "2"]);
}

/// A transport that may not get more than so much gets the layer that fits, and the largest again
/// when it may.
#[test]
fn a_ceiling_of_bitrate() {
    let mut call = Simulcast::new();
    call.frames(50, &LAYERS);
    assert_eq!(call.last_sizes(10), [1000; 10]);
    for (bitrate, size) in [(Some(190_000), 800), (Some(150_000), 600), (None, 1000)] {
        let transport = call.watching;
        let command = Command::SetMaxBitrate { transport, bitrate };
        call.world.command(command).expect("it subscribes");
        call.frames(150, &LAYERS);
        assert_eq!(call.last_sizes(10), [size; 10], "at most {bitrate:?} bit/s");
    }
    common::assert_continuous(&common::video(&call.world.peers[call.bob].received));
}

/// A viewer whose answer knows no transport-wide feedback gets what it says by REMB that it can carry.
#[test]
fn a_viewer_without_feedback_is_believed_by_remb() {
    let mut call = Simulcast::new();
    let transport = call.world.create_subscribe_transport(call.router);
    let carol = call.world.add_peer();
    let items = vec![(SubscriberId(call.world.handle()), call.publisher)];
    let Ok(Reply::Offer { sdp, .. }) = call.world.command(Command::Subscribe { transport, items })
    else {
        panic!("subscribe makes an offer")
    };
    let lines = sdp.split_inclusive("\r\n");
    let sdp: String = lines
        .filter(|line| !line.contains("transport-cc") && !line.contains("transport-wide-cc"))
        .collect();
    let sdp = call.world.peers[carol].answer(&sdp);
    assert!(!sdp.contains("transport-cc"), "{sdp}");
    call.world
        .command(Command::AcceptAnswer { transport, sdp })
        .expect("a good answer");
    for (bitrate, size) in [(2_000_000, 1000), (190_000, 800), (2_000_000, 1000)] {
        for _ in 0..8 {
            call.frames(25, &LAYERS);
            let Some(ssrc) = call.world.peers[carol].received.last().map(|p| p.ssrc) else {
                continue;
            };
            let mut bytes = [0; 64];
            let mut writer = Writer::new(&mut bytes);
            writer.receiver_report(1, &[]).expect("room");
            writer.remb(1, bitrate, &[ssrc]).expect("room");
            let len = writer.len();
            let datagram = call.world.peers[carol].forge_rtcp(&bytes[..len]);
            let address = call.world.peers[carol].address;
            assert!(call.world.inject(address, &datagram));
        }
        let received = &call.world.peers[carol].received;
        let last: Vec<usize> = received
            .iter()
            .rev()
            .take(10)
            .map(|p| p.payload.len())
            .collect();
        assert_eq!(last, [size; 10], "at {bitrate} bit/s");
    }
}

/// Loss on the publisher's leg is repaired in each encoding: its RTX stream has its own rrid, or
/// its own SSRC in the offer.
#[test]
fn retransmissions_of_an_encoding() {
    retransmissions(Simulcast::new());
    retransmissions(Simulcast::by_ssrc());
}

fn retransmissions(mut call: Simulcast) {
    call.frames(50, &LAYERS);
    let address = call.world.peers[call.alice].address;
    let before = call.world.network.lost;
    call.world.network.set_link(address, Link::lossy(0.05));
    call.frames(100, &LAYERS);
    call.world.network.set_link(address, Link::default());
    call.frames(10, &LAYERS);
    call.world.run(Duration::from_millis(500));
    assert!(call.world.network.lost > before + 10);
    assert_eq!(call.last_sizes(100), [1000; 100]);
    common::assert_continuous(&common::video(&call.world.peers[call.bob].received));
}

/// Rather nothing than less: what is smaller than the minimum does not pass, before the line is
/// known and when the encoding above it ends; it comes back with a key frame.
#[test]
fn nothing_below_the_minimum() {
    let mut call = Simulcast::new();
    let preferences = Preferences {
        spatial: Some(0),
        min_spatial: Some(1),
        ..Preferences::default()
    };
    call.prefer(preferences);
    let received = |call: &Simulcast| {
        let packets = &call.world.peers[call.bob].received;
        let real = packets.iter().filter(|packet| packet.payload.len() > 500);
        real.map(|packet| packet.payload.len()).collect::<Vec<_>>()
    };
    call.frames(20, &LAYERS[..1]);
    assert_eq!(received(&call), [0; 0]);
    call.frames(50, &LAYERS);
    let before = received(&call);
    assert!(before.len() > 40, "{} pictures", before.len());
    assert!(before.iter().all(|size| *size == 800), "{before:?}");
    call.frames(100, &LAYERS[..1]);
    assert_eq!(received(&call).len(), before.len());
    call.frames(60, &LAYERS);
    let after = received(&call);
    assert!(
        after.len() > before.len() + 20,
        "{} pictures",
        after.len() - before.len()
    );
    assert!(after.iter().all(|size| *size == 800), "{after:?}");
}
