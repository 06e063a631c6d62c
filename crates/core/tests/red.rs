//! RED (RFC 2198) from a publisher: kept where the subscriber takes it, unwrapped where not.

mod common;

use std::time::Duration;

use headwater_sim::{Received, World};
use str0m::RtcConfig;
use str0m::format::Codec;
use str0m::media::MediaKind;
use str0m::rtp::{RedDecoder, RedEncoder, RedundantBlock};

fn with_red(config: RtcConfig) -> RtcConfig {
    config.clear_codecs().enable_opus(true, true)
}

fn without_red(config: RtcConfig) -> RtcConfig {
    config.clear_codecs().enable_opus(true, false)
}

/// Ten packets of RED, as three subscribers get them: with RED, without, and a plain Opus mix.
#[test]
fn kept_or_unwrapped() {
    let mut world = World::new(100);
    let router = world.create_router();
    let transport = world.create_publish_transport(router);
    let alice = world.add_peer_with(with_red);
    let (sdp, mids) = world.peers[alice].offer(&[(MediaKind::Audio, "microphone")], &[]);
    let sdp = common::answer_to(&mut world, transport, sdp);
    world.peers[alice].accept_answer(&sdp);
    let publisher = common::publish(&mut world, transport, mids[0]);
    let mut join = |configure: fn(RtcConfig) -> RtcConfig| {
        let transport = world.create_subscribe_transport(router);
        let peer = world.add_peer_with(configure);
        world.subscribe_more(peer, transport, &[publisher]);
        world.run_until(Duration::from_secs(5), |world| world.peers[peer].connected);
        peer
    };
    let (bob, carol) = (join(with_red), join(without_red));
    let opus = world.peers[alice]
        .payload_type(mids[0], Codec::Opus)
        .unwrap();
    let red = world.peers[alice]
        .red_payload_type(mids[0])
        .expect("RED was negotiated");
    for n in 0..10u8 {
        let older = RedundantBlock {
            pt: opus,
            timestamp_offset: 960,
            payload: vec![n.wrapping_sub(1); 40],
        };
        let payload = RedEncoder::encode(opus, &[n; 60], &[older]);
        let now = world.now;
        world.peers[alice].send_raw(now, mids[0], red, 960, payload);
        world.run(Duration::from_millis(20));
    }
    world.run(Duration::from_millis(50));
    let bob: &[Received] = &world.peers[bob].received;
    assert_eq!(bob.len(), 10);
    for (n, packet) in bob.iter().enumerate() {
        let blocks = RedDecoder::decode(&packet.payload).expect("RED as it was");
        assert_eq!(blocks.last().unwrap().payload, [n as u8; 60]);
        assert_eq!(blocks.len(), 2);
    }
    let carol: &[Received] = &world.peers[carol].received;
    assert_eq!(carol.len(), 10);
    for (n, packet) in carol.iter().enumerate() {
        assert_eq!(packet.payload, [n as u8; 60], "the newest frame alone");
    }
    assert_ne!(bob[0].payload_type, carol[0].payload_type);
}
