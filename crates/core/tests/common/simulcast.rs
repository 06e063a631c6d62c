//! A publisher of several encodings and one who watches it.

use std::time::Duration;

use headwater_core::command::{Command, StatsTarget};
use headwater_core::event::{Reply, StatValue};
use headwater_core::ids::{PublisherId, RouterId, SubscriberId, TransportId};
use headwater_core::layer::Preferences;
use headwater_sim::World;
use str0m::media::Mid;

/// RID, bytes of a picture, pixels across.
pub(crate) const LAYERS: [(&str, usize, u16); 3] =
    [("q", 600, 320), ("h", 800, 640), ("f", 1000, 1280)];

const SOURCES: [(&str, u32); 3] = [("q", 1_000), ("h", 4_000_000_000), ("f", 3_000)];

/// Alice sends all encodings, Bob watches.
pub(crate) struct Simulcast {
    pub(crate) world: World,
    pub(crate) router: RouterId,
    pub(crate) alice: usize,
    pub(crate) bob: usize,
    pub(crate) watching: TransportId,
    mid: Mid,
    pub(crate) publisher: PublisherId,
    pub(crate) subscriber: SubscriberId,
    frame: u32,
    /// Key frames are sent unasked.
    pub(crate) restless: bool,
}

impl Simulcast {
    pub(crate) fn new() -> Self {
        Self::offered(|world, transport, alice| {
            let (sdp, mid) = world.peers[alice].offer_simulcast(&["q", "h", "f"]);
            let sdp = super::answer_to(world, transport, sdp);
            world.peers[alice].accept_answer(&sdp);
            mid
        })
    }

    /// Encodings without RIDs; the server names them by their places.
    pub(crate) fn by_ssrc() -> Self {
        Self::offered(|world, transport, alice| {
            let (sdp, mid) = world.peers[alice].offer_by_ssrc(&SOURCES);
            let sdp = super::answer_to(world, transport, sdp);
            assert!(!sdp.contains("a=simulcast"), "{sdp}");
            world.peers[alice].accept_answer_by_ssrc(&sdp, mid, &SOURCES);
            mid
        })
    }

    fn offered(offer: impl FnOnce(&mut World, TransportId, usize) -> Mid) -> Self {
        let mut world = World::new(110);
        let router = world.create_router();
        let transport = world.create_publish_transport(router);
        let alice = world.add_peer();
        let mid = offer(&mut world, transport, alice);
        let publisher = super::publish(&mut world, transport, mid);
        let (bob, watching, subscribers) = world.subscribe(router, &[publisher]);
        Self {
            world,
            router,
            alice,
            bob,
            watching,
            mid,
            publisher,
            subscriber: subscribers[0],
            frame: 0,
            restless: false,
        }
    }

    /// One frame of each of these encodings; key frames as asked for and at the start.
    pub(crate) fn frames(&mut self, count: usize, layers: &[(&str, usize, u16)]) {
        for _ in 0..count {
            let peer = &mut self.world.peers[self.alice];
            let asked = (!peer.key_frame_requests.is_empty())
                .then_some(peer.key_frame_rid)
                .flatten();
            peer.key_frame_requests.clear();
            for (rid, size, width) in layers {
                let key =
                    self.frame == 0 || self.restless || asked.is_some_and(|asked| *asked == **rid);
                peer.send_layer(self.world.now, self.mid, rid, key, *size, *width);
            }
            self.frame += 1;
            self.world.run(Duration::from_millis(40));
        }
    }

    pub(crate) fn rid(&mut self) -> String {
        let target = StatsTarget::Publisher(self.publisher);
        let Ok(Reply::Stats(stats)) = self.world.command(Command::GetStats { target }) else {
            panic!()
        };
        match stats.iter().find(|(name, _)| *name == "rid") {
            Some((_, StatValue::Text(rid))) => rid.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn last_sizes(&self, count: usize) -> Vec<usize> {
        let received = &self.world.peers[self.bob].received;
        received[received.len() - count..]
            .iter()
            .map(|packet| packet.payload.len())
            .collect()
    }

    /// What Bob wishes.
    pub(crate) fn prefer(&mut self, preferences: Preferences) {
        let subscriber = self.subscriber;
        let command = Command::SetPreferences {
            subscriber,
            preferences,
        };
        self.world
            .command(command)
            .expect("the subscriber is there");
    }
}
