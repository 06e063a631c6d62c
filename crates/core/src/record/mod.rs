//! The flight recorder: all that enters decisions, in order, so that they can be taken again.
//!
//! DTLS draws its own randomness, so datagrams cannot be played back. The record is made behind it:
//! commands, opened packets (header, extensions and as much of the payload as anybody reads), opened
//! feedback, connection states, time. [`replay`] feeds them to the same core, with SRTP under keys of
//! zeroes, and compares the decisions. What a frame does inside the core (timers that fire, gates
//! that open) is not in the record; it follows.
//!
//! ```text
//! chunk   thread, length, frames        a length of 0: from here on something is missing
//! frame   length, kind, time, body      time: ns since the frame before, may be negative
//! ```
//!
//! The core only writes frames; the worker takes them ([`Sfu::take_record`]) and has a thread write
//! them to a file. No payload is kept beyond its head, but addresses and descriptions are: a record
//! tells who met whom.

mod relayed;
pub mod replay;
mod sample;
mod values;
pub(crate) mod wire;

use std::time::{Instant, UNIX_EPOCH};

use crate::command::Command;
use crate::event::{CloseReason, ConnectionState};
use crate::ids::{ObjectId, PublisherId, RequestId, TransportId};
use crate::journal::Decision;
use crate::packet::Rtp;
use crate::relay::RelayMessage;
use crate::sfu::Sfu;
use crate::srtp::Profile;
use wire::{Wire, put_block, put_number};

/// Writes frames.
pub(crate) struct Recorder {
    frames: Vec<u8>,
    body: Vec<u8>,
    last: Instant,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A core without anything in it.
    Start,
    Command,
    Relay,
    Packet,
    Feedback,
    /// A subscribe session's egress sends what is due.
    Flush,
    /// The handshake has ended.
    Keys,
    State,
    /// The peer has another address.
    Moved,
    Timeout,
    /// Sessions that ended by themselves are closed, and what they held is looked at.
    Reap,
    Decision,
}

impl Sfu {
    /// Starts to record. Only a core without anything in it can be recorded.
    pub fn record(&mut self, now: Instant) {
        if !self.transports.is_empty() || !self.routers.is_empty() {
            return;
        }
        let wall = self.wall(now).duration_since(UNIX_EPOCH);
        let wall = wall.map_or(0, |wall| wall.as_nanos() as u64);
        let mut recorder = Recorder {
            frames: Vec::new(),
            body: Vec::new(),
            last: now,
        };
        let (thread, seed) = (self.config.thread, self.config.seed);
        recorder.frame(now, Kind::Start, |body| {
            thread.put(body);
            body.extend_from_slice(&seed);
            wall.put(body);
        });
        self.recorder = Some(Box::new(recorder));
    }

    /// The frames since the last call, once they are more than `least` bytes.
    pub fn take_record(&mut self, least: usize) -> Option<Vec<u8>> {
        let recorder = self.recorder.as_mut()?;
        let enough = recorder.frames.len() > least;
        enough.then(|| std::mem::take(&mut recorder.frames))
    }

    /// Ends the record: something of it was lost.
    pub fn stop_record(&mut self) {
        self.recorder = None;
    }

    /// Writes a frame, if there is a recorder.
    pub(crate) fn put_frame(&mut self, now: Instant, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(recorder) = &mut self.recorder {
            recorder.frame(now, kind, write);
        }
    }

    pub(crate) fn record_command(&mut self, now: Instant, request: RequestId, command: &Command) {
        let is_question = matches!(
            command,
            Command::GetStats { .. }
                | Command::GetJournal { .. }
                | Command::DescribeTransport { .. }
                | Command::InjectPanic { .. }
        );
        if !is_question {
            self.put_frame(now, Kind::Command, |body| {
                request.put(body);
                command.put(body);
            });
        }
    }

    pub(crate) fn record_relay(&mut self, now: Instant, from: u16, message: &RelayMessage) {
        if self.recorder.is_some() && message.is_decisive() {
            self.put_frame(now, Kind::Relay, |body| {
                from.put(body);
                message.write(now, body);
            });
        }
    }

    pub(crate) fn record_packet(
        &mut self,
        now: Instant,
        publisher: usize,
        rid: Option<str0m::media::Rid>,
        rtp: &Rtp,
    ) {
        if let Some(recorder) = &mut self.recorder {
            let id: PublisherId = self.publishers[publisher].id;
            recorder.frame(now, Kind::Packet, |body| {
                id.put(body);
                rid.put(body);
                sample::put(rtp, now, body);
            });
        }
    }

    pub(crate) fn record_of(&mut self, now: Instant, kind: Kind, session: usize) {
        if let Some(recorder) = &mut self.recorder {
            let id: TransportId = self.sessions[session].belongs.transport;
            recorder.frame(now, kind, |body| id.put(body));
        }
    }

    pub(crate) fn record_keys(&mut self, now: Instant, session: usize, profile: Profile) {
        if let Some(recorder) = &mut self.recorder {
            let id = self.sessions[session].belongs.transport;
            recorder.frame(now, Kind::Keys, |body| {
                id.put(body);
                profile.put(body);
            });
        }
    }

    pub(crate) fn record_state(&mut self, now: Instant, id: TransportId, state: ConnectionState) {
        self.put_frame(now, Kind::State, |body| {
            id.put(body);
            state.put(body);
        });
    }

    /// `feedback` is a compound packet, opened.
    pub(crate) fn record_feedback(&mut self, now: Instant, id: TransportId, feedback: &[u8]) {
        self.put_frame(now, Kind::Feedback, |body| {
            id.put(body);
            put_block(feedback, body);
        });
    }

    pub(crate) fn record_reap(&mut self, now: Instant) {
        if let Some(recorder) = &mut self.recorder
            && !(self.doomed.is_empty() && self.unreviewed.is_empty())
        {
            let doomed: &Vec<(TransportId, CloseReason)> = &self.doomed;
            recorder.frame(now, Kind::Reap, |body| doomed.put(body));
        }
    }
}

impl Recorder {
    fn frame(&mut self, now: Instant, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        self.body.clear();
        self.body.push(kind as u8);
        let passed = match now.checked_duration_since(self.last) {
            Some(passed) => (passed.as_nanos() as u64) << 1,
            None => (self.last.duration_since(now).as_nanos() as u64) << 1 | 1,
        };
        put_number(passed, &mut self.body);
        write(&mut self.body);
        put_block(&self.body, &mut self.frames);
        self.last = now;
    }

    pub(crate) fn decision(&mut self, now: Instant, owner: ObjectId, decision: &Decision) {
        self.frame(now, Kind::Decision, |body| {
            owner.put(body);
            decision.put(body);
        });
    }
}

impl Kind {
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Start,
            1 => Self::Command,
            2 => Self::Relay,
            3 => Self::Packet,
            4 => Self::Feedback,
            5 => Self::Flush,
            6 => Self::Keys,
            7 => Self::State,
            8 => Self::Moved,
            9 => Self::Timeout,
            10 => Self::Reap,
            11 => Self::Decision,
            _ => return None,
        })
    }
}

/// What a file begins with.
pub fn preamble() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes
}

/// What stands before the frames of a thread. Without frames: from here on something is missing.
pub fn chunk(thread: u16, frames: &[u8]) -> [u8; 6] {
    let mut head = [0; 6];
    head[..2].copy_from_slice(&thread.to_le_bytes());
    head[2..].copy_from_slice(&(frames.len() as u32).to_le_bytes());
    head
}

const MAGIC: &[u8; 8] = b"HWrecord";
/// The format of a record; replays read this one only.
const VERSION: u16 = 2;
