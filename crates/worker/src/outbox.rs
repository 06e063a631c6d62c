//! Events on their way up.
//!
//! The ring is bounded. When its reader is slow, events wait in a buffer that only the media thread
//! touches, where newer state replaces older state of the same object, so the buffer is bounded by
//! the number of objects and open commands. Replies, closes and channel openings are never dropped
//! nor merged. Data messages are the one kind a peer can produce without limit: beyond
//! [`MAX_WAITING_MESSAGES`] or [`MAX_MESSAGE_BYTES`] they are dropped and counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam_queue::ArrayQueue;
use headwater_core::event::Event;
use headwater_core::ids::ObjectId;
use rustc_hash::FxHashMap;

use crate::counters::Counters;

/// The shared half: written by one media thread, read by whoever drains the Worker.
#[derive(Debug)]
pub(crate) struct Outbox {
    ring: ArrayQueue<Event>,
    /// The thread has events that did not fit; it wants to be woken when there is room.
    waiting: AtomicBool,
    /// Payload of all data messages that have not been read, in the ring or waiting.
    message_bytes: AtomicUsize,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            ring: ArrayQueue::new(RING),
            waiting: AtomicBool::new(false),
            message_bytes: AtomicUsize::new(0),
        }
    }

    pub(crate) fn pop(&self) -> Option<Event> {
        let event = self.ring.pop()?;
        if let Event::DataMessage { payload, .. } = &event {
            self.message_bytes
                .fetch_sub(payload.len(), Ordering::Relaxed);
        }
        Some(event)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Whether the thread must be woken after a drain.
    pub(crate) fn take_waiting(&self) -> bool {
        self.waiting.swap(false, Ordering::SeqCst)
    }
}

/// What later events of the same kind about the same object replace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum MergeKey {
    ConnectionState(ObjectId),
    NegotiationNeeded(ObjectId),
    PublisherActive(ObjectId),
    Paused(ObjectId),
    Layer(ObjectId),
    Wanted(ObjectId),
    Speaker(ObjectId),
    Levels(ObjectId),
    Quality(ObjectId),
    Slot(ObjectId),
    Peer(ObjectId),
}

fn merge_key(event: &Event) -> Option<MergeKey> {
    match event {
        Event::ConnectionState { transport, .. } => {
            Some(MergeKey::ConnectionState(ObjectId::Transport(*transport)))
        }
        Event::PeerFound { transport, .. } => Some(MergeKey::Peer(ObjectId::Transport(*transport))),
        Event::NegotiationNeeded { transport } => {
            Some(MergeKey::NegotiationNeeded(ObjectId::Transport(*transport)))
        }
        Event::PublisherActive { publisher, .. } => {
            Some(MergeKey::PublisherActive(ObjectId::Publisher(*publisher)))
        }
        Event::Paused { object, .. } => Some(MergeKey::Paused(*object)),
        Event::LayerChanged { subscriber, .. } => {
            Some(MergeKey::Layer(ObjectId::Subscriber(*subscriber)))
        }
        Event::LayersWanted { publisher, .. } => {
            Some(MergeKey::Wanted(ObjectId::Publisher(*publisher)))
        }
        Event::SlotChanged { subscriber, .. } => {
            Some(MergeKey::Slot(ObjectId::Subscriber(*subscriber)))
        }
        Event::ActiveSpeaker { router, .. } => Some(MergeKey::Speaker(ObjectId::Router(*router))),
        Event::AudioLevels { router, .. } => Some(MergeKey::Levels(ObjectId::Router(*router))),
        Event::ConnectionQuality { transport, .. } => {
            Some(MergeKey::Quality(ObjectId::Transport(*transport)))
        }
        _ => None,
    }
}

/// The media thread's half: events that found no room in the ring, in order.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    events: VecDeque<Event>,
    /// Position of each mergeable event, counted from the first event ever queued.
    positions: FxHashMap<MergeKey, u64>,
    /// How many events have left the front since the start.
    left: u64,
    messages: usize,
}

impl Waiting {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Send `event` up, or keep it until there is room.
    pub(crate) fn emit(&mut self, outbox: &Outbox, event: Event, counters: &mut Counters) {
        if let Event::DataMessage { payload, .. } = &event {
            let unread = outbox.message_bytes.load(Ordering::Relaxed) + payload.len();
            if unread > MAX_MESSAGE_BYTES || self.messages >= MAX_WAITING_MESSAGES {
                counters.data_messages_dropped += 1;
                return;
            }
            outbox
                .message_bytes
                .fetch_add(payload.len(), Ordering::Relaxed);
        }
        counters.events += 1;
        if self.events.is_empty() {
            match outbox.ring.push(event) {
                Ok(()) => {}
                Err(event) => self.keep(event, counters),
            }
        } else {
            self.keep(event, counters);
        }
    }

    fn keep(&mut self, event: Event, counters: &mut Counters) {
        if let Some(key) = merge_key(&event) {
            if let Some(position) = self.positions.get(&key) {
                let index = (position - self.left) as usize;
                self.events[index] = event;
                counters.events_merged += 1;
                return;
            }
            self.positions
                .insert(key, self.left + self.events.len() as u64);
        } else if matches!(event, Event::DataMessage { .. }) {
            self.messages += 1;
        }
        counters.events_delayed += 1;
        self.events.push_back(event);
    }

    /// Move what fits into the ring. Leaves a note in `outbox` when something did not.
    pub(crate) fn flush(&mut self, outbox: &Outbox) {
        while !self.events.is_empty() {
            // The note comes first: a reader that makes room after our failed push must see it.
            outbox.waiting.store(true, Ordering::SeqCst);
            if outbox.ring.is_full() {
                return;
            }
            let Some(event) = self.events.pop_front() else {
                break;
            };
            self.left += 1;
            if let Some(key) = merge_key(&event) {
                self.positions.remove(&key);
            } else if matches!(event, Event::DataMessage { .. }) {
                self.messages -= 1;
            }
            if let Err(event) = outbox.ring.push(event) {
                unreachable!("only this thread pushes, and there was room: {event:?}");
            }
        }
        outbox.waiting.store(false, Ordering::SeqCst);
    }

    /// What never found room; for the last drain after the thread has ended.
    pub(crate) fn into_events(self) -> VecDeque<Event> {
        self.events
    }
}

const RING: usize = 8_192;
const MAX_WAITING_MESSAGES: usize = 4_096;
const MAX_MESSAGE_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use headwater_core::event::{CloseReason, ConnectionState, Reply};
    use headwater_core::ids::{DataPublisherId, RequestId, TransportId};

    use super::*;

    fn done(n: u64) -> Event {
        Event::Reply {
            request: RequestId(n),
            result: Ok(Reply::Done),
        }
    }

    fn state(transport: u64, state: ConnectionState) -> Event {
        Event::ConnectionState {
            transport: TransportId(transport),
            state,
        }
    }

    fn fill(outbox: &Outbox, waiting: &mut Waiting, counters: &mut Counters) {
        for n in 0..RING as u64 {
            waiting.emit(outbox, done(n), counters);
        }
        assert!(waiting.is_empty());
    }

    fn drain(outbox: &Outbox, waiting: &mut Waiting) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = outbox.pop() {
            all.push(event);
            waiting.flush(outbox);
        }
        all
    }

    #[test]
    fn replies_and_closes_survive_a_full_ring_in_order() {
        let (outbox, mut waiting, mut counters) =
            (Outbox::new(), Waiting::default(), Counters::default());
        fill(&outbox, &mut waiting, &mut counters);
        for n in 0..20_000 {
            waiting.emit(&outbox, done(RING as u64 + n), &mut counters);
        }
        let closed = Event::Closed {
            object: ObjectId::Transport(TransportId(1)),
            reason: CloseReason::Requested,
        };
        waiting.emit(&outbox, closed, &mut counters);
        waiting.flush(&outbox);
        assert!(outbox.take_waiting());
        let all = drain(&outbox, &mut waiting);
        assert_eq!(all.len(), RING + 20_001);
        for (n, event) in all.iter().take(RING + 20_000).enumerate() {
            assert!(matches!(event, Event::Reply { request, .. } if request.0 == n as u64));
        }
        assert!(matches!(all.last(), Some(Event::Closed { .. })));
        assert!(!outbox.take_waiting());
    }

    #[test]
    fn waiting_state_is_merged_per_object_and_the_newest_wins() {
        let (outbox, mut waiting, mut counters) =
            (Outbox::new(), Waiting::default(), Counters::default());
        fill(&outbox, &mut waiting, &mut counters);
        for _ in 0..1_000 {
            for transport in [1, 2] {
                waiting.emit(
                    &outbox,
                    state(transport, ConnectionState::Disconnected),
                    &mut counters,
                );
                waiting.emit(
                    &outbox,
                    state(transport, ConnectionState::Connected),
                    &mut counters,
                );
            }
        }
        assert_eq!(waiting.events.len(), 2);
        assert_eq!(counters.events_merged, 3_998);
        let all = drain(&outbox, &mut waiting);
        for (event, id) in all[RING..].iter().zip([1, 2]) {
            assert!(matches!(
                event,
                Event::ConnectionState { transport, state: ConnectionState::Connected } if transport.0 == id
            ));
        }
    }

    #[test]
    fn merging_finds_its_event_after_others_have_left() {
        let (outbox, mut waiting, mut counters) =
            (Outbox::new(), Waiting::default(), Counters::default());
        fill(&outbox, &mut waiting, &mut counters);
        waiting.emit(&outbox, done(0), &mut counters);
        waiting.emit(
            &outbox,
            state(7, ConnectionState::Connecting),
            &mut counters,
        );
        outbox.pop();
        waiting.flush(&outbox); // the reply has left; the state is first now
        waiting.emit(&outbox, state(7, ConnectionState::Failed), &mut counters);
        assert_eq!(waiting.events.len(), 1);
        assert!(matches!(
            drain(&outbox, &mut waiting).last(),
            Some(Event::ConnectionState {
                state: ConnectionState::Failed,
                ..
            })
        ));
    }

    #[test]
    fn data_messages_are_bounded_and_counted() {
        let (outbox, mut waiting, mut counters) =
            (Outbox::new(), Waiting::default(), Counters::default());
        fill(&outbox, &mut waiting, &mut counters);
        for _ in 0..MAX_WAITING_MESSAGES + 10 {
            let message = Event::DataMessage {
                data_publisher: DataPublisherId(1),
                binary: true,
                payload: vec![0; 10],
            };
            waiting.emit(&outbox, message, &mut counters);
        }
        assert_eq!(waiting.events.len(), MAX_WAITING_MESSAGES);
        assert_eq!(counters.data_messages_dropped, 10);
        assert_eq!(
            drain(&outbox, &mut waiting).len(),
            RING + MAX_WAITING_MESSAGES
        );
        assert_eq!(waiting.messages, 0);
    }

    #[test]
    fn unread_messages_are_bounded_by_bytes_too() {
        let (outbox, mut waiting, mut counters) =
            (Outbox::new(), Waiting::default(), Counters::default());
        let message = || Event::DataMessage {
            data_publisher: DataPublisherId(1),
            binary: true,
            payload: vec![0; 1 << 20],
        };
        for _ in 0..20 {
            waiting.emit(&outbox, message(), &mut counters);
        }
        assert_eq!((counters.events, counters.data_messages_dropped), (16, 4));
        assert!(outbox.pop().is_some());
        waiting.emit(&outbox, message(), &mut counters);
        assert_eq!(counters.events, 17);
        assert_eq!(drain(&outbox, &mut waiting).len(), 16);
        assert_eq!(outbox.message_bytes.load(Ordering::Relaxed), 0);
    }
}
