//! Where a session's datagrams go: after the client, whatever its network does, by UDP or TCP, and
//! never in pieces too large for a network.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Room, answer_to, assert_continuous, closed, video};
use headwater_core::command::Command;
use headwater_core::event::{CloseReason, Reply};
use headwater_core::ids::{ObjectId, SubscriberId, TcpId, TransportId};
use headwater_sim::{Link, World};
use str0m::channel::ChannelConfig;
use str0m::media::MediaKind;

const FIRST: TcpId = TcpId(1);

/// Bob behind TCP, watching the camera.
fn watch_by_tcp(room: &mut Room) -> (usize, TransportId) {
    let transport = room.world.create_subscribe_transport(room.router);
    let bob = room.world.add_tcp_peer(FIRST);
    room.world.subscribe_more(bob, transport, &[room.camera.1]);
    let connected = |world: &World| world.peers[bob].connected;
    assert!(room.world.run_until(Duration::from_secs(5), connected));
    (bob, transport)
}

/// The frames that a peer got since it had `before` packets.
fn since(room: &Room, peer: usize, before: usize) -> usize {
    room.world.peers[peer].received.len() - before
}

/// A NAT gives the client another port and nobody tells us: media follows within 3 s, and the old
/// port, which may be somebody else's by then, gets nothing any more.
#[test]
fn a_new_port_is_followed() {
    let mut room = Room::new(200);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(25);
    let address = room.world.peers[bob].address;
    let public: SocketAddr = "203.0.113.7:61000".parse().unwrap();
    room.world.network.rebind(address, public);
    room.frames(75);
    let (before, stray) = (
        room.world.peers[bob].received.len(),
        room.world.network.stray,
    );
    room.frames(50);
    assert_eq!(since(&room, bob, before), 150, "every packet after 3 s");
    assert_eq!(room.world.network.stray, stray, "nothing to the old port");
}

/// A client without UDP publishes and watches over TCP.
#[test]
fn media_flows_by_tcp() {
    let mut room = Room::new(201);
    let (bob, _) = watch_by_tcp(&mut room);
    room.frames(50);
    let packets = video(&room.world.peers[bob].received);
    assert_continuous(&packets);
    assert!(packets.len() > 140, "{} packets", packets.len());
    let transport = room.world.create_publish_transport(room.router);
    let carol = room.world.add_tcp_peer(TcpId(2));
    let (sdp, mids) = room.world.peers[carol].offer(&[(MediaKind::Audio, "voice")], &[]);
    let answer = answer_to(&mut room.world, transport, sdp);
    room.world.peers[carol].accept_answer(&answer);
    let voice = common::publish(&mut room.world, transport, mids[0]);
    let (dave, _, _) = room.world.subscribe(room.router, &[voice]);
    for _ in 0..50 {
        let now = room.world.now;
        room.world.peers[carol].send_audio(now, mids[0]);
        room.world.run(Duration::from_millis(20));
    }
    assert!(room.world.peers[dave].received.len() > 40);
    assert_eq!(room.world.counter("known_connections"), 2);
}

/// TCP is announced after UDP and with lower priority, in answers and offers, and again after a restart.
#[test]
fn tcp_candidates_are_announced_last() {
    let mut room = Room::new(202);
    let (_, transport, _) = room.world.subscribe(room.router, &[room.camera.1]);
    let publishing = room.publishing;
    let sdp = room.world.peers[room.alice].offer_ice_restart();
    let answer = answer_to(&mut room.world, publishing, sdp);
    let restart = Command::CreateOffer {
        transport,
        ice_restart: true,
    };
    let Ok(Reply::Offer { sdp: offer, .. }) = room.world.command(restart) else {
        panic!("an offer")
    };
    for sdp in [answer, offer] {
        let first = sdp.find("a=candidate:").expect("candidates");
        let section = sdp[first..].split("\nm=").next().unwrap();
        let candidates: Vec<Vec<&str>> = section
            .lines()
            .filter_map(|line| line.strip_prefix("a=candidate:"))
            .map(|line| line.split(' ').collect())
            .collect();
        let protocols: Vec<_> = candidates.iter().map(|words| words[2]).collect();
        assert_eq!(protocols, ["udp", "tcp"], "{sdp}");
        let priority = |words: &[&str]| words[3].parse::<u32>().unwrap();
        assert!(priority(&candidates[0]) > priority(&candidates[1]));
        assert!(section.contains("tcptype passive"), "{section}");
        assert_eq!(candidates[0][5], candidates[1][5], "one port number");
    }
}

/// The connection breaks and the client makes another: the same session goes on by it.
#[test]
fn a_new_connection_takes_over() {
    let mut room = Room::new(203);
    let (bob, _) = watch_by_tcp(&mut room);
    room.frames(10);
    room.world.sfu.disconnected(FIRST);
    room.world.tcp[0].1 = TcpId(7);
    room.frames(120);
    let before = room.world.peers[bob].received.len();
    room.frames(10);
    assert_eq!(since(&room, bob, before), 30);
    assert_eq!(room.world.counter("known_connections"), 1);
}

/// A transport that closes hangs up; nothing of its connection stays.
#[test]
fn a_closed_session_hangs_up() {
    let mut room = Room::new(204);
    let (_, transport) = watch_by_tcp(&mut room);
    room.world
        .command(Command::CloseTransport { transport })
        .unwrap();
    assert_eq!(room.world.hung_up, [FIRST]);
    assert_eq!(room.world.counter("known_connections"), 0);
}

/// What is not a verified check of one session ends a connection, and says nothing.
#[test]
fn strangers_are_refused() {
    let mut room = Room::new(205);
    let (bob, _) = watch_by_tcp(&mut room);
    let (eve, _, _) = {
        room.world.network.wiretap = Some(Vec::new());
        room.world.subscribe(room.router, &[room.camera.1])
    };
    let tapped = room.world.network.wiretap.take().unwrap();
    let address = room.world.peers[eve].address;
    let is_check = |(from, bytes): &&(SocketAddr, Vec<u8>)| *from == address && bytes[0] < 4;
    let check = tapped.iter().find(is_check).unwrap().1.clone();
    let mut forged = check.clone();
    *forged.last_mut().unwrap() ^= 1;
    let integrity = forged.len() - 20;
    forged[integrity] ^= 1;
    let stranger: SocketAddr = "198.51.100.9:4000".parse().unwrap();
    let sent = room.world.counter("packets_out");
    for (number, frame) in [forged.as_slice(), &[22; 100], &[128; 100], &[0; 20], &[]]
        .into_iter()
        .enumerate()
    {
        let connection = TcpId(100 + number as u64);
        assert!(!room.world.inject_frame(connection, stranger, frame));
    }
    // Bob's connection does not become Eve's, be her check as genuine as it may.
    let bobs = room.world.peers[bob].address;
    assert!(!room.world.inject_frame(FIRST, bobs, &check));
    assert_eq!(room.world.counter("packets_out"), sent, "not a word");
    assert_eq!(room.world.counter("known_connections"), 0);
}

/// A client whose checks come and whose handshake never begins is given up like one that is silent.
#[test]
fn checks_alone_buy_no_time() {
    let mut world = World::new(206);
    let router = world.create_router();
    let transport = world.create_publish_transport(router);
    let eve = world.add_peer();
    let (sdp, _) = world.peers[eve].offer(&[(MediaKind::Audio, "voice")], &[]);
    let answer = answer_to(&mut world, transport, sdp);
    world.peers[eve].accept_answer(&answer);
    world.network.wiretap = Some(Vec::new());
    let tapped = |world: &World| world.network.wiretap.iter().flatten().count() > 0;
    world.run_until(Duration::from_secs(1), tapped);
    let (source, check) = world.network.wiretap.take().unwrap().remove(0);
    world.network.set_link(source, Link::lossy(1.0));
    for second in 0..50 {
        let alive = world.counter("transports") == 1;
        assert_eq!(alive, second < 45, "after {second} s");
        if alive {
            world.inject(source, &check);
        }
        world.run(Duration::from_secs(1));
    }
    let failed = (
        ObjectId::Transport(transport),
        CloseReason::ConnectionFailed,
    );
    assert_eq!(closed(&mut world), [failed]);
}

/// Nothing we send is larger than 1,200 bytes: handshake, video, messages of any size.
#[test]
fn datagrams_fit_the_smallest_network() {
    let mut world = World::new(207);
    let router = world.create_router();
    let channel = ChannelConfig {
        label: "notes".to_owned(),
        ..ChannelConfig::default()
    };
    let tracks = [(MediaKind::Video, "camera")];
    let (alice, publishing, published) = world.publish(router, &tracks, &[channel]);
    let data_publisher = headwater_core::ids::DataPublisherId(world.handle());
    let label = "notes".to_owned();
    world
        .command(Command::PublishData {
            transport: publishing,
            data_publisher,
            label,
            stream: None,
        })
        .unwrap();
    let (bob, transport, _): (_, _, Vec<SubscriberId>) = world.subscribe(router, &[published[0].1]);
    let data_subscriber = headwater_core::ids::DataSubscriberId(world.handle());
    world
        .command(Command::SubscribeData {
            transport,
            data_subscriber,
            data_publisher,
            stream: None,
        })
        .unwrap();
    world.run(Duration::from_secs(1));
    assert!(world.peers[alice].send_message("notes", &[7; 60_000]));
    for _ in 0..20 {
        let now = world.now;
        world.peers[alice].send_video(now, published[0].0, true, 3, 1_100);
        world.run(Duration::from_millis(40));
    }
    let whole = |(_, message): &(String, Vec<u8>)| message.len() == 60_000;
    assert!(world.peers[bob].messages.iter().any(whole));
    assert!(!video(&world.peers[bob].received).is_empty());
    let largest = world.network.largest;
    assert!((1_000..=1_200).contains(&largest), "{largest} bytes");
}
