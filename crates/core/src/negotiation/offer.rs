//! The server's offer: drawn from the present state of a subscribe transport.

use str0m::change::{SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, Mid};
use str0m::{IceCreds, Rtc};

use super::MAX_LINES;
use crate::egress::Sources;
use crate::error::Error;
use crate::event::{MidMapping, Reply, TrackKind};
use crate::ids::{PublisherId, SubscriberId, TransportId};
use crate::rewrite::Rewriter;
use crate::sdp_out::{self, Msid, Named};
use crate::sfu::Sfu;
use crate::subscriber::{Subscriber, Taker};
use crate::transport::webrtc::{Channel, Line, Pending, Side, contained, media_kind};

impl Sfu {
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
        let mut plan = self.plan(key);
        self.draw_sources(&mut plan);
        let session = &mut self.sessions[key];
        let has_channel = session.channels.values().any(|c| *c == Channel::Internal);
        let first = !session.subscribing()?.has_data && !has_channel;
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
        for ((subscriber, mid), sources) in plan.reused.iter().zip(&plan.sources) {
            if let Some(line) = subscribing.line(*mid) {
                line.subscriber = Some(*subscriber);
                line.sources = *sources;
            }
        }
        let named: Vec<Named> = subscribing
            .lines
            .iter()
            .chain(&new_lines)
            .filter(|line| line.subscriber.is_some() && !line.dead)
            .map(Named::new)
            .collect();
        let (change, text) = match drawn.offer {
            Some((offer, change)) => {
                let mut text = sdp_out::replace_msids(&offer.to_sdp_string(), &msids);
                text = sdp_out::replace_sources(&text, &named, subscribing.egress.cname());
                text = sdp_out::with_audio_nack(&text);
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
            filled: placed.iter().map(|(_, mid)| *mid).collect(),
            placed,
            emptied: plan.emptied,
            channel: drawn.channel,
            restart,
        });
        self.mark_dirty(key);
        Ok(Reply::Offer {
            sdp: text,
            mids: self.mappings(key),
        })
    }

    /// New SSRCs for all lines that change hands or are new.
    fn draw_sources(&mut self, plan: &mut Plan) {
        let kinds = plan
            .reused
            .iter()
            .map(|(key, _)| self.subscribers[*key].kind);
        let fresh = plan.fresh.iter().map(|(_, kind, _)| *kind);
        for kind in kinds.chain(fresh) {
            plan.sources.push(self.random.sources(kind));
        }
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
        let stream = match subscriber.feed {
            Some(_) => subscriber.id.0, // whoever it carries
            None => publisher.transport.0,
        };
        (format!("s{stream:x}"), format!("t{:x}", subscriber.id.0))
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
}

/// What an offer is to change.
#[derive(Default)]
struct Plan {
    /// Subscriber and the line it takes over.
    reused: Vec<(usize, Mid)>,
    /// Subscriber, kind, and (stream, track) names of a new line.
    fresh: Vec<(usize, TrackKind, (String, String))>,
    /// SSRCs of the lines taken over, then of the new ones.
    sources: Vec<Sources>,
    /// Lines that nobody has any more.
    emptied: Vec<Mid>,
}

impl Plan {
    /// The new lines, and who gets which line, new or taken over.
    fn lines(&self, mids: &[Mid]) -> (Vec<Line>, Vec<(usize, Mid)>) {
        let mut placed = self.reused.clone();
        let mut lines = Vec::with_capacity(mids.len());
        let sources = &self.sources[self.reused.len()..];
        for (((subscriber, kind, _), mid), sources) in self.fresh.iter().zip(mids).zip(sources) {
            placed.push((*subscriber, *mid));
            lines.push(Line {
                mid: *mid,
                kind: *kind,
                subscriber: Some(*subscriber),
                sending: false,
                dead: false,
                sources: *sources,
                stream: None,
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
