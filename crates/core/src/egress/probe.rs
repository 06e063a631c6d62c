//! Probes: filling up what media leaves free, at the rate the estimator wants to see.
//!
//! A probe is sent in steps of [`STEP`]. Media that leaves meanwhile is part of it; the rest is
//! filled with packets that were sent already, on the repair stream: to the peer they are
//! retransmissions that nobody asked for. Where there are none, with padding.

use std::time::{Duration, Instant};

use super::{Egress, Outlet};
use crate::bandwidth::{Probe, ProbeId};
use crate::sink::Sink;
use crate::srtp::Sealer;

/// A probe under way.
pub(super) struct Cluster {
    probe: Probe,
    started: Instant,
    sent: u64,
}

impl Cluster {
    pub(super) const fn new(probe: Probe, now: Instant) -> Self {
        Self {
            probe,
            started: now,
            sent: 0,
        }
    }

    pub(super) const fn id(&self) -> ProbeId {
        self.probe.id
    }

    /// Bytes have left.
    pub(super) const fn note(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    fn is_over(&self) -> bool {
        self.sent >= u64::from(self.probe.bytes)
    }

    /// Bytes that are due by now.
    fn due(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.started) + STEP;
        let bytes = self.probe.rate / 8 * elapsed.as_micros() as u64 / 1_000_000;
        bytes.min(self.probe.bytes.into()).saturating_sub(self.sent)
    }
}

impl Egress {
    /// Sends what is due of a probe; returns when more is.
    pub(super) fn advance_probe<S: Sink>(
        &mut self,
        sealer: &mut Sealer,
        out: &mut Outlet<'_, S>,
    ) -> Option<Instant> {
        if self.probe.is_none() {
            let probe = self.estimator.take_probe(out.now)?;
            self.probe = Some(Cluster::new(probe, out.now));
        }
        let place = self.probe_stream();
        for _ in 0..MOST_PACKETS {
            let cluster = self.probe.as_ref()?;
            let due = cluster.due(out.now);
            if due == 0 {
                break;
            }
            let filled = place.is_some_and(|place| self.fill(sealer, place, due as usize, out));
            if !filled {
                self.probe = None;
                return None;
            }
        }
        if self.probe.as_ref()?.is_over() {
            self.probe = None;
            return None;
        }
        Some(out.now + STEP)
    }

    /// Whether a probe can be made, now or as soon as something has been sent.
    pub(crate) fn can_probe(&self) -> bool {
        self.probe_stream().is_some()
    }

    /// A repair stream that the peer counts is what a probe is made of.
    fn probe_stream(&self) -> Option<usize> {
        let suits =
            |stream: &super::OutStream| stream.repair.is_some() && stream.ids.transport_cc != 0;
        let suited = self.streams.iter().find(|(_, stream)| suits(stream));
        suited.map(|(place, _)| place)
    }

    /// One packet of filling; false when none could be sent.
    fn fill<S: Sink>(
        &mut self,
        sealer: &mut Sealer,
        place: usize,
        due: usize,
        out: &mut Outlet<'_, S>,
    ) -> bool {
        let newest = self.streams[place].history.newest(due.max(LEAST));
        let sequence = newest.map(|sent| sent.packet.sequence as u16);
        (sequence.is_some() && self.send_extra(sealer, place, sequence, out))
            || self.send_extra(sealer, place, None, out)
    }
}

/// How finely a probe is spread.
const STEP: Duration = Duration::from_millis(5);
/// Packets of one step at most.
const MOST_PACKETS: usize = 64;
/// A packet of at least this size is worth sending again.
const LEAST: usize = 300;
