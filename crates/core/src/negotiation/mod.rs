//! Offers and answers.
//!
//! A publish transport answers its client's offers. A subscribe transport belongs to whoever
//! speaks first: normally the server offers, one m-line per subscriber; a WHEP client offers
//! once and its receiving m-lines become slots.
//!
//! The server's offer is always made from the state of things, never from a list of steps:
//! subscribers without an m-line get a free one of their kind, or a new one; lines without a
//! subscriber become inactive. A line that changes hands gets a new SSRC, so that its next
//! subscriber starts with a clean slate (sequence numbers, ROC, RTX). Nothing is sent on a line
//! before the answer has come. The SSRCs are ours (`egress`): str0m's send streams are taken away
//! after each exchange, and the descriptions name ours in their place. Rolling back frees what the
//! offer had placed; the next offer places it again.

mod answer;
mod client;
mod offer;
mod slots;

use str0m::IceCreds;
use str0m::media::Mid;

use crate::egress::OutStream;
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

    /// The stream of a line that the peer has agreed to, made when it is needed first.
    pub(super) fn stream_of(&mut self, key: usize, mid: Mid) -> Option<usize> {
        let first_repair = self.random.first_sequence();
        let session = &mut self.sessions[key];
        let Side::Subscribe(subscribing) = &mut session.side else {
            return None;
        };
        let line = subscribing.lines.iter_mut().find(|line| line.mid == mid)?;
        if line.stream.is_none() {
            let (kind, sources) = (line.kind, line.sources);
            let stream = OutStream::new(&session.rtc, mid, kind, sources, first_repair)?;
            line.stream = Some(subscribing.egress.add(stream));
        }
        line.stream
    }

    /// Takes str0m's send streams of all lines away.
    pub(super) fn remove_send_streams(&mut self, key: usize) {
        let session = &mut self.sessions[key];
        let Side::Subscribe(subscribing) = &session.side else {
            return;
        };
        let mut direct = session.rtc.direct_api();
        for line in &subscribing.lines {
            while let Some(ssrc) = direct.stream_tx_by_mid(line.mid, None).map(|s| s.ssrc()) {
                direct.remove_stream_tx(ssrc);
            }
        }
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
