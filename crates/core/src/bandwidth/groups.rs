//! Inter-group delay: by how much more did two bursts arrive apart than they were sent apart?
//!
//! Packets sent within 5 ms form a group, for a frame leaves as one burst and queues behind
//! itself (draft-ietf-rmcat-gcc-02 section 5.2). A packet that arrives in the same burst as the
//! last one, sent later but delayed less, belongs to that group too: it waited in a queue that
//! opened all at once, as Wi-Fi's does.

/// The difference between two consecutive groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Delta {
    /// Between the last packets of both, as sent, ms.
    pub(super) sent: f64,
    /// Between the last packets of both, as received, ms.
    pub(super) received: f64,
    /// When the later group had arrived, ms on the peer's clock.
    pub(super) arrival: f64,
}

/// Forms groups out of packets in the order they were sent.
#[derive(Default)]
pub(super) struct Groups {
    current: Option<Group>,
    previous: Option<Group>,
    backwards: u8,
}

#[derive(Clone, Copy)]
struct Group {
    first_sent: u64,
    last_sent: u64,
    first_arrival: u64,
    last_arrival: u64,
}

impl Groups {
    /// Notes a packet, both times in us; a difference comes out when it opens a new group.
    pub(super) fn add(&mut self, sent: u64, arrival: u64) -> Option<Delta> {
        let fresh = Group {
            first_sent: sent,
            last_sent: sent,
            first_arrival: arrival,
            last_arrival: arrival,
        };
        let Some(group) = &mut self.current else {
            self.current = Some(fresh);
            return None;
        };
        if sent < group.first_sent {
            return None;
        }
        if group.takes(sent, arrival) {
            group.last_sent = group.last_sent.max(sent);
            group.last_arrival = group.last_arrival.max(arrival);
            return None;
        }
        let complete = *group;
        let previous = self.previous.replace(complete);
        self.current = Some(fresh);
        self.compare(previous?, complete)
    }

    fn compare(&mut self, before: Group, after: Group) -> Option<Delta> {
        let sent = (after.last_sent as f64 - before.last_sent as f64) / 1e3;
        let received = (after.last_arrival as f64 - before.last_arrival as f64) / 1e3;
        if received - sent > CLOCK_JUMP {
            *self = Self::default();
            return None;
        }
        if received < 0.0 {
            // Now and then groups overtake each other; all the time means another clock.
            self.backwards += 1;
            if self.backwards >= MAX_BACKWARDS {
                *self = Self::default();
            }
            return None;
        }
        self.backwards = 0;
        let arrival = after.last_arrival as f64 / 1e3;
        Some(Delta {
            sent,
            received,
            arrival,
        })
    }
}

impl Group {
    fn takes(&self, sent: u64, arrival: u64) -> bool {
        if sent.saturating_sub(self.first_sent) <= GROUP_LENGTH {
            return true;
        }
        let arrived = arrival as i64 - self.last_arrival as i64;
        let later = sent as i64 - self.last_sent as i64;
        arrived - later < 0
            && arrived <= GROUP_LENGTH as i64
            && arrival.saturating_sub(self.first_arrival) < MAX_BURST
    }
}

/// Packets sent within this time are one group; so are arrivals at this distance, us.
const GROUP_LENGTH: u64 = 5_000;
/// A burst of arrivals is not followed for longer, us.
const MAX_BURST: u64 = 100_000;
/// A difference of this size is a clock that was set, ms.
const CLOCK_JUMP: f64 = 3_000.0;
/// So many groups in a row that arrive before their predecessors mean another clock.
const MAX_BACKWARDS: u8 = 3;
