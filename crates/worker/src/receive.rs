//! The receiving half of a media thread: from the sockets, and from sibling threads.
//!
//! A datagram is routed before any session parses it: ours, a sibling's (by its ufrag, or because
//! its source was seen to belong there), or nobody's. What is a sibling's goes there by value, as
//! many datagrams of one buffer as follow each other in one letter. The owner says back where
//! datagrams of that source belong, once a session of its has accepted one.
//!
//! Anyone can forge a source address, so what a forged datagram looks like must not move or forget
//! an address: only an accepted one (authenticated STUN) makes an entry, and only a datagram that is
//! looked up by address alone, and is unknown to the owner, ends it. A STUN check is looked up by
//! the ufrag in it, which says nothing about the address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use headwater_core::Route;

use crate::inbox::{Advice, HandedOver, Inbox};
use crate::media_thread::MediaThread;
use crate::udp::RECEIVE_BATCH;

/// A sibling that owns a datagram, and whether our steering table knew it.
type Owner = (u16, bool);

impl MediaThread {
    /// Take what the sockets have, a bounded number of batches from each.
    pub(crate) fn receive(&mut self) {
        for number in 0..self.setup.ports.len() {
            for _ in 0..BATCHES_PER_TURN {
                let port = &mut self.setup.ports[number];
                if !port.readable {
                    break;
                }
                let count = port.receive(&mut self.buffers, &mut self.counters);
                if count == 0 {
                    break;
                }
                let now = Instant::now();
                for buffer in 0..count {
                    self.receive_buffer(now, number, buffer);
                }
                self.drain(now);
                if count < RECEIVE_BATCH {
                    // The queue was empty; what came since raises a new edge.
                    self.setup.ports[number].readable = false;
                }
            }
        }
    }

    /// One receive buffer: datagrams of one source, `stride` bytes each.
    fn receive_buffer(&mut self, now: Instant, number: usize, buffer: usize) {
        let meta = self.buffers.metas[buffer];
        let (source, stride) = (meta.addr, meta.stride.max(1));
        let destination = self.setup.ports[number].destination(&meta);
        // Moved out for the time being, so that the loop may borrow the rest of `self`.
        let data = std::mem::take(&mut self.buffers.data[buffer]);
        let contents = &data[..meta.len];
        let mut run: (Option<Owner>, usize) = (None, 0);
        for (position, datagram) in contents.chunks(stride).enumerate() {
            self.counters.datagrams_received += 1;
            self.counters.bytes_received += datagram.len() as u64;
            let owner = self.take_datagram(now, source, destination, datagram);
            if owner != run.0 {
                let end = position * stride;
                self.hand_over(run.0, source, destination, &contents[run.1..end], stride);
                run = (owner, end);
            }
        }
        self.hand_over(run.0, source, destination, &contents[run.1..], stride);
        self.buffers.data[buffer] = data;
    }

    /// Give a datagram to its session, or say which sibling has it.
    fn take_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) -> Option<Owner> {
        let owner = match self.sfu.route(source, contents) {
            Route::Session(key) => {
                self.sfu.receive(now, key, source, destination, contents);
                return None;
            }
            Route::Thread(owner) => Some((owner, self.steering.owner(now, source) == Some(owner))),
            Route::Unknown => self.steering.owner(now, source).map(|owner| (owner, true)),
        };
        let exists = |owner: &Owner| {
            owner.0 != self.setup.index && usize::from(owner.0) < self.setup.inboxes.len()
        };
        let owner = owner.filter(exists);
        if owner.is_none() {
            self.counters.datagrams_unknown += 1;
        }
        owner
    }

    fn hand_over(
        &mut self,
        owner: Option<Owner>,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
        stride: usize,
    ) {
        let Some((owner, steered)) = owner else {
            return;
        };
        let from = self.setup.index;
        let datagrams = contents.len().div_ceil(stride) as u64;
        let contents = contents.into();
        let letter = HandedOver {
            source,
            destination,
            contents,
            stride,
            from,
            steered,
        };
        let inbox = &self.setup.inboxes[usize::from(owner)];
        if inbox.datagrams.push(letter).is_ok() {
            self.counters.datagrams_handed_over += datagrams;
            inbox.bell.ring();
        } else {
            self.counters.handover_full += datagrams;
        }
    }

    /// Datagrams and advice from sibling threads.
    pub(crate) fn take_letters(&mut self) {
        let inboxes = Arc::clone(&self.setup.inboxes);
        let inbox = &inboxes[usize::from(self.setup.index)];
        let now = Instant::now();
        for _ in 0..LETTERS_PER_TURN {
            let Some(advice) = inbox.advice.pop() else {
                break;
            };
            match advice.owner {
                Some(owner) => self.steering.remember(now, advice.source, owner),
                None => self.steering.forget(advice.source),
            }
        }
        let mut taken = 0;
        while taken < LETTERS_PER_TURN
            && let Some(letter) = inbox.datagrams.pop()
        {
            taken += 1;
            self.take_letter(now, &letter, &inboxes);
        }
        if taken > 0 {
            self.drain(now);
        }
        if !inbox.datagrams.is_empty() || !inbox.advice.is_empty() {
            inbox.bell.ring(); // to ourselves: another turn
        }
    }

    fn take_letter(&mut self, now: Instant, letter: &HandedOver, inboxes: &[Inbox]) {
        let (mut accepted, mut gone) = (false, false);
        for datagram in letter.contents.chunks(letter.stride) {
            match self.sfu.route(letter.source, datagram) {
                Route::Session(key) => {
                    let HandedOver {
                        source,
                        destination,
                        ..
                    } = *letter;
                    accepted |= self.sfu.receive(now, key, source, destination, datagram);
                }
                Route::Thread(_) | Route::Unknown => {
                    self.counters.datagrams_unknown += 1;
                    gone |= !is_stun(datagram);
                }
            }
        }
        let owner = match letter.steered {
            false if accepted => Some(self.setup.index),
            true if gone => None,
            _ => return,
        };
        let sender = &inboxes[usize::from(letter.from)];
        // Advice lost is advice given again with the next datagram.
        if sender
            .advice
            .push(Advice {
                source: letter.source,
                owner,
            })
            .is_ok()
        {
            sender.bell.ring();
        }
    }
}

/// RFC 7983: a first byte of 0 to 3.
fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4)
}

/// Receive calls per socket and turn: up to 4 x 16 buffers of 64 datagrams.
const BATCHES_PER_TURN: usize = 4;
const LETTERS_PER_TURN: usize = 256;
