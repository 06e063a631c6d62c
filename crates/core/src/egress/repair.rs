//! Repairs: sending again what the peer has lost (RFC 4588).
//!
//! Two things tell of a loss, and either may be lost itself: the peer's NACK, and transport-wide
//! feedback that leaves a packet out. Whichever comes first is answered; the other one then finds
//! the repair on its way. A repair that feedback says is lost is sent anew without being asked.
//!
//! Where the line has room (no queue stands on the way) a repair goes out twice, on a very bad line
//! three times: the next chance is a round trip away, and pictures wait for it. The others follow
//! [`APART`], so that one burst of loss does not take all. A full line gets each repair once, and the
//! budget bounds all of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::header::{self, Fixed, Values};
use super::history::Again;
use super::{AGAIN, Egress, ORIGINAL, Outlet, Queued};
use crate::sink::Sink;
use crate::srtp::Sealer;

/// A packet to send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) place: usize,
    pub(super) sequence: u16,
    pub(super) told: Told,
}

/// Who says that it was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The peer asks for it.
    Nack,
    /// Feedback leaves it out.
    Feedback,
    /// Feedback leaves its repair out.
    RepairLost,
}

/// A repair that follows the first one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spare {
    pub(super) due: Instant,
    pub(super) place: usize,
    sequence: u16,
}

/// Which packet each of the last transport-wide numbers was given to.
#[derive(Default)]
pub(super) struct Flight {
    next: u64,
    flown: VecDeque<Flown>,
}

/// What one transport-wide number carried.
#[derive(Clone, Copy)]
pub(super) struct Flown {
    /// [`NOBODY`]: nothing that is worth repairing.
    place: u16,
    pub(super) sequence: u16,
    pub(super) is_repair: bool,
}

impl Flown {
    pub(super) fn place(self) -> usize {
        self.place.into()
    }
}

impl Flight {
    /// The next number was given away, to nothing that would be repaired.
    pub(super) fn push(&mut self) {
        if self.flown.capacity() == 0 {
            self.flown.reserve_exact(MOST); // once, so that no packet waits for it to grow
        }
        if self.flown.len() >= MOST {
            self.flown.pop_front();
        }
        self.next += 1;
        self.flown.push_back(Flown {
            place: NOBODY,
            sequence: 0,
            is_repair: false,
        });
    }

    /// It was given to this packet.
    pub(super) fn name(&mut self, place: usize, sequence: u16, is_repair: bool) {
        if let (Some(last), Ok(place)) = (self.flown.back_mut(), place.try_into()) {
            *last = Flown {
                place,
                sequence,
                is_repair,
            };
        }
    }

    /// Takes out what a number was given to: it is settled.
    pub(super) fn take(&mut self, number: u64) -> Option<Flown> {
        let behind = usize::try_from(self.next.checked_sub(number)?).ok()?;
        let place = self.flown.len().checked_sub(behind)?;
        let flown = self.flown.get_mut(place)?;
        let taken = *flown;
        flown.place = NOBODY;
        (taken.place != NOBODY).then_some(taken)
    }
}

impl Egress {
    /// Sends a lost packet again, unless a repair is on its way or there is no budget.
    pub(super) fn repair<S: Sink>(
        &mut self,
        sealer: &mut Sealer,
        wanted: Wanted,
        out: &mut Outlet<'_, S>,
    ) {
        let now = self.clock.millis(out.now);
        let Wanted {
            place, sequence, ..
        } = wanted;
        let Some(stream) = self.streams.get_mut(place) else {
            return;
        };
        if stream.repair.is_none() {
            return self.send_copy(place, sequence, out);
        }
        let round_trip = stream.heard.rtt.map_or(AGAIN, |rtt| rtt.as_millis() as u32);
        let Some(sent) = stream.history.find(sequence) else {
            return;
        };
        let on_its_way = match wanted.told {
            Told::Nack => round_trip.min(AGAIN),
            Told::Feedback => round_trip + GRAIN,
            Told::RepairLost => round_trip.saturating_sub(GRAIN),
        };
        let is_early = matches!(sent.again, Again::At(at) if now.wrapping_sub(at) < on_its_way);
        // A switch starts with a key frame: on a full line what was before it only delays that.
        let is_past = stream.run > sent.packet.sequence && !self.line.has_room;
        let is_needed = !is_past && (wanted.told == Told::Nack || sent.again != Again::Arrived);
        let len = sent.packet.payload_len();
        if is_early || !is_needed {
            return;
        }
        sent.again = Again::At(now);
        self.send_repair(sealer, place, sequence, len, out);
        for copy in 1..self.copies() {
            // What finds no room here goes out once, as on a full line.
            if self.spares.len() < MAX_SPARES {
                let due = out.now + APART * copy;
                self.spares.push_back(Spare {
                    due,
                    place,
                    sequence,
                });
            }
        }
    }

    /// Sends the further ones that are due.
    pub(super) fn send_spares<S: Sink>(&mut self, sealer: &mut Sealer, out: &mut Outlet<'_, S>) {
        while self
            .spares
            .front()
            .is_some_and(|spare| spare.due <= out.now)
            && let Some(Spare {
                place, sequence, ..
            }) = self.spares.pop_front()
        {
            let Some(stream) = self.streams.get_mut(place) else {
                continue;
            };
            let sent = stream.history.find(sequence);
            let sent = sent.filter(|sent| sent.again != Again::Arrived);
            if let Some(len) = sent.map(|sent| sent.packet.payload_len())
                && self.line.has_room
                && self.pacer.allows(out.now)
            {
                self.send_repair(sealer, place, sequence, len, out);
            }
        }
    }

    fn send_repair<S: Sink>(
        &mut self,
        sealer: &mut Sealer,
        place: usize,
        sequence: u16,
        len: usize,
        out: &mut Outlet<'_, S>,
    ) {
        if len > self.repair_budget || !self.send_extra(sealer, place, Some(sequence), out) {
            return;
        }
        self.flight.name(place, sequence, true);
        self.repair_budget -= len;
        self.streams[place].heard.retransmitted += 1;
        out.repaired += 1;
    }

    /// How often a repair goes out.
    fn copies(&self) -> u32 {
        match self.line {
            line if !line.has_room => 1,
            line if line.loss < VERY_BAD => 2,
            _ => 3,
        }
    }

    /// A packet has arrived, as feedback says.
    pub(super) fn note_arrived(&mut self, number: u64) {
        if let Some(flown) = self.flight.take(number).filter(|flown| flown.is_repair)
            && let Some(stream) = self.streams.get_mut(flown.place())
            && let Some(sent) = stream.history.find(flown.sequence)
        {
            sent.again = Again::Arrived;
        }
    }

    /// A packet has not arrived, as feedback says.
    pub(super) fn note_lost(&mut self, number: u64) {
        let Some(flown) = self.flight.take(number) else {
            return;
        };
        let told = match flown.is_repair {
            true => Told::RepairLost,
            false => Told::Feedback,
        };
        self.want_repair(Wanted {
            place: flown.place(),
            sequence: flown.sequence,
            told,
        });
    }

    pub(super) fn want_repair(&mut self, wanted: Wanted) {
        if self.repairs.len() < MAX_REPAIRS {
            self.repairs.push_back(wanted);
        }
    }

    /// A packet on a repair stream (RFC 4588): the one of this number again if it is still known,
    /// or one of nothing but padding (RFC 3550 section 5.1). False when it cannot be sent.
    pub(super) fn send_extra<S: Sink>(
        &mut self,
        sealer: &mut Sealer,
        place: usize,
        sequence: Option<u16>,
        out: &mut Outlet<'_, S>,
    ) -> bool {
        let stream = &mut self.streams[place];
        let found = sequence.map(|sequence| stream.history.find(sequence));
        let (packet, timestamp) = match (found, stream.newest) {
            (Some(Some(sent)), _) => (Some(&sent.packet), sent.packet.timestamp),
            (None, Some(newest)) => (None, newest.timestamp),
            _ => return false,
        };
        let Some(repair) = &mut stream.repair else {
            return false;
        };
        let format = match packet {
            Some(packet) => repair.payload_type(packet.payload_type),
            None => repair.any_payload_type(),
        };
        let Some(payload_type) = format else {
            return false;
        };
        let fixed = Fixed {
            payload_type,
            marker: packet.is_some_and(|packet| packet.marker),
            padding: packet.is_none(),
            sequence: repair.next as u16,
            timestamp,
            ssrc: repair.ssrc,
        };
        let values = Values {
            mid: Some(&stream.mid),
            transport_cc: self.transport_cc as u16,
            send_time: out.send_time,
            carried: packet.map(|packet| &packet.content.carried),
            frame_number: packet.and_then(|packet| packet.frame_number),
            playout: None,
        };
        header::write(out.header, &fixed, &stream.ids, &values);
        let payload = packet.map_or(PADDING, |packet| ORIGINAL + packet.payload_len());
        let write = |room: &mut [u8]| fill(packet, room);
        let Some(len) = out.seal(sealer, payload, repair.next, write) else {
            return false;
        };
        repair.next += 1;
        repair.packets = repair.packets.wrapping_add(1);
        if packet.is_some() {
            repair.octets = repair.octets.wrapping_add(payload as u32);
        }
        let counted = stream.ids.transport_cc != 0;
        self.account(out.now, len, counted);
        true
    }
}

/// The payload on a repair stream: a packet's number and payload, or padding.
fn fill(packet: Option<&Queued>, room: &mut [u8]) {
    match packet {
        Some(packet) => {
            room[..ORIGINAL].copy_from_slice(&(packet.sequence as u16).to_be_bytes());
            packet.write_payload(&mut room[ORIGINAL..]);
        }
        None => {
            room.fill(0);
            room[PADDING - 1] = PADDING as u8;
        }
    }
}

/// No stream's place.
const NOBODY: u16 = u16::MAX;
/// Transport-wide numbers remembered: half a second of 10 Mbit/s.
const MOST: usize = 512;
/// Lost packets that wait to be sent again.
pub(super) const MAX_REPAIRS: usize = 1_024;
/// The most that one packet can be padded with, and a round number below.
const PADDING: usize = 252;
/// Repairs that wait to follow the first one.
const MAX_SPARES: usize = 256;
/// Between two of them: longer than a burst of loss on a radio, and no picture waits for it.
const APART: Duration = Duration::from_millis(8);
/// How much a round trip may be off, ms.
const GRAIN: u32 = 15;
/// Share of packets lost from which a repair is sent three times.
const VERY_BAD: f64 = 0.12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_to_their_packets_once() {
        let mut flight = Flight::default();
        for number in 0..2_000_u16 {
            flight.push();
            if number % 2 == 0 {
                flight.name(3, number, false);
            }
        }
        assert_eq!(
            flight.take(1_998).map(|f| (f.place(), f.sequence)),
            Some((3, 1_998))
        );
        assert!(flight.take(1_998).is_none(), "it is settled");
        assert!(flight.take(1_999).is_none(), "nothing to repair");
        assert!(flight.take(100).is_none(), "too long ago");
        assert!(flight.take(2_000).is_none(), "not sent yet");
    }
}
