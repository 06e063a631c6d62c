//! A picture as a question: where nothing else can ask the line.
//!
//! When all pictures are paused nothing is sent, and nothing is heard of the line. Probes ask it; but a
//! peer that takes no repair stream cannot be sent any. To such a one the most important picture goes
//! out in its smallest size, whatever the estimate says, for [`LENGTH`]. It stays when the line turns
//! out to carry it. Each time that was in vain doubles the pause before the next, up to [`MOST`].

use std::time::{Duration, Instant};

/// When a picture goes out as a question.
#[derive(Debug)]
pub(super) struct Trial {
    phase: Phase,
    since: Option<Instant>,
    pause: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Some picture is seen, as the estimate allows.
    Fed,
    /// All are paused.
    Waiting,
    /// One is out.
    Asking,
}

impl Default for Trial {
    fn default() -> Self {
        Self {
            phase: Phase::Fed,
            since: None,
            pause: FIRST,
        }
    }
}

impl Trial {
    /// Whether the picture is to go out now. `starved`: all were paused by the last decision; `blind`:
    /// no probe can ask.
    pub(super) fn is_on(&mut self, now: Instant, starved: bool, blind: bool) -> bool {
        if !blind {
            *self = Self::default();
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        let next = match self.phase {
            Phase::Fed if starved => Phase::Waiting,
            Phase::Waiting if !starved => Phase::Fed,
            Phase::Waiting if elapsed >= self.pause => {
                self.pause = (self.pause * 2).min(MOST);
                Phase::Asking
            }
            Phase::Asking if elapsed >= LENGTH => Phase::Fed,
            same => same,
        };
        if next == Phase::Fed && self.phase == Phase::Fed && elapsed >= PROVEN {
            self.pause = FIRST;
        }
        if next != self.phase {
            (self.phase, self.since) = (next, Some(now));
        }
        next == Phase::Asking
    }
}

/// Pause before the first, and before any, at most.
const FIRST: Duration = Duration::from_secs(4);
const MOST: Duration = Duration::from_secs(60);
/// Long enough for a key frame and for feedback of a second.
const LENGTH: Duration = Duration::from_secs(4);
/// A picture that has stayed for so long was worth the question.
const PROVEN: Duration = Duration::from_secs(8);
