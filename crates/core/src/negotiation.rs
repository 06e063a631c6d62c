//! Offers and answers.
//!
//! A publish transport answers its client's offers. A subscribe transport belongs to whoever
//! speaks first: normally the server offers, one m-line per subscriber; a WHEP client offers
//! once and its receiving m-lines become slots.
//!
//! The server's offer is always made from the state of things, never from a list of steps:
//! subscribers without an m-line get a free one of their kind, or a new one; lines without a
//! subscriber become inactive. A line that changes hands gets a new SSRC, so that its next
//! subscriber starts with a clean slate (sequence numbers, ROC, RTX). Nothing is written to a
//! line before the answer has come. Rolling back frees what the offer had placed; the next
//! offer places it again.

use std::time::Instant;

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, Mid};
use str0m::{IceCreds, Rtc};

use crate::codec;
use crate::error::Error;
use crate::event::{CloseReason, Event, MidMapping, Reply, TrackKind};
use crate::ids::{PublisherId, SubscriberId, TransportId};
use crate::rewrite::Rewriter;
use crate::sdp_in::{self, Intake};
use crate::sdp_out::{self, Msid};
use crate::sfu::Sfu;
use crate::subscriber::{self, Subscriber, Taker};
use crate::transport::webrtc::{Channel, Line, Pending, Side, contained, media_kind};

impl Sfu {
    pub(crate) fn accept_offer(
        &mut self,
        id: TransportId,
        sdp: &str,
        now: Instant,
    ) -> Result<Reply, Error> {
        let key = self.session_key(id)?;
        if let Side::Subscribe(subscribing) = &self.sessions[key].side {
            if subscribing.pending.is_some() {
                return Err(Error::NegotiationPending);
            }
            if subscribing.last_offer.is_some() {
                return Err(Error::WrongTransport(
                    "the server makes the offers on this transport",
                ));
            }
        }
        let intake = sdp_in::read(sdp, sdp_in::MAX_SECTIONS)?;
        let offer = SdpOffer::from_sdp_string(&intake.text).map_err(invalid)?;
        let answer = sdp_out::in_offered_order(&self.answer(key, offer)?, &intake.sections);
        let session = &mut self.sessions[key];
        session.exchanged.get_or_insert(now);
        let tracks = match &mut session.side {
            Side::Publish(_) => self.take_tracks(key, &intake, now),
            Side::Subscribe(_) => {
                self.take_slots(key, &intake, now);
                Vec::new()
            }
        };
        self.watch(key, now);
        self.mark_dirty(key);
        Ok(Reply::Answer {
            sdp: answer,
            tracks,
        })
    }

    /// str0m's answer, with our credentials in it when the offer was an ICE restart.
    fn answer(&mut self, key: usize, offer: SdpOffer) -> Result<String, Error> {
        let session = &mut self.sessions[key];
        let rtc = &mut session.rtc;
        let outcome = contained(|| {
            let before = rtc.direct_api().local_ice_credentials();
            let answer = rtc
                .sdp_api()
                .accept_offer(offer)
                .map_err(invalid)?
                .to_sdp_string();
            Ok::<_, Error>((before, answer))
        });
        let (before, answer) = match outcome {
            Ok(outcome) => outcome?,
            Err(_) => return Err(self.doom(key)),
        };
        let after = session.rtc.direct_api().local_ice_credentials();
        if before == after {
            return Ok(answer);
        }
        let ours = self.random.ice_credentials(self.config.thread);
        let session = &mut self.sessions[key];
        session
            .rtc
            .direct_api()
            .set_local_ice_credentials(ours.clone());
        let answer = sdp_out::replace_credentials(&answer, &after, &ours);
        self.switch_ufrag(key, ours);
        Ok(answer)
    }

    /// From now on the session is found under these credentials only.
    fn switch_ufrag(&mut self, key: usize, credentials: IceCreds) {
        let session = &mut self.sessions[key];
        for old in session.credentials.drain(..) {
            self.demux.remove_ufrag(&old.ufrag);
        }
        self.demux.add_ufrag(&credentials.ufrag, key);
        session.credentials.push(credentials);
    }

    /// Takes over the offered tracks and closes publishers whose track has ended.
    fn take_tracks(
        &mut self,
        key: usize,
        intake: &Intake,
        now: Instant,
    ) -> Vec<crate::event::TrackInfo> {
        let Side::Publish(publishing) = &mut self.sessions[key].side else {
            return Vec::new();
        };
        for track in intake.sections.iter().filter_map(sdp_in::Section::track) {
            match publishing
                .tracks
                .iter_mut()
                .find(|known| known.mid == track.mid)
            {
                Some(known) => *known = track,
                None if track.active => publishing.tracks.push(track),
                None => {}
            }
        }
        // SSRCs may mean something else now.
        publishing.streams.clear();
        let tracks = publishing.tracks.clone();
        let is_active = |mid: Mid| {
            tracks
                .iter()
                .any(|track| track.active && *track.mid == *mid)
        };
        let ended: Vec<usize> = publishing
            .publishers
            .iter()
            .copied()
            .filter(|publisher| !is_active(self.publishers[*publisher].mid))
            .collect();
        for publisher in ended {
            self.close_publisher(publisher, CloseReason::RemoteEnded, now);
        }
        tracks
    }

    /// A WHEP client's receiving m-lines become slots.
    fn take_slots(&mut self, key: usize, intake: &Intake, now: Instant) {
        let Side::Subscribe(subscribing) = &mut self.sessions[key].side else {
            return;
        };
        subscribing.client_offers = true;
        for section in &intake.sections {
            let Some(kind) = section.kind else {
                subscribing.has_data |= !section.rejected;
                continue;
            };
            let mid = Mid::from(section.mid.as_str());
            let dead = section.rejected || !section.receives;
            match subscribing.line(mid) {
                Some(line) => line.dead = dead,
                None => {
                    let sending = !dead;
                    let line = Line {
                        mid,
                        kind,
                        subscriber: None,
                        sending,
                        dead,
                        rewriter: None,
                    };
                    subscribing.lines.push(line);
                }
            }
        }
        let lost: Vec<usize> = subscribing
            .lines
            .iter()
            .filter(|line| line.dead)
            .filter_map(|line| line.subscriber)
            .collect();
        for subscriber in lost {
            self.close_subscriber(subscriber, CloseReason::RemoteEnded);
        }
        self.open_channels(key);
        self.refresh_gates(key, now);
    }

    pub(crate) fn attach(
        &mut self,
        id: TransportId,
        subscriber: SubscriberId,
        publisher: PublisherId,
        now: Instant,
    ) -> Result<Reply, Error> {
        let key = self.session_key(id)?;
        let publisher_key = self.publisher_key(publisher)?;
        let publisher = &self.publishers[publisher_key];
        let session = &mut self.sessions[key];
        if publisher.router != session.belongs.router {
            return Err(Error::NotFound { what: "publisher" });
        }
        let kind = publisher.kind;
        let (mid, rewriter) = self.take_slot(key, publisher_key)?;
        let rewriter = match rewriter {
            Some(rewriter) => rewriter,
            None => Rewriter::new(self.random.first_sequence()),
        };
        let stream = &mut self.sessions[key].rtc.direct_api();
        let ssrc = stream
            .stream_tx_by_mid(mid, None)
            .map(|stream| stream.ssrc());
        let taker = Taker {
            id: subscriber,
            session: key,
            publisher: publisher_key,
            kind,
        };
        let mut new = Subscriber::new(taker, rewriter);
        new.mid = Some(mid);
        new.ssrc = ssrc;
        let place = self.add_subscriber(new);
        if let Some(line) = self.sessions[key].subscribing()?.line(mid) {
            line.subscriber = Some(place);
        }
        self.refresh_gate(place, now);
        Ok(Reply::Attached {
            mid: mid.to_string(),
        })
    }

    /// A free slot for a publisher, and the numbering it is to continue.
    fn take_slot(
        &mut self,
        key: usize,
        publisher: usize,
    ) -> Result<(Mid, Option<Rewriter>), Error> {
        let publisher = &self.publishers[publisher];
        let params = self.sessions[publisher.session].rtc.codec_config().params();
        let format = codec::Format::find(params, publisher.codec.payload_type);
        let session = &mut self.sessions[key];
        if !session.subscribing()?.client_offers {
            return Err(Error::WrongTransport(
                "the client has not offered slots; use Subscribe",
            ));
        }
        let Side::Subscribe(subscribing) = &mut session.side else {
            return Err(Error::WrongTransport(
                "only a subscribe transport has slots",
            ));
        };
        let rtc = &session.rtc;
        let free = |line: &&mut Line| {
            line.kind == publisher.kind && !line.dead && line.subscriber.is_none()
        };
        let fits = |line: &&mut Line| {
            format.is_some_and(|format| subscriber::fit(rtc, line.mid, &format).is_some())
        };
        let mut lines = subscribing.lines.iter_mut().filter(free);
        let line = lines
            .find(fits)
            .ok_or_else(|| Error::UnsupportedCodec(publisher.codec.mime.clone()))?;
        Ok((line.mid, line.rewriter.take()))
    }

    pub(crate) fn subscribe(
        &mut self,
        id: TransportId,
        items: &[(SubscriberId, PublisherId)],
    ) -> Result<Reply, Error> {
        let key = self.session_key(id)?;
        let router = self.sessions[key].belongs.router;
        let subscribing = self.sessions[key].subscribing()?;
        if subscribing.client_offers {
            return Err(Error::WrongTransport(
                "the client makes the offers here; use Attach",
            ));
        }
        if subscribing.pending.is_some() {
            return Err(Error::NegotiationPending);
        }
        if subscribing.subscribers.len() + items.len() > MAX_LINES {
            return Err(Error::Limit {
                what: "subscribers of a transport",
                limit: MAX_LINES,
            });
        }
        let mut publishers = Vec::with_capacity(items.len());
        for (_, publisher) in items {
            let publisher = self.publisher_key(*publisher)?;
            if self.publishers[publisher].router != router {
                return Err(Error::NotFound { what: "publisher" });
            }
            publishers.push(publisher);
        }
        for ((subscriber, _), publisher) in items.iter().zip(publishers) {
            let kind = self.publishers[publisher].kind;
            let taker = Taker {
                id: *subscriber,
                session: key,
                publisher,
                kind,
            };
            let rewriter = Rewriter::new(self.random.first_sequence());
            self.add_subscriber(Subscriber::new(taker, rewriter));
        }
        self.make_offer(key, false)
    }

    fn add_subscriber(&mut self, subscriber: Subscriber) -> usize {
        let (id, session, publisher) = (subscriber.id, subscriber.session, subscriber.publisher);
        let key = self.subscribers.insert(subscriber);
        self.subscriber_keys.insert(id, key);
        self.publishers[publisher].subscribers.push(key);
        if let Side::Subscribe(subscribing) = &mut self.sessions[session].side {
            subscribing.subscribers.push(key);
        }
        key
    }

    pub(crate) fn create_offer(
        &mut self,
        id: TransportId,
        ice_restart: bool,
    ) -> Result<Reply, Error> {
        let key = self.session_key(id)?;
        let subscribing = self.sessions[key].subscribing()?;
        if subscribing.client_offers {
            return Err(Error::WrongTransport(
                "the client makes the offers on this transport",
            ));
        }
        if subscribing.pending.is_some() {
            return Err(Error::NegotiationPending);
        }
        self.make_offer(key, ice_restart)
    }

    /// An offer that brings the client to the present state.
    pub(crate) fn make_offer(&mut self, key: usize, ice_restart: bool) -> Result<Reply, Error> {
        let plan = self.plan(key);
        let session = &mut self.sessions[key];
        let first = !session.subscribing()?.has_data;
        let rtc = &mut session.rtc;
        let Ok(drawn) = contained(|| draw(rtc, &plan, first, ice_restart)) else {
            return Err(self.doom(key));
        };
        let (new_lines, placed) = plan.lines(&drawn.mids);
        let ours = drawn
            .restart
            .as_ref()
            .map(|_| self.random.ice_credentials(self.config.thread));
        for (subscriber, mid) in &placed {
            self.subscribers[*subscriber].mid = Some(*mid);
        }
        let msids = self.msids(key, &new_lines);
        let session = &mut self.sessions[key];
        if let Some(channel) = drawn.channel {
            session.channels.insert(channel, Channel::Internal);
        }
        let restart = drawn.restart.zip(ours);
        if let Some((_, ours)) = &restart {
            self.demux.add_ufrag(&ours.ufrag, key);
            session.credentials.push(ours.clone());
        }
        let subscribing = session.subscribing()?;
        for (subscriber, mid) in &plan.reused {
            if let Some(line) = subscribing.line(*mid) {
                line.subscriber = Some(*subscriber);
            }
        }
        let (change, text) = match drawn.offer {
            Some((offer, change)) => {
                let mut text = sdp_out::replace_msids(&offer.to_sdp_string(), &msids);
                if let Some((theirs, ours)) = &restart {
                    text = sdp_out::replace_credentials(&text, theirs, ours);
                }
                (Some(change), text)
            }
            // Nothing has changed since the last answer.
            None => (None, subscribing.last_offer.clone().unwrap_or_default()),
        };
        subscribing.last_offer = Some(text.clone());
        subscribing.needs_negotiation = false;
        subscribing.pending = Some(Pending {
            change,
            new_lines,
            placed,
            emptied: plan.emptied,
            restart,
        });
        self.mark_dirty(key);
        Ok(Reply::Offer {
            sdp: text,
            mids: self.mappings(key),
        })
    }

    /// Which subscriber gets which m-line, and which lines fall silent.
    fn plan(&self, key: usize) -> Plan {
        let mut plan = Plan::default();
        let Side::Subscribe(subscribing) = &self.sessions[key].side else {
            return plan;
        };
        let mut free: Vec<(Mid, TrackKind)> = subscribing
            .lines
            .iter()
            .filter(|line| !line.dead && line.subscriber.is_none())
            .map(|line| (line.mid, line.kind))
            .collect();
        for subscriber_key in subscribing.subscribers.iter().copied() {
            let subscriber = &self.subscribers[subscriber_key];
            if subscriber.mid.is_some() {
                continue;
            }
            match free.iter().position(|(_, kind)| *kind == subscriber.kind) {
                Some(index) => plan.reused.push((subscriber_key, free.remove(index).0)),
                None => {
                    let names = self.names(subscriber_key);
                    plan.fresh.push((subscriber_key, subscriber.kind, names));
                }
            }
        }
        let is_sending = |mid: Mid| subscribing.lines.iter().any(|l| l.mid == mid && l.sending);
        plan.emptied = free
            .into_iter()
            .map(|(mid, _)| mid)
            .filter(|mid| is_sending(*mid))
            .collect();
        plan
    }

    /// Stream and track id of a subscriber's m-line: tracks of one publish transport share a
    /// stream, which is what browsers keep in lip sync.
    fn names(&self, subscriber: usize) -> (String, String) {
        let subscriber = &self.subscribers[subscriber];
        let publisher = &self.publishers[subscriber.publisher];
        let transport = self.sessions[publisher.session].belongs.transport;
        (
            format!("s{:x}", transport.0),
            format!("t{:x}", subscriber.id.0),
        )
    }

    fn msids(&self, key: usize, new_lines: &[Line]) -> Vec<Msid> {
        let Side::Subscribe(subscribing) = &self.sessions[key].side else {
            return Vec::new();
        };
        let new = new_lines.iter().filter_map(|line| line.subscriber);
        let known = subscribing.subscribers.iter().copied();
        known
            .chain(new)
            .filter_map(|subscriber| {
                let mid = self.subscribers[subscriber].mid?.to_string();
                let (stream, track) = self.names(subscriber);
                Some(Msid { mid, stream, track })
            })
            .collect()
    }

    fn mappings(&self, key: usize) -> Vec<MidMapping> {
        let Side::Subscribe(subscribing) = &self.sessions[key].side else {
            return Vec::new();
        };
        subscribing
            .subscribers
            .iter()
            .filter_map(|key| {
                let subscriber = &self.subscribers[*key];
                Some(MidMapping {
                    mid: subscriber.mid?.to_string(),
                    subscriber: subscriber.id,
                })
            })
            .collect()
    }

    pub(crate) fn accept_answer(
        &mut self,
        id: TransportId,
        sdp: &str,
        now: Instant,
    ) -> Result<Reply, Error> {
        let key = self.session_key(id)?;
        let session = &mut self.sessions[key];
        let subscribing = session.subscribing()?;
        if subscribing.pending.is_none() {
            return Err(Error::NoOffer);
        }
        // A bad answer leaves the offer open: the client may send a better one.
        let intake = sdp_in::read(sdp, MAX_LINES + 1)?;
        let answer = SdpAnswer::from_sdp_string(&intake.text).map_err(invalid)?;
        let Some(mut pending) = subscribing.pending.take() else {
            return Err(Error::NoOffer);
        };
        if let Some(change) = pending.change.take() {
            let rtc = &mut session.rtc;
            match contained(|| rtc.sdp_api().accept_answer(change, answer)) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    self.undo(key, pending);
                    return Err(invalid(error));
                }
                Err(_) => return Err(self.doom(key)),
            }
        }
        self.settle(key, pending, &intake, now);
        Ok(Reply::Done)
    }

    /// The answer is in: lines are real, subscribers may flow.
    fn settle(&mut self, key: usize, pending: Pending, intake: &Intake, now: Instant) {
        let session = &mut self.sessions[key];
        session.exchanged.get_or_insert(now);
        if let Some((theirs, ours)) = pending.restart {
            self.settle_restart(key, &theirs, ours);
        }
        let session = &mut self.sessions[key];
        let Side::Subscribe(subscribing) = &mut session.side else {
            return;
        };
        subscribing.lines.extend(pending.new_lines);
        for section in &intake.sections {
            if section.kind.is_none() {
                subscribing.has_data |= !section.rejected;
            } else if let Some(line) = subscribing.line(Mid::from(section.mid.as_str())) {
                line.dead |= section.rejected;
            }
        }
        for mid in pending.emptied {
            if let Some(line) = subscribing.line(mid) {
                line.sending = false;
            }
        }
        for (subscriber, mid) in pending.placed {
            if let Some(line) = self.sessions[key]
                .subscribing()
                .ok()
                .and_then(|s| s.line(mid))
            {
                line.sending = true;
            }
            self.connect_line(key, subscriber, mid, intake, now);
        }
        self.open_channels(key);
        self.watch(key, now);
        self.mark_dirty(key);
        self.renegotiate_if_needed(key);
    }

    /// The client may have ignored the restart; then the old credentials stay.
    fn settle_restart(&mut self, key: usize, theirs: &IceCreds, ours: IceCreds) {
        let mut direct = self.sessions[key].rtc.direct_api();
        if direct.local_ice_credentials() == *theirs {
            direct.set_local_ice_credentials(ours.clone());
            self.switch_ufrag(key, ours);
        } else {
            self.forget_ufrag(key, &ours.ufrag);
        }
    }

    /// A subscriber's m-line is agreed: find its stream, or close it when the client will not
    /// decode what it carries.
    fn connect_line(&mut self, key: usize, place: usize, mid: Mid, intake: &Intake, now: Instant) {
        let subscriber = &self.subscribers[place];
        let publisher = &self.publishers[subscriber.publisher];
        let params = self.sessions[publisher.session].rtc.codec_config().params();
        let format = codec::Format::find(params, publisher.codec.payload_type);
        let session = &mut self.sessions[key];
        let wanted = intake
            .sections
            .iter()
            .any(|s| *s.mid == *mid && s.receives && !s.rejected);
        let fits =
            format.is_none_or(|format| subscriber::fit(&session.rtc, mid, &format).is_some());
        if !wanted || !fits {
            let reason = if wanted {
                CloseReason::UnsupportedCodec
            } else {
                CloseReason::RemoteEnded
            };
            self.close_subscriber(place, reason);
            return;
        }
        let ssrc = session
            .rtc
            .direct_api()
            .stream_tx_by_mid(mid, None)
            .map(|stream| stream.ssrc());
        self.subscribers[place].ssrc = ssrc;
        self.refresh_gate(place, now);
    }

    pub(crate) fn rollback_offer(&mut self, id: TransportId) -> Result<Reply, Error> {
        let key = self.session_key(id)?;
        let pending = self.sessions[key]
            .subscribing()?
            .pending
            .take()
            .ok_or(Error::NoOffer)?;
        self.undo(key, pending);
        self.renegotiate_if_needed(key);
        Ok(Reply::Done)
    }

    /// Takes an open offer back. Its subscribers wait for the next one.
    fn undo(&mut self, key: usize, pending: Pending) {
        for (subscriber, mid) in &pending.placed {
            self.subscribers[*subscriber].mid = None;
            if let Ok(subscribing) = self.sessions[key].subscribing()
                && let Some(line) = subscribing.line(*mid)
            {
                line.subscriber = None;
                line.sending = true; // str0m has it so; the next offer sets it right
            }
        }
        if let Some((_, ours)) = pending.restart {
            self.forget_ufrag(key, &ours.ufrag);
        }
    }

    fn forget_ufrag(&mut self, key: usize, ufrag: &str) {
        self.demux.remove_ufrag(ufrag);
        self.sessions[key]
            .credentials
            .retain(|known| known.ufrag != ufrag);
    }

    fn renegotiate_if_needed(&mut self, key: usize) {
        let session = &mut self.sessions[key];
        let transport = session.belongs.transport;
        let Side::Subscribe(subscribing) = &mut session.side else {
            return;
        };
        let unplaced = subscribing
            .subscribers
            .iter()
            .any(|key| self.subscribers[*key].mid.is_none());
        if subscribing.has_changes(unplaced) && !subscribing.needs_negotiation {
            subscribing.needs_negotiation = true;
            self.emit(Event::NegotiationNeeded { transport });
        }
    }

    /// A panic in the session while a command was at work.
    fn doom(&mut self, key: usize) -> Error {
        self.doomed
            .push((self.sessions[key].belongs.transport, CloseReason::Panic));
        Error::NotFound { what: "transport" }
    }
}

/// What an offer is to change.
#[derive(Default)]
struct Plan {
    /// Subscriber and the line it takes over.
    reused: Vec<(usize, Mid)>,
    /// Subscriber, kind, and (stream, track) names of a new line.
    fresh: Vec<(usize, TrackKind, (String, String))>,
    /// Lines that nobody has any more.
    emptied: Vec<Mid>,
}

impl Plan {
    /// The new lines, and who gets which line, new or taken over.
    fn lines(&self, mids: &[Mid]) -> (Vec<Line>, Vec<(usize, Mid)>) {
        let mut placed = self.reused.clone();
        let mut lines = Vec::with_capacity(mids.len());
        for ((subscriber, kind, _), mid) in self.fresh.iter().zip(mids) {
            placed.push((*subscriber, *mid));
            lines.push(Line {
                mid: *mid,
                kind: *kind,
                subscriber: Some(*subscriber),
                sending: false,
                dead: false,
                rewriter: None,
            });
        }
        (lines, placed)
    }
}

/// What str0m made of a plan.
struct Drawn {
    mids: Vec<Mid>,
    channel: Option<str0m::channel::ChannelId>,
    restart: Option<IceCreds>,
    offer: Option<(SdpOffer, SdpPendingOffer)>,
}

fn draw(rtc: &mut Rtc, plan: &Plan, first: bool, ice_restart: bool) -> Drawn {
    for (_, mid) in &plan.reused {
        renew_stream(rtc, *mid);
    }
    let mut api = rtc.sdp_api();
    let channel = first.then(|| api.add_channel_with_config(crate::datachannel::internal()));
    let restart = ice_restart.then(|| api.ice_restart(true));
    for mid in &plan.emptied {
        // str0m may have the line inactive already (an offer that was rolled back): setting it
        // twice makes sure that the change is noted.
        api.set_direction(*mid, Direction::SendOnly);
        api.set_direction(*mid, Direction::Inactive);
    }
    for (_, mid) in &plan.reused {
        api.set_direction(*mid, Direction::Inactive);
        api.set_direction(*mid, Direction::SendOnly);
    }
    let mids = plan
        .fresh
        .iter()
        .map(|(_, kind, (stream, track))| {
            let (stream, track) = (Some(stream.clone()), Some(track.clone()));
            api.add_media(media_kind(*kind), Direction::SendOnly, stream, track, None)
        })
        .collect();
    Drawn {
        mids,
        channel,
        restart,
        offer: api.apply(),
    }
}

/// A new SSRC (and RTX SSRC) for a line. `reset_stream_tx` would leave str0m's table under the
/// old SSRC, and feedback about the new one would find nobody; so the stream is made anew.
fn renew_stream(rtc: &mut Rtc, mid: Mid) {
    let mut direct = rtc.direct_api();
    let Some((old, has_rtx)) = direct
        .stream_tx_by_mid(mid, None)
        .map(|stream| (stream.ssrc(), stream.rtx().is_some()))
    else {
        return;
    };
    let ssrc = direct.new_ssrc();
    let rtx = has_rtx.then(|| direct.new_ssrc());
    direct.remove_stream_tx(old);
    direct.declare_stream_tx(ssrc, rtx, mid, None);
}

fn invalid(error: impl ToString) -> Error {
    Error::InvalidSdp(error.to_string())
}

/// m-lines of one subscribe transport, the data line not counted.
const MAX_LINES: usize = 256;
