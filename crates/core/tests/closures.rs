//! Who closes whom: the table of `closing.rs`, walked.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::Room;
use headwater_core::command::{Command, TransportOptions};
use headwater_core::error::Error;
use headwater_core::event::CloseReason::{
    ConnectionFailed, Parent, PublisherClosed, RemoteClosed, RemoteEnded, Requested,
    UnsupportedCodec,
};
use headwater_core::event::{ConnectionState, Event};
use headwater_core::ids::{ObjectId, RecordingTrackId, SubscriberId, TransportId};

struct Full {
    room: Room,
    bob: usize,
    watching: TransportId,
    subscribers: Vec<SubscriberId>,
    recording: TransportId,
    track: RecordingTrackId,
}

/// Alice publishes two tracks, Bob watches both, one is recorded.
fn full(seed: u64) -> Full {
    let mut room = Room::new(seed);
    let ids = [room.camera.1, room.microphone.1];
    let (bob, watching, subscribers) = room.world.subscribe(room.router, &ids);
    let (recording, track) = (
        TransportId(room.world.handle()),
        RecordingTrackId(room.world.handle()),
    );
    let remote: SocketAddr = "127.0.0.1:5004".parse().unwrap();
    let router = room.router;
    room.world
        .command(Command::CreateRecordingTransport {
            router,
            transport: recording,
            remote,
        })
        .unwrap();
    let publisher = room.camera.1;
    room.world
        .command(Command::StartRecording {
            transport: recording,
            track,
            publisher,
            remote,
        })
        .unwrap();
    room.frames(5);
    room.closed();
    Full {
        room,
        bob,
        watching,
        subscribers,
        recording,
        track,
    }
}

/// Nothing is left, in any table.
fn assert_empty(room: &Room) {
    for name in [
        "routers",
        "transports",
        "publishers",
        "subscribers",
        "recording_tracks",
        "known_ufrags",
        "known_addresses",
    ] {
        assert_eq!(room.world.counter(name), 0, "{name}");
    }
}

/// A router takes everything with it, children first, each once; what is closed is unknown.
#[test]
fn router() {
    let Full {
        mut room,
        watching,
        subscribers,
        recording,
        track,
        ..
    } = full(30);
    let router = room.router;
    room.world.command(Command::CloseRouter { router }).unwrap();
    assert_eq!(
        room.closed(),
        [
            (ObjectId::Subscriber(subscribers[0]), Parent),
            (ObjectId::Subscriber(subscribers[1]), Parent),
            (ObjectId::Transport(watching), Parent),
            (ObjectId::RecordingTrack(track), Parent),
            (ObjectId::Transport(recording), Parent),
            (ObjectId::Publisher(room.camera.1), Parent),
            (ObjectId::Publisher(room.microphone.1), Parent),
            (ObjectId::Transport(room.publishing), Parent),
            (ObjectId::Router(router), Requested),
        ]
    );
    assert_empty(&room);
    let again = room.world.command(Command::CloseRouter { router });
    assert_eq!(again.unwrap_err(), Error::NotFound { what: "router" });
    room.world.run(Duration::from_secs(60));
    assert_eq!(room.closed(), []);
}

/// A subscribe transport takes its subscribers; the publisher goes on, and the client is told.
#[test]
fn subscribe_transport() {
    let Full {
        mut room,
        bob,
        watching,
        subscribers,
        ..
    } = full(31);
    room.world
        .command(Command::CloseTransport {
            transport: watching,
        })
        .unwrap();
    assert_eq!(
        room.closed(),
        [
            (ObjectId::Subscriber(subscribers[0]), Parent),
            (ObjectId::Subscriber(subscribers[1]), Parent),
            (ObjectId::Transport(watching), Requested),
        ]
    );
    room.world.run(Duration::from_millis(100));
    assert!(
        !room.world.peers[bob].connected,
        "DTLS close_notify arrived"
    );
    assert_eq!(room.world.counter("publishers"), 2);
}

/// A publisher takes its subscribers and recordings.
#[test]
fn publisher() {
    let Full {
        mut room,
        subscribers,
        track,
        ..
    } = full(32);
    room.world
        .command(Command::ClosePublisher {
            publisher: room.camera.1,
        })
        .unwrap();
    assert_eq!(
        room.closed(),
        [
            (ObjectId::Subscriber(subscribers[0]), PublisherClosed),
            (ObjectId::RecordingTrack(track), PublisherClosed),
            (ObjectId::Publisher(room.camera.1), Requested),
        ]
    );
    room.frames(5);
    assert!(room.world.counter("drop_unpublished") > 0);
}

/// The client stops a track: its publisher ends, and the same mid can be published again.
#[test]
fn track_removed_by_the_client() {
    let Full {
        mut room,
        subscribers,
        track,
        ..
    } = full(33);
    let sdp = room.world.peers[room.alice].offer_without(&[room.camera.0]);
    let transport = room.publishing;
    room.world
        .command(Command::AcceptOffer { transport, sdp })
        .unwrap();
    assert_eq!(
        room.closed(),
        [
            (ObjectId::Subscriber(subscribers[0]), PublisherClosed),
            (ObjectId::RecordingTrack(track), PublisherClosed),
            (ObjectId::Publisher(room.camera.1), RemoteEnded),
        ]
    );
}

/// The client's tab goes: close_notify closes the transport.
#[test]
fn closed_by_the_client() {
    let Full {
        mut room,
        bob,
        watching,
        ..
    } = full(34);
    room.world.peers[bob].close();
    room.world.run(Duration::from_secs(1));
    assert_eq!(
        room.closed().last(),
        Some(&(ObjectId::Transport(watching), RemoteClosed))
    );
}

/// The client vanishes: disconnected after a while, then failed, then closed.
#[test]
fn vanished_client() {
    let Full {
        mut room,
        bob,
        watching,
        ..
    } = full(35);
    room.world
        .take_events(|event| matches!(event, Event::ConnectionState { .. }).then_some(()));
    let address = room.world.peers[bob].address;
    room.world
        .network
        .set_link(address, headwater_sim::Link::lossy(1.0));
    room.world.run(Duration::from_secs(10));
    let states = |room: &mut Room| {
        room.world.take_events(|event| match event {
            Event::ConnectionState { transport, state } if *transport == watching => Some(*state),
            _ => None,
        })
    };
    assert_eq!(states(&mut room), [ConnectionState::Disconnected]);
    room.world
        .network
        .set_link(address, headwater_sim::Link::default());
    room.world.run(Duration::from_secs(6));
    assert_eq!(
        states(&mut room),
        [ConnectionState::Connected],
        "it came back"
    );
    room.world
        .network
        .set_link(address, headwater_sim::Link::lossy(1.0));
    room.world.run(Duration::from_secs(46));
    assert_eq!(
        states(&mut room),
        [ConnectionState::Disconnected, ConnectionState::Failed]
    );
    assert_eq!(
        room.closed().last(),
        Some(&(ObjectId::Transport(watching), ConnectionFailed))
    );
}

/// A transport's own timeouts take the place of 8 s and 45 s.
#[test]
fn timeouts_of_a_transport() {
    let mut room = Room::new(40);
    let transport = TransportId(room.world.handle());
    let options = TransportOptions {
        disconnected_timeout: Duration::from_secs(12),
        failed_timeout: Duration::from_secs(15),
        ..TransportOptions::default()
    };
    let router = room.router;
    room.world
        .command(Command::CreateSubscribeTransport {
            router,
            transport,
            options,
        })
        .unwrap();
    let bob = room.world.add_peer();
    room.world.subscribe_more(bob, transport, &[room.camera.1]);
    room.world
        .run_until(Duration::from_secs(5), |world| world.peers[bob].connected);
    room.world.run(Duration::from_millis(500));
    room.world.events.clear();
    let address = room.world.peers[bob].address;
    room.world
        .network
        .set_link(address, headwater_sim::Link::lossy(1.0));
    // The last sign of life was at most one consent interval (6 s) ago.
    room.world.run(Duration::from_secs(5));
    let states = |room: &mut Room| {
        room.world.take_events(|event| match event {
            Event::ConnectionState { state, .. } => Some(*state),
            _ => None,
        })
    };
    assert_eq!(states(&mut room), []);
    room.world.run(Duration::from_secs(11));
    let both = [ConnectionState::Disconnected, ConnectionState::Failed];
    assert_eq!(states(&mut room), both);
    assert_eq!(
        room.closed().last(),
        Some(&(ObjectId::Transport(transport), ConnectionFailed))
    );
}

/// The publishing client vanishes: what it published goes with it, and all that hung on that.
#[test]
fn vanished_publisher() {
    let Full {
        mut room,
        subscribers,
        track,
        ..
    } = full(38);
    let address = room.world.peers[room.alice].address;
    room.world
        .network
        .set_link(address, headwater_sim::Link::lossy(1.0));
    room.world.run(Duration::from_secs(44));
    assert_eq!(room.closed(), []);
    room.world.run(Duration::from_secs(7));
    assert_eq!(
        room.closed(),
        [
            (ObjectId::Subscriber(subscribers[0]), PublisherClosed),
            (ObjectId::RecordingTrack(track), PublisherClosed),
            (ObjectId::Publisher(room.camera.1), Parent),
            (ObjectId::Subscriber(subscribers[1]), PublisherClosed),
            (ObjectId::Publisher(room.microphone.1), Parent),
            (ObjectId::Transport(room.publishing), ConnectionFailed),
        ]
    );
}

/// A client that answers without the codec: that subscriber closes, the others go on.
#[test]
fn watcher_without_the_codec() {
    let mut room = Room::new(39);
    room.frames(5);
    let transport = room.world.create_subscribe_transport(room.router);
    let carol = room.world.add_peer_with(|config| {
        config
            .clear_codecs()
            .enable_opus(true, false)
            .enable_h264(true)
    });
    let ids = [room.camera.1, room.microphone.1];
    let subscribers = room.world.subscribe_more(carol, transport, &ids);
    assert_eq!(
        room.closed(),
        [(ObjectId::Subscriber(subscribers[0]), UnsupportedCodec)]
    );
    room.frames(20);
    assert_eq!(room.closed(), []);
    assert!(!room.world.peers[carol].received.is_empty(), "it hears");
}

/// A client that answers and never comes is given up.
#[test]
fn never_connected() {
    let mut room = Room::new(36);
    let transport = room.world.create_subscribe_transport(room.router);
    let bob = room.world.add_peer();
    let address = room.world.peers[bob].address;
    room.world
        .network
        .set_link(address, headwater_sim::Link::lossy(1.0));
    room.world.subscribe_more(bob, transport, &[room.camera.1]);
    room.world.run(Duration::from_secs(20));
    assert_eq!(room.closed(), []);
    room.world.run(Duration::from_secs(30));
    assert_eq!(
        room.closed().last(),
        Some(&(ObjectId::Transport(transport), ConnectionFailed))
    );
}

/// 200 people come and go; the tables are as before.
#[test]
fn two_hundred_visits() {
    let mut room = Room::new(37);
    let before = room.world.sfu.counters();
    let gauges = [
        "transports",
        "subscribers",
        "known_ufrags",
        "known_addresses",
    ];
    for _ in 0..200 {
        let (_, transport, _) = room.world.subscribe(room.router, &[room.camera.1]);
        room.world
            .command(Command::CloseTransport { transport })
            .unwrap();
        room.world.peers.truncate(1);
    }
    room.world.run(Duration::from_secs(1));
    for name in gauges {
        let then = before.iter().find(|(known, _)| *known == name).unwrap().1;
        assert_eq!(room.world.counter(name), then, "{name}");
    }
}
