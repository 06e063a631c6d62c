//! Is the peer of a session still there?
//!
//! ```text
//! New ──first check──► Connecting ──ICE and DTLS up──► Connected ◄──► Disconnected
//! ```
//!
//! Each state but `Failed` has a moment at which it ends when nothing verified is heard; one timer
//! per session waits for it. `Failed` closes the transport.

use std::time::Instant;

use crate::event::{CloseReason, ConnectionState, Event};
use crate::sfu::Sfu;
use crate::timer::{self, Reason};

impl Sfu {
    /// A verified sign of the peer.
    pub(crate) fn hear(&mut self, key: usize, now: Instant) {
        let session = &mut self.sessions[key];
        session.heard = now;
        match session.state {
            ConnectionState::New => {
                session.approached = Some(now);
                self.set_state(key, ConnectionState::Connecting, now);
            }
            ConnectionState::Disconnected => self.set_state(key, ConnectionState::Connected, now),
            _ => {}
        }
    }

    pub(crate) fn set_state(&mut self, key: usize, state: ConnectionState, now: Instant) {
        let session = &mut self.sessions[key];
        if session.state != state {
            session.state = state;
            let transport = session.belongs.transport;
            self.emit(Event::ConnectionState { transport, state });
            self.record_state(now, transport, state);
            self.watch(key, now);
        }
    }

    /// Arms the liveness timer for the next moment at which something could be amiss.
    pub(crate) fn watch(&mut self, key: usize, now: Instant) {
        let session = &self.sessions[key];
        let at = match session.state {
            ConnectionState::New | ConnectionState::Connecting => match session.coming_since() {
                Some(since) => since + session.options.failed_timeout,
                None => return,
            },
            ConnectionState::Connected => session.heard + session.options.disconnected_timeout,
            ConnectionState::Disconnected => session.heard + session.options.failed_timeout,
            ConnectionState::Failed => return,
        };
        let at = timer::common(at.max(now), now, self.config.epoch.0);
        let session = &mut self.sessions[key];
        // One chain of timers per session: a later moment is found when the earlier one fires.
        if session.watched.is_none_or(|watched| at < watched) {
            session.watched = Some(at);
            let handle = session.belongs.transport.0;
            self.timers.arm(at, Reason::Liveness, handle);
        }
    }

    pub(crate) fn check_liveness(&mut self, key: usize, now: Instant) {
        let session = &self.sessions[key];
        let silent = now.saturating_duration_since(session.heard);
        let transport = session.belongs.transport;
        let options = session.options;
        match session.state {
            ConnectionState::New | ConnectionState::Connecting => {
                let waited = session
                    .coming_since()
                    .map(|at| now.saturating_duration_since(at));
                if waited.is_some_and(|waited| waited >= options.failed_timeout) {
                    self.set_state(key, ConnectionState::Failed, now);
                    self.doomed.push((transport, CloseReason::ConnectionFailed));
                    return;
                }
            }
            _ if silent >= options.failed_timeout => {
                self.set_state(key, ConnectionState::Failed, now);
                self.doomed.push((transport, CloseReason::ConnectionFailed));
                return;
            }
            ConnectionState::Connected if silent >= options.disconnected_timeout => {
                self.set_state(key, ConnectionState::Disconnected, now);
                self.judge_lost(key);
            }
            _ => {}
        }
        self.watch(key, now);
    }
}
