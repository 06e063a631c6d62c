//! Transports by parameters: nobody tells the client's ICE credentials, and yet it connects.

mod common;

use std::time::Duration;

use common::{Room, assert_continuous, publish, video};
use headwater_core::command::{Command, DataStream, TransportOptions};
use headwater_core::error::Error;
use headwater_core::event::{CloseReason, ConnectionState, Event, Reply};
use headwater_core::ids::{
    DataPublisherId, DataSubscriberId, ObjectId, PublisherId, RouterId, SubscriberId, TransportId,
};
use headwater_core::record::preamble;
use headwater_core::record::replay::replay;
use headwater_sim::World;
use str0m::channel::ChannelConfig;
use str0m::media::MediaKind;

const OPTIONS: TransportOptions = TransportOptions {
    dtls: headwater_core::command::DtlsVersion::V12,
    disconnected_timeout: Duration::from_secs(8),
    failed_timeout: Duration::from_secs(45),
    max_bitrate: None,
    by_parameters: true,
};

fn publish_transport(world: &mut World, router: RouterId) -> TransportId {
    let (transport, options) = (TransportId(world.handle()), OPTIONS);
    let command = Command::CreatePublishTransport {
        router,
        transport,
        options,
    };
    world.command(command).unwrap();
    transport
}

fn subscribe_transport(world: &mut World, router: RouterId) -> TransportId {
    let (transport, options) = (TransportId(world.handle()), OPTIONS);
    let command = Command::CreateSubscribeTransport {
        router,
        transport,
        options,
    };
    world.command(command).unwrap();
    transport
}

/// ICE username fragment and password, as told.
fn told(world: &mut World, command: Command) -> (String, String) {
    match world.command(command).unwrap() {
        Reply::Parameters {
            ufrag,
            password,
            candidates,
            fingerprint,
        } => {
            assert!(!candidates.is_empty());
            assert!(fingerprint.starts_with("sha-256 "), "{fingerprint}");
            (ufrag, password)
        }
        other => panic!("{other:?}"),
    }
}

/// The lines of `sdp`, its ICE credentials replaced.
fn with_credentials(sdp: &str, ufrag: &str, password: &str) -> String {
    let lines = sdp.lines().map(|line| match line.split_once(':') {
        Some(("a=ice-ufrag", _)) => format!("a=ice-ufrag:{ufrag}\r\n"),
        Some(("a=ice-pwd", _)) => format!("a=ice-pwd:{password}\r\n"),
        _ => format!("{line}\r\n"),
    });
    lines.collect()
}

/// What a caller writes who was told everything but the client's ICE credentials.
fn without_credentials(sdp: &str) -> String {
    with_credentials(sdp, "nobody", "nobodynobodynobodynobody")
}

fn accept(world: &mut World, peer: usize, transport: TransportId, offer: &str) -> String {
    let sdp = without_credentials(offer);
    match world.command(Command::AcceptOffer { transport, sdp }) {
        Ok(Reply::Answer { sdp, .. }) => {
            world.peers[peer].accept_answer(&sdp);
            sdp
        }
        other => panic!("{other:?}"),
    }
}

/// A client that publishes a camera, connected; the answer it got.
fn camera(world: &mut World, router: RouterId) -> (usize, TransportId, PublisherId, String) {
    let transport = publish_transport(world, router);
    let before = told(world, Command::DescribeTransport { transport });
    let peer = world.add_peer();
    let (offer, mids) = world.peers[peer].offer(&[(MediaKind::Video, "camera")], &[]);
    let answer = accept(world, peer, transport, &offer);
    assert!(
        answer.contains(&format!("a=ice-ufrag:{}", before.0)),
        "as told before"
    );
    let publisher = publish(world, transport, mids[0]);
    let connected = world.run_until(Duration::from_secs(5), |world| world.peers[peer].connected);
    assert!(connected, "the client's ufrag is learned from its checks");
    (peer, transport, publisher, answer)
}

fn frames(world: &mut World, peer: usize, mid: &str, count: u32) {
    for n in 0..count {
        let asked = world.peers[peer].key_frame_requests.drain(..).count();
        let (now, key) = (world.now, asked > 0 || n == 0);
        world.peers[peer].send_video(now, mid.into(), key, 3, 600);
        world.run(Duration::from_millis(40));
    }
}

/// Media passes, before and after new ICE credentials, and another track by a second offer.
#[test]
fn a_publisher_by_parameters() {
    let mut world = World::new(80);
    world.record();
    let router = world.create_router();
    let (alice, transport, publisher, answer) = camera(&mut world, router);
    let (bob, _, _) = world.subscribe(router, &[publisher]);
    let mid = answer.lines().find_map(|line| line.strip_prefix("a=mid:"));
    let mid = mid.unwrap().to_owned();
    frames(&mut world, alice, &mid, 20);
    let known = world.counter("known_ufrags");
    let (first, _) = told(&mut world, Command::DescribeTransport { transport });

    let (ufrag, password) = told(&mut world, Command::RenewIce { transport });
    assert_eq!(world.counter("known_ufrags"), known + 1, "both are good");
    let again = told(&mut world, Command::RenewIce { transport });
    assert_ne!(again.0, ufrag);
    assert_eq!(
        world.counter("known_ufrags"),
        known + 1,
        "the unused one has gone"
    );
    assert_ne!(again.1, password);
    frames(&mut world, alice, &mid, 10);
    world.peers[alice].offer_ice_restart();
    let answer = with_credentials(&answer, &again.0, &again.1).replace(&first, &again.0);
    world.peers[alice].accept_answer(&answer);
    frames(&mut world, alice, &mid, 60);
    assert_eq!(
        world.counter("known_ufrags"),
        known,
        "the old one went with the first check"
    );
    let told_last = told(&mut world, Command::DescribeTransport { transport });
    assert_eq!(told_last, again);

    let (offer, mids) = world.peers[alice].offer(&[(MediaKind::Audio, "voice")], &[]);
    let answer = accept(&mut world, alice, transport, &offer);
    assert!(answer.contains(&again.0), "a later offer restarts nothing");
    publish(&mut world, transport, mids[0]);
    frames(&mut world, alice, &mid, 20);
    let packets = video(&world.peers[bob].received);
    assert_continuous(&packets);
    assert!(packets.len() > 300, "{} packets", packets.len());
    let mut file = preamble();
    world.take_record(&mut file);
    #[allow(clippy::disallowed_methods)] // some moment to count from
    let replayed = replay(&file, std::time::Instant::now()).expect("the record can be read");
    assert_eq!(replayed.difference, None);
}

/// A subscriber gets the m-line it was given; one that closed makes room for the next.
#[test]
fn a_subscriber_by_parameters() {
    let mut room = Room::new(81);
    let transport = subscribe_transport(&mut room.world, room.router);
    let bob = room.world.add_peer();
    let offer = room.world.peers[bob].offer_to_receive(&[MediaKind::Video, MediaKind::Video]);
    let answer = accept(&mut room.world, bob, transport, &offer);
    let mids: Vec<&str> = answer
        .lines()
        .filter_map(|line| line.strip_prefix("a=mid:"))
        .collect();
    let subscriber = SubscriberId(room.world.handle());
    let attach = |mid: &str| Command::Attach {
        transport,
        subscriber,
        publisher: room.camera.1,
        mid: Some(mid.to_owned()),
    };
    let (second, nowhere) = (attach(mids[1]), attach("none"));
    assert!(matches!(
        room.world.command(nowhere),
        Err(Error::UnsupportedCodec(_))
    ));
    let Ok(Reply::Attached { mid }) = room.world.command(second) else {
        panic!("the second m-line is free")
    };
    assert_eq!(mid, mids[1]);
    room.world
        .run_until(Duration::from_secs(5), |world| world.peers[bob].connected);
    room.frames(30);
    let packets = video(&room.world.peers[bob].received);
    assert_continuous(&packets);
    assert!(packets.iter().all(|(packet, _)| *packet.mid == *mid));
}

/// New credentials are for clients by parameters alone: others restart ICE by an offer.
#[test]
fn restart_where_there_is_sdp() {
    let mut room = Room::new(82);
    let transport = room.publishing;
    let refused = room.world.command(Command::RenewIce { transport });
    assert!(matches!(refused, Err(Error::WrongTransport(_))));
}

/// A data channel as a stream that both sides know, from one client to another and closed with it.
#[test]
fn agreed_streams() {
    let mut world = World::new(83);
    let router = world.create_router();
    let channel = |id| ChannelConfig {
        label: "chat".to_owned(),
        negotiated: Some(id),
        ..ChannelConfig::default()
    };
    let stream = |id| DataStream {
        id,
        ordered: true,
        max_retransmits: None,
        max_packet_lifetime: None,
        protocol: String::new(),
    };
    let publishing = publish_transport(&mut world, router);
    let alice = world.add_peer();
    let (offer, _) = world.peers[alice].offer(&[], &[channel(3)]);
    accept(&mut world, alice, publishing, &offer);
    let data_publisher = DataPublisherId(world.handle());
    let publish = |data_publisher, id| Command::PublishData {
        transport: publishing,
        data_publisher,
        label: "chat".to_owned(),
        stream: Some(stream(id)),
    };
    world.command(publish(data_publisher, 3)).unwrap();
    let other = DataPublisherId(world.handle());
    let taken = world.command(publish(other, 3));
    assert!(matches!(taken, Err(Error::DataChannelNotFound(_))));

    let subscribing = subscribe_transport(&mut world, router);
    let bob = world.add_peer();
    let (offer, _) = world.peers[bob].offer(&[], &[channel(7)]);
    accept(&mut world, bob, subscribing, &offer);
    let data_subscriber = DataSubscriberId(world.handle());
    let reply = world.command(Command::SubscribeData {
        transport: subscribing,
        data_subscriber,
        data_publisher,
        stream: Some(7),
    });
    assert!(matches!(reply, Ok(Reply::Done)), "nothing to negotiate");
    world.run(Duration::from_secs(3));
    assert!(world.peers[alice].send_message("chat", b"hello"));
    world.run(Duration::from_secs(1));
    assert_eq!(
        world.peers[bob].messages,
        [("chat".to_owned(), b"hello".to_vec())]
    );

    common::closed(&mut world);
    world
        .command(Command::CloseDataPublisher { data_publisher })
        .unwrap();
    world.run(Duration::from_secs(1));
    let closed = common::closed(&mut world);
    let expected = (
        ObjectId::DataSubscriber(data_subscriber),
        CloseReason::PublisherClosed,
    );
    assert!(closed.contains(&expected), "{closed:?}");
    assert!(
        !world.peers[alice].send_message("chat", b"anybody?"),
        "its stream was reset"
    );
}

/// A certificate that was told after the first offer is held against the handshake, and nobody
/// connects before it is told, or with another one.
#[test]
fn the_certificate_comes_later() {
    for (seed, wait, wrong) in [(84, false, false), (85, true, false), (86, false, true)] {
        let mut room = Room::new(seed);
        let transport = subscribe_transport(&mut room.world, room.router);
        let bob = room.world.add_peer();
        let offer = room.world.peers[bob].offer_to_receive(&[MediaKind::Video]);
        let line = offer
            .lines()
            .find_map(|line| line.strip_prefix("a=fingerprint:"));
        let own = line.unwrap().to_owned();
        let none = format!("sha-256 {}", ["00"; 32].join(":"));
        let answer = accept(&mut room.world, bob, transport, &offer.replace(&own, &none));
        assert!(answer.contains("a=setup:"), "{answer}");
        let fingerprint = if wrong {
            none.replacen("00", "01", 1)
        } else {
            own
        };
        let told = Command::SetFingerprint {
            transport,
            fingerprint,
        };
        if !wait {
            room.world.command(told).unwrap();
        }
        let limit = Duration::from_secs(5);
        let connected = room
            .world
            .run_until(limit, |world| world.peers[bob].connected);
        let reached = room.world.take_events(|event| match event {
            Event::ConnectionState {
                transport: id,
                state,
            } if *id == transport => Some(*state),
            _ => None,
        });
        let is_connected = reached.contains(&ConnectionState::Connected);
        assert_eq!(
            is_connected,
            !wait && !wrong,
            "{seed}: {connected} {reached:?}"
        );
    }
    let mut room = Room::new(87);
    let (transport, fingerprint) = (room.publishing, "sha-256 00".to_owned());
    let refused = room.world.command(Command::SetFingerprint {
        transport,
        fingerprint,
    });
    assert!(matches!(refused, Err(Error::WrongTransport(_))));
}
