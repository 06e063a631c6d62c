//! What was decided can be decided again, from the record alone.

mod common;

use std::time::Duration;

use headwater_core::command::Command;
use headwater_core::event::Reply;
use headwater_core::ids::SubscriberId;
use headwater_core::journal::Told;
use headwater_core::layer::Preferences;
use headwater_core::record::preamble;
use headwater_core::record::replay::{Replay, ReplayError, Step, replay};
use headwater_sim::lab::Call;
use headwater_sim::{Link, Threads, World};
use str0m::media::MediaKind;

/// Frames that bring something in, by their numbers in a record.
const KINDS: [(&str, u8); 3] = [("commands", 1), ("packets", 3), ("feedback", 4)];

const LAYERS: [(&str, usize, u16); 3] = [("q", 300, 320), ("h", 700, 640), ("f", 1100, 1280)];

/// Half a minute of a simulcast publisher and a viewer who changes its mind; the record of it, and
/// the journal of the viewer.
fn call() -> (Vec<u8>, Vec<Told>) {
    let mut world = World::new(510);
    world.record();
    let router = world.create_router();
    let transport = world.create_publish_transport(router);
    let alice = world.add_peer();
    let (sdp, mid) = world.peers[alice].offer_simulcast(&["q", "h", "f"]);
    let sdp = common::answer_to(&mut world, transport, sdp);
    world.peers[alice].accept_answer(&sdp);
    let publisher = common::publish(&mut world, transport, mid);
    let (_, _, subscribers) = world.subscribe(router, &[publisher]);
    let subscriber: SubscriberId = subscribers[0];
    let mut file = preamble();
    for frame in 0..500 {
        if frame % 100 == 99 {
            world.take_record(&mut file);
        }
        let layers = if frame < 300 {
            &LAYERS[..]
        } else {
            &LAYERS[..2]
        };
        for (rid, size, width) in layers {
            let key = frame % 40 == 0;
            world.peers[alice].send_layer(world.now, mid, rid, key, *size, *width);
        }
        if frame % 100 == 50 {
            let preferences = Preferences {
                spatial: Some((frame / 100 % 3) as u8),
                ..Preferences::default()
            };
            let wish = Command::SetPreferences {
                subscriber,
                preferences,
            };
            world.command(wish).expect("a wish is granted");
        }
        world.run(Duration::from_millis(40));
    }
    let Ok(Reply::Journal(journal)) = world.command(Command::GetJournal { subscriber }) else {
        panic!("a subscriber has a journal")
    };
    world.take_record(&mut file);
    (file, journal)
}

fn played(file: &[u8]) -> Result<Replay, ReplayError> {
    #[allow(clippy::disallowed_methods)] // some moment to count from
    let origin = std::time::Instant::now();
    replay(file, origin)
}

/// Every decision of a recorded call comes again, in the same order, at the same time.
#[test]
fn a_replay_decides_the_same() {
    let (file, journal) = call();
    let replay = played(&file).expect("the record can be read");
    assert_eq!(replay.difference, None);
    for what in [
        "target",
        "current",
        "gate",
        "key_frame_requested",
        "key_frame_arrived",
        "wanted",
    ] {
        assert!(
            replay.steps.iter().any(|step| step.what == what),
            "no {what}"
        );
    }
    assert!(replay.inputs > 3_000, "{} inputs", replay.inputs);
    let of_journal = |what: &str| journal.iter().filter(|told| told.what == what).count();
    let of_replay = |what: &str| replay.steps.iter().filter(|step| step.what == what).count();
    assert_eq!(of_journal("target"), of_replay("target"));
    assert!(of_journal("target") >= 4, "{journal:?}");
}

/// A record that was tampered with is found out: a wish for another layer gives other decisions.
#[test]
fn another_input_decides_otherwise() {
    let (file, _) = call();
    let wish = |spatial: u8| {
        let mut frame = vec![1, spatial]; // some, spatial
        frame.extend([0; 8]);
        frame.extend([128, 1]); // priority
        frame
    };
    let at = file.windows(12).position(|window| *window == wish(1)[..]);
    let mut altered = file.clone();
    altered[at.expect("the wish is in the record") + 1] = 0;
    let replay = played(&altered).expect("it can still be read");
    let difference = replay.difference.expect("it is another call");
    assert!(difference.contains("recorded"), "{difference}");
}

/// Not only wishes: a command that is missing is found out, and so are packets and feedback of which something
/// followed.
#[test]
fn an_input_that_is_missing_is_found_out() {
    let mut call = Call::recorded(514, 1);
    for rate in [4_000_000, 400_000] {
        let link = Link {
            rate,
            queue: 48 * 1024,
            ..Link::default().delayed(Duration::from_millis(25))
        };
        call.link(0, link);
        call.talk(Duration::from_secs(6));
    }
    let mut file = preamble();
    call.world.take_record(&mut file);
    let frames = frames(&file);
    for (name, kind) in KINDS {
        let of_kind: Vec<usize> = (0..frames.len()).filter(|n| frames[*n].0 == kind).collect();
        let tried = of_kind.iter().step_by((of_kind.len() / 10).max(1));
        let differs = |n: &usize| {
            let outcome = played(&without(&file, &frames, *n));
            outcome.map_or(true, |replay| replay.difference.is_some())
        };
        let (count, found) = tried.fold((0, 0), |(count, found), n| {
            (count + 1, found + u32::from(differs(n)))
        });
        let least = if name == "commands" { count } else { 2 };
        assert!(found >= least, "{name}: {found} of {count}");
    }
}

/// Kind, time and body of each frame of the one thread, in order.
fn frames(file: &[u8]) -> Vec<(u8, u64, Vec<u8>)> {
    let mut rest = &file[preamble().len()..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_le_bytes(rest[2..6].try_into().expect("four bytes")) as usize;
        let mut chunk = &rest[6..6 + len];
        rest = &rest[6 + len..];
        while !chunk.is_empty() {
            let len = number(&mut chunk) as usize;
            let mut frame = &chunk[1..len];
            let kind = chunk[0];
            chunk = &chunk[len..];
            let time = number(&mut frame);
            frames.push((kind, time, frame.to_vec()));
        }
    }
    frames
}

/// A number as records have it: seven bits a byte, the lowest first.
fn number(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn put_number(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The record without one frame; what follows comes at its time.
fn without(file: &[u8], frames: &[(u8, u64, Vec<u8>)], missing: usize) -> Vec<u8> {
    let signed = |time: u64| (time >> 1) as i64 * if time & 1 == 0 { 1 } else { -1 };
    let (mut chunk, mut lent) = (Vec::new(), 0);
    for (n, (kind, time, body)) in frames.iter().enumerate() {
        let passed = signed(*time) + lent;
        if n == missing {
            lent = passed;
            continue;
        }
        lent = 0;
        let mut frame = vec![*kind];
        put_number(
            passed.unsigned_abs() << 1 | u64::from(passed < 0),
            &mut frame,
        );
        frame.extend(body);
        put_number(frame.len() as u64, &mut chunk);
        chunk.extend(frame);
    }
    let thread = &file[preamble().len()..][..2];
    let len = (chunk.len() as u32).to_le_bytes();
    [&preamble(), thread, &len, &chunk].concat()
}

/// A file that ends in the middle, as after a crash, is played as far as it goes.
#[test]
fn a_cut_record_is_played() {
    let (file, _) = call();
    let whole = played(&file).expect("the record can be read");
    let cut = played(&file[..file.len() - 9]).expect("so can the most of it");
    assert_eq!(cut.difference, None);
    assert!(cut.steps.len() > whole.steps.len() / 2);
    assert!(cut.inputs < whole.inputs);
    assert_eq!(played(b"another file").unwrap_err(), ReplayError::Stranger);
}

/// A line that narrows and loses packets: estimates, allocations, probes, repairs and dropped
/// queues come out the same.
#[test]
fn a_bad_line_is_replayed() {
    let line = |rate: u64| Link {
        rate,
        queue: 48 * 1024,
        loss: 0.02,
        ..Link::default().delayed(Duration::from_millis(25))
    };
    let mut call = Call::recorded(511, 2);
    for rate in [4_000_000, 500_000, 150_000, 3_000_000] {
        call.link(0, line(rate));
        call.talk(Duration::from_secs(8));
    }
    let mut file = preamble();
    call.world.take_record(&mut file);
    let replay = played(&file).expect("the record can be read");
    assert_eq!(replay.difference, None);
    let count = |what: &str| replay.steps.iter().filter(|step| step.what == what).count();
    assert!(count("estimate") > 20, "{} estimates", count("estimate"));
    assert!(count("target") > 4, "{} targets", count("target"));
    let bytes = file.len() as u64 / replay.inputs;
    assert!(bytes < 100, "{bytes} bytes an input");
}

/// A room on two threads: each thread's record has what the other told it.
#[test]
fn two_threads_are_replayed() {
    let mut threads = Threads::recorded(512, 2);
    let router = threads.routers[0];
    let tracks = [(MediaKind::Video, "camera")];
    let (peer, _, published) = threads.worlds[0].publish(router, &tracks, &[]);
    threads.align();
    let (mid, camera) = published[0];
    let (_, _, subscribers) = threads.subscribe(1, &[camera]);
    for frame in 0..100 {
        let world = &mut threads.worlds[0];
        let client = &mut world.peers[peer];
        let asked = client.key_frame_requests.drain(..).count();
        client.send_video(world.now, mid, asked > 0 || frame == 0, 3, 600);
        if frame == 50 {
            let pause = |paused| Command::SetSubscriberPaused {
                subscriber: subscribers[0],
                paused,
            };
            threads.command(1, pause(true)).expect("it is known");
            threads.command(1, pause(false)).expect("it is known");
        }
        threads.run(Duration::from_millis(40));
    }
    let mut file = preamble();
    for world in &mut threads.worlds {
        world.take_record(&mut file);
    }
    let replay = played(&file).expect("the record can be read");
    assert_eq!(replay.difference, None);
    for thread in [0, 1] {
        let asked = |step: &&Step| step.thread == thread && step.what == "key_frame_requested";
        assert!(replay.steps.iter().any(|step| asked(&step)), "{thread}");
    }
}

/// Whatever is done to a file, it is played or refused.
#[test]
fn a_damaged_record_does_no_harm() {
    let (file, _) = call();
    let mut state = 513_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut refused = 0;
    for _ in 0..30 {
        let mut damaged = file.clone();
        for _ in 0..1 + random(5) {
            let place = 10 + random(damaged.len() - 10);
            damaged[place] = random(256) as u8;
        }
        refused += u32::from(played(&damaged).is_err());
    }
    assert!(refused > 0, "no damage was seen");
}
