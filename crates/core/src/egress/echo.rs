//! Sound that goes out twice: on a line that loses much, each datagram of sound is repeated.
//!
//! The second is the same datagram, not a second sealing: whoever has the first drops it as replayed
//! (RFC 3711 section 3.3.2), whoever lost the first takes it. It follows after [`APART`], so that one
//! burst of loss does not take both, and before the playout of 20 ms would miss it. A retransmission
//! would come a round trip later, which is too late for a conversation; a further redundant copy
//! (RFC 2198) 40 ms later. Costs what the sound costs, and only where the line has room for it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::sink::Sink;

use super::{Egress, Outlet};

/// Datagrams of sound that go out once more.
#[derive(Default)]
pub(super) struct Echo(VecDeque<(Instant, Box<[u8]>)>);

impl Echo {
    /// A sealed datagram of sound leaves now.
    pub(super) fn push(&mut self, now: Instant, datagram: &[u8]) {
        if self.0.len() < MOST {
            self.0.push_back((now + APART, datagram.into()));
        }
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.front().map(|(due, _)| *due)
    }
}

impl Egress {
    /// Sends the second ones that are due.
    pub(super) fn repeat_sound<S: Sink>(&mut self, out: &mut Outlet<'_, S>) {
        while self.echo.next().is_some_and(|due| due <= out.now)
            && let Some((_, datagram)) = self.echo.0.pop_front()
        {
            let room = out.sink.lend(&out.path, datagram.len());
            room.copy_from_slice(&datagram);
            out.committed(datagram.len());
            self.pacer.sent(out.now, datagram.len());
        }
    }
}

/// Between the two.
const APART: Duration = Duration::from_millis(8);
/// Datagrams that wait at most.
const MOST: usize = 64;
