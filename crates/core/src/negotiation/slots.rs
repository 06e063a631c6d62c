//! Slots: the receiving m-lines of a WHEP client, fed and freed by `Attach` and close.
//!
//! A slot keeps its SSRC for good, so its numbering outlives each subscriber.

use std::time::Instant;

use str0m::media::Mid;

use crate::error::Error;
use crate::event::{CloseReason, Reply};
use crate::ids::{PublisherId, SubscriberId, TransportId};
use crate::rewrite::Rewriter;
use crate::sdp_in::Intake;
use crate::sfu::Sfu;
use crate::subscriber::{self, Subscriber, Taker};
use crate::transport::webrtc::{Line, Side};

impl Sfu {
    /// A WHEP client's receiving m-lines become slots.
    pub(super) fn take_slots(&mut self, key: usize, intake: &Intake, now: Instant) {
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
                        sources: self.random.sources(kind),
                        stream: None,
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
        self.drop_lines(key, intake);
        self.remove_send_streams(key);
        self.open_channels(key);
        self.refresh_gates(key, now);
    }

    /// Forgets m-lines whose place another one has taken (RFC 8829 section 5.2.2).
    fn drop_lines(&mut self, key: usize, intake: &Intake) {
        let Side::Subscribe(subscribing) = &mut self.sessions[key].side else {
            return;
        };
        let egress = &mut subscribing.egress;
        subscribing.lines.retain(|line| {
            let named = intake.sections.iter().any(|s| *s.mid == *line.mid);
            if let Some(stream) = line.stream.filter(|_| !named) {
                egress.remove(stream);
            }
            named
        });
    }

    /// Feeds a publisher into a free slot of a transport: any, or the one of this m-line.
    pub(crate) fn attach(
        &mut self,
        (id, wanted): (TransportId, Option<String>),
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
        let (mid, rewriter) = self.take_slot(key, publisher_key, wanted.as_deref())?;
        let rewriter = match rewriter {
            Some(rewriter) => rewriter,
            None => Rewriter::new(self.random.first_sequence()),
        };
        let stream = self.stream_of(key, mid);
        let taker = Taker {
            id: subscriber,
            session: key,
            publisher: publisher_key,
            kind,
        };
        let mut new = Subscriber::new(taker, rewriter);
        new.mid = Some(mid);
        new.stream = stream;
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
        wanted: Option<&str>,
    ) -> Result<(Mid, Option<Rewriter>), Error> {
        let format = self.format_in_use(publisher);
        let publisher = &self.publishers[publisher];
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
            line.kind == publisher.kind
                && !line.dead
                && line.subscriber.is_none()
                && wanted.is_none_or(|mid| *line.mid == *mid)
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
}
