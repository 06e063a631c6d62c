//! When the allocator is asked, and what follows from its answer.
//!
//! A subscribe transport's allocation is due when its estimate has moved, when a viewer's wishes,
//! its subscribers or a publisher's layers have changed, and once in [`PERIOD`] while it has
//! videos, for bit rates drift. While all of them are silent (muted) it rests, until the next packet
//! of one. It runs by a timer, at most once in [`INTERVAL`]; never per packet.

use std::time::{Duration, Instant};

use crate::allocator::{Allocator, Budget, Decision, Demand, Outcome};
use crate::event::TrackKind;
use crate::sfu::Sfu;
use crate::timer::Reason;
use crate::transport::webrtc::Side;

/// What a subscribe transport remembers of its allocations.
#[derive(Debug, Default)]
pub(crate) struct Allocation {
    allocator: Allocator,
    /// When the timer fires, if it is armed.
    pub(crate) armed: Option<Instant>,
    last: Option<Instant>,
    /// The estimate that was shared last, bit/s.
    estimate: u64,
}

impl Sfu {
    /// Something has changed that a transport's allocation depends on: it is due at `at`.
    pub(crate) fn want_allocation(&mut self, session: usize, at: Instant) {
        let Some(session) = self.sessions.get_mut(session) else {
            return;
        };
        let transport = session.belongs.transport;
        let Side::Subscribe(subscribing) = &mut session.side else {
            return;
        };
        let allocation = &mut subscribing.allocation;
        let due = allocation.last.map_or(at, |last| at.max(last + INTERVAL));
        if allocation.armed.is_none_or(|armed| armed > due) {
            allocation.armed = Some(due);
            self.timers.arm(due, Reason::Allocation, transport.0);
        }
    }

    /// The peer has spoken, or time has: has the estimate moved enough to share it anew?
    pub(crate) fn review_estimate(&mut self, session: usize, now: Instant) {
        let Some(Side::Subscribe(subscribing)) = self.sessions.get(session).map(|s| &s.side) else {
            return;
        };
        let (before, estimate) = (
            subscribing.allocation.estimate,
            subscribing.egress.estimator.estimate(),
        );
        if before.abs_diff(estimate) > before / NOTABLE {
            self.want_allocation(session, now);
        }
    }

    /// A publisher's layers have appeared, vanished or changed their size.
    pub(crate) fn layers_changed(&mut self, publisher: usize, now: Instant) {
        for place in 0..self.publishers[publisher].subscribers.len() {
            let key = self.publishers[publisher].subscribers[place];
            let subscriber = &self.subscribers[key];
            // What a new layer costs is known after its first window.
            let is_waiting = !subscriber.selector.is_allocated();
            let at = if is_waiting { now } else { now + LEARNING };
            self.want_allocation(subscriber.session, at);
        }
        self.unreviewed.push(publisher);
    }

    /// The timer of a transport's allocation has fired.
    pub(crate) fn allocation_timer(&mut self, session: usize, at: Instant, now: Instant) {
        if let Side::Subscribe(subscribing) = &mut self.sessions[session].side
            && subscribing.allocation.armed == Some(at)
        {
            subscribing.allocation.armed = None;
            self.allocate(session, now);
        }
    }

    fn allocate(&mut self, session: usize, now: Instant) {
        let Some((outcome, estimate)) = self.decide(session, now) else {
            return;
        };
        let has_videos = !outcome.decisions.is_empty() && !self.rests(session, now);
        let is_short = outcome.sending < outcome.wanted;
        for decision in outcome.decisions {
            self.apply(decision, estimate, now);
        }
        self.mark_sending(session); // a probe may be due
        if has_videos {
            let pause = if is_short { SHORT_PERIOD } else { PERIOD };
            self.want_allocation(session, now + pause);
        }
    }

    fn decide(&mut self, key: usize, now: Instant) -> Option<(Outcome, u64)> {
        let session = self.sessions.get_mut(key)?;
        let ceiling = session.options.max_bitrate.unwrap_or(u64::MAX);
        let Side::Subscribe(subscribing) = &mut session.side else {
            return None;
        };
        let (mut audio, mut demands) = (0, Vec::with_capacity(subscribing.subscribers.len()));
        for &place in &subscribing.subscribers {
            let subscriber = &self.subscribers[place];
            let publisher = &self.publishers[subscriber.publisher];
            let layers = publisher.encodings.layers();
            if !subscriber.open || layers.is_empty() {
                continue;
            }
            if subscriber.kind == TrackKind::Audio {
                audio += layers.iter().map(|rate| rate.bitrate).max().unwrap_or(0);
                continue;
            }
            let preferences = subscriber.selector.preferences();
            demands.push(Demand {
                subscriber: subscriber.id,
                preferences,
                content: preferences.content.unwrap_or(publisher.content),
                layers,
            });
        }
        let egress = &mut subscribing.egress;
        let counted = egress.has_transport_cc();
        egress.estimator.expect_feedback(now, counted);
        let estimate = egress.estimator.estimate().min(ceiling);
        let budget = Budget {
            bitrate: estimate,
            audio,
            is_measured: egress.estimator.is_measured(now) || ceiling <= estimate,
            share: self.share,
            is_blind: !egress.can_probe(),
        };
        let allocation = &mut subscribing.allocation;
        let outcome = allocation.allocator.decide(now, budget, &demands);
        (allocation.last, allocation.estimate) = (Some(now), estimate);
        egress.set_demand(outcome.wanted.min(ceiling), outcome.sending);
        egress.estimator.set_starved(outcome.is_starved);
        Some((outcome, estimate))
    }

    /// Whether no video of a transport moves. Those that do not are watched for their next packet.
    fn rests(&mut self, session: usize, now: Instant) -> bool {
        let Some(Side::Subscribe(subscribing)) = self.sessions.get(session).map(|s| &s.side) else {
            return true;
        };
        let mut all = true;
        for place in &subscribing.subscribers {
            let subscriber = &self.subscribers[*place];
            let publisher = &mut self.publishers[subscriber.publisher];
            if subscriber.kind == TrackKind::Video {
                let last = publisher.stats.last_packet;
                let silent = |last| now.saturating_duration_since(last) >= SILENCE;
                publisher.resting = last.is_none_or(silent);
                all &= publisher.resting;
            }
        }
        all
    }

    fn apply(&mut self, decision: Decision, estimate: u64, now: Instant) {
        let Some(&key) = self.subscriber_keys.get(&decision.subscriber) else {
            return;
        };
        let subscriber = &mut self.subscribers[key];
        subscriber.estimate = Some(estimate);
        let before = subscriber.selector.target();
        let is_first = !subscriber.selector.is_allocated();
        if before != decision.target || is_first {
            subscriber
                .selector
                .set_target(decision.target, decision.reason);
            self.refresh_selection(key, now);
        }
    }
}

/// The least time between two allocations of a transport.
const INTERVAL: Duration = Duration::from_millis(100);
/// How often a transport with videos is looked at, and one that cannot carry all of them.
const PERIOD: Duration = Duration::from_secs(1);
const SHORT_PERIOD: Duration = Duration::from_millis(250);
/// A video without a packet for so long rests.
const SILENCE: Duration = Duration::from_secs(2);
/// A new layer is looked at after this time.
const LEARNING: Duration = Duration::from_millis(650);
/// An estimate that moves by less than one part in so many does not matter.
const NOTABLE: u64 = 50;
