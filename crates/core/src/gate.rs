//! Gates and key frames: when a subscriber may receive, and who asks publishers for key frames.

use std::time::Instant;

use str0m::rtp::Ssrc;

use crate::event::{CloseReason, TrackKind};
use crate::keyframe::Ask;
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
        let open = subscriber.ssrc.is_some()
            && session.is_connected()
            && !subscriber.paused
            && !publisher.paused;
        if open == subscriber.open {
            return;
        }
        subscriber.set_open(open);
        let publisher_key = subscriber.publisher;
        if open {
            self.want_key_frame(publisher_key, now);
        }
    }

    /// Does anyone take this publisher's packets?
    pub(crate) fn is_awaited(&self, publisher: usize) -> bool {
        let publisher = &self.publishers[publisher];
        !publisher.paused
            && (!publisher.recordings.is_empty()
                || !publisher.relays.is_empty()
                || publisher
                    .subscribers
                    .iter()
                    .any(|key| self.subscribers[*key].open))
    }

    /// Someone needs a key frame of this publisher. Coalesced; does nothing for audio.
    pub(crate) fn want_key_frame(&mut self, publisher: usize, now: Instant) {
        if self.publishers[publisher].kind == TrackKind::Video {
            let ask = self.publishers[publisher].throttle.want(now);
            self.follow(publisher, ask);
        }
    }

    /// The timer of a publisher's key-frame throttle has fired.
    pub(crate) fn key_frame_timer(&mut self, publisher: usize, now: Instant) {
        if !self.is_awaited(publisher) {
            self.publishers[publisher].throttle.satisfied();
        }
        let ask = self.publishers[publisher].throttle.fire(now);
        self.follow(publisher, ask);
    }

    fn follow(&mut self, publisher: usize, ask: Ask) {
        let handle = self.publishers[publisher].id.0;
        match ask {
            Ask::Now(again) => {
                self.timers.arm(again, Reason::KeyFrame, handle);
                self.send_key_frame_request(publisher);
            }
            Ask::At(at) => self.timers.arm(at, Reason::KeyFrame, handle),
            Ask::Nothing => {}
        }
    }

    fn send_key_frame_request(&mut self, key: usize) {
        let publisher = &mut self.publishers[key];
        let (session_key, mid) = match publisher.source {
            Source::Session { key, mid } => (key, mid),
            Source::Relayed(_) => return self.relay_key_frame_request(key),
        };
        // Before the first packet there is no stream to ask for; the timer will try again.
        let Some(ssrc) = publisher.layers.target().map(Ssrc::from) else {
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
