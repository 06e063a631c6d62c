//! The loss ladder: steady links, from good to bad, and what must still hold on each.
//!
//! Every row is a call of one publisher on a good line with two receivers behind the row's link, at
//! a round trip of 100 ms. The links turn bad after the call is up; ten seconds later, when buffers
//! and estimates know the link, the judging begins. A row's figure is the worse of its receivers'.

use std::time::Duration;

use crate::Link;
use crate::lab::{Bar, Call, Finding, Verdict};

/// A row of the ladder.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name, as in the table.
    pub name: &'static str,
    /// Share of frames of sound that must be delivered, in per cent.
    pub heard: f64,
    /// Share of the time the picture may freeze, in per cent.
    pub frozen: f64,
    /// Longest freeze in milliseconds.
    pub blackout: f64,
    /// Mean delay that may be added, in milliseconds.
    pub delay: f64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Random(f64),
    Bursts,
    Wifi,
}

/// All rows, in the table's order.
pub const ROWS: [Row; 6] = [
    Row::random("1 % random", 0.01, [99.9, 0.2, 120.0]),
    Row::random("5 % random", 0.05, [99.5, 1.0, 150.0]),
    Row::random("10 % random", 0.10, [99.0, 2.0, 200.0]),
    Row::random("20 % random", 0.20, [97.0, 8.0, 300.0]),
    Row {
        kind: Kind::Bursts,
        ..Row::random(
            "bursts, 5 x 100 ms a minute",
            0.0,
            [99.0, 2.0, f64::INFINITY],
        )
    },
    Row {
        kind: Kind::Wifi,
        ..Row::random("wifi_congested", 0.0, [99.0, 3.0, f64::INFINITY])
    },
];

impl Row {
    const fn random(name: &'static str, loss: f64, [heard, frozen, delay]: [f64; 3]) -> Self {
        Self {
            name,
            heard,
            frozen,
            blackout: 2_000.0,
            delay,
            kind: Kind::Random(loss),
        }
    }

    /// Run the row for `length`.
    #[must_use]
    pub fn run(&self, seed: u64, length: Duration) -> Finding {
        let mut call = Call::new(seed, 2);
        let good = Link::default().delayed(DELAY);
        (0..2).for_each(|receiver| call.link(receiver, good));
        call.talk(Duration::from_secs(3));
        for receiver in 0..2 {
            call.link(receiver, self.link());
        }
        call.talk(SETTLE);
        let start = call.now();
        match self.kind {
            Kind::Bursts => self.burst(&mut call, seed, length),
            Kind::Random(_) | Kind::Wifi => drop(call.talk(length)),
        }
        let end = call.now();
        call.talk(Duration::from_secs(1));
        let verdicts = [0, 1].map(|receiver| call.verdict(receiver, start..end));
        Finding {
            trial: self.name,
            seed,
            bars: self.bars(&verdicts),
        }
    }

    fn link(&self) -> Link {
        match self.kind {
            Kind::Random(loss) => Link::lossy(loss),
            Kind::Bursts => Link::default(),
            Kind::Wifi => Link::wifi_congested(),
        }
        .delayed(DELAY)
    }

    /// Five times a minute nothing gets through for 100 ms, at a moment of its own each time.
    fn burst(&self, call: &mut Call, seed: u64, length: Duration) {
        const EVERY: Duration = Duration::from_secs(12);
        const BURST: Duration = Duration::from_millis(100);
        let mut random = fastrand::Rng::with_seed(seed);
        let down = Link {
            down: true,
            ..self.link()
        };
        let end = call.now() + length;
        while call.now() + EVERY <= end {
            let before = (EVERY - BURST).mul_f64(random.f64());
            call.talk(before);
            (0..2).for_each(|receiver| call.link(receiver, down));
            call.talk(BURST);
            (0..2).for_each(|receiver| call.link(receiver, self.link()));
            call.talk(EVERY - BURST - before);
        }
    }

    fn bars(&self, verdicts: &[Verdict]) -> Vec<Bar> {
        let most = |figure: fn(&Verdict) -> f64| verdicts.iter().map(figure).fold(0.0, f64::max);
        let heard = verdicts.iter().map(Verdict::heard).fold(1.0, f64::min);
        let bitrate = verdicts.iter().map(|v| v.bitrate).fold(f64::MAX, f64::min);
        vec![
            Bar::at_least(HEARD, 100.0 * heard, self.heard),
            Bar::at_most(CONCEALED, 100.0 * most(|v| v.concealed), f64::INFINITY),
            Bar::at_most(FROZEN, 100.0 * most(|v| v.frozen), self.frozen),
            Bar::at_most(BLACKOUT, most(|v| ms(v.blackout)), self.blackout),
            Bar::at_most(SOUND_DELAY, most(|v| ms(v.sound_delay)), self.delay),
            Bar::at_most(PICTURE_DELAY, most(|v| ms(v.picture_delay)), self.delay),
            Bar::at_least(RATE, bitrate / 1e6, 0.0),
        ]
    }
}

/// Until buffers and estimates know the link.
const SETTLE: Duration = Duration::from_secs(10);
/// One way of the receivers' links; the publisher's adds 5 ms.
const DELAY: Duration = Duration::from_millis(45);

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Frames of sound delivered.
pub const HEARD: &str = "sound %";
/// Time in which sound was made up, for want of any to play.
pub const CONCEALED: &str = "concealed %";
/// Time in which the picture was frozen.
pub const FROZEN: &str = "frozen %";
/// The longest freeze.
pub const BLACKOUT: &str = "longest freeze ms";
/// Mean delay added to sound.
pub const SOUND_DELAY: &str = "sound delay ms";
/// Mean delay added to pictures.
pub const PICTURE_DELAY: &str = "picture delay ms";
/// Payload received.
pub const RATE: &str = "Mbit/s";
