//! What happens to a call besides loss: a line that narrows, a subscriber that cannot follow, a
//! silence, a new address.
//!
//! Each trial is a function of its seed; [`ALL`] names them. One receiver has the trouble; where a
//! second one is there, it has none and must notice none.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use headwater_core::event::Event;
use headwater_core::ids::ObjectId;

use crate::Link;
use crate::lab::ladder::ms;
use crate::lab::{Bar, Call, Film, Finding, Judge};

/// A trial by name.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// Its name.
    pub name: &'static str,
    run: fn(&mut Call) -> Vec<Bar>,
    receivers: usize,
    film: Film,
}

impl Trial {
    const fn new(name: &'static str, receivers: usize, run: fn(&mut Call) -> Vec<Bar>) -> Self {
        Self {
            name,
            run,
            receivers,
            film: Film::FACE,
        }
    }

    const fn with(self, film: Film) -> Self {
        Self { film, ..self }
    }

    /// Run it.
    #[must_use]
    pub fn run(&self, seed: u64) -> Finding {
        let mut call = Call::of(self.film, seed, self.receivers);
        (0..self.receivers).for_each(|receiver| call.link(receiver, good()));
        let bars = (self.run)(&mut call);
        Finding {
            trial: self.name,
            seed,
            bars,
        }
    }
}

/// All trials.
pub const ALL: [Trial; 11] = [
    Trial::new("step, 3 Mbit/s to 300 kbit/s", 1, step_down),
    Trial::new("step, 300 kbit/s to 3 Mbit/s", 1, step_up),
    Trial::new("steps beside a page, noise", 1, shared_steps).with(Film::NOISE),
    Trial::new("slow subscriber, 50 kbit/s", 2, slow_subscriber),
    Trial::new("new port, no signalling", 1, rebinding),
    Trial::new("new address, ICE restart", 1, address_change),
    Trial::new("outage of 5 s", 2, |call| outage(call, 5)),
    Trial::new("outage of 30 s", 2, |call| outage(call, 30)),
    Trial::new("outage of 120 s", 2, |call| outage(call, 120)),
    Trial::new("receiver short of CPU", 1, starved_receiver),
    Trial::new("server short of CPU", 1, stalled_server),
];

fn good() -> Link {
    Link::default().delayed(Duration::from_millis(45))
}

/// A line of this rate; its buffer is that of a home router.
fn narrow(rate: u64) -> Link {
    Link {
        rate,
        queue: 48 * 1024,
        ..good()
    }
}

/// A minute into the call: the sound buffer's memory is half a minute, and in a younger call its first
/// bad second weighs far more than later ones would.
fn step_down(call: &mut Call) -> Vec<Bar> {
    call.link(0, narrow(3_000_000));
    call.talk(Duration::from_secs(60));
    let before = layer(&call.receivers[0].judge, call.now());
    let step = call.now();
    call.link(0, narrow(300_000));
    let stretch = call.talk(Duration::from_secs(20));
    call.talk(Duration::from_secs(1));
    let judge = &call.receivers[0].judge;
    let lower = (0..TOP).filter_map(|layer| judge.seen(layer, stretch.clone()).next());
    let lower = lower.min().map_or(f64::INFINITY, |at| ms(at - step));
    let verdict = call.verdict(0, stretch.clone());
    let settled = call.verdict(0, step + Duration::from_secs(5)..stretch.end);
    vec![
        Bar::at_least("layer before", before, f64::from(TOP)),
        Bar::at_most("layer down after ms", lower, 2_000.0),
        Bar::at_least("sound %", 100.0 * verdict.heard(), 99.0),
        Bar::at_most("longest silence ms", ms(verdict.silence), f64::INFINITY),
        Bar::at_most("added on the way after 5 s ms", ms(settled.way), 200.0),
        Bar::at_most(
            "sound delay after 5 s ms",
            ms(settled.sound_delay),
            f64::INFINITY,
        ),
        Bar::at_most("frozen % after 5 s", 100.0 * settled.frozen, 2.0),
    ]
}

fn step_up(call: &mut Call) -> Vec<Bar> {
    call.link(0, narrow(300_000));
    call.talk(SETTLE);
    call.link(0, narrow(3_000_000));
    let stretch = call.talk(Duration::from_secs(20));
    let judge = &call.receivers[0].judge;
    let back = judge
        .samples(stretch.clone(), Duration::from_secs(1))
        .into_iter()
        .find(|sample| sample.bitrate >= 0.8 * 3e6)
        .map_or(f64::INFINITY, |sample| ms(sample.at - stretch.start));
    let verdict = call.verdict(0, stretch);
    vec![
        Bar::at_most("80 % of capacity after ms", back, 10_000.0),
        Bar::at_least("sound %", 100.0 * verdict.heard(), 99.0),
    ]
}

/// A line that narrows and widens while a page and its signalling come by the same way: every burst of
/// theirs fills the narrow line for a sixth of a second, and says nothing of what it carries.
fn shared_steps(call: &mut Call) -> Vec<Bar> {
    call.link(0, narrow(3_000_000));
    call.share_line(Duration::from_millis(700), 6_400);
    call.talk(SETTLE);
    call.link(0, narrow(300_000));
    let thin = call.talk(Duration::from_secs(20));
    call.link(0, narrow(3_000_000));
    let wide = call.talk(Duration::from_secs(20));
    let judge = &call.receivers[0].judge;
    let small: Vec<Duration> = (0..TOP)
        .flat_map(|layer| judge.seen(layer, thin.clone()))
        .collect();
    let first = small.iter().min().copied().unwrap_or(thin.end);
    let back = judge.seen(TOP, wide.clone()).next();
    let back = back.map_or(f64::INFINITY, |at| ms(at - wide.start));
    vec![
        Bar::at_most("small picture after ms", ms(first - thin.start), 4_000.0),
        Bar::at_least("then moves %", 100.0 * moving(small, first..thin.end), 80.0),
        Bar::at_most(
            "longest silence ms",
            ms(call.verdict(0, thin).silence),
            f64::INFINITY,
        ),
        Bar::at_most("large picture back after ms", back, 10_000.0),
    ]
}

/// The share of a stretch in which one of the pictures follows the other within a second or so: the
/// least layer of noise has two a second.
fn moving(mut pictures: Vec<Duration>, stretch: Range<Duration>) -> f64 {
    pictures.sort_unstable();
    let intervals = pictures.windows(2).map(|pair| pair[1] - pair[0]);
    let moves: Duration = intervals.filter(|interval| *interval <= MOVES).sum();
    moves.as_secs_f64() / (stretch.end - stretch.start).as_secs_f64()
}

/// One receiver's line is of no use; the other one's call is as good as alone.
fn slow_subscriber(call: &mut Call) -> Vec<Bar> {
    let before = call.talk(SETTLE);
    let before = before.end - Duration::from_secs(10)..before.end;
    call.link(0, narrow(50_000));
    let stretch = call.talk(Duration::from_secs(30));
    call.talk(Duration::from_secs(1));
    let slow = call.verdict(0, stretch.clone());
    let other = call.verdict(1, stretch);
    let alone = ms(call.verdict(1, before).picture_delay);
    vec![
        Bar::at_least("others' sound %", 100.0 * other.heard(), 100.0),
        Bar::at_most("others' frozen %", 100.0 * other.frozen, 0.0),
        Bar::at_most(
            "others' picture delay grows by ms",
            ms(other.picture_delay) - alone,
            5.0,
        ),
        Bar::at_most("slow one's requests", slow.key_frame_requests as f64, 60.0),
    ]
}

/// A receiver that is scheduled every 20 to 80 ms only: all waits, nothing is lost, no line is full.
fn starved_receiver(call: &mut Call) -> Vec<Bar> {
    call.talk(SETTLE);
    let peer = call.receivers[0].peer;
    call.world
        .starve(peer, Duration::from_millis(20)..Duration::from_millis(80));
    kept(call)
}

/// A server that is not scheduled for 50 ms, several times a second, often between the moment that it
/// takes for now and the moment at which packets leave.
fn stalled_server(call: &mut Call) -> Vec<Bar> {
    call.talk(SETTLE);
    let every = Duration::from_millis(100)..Duration::from_millis(400);
    call.world.stall(every, Duration::from_millis(50));
    kept(call)
}

/// The picture stays as it was for a minute.
fn kept(call: &mut Call) -> Vec<Bar> {
    let stretch = call.talk(Duration::from_secs(60));
    call.talk(Duration::from_secs(1));
    let samples = call.receivers[0]
        .judge
        .samples(stretch.clone(), Duration::from_millis(500));
    let top = samples
        .iter()
        .filter(|sample| sample.layer == Some(TOP))
        .count();
    let verdict = call.verdict(0, stretch);
    vec![
        Bar::at_least(
            "largest picture %",
            100.0 * top as f64 / samples.len() as f64,
            100.0,
        ),
        Bar::at_least("sound %", 100.0 * verdict.heard(), 99.9),
        Bar::at_most("frozen %", 100.0 * verdict.frozen, 0.0),
    ]
}

/// The translator forgets the mapping: the next datagram leaves from another port.
fn rebinding(call: &mut Call) -> Vec<Bar> {
    call.talk(SETTLE);
    let moment = call.now();
    let address = call.address(0);
    let public = SocketAddr::from(([203, 0, 113, 7], 61_000));
    call.world.network.rebind(address, public);
    call.talk(Duration::from_secs(15));
    let stray = call.world.network.stray;
    call.talk(Duration::from_secs(5));
    let mut bars = recovery(&call.receivers[0].judge, moment, 3_000.0);
    bars.push(Bar::at_most(
        "datagrams to the old port",
        (call.world.network.stray - stray) as f64,
        0.0,
    ));
    bars
}

/// Another network with another address; the client notices after 800 ms and restarts ICE.
fn address_change(call: &mut Call) -> Vec<Bar> {
    call.talk(SETTLE);
    let moment = call.now();
    let old = call.address(0);
    let down = Link {
        down: true,
        ..good()
    };
    call.world.network.change_link(call.world.now, old, down);
    let new = SocketAddr::from(([10, 2, 0, 1], 40_000));
    let peer = call.receivers[0].peer;
    call.world.peers[peer].move_to(new);
    call.link(0, good());
    call.talk(STALL);
    if call.restart_ice(0).is_err() {
        return vec![Bar::at_least("transport kept", 0.0, 1.0)];
    }
    call.talk(Duration::from_secs(15));
    recovery(&call.receivers[0].judge, moment, 3_000.0)
}

/// Nothing gets through for a while. Up to 30 s the call heals by itself, after longer silence it
/// has ended, and the other one noticed nothing either way.
fn outage(call: &mut Call, seconds: u64) -> Vec<Bar> {
    call.talk(SETTLE);
    let start = call.now();
    let down = Link {
        down: true,
        ..good()
    };
    call.link(0, down);
    call.talk(Duration::from_secs(seconds));
    call.link(0, good());
    let moment = call.now();
    let healing = seconds <= 30;
    if healing && seconds > 5 && call.restart_ice(0).is_err() {
        return vec![Bar::at_least("transport kept", 0.0, 1.0)];
    }
    call.talk(Duration::from_secs(12));
    let mut bars = if healing {
        recovery(&call.receivers[0].judge, moment, 2_000.0)
    } else {
        rejoined(call)
    };
    let other = call.verdict(1, start..moment);
    bars.push(Bar::at_least(
        "other's sound %",
        100.0 * other.heard(),
        100.0,
    ));
    bars.push(Bar::at_most("other's frozen %", 100.0 * other.frozen, 0.0));
    bars
}

/// The server has given the silent one up, once, and lets it in again.
fn rejoined(call: &mut Call) -> Vec<Bar> {
    let lost = ObjectId::Transport(call.receivers[0].transport);
    let closed = call.world.take_events(|event| match event {
        Event::Closed { object, .. } if *object == lost => Some(()),
        _ => None,
    });
    call.join();
    let newest = call.receivers.len() - 1;
    call.talk(Duration::from_secs(2));
    let moment = call.now();
    call.talk(Duration::from_secs(2));
    let mut bars = recovery(&call.receivers[newest].judge, moment, 1_000.0);
    bars.push(Bar::at_least(
        "transport given up",
        closed.len() as f64,
        1.0,
    ));
    bars
}

/// How long after `moment` sound and picture were back.
fn recovery(judge: &Judge, moment: Duration, limit: f64) -> Vec<Bar> {
    let after = |found: Option<Duration>| found.map_or(f64::INFINITY, |at| ms(at - moment));
    vec![
        Bar::at_most(
            "sound back after ms",
            after(judge.heard_again(moment)),
            limit,
        ),
        Bar::at_most(
            "picture back after ms",
            after(judge.seen_again(moment)),
            limit,
        ),
    ]
}

fn layer(judge: &Judge, now: Duration) -> f64 {
    let last = now.saturating_sub(Duration::from_secs(1));
    let samples = judge.samples(last..now, Duration::from_secs(1));
    let layer = samples.last().and_then(|sample| sample.layer);
    layer.map_or(f64::NAN, f64::from)
}

/// Pictures that follow each other within this time move.
const MOVES: Duration = Duration::from_millis(1_200);
const TOP: u8 = super::ENCODINGS as u8 - 1;
/// Until bandwidth estimation and layers have found their place.
const SETTLE: Duration = Duration::from_secs(20);
/// What a client's stall detector takes.
const STALL: Duration = Duration::from_millis(800);
