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
    let row = ladder::ROWS.iter().find(|row| row.name == name);
    let row = row.expect("a row of this name");
    for seed in 1..=2 {
        row.run(seed, Duration::from_secs(24)).assert();
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

/// Sound and picture of the worse of two receivers, in per cent, over a minute at this loss.
fn at_loss(name: &str, heard: f64, frozen: f64) {
    let row = ladder::ROWS.iter().find(|row| row.name == name);
    let finding = row
        .expect("a row of this name")
        .run(1, Duration::from_secs(60));
    let figure = |name| finding.bars.iter().find(|bar| bar.name == name).unwrap();
    assert!(figure(ladder::HEARD).value >= heard, "{finding:?}");
    assert!(figure(ladder::FROZEN).value <= frozen, "{finding:?}");
}

/// Sound goes out twice: with one redundant copy alone 99 % would be the most, and here 96 %.
#[test]
fn sound_on_a_line_that_loses_a_tenth() {
    at_loss("10 % random", 99.5, 2.0);
}

#[test]
fn sound_on_a_line_that_loses_a_fifth() {
    at_loss("20 % random", 99.0, 8.0);
}

/// A line that collapses behind a full queue: the smaller picture is there within two seconds, of
/// which the queue itself takes 1.3.
#[test]
fn a_line_that_narrows_to_a_tenth() {
    let trial = trials::ALL
        .iter()
        .find(|trial| trial.name.starts_with("step, 3"));
    let finding = trial.expect("a trial of this name").run(1);
    let down = finding
        .bars
        .iter()
        .find(|bar| bar.name.starts_with("layer down"));
    assert!(
        down.is_some_and(|bar| bar.value <= bar.limit),
        "{finding:?}"
    );
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
