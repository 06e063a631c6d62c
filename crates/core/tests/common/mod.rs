//! What the tests of the core share: a room with one publisher, and views on what arrived.
#![allow(dead_code)] // each test binary uses its own part

pub(crate) mod party;
pub(crate) mod simulcast;

use std::time::Duration;

use headwater_core::command::Command;
use headwater_core::event::{CloseReason, Event, Reply};
use headwater_core::ids::{ObjectId, PublisherId, RouterId, TransportId};
use headwater_sim::{Received, Vp8Descriptor, World};
use str0m::media::{MediaKind, Mid};

/// A router with one connected client that publishes a camera and a microphone.
pub(crate) struct Room {
    pub(crate) world: World,
    pub(crate) router: RouterId,
    pub(crate) alice: usize,
    pub(crate) publishing: TransportId,
    pub(crate) camera: (Mid, PublisherId),
    pub(crate) microphone: (Mid, PublisherId),
    frames: u64,
}

impl Room {
    pub(crate) fn new(seed: u64) -> Self {
        Self::in_world(World::new(seed))
    }

    /// The same, with a record of all that enters decisions.
    pub(crate) fn recorded(seed: u64) -> Self {
        let mut world = World::new(seed);
        world.record();
        Self::in_world(world)
    }

    pub(crate) fn in_world(mut world: World) -> Self {
        let router = world.create_router();
        let tracks = [
            (MediaKind::Video, "camera"),
            (MediaKind::Audio, "microphone"),
        ];
        let (alice, publishing, published) = world.publish(router, &tracks, &[]);
        let (camera, microphone) = (published[0], published[1]);
        Self {
            world,
            router,
            alice,
            publishing,
            camera,
            microphone,
            frames: 0,
        }
    }

    /// One frame of three packets and 40 ms; a key frame when the server asked for one.
    pub(crate) fn frame(&mut self) {
        let asked = self.world.peers[self.alice]
            .key_frame_requests
            .drain(..)
            .count();
        self.frame_as(asked > 0 || self.frames == 0);
    }

    /// One frame, key or not as told.
    pub(crate) fn frame_as(&mut self, key_frame: bool) {
        self.frames += 1;
        let now = self.world.now;
        self.world.peers[self.alice].send_video(now, self.camera.0, key_frame, 3, 600);
        self.world.peers[self.alice].send_audio(now, self.microphone.0);
        self.world.run(Duration::from_millis(40));
    }

    pub(crate) fn frames(&mut self, count: usize) {
        (0..count).for_each(|_| self.frame());
    }

    /// Every `Closed` event so far, taken.
    pub(crate) fn closed(&mut self) -> Vec<(ObjectId, CloseReason)> {
        closed(&mut self.world)
    }
}

pub(crate) fn closed(world: &mut World) -> Vec<(ObjectId, CloseReason)> {
    world.take_events(|event| match event {
        Event::Closed { object, reason } => Some((*object, *reason)),
        _ => None,
    })
}

/// VP8 packets among what a peer has received, in order of their sequence numbers.
pub(crate) fn video(received: &[Received]) -> Vec<(Received, Vp8Descriptor)> {
    let mut packets: Vec<_> = received
        .iter()
        .filter_map(|packet| Some((packet.clone(), Vp8Descriptor::parse(&packet.payload)?)))
        .filter(|(packet, _)| packet.payload.len() > 500)
        .collect();
    packets.sort_by_key(|(packet, _)| packet.sequence);
    packets
}

/// Audio packets in order.
pub(crate) fn audio(received: &[Received]) -> Vec<Received> {
    received
        .iter()
        .filter(|packet| packet.payload.len() < 500)
        .cloned()
        .collect()
}

/// Fails unless sequence numbers, timestamps, picture ids and TL0PICIDX count on without a jump,
/// every frame is whole and the first packet starts a key frame.
pub(crate) fn assert_continuous(packets: &[(Received, Vp8Descriptor)]) {
    let (first, descriptor) = packets.first().expect("video arrived");
    assert!(
        descriptor.start && descriptor.key_frame,
        "starts with a key frame"
    );
    assert!(first.sequence < 1 << 15, "ROC 0 and room for reordering");
    for pair in packets.windows(2) {
        let [(a, da), (b, db)] = pair else {
            unreachable!()
        };
        assert_eq!(b.sequence, a.sequence + 1, "no hole, no jump");
        let new_frame = db.start;
        assert_eq!(new_frame, a.marker, "frames are whole");
        let step = u16::from(new_frame);
        assert_eq!(
            db.picture_id,
            (da.picture_id + step) & 0x7fff,
            "picture ids count on"
        );
        assert_eq!(
            db.tl0_pic_idx,
            da.tl0_pic_idx.wrapping_add(step as u8),
            "TL0PICIDX counts on"
        );
        let ticks = b.timestamp.wrapping_sub(a.timestamp);
        assert!(if new_frame {
            ticks > 0 && ticks < 1 << 31
        } else {
            ticks == 0
        });
    }
}

/// The server's answer to a client's offer.
pub(crate) fn answer_to(world: &mut World, transport: TransportId, sdp: String) -> String {
    match world.command(Command::AcceptOffer { transport, sdp }) {
        Ok(Reply::Answer { sdp, .. }) => sdp,
        other => panic!("{other:?}"),
    }
}

/// Pauses or resumes a publisher.
pub(crate) fn pause_publisher(world: &mut World, publisher: PublisherId, paused: bool) {
    let command = Command::SetPublisherPaused { publisher, paused };
    world.command(command).expect("it is published");
}

/// Publishes an offered track.
pub(crate) fn publish(world: &mut World, transport: TransportId, mid: Mid) -> PublisherId {
    let publisher = PublisherId(world.handle());
    let mid = mid.to_string();
    world
        .command(Command::Publish {
            transport,
            publisher,
            mid,
        })
        .expect("it was offered");
    publisher
}
