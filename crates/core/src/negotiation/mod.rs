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

mod answer;
mod client;
mod offer;
mod slots;

use str0m::IceCreds;

use crate::error::Error;
use crate::event::CloseReason;
use crate::sfu::Sfu;
use crate::subscriber::Subscriber;
use crate::transport::webrtc::Side;

impl Sfu {
    pub(super) fn add_subscriber(&mut self, subscriber: Subscriber) -> usize {
        let (id, session, publisher) = (subscriber.id, subscriber.session, subscriber.publisher);
        let key = self.subscribers.insert(subscriber);
        self.subscriber_keys.insert(id, key);
        self.publishers[publisher].subscribers.push(key);
        if let Side::Subscribe(subscribing) = &mut self.sessions[session].side {
            subscribing.subscribers.push(key);
        }
        key
    }

    /// From now on the session is found under these credentials only.
    pub(super) fn switch_ufrag(&mut self, key: usize, credentials: IceCreds) {
        let session = &mut self.sessions[key];
        for old in session.credentials.drain(..) {
            self.demux.remove_ufrag(&old.ufrag);
        }
        session.paths.restart();
        self.demux.add_ufrag(&credentials.ufrag, key);
        session.credentials.push(credentials);
    }

    pub(super) fn forget_ufrag(&mut self, key: usize, ufrag: &str) {
        self.demux.remove_ufrag(ufrag);
        self.sessions[key]
            .credentials
            .retain(|known| known.ufrag != ufrag);
    }

    /// A panic in the session while a command was at work.
    pub(super) fn doom(&mut self, key: usize) -> Error {
        self.doomed
            .push((self.sessions[key].belongs.transport, CloseReason::Panic));
        Error::NotFound { what: "transport" }
    }
}

fn invalid(error: impl ToString) -> Error {
    Error::InvalidSdp(error.to_string())
}

/// m-lines of one subscribe transport, the data line not counted.
pub(crate) const MAX_LINES: usize = 256;
