//! Who speaks: one speaker per room, in the manner of Volfin and Cohen, with three spans of time.
//!
//! Whoever is to take the word must be heard now, have spoken clearly more than the speaker in the
//! last moments (*medium*: a cough is over too soon), and not be a newcomer to a long talk
//! (*long*: a pause of the speaker does not give the word away). Nobody speaks after [`QUIET`] of
//! silence.

use std::time::{Duration, Instant};

use super::voice::Report;
use crate::ids::PublisherId;

/// Who speaks in one router.
#[derive(Debug, Default)]
pub(crate) struct Dominant {
    current: Option<PublisherId>,
    /// When the speaker was last heard.
    heard: Option<Instant>,
}

impl Dominant {
    pub(crate) const fn current(&self) -> Option<PublisherId> {
        self.current
    }

    /// Looks at a tick's reports; true when the speaker is another.
    pub(crate) fn decide<'a>(
        &mut self,
        now: Instant,
        reports: impl Iterator<Item = &'a Report> + Clone,
    ) -> bool {
        let before = self.current;
        let speaker = reports
            .clone()
            .find(|report| Some(report.publisher) == before);
        if speaker.is_none() {
            self.current = None;
        }
        if speaker.is_some_and(|speaker| speaker.immediate >= SPEECH) {
            self.heard = Some(now);
        }
        let challenger = reports
            .filter(|report| Some(report.publisher) != self.current && report.immediate >= SPEECH)
            .max_by(|a, b| a.medium.total_cmp(&b.medium));
        if let Some(challenger) = challenger.filter(|report| takes_over(report, speaker)) {
            self.current = Some(challenger.publisher);
            self.heard = Some(now);
        } else if self
            .heard
            .is_some_and(|heard| now.saturating_duration_since(heard) >= QUIET)
        {
            self.current = None;
            self.heard = None;
        }
        self.current != before
    }
}

fn takes_over(challenger: &Report, speaker: Option<&Report>) -> bool {
    let Some(speaker) = speaker else {
        return challenger.medium >= START;
    };
    challenger.medium >= START
        && challenger.medium > speaker.medium * MEDIUM_LEAD
        && challenger.long > speaker.long * LONG_SHARE
}

/// dB above the floor from which on it is speech.
const SPEECH: f32 = 8.0;
/// What takes the word when nobody has it: half a second of speech.
const START: f32 = 10.0;
const MEDIUM_LEAD: f32 = 1.3;
const LONG_SHARE: f32 = 0.8;
/// After so long without speech nobody is the speaker.
const QUIET: Duration = Duration::from_secs(3);
