//! A closed subscriber's m-line is taken by the next one of its kind.

mod common;

use std::time::Duration;

use common::{Room, assert_continuous, video};
use headwater_core::command::{Command, StatsTarget};
use headwater_core::error::Error;
use headwater_core::event::{Event, Reply, StatValue};
use headwater_core::ids::{SubscriberId, TransportId};
use str0m::channel::ChannelConfig;

fn m_lines(sdp: &str) -> usize {
    sdp.lines()
        .filter(|line| line.starts_with("m=audio") || line.starts_with("m=video"))
        .count()
}

fn ssrcs(sdp: &str) -> Vec<&str> {
    sdp.lines()
        .filter_map(|line| line.strip_prefix("a=ssrc-group:FID "))
        .collect()
}

fn negotiation_needed(room: &mut Room) -> usize {
    let needed = |event: &Event| matches!(event, Event::NegotiationNeeded { .. }).then_some(());
    room.world.take_events(needed).len()
}

/// 200 subscribe/close cycles leave the m-line count at its maximum in parallel, each time with
/// a new SSRC, and media flows on the last one as on the first.
#[test]
fn two_hundred_cycles() {
    let mut room = Room::new(12);
    let (bob, transport, first) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(5);
    let mut subscriber = first[0];
    let mut seen = Vec::new();
    for cycle in 0..200 {
        room.world
            .command(Command::CloseSubscriber { subscriber })
            .unwrap();
        assert_eq!(negotiation_needed(&mut room), 1, "said once");
        subscriber = SubscriberId(room.world.handle());
        let items = vec![(subscriber, room.camera.1)];
        let reply = room
            .world
            .command(Command::Subscribe { transport, items })
            .unwrap();
        let Reply::Offer { sdp, mids } = reply else {
            panic!("an offer")
        };
        assert_eq!(m_lines(&sdp), 1, "cycle {cycle}");
        assert_eq!(mids.len(), 1);
        assert_eq!(mids[0].subscriber, subscriber);
        let track = format!(" t{:x}", subscriber.0);
        assert!(sdp.contains(&track), "the msid names the new subscriber");
        let pair: String = ssrcs(&sdp).join(" ");
        assert!(!pair.is_empty() && !seen.contains(&pair), "a new SSRC");
        seen.push(pair);
        let sdp = room.world.peers[bob].answer(&sdp);
        room.world
            .command(Command::AcceptAnswer { transport, sdp })
            .unwrap();
        if cycle % 50 == 49 {
            room.world.peers[bob].received.clear();
            room.frames(30);
            assert_continuous(&video(&room.world.peers[bob].received));
        }
    }
    // Feedback about the new SSRC finds its publisher.
    room.world.run(Duration::from_secs(1));
    let mid = room.world.peers[bob].received[0].mid;
    room.world.peers[room.alice].key_frame_requests.clear();
    room.world.peers[bob].request_key_frame(mid);
    room.world.run(Duration::from_millis(600));
    assert!(!room.world.peers[room.alice].key_frame_requests.is_empty());
}

/// A line without a subscriber becomes inactive with the next offer and comes back later.
#[test]
fn inactive_and_back() {
    let mut room = Room::new(13);
    let (bob, transport, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(5);
    room.world
        .command(Command::CloseSubscriber {
            subscriber: subscribers[0],
        })
        .unwrap();
    let sdp = offer(&mut room, transport);
    assert!(sdp.contains("a=inactive"));
    let answer = room.world.peers[bob].answer(&sdp);
    room.world
        .command(Command::AcceptAnswer {
            transport,
            sdp: answer,
        })
        .unwrap();
    room.world.peers[bob].received.clear();
    room.world.subscribe_more(bob, transport, &[room.camera.1]);
    room.frames(20);
    assert_continuous(&video(&room.world.peers[bob].received));
    let sdp = offer(&mut room, transport);
    assert_eq!(m_lines(&sdp), 1);
    assert!(!sdp.contains("a=inactive"));
}

/// While an offer is open there is no other; after a rollback its subscribers wait for the next.
#[test]
fn one_offer_at_a_time() {
    let mut room = Room::new(14);
    let transport = room.world.create_subscribe_transport(room.router);
    let bob = room.world.add_peer();
    let subscriber = SubscriberId(room.world.handle());
    let items = vec![(subscriber, room.camera.1)];
    let first = room.world.command(Command::Subscribe { transport, items });
    assert!(matches!(first, Ok(Reply::Offer { .. })));
    let items = vec![(SubscriberId(room.world.handle()), room.microphone.1)];
    let second = room.world.command(Command::Subscribe { transport, items });
    assert_eq!(second.unwrap_err(), Error::NegotiationPending);
    room.world
        .command(Command::RollbackOffer { transport })
        .unwrap();
    let no_offer = room.world.command(Command::RollbackOffer { transport });
    assert_eq!(no_offer.unwrap_err(), Error::NoOffer);
    let sdp = String::new();
    let answered = room.world.command(Command::AcceptAnswer { transport, sdp });
    assert_eq!(answered.unwrap_err(), Error::NoOffer);
    let reply = room
        .world
        .command(Command::CreateOffer {
            transport,
            ice_restart: false,
        })
        .unwrap();
    let Reply::Offer { sdp, mids } = reply else {
        panic!("an offer")
    };
    assert_eq!(mids.len(), 1, "the subscriber is still there");
    let sdp = room.world.peers[bob].answer(&sdp);
    room.world
        .command(Command::AcceptAnswer { transport, sdp })
        .unwrap();
    room.frames(30);
    assert_continuous(&video(&room.world.peers[bob].received));
}

/// A line that changed hands in an offer that was rolled back is usable again.
#[test]
fn rollback_of_a_reused_line() {
    let mut room = Room::new(15);
    let (bob, transport, subscribers) = room.world.subscribe(room.router, &[room.camera.1]);
    room.frames(5);
    room.world
        .command(Command::CloseSubscriber {
            subscriber: subscribers[0],
        })
        .unwrap();
    let items = vec![(SubscriberId(room.world.handle()), room.camera.1)];
    room.world
        .command(Command::Subscribe { transport, items })
        .unwrap();
    room.world
        .command(Command::RollbackOffer { transport })
        .unwrap();
    let sdp = offer(&mut room, transport);
    assert_eq!(m_lines(&sdp), 1);
    let sdp = room.world.peers[bob].answer(&sdp);
    room.world
        .command(Command::AcceptAnswer { transport, sdp })
        .unwrap();
    room.world.peers[bob].received.clear();
    room.frames(20);
    assert_continuous(&video(&room.world.peers[bob].received));
}

/// An offer on an idle transport has the data channel line and can be repeated unchanged.
#[test]
fn an_offer_without_tracks() {
    let mut room = Room::new(16);
    let transport = room.world.create_subscribe_transport(room.router);
    let bob = room.world.add_peer();
    for _ in 0..2 {
        let sdp = offer(&mut room, transport);
        assert!(sdp.contains("m=application"));
        assert_eq!(m_lines(&sdp), 0);
        let sdp = room.world.peers[bob].answer(&sdp);
        room.world
            .command(Command::AcceptAnswer { transport, sdp })
            .unwrap();
    }
    room.world.run(Duration::from_secs(1));
    let labels: Vec<_> = room.world.peers[bob]
        .channels
        .iter()
        .map(|(_, label)| label.as_str())
        .collect();
    assert_eq!(labels, ["headwater-heartbeat"]);
}

/// Several items make one offer with one line each; statistics name the number of lines.
#[test]
fn many_in_one_offer() {
    let mut room = Room::new(17);
    let ids = [room.camera.1, room.microphone.1, room.camera.1];
    let (bob, transport, _) = room.world.subscribe(room.router, &ids);
    room.frames(20);
    let mut mids: Vec<_> = room.world.peers[bob]
        .received
        .iter()
        .map(|packet| packet.mid)
        .collect();
    mids.sort();
    mids.dedup();
    assert_eq!(mids.len(), 3);
    let target = StatsTarget::Transport(transport);
    let Ok(Reply::Stats(stats)) = room.world.command(Command::GetStats { target }) else {
        panic!("statistics")
    };
    assert!(stats.contains(&("lines", StatValue::Int(3))));
}

/// A subscriber that closes while its offer is open: the client was told of a track, so the next
/// offer takes it back, be the line new or taken over, and be the first offer answered or not.
#[test]
fn closed_in_an_open_offer() {
    let mut room = Room::new(18);
    let transport = room.world.create_subscribe_transport(room.router);
    let bob = room.world.add_peer();
    for answered in [true, true, false] {
        let subscriber = SubscriberId(room.world.handle());
        let items = vec![(subscriber, room.camera.1)];
        let reply = room
            .world
            .command(Command::Subscribe { transport, items })
            .unwrap();
        let Reply::Offer { sdp, .. } = reply else {
            panic!("an offer")
        };
        assert!(sdp.contains("a=sendonly"));
        room.world
            .command(Command::CloseSubscriber { subscriber })
            .unwrap();
        assert_eq!(negotiation_needed(&mut room), 1, "said once");
        let end = if answered {
            let sdp = room.world.peers[bob].answer(&sdp);
            Command::AcceptAnswer { transport, sdp }
        } else {
            Command::RollbackOffer { transport }
        };
        room.world.command(end).unwrap();
        let sdp = offer(&mut room, transport);
        assert!(sdp.contains("a=inactive"));
        assert!(!sdp.contains("a=sendonly"));
        let sdp = room.world.peers[bob].answer(&sdp);
        room.world
            .command(Command::AcceptAnswer { transport, sdp })
            .unwrap();
    }
    room.world.subscribe_more(bob, transport, &[room.camera.1]);
    room.frames(20);
    assert_continuous(&video(&room.world.peers[bob].received));
}

fn offer(room: &mut Room, transport: TransportId) -> String {
    let reply = room.world.command(Command::CreateOffer {
        transport,
        ice_restart: false,
    });
    let Ok(Reply::Offer { sdp, .. }) = reply else {
        panic!("{reply:?}")
    };
    sdp
}

/// Offers that were taken back leave no channel behind: one heartbeat channel opens in the end,
/// and the client has room for its own.
#[test]
fn withdrawn_offers_leave_no_channels() {
    let mut room = Room::new(16);
    let transport = room.world.create_subscribe_transport(room.router);
    let offer = |room: &mut Room| {
        let command = Command::CreateOffer {
            transport,
            ice_restart: false,
        };
        match room.world.command(command) {
            Ok(Reply::Offer { sdp, .. }) => sdp,
            other => panic!("{other:?}"),
        }
    };
    for _ in 0..70 {
        assert!(offer(&mut room).contains("m=application"));
        room.world
            .command(Command::RollbackOffer { transport })
            .expect("it is open");
    }
    let sdp = offer(&mut room);
    let bob = room.world.add_peer();
    let sdp = room.world.peers[bob].answer(&sdp);
    room.world
        .command(Command::AcceptAnswer { transport, sdp })
        .expect("it fits");
    room.world.run(Duration::from_secs(2));
    let own = ChannelConfig {
        label: "own".to_owned(),
        ..ChannelConfig::default()
    };
    room.world.peers[bob].open_channel(own);
    room.world.run(Duration::from_secs(2));
    let channels = &room.world.peers[bob].channels;
    let labels: Vec<&str> = channels.iter().map(|(_, label)| label.as_str()).collect();
    assert_eq!(labels, ["headwater-heartbeat", "own"]);
}
