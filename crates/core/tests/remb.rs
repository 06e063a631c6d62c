//! A publisher without transport-wide feedback is told by REMB what its line carries; nobody else is.

mod common;

use std::time::{Duration, Instant};

use headwater_core::command::{Command, StatsTarget};
use headwater_core::event::{Reply, StatValue};
use headwater_core::ids::TransportId;
use headwater_core::record::preamble;
use headwater_core::record::replay::replay;
use headwater_sim::{Link, World};
use str0m::media::{MediaKind, Mid};

/// What an offer leaves out.
const TRANSPORT_CC: &[&str] = &["transport-cc", "transport-wide-cc"];
const SEND_TIME: &[&str] = &["transport-cc", "transport-wide-cc", "abs-send-time"];
const ALL: &[&str] = &["transport-cc", "transport-wide-cc", "goog-remb"];

/// The line of most tests, bit/s.
const LINE: u64 = 1_000_000;
const FRAME: Duration = Duration::from_millis(33);

/// Alice publishes; her encoders obey what she is told.
struct Call {
    world: World,
    alice: usize,
    transport: TransportId,
    camera: Mid,
    rids: &'static [&'static str],
    /// What the server answered.
    answer: String,
    /// What the encoders would make without being told, and what they owe, bit/s and bytes.
    wanted: u64,
    owed: f64,
    /// The longest that a packet had to wait for the line.
    waited: Duration,
}

impl Call {
    fn new(left_out: &[&str]) -> Self {
        Self::of(World::new(610), left_out, &[])
    }

    fn of(mut world: World, left_out: &[&str], rids: &'static [&'static str]) -> Self {
        let router = world.create_router();
        let transport = world.create_publish_transport(router);
        let alice = world.add_peer_with(|config| config.enable_raw_packets(true));
        let (sdp, camera) = match rids {
            [] => {
                let (sdp, mids) = world.peers[alice].offer(&[(MediaKind::Video, "camera")], &[]);
                (sdp, mids[0])
            }
            rids => world.peers[alice].offer_simulcast(rids),
        };
        let lines = sdp.split_inclusive("\r\n");
        let is_kept = |line: &&str| !left_out.iter().any(|word| line.contains(word));
        let sdp = lines.filter(is_kept).collect();
        let answer = common::answer_to(&mut world, transport, sdp);
        world.peers[alice].accept_answer(&answer);
        common::publish(&mut world, transport, camera);
        let limit = Duration::from_secs(5);
        assert!(world.run_until(limit, |world| world.peers[alice].connected));
        Self {
            world,
            alice,
            transport,
            camera,
            rids,
            answer,
            wanted: 2_500_000,
            owed: 0.0,
            waited: Duration::ZERO,
        }
    }

    /// A line of this rate from now on, bit/s, in which half a second may wait.
    fn narrow(&mut self, rate: u64) {
        let link = Link {
            rate,
            queue: (rate / 16) as usize,
            delay: Duration::from_millis(25),
            ..Link::CLEAN
        };
        let address = self.world.peers[self.alice].address;
        self.world
            .network
            .change_link(self.world.now, address, link);
    }

    /// Sends for so many seconds.
    fn send(&mut self, seconds: u32) {
        let end = self.world.now + Duration::from_secs(1) * seconds;
        while self.world.now < end {
            self.frame();
        }
    }

    fn frame(&mut self) {
        let now = self.world.now;
        let peer = &mut self.world.peers[self.alice];
        let told = peer.estimates.last().map_or(DEFAULT, |told| told.bitrate);
        self.owed += told.min(self.wanted) as f64 / 8.0 * FRAME.as_secs_f64();
        let packets = (self.owed / PACKET) as u16;
        self.owed -= f64::from(packets) * PACKET;
        match self.rids {
            [] => peer.send_video(now, self.camera, false, packets, PACKET as usize),
            rids => {
                let sizes = vec![PACKET as usize; usize::from(packets).div_ceil(rids.len())];
                for rid in rids {
                    peer.send_frame(now, self.camera, rid, None, &sizes);
                }
            }
        }
        let address = peer.address;
        self.world.run(FRAME);
        let waits = self.world.network.waiting(self.world.now, address);
        self.waited = self.waited.max(waits);
    }

    /// What Alice was told since `from`, bit/s.
    fn told(&self, from: Instant) -> Vec<u64> {
        let told = self.world.peers[self.alice].estimates.iter();
        told.filter(|told| told.at >= from)
            .map(|told| told.bitrate)
            .collect()
    }

    fn statistic(&mut self, name: &str) -> Option<StatValue> {
        let target = StatsTarget::Transport(self.transport);
        let Ok(Reply::Stats(stats)) = self.world.command(Command::GetStats { target }) else {
            panic!("it is open")
        };
        let mut stats = stats.into_iter();
        stats.find_map(|(known, value)| (known == name).then_some(value))
    }
}

/// On a line of 1 Mbit/s what is told settles around nine tenths of it, and nothing waits long; when
/// the line widens it rises again, and when it narrows it is told at once.
fn follows_the_line(left_out: &[&str]) {
    let mut call = Call::new(left_out);
    call.narrow(LINE);
    call.send(15);
    let settled = call.world.now;
    call.waited = Duration::ZERO;
    call.send(45);
    let told = call.told(settled);
    // It feels for the limit by going a little above, once in some seconds.
    let held = (LINE * 6 / 10)..=(LINE * 105 / 100);
    assert!(told.iter().all(|rate| held.contains(rate)), "{told:?}");
    let mean = told.iter().sum::<u64>() / told.len() as u64;
    assert!(mean < LINE, "{mean}");
    assert!((45..=90).contains(&told.len()), "{} in 45 s", told.len());
    assert!(
        call.waited < Duration::from_millis(200),
        "{:?}",
        call.waited
    );
    let known = call.statistic("available_incoming_bitrate");
    let Some(StatValue::Int(known)) = known else {
        panic!("{known:?}")
    };
    assert!(held.contains(&known), "{known}");

    call.narrow(3 * LINE);
    call.send(30);
    let widened = call.world.now;
    call.send(5);
    let told = call.told(widened);
    assert!(told.iter().all(|rate| *rate > 2 * LINE), "{told:?}");

    call.narrow(LINE / 2);
    let narrowed = call.world.now;
    call.send(2);
    let told = call.told(narrowed);
    assert!(told.iter().any(|rate| *rate < LINE / 2), "{told:?}");
}

/// By send times, which roll over in this time, and by timestamps.
#[test]
fn follows_the_line_by_send_times() {
    follows_the_line(TRANSPORT_CC);
}

#[test]
fn follows_the_line_by_timestamps() {
    follows_the_line(SEND_TIME);
}

/// Where there is room nothing holds a publisher back: what it is told is never below what it sends.
#[test]
fn nobody_is_held_back_without_need() {
    for left_out in [TRANSPORT_CC, SEND_TIME] {
        let mut call = Call::new(left_out);
        call.wanted = 400_000;
        let began = call.world.now;
        call.send(20);
        let told = call.told(began);
        assert!(told.iter().all(|rate| *rate > 400_000), "{told:?}");
        // And it never promises more than was tried.
        assert!(told.iter().all(|rate| *rate < 700_000), "{told:?}");
    }
}

/// Who sends nothing hears nothing, and goes on from where it was.
#[test]
fn silent_while_nothing_comes() {
    let mut call = Call::new(TRANSPORT_CC);
    call.narrow(LINE);
    call.send(10);
    let before = call.told(call.world.now - Duration::from_secs(2));
    let stopped = call.world.now + Duration::from_millis(500);
    call.world.run(Duration::from_secs(20));
    assert_eq!(call.told(stopped), [0_u64; 0]);
    let begins = call.world.now;
    call.send(3);
    let after = call.told(begins);
    assert!(!after.is_empty(), "told again");
    let (last, first) = (before[before.len() - 1], after[0]);
    assert!(first.abs_diff(last) < last / 5, "{last} then {first}");
}

/// One message speaks for every encoding of a simulcast.
#[test]
fn every_encoding_is_named() {
    let mut call = Call::of(World::new(611), TRANSPORT_CC, &["q", "h", "f"]);
    call.send(5);
    let told = &call.world.peers[call.alice].estimates;
    let last = told.last().expect("it was told");
    let mut sources = last.sources.clone();
    sources.sort_unstable();
    sources.dedup();
    assert_eq!(sources.len(), 3, "{last:?}");
}

/// Transport-wide feedback alone is in force where both were offered, and nothing where neither was.
#[test]
fn only_instead_of_transport_wide_feedback() {
    for (left_out, has_transport_cc, has_remb) in [
        (&[][..], true, false),
        (TRANSPORT_CC, false, true),
        (ALL, false, false),
    ] {
        let mut call = Call::new(left_out);
        assert_eq!(call.answer.contains(" transport-cc"), has_transport_cc);
        assert_eq!(call.answer.contains(" goog-remb"), has_remb, "{left_out:?}");
        let began = call.world.now;
        call.send(5);
        assert_eq!(!call.told(began).is_empty(), has_remb, "{left_out:?}");
        let known = call.statistic("available_incoming_bitrate");
        assert_eq!(known.is_some(), has_remb);
    }
}

/// It is no decision: a record of a call with it replays as any other.
#[test]
fn a_record_replays_exactly() {
    let mut world = World::new(612);
    world.record();
    let mut call = Call::of(world, TRANSPORT_CC, &["q", "h", "f"]);
    call.narrow(LINE);
    let mut file = preamble();
    call.send(10);
    call.world.take_record(&mut file);
    let outcome = replay(&file, call.world.now).expect("it is a record");
    assert!(outcome.inputs > 300, "{}", outcome.inputs);
    assert_eq!(outcome.difference, None);
}

/// Before anything is told, bit/s: as aiortc begins.
const DEFAULT: u64 = 500_000;
/// Bytes of a payload.
const PACKET: f64 = 1_100.0;
