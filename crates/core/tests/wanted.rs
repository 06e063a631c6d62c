//! A publisher is told which of its layers anybody has use for.

mod common;

use std::time::Duration;

use headwater_core::command::Command;
use headwater_core::event::Event;
use headwater_core::ids::{PublisherId, RouterId, SubscriberId};
use headwater_core::layer::{Layer, Preferences};
use headwater_sim::World;
use str0m::media::Mid;

const LAYERS: [(&str, usize, u16); 3] =
    [("low", 300, 320), ("mid", 600, 640), ("high", 1000, 1280)];

struct Call {
    world: World,
    router: RouterId,
    alice: usize,
    mid: Mid,
    publisher: PublisherId,
    frame: u32,
}

/// What a publisher was told: names of those it must send, and the highest layer in use.
type Told = (Vec<String>, Option<u8>);

impl Call {
    fn new() -> Self {
        let mut world = World::new(117);
        let router = world.create_router();
        let transport = world.create_publish_transport(router);
        let alice = world.add_peer();
        let (sdp, mid) = world.peers[alice].offer_simulcast(&["low", "mid", "high"]);
        let sdp = common::answer_to(&mut world, transport, sdp);
        world.peers[alice].accept_answer(&sdp);
        let publisher = common::publish(&mut world, transport, mid);
        Self {
            world,
            router,
            alice,
            mid,
            publisher,
            frame: 0,
        }
    }

    fn watch(&mut self) -> SubscriberId {
        self.world.subscribe(self.router, &[self.publisher]).2[0]
    }

    fn seconds(&mut self, seconds: u32) -> Vec<Told> {
        for _ in 0..seconds * 25 {
            for (rid, size, width) in LAYERS {
                let (now, key) = (self.world.now, self.frame.is_multiple_of(25));
                self.world.peers[self.alice].send_layer(now, self.mid, rid, key, size, width);
            }
            self.frame += 1;
            self.world.run(Duration::from_millis(40));
        }
        self.told()
    }

    fn told(&mut self) -> Vec<Told> {
        self.world.take_events(|event| match event {
            Event::LayersWanted { encodings, max, .. } => {
                let wanted = encodings.iter().filter(|(_, wanted)| *wanted);
                let names = wanted.map(|(rid, _)| rid.clone()).collect();
                Some((names, max.map(|Layer { spatial, .. }| spatial)))
            }
            _ => None,
        })
    }

    /// The largest payload that the first viewer got since the last look.
    fn largest(&mut self) -> usize {
        let received = self.world.peers[1].take_received();
        received
            .iter()
            .map(|packet| packet.payload.len())
            .max()
            .unwrap_or(0)
    }

    fn wish(&mut self, subscriber: SubscriberId, preferences: Preferences) {
        self.world
            .command(Command::SetPreferences {
                subscriber,
                preferences,
            })
            .expect("wishes are free");
    }
}

fn names(rids: &[&str]) -> Vec<String> {
    rids.iter().map(ToString::to_string).collect()
}

/// A small tile stops what it does not need after a while; a large one gets it back at once.
#[test]
fn small_tiles_stop_large_layers() {
    let mut call = Call::new();
    let bob = call.watch();
    assert_eq!(call.seconds(5), [], "who wishes nothing may get everything");
    let tile = Preferences {
        width: Some(300),
        height: Some(170),
        ..Preferences::default()
    };
    call.wish(bob, tile);
    assert_eq!(call.seconds(2), [], "it may be for a moment only");
    assert_eq!(call.seconds(2), [(names(&["low"]), Some(0))]);
    call.wish(bob, Preferences::default());
    assert_eq!(call.told(), [(names(&["low", "mid", "high"]), Some(2))]);
}

/// The largest wish of all counts, also that of a newcomer.
#[test]
fn the_largest_wish_counts() {
    let mut call = Call::new();
    let (bob, carol) = (call.watch(), call.watch());
    for (subscriber, spatial) in [(bob, 0), (carol, 1)] {
        let preferences = Preferences {
            max_spatial: Some(spatial),
            ..Preferences::default()
        };
        call.wish(subscriber, preferences);
    }
    assert_eq!(call.seconds(4), [(names(&["low", "mid"]), Some(1))]);
    call.watch();
    assert_eq!(call.seconds(1), [(names(&["low", "mid", "high"]), Some(2))]);
}

/// With nobody there the smallest encoding goes on: whoever comes sees something at once.
#[test]
fn nobody_watches() {
    let mut call = Call::new();
    let bob = call.watch();
    call.seconds(1);
    call.world
        .command(Command::CloseSubscriber { subscriber: bob })
        .expect("it was open");
    assert_eq!(call.seconds(5), [(names(&["low"]), None)]);
    call.watch();
    assert_eq!(call.seconds(1), [(names(&["low", "mid", "high"]), Some(2))]);
}

/// A sender that does as it is told: what nobody watches is not sent, and begins with a key frame when it
/// is wanted again. Who wants it has it from that key frame on.
#[test]
fn a_stopped_layer_comes_back_with_a_key_frame() {
    let mut call = Call::new();
    let bob = call.watch();
    let mut sender = Sender::default();
    sender.frames(&mut call, 250);
    assert_eq!(call.largest(), 1000);
    let tile = Preferences {
        width: Some(300),
        height: Some(170),
        ..Preferences::default()
    };
    call.wish(bob, tile);
    sender.frames(&mut call, 125);
    assert_eq!(sender.live, names(&["low"]), "the others are stopped");
    call.largest();
    sender.keys.clear();
    call.wish(bob, Preferences::default());
    sender.frames(&mut call, 1);
    assert_eq!(call.largest(), 1000, "with its first picture");
    sender.frames(&mut call, 100);
    let keys = sender.keys.iter().filter(|rid| **rid == "high").count();
    // The request, which set out with the word that it is wanted, may cross it.
    assert!(keys <= 2, "{:?}", sender.keys);
}

/// Sends what it is told to.
#[derive(Default)]
struct Sender {
    live: Vec<String>,
    /// The encodings of its key frames.
    keys: Vec<&'static str>,
}

impl Sender {
    fn frames(&mut self, call: &mut Call, count: u32) {
        for _ in 0..count {
            let before = std::mem::take(&mut self.live);
            self.live = match call.told().pop() {
                Some((wanted, _)) => wanted,
                None if before.is_empty() => names(&["low", "mid", "high"]),
                None => before.clone(),
            };
            let peer = &mut call.world.peers[call.alice];
            let asked = peer.key_frame_requests.drain(..).count() > 0;
            let asked = peer.key_frame_rid.filter(|_| asked);
            for (rid, size, width) in LAYERS {
                let name = rid.to_owned();
                if !self.live.contains(&name) {
                    continue;
                }
                let key = !before.contains(&name) || asked.is_some_and(|asked| *asked == *rid);
                if key {
                    self.keys.push(rid);
                }
                peer.send_layer(call.world.now, call.mid, rid, key, size, width);
            }
            call.frame += 1;
            call.world.run(Duration::from_millis(40));
        }
    }
}
