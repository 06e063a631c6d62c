//! Sound over a line that loses packets: both sides ask for it again, and what comes is what was lost.

mod common;

use std::time::Duration;

use common::{answer_to, publish};
use headwater_sim::{Link, World};
use str0m::RtcConfig;
use str0m::media::{MediaKind, Mid};

const LOSS: f64 = 0.1;

fn opus_only(config: RtcConfig) -> RtcConfig {
    config.clear_codecs().enable_opus(true, false)
}

/// Twenty milliseconds of sound, `count` times.
fn talk(world: &mut World, peer: usize, mid: Mid, count: usize) {
    for _ in 0..count {
        let now = world.now;
        world.peers[peer].send_audio(now, mid);
        world.run(Duration::from_millis(20));
    }
}

/// A listener behind a line that loses a tenth gets nearly all, each packet once.
#[test]
fn a_listener_gets_again_what_was_lost() {
    let mut world = World::new(400);
    let router = world.create_router();
    let (alice, _, published) = world.publish(router, &[(MediaKind::Audio, "voice")], &[]);
    let (mid, voice) = published[0];
    let transport = world.create_subscribe_transport(router);
    let bob = world.add_viewer(opus_only);
    world.subscribe_more(bob, transport, &[voice]);
    world.run_until(Duration::from_secs(5), |world| world.peers[bob].connected);
    talk(&mut world, alice, mid, 50);
    let address = world.peers[bob].address;
    world.network.set_link(address, Link::lossy(LOSS));
    world.peers[bob].received.clear();
    talk(&mut world, alice, mid, 1_000);
    world.run(Duration::from_secs(1));
    let mut sequences: Vec<_> = world.peers[bob]
        .received
        .iter()
        .map(|p| p.sequence)
        .collect();
    let received = sequences.len();
    sequences.sort_unstable();
    sequences.dedup();
    assert!(sequences.len() > 985, "{} of 1,000", sequences.len());
    assert_eq!(received, sequences.len(), "none twice");
    let again = world.counter("packets_retransmitted");
    assert!((60..250).contains(&again), "{again} sent again");
}

/// The answer says that we ask for sound again, and that RED goes first where the client has it.
#[test]
fn an_answer_wants_sound_protected() {
    let mut world = World::new(401);
    let router = world.create_router();
    let transport = world.create_publish_transport(router);
    let alice = world.add_peer_with(|config| config.clear_codecs().enable_opus(true, true));
    let (sdp, mids) = world.peers[alice].offer(&[(MediaKind::Audio, "voice")], &[]);
    // As browsers list it: what is to be protected first.
    let listed = sdp.replace("SAVPF 63 111", "SAVPF 111 63");
    let answer = answer_to(&mut world, transport, listed);
    assert!(answer.contains("SAVPF 63 111\r\n"), "{answer}");
    assert!(answer.contains("a=rtpmap:63 red/48000"), "{answer}");
    assert!(answer.contains("a=rtcp-fb:111 nack\r\n"), "{answer}");
    world.peers[alice].accept_answer(&answer);
    publish(&mut world, transport, mids[0]);
}

/// What a publisher's line loses is asked for.
#[test]
fn a_publisher_is_asked_for_what_was_lost() {
    let mut world = World::new(402);
    let router = world.create_router();
    let (alice, _, published) = world.publish(router, &[(MediaKind::Audio, "voice")], &[]);
    talk(&mut world, alice, published[0].0, 50);
    let address = world.peers[alice].address;
    world.network.set_link(address, Link::lossy(LOSS));
    talk(&mut world, alice, published[0].0, 200);
    assert!(world.counter("nacks_sent") > 10);
}
