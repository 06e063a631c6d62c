//! A room on several media threads: tracks cross once, with everything that belongs to them.

mod common;

use std::time::Duration;

use common::{assert_continuous, audio, closed, video};
use headwater_core::command::Command;
use headwater_core::error::Error;
use headwater_core::event::{CloseReason, Event, Reply};
use headwater_core::ids::{
    DataPublisherId, DataSubscriberId, ObjectId, PublisherId, SubscriberId, TransportId,
};
use headwater_core::layer::Preferences;
use headwater_core::relay::RelayMessage;
use headwater_sim::Threads;
use str0m::channel::{ChannelConfig, Reliability};
use str0m::media::{MediaKind, Mid};

/// A client on one thread that publishes a camera, a microphone and a channel.
struct Studio {
    thread: usize,
    peer: usize,
    transport: TransportId,
    camera: (Mid, PublisherId),
    microphone: (Mid, PublisherId),
    frames: u64,
}

fn chat() -> ChannelConfig {
    ChannelConfig {
        label: "chat".to_owned(),
        ordered: false,
        reliability: Reliability::MaxRetransmits { retransmits: 3 },
        ..ChannelConfig::default()
    }
}

impl Studio {
    fn new(threads: &mut Threads, thread: usize) -> Self {
        let tracks = [
            (MediaKind::Video, "camera"),
            (MediaKind::Audio, "microphone"),
        ];
        let router = threads.routers[thread];
        let (peer, transport, published) =
            threads.worlds[thread].publish(router, &tracks, &[chat()]);
        threads.align();
        Self {
            thread,
            peer,
            transport,
            camera: published[0],
            microphone: published[1],
            frames: 0,
        }
    }

    /// One frame of three packets; a key frame when the server asked for one.
    fn frame(&mut self, threads: &mut Threads) {
        let world = &mut threads.worlds[self.thread];
        let peer = &mut world.peers[self.peer];
        let asked = peer.key_frame_requests.drain(..).count();
        let key = asked > 0 || self.frames == 0;
        self.frames += 1;
        peer.send_video(world.now, self.camera.0, key, 3, 600);
        peer.send_audio(world.now, self.microphone.0);
    }

    fn frames(&mut self, threads: &mut Threads, count: usize) {
        for _ in 0..count {
            self.frame(threads);
            threads.run(Duration::from_millis(40));
        }
    }
}

fn relayed(threads: &Threads, thread: usize) -> u64 {
    threads.worlds[thread].counter("relayed_tracks")
}

/// Two people on two threads see and hear each other.
#[test]
fn media_flows_both_ways() {
    let mut threads = Threads::new(1, 2);
    let mut alice = Studio::new(&mut threads, 0);
    let mut bob = Studio::new(&mut threads, 1);
    let (at_bob, _, _) = threads.subscribe(1, &[alice.camera.1, alice.microphone.1]);
    let (at_alice, _, _) = threads.subscribe(0, &[bob.camera.1, bob.microphone.1]);
    for _ in 0..50 {
        alice.frame(&mut threads);
        bob.frame(&mut threads);
        threads.run(Duration::from_millis(40));
    }
    for (thread, peer) in [(1, at_bob), (0, at_alice)] {
        let received = &threads.worlds[thread].peers[peer].received;
        let packets = video(received);
        assert_continuous(&packets);
        assert!(packets.len() > 140, "{} video packets", packets.len());
        assert!(audio(received).len() > 45);
    }
    for world in &mut threads.worlds {
        let told = world.take_events(|event| match event {
            Event::PublisherActive { publisher, .. } => Some(publisher.thread()),
            _ => None,
        });
        assert_eq!(told.len(), 2, "each thread tells of its own two publishers");
        assert!(told.iter().all(|thread| *thread == told[0]));
        assert_eq!(world.counter("publishers"), 2);
        assert_eq!(world.counter("relayed_tracks"), 2);
    }
}

/// However many take a track on the other thread, each packet crosses once.
#[test]
fn each_packet_crosses_once_per_thread() {
    let mut threads = Threads::new(2, 3);
    let mut alice = Studio::new(&mut threads, 0);
    let camera = [alice.camera.1];
    let places = [1, 1, 1, 1, 1, 2];
    let peers = places.map(|thread| threads.subscribe(thread, &camera).0);
    alice.frames(&mut threads, 30);
    for (thread, peer) in places.into_iter().zip(peers) {
        let packets = video(&threads.worlds[thread].peers[peer].received);
        assert_continuous(&packets);
        assert!(packets.len() > 80, "{} packets", packets.len());
    }
    assert_eq!(threads.worlds[0].counter("relayed_out"), 2 * 90);
    assert_eq!(threads.worlds[1].counter("relayed_in"), 90);
    assert_eq!(threads.worlds[2].counter("relayed_in"), 90);
}

/// A viewer's request crosses, and many viewers' requests cost the client one.
#[test]
fn key_frame_requests_cross() {
    let mut threads = Threads::new(3, 2);
    let mut alice = Studio::new(&mut threads, 0);
    let peers: Vec<_> = (0..4)
        .map(|_| threads.subscribe(1, &[alice.camera.1]).0)
        .collect();
    alice.frames(&mut threads, 30);
    threads.worlds[0].peers[alice.peer]
        .key_frame_requests
        .clear();
    for peer in peers {
        let peer = &mut threads.worlds[1].peers[peer];
        let mid = peer.received[0].mid;
        peer.request_key_frame(mid);
    }
    threads.run(Duration::from_millis(100));
    let asked = &threads.worlds[0].peers[alice.peer].key_frame_requests;
    assert_eq!(asked.len(), 1, "coalesced");
}

/// A pause at the publisher silences the other thread; resuming starts at a key frame.
#[test]
fn pauses_cross() {
    let mut threads = Threads::new(4, 2);
    let mut alice = Studio::new(&mut threads, 0);
    let (bob, _, _) = threads.subscribe(1, &[alice.camera.1]);
    alice.frames(&mut threads, 20);
    let publisher = alice.camera.1;
    let pause = |threads: &mut Threads, paused| {
        threads
            .command(0, Command::SetPublisherPaused { publisher, paused })
            .unwrap();
        threads.run(Duration::from_millis(20));
    };
    pause(&mut threads, true);
    let before = threads.worlds[1].peers[bob].received.len();
    let crossed = threads.worlds[0].counter("relayed_out");
    alice.frames(&mut threads, 20);
    assert_eq!(threads.worlds[1].peers[bob].received.len(), before);
    assert_eq!(threads.worlds[0].counter("relayed_out"), crossed);
    // Who comes in the pause finds a paused track.
    let (carol, _, _) = threads.subscribe(1, &[publisher]);
    pause(&mut threads, false);
    alice.frames(&mut threads, 20);
    let packets = video(&threads.worlds[1].peers[bob].received);
    assert!(packets.len() > before + 50, "flows again");
    assert_continuous(&packets);
    assert_continuous(&video(&threads.worlds[1].peers[carol].received));
    let told: Vec<_> = (0..2)
        .map(|thread| {
            let paused = |event: &Event| matches!(event, Event::Paused { .. }).then_some(());
            threads.worlds[thread].take_events(paused).len()
        })
        .collect();
    assert_eq!(told, [2, 0], "the publisher's own thread tells, once");
}

/// Closing a publisher closes its subscribers on other threads, and nothing is left there.
#[test]
fn closes_cross() {
    let mut threads = Threads::new(5, 2);
    let mut alice = Studio::new(&mut threads, 0);
    let (_, _, subscribers) = threads.subscribe(1, &[alice.camera.1, alice.microphone.1]);
    alice.frames(&mut threads, 5);
    let publisher = alice.camera.1;
    threads
        .command(0, Command::ClosePublisher { publisher })
        .unwrap();
    let gone = (
        ObjectId::Subscriber(subscribers[0]),
        CloseReason::PublisherClosed,
    );
    assert_eq!(closed(&mut threads.worlds[1]), [gone]);
    assert_eq!(relayed(&threads, 1), 1);
    // The microphone goes with its session, even when that panics.
    let transport = alice.transport;
    threads
        .command(0, Command::InjectPanic { transport })
        .unwrap();
    threads.run(Duration::from_millis(5));
    let gone = (
        ObjectId::Subscriber(subscribers[1]),
        CloseReason::PublisherClosed,
    );
    assert_eq!(closed(&mut threads.worlds[1]), [gone]);
    assert_eq!(relayed(&threads, 1), 0);
}

/// A relay lives as long as somebody takes the track: 200 comings and goings leave nothing.
#[test]
fn a_relay_ends_with_its_last_taker() {
    let mut threads = Threads::new(6, 2);
    let mut alice = Studio::new(&mut threads, 0);
    alice.frames(&mut threads, 2);
    let router = threads.routers[1];
    let transport = threads.worlds[1].create_subscribe_transport(router);
    for cycle in 0..200 {
        let subscriber = SubscriberId(threads.worlds[1].handle());
        let items = vec![(subscriber, alice.camera.1)];
        threads
            .command(1, Command::Subscribe { transport, items })
            .unwrap();
        assert_eq!(relayed(&threads, 1), 1);
        alice.frame(&mut threads);
        threads.run(Duration::from_millis(1));
        threads
            .command(1, Command::RollbackOffer { transport })
            .unwrap();
        threads
            .command(1, Command::CloseSubscriber { subscriber })
            .unwrap();
        assert_eq!(relayed(&threads, 1), 0, "cycle {cycle}");
    }
    let crossed = threads.worlds[0].counter("relayed_out");
    assert!(crossed > 0);
    alice.frames(&mut threads, 10);
    assert_eq!(threads.worlds[0].counter("relayed_out"), crossed);
    // A transport that goes takes its relays along.
    threads.subscribe(1, &[alice.camera.1, alice.microphone.1]);
    assert_eq!(relayed(&threads, 1), 2);
    threads.command(1, Command::CloseRouter { router }).unwrap();
    threads.run(Duration::from_millis(1));
    assert_eq!(relayed(&threads, 1), 0);
    assert_eq!(threads.worlds[1].counter("subscribers"), 0);
}

/// A track of another room is refused like one that does not exist, and a failed command leaves
/// no relay behind.
#[test]
fn only_the_same_room_is_served() {
    let mut threads = Threads::new(7, 2);
    let stranger = threads.worlds[0].create_router();
    let tracks = [(MediaKind::Video, "camera")];
    let (_, _, published) = threads.worlds[0].publish(stranger, &tracks, &[]);
    let alice = Studio::new(&mut threads, 0);
    threads.align();
    let router = threads.routers[1];
    let transport = threads.worlds[1].create_subscribe_transport(router);
    let nobody = PublisherId(threads.worlds[0].handle());
    for other in [published[0].1, nobody] {
        let mut handle = || SubscriberId(threads.worlds[1].handle());
        let items = vec![(handle(), alice.camera.1), (handle(), other)];
        let failed = threads.command(1, Command::Subscribe { transport, items });
        let expected = Error::NotFound { what: "publisher" };
        assert_eq!(failed.unwrap_err(), expected);
        assert_eq!(relayed(&threads, 1), 0);
        assert_eq!(threads.worlds[1].counter("subscribers"), 0);
    }
}

/// While a command waits for another thread, those behind it wait too; when that thread does not
/// answer, all go on.
#[test]
fn commands_keep_their_order_and_do_not_wait_for_ever() {
    let mut threads = Threads::new(8, 2);
    let alice = Studio::new(&mut threads, 0);
    let router = threads.routers[1];
    let transport = threads.worlds[1].create_subscribe_transport(router);
    let subscriber = SubscriberId(threads.worlds[1].handle());
    let items = vec![(subscriber, alice.camera.1)];
    let subscribe = Command::Subscribe { transport, items };
    threads.stalled = true;
    let asked = threads.worlds[1].start(subscribe.clone());
    let close = threads.worlds[1].start(Command::CloseSubscriber { subscriber });
    assert!(threads.worlds[1].reply(asked).is_none());
    assert!(threads.worlds[1].reply(close).is_none());
    threads.run(Duration::from_millis(100));
    threads.stalled = false;
    threads.exchange();
    let world = &mut threads.worlds[1];
    assert!(matches!(world.reply(asked), Some(Ok(Reply::Offer { .. }))));
    assert!(matches!(world.reply(close), Some(Ok(Reply::Done))));
    threads
        .command(1, Command::RollbackOffer { transport })
        .unwrap();

    threads.stalled = true;
    let asked = threads.worlds[1].start(subscribe);
    threads.run(Duration::from_secs(3));
    let refused = threads.worlds[1].reply(asked);
    assert!(matches!(refused, Some(Err(Error::NotFound { .. }))));
    assert_eq!(threads.worlds[1].counter("relay_timeouts"), 1);
    // The answer comes after all: it is sent back.
    threads.stalled = false;
    threads.exchange();
    assert_eq!(relayed(&threads, 1), 0);
    assert_eq!(threads.worlds[0].counter("relayed_out"), 0);
}

/// A thread that has lost everything ends what it gave, and is given nothing any more.
#[test]
fn a_lost_thread_ends_its_relays() {
    let mut threads = Threads::new(9, 2);
    let mut alice = Studio::new(&mut threads, 0);
    let bob = Studio::new(&mut threads, 1);
    let (_, _, subscribers) = threads.subscribe(1, &[alice.camera.1]);
    threads.subscribe(0, &[bob.camera.1]);
    alice.frames(&mut threads, 3);
    threads.worlds[1].relay(0, RelayMessage::Reset);
    let gone = (
        ObjectId::Subscriber(subscribers[0]),
        CloseReason::PublisherClosed,
    );
    assert_eq!(closed(&mut threads.worlds[1]), [gone]);
    assert_eq!(relayed(&threads, 1), 0);
    let mut bob = bob;
    bob.frame(&mut threads);
    threads.run(Duration::from_millis(20));
    assert_eq!(threads.worlds[1].counter("relayed_out"), 0);
}

/// Data channels cross with their label, order and reliability, whether they open before or
/// after somebody takes them; what the program sends crosses too.
#[test]
fn data_crosses() {
    let mut threads = Threads::new(10, 2);
    let alice = Studio::new(&mut threads, 0);
    let data_publisher = DataPublisherId(threads.worlds[0].handle());
    let transport = alice.transport;
    let label = "chat".to_owned();
    threads
        .command(
            0,
            Command::PublishData {
                transport,
                data_publisher,
                label,
                stream: None,
            },
        )
        .unwrap();
    let router = threads.routers[1];
    let (bob, watching, _) = threads.subscribe(1, &[alice.microphone.1]);
    let data_subscriber = DataSubscriberId(threads.worlds[1].handle());
    threads
        .command(
            1,
            Command::SubscribeData {
                transport: watching,
                data_subscriber,
                data_publisher,
                stream: None,
            },
        )
        .unwrap();
    threads.run(Duration::from_millis(300));
    threads.worlds[0].peers[alice.peer].send_message("chat", b"hello");
    let (binary, payload) = (true, b"from the program".to_vec());
    threads
        .command(
            0,
            Command::SendData {
                data_publisher,
                binary,
                payload,
            },
        )
        .unwrap();
    threads.run(Duration::from_millis(200));
    let world = &mut threads.worlds[1];
    let mut messages = world.peers[bob].messages.clone();
    messages.retain(|(label, _)| label == "chat");
    messages.sort();
    let texts: Vec<_> = messages.iter().map(|(_, text)| text.as_slice()).collect();
    assert_eq!(texts, [b"from the program".as_slice(), b"hello"]);
    let config = world.peers[bob].channel_config("chat").unwrap();
    assert!(!config.ordered);
    assert_eq!(
        config.reliability,
        Reliability::MaxRetransmits { retransmits: 3 }
    );
    threads
        .command(0, Command::CloseDataPublisher { data_publisher })
        .unwrap();
    let gone = (
        ObjectId::DataSubscriber(data_subscriber),
        CloseReason::PublisherClosed,
    );
    assert_eq!(closed(&mut threads.worlds[1]), [gone]);
    threads.command(1, Command::CloseRouter { router }).unwrap();
    assert_eq!(relayed(&threads, 1), 0);
}

/// What viewers on another thread have use for reaches the publisher: a small tile there stops the
/// large encodings, a viewer at home brings back what it wants, and so does one who comes there.
#[test]
fn wishes_cross() {
    let layers = [("low", 300, 320), ("mid", 600, 640), ("high", 1000, 1280)];
    let mut threads = Threads::new(11, 2);
    let router = threads.routers[0];
    let world = &mut threads.worlds[0];
    let transport = world.create_publish_transport(router);
    let alice = world.add_peer();
    let (sdp, mid) = world.peers[alice].offer_simulcast(&["low", "mid", "high"]);
    let sdp = common::answer_to(world, transport, sdp);
    world.peers[alice].accept_answer(&sdp);
    let publisher = common::publish(world, transport, mid);
    let seconds = |threads: &mut Threads, seconds: u32| {
        for frame in 0..seconds * 25 {
            let world = &mut threads.worlds[0];
            for (rid, size, width) in layers {
                let key = frame.is_multiple_of(25);
                world.peers[alice].send_layer(world.now, mid, rid, key, size, width);
            }
            threads.run(Duration::from_millis(40));
        }
        let told = threads.worlds[0].take_events(|event| match event {
            Event::LayersWanted { encodings, .. } => {
                Some(encodings.iter().filter(|(_, wanted)| *wanted).count())
            }
            _ => None,
        });
        let elsewhere = threads.worlds[1]
            .take_events(|event| matches!(event, Event::LayersWanted { .. }).then_some(()));
        assert_eq!(elsewhere, [], "the publisher's own thread tells");
        told
    };
    let (_, _, subscribers) = threads.subscribe(1, &[publisher]);
    assert_eq!(seconds(&mut threads, 5), []);
    let wish = |threads: &mut Threads, max_spatial| {
        let preferences = Preferences {
            max_spatial,
            ..Preferences::default()
        };
        let subscriber = subscribers[0];
        threads
            .command(
                1,
                Command::SetPreferences {
                    subscriber,
                    preferences,
                },
            )
            .unwrap();
    };
    wish(&mut threads, Some(0));
    assert_eq!(seconds(&mut threads, 4), [1]);
    wish(&mut threads, Some(1));
    assert_eq!(seconds(&mut threads, 1), [2]);
    wish(&mut threads, Some(0));
    assert_eq!(seconds(&mut threads, 4), [1]);
    // One at home wants all, and goes again.
    let (_, watching, _) = threads.subscribe(0, &[publisher]);
    assert_eq!(seconds(&mut threads, 1), [3]);
    let close = Command::CloseTransport {
        transport: watching,
    };
    threads.command(0, close).unwrap();
    assert_eq!(seconds(&mut threads, 4), [1]);
    threads.subscribe(1, &[publisher]);
    assert_eq!(seconds(&mut threads, 1), [3]);
}
