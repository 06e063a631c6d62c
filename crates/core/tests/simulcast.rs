//! Of several encodings the largest living one goes out; switching happens at a key frame.

mod common;

use std::time::Duration;

use headwater_core::command::{Command, StatsTarget};
use headwater_core::event::{Reply, StatValue, TrackKind};
use headwater_core::ids::{PublisherId, SubscriberId, TransportId};
use headwater_core::layer::Preferences;
use headwater_sim::{Link, World};
use str0m::media::Mid;

const LAYERS: [(&str, usize, u16); 3] = [("q", 600, 320), ("h", 800, 640), ("f", 1000, 1280)];

const SOURCES: [(&str, u32); 3] = [("q", 1_000), ("h", 4_000_000_000), ("f", 3_000)];

struct Simulcast {
    world: World,
    alice: usize,
    bob: usize,
    watching: TransportId,
    mid: Mid,
    publisher: PublisherId,
    subscriber: SubscriberId,
    frame: u32,
    /// Key frames are sent unasked.
    restless: bool,
}

impl Simulcast {
    fn new() -> Self {
        Self::offered(|world, transport, alice| {
            let (sdp, mid) = world.peers[alice].offer_simulcast(&["q", "h", "f"]);
            let sdp = common::answer_to(world, transport, sdp);
            world.peers[alice].accept_answer(&sdp);
            mid
        })
    }

    /// Encodings without RIDs; the server names them by their places.
    fn by_ssrc() -> Self {
        Self::offered(|world, transport, alice| {
            let (sdp, mid) = world.peers[alice].offer_by_ssrc(&SOURCES);
            let sdp = common::answer_to(world, transport, sdp);
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
        let publisher = common::publish(&mut world, transport, mid);
        let (bob, watching, subscribers) = world.subscribe(router, &[publisher]);
        Self {
            world,
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
    fn frames(&mut self, count: usize, layers: &[(&str, usize, u16)]) {
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

    fn rid(&mut self) -> String {
        let target = StatsTarget::Publisher(self.publisher);
        let Ok(Reply::Stats(stats)) = self.world.command(Command::GetStats { target }) else {
            panic!()
        };
        match stats.iter().find(|(name, _)| *name == "rid") {
            Some((_, StatValue::Text(rid))) => rid.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn last_sizes(&self, count: usize) -> Vec<usize> {
        let received = &self.world.peers[self.bob].received;
        received[received.len() - count..]
            .iter()
            .map(|packet| packet.payload.len())
            .collect()
    }
}

/// The largest is found, lost with its encoder, and found again; numbers never jump.
#[test]
fn the_largest_that_lives() {
    let mut call = Simulcast::new();
    call.frames(50, &LAYERS);
    assert_eq!(call.rid(), "f");
    assert_eq!(call.last_sizes(10), [1000; 10]);
    call.frames(100, &LAYERS[..2]);
    assert_eq!(call.rid(), "h");
    assert_eq!(call.last_sizes(10), [800; 10]);
    call.frames(50, &LAYERS);
    assert_eq!(call.rid(), "f");
    assert_eq!(call.last_sizes(10), [1000; 10]);
    common::assert_continuous(&common::video(&call.world.peers[call.bob].received));
}

/// A key frame of another encoding, on which the target changes, does not stand for one of the
/// new target: that is asked for.
#[test]
fn key_frame_of_another() {
    let mut call = Simulcast::new();
    call.frames(5, &LAYERS[..1]);
    assert_eq!(call.rid(), "q");
    call.restless = true;
    call.frames(1, &LAYERS[..1]);
    call.restless = false;
    call.frames(1, &LAYERS);
    assert_eq!(call.rid(), "f");
    call.frames(40, &LAYERS);
    assert_eq!(call.last_sizes(10), [1000; 10]);
}

/// The same where only SSRCs tell encodings apart: key frames are asked for from the right one.
#[test]
fn encodings_without_rids() {
    let mut call = Simulcast::by_ssrc();
    call.frames(50, &LAYERS);
    assert_eq!(call.rid(), "2");
    assert_eq!(call.last_sizes(10), [1000; 10]);
    call.frames(100, &LAYERS[..2]);
    assert_eq!(call.rid(), "1");
    assert_eq!(call.last_sizes(10), [800; 10]);
    call.frames(50, &LAYERS);
    assert_eq!(call.rid(), "2");
    assert_eq!(call.last_sizes(10), [1000; 10]);
    let preferences = Preferences {
        spatial: Some(0),
        ..Preferences::default()
    };
    let subscriber = call.subscriber;
    call.world
        .command(Command::SetPreferences {
            subscriber,
            preferences,
        })
        .expect("the subscriber is there");
    call.frames(20, &LAYERS);
    assert_eq!(call.last_sizes(10), [600; 10]);
    common::assert_continuous(&common::video(&call.world.peers[call.bob].received));
}

/// A Chromium whose offer was munged to SSRCs.
#[test]
fn an_offer_without_rids() {
    let sdp = include_str!("../../sim/fuzz/corpus/sdp/chromium-ssrc-simulcast");
    let mut world = World::new(111);
    let router = world.create_router();
    let transport = world.create_publish_transport(router);
    let sdp = sdp.to_owned();
    let Ok(Reply::Answer { tracks, .. }) = world.command(Command::AcceptOffer { transport, sdp })
    else {
        panic!("it is a good offer")
    };
    let video = tracks.iter().find(|track| track.kind == TrackKind::Video);
    assert_eq!(video.expect("a camera").rids, ["0", "1", "2"]);
}

/// A transport that may not get more than so much gets the layer that fits, and the largest again
/// when it may.
#[test]
fn a_ceiling_of_bitrate() {
    let mut call = Simulcast::new();
    call.frames(50, &LAYERS);
    assert_eq!(call.last_sizes(10), [1000; 10]);
    for (bitrate, size) in [(Some(190_000), 800), (Some(150_000), 600), (None, 1000)] {
        let transport = call.watching;
        let command = Command::SetMaxBitrate { transport, bitrate };
        call.world.command(command).expect("it subscribes");
        call.frames(150, &LAYERS);
        assert_eq!(call.last_sizes(10), [size; 10], "at most {bitrate:?} bit/s");
    }
    common::assert_continuous(&common::video(&call.world.peers[call.bob].received));
}

/// Loss on the publisher's leg is repaired in each encoding: its RTX stream has its own rrid, or
/// its own SSRC in the offer.
#[test]
fn retransmissions_of_an_encoding() {
    retransmissions(Simulcast::new());
    retransmissions(Simulcast::by_ssrc());
}

fn retransmissions(mut call: Simulcast) {
    call.frames(50, &LAYERS);
    let address = call.world.peers[call.alice].address;
    let before = call.world.network.lost;
    call.world.network.set_link(address, Link::lossy(0.05));
    call.frames(100, &LAYERS);
    call.world.network.set_link(address, Link::default());
    call.frames(10, &LAYERS);
    call.world.run(Duration::from_millis(500));
    assert!(call.world.network.lost > before + 10);
    assert_eq!(call.last_sizes(100), [1000; 100]);
    common::assert_continuous(&common::video(&call.world.peers[call.bob].received));
}

/// Rather nothing than less: what is smaller than the minimum does not pass, before the line is
/// known and when the encoding above it ends; it comes back with a key frame.
#[test]
fn nothing_below_the_minimum() {
    let mut call = Simulcast::new();
    let preferences = Preferences {
        spatial: Some(0),
        min_spatial: Some(1),
        ..Preferences::default()
    };
    let subscriber = call.subscriber;
    call.world
        .command(Command::SetPreferences {
            subscriber,
            preferences,
        })
        .expect("the subscriber is there");
    let received = |call: &Simulcast| {
        let packets = &call.world.peers[call.bob].received;
        let real = packets.iter().filter(|packet| packet.payload.len() > 500);
        real.map(|packet| packet.payload.len()).collect::<Vec<_>>()
    };
    call.frames(20, &LAYERS[..1]);
    assert_eq!(received(&call), [0; 0]);
    call.frames(50, &LAYERS);
    let before = received(&call);
    assert!(before.len() > 40, "{} pictures", before.len());
    assert!(before.iter().all(|size| *size == 800), "{before:?}");
    call.frames(100, &LAYERS[..1]);
    assert_eq!(received(&call).len(), before.len());
    call.frames(60, &LAYERS);
    let after = received(&call);
    assert!(
        after.len() > before.len() + 20,
        "{} pictures",
        after.len() - before.len()
    );
    assert!(after.iter().all(|size| *size == 800), "{after:?}");
}
