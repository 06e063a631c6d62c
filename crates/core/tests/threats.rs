//! Attacks on a running call, from strangers and from people in it. `docs/reference/threats.md`
//! says which test stands against which.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Room, assert_continuous, video};
use headwater_core::command::{Command, StatsTarget};
use headwater_core::event::{Event, Reply, StatValue};
use headwater_core::ids::{ObjectId, TransportId};
use headwater_core::rtcp::Writer;
use headwater_sim::{SERVER, World};
use str0m::channel::ChannelConfig;
use str0m::media::MediaKind;

/// T2: ClientHellos that offer no encryption, from elsewhere and under the client's own address,
/// before and during the handshake: every call is set up, and the attacker hears nothing.
#[test]
fn a_race_of_client_hellos_is_lost() {
    let mut world = World::new(200);
    let router = world.create_router();
    let attacker = world.add_peer();
    let elsewhere = world.peers[attacker].address;
    for call in 0..30_u8 {
        let transport = world.create_publish_transport(router);
        let client = world.add_peer();
        let address = world.peers[client].address;
        let (sdp, _) = world.peers[client].offer(&[(MediaKind::Audio, "voice")], &[]);
        let sdp = common::answer_to(&mut world, transport, sdp);
        world.inject(address, &null_cipher_hello(call));
        world.peers[client].accept_answer(&sdp);
        for _ in 0..2_000 {
            world.inject(elsewhere, &null_cipher_hello(call));
            world.inject(address, &null_cipher_hello(call));
            world.run(Duration::from_millis(1));
            if world.peers[client].connected {
                break;
            }
        }
        assert!(world.peers[client].connected, "call {call} is not set up");
        assert_eq!(state(&mut world, transport), "connected");
    }
    assert_eq!(world.peers[attacker].datagrams_in, 0);
    assert_eq!(common::closed(&mut world), []);
}

/// T3: media from an address that never proved itself is nobody's, however well it is made.
#[test]
fn forged_media_is_not_forwarded() {
    let mut room = Room::new(201);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.world.network.wiretap = Some(Vec::new());
    room.frames(20);
    let attacker = room.world.add_peer();
    let elsewhere = room.world.peers[attacker].address;
    let known = room.world.counter("known_addresses");
    let forwarded = room.world.counter("packets_forwarded");
    let recorded = room.world.network.wiretap.take().expect("it was set");
    for (_, datagram) in recorded.iter().filter(|(_, bytes)| bytes[0] >= 128) {
        assert!(!room.world.inject(elsewhere, datagram));
        let mut later = datagram.clone();
        later[3] = later[3].wrapping_add(50);
        assert!(!room.world.inject(elsewhere, &later));
    }
    assert_eq!(room.world.counter("packets_forwarded"), forwarded);
    assert_eq!(room.world.counter("known_addresses"), known);
    assert_eq!(room.world.peers[attacker].datagrams_in, 0);
    room.frames(20);
    assert_continuous(&video(&room.world.peers[bob].received));
}

/// T4: a hundred thousand packets with wrong tags under the publisher's own address, five thousand
/// a second, beside SRTCP of the same kind under a subscriber's: the call goes on.
#[test]
fn wrong_tags_end_no_call() {
    let mut room = Room::new(202);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.world.network.wiretap = Some(Vec::new());
    room.frames(50);
    let recorded = room.world.network.wiretap.take().expect("it was set");
    let sealed: Vec<_> = recorded.iter().filter(|(_, b)| b[0] >= 128).collect();
    let of_bob = sealed
        .iter()
        .filter(|(from, _)| *from == room.world.peers[bob].address);
    assert!(of_bob.count() > 0, "the subscriber has sent reports");
    let mut forged = 0_usize;
    while forged < 100_000 {
        for _ in 0..200 {
            let (from, datagram) = sealed[forged % sealed.len()];
            let mut datagram = datagram.clone();
            // Any number of the next hundred, so that the real packets' places are aimed at.
            if is_rtp(&datagram) {
                datagram[3] = datagram[3].wrapping_add((forged % 100) as u8);
            }
            let last = datagram.len() - 1 - forged % 10;
            datagram[last] ^= 1 << (forged % 8);
            room.world.inject(*from, &datagram);
            forged += 1;
        }
        room.frame();
    }
    room.world.run(Duration::from_millis(500));
    let packets = video(&room.world.peers[bob].received);
    assert_continuous(&packets);
    assert_eq!(packets.len(), 550 * 3, "every packet of every frame, once");
    assert_eq!(room.closed(), []);
    assert_eq!(room.world.counter("session_errors"), 0);
}

/// T5: a publisher's media is recorded on the way and sent again, ten times over, under the right
/// address: nothing is forwarded twice.
#[test]
fn replayed_media_is_not_forwarded() {
    let mut room = Room::new(203);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.world.network.wiretap = Some(Vec::new());
    room.frames(40);
    room.world.run(Duration::from_secs(1));
    let recorded = room.world.network.wiretap.take().expect("it was set");
    let forwarded = room.world.counter("packets_forwarded");
    let received = room.world.peers[bob].received.len();
    for _ in 0..10 {
        for (from, datagram) in recorded.iter().filter(|(_, bytes)| is_rtp(bytes)) {
            room.world.inject(*from, datagram);
        }
        room.world.run(Duration::from_millis(50));
    }
    assert_eq!(room.world.counter("packets_forwarded"), forwarded);
    assert_eq!(room.world.peers[bob].received.len(), received);
    room.frames(20);
    assert_continuous(&video(&room.world.peers[bob].received));
}

/// T5: a subscriber's feedback is recorded on the way and sent again, ten times over, under the
/// right address: nothing is asked for twice or repeated twice.
#[test]
fn replayed_feedback_does_nothing() {
    let mut room = Room::new(203);
    let (bob, transport, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(20);
    let address = room.world.peers[bob].address;
    room.world.network.wiretap = Some(Vec::new());
    let ssrc = room.world.peers[bob].received[0].ssrc;
    let last = room.world.peers[bob]
        .received
        .last()
        .expect("media")
        .sequence as u16;
    for _ in 0..5 {
        let mut bytes = [0; 64];
        let mut writer = Writer::new(&mut bytes);
        writer.pli(FORGED, ssrc).expect("room");
        writer.nack(FORGED, ssrc, &[last]).expect("room");
        let len = writer.len();
        let datagram = room.world.peers[bob].forge_rtcp(&bytes[..len]);
        let now = room.world.now;
        room.world.network.send(now, address, SERVER, datagram);
        room.frames(20);
    }
    room.world.run(Duration::from_secs(2));
    let recorded = room.world.network.wiretap.take().expect("it was set");
    let before = room.world.counter("plis_received");
    assert!(before >= 5, "the requests have arrived: {before}");
    let of_bob = |entry: &&(SocketAddr, Vec<u8>)| entry.0 == address && is_rtcp(&entry.1);
    let out = packets_out(&mut room.world, transport);
    for _ in 0..10 {
        for (from, datagram) in recorded.iter().filter(of_bob) {
            room.world.inject(*from, datagram);
        }
    }
    room.world.run(Duration::from_millis(100));
    assert_eq!(room.world.counter("plis_received"), before);
    let answers = packets_out(&mut room.world, transport) - out;
    assert!(
        answers < 5,
        "{answers} datagrams in a tenth of a second without media"
    );
}

/// T5: a publisher's reports are recorded on the way and sent again: none is taken twice.
#[test]
fn replayed_reports_are_not_taken() {
    let mut room = Room::new(204);
    room.world.network.wiretap = Some(Vec::new());
    room.frames(40);
    room.world.run(Duration::from_secs(6));
    let recorded = room.world.network.wiretap.take().expect("it was set");
    let alice = room.world.peers[room.alice].address;
    let of_alice = |(from, bytes): &&(SocketAddr, Vec<u8>)| *from == alice && is_rtcp(bytes);
    let reports: Vec<_> = recorded.iter().filter(of_alice).collect();
    assert!(reports.len() > 2, "{} reports", reports.len());
    let before = ["drop_replay", "packets_in"].map(|name| room.world.counter(name));
    for (from, datagram) in &reports {
        assert!(!room.world.inject(*from, datagram));
    }
    let after = ["drop_replay", "packets_in"].map(|name| room.world.counter(name));
    assert_eq!(after, [before[0] + reports.len() as u64, before[1]]);
}

/// T6: nothing that a spoofed sender can write is answered, also with a ufrag that exists.
#[test]
fn strangers_get_no_answer() {
    let mut room = Room::new(204);
    room.world.network.wiretap = Some(Vec::new());
    room.world.run(Duration::from_secs(10));
    room.frames(5);
    let mut datagrams = room.world.network.wiretap.take().expect("it was set");
    assert!(datagrams.iter().any(|(_, bytes)| bytes[0] < 2), "a check");
    datagrams.push((room.world.peers[0].address, null_cipher_hello(1)));
    let victim = room.world.add_peer();
    let address = room.world.peers[victim].address;
    let ufrag = room.world.peers[room.alice].remote_ufrag().to_owned();
    for guess in 0..2_000_u32 {
        room.world
            .inject(address, &check(&format!("{ufrag}:{guess}")));
        room.world
            .inject(address, &check(&format!("0000{guess:08}:x")));
    }
    for (_, datagram) in &datagrams {
        room.world.inject(address, datagram);
    }
    room.world.run(Duration::from_secs(5));
    assert_eq!(room.world.peers[victim].datagrams_in, 0);
    assert_eq!(room.world.counter("known_addresses"), 1);
}

/// T7: a hundred thousand checks with guessed names or wrong integrity leave nothing behind, and
/// the call beside them loses nothing.
#[test]
fn a_flood_of_checks_leaves_nothing_behind() {
    let mut room = Room::new(205);
    let (bob, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(10);
    let ufrag = room.world.peers[room.alice].remote_ufrag().to_owned();
    let before = (
        room.world.counter("known_addresses"),
        room.world.counter("known_ufrags"),
    );
    for frame in 0..100_u32 {
        for at in 0..1_000_u32 {
            let [a, b, c, d] = (frame * 1_000 + at).to_be_bytes();
            let source = SocketAddr::from(([203, b, c, d], 1_024 + u16::from(a)));
            let name = match at % 2 {
                0 => format!("{ufrag}:{at}"),
                _ => format!("0000{at:08}:{frame}"),
            };
            assert!(!room.world.inject(source, &check(&name)));
        }
        room.frame();
    }
    room.world.run(Duration::from_millis(200));
    let packets = video(&room.world.peers[bob].received);
    assert_continuous(&packets);
    assert_eq!(packets.len(), 110 * 3);
    let after = (
        room.world.counter("known_addresses"),
        room.world.counter("known_ufrags"),
    );
    assert_eq!(after, before);
    assert_eq!(room.world.counter("drop_integrity"), 50_000);
}

/// T8: a client that opens two hundred data channels keeps as many as anyone may have.
#[test]
fn a_flood_of_channels_is_cut_off() {
    let mut world = World::new(206);
    let router = world.create_router();
    let channels: Vec<_> = (0..200)
        .map(|at| ChannelConfig {
            label: format!("channel {at}"),
            ..ChannelConfig::default()
        })
        .collect();
    world.publish(router, &[(MediaKind::Audio, "voice")], &channels);
    world.run(Duration::from_secs(5));
    let opened = |event: &Event| matches!(event, Event::DataChannelOpened { .. }).then_some(());
    assert_eq!(world.take_events(opened).len(), 64);
    assert_eq!(world.counter("drop_channels"), 200 - 64);
    assert_eq!(common::closed(&mut world), []);
}

/// T9: one subscriber asks for key frames fifty times a frame, for every packet again and again,
/// and says in turn that nothing and that everything arrived: the publisher is asked no more often
/// than anyone may ask, the other subscriber gets what it got before, and the repetitions stay
/// within a share of what was sent.
#[test]
fn one_subscriber_cannot_spoil_it_for_others() {
    let mut room = Room::new(207);
    let (mallory, transport, _) = room.world.subscribe(room.router, &[room.camera.1]);
    let (carol, _, _) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(50);
    room.world.run(Duration::from_secs(1));
    room.world.peers[room.alice].key_frame_requests.clear();
    let before = room.world.peers[carol].received.len();
    let out = packets_out(&mut room.world, transport);
    let (mut requests, start) = (0, room.world.now);
    for frame in 0..250_u16 {
        let address = room.world.peers[mallory].address;
        for storm in storms(&room, mallory, frame) {
            let datagram = room.world.peers[mallory].forge_rtcp(&storm);
            assert!(room.world.inject(address, &datagram));
        }
        requests += room.world.peers[room.alice].key_frame_requests.len();
        room.frame();
    }
    room.world.run(Duration::from_secs(1));
    let elapsed = (room.world.now - start).as_millis() as usize;
    assert!(
        room.world.counter("plis_received") >= 250,
        "the storm arrived"
    );
    assert!(
        (1..=elapsed / 500 + 1).contains(&requests),
        "{requests} requests"
    );
    assert_continuous(&video(&room.world.peers[carol].received));
    assert_eq!(room.world.peers[carol].received.len() - before, 250 * 3);
    // Media, what was asked for again (a fifth, and a start), probes and reports.
    let sent = packets_out(&mut room.world, transport) - out;
    assert!(
        sent < 250 * 3 * 2,
        "{sent} packets to who asked for all of them"
    );
    assert_eq!(room.closed(), []);
}

/// T11: whoever answers the handshake with another certificate than the one it announced is closed
/// before anything of it is believed.
#[test]
fn another_certificate_than_announced_is_closed() {
    let mut world = World::new(208);
    let router = world.create_router();
    let transport = world.create_publish_transport(router);
    let mallory = world.add_peer();
    let chat = ChannelConfig {
        label: "chat".to_owned(),
        ..ChannelConfig::default()
    };
    let (sdp, mids) = world.peers[mallory].offer(&[(MediaKind::Video, "camera")], &[chat]);
    let (head, tail) = sdp.split_once("a=fingerprint:sha-256 ").expect("one");
    let (_, tail) = tail.split_once("\r\n").expect("a line");
    let other = ["A5"; 32].join(":");
    let sdp = format!("{head}a=fingerprint:sha-256 {other}\r\n{tail}");
    let sdp = common::answer_to(&mut world, transport, sdp);
    world.peers[mallory].accept_answer(&sdp);
    let publisher = common::publish(&mut world, transport, mids[0]);
    let (bob, _, _) = world.subscribe(router, &[publisher]);
    for _ in 0..100 {
        let now = world.now;
        world.peers[mallory].send_video(now, mids[0], true, 3, 600);
        world.run(Duration::from_millis(40));
    }
    assert_eq!(world.peers[bob].received.len(), 0);
    assert_eq!(world.counter("packets_forwarded"), 0);
    let opened = |event: &Event| matches!(event, Event::DataChannelOpened { .. }).then_some(());
    assert_eq!(world.take_events(opened), []);
    let closed = common::closed(&mut world);
    assert!(
        closed
            .iter()
            .any(|(object, _)| *object == ObjectId::Transport(transport)),
        "{closed:?}"
    );
}

/// What a hostile subscriber sends after one frame, as compound packets.
fn storms(room: &Room, mallory: usize, frame: u16) -> Vec<Vec<u8>> {
    let newest = room.world.peers[mallory].received.last();
    let newest = newest.expect("it has received something");
    let (ssrc, last) = (newest.ssrc, newest.sequence as u16);
    let packet = |write: &dyn Fn(&mut Writer<'_>)| {
        let mut bytes = [0; 1_300];
        let mut writer = Writer::new(&mut bytes);
        writer.receiver_report(FORGED, &[]).expect("room");
        write(&mut writer);
        let len = writer.len();
        bytes[..len].to_vec()
    };
    let lost: Vec<u16> = (0..1_000)
        .map(|back| last.wrapping_sub(999 - back))
        .collect();
    let arrivals = match frame % 3 {
        0 => vec![None; 200],
        1 => vec![Some(0); 200],
        _ => vec![Some(30_000); 100],
    };
    vec![
        packet(&|writer| (0..50).for_each(|_| writer.pli(FORGED, ssrc).expect("room"))),
        packet(&|writer| writer.nack(FORGED, ssrc, &lost).expect("room")),
        packet(&|writer| {
            let clock = (u32::from(frame), frame as u8);
            let base = frame.wrapping_mul(7);
            writer
                .transport_cc((FORGED, ssrc), base, clock, &arrivals)
                .expect("room");
        }),
        packet(&|writer| {
            writer
                .remb(FORGED, u64::from(frame % 2) * u64::MAX, &[ssrc])
                .expect("room");
        }),
    ]
}

/// RFC 5761 section 4: what tells RTP from RTCP on one port.
fn is_rtp(datagram: &[u8]) -> bool {
    datagram[0] >= 128 && !is_rtcp(datagram)
}

fn is_rtcp(datagram: &[u8]) -> bool {
    datagram[0] >= 128 && (192..=223).contains(&datagram[1])
}

fn state(world: &mut World, transport: TransportId) -> String {
    match stat(world, transport, "state") {
        StatValue::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn packets_out(world: &mut World, transport: TransportId) -> u64 {
    match stat(world, transport, "packets_sent") {
        StatValue::Int(count) => count,
        other => panic!("{other:?}"),
    }
}

fn stat(world: &mut World, transport: TransportId, name: &str) -> StatValue {
    let target = StatsTarget::Transport(transport);
    let Ok(Reply::Stats(stats)) = world.command(Command::GetStats { target }) else {
        panic!("statistics are answered")
    };
    let found = stats.into_iter().find(|(known, _)| *known == name);
    found.expect("a known name").1
}

/// A DTLS 1.2 ClientHello that offers the null cipher alone (RFC 5246 section 7.4.1.2).
fn null_cipher_hello(salt: u8) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([salt; 32]);
    body.extend([0, 0]); // no session, no cookie
    body.extend([0, 2, 0x00, 0x02]); // TLS_RSA_WITH_NULL_SHA
    body.extend([1, 0]); // no compression
    let len = [0, 0, body.len() as u8];
    let mut handshake = vec![1];
    handshake.extend(len);
    handshake.extend([0, 0, 0, 0, 0]); // message 0, fragment from 0
    handshake.extend(len);
    handshake.extend(body);
    let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, salt];
    record.extend((handshake.len() as u16).to_be_bytes());
    record.extend(handshake);
    record
}

/// A STUN check with this name and an integrity that nobody computed.
fn check(name: &str) -> Vec<u8> {
    let mut attributes = vec![0, 6];
    attributes.extend((name.len() as u16).to_be_bytes());
    attributes.extend(name.as_bytes());
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    attributes.extend([0, 8, 0, 20]);
    attributes.extend([7; 20]);
    let mut bytes = vec![0, 1];
    bytes.extend((attributes.len() as u16).to_be_bytes());
    bytes.extend(0x2112_a442_u32.to_be_bytes());
    bytes.extend([9; 12]);
    bytes.extend(attributes);
    bytes
}

/// The forger's own source.
const FORGED: u32 = 0x0bad_0bad;
