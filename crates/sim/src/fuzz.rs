//! Fuzz harnesses: one function per target, used by `cargo fuzz`, by the corpus replay and by the
//! seeded mutation run of the test suite.
//!
//! Each must return normally for any input. A panic that the core contains in a session counts as
//! a failure too.

use std::net::SocketAddr;
use std::time::Duration;

use headwater_core::command::Command;
use headwater_core::event::{CloseReason, Event, Reply};
use headwater_core::ids::{
    DataPublisherId, DataSubscriberId, PublisherId, RecordingTrackId, RouterId, TransportId,
};
use str0m::RtcConfig;
use str0m::channel::ChannelConfig;
use str0m::format::Codec;
use str0m::media::{MediaKind, Mid};
use str0m::rtp::ExtensionValues;

use crate::Link;
use crate::descriptor;
use crate::{Peer, World};

mod feedback;
mod wire;

pub use feedback::feedback;
pub use wire::{descriptors, history, parameters, rtcp, srtp, switches};

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
    let transport = world.create_publish_transport(router);
    let _ = world.command(Command::AcceptOffer {
        transport,
        sdp: text.clone(),
    });
    let transport = world.create_subscribe_transport(router);
    let _ = world.command(Command::AcceptOffer {
        transport,
        sdp: text.clone(),
    });
    let transport = world.create_subscribe_transport(router);
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

/// What an authenticated client may send: any bytes as the payload of any codec it negotiated, as
/// a dependency descriptor and as a data channel message. All of it is forwarded to a client with
/// the same codecs, to one that has each codec in its plainest form, and to a recorder.
///
/// The input is a list of records: one byte says what and how (see [`RETRANSMITTED`], [`KINDS`]),
/// one how long (times 8), then the bytes.
pub fn payloads(data: &[u8]) {
    let mut call = Call::new();
    let mut rest = data;
    while let [how, length, tail @ ..] = rest {
        let (bytes, after) = tail.split_at(tail.len().min(usize::from(*length) * 8));
        rest = after;
        call.send(*how, bytes);
    }
    call.world.run(Duration::from_millis(200));
    assert_contained(&call.world);
}

/// One client that publishes, two that watch, a recorder.
struct Call {
    world: World,
    alice: usize,
    camera: Mid,
    microphone: Mid,
}

impl Call {
    fn new() -> Self {
        let mut world = World::new(4);
        let router = world.create_router();
        let publishing = world.create_publish_transport(router);
        let alice = world.add_peer_with(|config| every_codec(config, true));
        let tracks = [
            (MediaKind::Video, "camera"),
            (MediaKind::Audio, "microphone"),
        ];
        let chat = ChannelConfig {
            label: CHAT.to_owned(),
            ..ChannelConfig::default()
        };
        let (sdp, mids) = world.peers[alice].offer(&tracks, &[chat]);
        let offer = Command::AcceptOffer {
            transport: publishing,
            sdp,
        };
        let Ok(Reply::Answer { sdp, .. }) = world.command(offer) else {
            panic!("an offer is answered")
        };
        world.peers[alice].accept_answer(&sdp);
        let publishers: Vec<_> = mids
            .iter()
            .map(|mid| {
                let publisher = PublisherId(world.handle());
                let command = Command::Publish {
                    transport: publishing,
                    publisher,
                    mid: mid.to_string(),
                };
                world.command(command).expect("the track was offered");
                publisher
            })
            .collect();
        for red in [true, false] {
            let watching = world.create_subscribe_transport(router);
            let peer = world.add_peer_with(|config| every_codec(config, red));
            world.subscribe_more(peer, watching, &publishers);
            subscribe_chat(&mut world, publishing, watching);
        }
        record(&mut world, router, &publishers);
        let limit = Duration::from_secs(5);
        let up = |world: &World| world.peers.iter().all(|peer| peer.connected);
        assert!(world.run_until(limit, up), "everybody connects");
        let open = |world: &World| !world.peers[alice].channels.is_empty();
        assert!(world.run_until(limit, open), "the channel opens");
        Self {
            world,
            alice,
            camera: mids[0],
            microphone: mids[1],
        }
    }

    fn send(&mut self, how: u8, bytes: &[u8]) {
        let (now, camera) = (self.world.now, self.camera);
        let address = self.world.peers[self.alice].address;
        let lost = how & RETRANSMITTED != 0;
        if lost {
            self.world.network.set_link(address, Link::lossy(1.0));
        }
        let alice = &mut self.world.peers[self.alice];
        match KINDS[usize::from(how) % KINDS.len()] {
            Kind::Video(codec) => {
                send(
                    alice,
                    now,
                    camera,
                    alice.payload_type(camera, codec),
                    bytes,
                    None,
                );
            }
            Kind::Audio { red } => {
                let payload_type = if red {
                    alice.red_payload_type(self.microphone)
                } else {
                    alice.payload_type(self.microphone, Codec::Opus)
                };
                send(alice, now, self.microphone, payload_type, bytes, None);
            }
            Kind::Descriptor => {
                let payload_type = alice.payload_type(camera, Codec::Av1);
                send(alice, now, camera, payload_type, &AV1_START, Some(bytes));
            }
            Kind::Message => {
                alice.send_message(CHAT, bytes);
            }
        }
        self.world.run(Duration::from_millis(2));
        if lost {
            self.world.network.set_link(address, Link::default());
        }
        if how & AWAITED != 0 {
            self.world.run(Duration::from_millis(60));
        }
    }
}

fn send(
    peer: &mut Peer,
    now: std::time::Instant,
    mid: Mid,
    payload_type: Option<u8>,
    payload: &[u8],
    descriptor: Option<&[u8]>,
) {
    let mut extensions = ExtensionValues::default();
    if let Some(bytes) = descriptor {
        descriptor::set(&mut extensions, bytes);
    }
    let payload = payload[..payload.len().min(MOST)].to_vec();
    let payload_type = payload_type.expect("every codec was negotiated");
    peer.send_extended(now, mid, payload_type, 960, payload, extensions);
}

fn every_codec(config: RtcConfig, red: bool) -> RtcConfig {
    config
        .clear_codecs()
        .enable_opus(true, red)
        .enable_vp8(true)
        .enable_vp9(true)
        .enable_av1(true)
        .enable_h264(true)
        .set_extension_map(descriptor::map())
}

fn subscribe_chat(world: &mut World, publishing: TransportId, watching: TransportId) {
    let data_publisher = DataPublisherId(world.handle());
    let data_subscriber = DataSubscriberId(world.handle());
    // The second watcher's goes to the same label, which is taken by then: an error, and fine.
    let _ = world.command(Command::PublishData {
        transport: publishing,
        data_publisher,
        label: CHAT.to_owned(),
        stream: None,
    });
    let _ = world.command(Command::SetDataTap {
        data_publisher,
        tapped: true,
    });
    let _ = world.command(Command::SubscribeData {
        transport: watching,
        data_subscriber,
        data_publisher,
        stream: None,
    });
}

fn record(world: &mut World, router: RouterId, publishers: &[PublisherId]) {
    let transport = TransportId(world.handle());
    let remote = SocketAddr::from(([192, 0, 2, 1], 5004));
    let command = Command::CreateRecordingTransport {
        router,
        transport,
        remote,
    };
    world.command(command).expect("a transport opens");
    for publisher in publishers {
        let track = RecordingTrackId(world.handle());
        let command = Command::StartRecording {
            transport,
            track,
            publisher: *publisher,
            remote,
        };
        world.command(command).expect("the publisher exists");
    }
}

/// What a record of [`payloads`] is.
#[derive(Clone, Copy)]
enum Kind {
    Video(Codec),
    Audio { red: bool },
    Descriptor,
    Message,
}

/// By the low three bits of a record's first byte.
const KINDS: [Kind; 8] = [
    Kind::Video(Codec::Vp8),
    Kind::Video(Codec::Vp9),
    Kind::Video(Codec::Av1),
    Kind::Video(Codec::H264),
    Kind::Audio { red: false },
    Kind::Audio { red: true },
    Kind::Descriptor,
    Kind::Message,
];
/// Lost on its first way: the server asks for it again and gets it as RTX.
const RETRANSMITTED: u8 = 0x80;
/// Time passes after it, so that feedback goes to and fro.
const AWAITED: u8 = 0x40;
/// Payload bytes of one packet at most; more does not fit the client's own buffers.
const MOST: usize = 1_400;
/// An AV1 aggregation header that begins a coded video sequence, and a temporal delimiter.
const AV1_START: [u8; 3] = [0x18, 0x12, 0x00];
const CHAT: &str = "chat";

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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the target sends arrives at watchers and recorder: straight, as RTX, and as messages.
    #[test]
    fn payloads_get_through() {
        let mut call = Call::new();
        let mut key_frame = [0; 32];
        key_frame[..11].copy_from_slice(&[0x10, 0x10, 0, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xb4, 0]);
        call.send(AWAITED, &key_frame);
        call.send(RETRANSMITTED, b"\0lost on its first way");
        call.send(AWAITED, b"\0behind it");
        call.send(AWAITED | 7, b"a message");
        let received = |bytes: &[u8]| {
            let has = |peer: &Peer| peer.received.iter().any(|p| p.payload == bytes);
            call.world.peers[1..]
                .iter()
                .filter(|peer| has(peer))
                .count()
        };
        assert_eq!(received(&key_frame), 2);
        assert_eq!(received(b"\0lost on its first way"), 2);
        assert_eq!(received(b"\0behind it"), 2);
        let message = (CHAT.to_owned(), b"a message".to_vec());
        assert!(call.world.peers[1].messages.contains(&message));
        assert!(!call.world.recorded.is_empty());
    }
}
