//! RTP timestamps: an offset per source, chosen so that a switch looks like time passing.

use std::time::Instant;

use super::Original;

/// Maps the media clock of the current source onto one clock.
#[derive(Default)]
pub(crate) struct Timestamp {
    offset: u32,
    /// Newest output and when its packet arrived.
    last: Option<(u32, Instant)>,
}

impl Timestamp {
    /// A new source: its first packet is as much later than the last packet of the old source
    /// as the clock on the wall says, and at least one tick.
    pub(crate) fn start_run(&mut self, packet: &Original<'_>) {
        let Some((output, arrival)) = self.last else {
            return; // the first source of all keeps its own clock
        };
        let elapsed = packet.arrival.saturating_duration_since(arrival);
        let ticks = elapsed.as_micros() * u128::from(packet.clock_rate) / 1_000_000;
        let next = output.wrapping_add((ticks as u32).max(1));
        self.offset = next.wrapping_sub(packet.timestamp);
    }

    pub(crate) fn map(&mut self, packet: &Original<'_>) -> u32 {
        let output = packet.timestamp.wrapping_add(self.offset);
        // Half of the number circle tells newer from older (RFC 1982).
        if self
            .last
            .is_none_or(|(last, _)| output.wrapping_sub(last) < 1 << 31)
        {
            self.last = Some((output, packet.arrival));
        }
        output
    }

    /// Newest output and its moment, for sender reports.
    pub(crate) const fn last(&self) -> Option<(u32, Instant)> {
        self.last
    }
}
