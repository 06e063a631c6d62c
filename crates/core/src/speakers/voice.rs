//! How loud one audio publisher is, from the levels that its packets carry (RFC 6464).
//!
//! Loudness is 127 minus the level in -dBov: 0 is silence. A packet adds to the tick's sum and
//! nothing more; all smoothing happens once per tick. What counts as speech is what stands out
//! above the publisher's own noise floor: the quietest packets of the last seconds.

use std::time::{Duration, Instant};

use crate::ids::{PublisherId, TransportId};

/// The loudness of one publisher.
#[derive(Debug)]
pub(crate) struct Voice {
    sum: u32,
    count: u32,
    quietest: u8,
    /// Loudness of what is not speech.
    floor: f32,
    /// Loudness as it came, smoothed for display.
    level: f32,
    /// Of the newest tick, above the floor, without the cap.
    loudness: f32,
    immediate: f32,
    medium: f32,
    long: f32,
    last: Option<Instant>,
    /// Its router knows that it makes sound.
    pub(crate) listed: bool,
}

/// What one tick knows of a voice; crosses to the room's home when that is another thread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) publisher: PublisherId,
    /// The transport on which it arrives.
    pub(crate) transport: TransportId,
    /// A picture from the same transport, the first that was published.
    pub(crate) picture: Option<PublisherId>,
    /// In -dBov, smoothed.
    pub(crate) level: u8,
    /// dB above the noise floor: now and in the last moments, for the loudest slots.
    pub(crate) loudness: f32,
    /// The same, capped, of this tick and over [`MEDIUM`] and [`LONG`].
    pub(crate) immediate: f32,
    pub(crate) medium: f32,
    pub(crate) long: f32,
    /// The how manieth speaker it was last; 0 when it never spoke.
    pub(crate) spoke: u32,
    /// A person's voice; the sound of a film or of a broadcast fills no slot by itself.
    pub(crate) fills: bool,
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            sum: 0,
            count: 0,
            quietest: LOUDEST,
            floor: LOWEST_FLOOR,
            level: 0.0,
            loudness: 0.0,
            immediate: 0.0,
            medium: 0.0,
            long: 0.0,
            last: None,
            listed: false,
        }
    }
}

impl Voice {
    /// Takes a packet's level in dBov (0 the loudest, -127 silence). A publisher that does not
    /// tell is taken for a voice of middling loudness while its packets are not mere silence.
    pub(crate) fn hear(&mut self, level: Option<i8>, payload: usize, now: Instant) {
        let told = level.map(|level| LOUDEST - level.unsigned_abs().min(LOUDEST));
        let loudness = match told {
            Some(loudness) => loudness,
            None if payload > SILENT_PAYLOAD => UNTOLD,
            None => 0,
        };
        self.sum += u32::from(loudness);
        self.count += 1;
        self.quietest = self.quietest.min(loudness);
        self.last = Some(now);
    }

    /// Closes a tick; false when nothing has come for [`GONE`].
    pub(crate) fn tick(&mut self, now: Instant) -> bool {
        let mean = match self.count {
            0 => self.level / 2.0, // lost, late, or discontinuous transmission
            count => self.sum as f32 / count as f32,
        };
        if self.count > 0 {
            let quietest = f32::from(self.quietest).max(LOWEST_FLOOR);
            self.floor = quietest.min(self.floor + FLOOR_RISE);
        }
        (self.sum, self.count, self.quietest) = (0, 0, LOUDEST);
        let above = (mean - self.floor).max(0.0);
        self.level += (mean - self.level) * 0.5;
        self.loudness = above.max(self.loudness * HANG);
        self.immediate = above.min(CAP);
        self.medium += (self.immediate - self.medium) * share(MEDIUM);
        self.long += (self.immediate - self.long) * share(LONG);
        self.last
            .is_some_and(|last| now.saturating_duration_since(last) < GONE)
    }

    pub(crate) fn report(
        &self,
        publisher: PublisherId,
        transport: TransportId,
        picture: Option<PublisherId>,
    ) -> Report {
        Report {
            publisher,
            transport,
            picture,
            level: LOUDEST - (self.level.round() as u8).min(LOUDEST),
            loudness: self.loudness,
            immediate: self.immediate,
            medium: self.medium,
            long: self.long,
            spoke: 0, // the home knows
            fills: true,
        }
    }
}

/// The part of a new value in a mean over `time`.
fn share(time: Duration) -> f32 {
    1.0 - (-TICK.as_secs_f32() / time.as_secs_f32()).exp()
}

/// How often loudness is looked at.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// Without a packet for so long a publisher makes no sound. Opus in discontinuous transmission
/// sends one every 400 ms.
pub(crate) const GONE: Duration = Duration::from_millis(1_000);
const MEDIUM: Duration = Duration::from_millis(800);
const LONG: Duration = Duration::from_millis(2_500);
const LOUDEST: u8 = 127;
/// Below -60 dBov nothing is speech.
const LOWEST_FLOOR: f32 = 67.0;
/// dB per tick by which the floor follows a noise that stays.
const FLOOR_RISE: f32 = 0.2;
/// dB above the floor; who shouts does not get the word sooner.
const CAP: f32 = 25.0;
/// How loudness fades from tick to tick, so that the gaps between words do not count.
const HANG: f32 = 0.85;
/// Opus frames of up to so many bytes are silence.
const SILENT_PAYLOAD: usize = 10;
/// The loudness of a publisher that tells none: -40 dBov.
const UNTOLD: u8 = 87;
