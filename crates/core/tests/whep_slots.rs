//! A WHEP client offers once; publishers come and go in the slots of its offer.

mod common;

use common::{Room, assert_continuous, video};
use headwater_core::command::Command;
use headwater_core::error::Error;
use headwater_core::event::{CloseReason, Reply};
use headwater_core::ids::{ObjectId, PublisherId, SubscriberId, TransportId};
use str0m::RtcConfig;
use str0m::media::{MediaKind, Mid};

fn offer_slots(
    room: &mut Room,
    kinds: &[MediaKind],
    configure: impl FnOnce(RtcConfig) -> RtcConfig,
) -> (usize, TransportId) {
    let transport = room.world.create_subscribe_transport(room.router);
    let peer = room.world.add_peer_with(configure);
    let sdp = room.world.peers[peer].offer_to_receive(kinds);
    let Ok(Reply::Answer { sdp, .. }) = room.world.command(Command::AcceptOffer { transport, sdp })
    else {
        panic!("an answer")
    };
    room.world.peers[peer].accept_answer(&sdp);
    room.world
        .run_until(std::time::Duration::from_secs(5), |world| {
            world.peers[peer].connected
        });
    (peer, transport)
}

fn attach(
    room: &mut Room,
    transport: TransportId,
    track: fn(&Room) -> (Mid, PublisherId),
) -> Result<(SubscriberId, String), Error> {
    let subscriber = SubscriberId(room.world.handle());
    let (_, publisher) = track(room);
    match room.world.command(Command::Attach {
        transport,
        subscriber,
        publisher,
        mid: None,
    })? {
        Reply::Attached { mid } => Ok((subscriber, mid)),
        other => panic!("{other:?}"),
    }
}

/// Attach, close, attach again: the same slot and SSRC, numbers without a jump.
#[test]
fn slots_are_used_again() {
    let mut room = Room::new(50);
    let (bob, transport) = offer_slots(&mut room, &[MediaKind::Video, MediaKind::Audio], |c| c);
    let (first, mid) = attach(&mut room, transport, |room| room.camera).unwrap();
    let full = attach(&mut room, transport, |room| room.camera);
    assert!(
        matches!(full, Err(Error::UnsupportedCodec(_))),
        "one video slot only"
    );
    room.frames(20);
    room.world
        .command(Command::CloseSubscriber { subscriber: first })
        .unwrap();
    room.world.run(std::time::Duration::from_millis(20));
    let before = video(&room.world.peers[bob].received).len();
    room.frames(10);
    assert_eq!(video(&room.world.peers[bob].received).len(), before);
    let (_, again) = attach(&mut room, transport, |room| room.camera).unwrap();
    assert_eq!(again, mid);
    attach(&mut room, transport, |room| room.microphone).unwrap();
    room.frames(20);
    let packets = video(&room.world.peers[bob].received);
    assert_continuous(&packets);
    assert!(packets.len() > before + 40);
    assert!(
        packets
            .iter()
            .all(|(packet, _)| packet.ssrc == packets[0].0.ssrc)
    );
}

/// A player that cannot decode what is published is told so.
#[test]
fn a_codec_that_does_not_fit() {
    let mut room = Room::new(51);
    let only_h264 = |config: RtcConfig| config.clear_codecs().enable_h264(true);
    let (_, transport) = offer_slots(&mut room, &[MediaKind::Video], only_h264);
    let refused = attach(&mut room, transport, |room| room.camera);
    assert!(matches!(refused, Err(Error::UnsupportedCodec(_))));
}

/// Who offers first offers always.
#[test]
fn offers_do_not_mix() {
    let mut room = Room::new(52);
    let (_, transport) = offer_slots(&mut room, &[MediaKind::Video], |c| c);
    let items = vec![(SubscriberId(room.world.handle()), room.camera.1)];
    let mixed = room.world.command(Command::Subscribe { transport, items });
    assert!(matches!(mixed, Err(Error::WrongTransport(_))));
    let mixed = room.world.command(Command::CreateOffer {
        transport,
        ice_restart: false,
    });
    assert!(matches!(mixed, Err(Error::WrongTransport(_))));
    let (bob, transport, _) = room.world.subscribe(room.router, &[room.camera.1]);
    let sdp = room.world.peers[bob].offer_to_receive(&[MediaKind::Audio]);
    let mixed = room.world.command(Command::AcceptOffer { transport, sdp });
    assert!(matches!(mixed, Err(Error::WrongTransport(_))));
}

/// The server's subscriber closes when its client answers without the codec.
#[test]
fn an_answer_without_the_codec() {
    let mut room = Room::new(53);
    let transport = room.world.create_subscribe_transport(room.router);
    let bob = room.world.add_peer_with(|config| {
        config
            .clear_codecs()
            .enable_h264(true)
            .enable_opus(true, false)
    });
    let subscribers =
        room.world
            .subscribe_more(bob, transport, &[room.camera.1, room.microphone.1]);
    assert_eq!(
        room.closed(),
        [(
            ObjectId::Subscriber(subscribers[0]),
            CloseReason::UnsupportedCodec
        )]
    );
}
