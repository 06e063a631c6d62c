//! The taker's side of a relay: the thread where the subscribers are.

use std::collections::VecDeque;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Facts, Kind, PATIENCE, RelayMessage, RelayedPacket};
use crate::codec::Format;
use crate::command::{Command, Feed};
use crate::datachannel::DataPublisher;
use crate::event::CloseReason;
use crate::ids::{ObjectId, RequestId, RouterId, TransportId};
use crate::layer::Layer;
use crate::publisher::{Origin, Publisher, Source};
use crate::sfu::Sfu;
use crate::timer::Reason;
use crate::transport::Transport;

/// A publisher whose packets come from another media thread.
pub(crate) struct RelayedTrack {
    /// What its packets are, as far as is known.
    pub(crate) format: Option<Format>,
    /// It is closing, so its takers need not end it.
    pub(crate) closing: bool,
}

/// What one thread awaits of its siblings.
#[derive(Default)]
pub(crate) struct Relays {
    /// Tracks for which a sibling was asked.
    awaited: FxHashSet<ObjectId>,
    /// The command that needs them, and those behind it. The Worker bounds how many there are.
    parked: VecDeque<(RequestId, Command)>,
    /// Which command's timer is the valid one.
    attempt: u64,
    /// Tracks that slots are to carry, and the router of these.
    pub(crate) fetched: FxHashMap<ObjectId, RouterId>,
    /// Relayed tracks held now: media, data.
    pub(crate) held: (u64, u64),
    /// Routers of this thread that have their home elsewhere.
    pub(crate) branches: u64,
}

impl Sfu {
    /// Keeps a command that must wait for another thread; returns one that need not.
    pub(crate) fn park(
        &mut self,
        now: Instant,
        request: RequestId,
        command: Command,
    ) -> Option<Command> {
        if self.relays.parked.is_empty() && !self.ask_for_tracks(&command, now) {
            return Some(command);
        }
        self.relays.parked.push_back((request, command));
        None
    }

    /// Does this thread take the track from that one?
    pub(super) fn takes(&self, track: ObjectId, giver: u16) -> bool {
        track.thread() == giver && giver != self.config.thread && self.knows(track)
    }

    pub(super) fn opened(&mut self, giver: u16, track: ObjectId, facts: Facts, now: Instant) {
        let router = self.relays.parked.front().and_then(|(_, command)| {
            let (transport, _) = needs(command)?;
            self.router_of(transport)
        });
        let fetched = self.relays.fetched.remove(&track);
        let router = router.filter(|_| self.relays.awaited.contains(&track));
        match router.or(fetched) {
            Some(_) if self.knows(track) => {} // asked for twice
            Some(router) => self.add_relayed(track, facts.0, router),
            None => self.tell(giver, RelayMessage::Close { track }), // too late
        }
        if let Some(router) = fetched {
            self.fill_again(router, now);
            self.release(track);
        }
        self.answered(track, now);
    }

    /// The giver has answered, with the track or without.
    pub(super) fn answered(&mut self, track: ObjectId, now: Instant) {
        self.relays.fetched.remove(&track);
        if self.relays.awaited.remove(&track) {
            self.resume(now);
        }
    }

    /// A sibling has not answered in time: go on as if it had refused.
    pub(crate) fn relay_timer(&mut self, attempt: u64, now: Instant) {
        if attempt == self.relays.attempt && !self.relays.awaited.is_empty() {
            self.counters.relay_timeouts += 1;
            self.relays.awaited.clear();
            self.resume(now);
        }
    }

    pub(super) fn take_relayed_packet(&mut self, packet: RelayedPacket, now: Instant) {
        let RelayedPacket {
            publisher,
            rtp,
            rid,
            format,
        } = packet;
        if let Ok(key) = self.publisher_key(publisher) {
            self.counters.relayed_in += 1;
            self.take_packet(key, &rtp, rid, format, now);
        }
    }

    /// Asks a relayed publisher's own thread for a key frame.
    pub(crate) fn relay_key_frame_request(&mut self, key: usize, encoding: u8) {
        let publisher = &mut self.publishers[key];
        publisher.stats.key_frame_requests += 1;
        let rid = publisher.encodings.rid(encoding);
        let publisher = publisher.id;
        self.tell(
            publisher.thread(),
            RelayMessage::KeyFrame { publisher, rid },
        );
    }

    /// Tells a relayed publisher's own thread what anybody here has use for.
    pub(crate) fn relay_wanted(&mut self, key: usize, layer: Layer) {
        let publisher = self.publishers[key].id;
        self.tell(
            publisher.thread(),
            RelayMessage::Wanted { publisher, layer },
        );
    }

    /// Ends the relay of a track that nobody takes here any more.
    pub(crate) fn release(&mut self, track: ObjectId) {
        match track {
            ObjectId::Publisher(id) => {
                let Ok(key) = self.publisher_key(id) else {
                    return;
                };
                let publisher = &self.publishers[key];
                let taken = !publisher.subscribers.is_empty() || !publisher.recordings.is_empty();
                let Source::Relayed(RelayedTrack { closing: false, .. }) = publisher.source else {
                    return;
                };
                if taken {
                    return;
                }
                self.publishers.remove(key);
                self.publisher_keys.remove(&id);
                self.relays.held.0 -= 1;
            }
            ObjectId::DataPublisher(id) => {
                let idle = |p: &DataPublisher| p.session.is_none() && p.subscribers.is_empty();
                if !self.data_publishers.get(&id).is_some_and(idle) {
                    return;
                }
                self.data_publishers.remove(&id);
                self.relays.held.1 -= 1;
            }
            _ => return,
        }
        self.tell(track.thread(), RelayMessage::Close { track });
    }

    /// The giver has closed it, or is gone.
    pub(super) fn end_relayed(&mut self, track: ObjectId, now: Instant) {
        match track {
            ObjectId::Publisher(id) => {
                if let Ok(key) = self.publisher_key(id) {
                    self.close_publisher(key, CloseReason::PublisherClosed, now);
                }
            }
            ObjectId::DataPublisher(id) => {
                self.close_data_publisher(id, CloseReason::PublisherClosed);
            }
            _ => {}
        }
    }

    /// A sibling has lost everything: what it gave ends, what it took is no longer given.
    pub(super) fn forget_thread(&mut self, thread: u16, now: Instant) {
        let media = self
            .publisher_keys
            .keys()
            .map(|id| ObjectId::Publisher(*id));
        let data = self.data_publishers.keys();
        let data = data.map(|id| ObjectId::DataPublisher(*id));
        let theirs = media.chain(data).filter(|track| track.thread() == thread);
        for track in theirs.collect::<Vec<_>>() {
            self.end_relayed(track, now);
        }
        for (_, publisher) in &mut self.publishers {
            publisher.relays.retain(|taker| *taker != thread);
            publisher.wanted.forget(thread);
        }
        for publisher in self.data_publishers.values_mut() {
            publisher.relays.retain(|taker| *taker != thread);
        }
        for router in self.routers.values_mut() {
            router.forget_voices_of(thread);
        }
        self.relays
            .fetched
            .retain(|track, _| track.thread() != thread);
        let awaited = self.relays.awaited.len();
        self.relays.awaited.retain(|track| track.thread() != thread);
        if self.relays.awaited.len() < awaited {
            self.resume(now);
        }
    }

    /// Asks for the tracks that a command names and that live elsewhere. False: it needs none.
    fn ask_for_tracks(&mut self, command: &Command, now: Instant) -> bool {
        let Some((transport, mut tracks)) = needs(command) else {
            return false;
        };
        tracks.retain(|track| track.thread() != self.config.thread && !self.knows(*track));
        let router = self.router_of(transport);
        let Some(home) = router.and_then(|router| self.home_of(router)) else {
            return false;
        };
        for track in tracks.iter().copied() {
            if self.relays.awaited.insert(track) {
                let router = home;
                self.tell(track.thread(), RelayMessage::Open { track, router });
            }
        }
        if !tracks.is_empty() {
            self.relays.attempt += 1;
            self.timers
                .arm(now + PATIENCE, Reason::Relay, self.relays.attempt);
        }
        !tracks.is_empty()
    }

    /// Carries out what has waited, as far as it need not wait again.
    fn resume(&mut self, now: Instant) {
        if !self.relays.awaited.is_empty() {
            return;
        }
        if let Some((request, command)) = self.relays.parked.pop_front() {
            let tracks = needs(&command).map(|(_, tracks)| tracks);
            self.carry_out(now, request, command);
            // What it asked for and has not taken, because it failed, ends.
            tracks
                .into_iter()
                .flatten()
                .for_each(|track| self.release(track));
        }
        while let Some((request, command)) = self.relays.parked.pop_front() {
            if self.ask_for_tracks(&command, now) {
                return self.relays.parked.push_front((request, command));
            }
            self.carry_out(now, request, command);
        }
    }

    fn add_relayed(&mut self, track: ObjectId, facts: Kind, router: RouterId) {
        match (track, facts) {
            (ObjectId::Publisher(id), Kind::Media(facts)) => {
                let source = Source::Relayed(RelayedTrack {
                    format: facts.format,
                    closing: false,
                });
                let origin = Origin {
                    id,
                    router,
                    transport: facts.transport,
                    source,
                    kind: facts.kind,
                    rids: facts.rids,
                };
                let mut publisher = Publisher::new(origin, facts.codec);
                publisher.paused = facts.paused;
                publisher.content = facts.content;
                let key = self.publishers.insert(publisher);
                self.publisher_keys.insert(id, key);
                self.relays.held.0 += 1;
            }
            (ObjectId::DataPublisher(id), Kind::Data { label, config }) => {
                let publisher = DataPublisher::new(None, router, label, config);
                self.data_publishers.insert(id, publisher);
                self.relays.held.1 += 1;
            }
            _ => {}
        }
    }

    fn knows(&self, track: ObjectId) -> bool {
        match track {
            ObjectId::Publisher(id) => self.publisher_keys.contains_key(&id),
            ObjectId::DataPublisher(id) => self.data_publishers.contains_key(&id),
            _ => false,
        }
    }

    fn router_of(&self, transport: TransportId) -> Option<RouterId> {
        match self.transports.get(&transport)? {
            Transport::WebRtc(key) => Some(self.sessions[*key].belongs.router),
            Transport::Recording(recording) => Some(recording.belongs.router),
            Transport::Plain(place) => Some(self.plains[*place].belongs.router),
        }
    }
}

/// The tracks that a command takes, and for which transport.
fn needs(command: &Command) -> Option<(TransportId, Vec<ObjectId>)> {
    match command {
        Command::Subscribe { transport, items } => {
            let tracks = items.iter().map(|(_, id)| ObjectId::Publisher(*id));
            Some((*transport, tracks.collect()))
        }
        Command::Attach {
            transport,
            publisher,
            ..
        }
        | Command::SetSlot {
            transport,
            feed: Feed::Publisher(publisher),
            ..
        }
        | Command::StartRecording {
            transport,
            publisher,
            ..
        }
        | Command::Consume {
            transport,
            publisher,
            ..
        } => Some((*transport, vec![ObjectId::Publisher(*publisher)])),
        Command::SubscribeData {
            transport,
            data_publisher,
            ..
        } => Some((*transport, vec![ObjectId::DataPublisher(*data_publisher)])),
        _ => None,
    }
}
