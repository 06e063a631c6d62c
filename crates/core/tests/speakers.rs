//! Who speaks, by scripts of audio levels in virtual time.

mod common;

use std::time::Duration;

use common::party::{Party, SECOND, SILENT, speech};
use headwater_core::command::Command;
use headwater_core::event::Event;

#[test]
fn the_word_goes_from_one_to_the_other() {
    let mut party = Party::new(1, 1, 3);
    party.talk(SECOND, |_, _| SILENT);
    assert_eq!(party.speakers(), [], "silence is no speech");
    let says = |who: usize| {
        move |place, packet| {
            if place == who {
                speech(packet, 30)
            } else {
                SILENT
            }
        }
    };
    party.talk(SECOND, says(0));
    assert_eq!(party.speakers(), [Some(0)], "within a second");
    party.talk(4 * SECOND, says(0));
    party.talk(2 * SECOND, says(1));
    assert_eq!(party.speakers(), [Some(1)], "within two seconds");
    party.talk(4 * SECOND, |_, _| SILENT);
    assert_eq!(
        party.speakers(),
        [None],
        "nobody after three seconds of silence"
    );
}

#[test]
fn a_cough_does_not_take_the_word() {
    let mut party = Party::new(2, 1, 2);
    party.talk(5 * SECOND, |place, packet| {
        if place == 0 {
            speech(packet, 35)
        } else {
            SILENT
        }
    });
    assert_eq!(party.speakers(), [Some(0)]);
    // Louder than the speaker, for 400 ms, while the speaker goes on and while the speaker thinks.
    party.talk(SECOND * 2 / 5, |place, packet| {
        if place == 0 {
            speech(packet, 35)
        } else {
            Some(8)
        }
    });
    party.talk(SECOND, |place, packet| {
        if place == 0 {
            speech(packet, 35)
        } else {
            SILENT
        }
    });
    party.talk(SECOND, |_, _| SILENT);
    party.talk(
        SECOND * 2 / 5,
        |place, _| if place == 0 { SILENT } else { Some(8) },
    );
    party.talk(5 * SECOND, |place, packet| {
        if place == 0 {
            speech(packet, 35)
        } else {
            SILENT
        }
    });
    assert_eq!(party.speakers(), [], "the same speaker all the time");
}

#[test]
fn a_fan_is_no_speaker() {
    let mut party = Party::new(3, 1, 2);
    party.talk(
        3 * SECOND,
        |place, _| if place == 0 { Some(52) } else { SILENT },
    );
    assert_eq!(party.speakers(), [], "a steady noise");
    party.talk(2 * SECOND, |place, packet| {
        if place == 0 {
            Some(52)
        } else {
            speech(packet, 40)
        }
    });
    assert_eq!(party.speakers(), [Some(1)]);
}

#[test]
fn a_speaker_who_leaves_or_is_muted_speaks_no_more() {
    let mut party = Party::new(4, 1, 2);
    party.talk(2 * SECOND, |place, packet| {
        if place == 0 {
            speech(packet, 30)
        } else {
            SILENT
        }
    });
    let publisher = party.members[0].voice;
    let paused = true;
    party.threads.worlds[0]
        .command(Command::SetPublisherPaused { publisher, paused })
        .unwrap();
    party.talk(2 * SECOND, |place, packet| {
        if place == 0 {
            speech(packet, 30)
        } else {
            SILENT
        }
    });
    assert_eq!(party.speakers(), [Some(0), None]);
    party.talk(2 * SECOND, |place, packet| {
        if place == 1 {
            speech(packet, 30)
        } else {
            SILENT
        }
    });
    let transport = party.members[1].transport;
    party.threads.worlds[0]
        .command(Command::CloseTransport { transport })
        .unwrap();
    party.talk(SECOND, |_, _| None);
    assert_eq!(party.speakers(), [Some(1), None]);
}

#[test]
fn the_home_hears_all_threads() {
    let mut party = Party::new(5, 2, 4);
    for who in [3, 0, 1] {
        party.talk(3 * SECOND, |place, packet| {
            if place == who {
                speech(packet, 30)
            } else {
                SILENT
            }
        });
        assert_eq!(party.speakers(), [Some(who)]);
    }
    party.talk(5 * SECOND, |_, _| None);
    assert_eq!(party.speakers(), [None]);
}

#[test]
fn levels_are_told_to_those_who_ask() {
    let mut party = Party::new(6, 2, 3);
    let loud = |place: usize, _| Some([20, 80, 40][place]);
    party.talk(SECOND, loud);
    let levels = |party: &mut Party| {
        party.threads.worlds[0].take_events(|event| match event {
            Event::AudioLevels { levels, .. } => Some(levels.clone()),
            _ => None,
        })
    };
    assert_eq!(levels(&mut party).len(), 0, "nobody has asked");
    let (router, interval) = (party.router, Some(Duration::from_millis(1)));
    party.threads.worlds[0]
        .command(Command::SetAudioLevels { router, interval })
        .unwrap();
    party.talk(2 * SECOND, loud);
    let told = levels(&mut party);
    assert!(
        (8..=10).contains(&told.len()),
        "every 200 ms: {}",
        told.len()
    );
    let (loudest, next) = (party.members[0].voice, party.members[2].voice);
    assert_eq!(*told.last().unwrap(), [(loudest, 20), (next, 40)]);
    party.talk(3 * SECOND, |_, _| SILENT);
    let quiet = levels(&mut party);
    assert!(quiet.len() < 8, "silence is told once: {}", quiet.len());
    assert_eq!(quiet.last(), Some(&Vec::new()));
}

/// A room in which nobody sends sound has no ticks: nothing wakes its thread.
#[test]
fn silence_costs_nothing() {
    let mut party = Party::new(7, 1, 2);
    party.talk(SECOND, |_, packet| speech(packet, 30));
    party.talk(5 * SECOND, |_, _| None);
    let before = party.threads.worlds[0].counter("voice_ticks");
    party.talk(5 * SECOND, |_, _| None);
    let after = party.threads.worlds[0].counter("voice_ticks");
    assert!(after - before < 10, "{} ticks", after - before);
}
