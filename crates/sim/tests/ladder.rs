//! Calls on good and bad links, as a person would find them. `headwater bench ladder` runs all of
//! them with many seeds; here each has a few.

use std::time::Duration;

use headwater_sim::Link;
use headwater_sim::lab::{Call, ladder, trials};

fn trial(name: &str) {
    let trial = trials::ALL.iter().find(|trial| trial.name == name);
    let trial = trial.expect("a trial of this name");
    for seed in 1..=2 {
        trial.run(seed).assert();
    }
}

fn row(name: &str) {
    row_for(name, Duration::from_secs(24));
}

fn row_for(name: &str, length: Duration) {
    let row = ladder::ROWS.iter().find(|row| row.name == name);
    let row = row.expect("a row of this name");
    for seed in 1..=2 {
        row.run(seed, length).assert();
    }
}

/// On a good line everything is heard and seen, and the judge finds nothing to blame.
#[test]
fn a_good_line_is_perfect() {
    let mut call = Call::new(1, 2);
    call.talk(Duration::from_secs(5));
    let stretch = call.talk(Duration::from_secs(10));
    call.talk(Duration::from_secs(1));
    for receiver in 0..2 {
        let verdict = call.verdict(receiver, stretch.clone());
        assert_eq!(verdict.delivered, verdict.frames);
        assert_eq!(verdict.frames, 500);
        assert_eq!(verdict.frozen, 0.0);
        assert!(verdict.pictures >= 299, "{verdict:?}");
        assert!(verdict.bitrate > 2.4e6, "{verdict:?}");
    }
}

/// The judge sees what is bad: loss without repair is silence and freezes.
#[test]
fn a_broken_line_is_noticed() {
    let mut call = Call::new(2, 1);
    call.talk(Duration::from_secs(2));
    let down = Link {
        down: true,
        ..Link::default()
    };
    let start = call.now();
    call.talk(Duration::from_secs(2));
    call.link(0, down);
    call.talk(Duration::from_secs(1));
    call.link(0, Link::default());
    call.talk(Duration::from_secs(3));
    let end = call.now();
    call.talk(Duration::from_secs(1));
    let verdict = call.verdict(0, start..end);
    assert!((48..=52).contains(&(verdict.frames - verdict.delivered)));
    assert!(verdict.silence >= Duration::from_millis(960));
    assert!(
        verdict.blackout >= Duration::from_millis(990),
        "{verdict:?}"
    );
}

#[test]
fn one_in_a_hundred_lost() {
    row("1 % random");
}

#[test]
fn one_in_twenty_lost() {
    // A single freeze of a quarter of a second is 1 % of 24 s and says nothing.
    row_for("5 % random", Duration::from_secs(72));
}

/// Sound goes out twice: with one redundant copy alone 99 % would be the most.
#[test]
fn one_in_ten_lost() {
    // The handshake's keys differ from run to run, and with them who loses what: a single freeze of
    // half a second is 2 % of 24 s and says nothing.
    row_for("10 % random", Duration::from_secs(72));
}

#[test]
fn one_in_five_lost() {
    // As above: one freeze is much of 24 s.
    row_for("20 % random", Duration::from_secs(72));
}

#[test]
fn a_crowded_wireless_network() {
    row_for("wifi_congested", Duration::from_secs(60));
}

/// A line that collapses behind a full queue: no sound is lost, the queue is gone within five seconds,
/// and the smaller picture is there within two, of which the queue itself takes 1.3.
#[test]
fn a_line_that_narrows_to_a_tenth() {
    trial("step, 3 Mbit/s to 300 kbit/s");
}

/// And one that is wide again: it is used within ten seconds, and the key frame of the larger picture does
/// not lead to a smaller one.
#[test]
fn a_line_that_widens_tenfold() {
    trial("step, 300 kbit/s to 3 Mbit/s");
}

/// What else comes by the same line is no reason to send nothing.
#[test]
fn a_line_that_narrows_and_widens_beside_other_traffic() {
    trial("steps beside a page, noise");
}

/// A machine that has no time for its packets is no line that is full.
#[test]
fn a_receiver_short_of_cpu_keeps_its_picture() {
    trial("receiver short of CPU");
}

#[test]
fn a_server_short_of_cpu_keeps_its_pictures() {
    trial("server short of CPU");
}

/// A receiver that is hardly ever scheduled keeps its picture too; one whose line is too narrow does not,
/// however it is scheduled.
#[test]
fn a_receiver_that_sleeps_and_a_line_that_is_full() {
    let nap = Duration::from_millis(20)..Duration::from_millis(200);
    let largest = |rate: u64| {
        let mut call = Call::new(1, 1);
        // A way that becomes longer looks like a queue: it is as long from the start.
        let line = Link {
            queue: 48 * 1024,
            ..Link::default().delayed(Duration::from_millis(45))
        };
        call.link(0, line);
        call.talk(Duration::from_secs(15));
        let peer = call.receivers[0].peer;
        call.world.starve(peer, nap.clone());
        call.link(0, Link { rate, ..line });
        call.talk(Duration::from_secs(5));
        let stretch = call.talk(Duration::from_secs(20));
        let samples = call.receivers[0]
            .judge
            .samples(stretch, Duration::from_millis(500));
        let top = samples
            .iter()
            .filter(|sample| sample.layer == Some(2))
            .count();
        top as f64 / samples.len() as f64
    };
    assert_eq!(largest(0), 1.0);
    let narrow = largest(1_000_000);
    assert!(narrow <= 0.2, "{narrow}"); // a rise that is tried and taken back
}

#[test]
fn bursts() {
    row("bursts, 5 x 100 ms a minute");
}

#[test]
fn a_slow_subscriber_changes_nothing_for_others() {
    trial("slow subscriber, 50 kbit/s");
}

#[test]
fn a_new_address_with_an_ice_restart() {
    trial("new address, ICE restart");
}

#[test]
fn a_new_port_without_signalling() {
    trial("new port, no signalling");
}

#[test]
fn an_outage_of_30_seconds() {
    trial("outage of 30 s");
}

#[test]
fn an_outage_of_5_seconds() {
    trial("outage of 5 s");
}

#[test]
fn an_outage_of_120_seconds() {
    trial("outage of 120 s");
}
