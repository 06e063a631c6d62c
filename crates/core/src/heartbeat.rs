//! A sign of life for clients that want to notice a dead path sooner than their browser does.
//!
//! A browser needs seven seconds to say `disconnected`, and media alone tells nothing: in a muted call
//! none flows. So the channel that every server-offered subscribe transport has (unordered, never
//! retransmitted) carries one byte every 250 ms, to those who ask for it:
//!
//! | message of the client | meaning |
//! |---|---|
//! | one byte, `1` (49 or 1) | beat |
//! | anything else | stop |
//!
//! Who does not ask costs nothing; who asks costs one timer entry and four small datagrams a second.
//! Beats of all sessions fall on common moments (`timer`), so that thousands of them wake the thread
//! a hundred times a second and not ten thousand times. A viewer that makes the offers (WHEP) opens
//! the channel itself, under the same name.
//! A beat that would wait behind another is left out: what it would prove is no longer true.

use std::time::{Duration, Instant};

use str0m::channel::ChannelId;

use crate::sfu::Sfu;
use crate::timer::{GRID, Reason};
use crate::transport::webrtc::contained;

/// One session's heartbeat.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    /// The channel on which it was asked for; none while it is off.
    channel: Option<ChannelId>,
    /// When the next beat is due; anything else that fires is stale.
    due: Option<Instant>,
}

impl Sfu {
    /// The client has asked for beats, or has had enough of them.
    pub(crate) fn set_heartbeat(
        &mut self,
        key: usize,
        channel: ChannelId,
        message: &[u8],
        now: Instant,
    ) {
        let wanted = self.config.heartbeats && matches!(message, [1 | b'1']);
        let session = &mut self.sessions[key];
        session.heartbeat.channel = wanted.then_some(channel);
        if !wanted {
            session.heartbeat.due = None;
        } else if session.heartbeat.due.is_none() {
            self.arm_heartbeat(key, now);
        }
    }

    /// A timer fired that was set for `at`.
    pub(crate) fn beat(&mut self, key: usize, at: Instant, now: Instant) {
        let session = &mut self.sessions[key];
        let Some(id) = session.heartbeat.channel else {
            return;
        };
        if session.heartbeat.due != Some(at) {
            return;
        }
        let rtc = &mut session.rtc;
        let sent = contained(|| {
            let mut channel = rtc.channel(id)?;
            let idle = channel.buffered_amount() == 0;
            (idle && channel.write(true, &[BEAT]).ok()?).then_some(())
        });
        if sent.is_ok_and(|sent| sent.is_some()) {
            self.counters.heartbeats += 1;
        }
        self.mark_dirty(key);
        self.arm_heartbeat(key, now);
    }

    fn arm_heartbeat(&mut self, key: usize, now: Instant) {
        let since = now.saturating_duration_since(self.config.epoch.0) + INTERVAL;
        let due =
            now + INTERVAL - Duration::from_nanos((since.as_nanos() % GRID.as_nanos()) as u64);
        let session = &mut self.sessions[key];
        session.heartbeat.due = Some(due);
        let handle = session.belongs.transport.0;
        self.timers.arm(due, Reason::Heartbeat, handle);
    }
}

/// Name of the channel.
pub(crate) const LABEL: &str = "headwater-heartbeat";
const INTERVAL: Duration = Duration::from_millis(250);
const BEAT: u8 = 1;
