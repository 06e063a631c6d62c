//! Who closes whom.
//!
//! | closes | also close, before it, with this reason |
//! |---|---|
//! | router | its transports, those that take before those that give (`Parent`) |
//! | publish transport | its publishers and data publishers (`Parent`) |
//! | subscribe transport | its subscribers and data subscribers (`Parent`) |
//! | recording transport | its recording tracks (`Parent`) |
//! | plain transport | its tracks out, its publishers (`Parent`) |
//! | publisher | its subscribers and recording tracks (`PublisherClosed`) |
//! | data publisher | its data subscribers (`PublisherClosed`) |
//!
//! Children first: when an object's `Closed` event comes, everything that hung on it has had its
//! own. What sits on other media threads closes when their relays end (`relay`). Each object has
//! exactly one. Closing what is closed already is an error of the caller
//! (`NotFound`) and harmless.

use std::time::Instant;

use crate::event::{CloseReason, Event};
use crate::ids::{DataPublisherId, DataSubscriberId, ObjectId, RouterId, TransportId};
use crate::publisher::Source;
use crate::relay::RelayMessage;
use crate::sfu::Sfu;
use crate::transport::Transport;
use crate::transport::webrtc::{Channel, Side, contained};

impl Sfu {
    pub(crate) fn close_router(&mut self, id: RouterId, reason: CloseReason, now: Instant) {
        let Some(router) = self.routers.get(&id) else {
            return;
        };
        // Takers first: then nothing closes because its publisher did, but all with the router.
        let (givers, takers): (Vec<_>, Vec<_>) = router
            .transports
            .iter()
            .copied()
            .partition(|transport| self.gives(*transport));
        for transport in &givers {
            self.stop_plain_tracks(*transport, now);
        }
        for transport in takers.into_iter().chain(givers) {
            self.close_transport(transport, CloseReason::Parent, now);
        }
        let router = self.routers.remove(&id);
        let nobody = router.iter().flat_map(|router| router.nobody);
        for key in nobody.flatten() {
            self.publishers.remove(key);
        }
        let is_branch = router.is_some_and(|router| router.home != id);
        self.relays.branches -= u64::from(is_branch);
        self.emit_closed(ObjectId::Router(id), reason);
    }

    fn gives(&self, transport: TransportId) -> bool {
        match self.transports.get(&transport) {
            Some(Transport::WebRtc(key)) => matches!(self.sessions[*key].side, Side::Publish(_)),
            Some(Transport::Plain(place)) => !self.plains[*place].publishers.is_empty(),
            _ => false,
        }
    }

    pub(crate) fn close_transport(&mut self, id: TransportId, reason: CloseReason, now: Instant) {
        let router = match self.transports.get(&id) {
            None => return,
            Some(Transport::Recording(recording)) => {
                let router = recording.belongs.router;
                for track in recording.tracks.clone() {
                    self.stop_recording(track, CloseReason::Parent, now);
                }
                router
            }
            Some(&Transport::Plain(place)) => self.close_plain(place, now),
            Some(&Transport::WebRtc(key)) => self.close_session(key, reason, now),
        };
        self.transports.remove(&id);
        if let Some(router) = self.routers.get_mut(&router) {
            router.transports.retain(|transport| *transport != id);
        }
        self.emit_closed(ObjectId::Transport(id), reason);
    }

    fn close_session(&mut self, key: usize, reason: CloseReason, now: Instant) -> RouterId {
        match &mut self.sessions[key].side {
            Side::Publish(publishing) => {
                let publishers = publishing.publishers.clone();
                let data = publishing.data_publishers.clone();
                publishers
                    .into_iter()
                    .for_each(|p| self.close_publisher(p, CloseReason::Parent, now));
                data.into_iter()
                    .for_each(|d| self.close_data_publisher(d, CloseReason::Parent));
            }
            Side::Subscribe(subscribing) => {
                subscribing.needs_negotiation = true; // nobody will negotiate any more
                let subscribers = subscribing.subscribers.clone();
                let data = subscribing.data_subscribers.clone();
                subscribers
                    .into_iter()
                    .for_each(|s| self.close_subscriber(s, CloseReason::Parent));
                data.into_iter()
                    .for_each(|d| self.close_data_subscriber(d, CloseReason::Parent));
            }
        }
        if reason == CloseReason::Panic {
            self.counters.panics += 1;
        } else {
            self.say_goodbye(key, now);
        }
        let mut session = self.sessions.remove(key);
        for known in session.credentials.drain(..) {
            self.demux.remove_ufrag(&known.ufrag);
        }
        for address in session.addresses.drain(..) {
            self.demux.forget(address, key);
        }
        for connection in session.paths.take_tcp() {
            self.hang_up(connection);
        }
        let router = session.belongs.router;
        // Dropping a session that has panicked may panic once more.
        let _ = contained(|| drop(session));
        router
    }

    pub(crate) fn close_publisher(&mut self, key: usize, reason: CloseReason, now: Instant) {
        let Some(publisher) = self.publishers.get_mut(key) else {
            return;
        };
        if let Source::Relayed(track) = &mut publisher.source {
            track.closing = true;
        }
        self.forget_voice(key);
        self.empty_slots(key, now);
        let publisher = &mut self.publishers[key];
        let subscribers = std::mem::take(&mut publisher.subscribers);
        let recordings = std::mem::take(&mut publisher.recordings);
        for subscriber in subscribers {
            self.close_subscriber(subscriber, CloseReason::PublisherClosed);
        }
        for track in recordings {
            self.stop_recording(track, CloseReason::PublisherClosed, now);
        }
        let publisher = self.publishers.remove(key);
        self.publisher_keys.remove(&publisher.id);
        if matches!(publisher.source, Source::Relayed(_)) {
            self.relays.held.0 -= 1;
            return; // its own thread tells
        }
        let track = ObjectId::Publisher(publisher.id);
        for taker in publisher.relays {
            self.tell(taker, RelayMessage::Closed { track });
        }
        if let Source::Plain { place, .. } = publisher.source {
            self.plains[place].forget_publisher(key);
        }
        if let Source::Session { key: session, .. } = publisher.source
            && let Some(session) = self.sessions.get_mut(session)
            && let Side::Publish(publishing) = &mut session.side
        {
            publishing.publishers.retain(|other| *other != key);
            publishing.streams.clear();
        }
        self.emit_closed(track, reason);
    }

    pub(crate) fn close_subscriber(&mut self, key: usize, reason: CloseReason) {
        let Some(subscriber) = self.subscribers.try_remove(key) else {
            return;
        };
        if let Some(publisher) = self.publishers.get_mut(subscriber.publisher) {
            publisher.subscribers.retain(|other| *other != key);
            self.unreviewed.push(subscriber.publisher);
            let track = ObjectId::Publisher(publisher.id);
            self.release(track);
        }
        self.subscriber_keys.remove(&subscriber.id);
        let session = &mut self.sessions[subscriber.session];
        if subscriber.feed.is_some() {
            let router = session.belongs.router;
            self.leave_audience(router, key);
        }
        let session = &mut self.sessions[subscriber.session];
        let transport = session.belongs.transport;
        let mut needs_negotiation = false;
        if let Side::Subscribe(subscribing) = &mut session.side {
            subscribing.subscribers.retain(|other| *other != key);
            let client_offers = subscribing.client_offers;
            if let Some(pending) = &mut subscribing.pending {
                pending.placed.retain(|(other, _)| *other != key);
                pending
                    .new_lines
                    .iter_mut()
                    .for_each(|line| line.release(key));
            }
            if let Some(line) = subscribing
                .lines
                .iter_mut()
                .find(|line| line.subscriber == Some(key))
            {
                line.subscriber = None;
                if client_offers {
                    line.rewriter = Some(subscriber.rewriter);
                    subscribing.egress.forget(line.stream);
                } else if let Some(stream) = line.stream.take() {
                    subscribing.egress.remove(stream);
                }
            }
            needs_negotiation = subscriber.mid.is_some()
                && !client_offers
                && !std::mem::replace(&mut subscribing.needs_negotiation, true);
        }
        self.emit_closed(ObjectId::Subscriber(subscriber.id), reason);
        if needs_negotiation {
            self.emit(Event::NegotiationNeeded { transport });
        }
    }

    pub(crate) fn close_data_publisher(&mut self, id: DataPublisherId, reason: CloseReason) {
        let Some(mut publisher) = self.data_publishers.remove(&id) else {
            return;
        };
        for subscriber in std::mem::take(&mut publisher.subscribers) {
            self.close_data_subscriber(subscriber, CloseReason::PublisherClosed);
        }
        let Some(session) = publisher.session else {
            self.relays.held.1 -= 1;
            return; // its own thread tells
        };
        let track = ObjectId::DataPublisher(id);
        for taker in publisher.relays {
            self.tell(taker, RelayMessage::Closed { track });
        }
        if let Some(session) = self.sessions.get_mut(session) {
            for channel in session.channels.values_mut() {
                if let Channel::Incoming { data_publisher, .. } = channel
                    && *data_publisher == Some(id)
                {
                    *data_publisher = None;
                }
            }
            if let Side::Publish(publishing) = &mut session.side {
                publishing.data_publishers.retain(|other| *other != id);
            }
        }
        if publisher.config.is_some_and(|it| it.negotiated.is_some()) {
            self.close_streams(session);
        }
        self.emit_closed(track, reason);
    }

    pub(crate) fn close_data_subscriber(&mut self, id: DataSubscriberId, reason: CloseReason) {
        let Some(subscriber) = self.data_subscribers.remove(&id) else {
            return;
        };
        if let Some(publisher) = self.data_publishers.get_mut(&subscriber.data_publisher) {
            publisher.subscribers.retain(|other| *other != id);
            self.release(ObjectId::DataPublisher(subscriber.data_publisher));
        }
        let session = &mut self.sessions[subscriber.session];
        let transport = session.belongs.transport;
        if let Side::Subscribe(subscribing) = &mut session.side {
            subscribing.data_subscribers.retain(|other| *other != id);
        }
        if let Some(channel) = subscriber.channel {
            session.channels.remove(&channel);
            if contained(|| session.rtc.direct_api().close_data_channel(channel)).is_err() {
                self.doomed.push((transport, CloseReason::Panic));
            }
            self.mark_dirty(subscriber.session);
        }
        self.emit_closed(ObjectId::DataSubscriber(id), reason);
    }

    pub(crate) fn stop_recording(&mut self, key: usize, reason: CloseReason, now: Instant) {
        let Some(track) = self.recordings.try_remove(key) else {
            return;
        };
        if let Some(publisher) = self.publishers.get_mut(track.publisher) {
            publisher.recordings.retain(|other| *other != key);
            let source = ObjectId::Publisher(publisher.id);
            self.release(source);
        }
        match self.transports.get_mut(&track.transport) {
            Some(Transport::Recording(recording)) => {
                recording.tracks.retain(|other| *other != key);
            }
            Some(Transport::Plain(place)) => {
                self.plains[*place].tracks.retain(|other| *other != key);
            }
            _ => {}
        }
        self.recording_keys.remove(&track.id);
        if let Some(bye) = track.bye(now, self.wall(now)) {
            self.send_report(track.way, bye);
        }
        self.emit_closed(ObjectId::RecordingTrack(track.id), reason);
    }

    fn emit_closed(&mut self, object: ObjectId, reason: CloseReason) {
        self.emit(Event::Closed { object, reason });
    }
}
