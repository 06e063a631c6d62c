//! The end of a wake-up: what the sessions have to send leaves, each session once.
//!
//! Inputs mark sessions dirty, [`Sfu::drain`] flushes them: first the media of a session's egress,
//! which is sealed in the sink's room, then what its str0m has to say if it is stirred. Packets that
//! its pacer keeps back have a timer.

use std::time::{Duration, Instant};

use str0m::Input;

use crate::egress::Outlet;
use crate::event::CloseReason;
use crate::journal::Decision;
use crate::record::Kind;
use crate::sfu::Sfu;
use crate::sink::Sink;
use crate::timer::Reason;
use crate::transport::webrtc::{Panicked, Side, contained};

impl Sfu {
    /// Everything there is to say and to send, into `sink`. Returns when to call
    /// [`Sfu::timeout`] at the latest.
    pub fn drain(&mut self, now: Instant, sink: &mut impl Sink) -> Instant {
        loop {
            while let Some(output) = self.outputs.pop_front() {
                sink.take(output);
            }
            let Some(key) = self.dirty.pop_front() else {
                return self.timers.next().unwrap_or(now + IDLE);
            };
            self.flush(key, now, sink);
            self.reap(now);
        }
    }

    /// A session's str0m has something to do in the next drain.
    pub(crate) fn mark_dirty(&mut self, key: usize) {
        self.sessions[key].stirred = true;
        self.mark_sending(key);
    }

    /// A session's egress has something to send in the next drain.
    pub(crate) fn mark_sending(&mut self, key: usize) {
        let session = &mut self.sessions[key];
        if !session.dirty {
            session.dirty = true;
            self.dirty.push_back(key);
        }
    }

    /// Sends what a dirty session has to send: media first, then str0m's if it is stirred.
    fn flush(&mut self, key: usize, now: Instant, sink: &mut impl Sink) {
        let Some(session) = self.sessions.get_mut(key).filter(|session| session.dirty) else {
            return;
        };
        session.dirty = false;
        if matches!(session.side, Side::Subscribe(_)) {
            self.flush_egress(key, now, sink);
        }
        let session = &mut self.sessions[key];
        if !std::mem::take(&mut session.stirred) {
            return;
        }
        let outcome = contained(|| {
            assert!(!session.poisoned, "panic injected by a test");
            session.rtc.handle_input(Input::Timeout(now))
        });
        match outcome {
            Ok(Ok(())) => self.drain_rtc(key, now),
            Ok(Err(_)) => {
                self.counters.session_errors += 1;
                self.drain_rtc(key, now);
            }
            Err(Panicked) => self
                .doomed
                .push((session.belongs.transport, CloseReason::Panic)),
        }
    }

    pub(crate) fn flush_egress(&mut self, key: usize, now: Instant, sink: &mut impl Sink) {
        let Some(path) = self.sessions[key].paths.current() else {
            return;
        };
        let moment = self.moment.at(now, self.config.epoch);
        self.record_of(now, Kind::Flush, key);
        let session = &mut self.sessions[key];
        let Side::Subscribe(subscribing) = &mut session.side else {
            return;
        };
        let mut out = Outlet {
            now,
            wall: moment.wall,
            send_time: moment.send_time,
            path,
            sink,
            header: &mut self.header,
            packets: 0,
            bytes: 0,
            repaired: 0,
        };
        let egress = &mut subscribing.egress;
        let Ok(flushed) = contained(|| egress.flush(&mut out)) else {
            let transport = session.belongs.transport;
            return self.doomed.push((transport, CloseReason::Panic));
        };
        session.stats.packets_out += out.packets;
        session.stats.bytes_out += out.bytes;
        self.counters.packets_out += out.packets;
        self.counters.bytes_out += out.bytes;
        self.counters.retransmitted += out.repaired;
        self.counters.drop_queue += std::mem::take(&mut egress.dropped);
        if let Some(at) = flushed.next
            && session.paced.is_none_or(|paced| at < paced)
        {
            session.paced = Some(at);
            let transport = session.belongs.transport.0;
            self.timers.arm(at, Reason::Pacer, transport);
        }
        for stream in flushed.broken {
            self.mend(key, stream, now);
        }
    }

    /// A stream has lost its queue: its subscriber starts anew at a key frame.
    fn mend(&mut self, key: usize, stream: usize, now: Instant) {
        let Side::Subscribe(subscribing) = &self.sessions[key].side else {
            return;
        };
        let line = subscribing.line_of(stream);
        if let Some(place) = line.and_then(|line| line.subscriber) {
            self.subscribers[place].selector.interrupt();
            self.note_subscriber(place, now, Decision::QueueDropped {});
            self.want_key_frames(self.subscribers[place].publisher, now);
        }
    }

    /// The moment has come that a session's egress waited for.
    pub(crate) fn egress_timer(&mut self, key: usize, now: Instant) {
        let session = &mut self.sessions[key];
        let Side::Subscribe(subscribing) = &mut session.side else {
            return;
        };
        let egress = &mut subscribing.egress;
        match contained(|| egress.handle_timeout(now)) {
            Ok(()) => {
                self.mark_sending(key);
                self.note_estimate(key, now);
                self.review_estimate(key, now);
            }
            Err(Panicked) => {
                let transport = session.belongs.transport;
                self.doomed.push((transport, CloseReason::Panic));
            }
        }
    }
}

/// Longest time between polls when there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(60);
