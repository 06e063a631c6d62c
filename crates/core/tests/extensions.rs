//! RTP header extensions: what a publisher says about its media reaches subscribers, each under
//! the ids of its own connection; what belongs to a connection is made anew.

mod common;

use std::time::{Duration, SystemTime};

use headwater_core::ids::PublisherId;
use headwater_sim::{Received, World, descriptor};
use str0m::RtcConfig;
use str0m::format::Codec;
use str0m::media::{MediaKind, MediaTime, Mid};
use str0m::rtp::{AbsCaptureTime, Extension, ExtensionMap, ExtensionValues, VideoOrientation};

/// A client that numbers its extensions from one upwards, the descriptor last.
fn upwards(config: RtcConfig) -> RtcConfig {
    config.set_extension_map(numbered(|place| place + 1))
}

/// A client that numbers them the other way round. No id means the same on both.
fn downwards(config: RtcConfig) -> RtcConfig {
    config.set_extension_map(numbered(|place| 14 - place))
}

fn numbered(id: impl Fn(u8) -> u8) -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    let all = [
        Extension::AudioLevel,
        Extension::AbsoluteSendTime,
        Extension::TransportSequenceNumber,
        Extension::RtpMid,
        Extension::PlayoutDelay,
        Extension::AbsoluteCaptureTime,
        Extension::VideoOrientation,
        descriptor::extension(),
    ];
    for (place, extension) in (0..).zip(all) {
        map.set(id(place), extension);
    }
    map
}

/// Alice publishes a microphone and a camera; Bob, with other ids, watches both.
struct Call {
    world: World,
    alice: usize,
    bob: usize,
    microphone: Mid,
    camera: Mid,
    voice: PublisherId,
}

impl Call {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let router = world.create_router();
        let publishing = world.create_publish_transport(router);
        let alice = world.add_peer_with(upwards);
        let tracks = [
            (MediaKind::Audio, "microphone"),
            (MediaKind::Video, "camera"),
        ];
        let (sdp, mids) = world.peers[alice].offer(&tracks, &[]);
        let sdp = common::answer_to(&mut world, publishing, sdp);
        world.peers[alice].accept_answer(&sdp);
        let publishers: Vec<_> = mids
            .iter()
            .map(|mid| common::publish(&mut world, publishing, *mid))
            .collect();
        let watching = world.create_subscribe_transport(router);
        let bob = world.add_peer_with(downwards);
        world.subscribe_more(bob, watching, &publishers);
        let connected = world.run_until(Duration::from_secs(5), |world| {
            world.peers[alice].connected && world.peers[bob].connected
        });
        assert!(connected);
        Self {
            world,
            alice,
            bob,
            microphone: mids[0],
            camera: mids[1],
            voice: publishers[0],
        }
    }

    /// Sends one packet of 20 ms; returns it as Bob got it.
    fn send(&mut self, codec: Codec, payload: Vec<u8>, extensions: ExtensionValues) -> Received {
        let (mid, step) = match codec {
            Codec::Opus => (self.microphone, 960),
            _ => (self.camera, 3000),
        };
        let before = self.world.peers[self.bob].received.len();
        let now = self.world.now;
        let alice = &mut self.world.peers[self.alice];
        let payload_type = alice.payload_type(mid, codec).expect("it was negotiated");
        alice.send_extended(now, mid, payload_type, step, payload, extensions);
        self.world.run(Duration::from_millis(20));
        let received = &self.world.peers[self.bob].received[before..];
        assert_eq!(received.len(), 1, "one packet in, one packet out");
        received[0].clone()
    }

    fn pause(&mut self, paused: bool) {
        common::pause_publisher(&mut self.world, self.voice, paused);
    }

    fn send_video(&mut self, extensions: ExtensionValues) -> Received {
        let frame = [
            0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00, 7, 7, 7,
        ];
        self.send(Codec::Vp8, frame.to_vec(), extensions)
    }
}

/// Audio level and voice activity, packet by packet.
#[test]
fn audio_level_and_voice() {
    let mut call = Call::new(110);
    for (level, voice) in [(-30, true), (-127, false), (0, true)] {
        let sent = ExtensionValues {
            audio_level: Some(level),
            voice_activity: Some(voice),
            ..ExtensionValues::default()
        };
        let got = call.send(Codec::Opus, vec![1; 50], sent).extensions;
        assert_eq!(got.audio_level, Some(level));
        assert_eq!(got.voice_activity, Some(voice));
    }
}

/// Orientation, playout delay and capture time come as they were sent, and only then.
#[test]
fn orientation_delay_and_capture_time() {
    let mut call = Call::new(111);
    let captured = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let sent = ExtensionValues {
        video_orientation: Some(VideoOrientation::Deg90),
        play_delay_min: Some(MediaTime::from_millis(20)),
        play_delay_max: Some(MediaTime::from_millis(400)),
        abs_capture_time: Some(AbsCaptureTime {
            capture_time: captured,
            clock_offset: None,
        }),
        ..ExtensionValues::default()
    };
    let got = call.send_video(sent).extensions;
    assert_eq!(got.video_orientation, Some(VideoOrientation::Deg90));
    let millis = |time: Option<MediaTime>| time.map(|time| Duration::from(time).as_millis());
    assert_eq!(millis(got.play_delay_min), Some(20));
    assert_eq!(millis(got.play_delay_max), Some(400));
    let arrived = got.abs_capture_time.expect("a capture time").capture_time;
    let error = arrived
        .duration_since(captured)
        .unwrap_or_else(|early| early.duration());
    assert!(error < Duration::from_millis(1), "off by {error:?}");
    let got = call.send_video(ExtensionValues::default()).extensions;
    assert_eq!(got.video_orientation, None);
    assert_eq!(got.play_delay_max, None);
    assert!(got.abs_capture_time.is_none());
}

/// A dependency descriptor travels byte for byte, the long one of a key frame in the two-byte
/// form (RFC 8285 section 4.3) and the short one after it.
#[test]
fn dependency_descriptor() {
    let mut call = Call::new(112);
    for length in [40, 3, 16, 17] {
        let bytes: Vec<u8> = (0..length).collect();
        let mut sent = ExtensionValues::default();
        descriptor::set(&mut sent, &bytes);
        let got = call.send_video(sent).extensions;
        assert_eq!(descriptor::get(&got), Some(&bytes[..]));
    }
}

/// The mid is the subscriber's own m-line, transport-cc counts the packets of its connection and
/// the send time is the server's: none of them is the publisher's.
#[test]
fn what_belongs_to_a_connection_is_new() {
    let mut call = Call::new(113);
    let none = ExtensionValues::default;
    let first = call.send(Codec::Opus, vec![1; 50], none());
    call.pause(true);
    let now = call.world.now;
    let (alice, microphone) = (call.alice, call.microphone);
    for _ in 0..20 {
        call.world.peers[alice].send_audio(now, microphone); // on Alice's connection only
    }
    call.world.run(Duration::from_millis(20));
    call.pause(false);
    let second = call.send_video(none());
    for got in [&first, &second] {
        assert_eq!(got.extensions.mid, Some(got.mid), "the mid of Bob's m-line");
    }
    let count = |got: &Received| got.extensions.transport_cc.expect("transport-cc");
    assert_eq!(count(&second), count(&first) + 1);
    let time = |got: &Received| got.extensions.abs_send_time.expect("a send time");
    let apart = time(&second) - time(&first);
    assert!(apart >= Duration::from_millis(30), "{apart:?}");
}
