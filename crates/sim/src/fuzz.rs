//! Fuzz harnesses: one function per target, used by `cargo fuzz`, by the corpus replay and by the
//! seeded mutation run of the test suite.
//!
//! Each must return normally for any input. A panic that the core contains in a session counts as
//! a failure too.

use std::net::SocketAddr;
use std::time::Duration;

use headwater_core::command::{Command, TransportOptions};
use headwater_core::event::{CloseReason, Event};
use headwater_core::ids::TransportId;
use str0m::media::MediaKind;

use crate::World;

/// Datagrams at the demultiplexer and at a connected publisher, each prefixed with one length byte
/// (times 8) and one byte whose low bit says: from the peer's verified address or from a stranger's.
pub fn datagrams(data: &[u8]) {
    let mut world = World::new(1);
    let router = world.create_router();
    let (peer, _, publishers) = world.publish(router, &[(MediaKind::Video, "camera")], &[]);
    let known = world.peers[peer].address;
    let mut rest = data;
    while let [length, from, tail @ ..] = rest {
        let (datagram, after) = tail.split_at(tail.len().min(usize::from(*length) * 8));
        rest = after;
        let source = if from & 1 == 1 {
            known
        } else {
            stranger(*from)
        };
        world.inject(source, datagram);
        if from & 0x80 != 0 {
            world.run(Duration::from_millis(u64::from(from & 0x7f)));
        }
    }
    world.peers[peer].send_video(world.now, publishers[0].0, true, 2, 100);
    world.run(Duration::from_millis(20));
    assert_contained(&world);
}

/// An SDP text as a client's offer to publish, as an offer to watch, and as an answer.
pub fn sdp(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let mut world = World::new(2);
    let router = world.create_router();
    let options = TransportOptions::default();
    let transport = TransportId(world.handle());
    let _ = world.command(Command::CreatePublishTransport {
        router,
        transport,
        options,
    });
    let _ = world.command(Command::AcceptOffer {
        transport,
        sdp: text.clone(),
    });
    let transport = TransportId(world.handle());
    let _ = world.command(Command::CreateSubscribeTransport {
        router,
        transport,
        options,
    });
    let _ = world.command(Command::AcceptOffer {
        transport,
        sdp: text.clone(),
    });
    let transport = TransportId(world.handle());
    let _ = world.command(Command::CreateSubscribeTransport {
        router,
        transport,
        options,
    });
    let _ = world.command(Command::CreateOffer {
        transport,
        ice_restart: false,
    });
    let _ = world.command(Command::AcceptAnswer {
        transport,
        sdp: text,
    });
    world.run(Duration::from_millis(50));
    assert_contained(&world);
}

/// A candidate line.
pub fn candidate(data: &[u8]) {
    let candidate = String::from_utf8_lossy(data).into_owned();
    let mut world = World::new(3);
    let router = world.create_router();
    let (_, transport, _) = world.publish(router, &[(MediaKind::Audio, "voice")], &[]);
    let _ = world.command(Command::AddCandidate {
        transport,
        candidate,
    });
    world.run(Duration::from_millis(20));
    assert_contained(&world);
}

fn stranger(salt: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, salt], 5000))
}

fn assert_contained(world: &World) {
    let panicked = world.events.iter().any(|event| {
        matches!(
            event,
            Event::Closed {
                reason: CloseReason::Panic,
                ..
            }
        )
    });
    assert!(!panicked, "a session panicked on remote input");
}
