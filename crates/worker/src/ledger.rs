//! What lives on a media thread, as far as the worker must know.
//!
//! The core knows it better; this is the copy that survives a panic of the core, so that even then
//! every open command gets a reply and every object a `Closed`. It also counts what the thread
//! carries (for placing new routers) and says which recording sockets to close.

use std::sync::atomic::Ordering;

use headwater_core::command::Command;
use headwater_core::error::Error;
use headwater_core::event::{CloseReason, Event};
use headwater_core::ids::{ObjectId, RequestId, RouterId};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::inbox::Inbox;

/// Open commands with the objects they make, and live objects.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    open: FxHashMap<RequestId, Vec<ObjectId>>,
    live: FxHashSet<ObjectId>,
}

impl Ledger {
    /// A command is about to reach the core.
    pub(crate) fn command(&mut self, request: RequestId, command: &Command) {
        let mut made = made_by(command);
        made.retain(|object| self.live.insert(*object)); // a duplicate is not this command's
        self.open.insert(request, made);
    }

    /// An event is about to leave. Returns the objects that are gone with it.
    pub(crate) fn event(&mut self, event: &Event) -> Vec<ObjectId> {
        match event {
            Event::Reply { request, result } => {
                let mut made = self.open.remove(request).unwrap_or_default();
                if result.is_ok() {
                    made.clear();
                }
                made.retain(|object| self.live.remove(object));
                made
            }
            Event::Closed { object, .. } if self.live.remove(object) => vec![*object],
            _ => Vec::new(),
        }
    }

    /// How many objects live, and how many commands are open.
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.live.len(), self.open.len())
    }

    /// The routers that are open now.
    pub(crate) fn routers(&self) -> Vec<RouterId> {
        let router = |object: &ObjectId| match object {
            ObjectId::Router(router) => Some(*router),
            _ => None,
        };
        self.live.iter().filter_map(router).collect()
    }

    /// The core is lost: everything that is gone, and the events that say so. What a command was
    /// about to make never existed for its caller, so it gets no `Closed`.
    pub(crate) fn end_everything(&mut self) -> (Vec<ObjectId>, Vec<Event>) {
        // Children before parents, so that a reader can still look a parent up.
        let mut objects: Vec<_> = self.live.drain().collect();
        objects.sort_by_key(|object| std::cmp::Reverse(*object));
        let mut events = Vec::new();
        let mut unborn = FxHashSet::default();
        for (request, made) in self.open.drain() {
            let error = Error::NotFound {
                what: "media thread state (a panic was contained)",
            };
            events.push(Event::Reply {
                request,
                result: Err(error),
            });
            unborn.extend(made);
        }
        let born = objects.iter().filter(|object| !unborn.contains(object));
        let closed = |object: &ObjectId| Event::Closed {
            object: *object,
            reason: CloseReason::Panic,
        };
        events.extend(born.map(closed));
        (objects, events)
    }
}

/// Count a command towards the load of its thread; undone by [`uncount`].
pub(crate) fn count(inbox: &Inbox, command: &Command) {
    for object in made_by(command) {
        match object {
            ObjectId::Router(_) => inbox.routers.fetch_add(1, Ordering::Relaxed),
            ObjectId::Transport(_) => inbox.transports.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

/// An object is gone, or its making failed.
pub(crate) fn uncount(inbox: &Inbox, object: ObjectId) {
    match object {
        ObjectId::Router(_) => inbox.routers.fetch_sub(1, Ordering::Relaxed),
        ObjectId::Transport(_) => inbox.transports.fetch_sub(1, Ordering::Relaxed),
        _ => 0,
    };
}

fn made_by(command: &Command) -> Vec<ObjectId> {
    match command {
        Command::CreateRouter { router, .. } | Command::CreateBranch { router, .. } => {
            vec![ObjectId::Router(*router)]
        }
        Command::CreatePublishTransport { transport, .. }
        | Command::CreateSubscribeTransport { transport, .. }
        | Command::CreateRecordingTransport { transport, .. }
        | Command::CreatePlainTransport { transport, .. } => {
            vec![ObjectId::Transport(*transport)]
        }
        Command::Publish { publisher, .. } | Command::Produce { publisher, .. } => {
            vec![ObjectId::Publisher(*publisher)]
        }
        Command::Subscribe { items, .. } => items
            .iter()
            .map(|(subscriber, _)| ObjectId::Subscriber(*subscriber))
            .collect(),
        Command::Attach { subscriber, .. } => vec![ObjectId::Subscriber(*subscriber)],
        Command::PublishData { data_publisher, .. } => {
            vec![ObjectId::DataPublisher(*data_publisher)]
        }
        Command::SubscribeData {
            data_subscriber, ..
        } => {
            vec![ObjectId::DataSubscriber(*data_subscriber)]
        }
        Command::StartRecording { track, .. } | Command::Consume { track, .. } => {
            vec![ObjectId::RecordingTrack(*track)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use headwater_core::command::{RouterOptions, TransportOptions};
    use headwater_core::event::Reply;
    use headwater_core::ids::TransportId;

    use super::*;

    fn create_router(n: u64) -> Command {
        Command::CreateRouter {
            router: RouterId(n),
            options: RouterOptions { codecs: Vec::new() },
        }
    }

    fn create_transport(n: u64) -> Command {
        Command::CreatePublishTransport {
            router: RouterId(1),
            transport: TransportId(n),
            options: TransportOptions::default(),
        }
    }

    fn reply(n: u64, ok: bool) -> Event {
        let result = if ok {
            Ok(Reply::Done)
        } else {
            Err(Error::NoOffer)
        };
        Event::Reply {
            request: RequestId(n),
            result,
        }
    }

    #[test]
    fn a_failed_creation_leaves_nothing_behind() {
        let mut ledger = Ledger::default();
        ledger.command(RequestId(1), &create_router(9));
        assert_eq!(
            ledger.event(&reply(1, false)),
            [ObjectId::Router(RouterId(9))]
        );
        assert!(ledger.routers().is_empty());
        assert!(ledger.end_everything().1.is_empty());
    }

    #[test]
    fn a_lost_core_ends_every_open_command_and_every_object_once() {
        let mut ledger = Ledger::default();
        ledger.command(RequestId(1), &create_router(1));
        ledger.event(&reply(1, true));
        ledger.command(RequestId(2), &create_transport(2));
        ledger.event(&reply(2, true));
        ledger.command(RequestId(3), &create_transport(3)); // still open
        let (objects, events) = ledger.end_everything();
        assert_eq!(objects.len(), 3);
        assert_eq!(events.len(), 3);
        assert!(matches!(
            events[0],
            Event::Reply {
                request: RequestId(3),
                result: Err(_)
            }
        ));
        assert!(matches!(
            events[1],
            Event::Closed {
                object: ObjectId::Transport(TransportId(2)),
                ..
            }
        ));
        assert!(matches!(
            events[2],
            Event::Closed {
                object: ObjectId::Router(RouterId(1)),
                ..
            }
        ));
        assert!(ledger.end_everything().0.is_empty());
    }
}
