//! Messages published on one client's data channel reach all who subscribed to it.

mod common;

use std::time::Duration;

use common::closed;
use headwater_core::command::{Command, StatsTarget};
use headwater_core::error::Error;
use headwater_core::event::{CloseReason, Event, Reply, StatValue};
use headwater_core::ids::{DataPublisherId, DataSubscriberId, ObjectId, RouterId, TransportId};
use headwater_sim::World;
use str0m::channel::{ChannelConfig, Reliability};
use str0m::media::MediaKind;

fn chat() -> ChannelConfig {
    ChannelConfig {
        label: "chat".to_owned(),
        ..ChannelConfig::default()
    }
}

fn lossy() -> ChannelConfig {
    ChannelConfig {
        label: "cursor".to_owned(),
        ordered: false,
        reliability: Reliability::MaxRetransmits { retransmits: 0 },
        ..ChannelConfig::default()
    }
}

fn second() -> Duration {
    Duration::from_secs(1)
}

struct Data {
    world: World,
    router: RouterId,
    alice: usize,
    publishing: TransportId,
}

impl Data {
    fn new(channels: &[ChannelConfig]) -> Self {
        let mut world = World::new(20);
        let router = world.create_router();
        let (alice, publishing, _) =
            world.publish(router, &[(MediaKind::Audio, "voice")], channels);
        world.run(second());
        Self {
            world,
            router,
            alice,
            publishing,
        }
    }

    fn publish(&mut self, label: &str) -> DataPublisherId {
        let id = DataPublisherId(self.world.handle());
        let (transport, label) = (self.publishing, label.to_owned());
        let command = Command::PublishData {
            transport,
            data_publisher: id,
            label,
            stream: None,
        };
        self.world.command(command).unwrap();
        id
    }

    /// A client with a subscribe transport that takes this data publisher.
    fn subscribe(
        &mut self,
        data_publisher: DataPublisherId,
    ) -> (usize, TransportId, DataSubscriberId) {
        let transport = self.world.create_subscribe_transport(self.router);
        let peer = self.world.add_peer();
        let data_subscriber = DataSubscriberId(self.world.handle());
        let command = Command::SubscribeData {
            transport,
            data_subscriber,
            data_publisher,
            stream: None,
        };
        let Ok(Reply::Offer { sdp, .. }) = self.world.command(command) else {
            panic!("the first subscription needs an offer")
        };
        let sdp = self.world.peers[peer].answer(&sdp);
        self.world
            .command(Command::AcceptAnswer { transport, sdp })
            .unwrap();
        self.world.run(second());
        (peer, transport, data_subscriber)
    }
}

/// Messages of two channels arrive at two subscribers, with label, order and reliability kept.
#[test]
fn messages_fan_out() {
    let mut data = Data::new(&[chat(), lossy()]);
    let (chat, cursor) = (data.publish("chat"), data.publish("cursor"));
    let (bob, transport, _) = data.subscribe(chat);
    let (carol, _, _) = data.subscribe(chat);
    let data_subscriber = DataSubscriberId(data.world.handle());
    let command = Command::SubscribeData {
        transport,
        data_subscriber,
        data_publisher: cursor,
        stream: None,
    };
    assert!(
        matches!(data.world.command(command), Ok(Reply::Done)),
        "in-band, no new offer"
    );
    data.world.run(second());
    for n in 0..10u8 {
        assert!(data.world.peers[data.alice].send_message("chat", &[n]));
        assert!(data.world.peers[data.alice].send_message("cursor", &[n; 2]));
        data.world.run(Duration::from_millis(20));
    }
    data.world.run(second());
    let of = |peer: usize, label: &str| -> Vec<Vec<u8>> {
        let messages = &data.world.peers[peer].messages;
        messages
            .iter()
            .filter(|(l, _)| l == label)
            .map(|(_, payload)| payload.clone())
            .collect()
    };
    let expected: Vec<Vec<u8>> = (0..10).map(|n| vec![n]).collect();
    assert_eq!(of(bob, "chat"), expected);
    assert_eq!(of(carol, "chat"), expected);
    assert_eq!(of(bob, "cursor").len(), 10);
    assert_eq!(of(carol, "cursor"), Vec::<Vec<u8>>::new());
    let config = data.world.peers[bob].channel_config("cursor").unwrap();
    assert!(!config.ordered);
    assert_eq!(
        config.reliability,
        Reliability::MaxRetransmits { retransmits: 0 }
    );
    let config = data.world.peers[bob].channel_config("chat").unwrap();
    assert!(config.ordered);
    assert_eq!(config.reliability, Reliability::Reliable);
}

/// The core tells when a client opens a channel; a label published before that works too.
#[test]
fn published_before_it_opens() {
    let mut world = World::new(21);
    let router = world.create_router();
    let transport = world.create_publish_transport(router);
    let data_publisher = DataPublisherId(world.handle());
    let label = "chat".to_owned();
    world
        .command(Command::PublishData {
            transport,
            data_publisher,
            label: label.clone(),
            stream: None,
        })
        .unwrap();
    let again = DataPublisherId(world.handle());
    let twice = world.command(Command::PublishData {
        transport,
        data_publisher: again,
        label,
        stream: None,
    });
    assert!(matches!(twice, Err(Error::DataChannelNotFound(_))));
    let mut data = Data {
        world,
        router,
        alice: 0,
        publishing: transport,
    };
    let (bob, _, _) = data.subscribe(data_publisher);
    assert_eq!(
        data.world.peers[bob].channels.len(),
        1,
        "nothing to open yet"
    );
    let alice = data.world.add_peer();
    let (sdp, _) = data.world.peers[alice].offer(&[], &[chat()]);
    let reply = data.world.command(Command::AcceptOffer { transport, sdp });
    let Ok(Reply::Answer { sdp, .. }) = reply else {
        panic!("{reply:?}")
    };
    data.world.peers[alice].accept_answer(&sdp);
    data.world.run(second());
    let opened = data.world.take_events(|event| match event {
        Event::DataChannelOpened { label, ordered, .. } => Some((label.clone(), *ordered)),
        _ => None,
    });
    assert_eq!(opened, [("chat".to_owned(), true)]);
    assert!(data.world.peers[alice].send_message("chat", b"hello"));
    data.world.run(second());
    assert_eq!(
        data.world.peers[bob].messages,
        [("chat".to_owned(), b"hello".to_vec())]
    );
}

/// A tap copies messages to the server; the server can send to all subscribers.
#[test]
fn tap_and_send() {
    let mut data = Data::new(&[chat()]);
    let id = data.publish("chat");
    let (bob, _, _) = data.subscribe(id);
    data.world
        .command(Command::SetDataTap {
            data_publisher: id,
            tapped: true,
        })
        .unwrap();
    data.world.peers[data.alice].send_message("chat", b"up");
    let payload = b"down".to_vec();
    data.world
        .command(Command::SendData {
            data_publisher: id,
            binary: true,
            payload,
        })
        .unwrap();
    data.world.run(second());
    let tapped = data.world.take_events(|event| match event {
        Event::DataMessage {
            payload, binary, ..
        } => Some((payload.clone(), *binary)),
        _ => None,
    });
    assert_eq!(tapped, [(b"up".to_vec(), true)]);
    let mut got: Vec<_> = data.world.peers[bob]
        .messages
        .iter()
        .map(|(_, m)| m.clone())
        .collect();
    got.sort();
    assert_eq!(got, [b"down".to_vec(), b"up".to_vec()]);
    let payload = vec![0; 256 * 1024 + 1];
    let large = data.world.command(Command::SendData {
        data_publisher: id,
        binary: true,
        payload,
    });
    assert!(matches!(large, Err(Error::Limit { .. })));
}

/// A receiver that does not drain costs at most the channel's buffer; the rest is counted.
#[test]
fn a_full_channel_drops() {
    let mut data = Data::new(&[chat()]);
    let id = data.publish("chat");
    let (_, _, subscriber) = data.subscribe(id);
    for _ in 0..100 {
        let payload = vec![7; 64 * 1024];
        data.world
            .command(Command::SendData {
                data_publisher: id,
                binary: true,
                payload,
            })
            .unwrap();
    }
    let target = StatsTarget::DataSubscriber(subscriber);
    let Ok(Reply::Stats(stats)) = data.world.command(Command::GetStats { target }) else {
        panic!()
    };
    let value = |name| match stats.iter().find(|(known, _)| *known == name) {
        Some((_, StatValue::Int(n))) => *n,
        _ => panic!("{name}"),
    };
    assert_eq!(value("messages") + value("dropped"), 100);
    assert!(
        (14..=30).contains(&value("messages")),
        "{} messages",
        value("messages")
    );
}

/// Closing is told once, in both directions.
#[test]
fn closing() {
    let mut data = Data::new(&[chat()]);
    let id = data.publish("chat");
    let (bob, transport, subscriber) = data.subscribe(id);
    data.world
        .command(Command::CloseDataSubscriber {
            data_subscriber: subscriber,
        })
        .unwrap();
    data.world.run(second());
    assert!(
        data.world.peers[bob]
            .channels
            .iter()
            .all(|(_, label)| label != "chat")
    );
    let again = DataSubscriberId(data.world.handle());
    let command = Command::SubscribeData {
        transport,
        data_subscriber: again,
        data_publisher: id,
        stream: None,
    };
    data.world.command(command).unwrap();
    data.world.run(second());
    data.world.peers[data.alice].close_channel("chat");
    data.world.run(second());
    assert_eq!(
        closed(&mut data.world),
        [
            (ObjectId::DataSubscriber(subscriber), CloseReason::Requested),
            (
                ObjectId::DataSubscriber(again),
                CloseReason::PublisherClosed
            ),
            (ObjectId::DataPublisher(id), CloseReason::RemoteEnded),
        ]
    );
}

/// The client has its channel open before we hear of it: nothing may be lost in between.
#[test]
fn messages_wait_while_the_channel_opens() {
    let mut data = Data::new(&[chat()]);
    let publisher = data.publish("chat");
    let transport = data.world.create_subscribe_transport(data.router);
    let bob = data.world.add_peer();
    let subscriber = DataSubscriberId(data.world.handle());
    let command = Command::SubscribeData {
        transport,
        data_subscriber: subscriber,
        data_publisher: publisher,
        stream: None,
    };
    let Ok(Reply::Offer { sdp, .. }) = data.world.command(command) else {
        panic!("the first subscription needs an offer")
    };
    let sdp = data.world.peers[bob].answer(&sdp);
    let answer = Command::AcceptAnswer { transport, sdp };
    data.world.command(answer).unwrap();
    for number in 0..3_u8 {
        let command = Command::SendData {
            data_publisher: publisher,
            binary: true,
            payload: vec![number],
        };
        data.world.command(command).unwrap();
    }
    data.world.run(second());
    let expected: Vec<_> = (0..3_u8).map(|n| ("chat".to_owned(), vec![n])).collect();
    assert_eq!(data.world.peers[bob].messages, expected);
}

/// What waits is bounded like what is buffered.
#[test]
fn waiting_messages_are_bounded() {
    let mut data = Data::new(&[chat()]);
    let publisher = data.publish("chat");
    let transport = data.world.create_subscribe_transport(data.router);
    let subscriber = DataSubscriberId(data.world.handle());
    let command = Command::SubscribeData {
        transport,
        data_subscriber: subscriber,
        data_publisher: publisher,
        stream: None,
    };
    data.world.command(command).unwrap();
    for _ in 0..6 {
        let command = Command::SendData {
            data_publisher: publisher,
            binary: true,
            payload: vec![0; 256 * 1024],
        };
        data.world.command(command).unwrap();
    }
    assert_eq!(data.world.counter("drop_messages"), 2);
}
