//! Slots of an audience: a fixed number of m-lines carries whoever is loudest, by scripts of
//! audio levels in virtual time.

mod common;

use std::time::Duration;

use common::party::{Party, SECOND, SILENT, speech};
use headwater_core::command::{Command, Feed};
use headwater_core::error::Error;
use headwater_core::event::{Event, Reply, TrackKind};
use headwater_core::ids::{PublisherId, SubscriberId, TransportId};
use headwater_core::layer::Content;
use headwater_core::record::preamble;
use headwater_core::record::replay::{Step, replay};
use headwater_sim::{Received, Threads};

/// Somebody with slots.
struct Listener {
    world: usize,
    peer: usize,
    transport: TransportId,
    slots: Vec<SubscriberId>,
}

fn listen(party: &mut Party, world: usize, slots: usize, own: Option<TransportId>) -> Listener {
    let router = party.threads.routers[world];
    let there = &mut party.threads.worlds[world];
    let transport = there.create_subscribe_transport(router);
    let peer = there.add_peer();
    let slots: Vec<_> = (0..slots).map(|_| SubscriberId(there.handle())).collect();
    let command = Command::OpenSlots {
        transport,
        kind: TrackKind::Audio,
        slots: slots.clone(),
        own,
    };
    let Ok(Reply::Offer { sdp, mids }) = party.threads.command(world, command) else {
        panic!("slots make an offer")
    };
    assert_eq!(mids.len(), slots.len());
    let sdp = party.threads.worlds[world].peers[peer].answer(&sdp);
    let command = Command::AcceptAnswer { transport, sdp };
    party
        .threads
        .command(world, command)
        .expect("a good answer");
    for _ in 0..500 {
        if party.threads.worlds[world].peers[peer].connected {
            return Listener {
                world,
                peer,
                transport,
                slots,
            };
        }
        party.threads.run(Duration::from_millis(10));
    }
    panic!("not connected within 5 s")
}

impl Listener {
    /// Who fills the slots after all changes so far, by place in the party.
    fn changes(&self, party: &mut Party) -> Vec<(usize, Option<usize>)> {
        let members: Vec<_> = party.members.iter().map(|member| member.voice).collect();
        let who = |voice: PublisherId| members.iter().position(|member| *member == voice);
        party.threads.worlds[self.world].take_events(|event| match event {
            Event::SlotChanged {
                subscriber,
                publisher,
            } => {
                let slot = self.slots.iter().position(|slot| slot == subscriber)?;
                Some((slot, publisher.and_then(who)))
            }
            _ => None,
        })
    }

    fn hears(&self, party: &mut Party, before: &mut [Option<usize>]) -> Vec<usize> {
        for (slot, who) in self.changes(party) {
            before[slot] = who;
        }
        let mut heard: Vec<_> = before.iter().copied().flatten().collect();
        heard.sort_unstable();
        heard
    }

    fn received(&self, party: &mut Party) -> Vec<Received> {
        party.threads.worlds[self.world].peers[self.peer].take_received()
    }
}

/// Numbers count on without a jump, one SSRC per m-line, whoever was heard.
fn assert_unbroken(received: &[Received]) {
    let mut mids: Vec<_> = received.iter().map(|packet| packet.mid).collect();
    mids.sort_unstable();
    mids.dedup();
    for mid in mids {
        let line: Vec<_> = received.iter().filter(|packet| packet.mid == mid).collect();
        for pair in line.windows(2) {
            assert_eq!(pair[1].ssrc, pair[0].ssrc);
            assert_eq!(pair[1].sequence, pair[0].sequence + 1);
            let ticks = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            assert!(ticks > 0 && ticks < 1 << 31, "time goes on: {ticks}");
        }
    }
}

fn says(who: &[usize]) -> impl Fn(usize, u64) -> Option<i8> {
    move |place, packet| {
        if who.contains(&place) {
            speech(packet, 30)
        } else {
            SILENT
        }
    }
}

#[test]
fn the_loudest_of_many_are_heard_without_another_offer() {
    let mut party = Party::new(20, 1, 8);
    party.talk(SECOND, says(&[]));
    let listener = listen(&mut party, 0, 3, None);
    let mut slots = [None; 3];
    party.talk(SECOND, says(&[4, 5, 6]));
    assert_eq!(listener.hears(&mut party, &mut slots), [4, 5, 6]);
    party.talk(2 * SECOND, says(&[1, 5, 7]));
    assert_eq!(listener.hears(&mut party, &mut slots), [1, 5, 7]);
    party.talk(SECOND, says(&[]));
    assert_eq!(listener.changes(&mut party), [], "silence moves nobody");
    let received = listener.received(&mut party);
    assert!(received.len() > 3 * 150, "{}", received.len());
    assert_unbroken(&received);
    let offers = party.threads.worlds[0]
        .take_events(|event| matches!(event, Event::NegotiationNeeded { .. }).then_some(()));
    assert_eq!(offers.len(), 0);
}

/// Who begins to speak while others hold the slots is heard within a syllable.
#[test]
fn a_newcomer_is_heard_at_once() {
    let mut party = Party::new(21, 1, 5);
    let listener = listen(&mut party, 0, 2, None);
    party.talk(3 * SECOND, says(&[0]));
    let mut slots = [None; 2];
    assert_eq!(listener.hears(&mut party, &mut slots).len(), 2);
    let step = Duration::from_millis(20);
    let heard = (1..).find(|_| {
        party.talk(step, says(&[0, 4]));
        listener.hears(&mut party, &mut slots).contains(&4)
    });
    assert!(
        heard.is_some_and(|packets| packets <= 15),
        "{heard:?} packets"
    );
}

#[test]
fn nobody_hears_themselves() {
    let mut party = Party::new(22, 1, 3);
    let own = Some(party.members[1].transport);
    let listener = listen(&mut party, 0, 3, own);
    party.talk(2 * SECOND, says(&[0, 1, 2]));
    let mut slots = [None; 3];
    assert_eq!(listener.hears(&mut party, &mut slots), [0, 2]);
    let (transport, own) = (listener.transport, Some(party.members[2].transport));
    let command = Command::SetOwnTransport { transport, own };
    party.threads.command(0, command).unwrap();
    party.talk(SECOND, says(&[0, 1, 2]));
    assert_eq!(listener.hears(&mut party, &mut slots), [0, 1]);
}

#[test]
fn a_slot_is_free_a_second_after_its_voice_has_gone() {
    let mut party = Party::new(23, 1, 3);
    let listener = listen(&mut party, 0, 2, None);
    party.talk(SECOND, says(&[0, 1]));
    let mut slots = [None; 2];
    assert_eq!(listener.hears(&mut party, &mut slots), [0, 1]);
    let only = |place: usize, packet| (place == 0).then(|| speech(packet, 30)).flatten();
    party.talk(SECOND / 2, only);
    assert_eq!(listener.hears(&mut party, &mut slots), [0, 1]);
    party.talk(SECOND, only);
    assert_eq!(listener.hears(&mut party, &mut slots), [0]);
    let transport = party.members[0].transport;
    party
        .threads
        .command(0, Command::CloseTransport { transport })
        .unwrap();
    assert_eq!(
        listener.hears(&mut party, &mut slots),
        [],
        "at once when it closes"
    );
}

#[test]
fn a_client_may_choose_whom_a_slot_carries() {
    let mut party = Party::new(24, 1, 4);
    let listener = listen(&mut party, 0, 2, None);
    let (transport, subscriber) = (listener.transport, listener.slots[0]);
    let quiet = party.members[3].voice;
    let set = |party: &mut Party, feed| {
        let command = Command::SetSlot {
            transport,
            subscriber,
            feed,
        };
        party.threads.command(0, command).map(|_| ())
    };
    set(&mut party, Feed::Publisher(quiet)).unwrap();
    party.talk(2 * SECOND, says(&[0, 1]));
    let mut slots = [None; 2];
    listener.hears(&mut party, &mut slots);
    assert_eq!(slots[0], Some(3), "quiet, and chosen");
    assert!(matches!(slots[1], Some(0 | 1)));
    set(&mut party, Feed::Nobody).unwrap();
    party.talk(SECOND, says(&[0, 1]));
    listener.hears(&mut party, &mut slots);
    assert_eq!(slots[0], None);
    set(&mut party, Feed::Loudest).unwrap();
    party.talk(SECOND, says(&[0, 1]));
    assert_eq!(listener.hears(&mut party, &mut slots), [0, 1]);
    let gone = Feed::Publisher(PublisherId(99));
    assert!(matches!(set(&mut party, gone), Err(Error::NotFound { .. })));
    assert_unbroken(&listener.received(&mut party));
}

/// The listener's thread hears of voices on the others, and takes only those it needs.
#[test]
fn voices_of_all_threads_fill_the_slots_of_each() {
    let mut party = Party::new(25, 3, 9);
    let listeners = [0, 1, 2].map(|world| listen(&mut party, world, 2, None));
    for pair in [[0, 1], [2, 4], [5, 6], [7, 8], [0, 3]] {
        party.talk(2 * SECOND, says(&pair));
        for listener in &listeners {
            let mut slots = [None; 2];
            let held = listener.hears(&mut party, &mut slots);
            assert!(
                held.iter().all(|who| pair.contains(who)),
                "{pair:?}: {held:?}"
            );
        }
    }
    for listener in &listeners {
        let received = listener.received(&mut party);
        assert!(received.len() > 2 * 400, "{}", received.len());
        assert_unbroken(&received);
        let relayed = party.threads.worlds[listener.world].counter("relayed_tracks");
        assert!(relayed <= 2, "{relayed} relays held for two slots");
    }
    for listener in &listeners {
        let transport = listener.transport;
        let close = Command::CloseTransport { transport };
        party.threads.command(listener.world, close).unwrap();
    }
    party.talk(SECOND, says(&[]));
    for world in &mut party.threads.worlds {
        assert_eq!(world.counter("relayed_tracks"), 0);
        assert_eq!(world.counter("publishers"), 3, "those of members, no other");
    }
}

/// Two hundred people with microphones and ten listeners: what is forwarded is what the slots
/// carry, whatever the number of publishers.
#[test]
fn two_hundred_voices_cost_as_many_packets_as_there_are_slots() {
    let mut party = Party::new(26, 1, 200);
    let listeners: Vec<_> = (0..10).map(|_| listen(&mut party, 0, 3, None)).collect();
    party.talk(SECOND, says(&[7, 70, 170]));
    let before = party.threads.worlds[0].counter("packets_forwarded");
    let ticks = party.threads.worlds[0].counter("voice_ticks");
    party.talk(SECOND, says(&[7, 70, 170]));
    let forwarded = party.threads.worlds[0].counter("packets_forwarded") - before;
    assert!(
        (1_400..=1_600).contains(&forwarded),
        "{forwarded} of 100,000"
    );
    let ticks = party.threads.worlds[0].counter("voice_ticks") - ticks;
    assert!(ticks <= 11, "{ticks} looks for 10,000 packets");
    for listener in &listeners {
        let mut slots = [None; 3];
        assert_eq!(listener.hears(&mut party, &mut slots), [7, 70, 170]);
    }
}

/// A room grows from ten people to a hundred: its listeners are offered nothing, have the m-lines
/// they had, and are sent as many packets as before.
#[test]
fn a_room_that_grows_costs_its_listeners_nothing() {
    let mut party = Party::new(27, 1, 10);
    let listeners: Vec<_> = (0..5).map(|_| listen(&mut party, 0, 3, None)).collect();
    let a_second = |party: &mut Party| {
        let before = party.threads.worlds[0].counter("packets_forwarded");
        party.talk(SECOND, says(&[1, 2, 3]));
        party.threads.worlds[0].counter("packets_forwarded") - before
    };
    party.talk(SECOND, says(&[1, 2, 3]));
    let small = a_second(&mut party);
    party.join(90);
    party.talk(SECOND, says(&[1, 2, 3]));
    let large = a_second(&mut party);
    assert_eq!((small, large), (5 * 3 * 50, 5 * 3 * 50));
    let offers = party.threads.worlds[0]
        .take_events(|event| matches!(event, Event::NegotiationNeeded { .. }).then_some(()));
    assert_eq!(offers.len(), 0);
    for listener in &listeners {
        let transport = listener.transport;
        let ask = Command::CreateOffer {
            transport,
            ice_restart: false,
        };
        let Ok(Reply::Offer { sdp, mids }) = party.threads.command(0, ask) else {
            panic!("an offer can be had")
        };
        assert_eq!((mids.len(), sdp.matches("m=audio").count()), (3, 3));
    }
}

/// What belongs to a film or a broadcast has a subscriber of its own and takes no slot, as loud as
/// it may be; it is the active speaker like anybody else.
#[test]
fn the_sound_of_a_film_takes_no_slot() {
    let mut party = Party::new(28, 2, 4);
    let film = party.members[1];
    let listeners = [0, 1].map(|world| listen(&mut party, world, 2, None));
    party.talk(SECOND, says(&[1]));
    let content = |content| Command::SetPublisherContent {
        publisher: film.voice,
        content,
    };
    party.threads.command(1, content(Content::Motion)).unwrap();
    party.talk(2 * SECOND, |place, packet| match place {
        1 => speech(packet, 10),
        _ => speech(packet, 50),
    });
    for listener in &listeners {
        let mut slots = [None; 2];
        let heard = listener.hears(&mut party, &mut slots);
        assert!(heard.len() == 2 && !heard.contains(&1), "{heard:?}");
    }
    assert_eq!(party.speakers().last(), Some(&Some(1)));
}

/// Who fills which slot is decided again from the record, on each media thread.
#[test]
fn slots_are_replayed() {
    let mut party = Party::over(Threads::recorded(29, 2), 6);
    let listeners = [0, 1].map(|world| listen(&mut party, world, 2, None));
    for pair in [[0, 1], [2, 3], [4, 5], [1, 4]] {
        party.talk(2 * SECOND, says(&pair));
    }
    let (transport, subscriber) = (listeners[1].transport, listeners[1].slots[0]);
    let set = |feed| Command::SetSlot {
        transport,
        subscriber,
        feed,
    };
    party.threads.command(1, set(Feed::Nobody)).unwrap();
    party.talk(SECOND, says(&[2, 3]));
    let own = Some(party.members[3].transport);
    let mine = Command::SetOwnTransport { transport, own };
    party.threads.command(1, mine).unwrap();
    party.talk(SECOND, says(&[2, 3]));

    let mut file = preamble();
    for world in &mut party.threads.worlds {
        world.take_record(&mut file);
    }
    let replay = replay(&file, party.threads.worlds[0].now).expect("the record can be read");
    assert_eq!(replay.difference, None);
    for thread in [0, 1] {
        let of_slots = |step: &&Step| step.thread == thread && step.what == "slot";
        let slots = replay.steps.iter().filter(of_slots).count();
        assert!(slots >= 8, "{slots} changes of slots on thread {thread}");
    }
    let speakers = replay.steps.iter().filter(|step| step.what == "speaker");
    assert!(speakers.count() >= 4);
}
