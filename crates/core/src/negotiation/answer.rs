//! The client's answer to the server's offer, or the offer's end without one.

use std::time::Instant;

use str0m::IceCreds;
use str0m::change::SdpAnswer;
use str0m::media::Mid;

use super::invalid;
use crate::error::Error;
use crate::event::{CloseReason, Event, Reply};
use crate::ids::TransportId;
use crate::sdp_in::{self, Intake};
use crate::sfu::Sfu;
use crate::subscriber;
use crate::transport::webrtc::{Pending, Side, contained};

impl Sfu {
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
        let intake = sdp_in::read(sdp, sdp_in::ANSWER)?;
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
        for mid in pending.filled {
            if let Some(line) = subscribing.line(mid) {
                line.sending = true;
            }
        }
        self.remove_send_streams(key);
        for (subscriber, mid) in pending.placed {
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
        let format = self.format_in_use(subscriber.publisher);
        let session = &mut self.sessions[key];
        let wanted = intake
            .sections
            .iter()
            .any(|s| *s.mid == *mid && s.receives && !s.rejected);
        let is_slot = subscriber.feed.is_some(); // it will carry others too
        let fits = is_slot
            || format.is_none_or(|format| subscriber::fit(&session.rtc, mid, &format).is_some());
        if !wanted || !fits {
            let reason = if wanted {
                CloseReason::UnsupportedCodec
            } else {
                CloseReason::RemoteEnded
            };
            self.close_subscriber(place, reason);
            return;
        }
        self.subscribers[place].stream = self.stream_of(key, mid);
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
        for (subscriber, _) in &pending.placed {
            self.subscribers[*subscriber].mid = None;
        }
        if let Ok(subscribing) = self.sessions[key].subscribing() {
            for mid in &pending.filled {
                if let Some(line) = subscribing.line(*mid) {
                    line.subscriber = None;
                    line.sending = true; // str0m has it so; the next offer sets it right
                }
            }
        }
        if let Some(channel) = pending.channel {
            self.sessions[key].channels.remove(&channel); // str0m never opens it
        }
        if let Some((_, ours)) = pending.restart {
            self.forget_ufrag(key, &ours.ufrag);
        }
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
}
