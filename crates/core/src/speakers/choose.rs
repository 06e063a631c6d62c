//! Which voices fill a client's slots. Pure: from the ranking and what the slots have now.
//!
//! Sound: who makes none for a second frees a slot, a free slot goes to the loudest who has none,
//! and a voice takes the slot of the quietest when it is louder by [`MARGIN`]; what is no voice
//! (a film's sound, a broadcast) gets none. Pictures: the last who spoke; a picture keeps its slot
//! until somebody who spoke later needs it, muted or not.

use super::voice::Report;
use crate::event::TrackKind;
use crate::ids::{PublisherId, TransportId};

/// What the slots of one client are to have.
pub(crate) struct Choice<'a> {
    pub(crate) kind: TrackKind,
    /// Everybody who makes sound, the loudest first.
    pub(crate) ranking: &'a [Report],
    /// The client's own transport: nobody hears themselves.
    pub(crate) own: Option<TransportId>,
}

impl Choice<'_> {
    /// Changes `slots` to what they are to have.
    pub(crate) fn fill(&self, slots: &mut [Option<PublisherId>]) {
        if self.kind == TrackKind::Audio {
            for slot in slots.iter_mut() {
                let stays = |id: &PublisherId| self.find(*id).is_some_and(|report| report.fills);
                *slot = slot.filter(stays);
            }
        }
        for report in self.candidates() {
            let Some(publisher) = self.source(report).filter(|id| !slots.contains(&Some(*id)))
            else {
                continue;
            };
            let Some(slot) = self.weakest(slots) else {
                return;
            };
            let worth = slot.map(|held| self.find(held).map_or(0.0, |held| self.worth(held)));
            if worth.is_some_and(|worth| self.worth(report) < worth + self.margin()) {
                if self.kind == TrackKind::Audio {
                    return; // nobody who follows is louder
                }
                continue;
            }
            *slot = Some(publisher);
        }
    }

    fn candidates(&self) -> impl Iterator<Item = &Report> {
        let is_voice = |report: &Report| report.fills || self.kind == TrackKind::Video;
        let suits = |report: &&Report| is_voice(report) && Some(report.transport) != self.own;
        let mut all: Vec<_> = self.ranking.iter().filter(suits).collect();
        if self.kind == TrackKind::Video {
            all.sort_by_key(|report| std::cmp::Reverse(report.spoke));
        }
        all.into_iter()
    }

    /// A free slot, else the one with the least worth.
    fn weakest<'s>(
        &self,
        slots: &'s mut [Option<PublisherId>],
    ) -> Option<&'s mut Option<PublisherId>> {
        let worth = |held: Option<PublisherId>| match held {
            None => -1.0,
            Some(held) => self.find(held).map_or(0.0, |report| self.worth(report)),
        };
        slots
            .iter_mut()
            .min_by(|a, b| worth(**a).total_cmp(&worth(**b)))
    }

    fn find(&self, publisher: PublisherId) -> Option<&Report> {
        self.ranking
            .iter()
            .find(|report| self.source(report) == Some(publisher))
    }

    const fn source(&self, report: &Report) -> Option<PublisherId> {
        match self.kind {
            TrackKind::Audio => Some(report.publisher),
            TrackKind::Video => report.picture,
        }
    }

    fn worth(&self, report: &Report) -> f32 {
        match self.kind {
            TrackKind::Audio => report.loudness,
            TrackKind::Video => report.spoke as f32,
        }
    }

    const fn margin(&self) -> f32 {
        match self.kind {
            TrackKind::Audio => MARGIN,
            TrackKind::Video => 1.0,
        }
    }
}

/// dB above its noise by which a voice must be louder than one that has a slot.
const MARGIN: f32 = 12.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(id: u64, loudness: f32, spoke: u32) -> Report {
        Report {
            publisher: PublisherId(id),
            transport: TransportId(id),
            picture: Some(PublisherId(id + 100)),
            level: 0,
            loudness,
            immediate: 0.0,
            medium: 0.0,
            long: 0.0,
            spoke,
            fills: true,
        }
    }

    fn fill(
        kind: TrackKind,
        ranking: &[Report],
        own: u64,
        slots: [Option<u64>; 2],
    ) -> [Option<u64>; 2] {
        let mut slots = slots.map(|id| id.map(PublisherId));
        let own = Some(TransportId(own));
        Choice { kind, ranking, own }.fill(&mut slots);
        slots.map(|id| id.map(|id| id.0))
    }

    #[test]
    fn the_loudest_are_heard_and_never_oneself() {
        let all = [voice(1, 40.0, 0), voice(2, 30.0, 0), voice(3, 20.0, 0)];
        let hears = |own| fill(TrackKind::Audio, &all, own, [None, None]);
        assert_eq!(hears(9), [Some(1), Some(2)]);
        assert_eq!(hears(1), [Some(2), Some(3)]);
    }

    #[test]
    fn the_sound_of_a_film_fills_no_slot() {
        let film = Report {
            fills: false,
            ..voice(1, 60.0, 0)
        };
        let all = [film, voice(2, 30.0, 0)];
        let had = |slots| fill(TrackKind::Audio, &all, 9, slots);
        assert_eq!(had([None, None]), [Some(2), None]);
        assert_eq!(had([Some(1), Some(2)]), [None, Some(2)]);
    }

    #[test]
    fn a_slot_changes_hands_for_who_is_clearly_louder() {
        let had = [Some(1), Some(2)];
        let all = [voice(3, 41.0, 0), voice(2, 40.0, 0), voice(1, 30.0, 0)];
        assert_eq!(fill(TrackKind::Audio, &all, 9, had), had);
        let all = [voice(3, 42.0, 0), voice(2, 40.0, 0), voice(1, 30.0, 0)];
        assert_eq!(fill(TrackKind::Audio, &all, 9, had), [Some(3), Some(2)]);
    }

    #[test]
    fn who_is_gone_frees_a_slot() {
        let had = [Some(1), Some(2)];
        assert_eq!(
            fill(TrackKind::Audio, &[voice(2, 0.0, 0)], 9, had),
            [None, Some(2)]
        );
        assert_eq!(fill(TrackKind::Audio, &[], 9, had), [None, None]);
    }

    #[test]
    fn pictures_are_of_the_last_who_spoke() {
        let all = [voice(1, 40.0, 1), voice(2, 0.0, 3), voice(3, 0.0, 2)];
        let sees = |had| fill(TrackKind::Video, &all, 9, had);
        assert_eq!(sees([None, None]), [Some(102), Some(103)]);
        assert_eq!(sees([Some(101), Some(103)]), [Some(102), Some(103)]);
        // Muted now, and seen as long as nobody needs the slot.
        assert_eq!(
            fill(TrackKind::Video, &[], 9, [Some(101), None]),
            [Some(101), None]
        );
    }
}
