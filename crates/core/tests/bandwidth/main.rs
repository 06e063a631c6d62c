//! The estimator on lines of many kinds, in virtual time.

mod line;

use std::time::{Duration, Instant};

use headwater_core::bandwidth::{
    Arrived, Estimator, Incoming, LimitedBy, Limits, Received, Sent, Stamp,
};
use line::{Conditions, Dice, Flow, Line, origin, run};

/// More than any of the lines carries.
const WANTED: f64 = 20e6;
const SECOND: f64 = 1e3;
const BASE: f64 = 3e6;

/// Mean estimate between two moments (s) as a share of the line, over some seeds; the least.
fn settles_at(conditions: Conditions, from: u32, to: u32) -> f64 {
    (1..=4)
        .map(|seed| {
            let mut line = Line::new(conditions, seed);
            let mut flow = Flow::new(Limits::default(), WANTED);
            run(&mut [&mut flow], &mut line, 0.0, f64::from(from) * SECOND);
            let mut sum = 0.0;
            for s in from..to {
                let at = f64::from(s) * SECOND;
                run(&mut [&mut flow], &mut line, at, at + SECOND);
                sum += flow.estimator.estimate() as f64 / conditions.rate;
            }
            sum / f64::from(to - from)
        })
        .fold(f64::INFINITY, f64::min)
}

fn queue(ms: f64) -> Conditions {
    Conditions {
        queue: ms,
        ..Conditions::rate(BASE)
    }
}

fn loss(share: f64) -> Conditions {
    Conditions {
        loss: share,
        ..Conditions::rate(BASE)
    }
}

fn jitter(ms: f64) -> Conditions {
    Conditions {
        jitter: ms,
        ..Conditions::rate(BASE)
    }
}

/// Lines of 300 kbit/s to 10 Mbit/s are found within five seconds and used to 85 %.
#[test]
fn finds_the_rate_of_a_line() {
    for rate in [300e3, 1e6, 3e6, 10e6] {
        let share = settles_at(Conditions::rate(rate), 5, 30);
        assert!((0.85..1.1).contains(&share), "{rate}: {share:.2}");
    }
}

/// Short queues and deep ones: neither loss nor waiting packets lead to a wrong rate.
#[test]
fn finds_the_rate_whatever_the_queue() {
    for ms in [0.0, 30.0, 100.0, 1000.0] {
        let share = settles_at(queue(ms), 5, 30);
        assert!((0.85..1.1).contains(&share), "queue {ms}: {share:.2}");
    }
}

/// Once settled, packets do not stand in a queue, though it could hold a second of them.
#[test]
fn keeps_queues_short() {
    let mut line = Line::new(queue(1000.0), 3);
    let mut flow = Flow::new(Limits::default(), WANTED);
    run(&mut [&mut flow], &mut line, 0.0, 5.0 * SECOND);
    flow.worst_queue = 0.0;
    run(&mut [&mut flow], &mut line, 5.0 * SECOND, 60.0 * SECOND);
    assert!(flow.worst_queue < 150.0, "{:.0} ms", flow.worst_queue);
}

/// Loss that does not depend on our rate does not cost the rate.
#[test]
fn random_loss_does_not_cost_the_rate() {
    for share in [0.01, 0.05, 0.10, 0.20] {
        let got = settles_at(loss(share), 6, 60);
        assert!((0.70..1.15).contains(&got), "loss {share}: {got:.2}");
    }
}

/// Bursts of loss, 100 ms each, ten a minute.
#[test]
fn bursts_of_loss_do_not_cost_the_rate() {
    let conditions = Conditions {
        bursts: 10.0,
        ..Conditions::rate(BASE)
    };
    let share = settles_at(conditions, 6, 60);
    assert!(share > 0.70, "{share:.2}");
}

/// Jitter is not congestion.
#[test]
fn jitter_does_not_collapse_the_rate() {
    let share = settles_at(jitter(20.0), 6, 40);
    assert!(share > 0.75, "20 ms: {share:.2}");
    let share = settles_at(jitter(50.0), 15, 60);
    assert!(share > 0.6, "50 ms: {share:.2}");
}

/// Congested Wi-Fi: 5 Mbit/s, 20 ms of jitter, 10 % loss.
#[test]
fn congested_wifi_carries_a_picture() {
    let conditions = Conditions {
        rate: 5e6,
        loss: 0.10,
        ..jitter(20.0)
    };
    let share = settles_at(conditions, 6, 60);
    assert!(share > 0.65, "{share:.2}");
}

/// From 3 Mbit/s to 300 kbit/s: down within two seconds, the queue is drained within five, and
/// back at 80 % ten seconds after the line is wide again.
#[test]
fn follows_a_step_down_and_up() {
    for (queue_ms, seed) in [(300.0, 1), (300.0, 2), (1000.0, 3), (1000.0, 4)] {
        let mut line = Line::new(queue(queue_ms), seed);
        let mut flow = Flow::new(Limits::default(), 3.5e6);
        run(&mut [&mut flow], &mut line, 0.0, 20.0 * SECOND);
        line.conditions.rate = 300e3;
        run(&mut [&mut flow], &mut line, 20e3, 22e3);
        let down = flow.estimator.estimate() as f64 / 300e3;
        assert!(down < 1.2, "queue {queue_ms}: {down:.2} after two seconds");
        run(&mut [&mut flow], &mut line, 22e3, 25e3);
        flow.worst_queue = 0.0;
        run(&mut [&mut flow], &mut line, 25e3, 40e3);
        assert!(flow.worst_queue < 200.0, "{:.0} ms", flow.worst_queue);
        line.conditions.rate = BASE;
        run(&mut [&mut flow], &mut line, 40e3, 50e3);
        let up = flow.estimator.estimate() as f64 / BASE;
        assert!(up > 0.80, "queue {queue_ms}: {up:.2} ten seconds later");
    }
}

/// Two flows on one line: over two minutes neither gets less than a quarter of it.
#[test]
fn two_flows_share() {
    let mut line = Line::new(Conditions::rate(4e6), 7);
    let mut first = Flow::new(Limits::default(), WANTED);
    let mut second = Flow::new(Limits::default(), WANTED);
    run(&mut [&mut first], &mut line, 0.0, 10e3);
    let before = first.received_bytes;
    run(&mut [&mut first, &mut second], &mut line, 10e3, 130e3);
    let (a, b) = (first.received_bytes - before, second.received_bytes);
    let all = 4e6 / 8.0 * 120.0;
    let (a, b) = (a as f64 / all, b as f64 / all);
    assert!(a > 0.25 && b > 0.25 && a + b > 0.8, "{a:.2} {b:.2}");
}

/// A sender with one layer of 500 kbit/s that wants 2.5 Mbit/s learns that the line carries it.
#[test]
fn probes_when_more_is_wanted() {
    let mut line = Line::new(Conditions::rate(BASE), 5);
    let mut flow = Flow::new(Limits::default(), 2.5e6);
    flow.ceiling = 500e3;
    run(&mut [&mut flow], &mut line, 0.0, 8e3);
    let estimate = flow.estimator.estimate() as f64;
    assert!(estimate > 2.5e6, "{estimate}");
    // And what the asking costs stays small beside the media.
    let before = (flow.probe_bytes, flow.sent_bytes);
    run(&mut [&mut flow], &mut line, 8e3, 68e3);
    let (probes, sent) = (flow.probe_bytes - before.0, flow.sent_bytes - before.1);
    assert!(probes * 20 < sent, "{probes} of {sent} bytes are padding");
}

/// A picture that is sent although the estimate was a lower guess teaches the estimate.
#[test]
fn learns_from_what_arrives() {
    let mut line = Line::new(Conditions::rate(BASE), 5);
    let mut flow = Flow::new(Limits::default(), 2.5e6);
    flow.floor = 2.5e6;
    run(&mut [&mut flow], &mut line, 0.0, 2e3);
    let estimate = flow.estimator.estimate() as f64;
    assert!(estimate > 2.0e6, "{estimate}");
}

/// Nobody wants more: nothing is asked.
#[test]
fn does_not_probe_for_nothing() {
    let mut line = Line::new(Conditions::rate(BASE), 5);
    let mut flow = Flow::new(Limits::default(), 300e3);
    run(&mut [&mut flow], &mut line, 0.0, 60e3);
    assert_eq!(flow.estimator.state().probes, 0);
    assert!(flow.estimator.estimate() >= 300_000);
}

/// On a full line probing goes on, and stays below a hundredth of what is sent.
#[test]
fn probing_a_full_line_costs_little() {
    let mut line = Line::new(Conditions::rate(1e6), 5);
    let mut flow = Flow::new(Limits::default(), 2.5e6);
    flow.ceiling = 500e3;
    run(&mut [&mut flow], &mut line, 0.0, 20e3);
    let before = (flow.probe_bytes, flow.sent_bytes);
    flow.worst_queue = 0.0;
    run(&mut [&mut flow], &mut line, 20e3, 120e3);
    let (probes, sent) = (flow.probe_bytes - before.0, flow.sent_bytes - before.1);
    assert!(probes * 50 < sent, "{probes} of {sent} bytes are padding");
    assert!(flow.worst_queue < 80.0, "{:.0} ms", flow.worst_queue);
    let estimate = flow.estimator.estimate() as f64 / 1e6;
    assert!((0.8..1.15).contains(&estimate), "{estimate:.2}");
}

/// A peer that falls silent while we send is on a line that may be dead: the rate goes down.
#[test]
fn silence_lowers_the_rate_and_it_comes_back() {
    let mut line = Line::new(Conditions::rate(BASE), 5);
    let mut flow = Flow::new(Limits::default(), WANTED);
    run(&mut [&mut flow], &mut line, 0.0, 10e3);
    let before = flow.estimator.estimate();
    flow.is_heard = false;
    run(&mut [&mut flow], &mut line, 10e3, 15e3);
    let silent = flow.estimator.estimate();
    assert!(silent * 2 < before, "{silent} of {before}");
    flow.is_heard = true;
    run(&mut [&mut flow], &mut line, 15e3, 25e3);
    let after = flow.estimator.estimate() as f64 / BASE;
    assert!(after > 0.8, "{after:.2}");
}

/// A line that was flooded for a while, and on which everything was paused then.
fn flooded(rate: f64, queue: f64, flood: f64) -> (Line, Flow) {
    let mut line = Line::new(
        Conditions {
            queue,
            ..Conditions::rate(rate)
        },
        5,
    );
    let mut flow = Flow::new(Limits::default(), 7e6);
    flow.floor = 7e6;
    run(&mut [&mut flow], &mut line, 0.0, flood);
    flow.stop(true);
    (line, flow)
}

/// Nothing is sent, so nothing more is heard that could say that a flooded line has come to rest: it
/// is asked all the same.
#[test]
fn a_line_on_which_all_was_paused_is_asked_again() {
    for queue in [60.0, 300.0, 2e3] {
        for flood in [300.0, 1e3, 3e3] {
            let (mut line, mut flow) = flooded(2e6, queue, flood);
            run(&mut [&mut flow], &mut line, flood, flood + 8e3);
            let estimate = flow.estimator.estimate() as f64 / 1e6;
            let case = format!("queue {queue} ms, flood {flood} ms");
            assert!((1.2..3.0).contains(&estimate), "{case}: {estimate:.2}");
        }
    }
}

/// A publisher that sends nothing for a while is no pause of ours: what is known of the line stays.
#[test]
fn a_quiet_publisher_leaves_the_estimate_alone() {
    let mut line = Line::new(Conditions::rate(2e6), 5);
    let mut flow = Flow::new(Limits::default(), 7e6);
    run(&mut [&mut flow], &mut line, 0.0, 10e3);
    let (before, ceiling) = (flow.estimator.estimate(), flow.ceiling);
    flow.stop(false);
    run(&mut [&mut flow], &mut line, 10e3, 20e3);
    let quiet = flow.estimator.estimate();
    flow.ceiling = ceiling;
    run(&mut [&mut flow], &mut line, 20e3, 20.5e3);
    let after = flow.estimator.estimate();
    let close = |estimate: u64| estimate.abs_diff(before) < before / 5;
    assert!(close(quiet) && close(after), "{before} {quiet} {after}");
}

/// While it stays narrow or dead the asking costs a few kbit/s; wide again, it is found within
/// seconds.
#[test]
fn a_paused_line_that_stays_narrow_is_not_flooded() {
    for (rate, loss) in [(30e3, 0.0), (100e3, 0.0), (100e3, 0.5), (100e3, 1.0)] {
        let case = format!("{rate} bit/s, {loss} lost");
        let (mut line, mut flow) = flooded(2e6, 300.0, 400.0);
        line.conditions.rate = rate;
        line.conditions.loss = loss;
        run(&mut [&mut flow], &mut line, 400.0, 10e3);
        let before = flow.sent_bytes;
        run(&mut [&mut flow], &mut line, 10e3, 70e3);
        let sent = flow.sent_bytes - before;
        assert!(sent > 0, "{case}: never asked");
        assert!(sent < 60_000, "{case}: {sent} bytes in a minute"); // 8 kbit/s
        line.conditions = Conditions::rate(2e6);
        run(&mut [&mut flow], &mut line, 70e3, 80e3);
        let estimate = flow.estimator.estimate() as f64 / 1e6;
        assert!(estimate > 1.2, "{case}: {estimate:.2}");
    }
}

/// Without transport-wide feedback a REMB is believed, and loss reports lower it.
#[test]
fn falls_back_to_remb_and_reports() {
    let start = origin();
    let mut estimator = Estimator::new(Limits::default());
    estimator.expect_feedback(start, false);
    assert!(estimator.estimate() > 10_000_000, "nobody has complained");
    assert!(!estimator.is_measured(start));
    estimator.on_remb(start, 1_500_000);
    assert!(estimator.is_measured(start));
    assert_eq!(estimator.estimate(), 1_500_000);
    let at = |s: u64| start + Duration::from_secs(s);
    estimator.on_loss_report(at(1), 0.2, Duration::from_millis(80));
    let after = estimator.estimate();
    assert_eq!(estimator.state().limited_by, LimitedBy::Peer);
    assert!((1_300_000..1_400_000).contains(&after), "{after}");
    estimator.on_loss_report(at(2), 0.05, Duration::from_millis(80));
    assert_eq!(estimator.estimate(), after, "2 to 10 % holds");
    for s in 3..20 {
        estimator.on_loss_report(at(s), 0.0, Duration::from_millis(80));
        estimator.on_remb(at(s), 1_500_000);
    }
    assert_eq!(estimator.estimate(), 1_500_000, "grows, and not above REMB");
}

/// Whatever the peer says, the estimate stays within its limits and nothing panics.
#[test]
fn any_feedback_keeps_the_limits() {
    for seed in 1..=200 {
        let mut dice = Dice::new(seed);
        let limits = Limits {
            initial: 1 + dice.next() % 5_000_000,
            min: 1 + dice.next() % 100_000,
            max: 1 + dice.next() % 20_000_000,
        };
        let mut estimator = Estimator::new(limits);
        let mut now = origin();
        let mut sequence = 0;
        for step in 0..400 {
            abuse(&mut estimator, &mut dice, &mut now, &mut sequence);
            let estimate = estimator.estimate();
            let range = limits.min..=limits.max.max(limits.min);
            assert!(
                range.contains(&estimate),
                "seed {seed}, step {step}: {estimate} of {limits:?}"
            );
        }
    }
}

fn abuse(estimator: &mut Estimator, dice: &mut Dice, now: &mut Instant, sequence: &mut u64) {
    *now += Duration::from_micros(dice.next() % 300_000);
    match dice.next() % 8 {
        0..=2 => {
            for _ in 0..dice.next() % 100 {
                *sequence += 1 + u64::from(dice.share() < 0.01) * (dice.next() % 5_000);
                estimator.on_sent(Sent {
                    sequence: *sequence,
                    at: *now,
                    bytes: (dice.next() % 100_000) as u32,
                    probe: None,
                });
            }
        }
        3..=4 => {
            let base = sequence.saturating_sub(dice.next() % 3_000);
            let wild = dice.share() < 0.3;
            let packets: Vec<Received> = (0..dice.next() % 300)
                .map(|n| Received {
                    sequence: base + n,
                    arrival: (dice.share() < 0.8).then(|| {
                        let span = if wild {
                            u64::MAX / 2_000_000
                        } else {
                            1_000_000
                        };
                        Duration::from_micros(dice.next() % span)
                    }),
                })
                .collect();
            estimator.on_feedback(*now, &mut packets.into_iter());
        }
        5 => estimator.on_remb(*now, dice.next() >> (dice.next() % 64)),
        6 => {
            let fraction = f32::from_bits(dice.next() as u32);
            estimator.on_loss_report(
                *now,
                fraction,
                Duration::from_micros(dice.next() % 9_000_000),
            );
        }
        _ => {
            estimator.set_demand(dice.next() % 30_000_000, dice.next() % 30_000_000);
            estimator.set_starved(dice.share() < 0.5);
            estimator.on_timeout(*now);
            let _ = estimator.take_probe(*now);
            assert!(estimator.next_timeout().is_none_or(|at| at > *now));
            let _ = (
                estimator.next_timeout(),
                estimator.state(),
                estimator.pacing_rate(),
            );
        }
    }
}

/// Whatever packets that come in say of themselves, the estimate keeps its limits, and what is kept of
/// them is bounded.
#[test]
fn any_arrivals_keep_the_limits() {
    for seed in 1..=200 {
        let mut dice = Dice::new(seed);
        let limits = Limits {
            initial: 0,
            min: 1 + dice.next() % 100_000,
            max: 200_000 + dice.next() % 20_000_000,
        };
        let mut incoming = Incoming::new(limits);
        let (mut now, mut sequence) = (origin() + Duration::from_secs(1_000), 1 << 20);
        for step in 0..2_000 {
            let gap = if dice.share() < 0.01 {
                5_000_000
            } else {
                20_000
            };
            now += Duration::from_micros(dice.next() % gap);
            sequence += dice.next() % 3;
            incoming.on_packet(arrival(&mut dice, now, sequence));
            let estimate = incoming.take_due(now).or(incoming.estimate());
            let range = limits.min..=limits.max;
            assert!(
                estimate.is_none_or(|estimate| range.contains(&estimate)),
                "seed {seed}, step {step}: {estimate:?} of {limits:?}"
            );
            assert!(incoming.sources().count() <= Incoming::MOST_SOURCES);
        }
        assert!(incoming.estimate().is_some(), "seed {seed}");
    }
}

fn arrival(dice: &mut Dice, at: Instant, sequence: u64) -> Arrived {
    let wild = dice.share() < 0.1;
    let back = Duration::from_micros(dice.next() % if wild { 900_000_000 } else { 50_000 });
    let ahead = Duration::from_secs(if wild { dice.next() % 1_000_000_000 } else { 0 });
    Arrived {
        at,
        bytes: (dice.next() % 1_500) as u32,
        sequence: if wild { dice.next() } else { sequence },
        stamp: Stamp {
            ssrc: (dice.next() % if wild { 1 << 32 } else { 3 }) as u32,
            timestamp: (dice.next() as u32, (dice.next() % 2 * 90_000) as u32),
            send_time: (dice.share() < 0.7).then(|| at - back + ahead),
        },
    }
}
