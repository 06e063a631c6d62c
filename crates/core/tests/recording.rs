//! A recording transport sends plain RTP that a recorder can use at once.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::simulcast::{LAYERS, Simulcast};
use common::{Room, pause_publisher};
use headwater_core::command::{Command, PlainOptions};
use headwater_core::error::Error;
use headwater_core::event::CloseReason;
use headwater_core::ids::{ObjectId, PublisherId, RecordingTrackId, RouterId, TransportId};
use headwater_core::layer::Preferences;
use headwater_sim::{Vp8Descriptor, World};

fn start(
    world: &mut World,
    router: RouterId,
    publisher: PublisherId,
) -> (TransportId, RecordingTrackId) {
    let (transport, remote) = (create(world, router), recorder());
    let track = RecordingTrackId(world.handle());
    let command = Command::StartRecording {
        transport,
        track,
        publisher,
        remote,
    };
    world.command(command).expect("it is of this router");
    (transport, track)
}

fn create(world: &mut World, router: RouterId) -> TransportId {
    let (transport, remote) = (TransportId(world.handle()), recorder());
    let command = Command::CreateRecordingTransport {
        router,
        transport,
        remote,
    };
    world.command(command).expect("there is such a router");
    transport
}

fn recorder() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 6000))
}

struct Rtp {
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: Vec<u8>,
}

fn parse(bytes: &[u8]) -> Rtp {
    assert_eq!(
        bytes[0], 0x80,
        "version 2, no padding, no extension, no CSRC"
    );
    Rtp {
        marker: bytes[1] & 0x80 != 0,
        payload_type: bytes[1] & 0x7f,
        sequence: u16::from_be_bytes([bytes[2], bytes[3]]),
        timestamp: u32::from_be_bytes(bytes[4..8].try_into().unwrap()),
        ssrc: u32::from_be_bytes(bytes[8..12].try_into().unwrap()),
        payload: bytes[12..].to_vec(),
    }
}

/// Video: starts at a key frame, counts without a jump, reports every second, says BYE.
#[test]
fn video() {
    let mut room = Room::new(80);
    room.frames(30);
    let remote = recorder();
    let rtcp: SocketAddr = "127.0.0.1:6001".parse().unwrap();
    let camera = room.camera.1;
    let (transport, track) = start(&mut room.world, room.router, camera);
    let began = room.world.now;
    room.frames(75);
    let payload_type = {
        let packets: Vec<_> = room
            .world
            .recorded
            .iter()
            .filter(|(_, to, _)| *to == remote)
            .collect();
        assert!(packets.len() > 210, "{} packets", packets.len());
        assert!(
            packets[0].0 - began < Duration::from_millis(150),
            "a key frame was asked for"
        );
        let parsed: Vec<_> = packets.iter().map(|(_, _, bytes)| parse(bytes)).collect();
        let first = Vp8Descriptor::parse(&parsed[0].payload).unwrap();
        assert!(first.start && first.key_frame);
        for pair in parsed.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            assert_eq!(pair[1].ssrc, pair[0].ssrc);
            let step = if pair[0].marker { 3000 } else { 0 };
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(step));
        }
        parsed[0].payload_type
    };
    assert_eq!(payload_type, 96, "the publisher's own");
    let reports: Vec<_> = room
        .world
        .recorded
        .iter()
        .filter(|(_, to, _)| *to == rtcp)
        .collect();
    assert!(
        (2..=4).contains(&reports.len()),
        "{} reports in 3 s",
        reports.len()
    );
    for (at, _, bytes) in &reports {
        assert_eq!(&bytes[..4], [0x80, 200, 0, 6]);
        let seconds = u64::from(u32::from_be_bytes(bytes[8..12].try_into().unwrap()));
        let wall = 1_700_000_000 + 2_208_988_800;
        assert!(
            seconds >= wall && seconds - wall < 60,
            "wall clock at {at:?}"
        );
        assert_eq!(bytes[29], 202, "SDES follows");
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(
            bytes.len(),
            28 + 4 + 4 * usize::from(u16::from_be_bytes([bytes[30], bytes[31]]))
        );
    }
    room.world.recorded.clear();
    room.world
        .command(Command::StopRecording { track })
        .unwrap();
    let bye = room
        .world
        .recorded
        .iter()
        .find(|(_, to, _)| *to == rtcp)
        .expect("a last report");
    assert_eq!(&bye.2[bye.2.len() - 8..][..4], [0x81, 203, 0, 1]);
    room.frames(5);
    assert!(room.world.recorded.iter().all(|(_, to, _)| *to == rtcp));
    room.world
        .command(Command::CloseTransport { transport })
        .unwrap();
    assert_eq!(
        room.closed(),
        [
            (ObjectId::RecordingTrack(track), CloseReason::Requested),
            (ObjectId::Transport(transport), CloseReason::Requested),
        ]
    );
}

/// Audio, and a pause of the publisher: the numbers go on as if nothing had been.
#[test]
fn audio_over_a_pause() {
    let mut room = Room::new(81);
    room.frames(5);
    let publisher = room.microphone.1;
    start(&mut room.world, room.router, publisher);
    room.frames(20);
    pause_publisher(&mut room.world, publisher, true);
    room.world.run(Duration::from_millis(20));
    let before = room.world.recorded.len();
    room.frames(20);
    let rtp = |room: &Room, from: usize| -> Vec<Rtp> {
        let recorded = &room.world.recorded[from..];
        recorded
            .iter()
            .filter(|(_, to, _)| *to == recorder())
            .map(|(_, _, bytes)| parse(bytes))
            .collect()
    };
    assert_eq!(rtp(&room, before).len(), 0);
    pause_publisher(&mut room.world, publisher, false);
    room.frames(20);
    let packets = rtp(&room, 0);
    assert!(packets.len() >= 38, "{} packets", packets.len());
    assert!(
        packets
            .windows(2)
            .all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1))
    );
    assert_eq!(packets[0].payload_type, 111);
}

/// Sizes of the pictures that have left for an address since the last time.
fn sizes(world: &mut World, address: SocketAddr) -> Vec<usize> {
    let sent = std::mem::take(&mut world.recorded).into_iter();
    let rtp = sent.filter(|(_, to, bytes)| *to == address && !(192..=223).contains(&bytes[1]));
    rtp.map(|(.., bytes)| parse(&bytes).payload.len()).collect()
}

/// No allocator looks after a recording: of several encodings it gets the largest from its first
/// packet on.
#[test]
fn the_best_from_the_start() {
    let mut call = Simulcast::new();
    call.frames(25, &LAYERS);
    start(&mut call.world, call.router, call.publisher);
    call.frames(50, &LAYERS);
    let sent = sizes(&mut call.world, recorder());
    assert!(sent.len() > 30, "{} pictures", sent.len());
    assert!(sent.iter().all(|size| *size == 1000), "{sent:?}");
}

/// Nor after a track out of a plain transport, which gets what is asked for, and at once.
#[test]
fn a_plain_track_is_what_it_is_asked_to_be() {
    let mut call = Simulcast::new();
    call.frames(25, &LAYERS);
    let world = &mut call.world;
    let (transport, track) = (
        TransportId(world.handle()),
        RecordingTrackId(world.handle()),
    );
    let options = PlainOptions {
        local: SocketAddr::from(([127, 0, 0, 1], 40_000)),
        rtcp_local: None,
        comedia: false,
        keys: None,
    };
    let create = Command::CreatePlainTransport {
        router: call.router,
        transport,
        options,
    };
    world.command(create).expect("there is such a router");
    let connect = Command::ConnectPlainTransport {
        transport,
        remote: Some(recorder()),
        rtcp_remote: None,
        keys: None,
    };
    world.command(connect).expect("it is not connected yet");
    let consume = Command::Consume {
        transport,
        track,
        publisher: call.publisher,
        paused: false,
    };
    world.command(consume).expect("it is of this router");
    for (spatial, size) in [(None, 1000), (Some(0), 600), (Some(1), 800)] {
        let preferences = Preferences {
            spatial,
            ..Preferences::default()
        };
        let command = Command::SetTrackPreferences { track, preferences };
        call.world.command(command).expect("it is a track");
        call.frames(20, &LAYERS); // the key frame for it
        sizes(&mut call.world, recorder());
        call.frames(25, &LAYERS);
        let sent = sizes(&mut call.world, recorder());
        assert!(sent.len() >= 24, "{} pictures", sent.len());
        assert!(sent.iter().all(|seen| *seen == size), "{size}: {sent:?}");
    }
}

/// Only a recording transport records, and only publishers of its router.
#[test]
fn misuse() {
    let mut room = Room::new(82);
    let remote = recorder();
    let (transport, publisher) = (room.publishing, room.camera.1);
    let track = RecordingTrackId(room.world.handle());
    let wrong = room.world.command(Command::StartRecording {
        transport,
        track,
        publisher,
        remote,
    });
    assert!(matches!(wrong, Err(Error::WrongTransport(_))));
    let router = room.world.create_router();
    let transport = create(&mut room.world, router);
    let wrong = room.world.command(Command::StartRecording {
        transport,
        track,
        publisher,
        remote,
    });
    assert_eq!(wrong.unwrap_err(), Error::NotFound { what: "publisher" });
    let unknown = room.world.command(Command::StopRecording { track });
    assert_eq!(
        unknown.unwrap_err(),
        Error::NotFound {
            what: "recording track"
        }
    );
}
