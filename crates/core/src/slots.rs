//! Slots of an audience: m-lines that are made once and carry whoever is loudest now.
//!
//! A slot is a subscriber that moves from publisher to publisher ([`Sfu::bind`]) while its m-line,
//! SSRC and numbering stay, so nothing is negotiated. Empty, it hangs on a publisher that sends
//! nothing ([`Source::Nobody`]), one per kind and router. Who fills a slot is decided at each tick
//! of the router's [`crate::speakers`], or by the application.

use std::time::Instant;

use crate::command::Feed;
use crate::error::Error;
use crate::event::{CodecInfo, Event, Reply, TrackKind};
use crate::ids::{ObjectId, PublisherId, RouterId, SubscriberId, TransportId};
use crate::journal::Decision;
use crate::negotiation::MAX_LINES;
use crate::publisher::{Origin, Publisher, Source};
use crate::relay::RelayMessage;
use crate::rewrite::Rewriter;
use crate::sfu::Sfu;
use crate::speakers::{Choice, Report};
use crate::subscriber::{Subscriber, Taker};

/// The slots of one kind of one subscribe transport.
#[derive(Debug)]
pub(crate) struct Audience {
    kind: TrackKind,
    /// The client's own publish transport.
    own: Option<TransportId>,
    slots: Vec<usize>,
}

/// What an `OpenSlots` command asks for.
pub(crate) struct Opening {
    pub(crate) transport: TransportId,
    pub(crate) kind: TrackKind,
    pub(crate) slots: Vec<SubscriberId>,
    pub(crate) own: Option<TransportId>,
}

impl Sfu {
    /// Adds slots to a subscribe transport, filled with the loudest.
    pub(crate) fn open_slots(&mut self, opening: Opening, now: Instant) -> Result<Reply, Error> {
        let Opening {
            transport,
            kind,
            slots,
            own,
        } = opening;
        let session = self.session_key(transport)?;
        let subscribing = self.sessions[session].subscribing()?;
        if subscribing.client_offers {
            return Err(Error::WrongTransport("the client makes the offers here"));
        }
        if subscribing.pending.is_some() {
            return Err(Error::NegotiationPending);
        }
        if subscribing.subscribers.len() + slots.len() > MAX_LINES {
            return Err(Error::Limit {
                what: "subscribers of a transport",
                limit: MAX_LINES,
            });
        }
        let router = self.sessions[session].belongs.router;
        let publisher = self.nobody(router, kind)?;
        let mut places = Vec::with_capacity(slots.len());
        for id in slots {
            let taker = Taker {
                id,
                session,
                publisher,
                kind,
            };
            let rewriter = Rewriter::new(self.random.first_sequence());
            let mut subscriber = Subscriber::new(taker, rewriter);
            subscriber.feed = Some(Feed::Loudest);
            places.push(self.add_subscriber(subscriber));
        }
        if let Some(router) = self.routers.get_mut(&router) {
            router.audiences.push(Audience {
                kind,
                own,
                slots: places,
            });
        }
        self.start_ticking(router, now);
        self.make_offer(session, false)
    }

    /// Tells which publish transport is of the same client as these slots.
    pub(crate) fn set_own_transport(
        &mut self,
        id: TransportId,
        own: Option<TransportId>,
        now: Instant,
    ) -> Result<Reply, Error> {
        let session = self.session_key(id)?;
        let id = self.sessions[session].belongs.router;
        let Some(router) = self.routers.get_mut(&id) else {
            return Ok(Reply::Done);
        };
        let mut lost = Vec::new();
        for audience in &mut router.audiences {
            let slots = audience.slots.iter().copied();
            let is_of_session = |key: &usize| self.subscribers[*key].session == session;
            lost.extend(slots.filter(is_of_session));
            if audience.slots.iter().any(is_of_session) {
                audience.own = own;
            }
        }
        for slot in lost {
            let carried = &self.publishers[self.subscribers[slot].publisher];
            if Some(carried.transport) == own {
                self.bind(slot, None, now);
            }
        }
        self.start_ticking(id, now);
        Ok(Reply::Done)
    }

    /// Tells who is to fill a slot.
    pub(crate) fn set_slot(
        &mut self,
        id: SubscriberId,
        feed: Feed,
        now: Instant,
    ) -> Result<Reply, Error> {
        let key = self.subscriber_key(id)?;
        if self.subscribers[key].feed.is_none() {
            return Err(Error::WrongTransport("a subscriber that is no slot"));
        }
        let router = self.router_of_slot(key);
        match feed {
            Feed::Loudest => self.start_ticking(router, now),
            Feed::Nobody => self.bind(key, None, now),
            Feed::Publisher(publisher) => {
                let publisher = self.publisher_key(publisher)?;
                let source = &self.publishers[publisher];
                if source.router != router || source.kind != self.subscribers[key].kind {
                    return Err(Error::NotFound { what: "publisher" });
                }
                if !self.suits(key, publisher) {
                    let mime = self.publishers[publisher].codec.mime.clone();
                    return Err(Error::UnsupportedCodec(mime));
                }
                self.bind(key, Some(publisher), now);
            }
        }
        self.subscribers[key].feed = Some(feed);
        Ok(Reply::Done)
    }

    /// Moves a slot to another publisher, or to nobody.
    pub(crate) fn bind(&mut self, key: usize, publisher: Option<usize>, now: Instant) {
        let (router, kind) = (self.router_of_slot(key), self.subscribers[key].kind);
        let Ok(nobody) = self.nobody(router, kind) else {
            return;
        };
        let (before, after) = (self.subscribers[key].publisher, publisher.unwrap_or(nobody));
        if before == after {
            return;
        }
        self.subscribers[key].move_to(after);
        self.publishers[after].subscribers.push(key);
        if let Some(before) = self.publishers.get_mut(before) {
            before.subscribers.retain(|other| *other != key);
            let track = ObjectId::Publisher(before.id);
            self.release(track);
        }
        self.unreviewed.push(before);
        let subscriber = self.subscribers[key].id;
        let source = publisher.map(|publisher| self.publishers[publisher].id);
        self.note_subscriber(key, now, Decision::Slot { publisher: source });
        self.emit(Event::SlotChanged {
            subscriber,
            publisher: source,
        });
        self.refresh_gate(key, now);
    }

    /// A publisher closes: the slots that carry it fall silent.
    pub(crate) fn empty_slots(&mut self, publisher: usize, now: Instant) {
        let takers = self.publishers[publisher].subscribers.clone();
        for key in takers {
            if self.subscribers[key].feed.is_some() {
                self.bind(key, None, now);
            }
        }
    }

    /// A slot closes.
    pub(crate) fn leave_audience(&mut self, router: RouterId, slot: usize) {
        if let Some(router) = self.routers.get_mut(&router) {
            for audience in &mut router.audiences {
                audience.slots.retain(|other| *other != slot);
            }
            router
                .audiences
                .retain(|audience| !audience.slots.is_empty());
        }
    }

    /// Gives the slots of a router to those who are to have them.
    pub(crate) fn fill_slots(&mut self, id: RouterId, ranking: &[Report], now: Instant) {
        let Some(router) = self.routers.get_mut(&id) else {
            return;
        };
        let audiences = std::mem::take(&mut router.audiences);
        for audience in &audiences {
            self.fill_audience(id, audience, ranking, now);
        }
        if let Some(router) = self.routers.get_mut(&id) {
            router.audiences = audiences;
        }
    }

    fn fill_audience(
        &mut self,
        router: RouterId,
        audience: &Audience,
        ranking: &[Report],
        now: Instant,
    ) {
        let is_automatic = |key: &usize| {
            let slot = &self.subscribers[*key];
            slot.feed == Some(Feed::Loudest) && slot.stream.is_some()
        };
        let slots: Vec<usize> = audience
            .slots
            .iter()
            .copied()
            .filter(is_automatic)
            .collect();
        let has = |key: &usize| self.carried(*key);
        let before: Vec<_> = slots.iter().map(has).collect();
        let mut after = before.clone();
        let choice = Choice {
            kind: audience.kind,
            ranking,
            own: audience.own,
        };
        choice.fill(&mut after);
        for ((slot, before), after) in slots.into_iter().zip(before).zip(after) {
            if before == after {
                continue;
            }
            match after.map(|id| (id, self.publisher_key(id))) {
                None => self.bind(slot, None, now),
                Some((_, Ok(publisher))) if self.suits(slot, publisher) => {
                    self.bind(slot, Some(publisher), now);
                }
                Some((_, Ok(_))) => {}
                Some((id, Err(_))) => self.fetch(id, router),
            }
        }
    }

    /// Asks another media thread for a publisher that a slot here is to carry.
    fn fetch(&mut self, id: PublisherId, router: RouterId) {
        let track = ObjectId::Publisher(id);
        let Some(home) = self.routers.get(&router).map(|router| router.home) else {
            return;
        };
        if id.thread() != self.config.thread && self.relays.fetched.insert(track, router).is_none()
        {
            let router = home;
            self.tell(id.thread(), RelayMessage::Open { track, router });
        }
    }

    /// What a slot carries now.
    pub(crate) fn carried(&self, key: usize) -> Option<PublisherId> {
        let publisher = &self.publishers[self.subscribers[key].publisher];
        (!matches!(publisher.source, Source::Nobody)).then_some(publisher.id)
    }

    /// Would the client decode it? Unknown as long as nobody knows what it is.
    fn suits(&self, slot: usize, publisher: usize) -> bool {
        let format = self.format_in_use(publisher);
        format.is_none_or(|format| self.can_take(slot, &format))
    }

    fn router_of_slot(&self, key: usize) -> RouterId {
        self.sessions[self.subscribers[key].session].belongs.router
    }

    /// The publisher of empty slots.
    fn nobody(&mut self, id: RouterId, kind: TrackKind) -> Result<usize, Error> {
        let router = self.routers.get_mut(&id);
        let router = router.ok_or(Error::NotFound { what: "router" })?;
        let place = &mut router.nobody[usize::from(kind == TrackKind::Video)];
        if let Some(key) = *place {
            return Ok(key);
        }
        let origin = Origin {
            id: PublisherId(0), // no handle is 0
            router: id,
            transport: TransportId(0),
            source: Source::Nobody,
            kind,
            rids: Vec::new(),
        };
        let codec = CodecInfo {
            mime: String::new(),
            payload_type: 0,
            clock_rate: 0,
            channels: None,
            fmtp: String::new(),
        };
        let key = self.publishers.insert(Publisher::new(origin, codec));
        *place = Some(key);
        Ok(key)
    }
}
