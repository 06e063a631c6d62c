//! What media threads tell each other about tracks (`headwater_core::relay`), in batches.
//!
//! All that one wake-up has for a sibling goes into one letter, and one ring of the bell. A ring
//! bounds the letters, a counter in it the bytes of payload: beyond either, packets and data
//! messages are dropped and counted. What is state is never dropped: it waits here, at most a few
//! messages per track, and goes first with the next letter, which is tried again after [`RETRY`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use headwater_core::relay::RelayMessage;

use crate::inbox::Inbox;
use crate::media_thread::MediaThread;

/// What one sibling had to say in one wake-up.
#[derive(Debug)]
struct Letter {
    from: u16,
    bytes: usize,
    messages: Vec<RelayMessage>,
}

/// Letters to one media thread.
#[derive(Debug)]
pub(crate) struct RelayRing {
    letters: ArrayQueue<Letter>,
    /// Payload in all letters.
    bytes: AtomicUsize,
}

impl RelayRing {
    pub(crate) fn new() -> Self {
        Self {
            letters: ArrayQueue::new(LETTERS),
            bytes: AtomicUsize::new(0),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    fn pop(&self) -> Option<Letter> {
        let letter = self.letters.pop()?;
        self.bytes.fetch_sub(letter.bytes, Ordering::Relaxed);
        Some(letter)
    }

    fn push(&self, letter: Letter) -> Result<(), Letter> {
        let before = self.bytes.fetch_add(letter.bytes, Ordering::Relaxed);
        let full = before > 0 && before + letter.bytes > LETTER_BYTES;
        let refused = if full {
            Err(letter)
        } else {
            self.letters.push(letter)
        };
        refused.inspect_err(|letter| {
            self.bytes.fetch_sub(letter.bytes, Ordering::Relaxed);
        })
    }
}

/// What one media thread has yet to hand over.
#[derive(Debug, Default)]
pub(crate) struct Relaying {
    /// By sibling.
    drafts: Vec<Vec<RelayMessage>>,
    /// Siblings whose draft is not empty.
    open: Vec<u16>,
    /// The last handing over left something behind.
    stuck: bool,
}

impl Relaying {
    pub(crate) fn add(&mut self, thread: u16, message: RelayMessage) {
        let index = usize::from(thread);
        if self.drafts.len() <= index {
            self.drafts.resize_with(index + 1, Vec::new);
        }
        let draft = &mut self.drafts[index];
        if draft.is_empty() {
            self.open.push(thread);
        }
        draft.push(message);
    }

    /// Hands over everything. Returns how many packets and messages were dropped.
    pub(crate) fn post(&mut self, from: u16, inboxes: &[Inbox]) -> u64 {
        let mut dropped = 0;
        self.stuck = false;
        for thread in std::mem::take(&mut self.open) {
            let messages = std::mem::take(&mut self.drafts[usize::from(thread)]);
            let Some(inbox) = inboxes.get(usize::from(thread)) else {
                continue; // a handle that nobody allocated
            };
            let bytes = messages.iter().map(RelayMessage::size).sum();
            let letter = Letter {
                from,
                bytes,
                messages,
            };
            if let Err(letter) = inbox.relay.push(letter) {
                let mut kept = letter.messages;
                let all = kept.len();
                kept.retain(|message| !message.is_droppable());
                dropped += (all - kept.len()) as u64;
                if !kept.is_empty() {
                    self.drafts[usize::from(thread)] = kept;
                    self.open.push(thread);
                    self.stuck = true;
                }
            }
            inbox.bell.ring();
        }
        dropped
    }

    /// The core is lost: nothing that it said before stands, and all siblings are told so.
    pub(crate) fn reset(&mut self, from: u16, inboxes: &[Inbox]) {
        *self = Self::default();
        for thread in (0..inboxes.len() as u16).filter(|thread| *thread != from) {
            self.add(thread, RelayMessage::Reset);
        }
    }

    /// Whether something waits that no sibling has refused yet.
    pub(crate) const fn is_fresh(&self) -> bool {
        !self.open.is_empty() && !self.stuck
    }

    /// How long the thread may sleep with what could not be handed over.
    pub(crate) const fn patience(&self) -> Option<Duration> {
        if self.stuck { Some(RETRY) } else { None }
    }
}

impl MediaThread {
    /// Hand over what this wake-up has for the siblings.
    pub(crate) fn post_relayed(&mut self) {
        let dropped = self.relaying.post(self.setup.index, &self.setup.inboxes);
        self.counters.relay_dropped += dropped;
    }

    /// Take what siblings have handed over, a bounded number of letters.
    pub(crate) fn take_relayed(&mut self) {
        let mut taken = 0;
        let now = std::time::Instant::now();
        while taken < LETTERS_PER_TURN
            && let Some(letter) = self.inbox().relay.pop()
        {
            taken += 1;
            for message in letter.messages {
                self.sfu.relay(now, letter.from, message);
            }
        }
        self.counters.relay_letters += taken;
        if taken > 0 || self.relaying.stuck {
            self.drain(now);
        }
        if !self.inbox().relay.is_empty() {
            self.inbox().bell.ring(); // to ourselves: another turn
        }
    }
}

/// Letters that may wait at one thread: more than a busy second of wake-ups.
const LETTERS: usize = 1_024;
/// Payload that may wait at one thread: two seconds at 100 Mbit/s.
const LETTER_BYTES: usize = 25_000_000;
const LETTERS_PER_TURN: u64 = 256;
const RETRY: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use headwater_core::ids::PublisherId;

    use super::*;

    fn state(n: u64) -> RelayMessage {
        let publisher = PublisherId(n);
        RelayMessage::Paused {
            publisher,
            paused: true,
        }
    }

    fn letter(n: u64, bytes: usize) -> Letter {
        Letter {
            from: 0,
            bytes,
            messages: vec![state(n)],
        }
    }

    #[test]
    fn a_ring_is_bounded_in_letters_and_in_bytes() {
        let ring = RelayRing::new();
        assert!(ring.push(letter(0, LETTER_BYTES)).is_ok());
        assert!(ring.push(letter(1, 1)).is_err());
        assert!(ring.pop().is_some());
        for n in 0..LETTERS as u64 {
            assert!(ring.push(letter(n, 1)).is_ok());
        }
        assert!(ring.push(letter(0, 1)).is_err());
        while ring.pop().is_some() {}
        assert_eq!(ring.bytes.load(Ordering::Relaxed), 0);
    }
}
