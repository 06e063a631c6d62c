//! The giver's side of a relay: the thread where the track arrives.

use std::time::Instant;

use str0m::media::Rid;

use super::{Facts, Kind, MediaFacts, RelayMessage, RelayedMessage, RelayedPacket};
use crate::Output;
use crate::codec::Format;
use crate::ids::{DataPublisherId, ObjectId, PublisherId, RouterId};
use crate::layer::Layer;
use crate::packet::Rtp;
use crate::publisher::Source;
use crate::sfu::Sfu;
use crate::shared::Payload;

impl Sfu {
    /// A sibling asks for a track.
    pub(super) fn give(&mut self, taker: u16, track: ObjectId, router: RouterId) {
        let facts = match track {
            ObjectId::Publisher(id) => self.media_facts(id, router),
            ObjectId::DataPublisher(id) => self.data_facts(id, router),
            _ => None,
        };
        let Some(facts) = facts else {
            return self.tell(taker, RelayMessage::Refused { track });
        };
        if let Some(takers) = self.takers(track)
            && !takers.contains(&taker)
        {
            takers.push(taker);
        }
        self.review_track(track);
        let facts = Box::new(Facts(facts));
        self.tell(taker, RelayMessage::Opened { track, facts });
    }

    pub(super) fn give_no_more(&mut self, taker: u16, track: ObjectId) {
        if let Some(takers) = self.takers(track) {
            takers.retain(|other| *other != taker);
        }
        if let ObjectId::Publisher(id) = track
            && let Ok(key) = self.publisher_key(id)
        {
            self.publishers[key].wanted.forget(taker);
        }
        self.review_track(track);
    }

    /// A sibling says what of a publisher anybody there has use for.
    pub(super) fn give_layers(&mut self, taker: u16, publisher: PublisherId, layer: Layer) {
        if let Ok(key) = self.publisher_key(publisher)
            && self.publishers[key].relays.contains(&taker)
        {
            self.publishers[key].wanted.note(taker, layer);
            self.unreviewed.push(key);
        }
    }

    fn review_track(&mut self, track: ObjectId) {
        if let ObjectId::Publisher(id) = track
            && let Ok(key) = self.publisher_key(id)
        {
            self.unreviewed.push(key);
        }
    }

    pub(super) fn give_key_frame(
        &mut self,
        taker: u16,
        publisher: PublisherId,
        rid: Option<Rid>,
        now: Instant,
    ) {
        if let Ok(key) = self.publisher_key(publisher)
            && self.publishers[key].relays.contains(&taker)
            && !self.publishers[key].paused
            && let Some(encoding) = self.publishers[key].encodings.find(rid)
        {
            self.want_key_frame(key, encoding, now);
        }
    }

    /// A packet that has arrived here, to the threads that take it.
    pub(crate) fn relay_packet(
        &mut self,
        key: usize,
        rtp: &Rtp,
        rid: Option<Rid>,
        format: &Format,
    ) {
        let publisher = &self.publishers[key];
        if publisher.paused {
            return;
        }
        for thread in publisher.relays.iter().copied() {
            let rtp = Rtp {
                payload: Payload::from(&*rtp.payload),
                ..rtp.clone()
            };
            let packet = RelayedPacket {
                publisher: publisher.id,
                rtp,
                rid,
                format: *format,
            };
            self.counters.relayed_out += 1;
            let message = RelayMessage::Packet(Box::new(packet));
            self.outputs.push_back(Output::Relay { thread, message });
        }
    }

    /// A message that has arrived here, to the threads that take it.
    pub(crate) fn relay_message(&mut self, id: DataPublisherId, binary: bool, payload: &[u8]) {
        let Some(publisher) = self.data_publishers.get(&id) else {
            return;
        };
        for thread in publisher.relays.iter().copied() {
            let message = RelayMessage::Message(RelayedMessage {
                data_publisher: id,
                binary,
                payload: payload.to_vec(),
            });
            self.counters.relayed_out += 1;
            self.outputs.push_back(Output::Relay { thread, message });
        }
    }

    /// What is not a packet, to all threads that take the track.
    pub(crate) fn tell_takers(&mut self, track: ObjectId, message: impl Fn() -> RelayMessage) {
        for thread in self.takers(track).cloned().unwrap_or_default() {
            self.tell(thread, message());
        }
    }

    /// The threads that take a track of this one.
    fn takers(&mut self, track: ObjectId) -> Option<&mut Vec<u16>> {
        match track {
            ObjectId::Publisher(id) => {
                let key = self.publisher_key(id).ok()?;
                Some(&mut self.publishers[key].relays)
            }
            ObjectId::DataPublisher(id) => Some(&mut self.data_publishers.get_mut(&id)?.relays),
            _ => None,
        }
    }

    fn media_facts(&self, id: PublisherId, router: RouterId) -> Option<Kind> {
        let key = self.publisher_key(id).ok()?;
        let publisher = &self.publishers[key];
        let is_own = !matches!(publisher.source, Source::Relayed(_) | Source::Nobody);
        if !is_own || self.home_of(publisher.router) != Some(router) {
            return None;
        }
        Some(Kind::Media(MediaFacts {
            transport: publisher.transport,
            kind: publisher.kind,
            codec: publisher.codec.clone(),
            format: self.format_in_use(key),
            paused: publisher.paused,
            content: publisher.content,
            rids: publisher.encodings.rids(),
        }))
    }

    fn data_facts(&self, id: DataPublisherId, router: RouterId) -> Option<Kind> {
        let publisher = self.data_publishers.get(&id)?;
        if publisher.session.is_none() || self.home_of(publisher.router) != Some(router) {
            return None;
        }
        Some(Kind::Data {
            label: publisher.label.clone(),
            config: publisher.config.clone(),
        })
    }

    /// The home of a router of this thread: the same for all branches of a room.
    pub(super) fn home_of(&self, router: RouterId) -> Option<RouterId> {
        self.routers.get(&router).map(|router| router.home)
    }
}
