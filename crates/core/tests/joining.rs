//! Somebody comes into a room, with a camera or to watch: what is seen climbs, and nobody's picture
//! falls for it on a line that carries all.

mod common;

use std::time::Duration;

use headwater_core::command::{Command, StatsTarget};
use headwater_core::event::{Event, Reply, StatValue};
use headwater_core::ids::{PublisherId, RouterId, SubscriberId, TransportId};
use headwater_core::layer::Layer;
use headwater_sim::{Link, World};
use str0m::RtcConfig;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Frequency, Mid};

/// RID, bytes of a frame, pixels across: 0.2, 0.6 and 0.9 Mbit/s.
const LAYERS: [(&str, usize, u16); 3] = [("q", 270, 320), ("h", 720, 640), ("f", 1150, 1280)];
/// Packets of a key frame, by layer.
const LIGHT: [usize; 3] = [5, 5, 5];
/// A noisy picture's: 300 kB of the largest.
const HEAVY: [usize; 3] = [20, 60, 260];
const FRAME: Duration = Duration::from_millis(11);

/// Cameras in three sizes, and those who watch them.
struct Meeting {
    world: World,
    router: RouterId,
    cameras: Vec<Camera>,
    key_frame: [usize; 3],
    frame: u64,
}

struct Camera {
    peer: usize,
    mid: Mid,
    publisher: PublisherId,
    asked: usize,
}

struct Viewer {
    peer: usize,
    transport: TransportId,
    subscribers: Vec<SubscriberId>,
}

impl Meeting {
    fn new(seed: u64, cameras: usize) -> Self {
        let mut world = World::new(seed);
        let router = world.create_router();
        let mut meeting = Self {
            world,
            router,
            cameras: Vec::new(),
            key_frame: LIGHT,
            frame: 0,
        };
        (0..cameras).for_each(|_| meeting.add_camera());
        meeting
    }

    fn add_camera(&mut self) {
        let world = &mut self.world;
        let transport = world.create_publish_transport(self.router);
        let peer = world.add_peer();
        let (sdp, mid) = world.peers[peer].offer_simulcast(&LAYERS.map(|(rid, ..)| rid));
        let sdp = common::answer_to(world, transport, sdp);
        world.peers[peer].accept_answer(&sdp);
        let publisher = common::publish(world, transport, mid);
        let asked = 0;
        self.cameras.push(Camera {
            peer,
            mid,
            publisher,
            asked,
        });
    }

    /// Somebody who watches every camera over a line of this rate, bit/s.
    fn add_viewer(&mut self, rate: u64) -> Viewer {
        self.add_viewer_with(rate, |config| config)
    }

    fn add_viewer_with(
        &mut self,
        rate: u64,
        configure: impl FnOnce(RtcConfig) -> RtcConfig,
    ) -> Viewer {
        let world = &mut self.world;
        let transport = world.create_subscribe_transport(self.router);
        let peer = world.add_viewer(configure);
        let mut viewer = Viewer {
            peer,
            transport,
            subscribers: Vec::new(),
        };
        self.change_line(&viewer, rate);
        self.watch(&mut viewer);
        viewer
    }

    fn change_line(&mut self, viewer: &Viewer, rate: u64) {
        let world = &mut self.world;
        let address = world.peers[viewer.peer].address;
        let link = Link {
            rate,
            queue: 96 * 1024,
            ..Link::default().delayed(Duration::from_millis(25))
        };
        world.network.change_link(world.now, address, link);
    }

    /// The cameras that the viewer does not watch yet.
    fn watch(&mut self, viewer: &mut Viewer) {
        let fresh: Vec<_> = self.cameras[viewer.subscribers.len()..]
            .iter()
            .map(|camera| camera.publisher)
            .collect();
        let world = &mut self.world;
        let more = world.subscribe_more(viewer.peer, viewer.transport, &fresh);
        viewer.subscribers.extend(more);
    }

    /// All cameras send; who is asked for a key frame makes one.
    fn run(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / FRAME.as_millis() {
            let world = &mut self.world;
            self.frame += 1;
            for camera in &mut self.cameras {
                let peer = &mut world.peers[camera.peer];
                let asked = peer.key_frame_requests.len();
                let is_key = asked > camera.asked || self.frame == 1;
                camera.asked = asked;
                for ((rid, size, width), packets) in LAYERS.into_iter().zip(self.key_frame) {
                    let packets = if is_key { packets } else { 1 };
                    let key = is_key.then_some(width);
                    peer.send_frame(world.now, camera.mid, rid, key, &vec![size; packets]);
                }
            }
            world.run(FRAME);
        }
    }

    /// What has changed for a viewer: camera, from, to.
    fn changes(&mut self, viewer: &Viewer) -> Vec<(usize, Option<u8>, Option<u8>)> {
        let size = |layer: &Option<Layer>| layer.map(|layer| layer.spatial);
        self.world.take_events(|event| match event {
            Event::LayerChanged {
                subscriber,
                from,
                to,
                ..
            } => {
                let camera = viewer.subscribers.iter().position(|id| id == subscriber)?;
                Some((camera, size(from), size(to)))
            }
            _ => None,
        })
    }

    /// What a viewer's line is believed to carry, bit/s.
    fn estimate(&mut self, viewer: &Viewer) -> u64 {
        self.number(viewer, "available_outgoing_bitrate")
    }

    /// Bytes that were sent to a viewer.
    fn sent(&mut self, viewer: &Viewer) -> u64 {
        self.number(viewer, "bytes_sent")
    }

    fn number(&mut self, viewer: &Viewer, wanted: &str) -> u64 {
        let target = StatsTarget::Transport(viewer.transport);
        let Ok(Reply::Stats(stats)) = self.world.command(Command::GetStats { target }) else {
            panic!("a transport has statistics")
        };
        match stats.iter().find(|(name, _)| *name == wanted) {
            Some((_, StatValue::Int(number))) => *number,
            other => panic!("{other:?}"),
        }
    }
}

/// The line carries one more: nobody's picture falls while that is found out, the newcomer's
/// neither, which begins with the least there is.
#[test]
fn a_camera_that_comes_takes_nothing_from_the_others() {
    for (seed, cameras, rate) in [(600, 2, 6_000_000), (601, 4, 8_000_000), (602, 8, 0)] {
        let mut meeting = Meeting::new(seed, cameras);
        let mut viewer = meeting.add_viewer(rate);
        meeting.run(Duration::from_secs(30));
        meeting.changes(&viewer);
        meeting.add_camera();
        meeting.watch(&mut viewer);
        meeting.run(Duration::from_secs(10));
        let changes = meeting.changes(&viewer);
        let of_others = changes.iter().filter(|(camera, ..)| *camera != cameras);
        assert_eq!(
            of_others.count(),
            0,
            "{cameras} cameras, {rate}: {changes:?}"
        );
        assert!(changes.iter().all(|(_, from, to)| to > from), "{changes:?}");
        assert_eq!(changes.last(), Some(&(cameras, Some(0), Some(2))));
    }
}

/// Nobody speaks, and a line becomes so narrow that every picture is paused: nothing is sent any more.
/// Wide again it shows them again; until then little is sent to find that out.
#[test]
fn pictures_come_back_to_a_silent_line() {
    for (seed, narrow) in [(630, 40_000), (631, 100_000)] {
        let mut meeting = Meeting::new(seed, 4);
        let viewer = meeting.add_viewer(6_000_000);
        meeting.run(Duration::from_secs(15));
        meeting.change_line(&viewer, narrow);
        meeting.run(Duration::from_secs(20));
        let mut changes = meeting.changes(&viewer);
        let before = meeting.sent(&viewer);
        meeting.run(Duration::from_secs(20));
        changes.extend(meeting.changes(&viewer));
        let sent = meeting.sent(&viewer) - before;
        let last = |camera| changes.iter().rfind(|(of, ..)| *of == camera);
        let paused = (0..4).all(|camera| last(camera).is_some_and(|(.., to)| to.is_none()));
        assert!(paused, "{narrow}: {changes:?}");
        assert!((1..20_000).contains(&sent), "{narrow}: {sent} bytes"); // 8 kbit/s
        meeting.change_line(&viewer, 6_000_000);
        meeting.run(Duration::from_secs(10));
        let changes = meeting.changes(&viewer);
        let back = (0..4).all(|of| changes.iter().any(|(camera, ..)| *camera == of));
        assert!(back, "{narrow}: {changes:?}");
        let estimate = meeting.estimate(&viewer);
        assert!(estimate > 3_000_000, "{narrow}: {estimate}");
    }
}

/// A client that takes no retransmissions, so that no probe can be made for it.
fn without_repairs(config: RtcConfig) -> RtcConfig {
    let mut config = config.clear_codecs();
    let (codec, rate) = (Codec::Vp8, Frequency::NINETY_KHZ);
    let format = FormatParams::default();
    config
        .codec_config()
        .add_config(96.into(), None, codec, rate, None, format);
    config
}

/// The same for a viewer whom no probe can reach: a picture asks the line in its place, the longer
/// it was in vain the more rarely.
#[test]
fn pictures_come_back_to_a_silent_line_without_repairs() {
    let mut meeting = Meeting::new(632, 2);
    let viewer = meeting.add_viewer_with(6_000_000, without_repairs);
    meeting.run(Duration::from_secs(15));
    meeting.change_line(&viewer, 60_000);
    meeting.run(Duration::from_secs(30));
    meeting.changes(&viewer);
    meeting.change_line(&viewer, 6_000_000);
    meeting.run(Duration::from_secs(40));
    let changes = meeting.changes(&viewer);
    let last = changes.last().expect("a picture came back");
    assert!(last.2.is_some(), "{changes:?}");
}

/// Eight cameras come at once, twice what the line carries: they begin with what costs least, so
/// that the line is not flooded before it is known.
#[test]
fn cameras_that_come_together_do_not_flood_the_line() {
    let mut meeting = Meeting::new(610, 8);
    let viewer = meeting.add_viewer(4_000_000);
    meeting.run(Duration::from_secs(10));
    let changes = meeting.changes(&viewer);
    assert!(changes.iter().all(|(_, _, to)| to.is_some()), "{changes:?}");
    let began = changes.iter().filter(|(_, from, _)| from.is_none());
    assert!(began.clone().count() == 8 && began.clone().all(|(_, _, to)| *to == Some(0)));
    let falls = changes.iter().filter(|(_, from, to)| to < from).count();
    assert!(falls <= 4, "{changes:?}");
    let estimate = meeting.estimate(&viewer);
    assert!(estimate > 3_000_000, "{estimate}");
}

/// Who comes to watch asks every camera for a key frame; the others' pictures stay.
#[test]
fn a_viewer_who_comes_takes_nothing_from_the_others() {
    for (seed, rate) in [(620, 0), (621, 12_000_000)] {
        let mut meeting = Meeting::new(seed, 8);
        let viewer = meeting.add_viewer(rate);
        meeting.run(Duration::from_secs(30));
        meeting.changes(&viewer);
        meeting.add_viewer(rate);
        meeting.run(Duration::from_secs(10));
        assert_eq!(meeting.changes(&viewer), []);
    }
}

/// The key frame of a noisy picture takes a line most of a second: it is sent, not dropped and asked
/// for again, so a line that is wide again is used.
#[test]
fn a_key_frame_that_fills_the_line_is_seen() {
    for seed in 630..633 {
        let mut meeting = Meeting::new(seed, 1);
        meeting.key_frame = HEAVY;
        let viewer = meeting.add_viewer(3_000_000);
        meeting.run(Duration::from_secs(15));
        meeting.change_line(&viewer, 300_000);
        meeting.run(Duration::from_secs(20));
        let narrow = meeting.changes(&viewer);
        assert!(matches!(narrow.last(), Some((0, _, Some(0)))), "{narrow:?}");
        meeting.change_line(&viewer, 3_000_000);
        meeting.run(Duration::from_secs(20));
        let wide = meeting.changes(&viewer);
        assert_eq!(wide, [(0, Some(0), Some(2))], "{seed}");
    }
}
