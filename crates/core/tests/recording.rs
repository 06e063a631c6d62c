//! A recording transport sends plain RTP that a recorder can use at once.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::Room;
use headwater_core::command::Command;
use headwater_core::error::Error;
use headwater_core::event::CloseReason;
use headwater_core::ids::{ObjectId, PublisherId, RecordingTrackId, TransportId};
use headwater_sim::Vp8Descriptor;

fn start(
    room: &mut Room,
    publisher: PublisherId,
    remote: SocketAddr,
) -> (TransportId, RecordingTrackId) {
    let (transport, track) = (
        TransportId(room.world.handle()),
        RecordingTrackId(room.world.handle()),
    );
    let router = room.router;
    room.world
        .command(Command::CreateRecordingTransport {
            router,
            transport,
            remote,
        })
        .unwrap();
    room.world
        .command(Command::StartRecording {
            transport,
            track,
            publisher,
            remote,
        })
        .unwrap();
    (transport, track)
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
    let remote: SocketAddr = "127.0.0.1:6000".parse().unwrap();
    let rtcp: SocketAddr = "127.0.0.1:6001".parse().unwrap();
    let camera = room.camera.1;
    let (transport, track) = start(&mut room, camera, remote);
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
    let remote: SocketAddr = "127.0.0.1:6000".parse().unwrap();
    let publisher = room.microphone.1;
    start(&mut room, publisher, remote);
    room.frames(20);
    room.world
        .command(Command::SetPublisherPaused {
            publisher,
            paused: true,
        })
        .unwrap();
    room.world.run(Duration::from_millis(20));
    let before = room.world.recorded.len();
    room.frames(20);
    let rtp = |room: &Room, from: usize| -> Vec<Rtp> {
        let recorded = &room.world.recorded[from..];
        recorded
            .iter()
            .filter(|(_, to, _)| *to == remote)
            .map(|(_, _, bytes)| parse(bytes))
            .collect()
    };
    assert_eq!(rtp(&room, before).len(), 0);
    room.world
        .command(Command::SetPublisherPaused {
            publisher,
            paused: false,
        })
        .unwrap();
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

/// Only a recording transport records, and only publishers of its router.
#[test]
fn misuse() {
    let mut room = Room::new(82);
    let remote: SocketAddr = "127.0.0.1:6000".parse().unwrap();
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
    let transport = TransportId(room.world.handle());
    room.world
        .command(Command::CreateRecordingTransport {
            router,
            transport,
            remote,
        })
        .unwrap();
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
