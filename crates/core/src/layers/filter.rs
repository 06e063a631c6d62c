//! Which frames of one stream pass, for one subscriber.
//!
//! Three layers count: the *goal*, what is wanted; *current*, what passes now; and the frame's
//! own. Current moves towards the goal only where the stream allows it: spatially up at a key
//! picture, down at the start of a picture whose lower layers are whole, temporally up at a
//! switching point, down with the next picture. And no frame passes that needs a frame which
//! was held back, so that all that passes can be decoded.
//!
//! A frame is judged when its first packet comes, and the verdict stands for the packets that
//! come late. A lost frame was not judged, and is not held against those that need it: it may
//! still come. But current changes only to a layer whose frames have passed already: what is
//! missing of it may yet come late, and would be held back as the layers of its time say.

use super::dependency_descriptor::bit;
use super::facts::Facts;
use crate::layer::Layer;

/// What passes of one stream.
#[derive(Debug)]
pub(crate) struct Filter {
    goal: Layer,
    current: Layer,
    /// What passed before each of the last changes, and the first frame after it; newest first.
    past: [(Layer, u64); PAST],
    /// RTP timestamp of the newest picture, and whether it is a key picture.
    picture: Option<(u32, bool)>,
    frames: Frames,
    /// Only a key frame brings the goal.
    waiting: bool,
    /// What should pass cannot be decoded until a key frame comes.
    broken: bool,
}

/// The verdict on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passes; whether it is the last of its picture.
    Pass { last: bool },
    /// Held back.
    Hold,
    /// It starts a stream that cannot be the one before: its numbers begin anew.
    Restart,
}

impl Filter {
    /// For a stream that starts with the next packet.
    pub(crate) fn new(goal: Layer) -> Self {
        Self {
            goal,
            current: goal,
            past: [(goal, 0); PAST],
            picture: None,
            frames: Frames::default(),
            waiting: false,
            broken: false,
        }
    }

    pub(crate) const fn set_goal(&mut self, goal: Layer) {
        self.goal = goal;
        self.waiting = false; // the next picture tells
    }

    /// What passes now.
    pub(crate) const fn current(&self) -> Layer {
        self.current
    }

    /// A key frame is needed.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.waiting || self.broken
    }

    /// Judges a packet. `starts_key` when decoding can start at it.
    pub(crate) fn judge(&mut self, facts: &Facts, timestamp: u32, starts_key: bool) -> Verdict {
        if facts.exists == 0 {
            return Verdict::Pass { last: false };
        }
        let Some(frame) = facts.frame else {
            self.step(facts, u64::MAX, timestamp);
            return self.verdict(facts, u64::MAX, facts.present & bit(self.current) != 0);
        };
        match self.frames.look(frame) {
            Look::Passed => self.verdict(facts, frame, true),
            Look::Held => Verdict::Hold,
            Look::Ancient if starts_key => Verdict::Restart,
            Look::Ancient => {
                self.broken = true; // not late by so much: the numbers have begun anew
                Verdict::Hold
            }
            Look::Missed => {
                let passes = self.passes(facts, frame, timestamp);
                self.frames.note(frame, passes);
                self.verdict(facts, frame, passes)
            }
            Look::New => {
                self.step(facts, frame, timestamp);
                let passes = self.passes(facts, frame, timestamp);
                self.frames.note(frame, passes);
                let is_base = facts.layer.temporal == 0 && facts.present & bit(self.current) != 0;
                self.broken |= is_base && !passes;
                self.verdict(facts, frame, passes)
            }
        }
    }

    fn verdict(&self, facts: &Facts, frame: u64, passes: bool) -> Verdict {
        if passes {
            let last = facts.end && facts.layer.spatial == self.at(frame).spatial;
            Verdict::Pass { last }
        } else {
            Verdict::Hold
        }
    }

    /// What passed when this frame was due.
    fn at(&self, frame: u64) -> Layer {
        let changes = self.past.iter().take_while(|(_, first)| frame < *first);
        changes.last().map_or(self.current, |(before, _)| *before)
    }

    /// Of a key picture the lower layers pass too, needed or not: they carry what starts a
    /// decoder (sequence header, structure).
    fn passes(&self, facts: &Facts, frame: u64, timestamp: u32) -> bool {
        let current = self.at(frame);
        let starts_decoder = self.picture == Some((timestamp, true))
            && facts.layer.spatial < current.spatial
            && facts.layer.temporal == 0;
        (starts_decoder || facts.present & bit(current) != 0) && self.is_whole(facts, frame)
    }

    /// Nothing that the frame needs was held back.
    fn is_whole(&self, facts: &Facts, frame: u64) -> bool {
        let Some(references) = &facts.references else {
            return true;
        };
        let mut frames = references.as_slice().iter();
        frames.all(|distance| {
            !self
                .frames
                .was_held(frame.saturating_sub(u64::from(*distance)))
        })
    }

    /// All that the frame needs has passed: a layer is not taken up on trust.
    fn is_certain(&self, facts: &Facts, frame: u64) -> bool {
        let Some(references) = &facts.references else {
            return true;
        };
        let mut frames = references.as_slice().iter();
        frames.all(|distance| {
            let needed = frame.saturating_sub(u64::from(*distance));
            self.frames.look(needed) == Look::Passed
        })
    }

    /// Moves current towards the goal as far as this new frame allows.
    fn step(&mut self, facts: &Facts, frame: u64, timestamp: u32) {
        let opens = self
            .picture
            .is_none_or(|(last, _)| last != timestamp && timestamp.wrapping_sub(last) < 1 << 31);
        let goal = best(facts.exists, self.goal);
        if opens {
            self.picture = Some((timestamp, facts.key));
            self.waiting = false;
        }
        if facts.key && opens {
            self.broken = false;
            return self.set_current(goal, frame);
        }
        if goal.spatial != self.current.spatial && opens {
            let down = Layer {
                spatial: goal.spatial,
                temporal: goal.temporal.min(self.current.temporal),
            };
            let is_down = goal.spatial < self.current.spatial;
            if is_down && facts.present & bit(down) != 0 && self.is_certain(facts, frame) {
                self.set_current(down, start(facts, frame));
            } else {
                self.waiting = true;
            }
        }
        self.step_temporal(facts, frame, goal.temporal, opens);
    }

    fn step_temporal(&mut self, facts: &Facts, frame: u64, goal: u8, opens: bool) {
        let Layer { spatial, temporal } = self.current;
        if goal < temporal {
            if opens {
                self.set_current(
                    Layer {
                        spatial,
                        temporal: goal,
                    },
                    start(facts, frame),
                );
            }
            return;
        }
        let is_higher = facts.layer.temporal > temporal;
        if is_higher && facts.layer.spatial > 0 && facts.references.is_none() {
            return; // it may need the frames below it in the same picture, which did not pass
        }
        // Without references a sync frame vouches for the layers below its own only.
        let limit = match facts.references {
            Some(_) => goal,
            None if is_higher => goal.min(temporal + 1),
            None => goal,
        };
        let can = |temporal: &u8| {
            let target = bit(Layer {
                spatial,
                temporal: *temporal,
            });
            facts.switch & facts.present & target != 0
        };
        let within = |temporal: &u8| *temporal >= facts.layer.temporal;
        let up = (temporal + 1..=limit).rev().filter(within).find(can);
        if let Some(temporal) = up
            && self.is_whole(facts, frame)
            && (!is_higher || self.is_certain(facts, frame))
        {
            self.set_current(Layer { spatial, temporal }, frame);
        }
    }

    fn set_current(&mut self, current: Layer, frame: u64) {
        if current != self.current {
            self.past.rotate_right(1);
            self.past[0] = (self.current, frame);
            self.current = current;
        }
    }
}

/// The first frame of the picture that this frame belongs to: what is decided at a picture
/// counts for all of it, also when its lower layers come after its upper ones.
const fn start(facts: &Facts, frame: u64) -> u64 {
    frame.saturating_sub(facts.layer.spatial as u64)
}

/// The target there is that comes closest to `goal` and not above it; else the lowest.
fn best(exists: u64, goal: Layer) -> Layer {
    if exists & bit(goal) != 0 {
        return goal;
    }
    let of_spatial = |spatial: u8| {
        let row = exists >> (spatial * 8) & 0xff;
        let fitting = row & ((2u64 << goal.temporal) - 1);
        let temporal = match fitting {
            0 => row.trailing_zeros(),
            _ => 63 - fitting.leading_zeros(),
        };
        (row != 0).then_some(Layer {
            spatial,
            temporal: temporal as u8,
        })
    };
    let down = (0..=goal.spatial.min(7)).rev().find_map(of_spatial);
    down.or_else(|| (0..8).find_map(of_spatial)).unwrap_or(goal)
}

/// Verdicts on the last frames.
#[derive(Debug, Default)]
struct Frames {
    /// One more than the newest frame; 0 before the first.
    next: u64,
    seen: [u64; WORDS],
    held: [u64; WORDS],
}

/// What is known of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    New,
    /// Older than the newest and not seen yet.
    Missed,
    Passed,
    Held,
    /// Too old to be known.
    Ancient,
}

impl Frames {
    fn look(&self, frame: u64) -> Look {
        if frame >= self.next {
            return Look::New;
        }
        if self.next - frame > WINDOW {
            return Look::Ancient;
        }
        let (word, mask) = place(frame);
        match (self.seen[word] & mask != 0, self.held[word] & mask != 0) {
            (false, _) => Look::Missed,
            (true, false) => Look::Passed,
            (true, true) => Look::Held,
        }
    }

    fn was_held(&self, frame: u64) -> bool {
        self.look(frame) == Look::Held
    }

    fn note(&mut self, frame: u64, passes: bool) {
        if frame >= self.next {
            let from = self.next.max((frame + 1).saturating_sub(WINDOW));
            for skipped in from..=frame {
                let (word, mask) = place(skipped);
                self.seen[word] &= !mask;
                self.held[word] &= !mask;
            }
            self.next = frame + 1;
        }
        let (word, mask) = place(frame);
        self.seen[word] |= mask;
        if !passes {
            self.held[word] |= mask;
        }
    }
}

const fn place(frame: u64) -> (usize, u64) {
    ((frame / 64) as usize % WORDS, 1 << (frame % 64))
}

/// Changes remembered, for packets that come late.
const PAST: usize = 6;
const WORDS: usize = 8;
const WINDOW: u64 = 64 * WORDS as u64;
