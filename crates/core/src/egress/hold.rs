//! How long a viewer keeps pictures before it shows them: as long as a repair takes.
//!
//! A lost packet comes again a round trip later, and its picture is late by that. A browser that only
//! watches does not know the round trip (it would learn it from RTCP XR, which Chromium does not
//! offer), so its buffer stays short: every repair is a jolt, and a repair that is lost too a freeze.
//! We know both round trip and loss, and order the delay by the playout-delay header extension
//! (WebRTC, docs/native-code/rtp-hdrext/playout-delay).
//!
//! - While the line loses less than [`LEAST`] nothing is ordered.
//! - Else pictures wait a round trip, and half of one more for every tenth that is lost.
//! - What a full line loses, and how long its queue takes, does not count: it passes, and more delay is
//!   the last thing to add there.
//! - It grows and shrinks in steps that nobody notices, and shrinks only when less has been enough
//!   for [`WINDOW`].
//!
//! A publisher that orders a delay itself is obeyed: its own extension goes through.

use std::time::{Duration, Instant};

use super::Egress;
use super::header::Playout;

/// What is ordered, and why.
#[derive(Default)]
pub(super) struct Hold {
    /// ms.
    ordered: u32,
    /// The most that was wanted in this window and in the one before, ms.
    most: u32,
    most_before: u32,
    window: Option<Instant>,
}

impl Hold {
    /// The peer has spoken. `loss` (0 to 1) is none while it may be our own doing.
    fn observe(&mut self, now: Instant, loss: Option<f64>, round_trip: Duration) {
        let window = *self.window.get_or_insert(now);
        if now.saturating_duration_since(window) > WINDOW {
            self.window = Some(now);
            self.most_before = std::mem::take(&mut self.most);
        }
        let wanted = loss.map_or(0, |loss| wanted(loss, round_trip));
        self.most = self.most.max(wanted);
        let target = self.most.max(self.most_before);
        self.ordered = target.clamp(
            self.ordered.saturating_sub(DOWN),
            self.ordered.saturating_add(UP),
        );
    }

    /// What to tell a stream with its next packet. `release` counts the packets that still say that
    /// an order has ended.
    pub(super) fn tell(&self, release: &mut u8) -> Option<Playout> {
        if self.ordered > 0 {
            *release = RELEASE;
        } else {
            *release = release.checked_sub(1)?;
        }
        Some(Playout::at_least(self.ordered))
    }
}

/// How long a picture must wait for its repairs, ms.
fn wanted(loss: f64, round_trip: Duration) -> u32 {
    if loss < LEAST {
        return 0;
    }
    let wait = round_trip.as_secs_f64() * 1e3 * (1.0 + PER_LOSS * loss);
    wait.min(MOST) as u32
}

impl Egress {
    /// How long the viewer is asked to keep pictures, ms.
    pub(crate) const fn hold(&self) -> u32 {
        self.hold.ordered
    }

    /// Takes in what the last feedback said of the line.
    pub(super) fn judge_hold(&mut self, now: Instant) {
        let state = self.estimator.state();
        let is_lines_own = self.line.has_room && state.inherent_loss * 3.0 > state.loss;
        let loss = is_lines_own.then_some(state.loss);
        let round_trip = self
            .round_trip()
            .map_or(state.rtt, |rtt| rtt.min(state.rtt));
        self.hold.observe(now, loss, round_trip);
    }
}

/// Share of packets lost from which pictures wait.
const LEAST: f64 = 0.005;
/// How many round trips more at a loss of everything.
const PER_LOSS: f64 = 5.0;
/// A conversation would suffer from more, ms.
const MOST: f64 = 400.0;
/// How much the order changes with one feedback, ms.
const UP: u32 = 20;
const DOWN: u32 = 10;
/// An order stays for one to two of these.
const WINDOW: Duration = Duration::from_secs(20);
/// Packets that say that it has ended: any one of them is enough.
const RELEASE: u8 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    const TRIP: Duration = Duration::from_millis(100);

    /// What is ordered after `count` feedbacks, a tenth of a second apart.
    fn after(hold: &mut Hold, now: &mut Instant, count: u32, loss: Option<f64>) -> u32 {
        for _ in 0..count {
            *now += TRIP;
            hold.observe(*now, loss, TRIP);
        }
        hold.ordered
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "an origin only; it never advances by itself"
    )]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_lossy_line_holds_pictures_for_a_round_trip_and_more() {
        let (mut hold, mut now) = (Hold::default(), origin());
        assert_eq!(after(&mut hold, &mut now, 10, Some(0.004)), 0);
        assert_eq!(after(&mut hold, &mut now, 1, Some(0.02)), UP, "no jolt");
        assert_eq!(after(&mut hold, &mut now, 10, Some(0.02)), 110);
        assert_eq!(after(&mut hold, &mut now, 10, Some(0.2)), 200);
    }

    #[test]
    fn a_full_line_orders_nothing() {
        let (mut hold, mut now) = (Hold::default(), origin());
        assert_eq!(after(&mut hold, &mut now, 50, None), 0);
    }

    #[test]
    fn the_order_ends_when_the_loss_has_ended_for_a_while() {
        let (mut hold, mut now) = (Hold::default(), origin());
        after(&mut hold, &mut now, 20, Some(0.02));
        assert_eq!(after(&mut hold, &mut now, 150, Some(0.0)), 110);
        assert_eq!(after(&mut hold, &mut now, 300, Some(0.0)), 0);
        let mut release = RELEASE;
        let told = (0..100).filter(|_| hold.tell(&mut release).is_some());
        assert_eq!(told.count(), usize::from(RELEASE), "and is taken back");
    }
}
