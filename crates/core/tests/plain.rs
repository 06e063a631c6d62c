//! A plain transport: RTP and SRTP in both directions, and nothing from strangers.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Room, assert_continuous, video};
use headwater_core::command::{Command, Keying, PlainOptions, PlainParameters, StatsTarget};
use headwater_core::error::Error;
use headwater_core::event::CloseReason::{Parent, PublisherClosed, Requested};
use headwater_core::event::{CodecInfo, Event, Reply, StatValue, TrackKind};
use headwater_core::ids::{ObjectId, PublisherId, RecordingTrackId, TransportId};
use headwater_core::record::preamble;
use headwater_core::record::replay::replay;
use headwater_core::rtcp::{Compound, Message, Writer};
use headwater_core::srtp::{Keys, Opener, Profile, Sealer};
use headwater_sim::{Vp8Descriptor, World, vp8_payload};

const PROFILES: [Profile; 3] = [
    Profile::Aes128CmSha1_80,
    Profile::AeadAes128Gcm,
    Profile::AeadAes256Gcm,
];

/// What a test wants of a transport.
#[derive(Clone, Default)]
struct Wish {
    rtcp_apart: bool,
    comedia: bool,
    keys: Option<Keying>,
    peer_keys: Option<Keying>,
}

fn keying(profile: Profile, fill: u8) -> Keying {
    Keying {
        profile,
        material: vec![fill; profile.keying_material() / 2],
    }
}

fn keys(keying: &Keying) -> Keys {
    Keys::from_material(keying.profile, &keying.material).unwrap()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn peer() -> SocketAddr {
    at("192.0.2.1:7000")
}

/// A transport; connected to [`peer`] unless the peer is to show by itself.
fn open(room: &mut Room, wish: &Wish) -> TransportId {
    let transport = TransportId(room.world.handle());
    let local = at("127.0.0.1:40000");
    let reply = room.world.command(Command::CreatePlainTransport {
        router: room.router,
        transport,
        options: PlainOptions {
            local,
            rtcp_local: wish.rtcp_apart.then(|| at("127.0.0.1:40001")),
            comedia: wish.comedia,
            keys: wish.keys.clone(),
        },
    });
    assert!(matches!(reply, Ok(Reply::Bound { local: bound, .. }) if bound == local));
    if wish.comedia && wish.peer_keys.is_none() {
        return transport;
    }
    let connect = Command::ConnectPlainTransport {
        transport,
        remote: (!wish.comedia).then(peer),
        rtcp_remote: (wish.rtcp_apart && !wish.comedia).then(|| at("192.0.2.1:7001")),
        keys: wish.peer_keys.clone(),
    };
    room.world.command(connect).unwrap();
    transport
}

fn consume(room: &mut Room, transport: TransportId, paused: bool) -> (RecordingTrackId, u32) {
    let track = RecordingTrackId(room.world.handle());
    let reply = room.world.command(Command::Consume {
        transport,
        track,
        publisher: room.camera.1,
        paused,
    });
    match reply {
        Ok(Reply::Consumed { ssrc }) => (track, ssrc),
        other => panic!("{other:?}"),
    }
}

fn vp8() -> PlainParameters {
    PlainParameters {
        codec: CodecInfo {
            mime: "video/VP8".to_owned(),
            payload_type: 101,
            clock_rate: 90_000,
            channels: None,
            fmtp: String::new(),
        },
        ssrcs: vec![SSRC],
        nack: true,
        pli: true,
        fir: false,
        audio_level: None,
    }
}

fn produce(room: &mut Room, transport: TransportId, parameters: PlainParameters) -> PublisherId {
    let publisher = PublisherId(room.world.handle());
    let reply = room.world.command(Command::Produce {
        transport,
        publisher,
        kind: TrackKind::Video,
        parameters,
    });
    assert!(matches!(reply, Ok(Reply::Published { .. })), "{reply:?}");
    publisher
}

fn stat(world: &mut World, transport: TransportId, name: &str) -> u64 {
    let target = StatsTarget::Transport(transport);
    let Ok(Reply::Stats(values)) = world.command(Command::GetStats { target }) else {
        panic!("an open transport has statistics")
    };
    match values.iter().find(|(known, _)| *known == name) {
        Some((_, StatValue::Int(value))) => *value,
        other => panic!("{name}: {other:?}"),
    }
}

/// A camera that speaks plain RTP.
struct Camera {
    sealer: Option<Sealer>,
    ssrc: u32,
    sequence: u64,
    picture: u16,
    timestamp: u32,
}

impl Camera {
    fn new(keying: Option<&Keying>) -> Self {
        Self {
            sealer: keying.map(|keying| Sealer::new(&keys(keying))),
            ssrc: SSRC,
            sequence: 65_500,
            picture: 0,
            timestamp: 4_000_000_000,
        }
    }

    /// A frame of three packets.
    fn frame(&mut self, key_frame: bool) -> Vec<Vec<u8>> {
        self.picture += 1;
        self.timestamp = self.timestamp.wrapping_add(3_600);
        let packets = (0..3).map(|part| {
            let descriptor = Vp8Descriptor {
                picture_id: self.picture,
                tl0_pic_idx: self.picture as u8,
                start: part == 0,
                key_frame,
            };
            self.sequence += 1;
            let mut packet = vec![0x80, 101 | u8::from(part == 2) << 7];
            packet.extend((self.sequence as u16).to_be_bytes());
            packet.extend(self.timestamp.to_be_bytes());
            packet.extend(self.ssrc.to_be_bytes());
            packet.extend(vp8_payload(descriptor, 600, 7));
            seal(self.sealer.as_mut(), packet, self.sequence)
        });
        packets.collect()
    }

    /// A report: at this timestamp it was so late by the camera's clock.
    fn report(&mut self) -> Vec<u8> {
        let info = headwater_core::rtcp::SenderInfo {
            ntp: 3_900_000_000 << 32,
            rtp_timestamp: self.timestamp,
            packets: 1,
            octets: 1,
        };
        let mut packet = vec![0; 100];
        let mut writer = Writer::new(&mut packet);
        writer.sender_report(self.ssrc, &info, &[]).unwrap();
        let len = writer.len();
        seal_rtcp(self.sealer.as_mut(), &packet[..len])
    }
}

fn seal(sealer: Option<&mut Sealer>, mut packet: Vec<u8>, sequence: u64) -> Vec<u8> {
    if let Some(sealer) = sealer {
        let payload = packet.len() - 12;
        packet.resize(packet.len() + 16, 0);
        let len = sealer.seal_rtp(12, payload, &mut packet, sequence).unwrap();
        packet.truncate(len);
    }
    packet
}

fn seal_rtcp(sealer: Option<&mut Sealer>, plain: &[u8]) -> Vec<u8> {
    let mut packet = plain.to_vec();
    if let Some(sealer) = sealer {
        packet.resize(plain.len() + 20, 0);
        let len = sealer.seal_rtcp(plain.len(), &mut packet).unwrap();
        packet.truncate(len);
    }
    packet
}

/// Frames from a camera to a transport, 40 ms each.
fn film(room: &mut Room, camera: &mut Camera, transport: TransportId, frames: usize) {
    for frame in 0..frames {
        for packet in camera.frame(frame == 0) {
            room.world.inject_plain(transport, false, peer(), &packet);
        }
        room.world.run(Duration::from_millis(40));
    }
}

/// A compound packet of ours, opened.
fn said(room: &mut Room, opener: Option<&mut Opener>, to: SocketAddr) -> Vec<Vec<u8>> {
    let mut opener = opener;
    let sent = std::mem::take(&mut room.world.recorded).into_iter();
    sent.filter(|(_, destination, bytes)| *destination == to && (192..=223).contains(&bytes[1]))
        .map(|(_, _, mut bytes)| match opener.as_deref_mut() {
            Some(opener) => opener.open_rtcp(&mut bytes).unwrap().to_vec(),
            None => bytes,
        })
        .collect()
}

/// What is sent opens under the announced key, counts without a jump, begins with a key frame, and
/// is reported each second; a sealed PLI brings another key frame.
#[test]
fn out_sealed() {
    for profile in PROFILES {
        let mut room = Room::new(700);
        room.frames(10);
        let wish = Wish {
            keys: Some(keying(profile, 7)),
            peer_keys: Some(keying(profile, 9)),
            ..Wish::default()
        };
        let transport = open(&mut room, &wish);
        let (_, ssrc) = consume(&mut room, transport, false);
        room.frames(60);
        let mut opener = Opener::new(&keys(wish.keys.as_ref().unwrap()));
        let sent = std::mem::take(&mut room.world.recorded);
        let (mut last, mut reports) = (None, 0);
        for (_, to, mut bytes) in sent {
            assert_eq!(to, peer(), "RTCP goes to the port of RTP");
            if (192..=223).contains(&bytes[1]) {
                let opened = opener.open_rtcp(&mut bytes).expect("authentic");
                assert_eq!(opened[4..8], ssrc.to_be_bytes());
                reports += 1;
                continue;
            }
            let (packet, sequence) = opener.open_rtp(&mut bytes).expect("authentic");
            assert_eq!(
                (packet[1] & 0x7f, &packet[8..12]),
                (96, &ssrc.to_be_bytes()[..])
            );
            let descriptor = Vp8Descriptor::parse(&packet[12..]).expect("in the clear again");
            assert!(last.is_some() || descriptor.key_frame, "starts with one");
            assert!(last.is_none_or(|last| sequence == last + 1));
            last = Some(sequence);
        }
        assert!(last.is_some());
        assert!((2..=3).contains(&reports), "{reports} reports in 2.4 s");

        let mut theirs = Sealer::new(&keys(wish.peer_keys.as_ref().unwrap()));
        let pli = pli(ssrc);
        room.world.peers[room.alice].key_frame_requests.clear();
        room.world.inject_plain(transport, false, peer(), &pli);
        room.world.run(Duration::from_millis(100));
        assert!(
            room.world.peers[room.alice].key_frame_requests.is_empty(),
            "who does not seal is not heard"
        );
        assert_eq!(stat(&mut room.world, transport, "dropped_malformed"), 1);
        let pli = seal_rtcp(Some(&mut theirs), &pli);
        room.world.inject_plain(transport, false, peer(), &pli);
        room.world.run(Duration::from_millis(100));
        assert_eq!(room.world.peers[room.alice].key_frame_requests.len(), 1);
    }
}

/// In the clear, with RTCP on a port of its own.
#[test]
fn out_plain() {
    let mut room = Room::new(701);
    room.frames(10);
    let wish = Wish {
        rtcp_apart: true,
        ..Wish::default()
    };
    let transport = open(&mut room, &wish);
    let (track, ssrc) = consume(&mut room, transport, true);
    room.frames(10);
    assert!(room.world.recorded.is_empty(), "paused");
    room.world.peers[room.alice].key_frame_requests.clear();
    room.world
        .command(Command::SetTrackPaused {
            track,
            paused: false,
        })
        .unwrap();
    room.world.run(Duration::from_millis(50));
    assert_eq!(room.world.peers[room.alice].key_frame_requests.len(), 1);
    room.frames(40);
    let sent = &room.world.recorded;
    let (rtp, rtcp): (Vec<_>, Vec<_>) = sent.iter().partition(|(_, to, _)| *to == peer());
    let first = Vp8Descriptor::parse(&rtp[0].2[12..]).unwrap();
    assert!(first.key_frame && rtp.len() > 100, "{} packets", rtp.len());
    assert!(rtcp.iter().all(|(_, to, _)| *to == at("192.0.2.1:7001")));
    assert!((1..=2).contains(&rtcp.len()));

    // Its report says what was lost.
    let block = headwater_core::rtcp::ReportBlock {
        ssrc,
        fraction_lost: 64,
        ..Default::default()
    };
    let mut packet = vec![0; 100];
    let mut writer = Writer::new(&mut packet);
    writer.receiver_report(5, &[block]).unwrap();
    let len = writer.len();
    let rtcp_peer = at("192.0.2.1:7001");
    room.world
        .inject_plain(transport, true, rtcp_peer, &packet[..len]);
    let target = StatsTarget::RecordingTrack(track);
    let Ok(Reply::Stats(values)) = room.world.command(Command::GetStats { target }) else {
        panic!("a track has statistics")
    };
    assert!(values.contains(&("fraction_lost", StatValue::Float(0.25))));
}

/// What comes in is a publisher like any other: a viewer gets whole frames, the source is told what
/// arrived, and asked for what did not and for key frames, in the way it understands.
#[test]
fn into_a_room() {
    for keying in [None, Some(keying(Profile::AeadAes128Gcm, 3))] {
        let mut room = Room::new(702);
        let wish = Wish {
            keys: keying.clone(),
            peer_keys: keying.clone(),
            ..Wish::default()
        };
        let transport = open(&mut room, &wish);
        let publisher = produce(&mut room, transport, vp8());
        let mut camera = Camera::new(keying.as_ref());
        film(&mut room, &mut camera, transport, 5);
        let active = room.world.take_events(|event| match event {
            Event::PublisherActive { publisher, codec } => Some((*publisher, codec.mime.clone())),
            _ => None,
        });
        assert!(active.contains(&(publisher, "video/VP8".to_owned())));
        let router = room.router;
        let (bob, ..) = room.world.subscribe(router, &[publisher]);
        let mut opener = keying.as_ref().map(|keying| Opener::new(&keys(keying)));
        room.world.run(Duration::from_millis(100));
        let asked = said(&mut room, opener.as_mut(), peer());
        let plis = asked.iter().filter(|packet| {
            Compound::new(packet)
                .flatten()
                .any(|message| matches!(message, Message::Pli { media: SSRC, .. }))
        });
        assert!(plis.count() >= 1, "the viewer waits for a key frame");
        film(&mut room, &mut camera, transport, 50);
        let received = video(&room.world.peers[bob].take_received());
        assert_continuous(&received);
        assert!(received.len() >= 147, "{} packets", received.len());

        let report = camera.report();
        room.world.inject_plain(transport, false, peer(), &report);
        said(&mut room, opener.as_mut(), peer());
        let mut lost = camera.frame(false);
        let (first, gone) = (lost.remove(0), lost.remove(0));
        for packet in [&first, &lost[0]] {
            room.world.inject_plain(transport, false, peer(), packet);
        }
        let wanted = gone[2..4].to_vec();
        room.world.run(Duration::from_millis(60));
        let asked = said(&mut room, opener.as_mut(), peer());
        let nacks: Vec<Vec<u16>> = asked
            .iter()
            .flat_map(|packet| Compound::new(packet).flatten())
            .filter_map(|message| match message {
                Message::Nack { lost, .. } => Some(lost.collect()),
                _ => None,
            })
            .collect();
        let number = u16::from_be_bytes([wanted[0], wanted[1]]);
        assert_eq!(nacks, [vec![number], vec![number]], "at once and again");
        room.world.inject_plain(transport, false, peer(), &gone);
        room.world.run(Duration::from_millis(1_500));
        let asked = said(&mut room, opener.as_mut(), peer());
        let blocks: Vec<_> = asked
            .iter()
            .flat_map(|packet| Compound::new(packet).flatten())
            .filter_map(|message| match message {
                Message::ReceiverReport { mut blocks, .. } => blocks.next(),
                _ => None,
            })
            .collect();
        assert_eq!(blocks.len(), 1, "nothing is asked again, and a report");
        assert_eq!((blocks[0].ssrc, blocks[0].lost), (SSRC, 0));
        assert_ne!(blocks[0].last_report, 0, "its report came");
    }
}

/// With comedia the first valid packet tells where the peer is, and is believed once: a stranger can
/// neither be first, nor take the stream over, nor get it (RTP bleed).
#[test]
fn a_stranger_does_not_get_in() {
    let stranger = at("198.51.100.66:9");
    for sealed in [false, true] {
        let mut room = Room::new(703);
        let keys = sealed.then(|| keying(Profile::Aes128CmSha1_80, 3));
        let wish = Wish {
            comedia: true,
            keys: keys.clone(),
            peer_keys: keys.clone(),
            ..Wish::default()
        };
        let transport = open(&mut room, &wish);
        let publisher = produce(&mut room, transport, vp8());
        consume(&mut room, transport, false);
        let mut attacker = Camera::new(sealed.then(|| keying(wish_profile(), 66)).as_ref());
        attacker.ssrc = if sealed { SSRC } else { 0x666 };
        for packet in attacker.frame(true) {
            room.world.inject_plain(transport, false, stranger, &packet);
        }
        assert!(found(&mut room).is_empty(), "not valid, so not the peer");
        assert!(room.world.recorded.is_empty(), "and gets nothing");

        let mut camera = Camera::new(keys.as_ref());
        let copies = camera.frame(true);
        for packet in &copies {
            room.world.inject_plain(transport, false, peer(), packet);
        }
        assert_eq!(found(&mut room), [peer()]);
        let taken = stat_of(&mut room.world, publisher, "packets_received");
        for packet in camera.frame(false).iter().chain(&copies) {
            room.world.inject_plain(transport, false, stranger, packet);
        }
        let bye = [0x81, 203, 0, 1, 0, 0, 0x13, 0x88];
        room.world.inject_plain(transport, false, stranger, &bye);
        room.frames(20);
        assert_eq!(found(&mut room), [], "nobody takes it over");
        let now = stat_of(&mut room.world, publisher, "packets_received");
        assert_eq!((taken, now), (3, 3));
        let strangers = stat(&mut room.world, transport, "dropped_strangers");
        assert_eq!(strangers, 7);
        assert!(!room.world.recorded.is_empty());
        assert!(room.world.recorded.iter().all(|(_, to, _)| *to == peer()));
    }
}

const fn wish_profile() -> Profile {
    Profile::Aes128CmSha1_80
}

/// Wrong keys, changed and repeated packets, and noise: counted, and nothing else.
#[test]
fn what_does_not_open_changes_nothing() {
    for profile in PROFILES {
        let mut room = Room::new(704);
        let wish = Wish {
            keys: Some(keying(profile, 1)),
            peer_keys: Some(keying(profile, 2)),
            ..Wish::default()
        };
        let transport = open(&mut room, &wish);
        let publisher = produce(&mut room, transport, vp8());
        for wrong in [None, Some(keying(profile, 3)), wish.keys.clone()] {
            let mut camera = Camera::new(wrong.as_ref());
            for packet in camera.frame(true) {
                room.world.inject_plain(transport, false, peer(), &packet);
            }
            let report = camera.report();
            room.world.inject_plain(transport, false, peer(), &report);
        }
        assert_eq!(stat(&mut room.world, transport, "dropped_unopened"), 12);
        let mut camera = Camera::new(wish.peer_keys.as_ref());
        let frame = camera.frame(true);
        for bit in 0..frame[0].len() * 8 {
            let mut forged = frame[0].clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            room.world.inject_plain(transport, false, peer(), &forged);
        }
        for len in 0..40 {
            let noise = vec![0x80 | len as u8; len];
            room.world.inject_plain(transport, false, peer(), &noise);
        }
        let count = |room: &mut Room| stat_of(&mut room.world, publisher, "packets_received");
        assert_eq!(count(&mut room), 0);
        for packet in frame.iter().chain(&frame) {
            room.world.inject_plain(transport, false, peer(), packet);
        }
        assert_eq!(count(&mut room), 3, "each once");
        assert!(room.closed().is_empty());
        assert_eq!(room.world.counter("panics"), 0);
    }
}

/// Whatever a peer in the clear sends, nothing breaks and nothing grows without bound.
#[test]
fn noise_in_the_clear_breaks_nothing() {
    let mut room = Room::new(705);
    let transport = open(&mut room, &Wish::default());
    let parameters = PlainParameters {
        ssrcs: Vec::new(),
        audio_level: Some(1),
        ..vp8()
    };
    let publisher = produce(&mut room, transport, parameters);
    let (_, ssrc) = consume(&mut room, transport, false);
    let router = room.router;
    room.world.subscribe(router, &[publisher]);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..20_000_u64 {
        let len = random() % 80;
        let mut packet: Vec<u8> = (0..len).map(|_| random() as u8).collect();
        if let [first, second, ..] = &mut packet[..] {
            *first = 0x80 | *first & 0x3f;
            if round % 2 == 0 {
                *second = 101;
            } else {
                *second = 200 + *second % 8;
            }
        }
        if round % 3 == 0 && packet.len() > 12 {
            packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
        }
        room.world.inject_plain(transport, false, peer(), &packet);
        if round % 100 == 0 {
            room.world.run(Duration::from_millis(30));
        }
    }
    assert_eq!(room.world.counter("panics"), 0);
    assert!(room.closed().is_empty());
}

/// What a call on a plain transport may not do.
#[test]
fn misuse() {
    let mut room = Room::new(706);
    let wish = Wish {
        keys: Some(keying(Profile::AeadAes128Gcm, 1)),
        ..Wish::default()
    };
    let transport = open(&mut room, &wish);
    let connect = |remote, keys| Command::ConnectPlainTransport {
        transport,
        remote,
        rtcp_remote: None,
        keys,
    };
    let again = room.world.command(connect(Some(peer()), None));
    assert!(matches!(again, Err(Error::InvalidState(_))));
    produce(&mut room, transport, vp8());
    let mut attempt = |parameters| {
        let publisher = PublisherId(room.world.handle());
        room.world.command(Command::Produce {
            transport,
            publisher,
            kind: TrackKind::Video,
            parameters,
        })
    };
    let wrong = |parameters: PlainParameters| PlainParameters {
        ssrcs: vec![77],
        ..parameters
    };
    assert!(matches!(attempt(vp8()), Err(Error::InvalidParameters(_))));
    let mut opus = wrong(vp8());
    opus.codec.mime = "audio/opus".to_owned();
    assert!(matches!(attempt(opus), Err(Error::UnsupportedCodec(_))));
    let mut unknown = wrong(vp8());
    unknown.codec.mime = "video/theora".to_owned();
    assert!(matches!(attempt(unknown), Err(Error::UnsupportedCodec(_))));
    let mut rtcp = wrong(vp8());
    rtcp.codec.payload_type = 72;
    assert!(matches!(attempt(rtcp), Err(Error::InvalidParameters(_))));
    let publisher = room.camera.1;
    let track = RecordingTrackId(room.world.handle());
    let webrtc = room.world.command(Command::Consume {
        transport: room.publishing,
        track,
        publisher,
        paused: false,
    });
    assert!(matches!(webrtc, Err(Error::WrongTransport(_))));
    let offer = room.world.command(Command::CreateOffer {
        transport,
        ice_restart: false,
    });
    assert!(matches!(offer, Err(Error::WrongTransport(_))));
}

/// Closing goes from the leaves to the root, and leaves nothing.
#[test]
fn closing() {
    let mut room = Room::new(707);
    let transport = open(&mut room, &Wish::default());
    let publisher = produce(&mut room, transport, vp8());
    let (track, ssrc) = consume(&mut room, transport, false);
    room.frames(20);
    film(&mut room, &mut Camera::new(None), transport, 5);
    room.closed();
    room.world.recorded.clear();
    room.world
        .command(Command::CloseTransport { transport })
        .unwrap();
    let mut bye = said(&mut room, None, peer());
    let bye = bye.pop().expect("a last word");
    assert!(Compound::new(&bye).flatten().any(|message| match message {
        Message::Bye { mut sources } => sources.next() == Some(ssrc),
        _ => false,
    }));
    assert_eq!(
        room.closed(),
        [
            (ObjectId::RecordingTrack(track), Parent),
            (ObjectId::Publisher(publisher), Parent),
            (ObjectId::Transport(transport), Requested),
        ]
    );
    let other = open(&mut room, &Wish::default());
    let (track, _) = consume(&mut room, other, false);
    let publisher = room.camera.1;
    room.world
        .command(Command::ClosePublisher { publisher })
        .unwrap();
    assert_eq!(
        room.closed(),
        [
            (ObjectId::RecordingTrack(track), PublisherClosed),
            (ObjectId::Publisher(publisher), Requested),
        ]
    );
    room.world.run(Duration::from_secs(5));
    let router = room.router;
    room.world.command(Command::CloseRouter { router }).unwrap();
    for name in ["transports", "publishers", "recording_tracks"] {
        assert_eq!(room.world.counter(name), 0, "{name}");
    }
}

/// A record holds what a plain transport does and not its keys, and replays.
#[test]
fn a_record_replays_without_the_keys() {
    let mut world = World::new(708);
    world.record();
    let mut room = Room::in_world(world);
    let secret = keying(Profile::AeadAes128Gcm, 0xa5);
    let wish = Wish {
        keys: Some(secret.clone()),
        peer_keys: Some(secret.clone()),
        ..Wish::default()
    };
    let transport = open(&mut room, &wish);
    let publisher = produce(&mut room, transport, vp8());
    let (_, ssrc) = consume(&mut room, transport, false);
    let router = room.router;
    room.world.subscribe(router, &[publisher]);
    let mut camera = Camera::new(Some(&secret));
    for round in 0..10 {
        film(&mut room, &mut camera, transport, 5);
        room.frames(5);
        if round == 6 {
            let request = seal_rtcp(camera.sealer.as_mut(), &pli(ssrc));
            room.world.inject_plain(transport, false, peer(), &request);
        }
    }
    room.world
        .command(Command::CloseTransport { transport })
        .unwrap();
    let mut file = preamble();
    room.world.take_record(&mut file);
    assert!(!file.windows(16).any(|bytes| bytes == [0xa5; 16]), "no key");
    #[allow(clippy::disallowed_methods)] // some moment to count from
    let origin = std::time::Instant::now();
    let replay = replay(&file, origin).expect("the record can be read");
    assert_eq!(replay.difference, None);
    let asked = |owner| {
        let steps = replay.steps.iter();
        steps.filter(move |step| step.owner == owner && step.what == "key_frame_requested")
    };
    assert!(asked(ObjectId::Publisher(publisher)).count() >= 1);
    assert!(
        asked(ObjectId::Publisher(room.camera.1)).count() >= 1,
        "by PLI"
    );
}

fn pli(media: u32) -> Vec<u8> {
    let mut packet = vec![0; 100];
    let mut writer = Writer::new(&mut packet);
    writer.receiver_report(5, &[]).unwrap();
    writer.pli(5, media).unwrap();
    let len = writer.len();
    packet.truncate(len);
    packet
}

fn found(room: &mut Room) -> Vec<SocketAddr> {
    room.world.take_events(|event| match event {
        Event::PeerFound { remote, .. } => Some(*remote),
        _ => None,
    })
}

fn stat_of(world: &mut World, publisher: PublisherId, name: &str) -> u64 {
    let target = StatsTarget::Publisher(publisher);
    let Ok(Reply::Stats(values)) = world.command(Command::GetStats { target }) else {
        panic!("a publisher has statistics")
    };
    match values.iter().find(|(known, _)| *known == name) {
        Some((_, StatValue::Int(value))) => *value,
        other => panic!("{name}: {other:?}"),
    }
}

const SSRC: u32 = 5_000;
