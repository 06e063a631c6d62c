//! Gates and key frames: when a subscriber may receive, and who asks publishers for key frames.

use std::time::Instant;

use str0m::rtp::Ssrc;

use crate::event::{CloseReason, TrackKind};
use crate::journal::Decision;
use crate::keyframe::Ask;
use crate::layers::Selector;
use crate::publisher::Source;
use crate::sfu::Sfu;
use crate::timer::Reason;
use crate::transport::webrtc::{Panicked, contained};

impl Sfu {
    /// Opens or shuts a subscriber's gate after anything that bears on it has changed.
    pub(crate) fn refresh_gate(&mut self, key: usize, now: Instant) {
        let Some(subscriber) = self.subscribers.get_mut(key) else {
            return;
        };
        let publisher = &self.publishers[subscriber.publisher];
        let session = &self.sessions[subscriber.session];
        let open = subscriber.stream.is_some()
            && session.is_connected()
            && !subscriber.paused
            && !publisher.paused;
        if open == subscriber.open {
            return;
        }
        subscriber.set_open(open);
        let (session, place, kind) = (subscriber.session, subscriber.publisher, subscriber.kind);
        self.note_subscriber(key, now, Decision::Gate { open });
        self.unreviewed.push(place);
        if open {
            let is_shared =
                kind == TrackKind::Video && !self.publishers[place].encodings.layers().is_empty();
            if !is_shared {
                self.refresh_selection(key, now);
            }
        }
        // What it gets is decided together with those that open in the same wake-up.
        self.want_allocation(session, now);
    }

    /// Lets a subscriber choose anew after what it wishes, or may have, has changed.
    pub(crate) fn refresh_selection(&mut self, key: usize, now: Instant) {
        let subscriber = &mut self.subscribers[key];
        let place = subscriber.publisher;
        self.unreviewed.push(place);
        subscriber
            .selector
            .update(&self.publishers[place].encodings);
        let turn = subscriber.take_turn();
        if let Some(encoding) = subscriber.selector.awaited().filter(|_| subscriber.open) {
            self.want_key_frame(place, encoding, now);
        }
        if let Some(turn) = turn {
            self.note_turn(key, turn, now);
        }
    }

    /// Does anyone take this publisher's packets?
    pub(crate) fn is_awaited(&self, publisher: usize) -> bool {
        let publisher = &self.publishers[publisher];
        !publisher.paused
            && (publisher
                .recordings
                .iter()
                .any(|key| !self.recordings[*key].paused)
                || !publisher.relays.is_empty()
                || publisher
                    .subscribers
                    .iter()
                    .any(|key| self.subscribers[*key].open))
    }

    /// Someone needs a key frame of this encoding. Coalesced; does nothing for audio.
    pub(crate) fn want_key_frame(&mut self, publisher: usize, encoding: u8, now: Instant) {
        if self.publishers[publisher].kind == TrackKind::Video {
            let ask = self.publishers[publisher].throttle(encoding).want(now);
            self.follow(publisher, encoding, ask, now);
        }
    }

    /// Someone needs a key frame of whatever they get.
    pub(crate) fn want_key_frames(&mut self, publisher: usize, now: Instant) {
        self.unreviewed.push(publisher);
        let taken = &self.publishers[publisher];
        let subscribers = taken
            .subscribers
            .iter()
            .map(|key| &self.subscribers[*key].selector);
        let recordings = taken
            .recordings
            .iter()
            .map(|key| &self.recordings[*key].selector);
        let mut encodings: Vec<u8> = subscribers
            .chain(recordings)
            .filter_map(Selector::encoding)
            .collect();
        encodings.extend(taken.encodings.largest());
        encodings.sort_unstable();
        encodings.dedup();
        for encoding in encodings {
            self.want_key_frame(publisher, encoding, now);
        }
    }

    /// The timer of one of a publisher's key-frame throttles has fired.
    pub(crate) fn key_frame_timer(&mut self, publisher: usize, now: Instant) {
        let is_awaited = self.is_awaited(publisher);
        for encoding in 0..self.publishers[publisher].throttles.len() as u8 {
            let throttle = self.publishers[publisher].throttle(encoding);
            if !is_awaited {
                throttle.satisfied();
            }
            let ask = throttle.fire(now);
            self.follow(publisher, encoding, ask, now);
        }
    }

    fn follow(&mut self, publisher: usize, encoding: u8, ask: Ask, now: Instant) {
        let handle = self.publishers[publisher].id.0;
        match ask {
            Ask::Now(again) => {
                self.timers.arm(again, Reason::KeyFrame, handle);
                let decision = Decision::KeyFrameRequested { encoding };
                self.note_publisher(publisher, now, decision);
                self.send_key_frame_request(publisher, encoding);
            }
            Ask::At(at) => self.timers.arm(at, Reason::KeyFrame, handle),
            Ask::Nothing => {}
        }
    }

    fn send_key_frame_request(&mut self, key: usize, encoding: u8) {
        let publisher = &mut self.publishers[key];
        let (session_key, mid) = match publisher.source {
            Source::Session { key, mid } => (key, mid),
            Source::Relayed(_) => return self.relay_key_frame_request(key, encoding),
            Source::Plain { place, .. } => return self.ask_plain(place, key, encoding),
            Source::Nobody => return,
        };
        let Some(ssrc) = publisher.encodings.ssrc(encoding).map(Ssrc::from) else {
            return;
        };
        let session = &mut self.sessions[session_key];
        let kind = session.key_frame_kind(mid);
        let asked = contained(|| {
            let mut direct = session.rtc.direct_api();
            direct
                .stream_rx(&ssrc)
                .map(|stream| stream.request_keyframe(kind))
        });
        match asked {
            Ok(Some(())) => {
                publisher.stats.key_frame_requests += 1;
                self.counters.key_frame_requests += 1;
                self.mark_dirty(session_key);
            }
            Ok(None) => {}
            Err(Panicked) => self
                .doomed
                .push((session.belongs.transport, CloseReason::Panic)),
        }
    }
}
