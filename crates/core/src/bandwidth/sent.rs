//! What is on its way: one short entry per packet, until the peer has spoken about it.
//!
//! The table is a ring over the transport-wide numbers. It starts small, doubles while packets
//! younger than [`WORTH_KEEPING`] would fall out, and never grows beyond [`MAX_ENTRIES`]: 16 KiB.

/// The ring of packets the peer has not spoken about yet.
pub(super) struct SentTable {
    entries: Vec<Entry>,
    /// Number of the oldest entry that is kept, and of the one to come.
    first: u64,
    next: u64,
}

/// What the peer's word about a packet means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    /// When it was sent, us since the estimator's origin.
    pub(super) at: u64,
    pub(super) bytes: u32,
    /// The probe it was part of; 0 for none.
    pub(super) probe: u8,
    /// It had been reported as lost before.
    pub(super) was_lost: bool,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    /// Wrapping microseconds: 71 minutes, far more than an entry lives.
    at: u32,
    bytes: u16,
    probe: u8,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Settled,
    InFlight,
    Lost,
}

impl SentTable {
    pub(super) fn new() -> Self {
        Self {
            entries: vec![Entry::default(); MIN_ENTRIES],
            first: 0,
            next: 0,
        }
    }

    /// Notes a packet. Numbers come in ascending order; what is older than the last is ignored.
    pub(super) fn insert(&mut self, sequence: u64, at: u64, bytes: u32, probe: u8) {
        if sequence < self.next {
            return;
        }
        if self.first == self.next || sequence - self.next >= self.entries.len() as u64 {
            self.entries.fill(Entry::default());
            (self.first, self.next) = (sequence, sequence);
        }
        while self.next <= sequence {
            self.make_room(at);
            let index = self.index(self.next);
            self.entries[index] = Entry::default();
            self.next += 1;
        }
        let index = self.index(sequence);
        self.entries[index] = Entry {
            at: at as u32,
            bytes: bytes.min(u32::from(u16::MAX)) as u16,
            probe,
            state: State::InFlight,
        };
    }

    /// The peer has spoken about a packet; `None` when there is nothing to learn from it.
    pub(super) fn settle(&mut self, sequence: u64, received: bool, now: u64) -> Option<Ack> {
        if sequence < self.first || sequence >= self.next {
            return None;
        }
        let index = self.index(sequence);
        let entry = &mut self.entries[index];
        let was_lost = entry.state == State::Lost;
        match entry.state {
            State::Settled => return None,
            State::Lost if !received => return None,
            _ => {}
        }
        entry.state = if received {
            State::Settled
        } else {
            State::Lost
        };
        let age = (now as u32).wrapping_sub(entry.at);
        Some(Ack {
            at: now.saturating_sub(u64::from(age)),
            bytes: u32::from(entry.bytes),
            probe: entry.probe,
            was_lost,
        })
    }

    /// Is anything out there that the peer has not spoken about?
    pub(super) fn has_unheard(&self) -> bool {
        let newest = self.next.checked_sub(1).filter(|last| *last >= self.first);
        newest.is_some_and(|last| self.entries[self.index(last)].state == State::InFlight)
    }

    /// Nobody will speak about what is out there any more, or too late to tell anything.
    pub(super) fn forget(&mut self) {
        self.entries.fill(Entry::default());
        self.first = self.next;
    }

    fn make_room(&mut self, now: u64) {
        while self.first < self.next && self.entries[self.index(self.first)].state == State::Settled
        {
            self.first += 1;
        }
        if self.next - self.first < self.entries.len() as u64 {
            return;
        }
        let age = (now as u32).wrapping_sub(self.entries[self.index(self.first)].at);
        if u64::from(age) < WORTH_KEEPING && self.entries.len() < MAX_ENTRIES {
            self.grow();
        } else {
            self.first += 1;
        }
    }

    fn grow(&mut self) {
        let mut larger = vec![Entry::default(); self.entries.len() * 2];
        let mask = larger.len() - 1;
        for sequence in self.first..self.next {
            larger[sequence as usize & mask] = self.entries[self.index(sequence)];
        }
        self.entries = larger;
    }

    fn index(&self, sequence: u64) -> usize {
        sequence as usize & (self.entries.len() - 1)
    }
}

/// Powers of two, so that a mask finds an entry.
const MIN_ENTRIES: usize = 64;
const MAX_ENTRIES: usize = 2048;
/// A packet of which nobody spoke for this long tells nothing any more, us.
const WORTH_KEEPING: u64 = 2_000_000;

// A transport's share of memory is promised to the operator.
const _: () = assert!(size_of::<Entry>() * MAX_ENTRIES <= 16 * 1024);
