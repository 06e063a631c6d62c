//! The relay: one room on several media threads.
//!
//! A publisher lives on the thread of its transport. Where a subscriber sits on another thread,
//! that thread holds a *relayed track*: a publisher of the same handle whose packets come from a
//! sibling and not from a session. It is made with the first taker there and ends with the last,
//! so each packet crosses once per thread, and the fan-out happens where the takers are.
//!
//! The giver is the thread where the track arrives, the taker the one that asked for it:
//!
//! ```text
//! taker                                 giver
//! Open { track, router } ──────────────►        is it a track of that room?
//!       ◄────────────── Opened | Refused        what it is: kind, codec, paused
//!       ◄─── Packet, Message, Paused, …         as they come, in order
//! KeyFrame, Wanted ────────────────────►        coalesced at both ends
//! Close ───────────────────────────────►        nobody here takes it any more
//!       ◄──────────────────────── Closed        it has ended
//! ```
//!
//! A command that names a track of another thread waits for `Opened`, and all commands behind it
//! wait with it, so that their order stays; a sibling that does not answer costs [`PATIENCE`].
//! `Voices` goes from a branch to its home, `Ranking` back (`speakers`). `Reset` says that a thread has lost all its state. Messages between two threads keep their
//! order; packets and data messages may be dropped on the way, the others never.
//!
//! Payloads are copied once per thread: a count that two threads share would cost every one of
//! their subscribers more than the copy.

mod giving;
mod taking;

use std::time::{Duration, Instant};

use str0m::channel::ChannelConfig;
use str0m::media::Rid;

pub(crate) use taking::{RelayedTrack, Relays};

use crate::Output;
use crate::codec::Format;
use crate::event::{CodecInfo, TrackKind};
use crate::ids::{DataPublisherId, ObjectId, PublisherId, RouterId, TransportId};
use crate::layer::{Content, Layer};
use crate::packet::Rtp;
use crate::sfu::Sfu;
pub use crate::speakers::{Ranking, Voices};
use crate::transport::webrtc::{Panicked, contained};

/// What one media thread tells another. `track` is a publisher or a data publisher.
#[derive(Debug)]
pub enum RelayMessage {
    /// Feed this track to me.
    Open {
        /// Which.
        track: ObjectId,
        /// The home router of the room that the taker has; the track must be of the same.
        router: RouterId,
    },
    /// You get it from now on.
    Opened {
        /// Which.
        track: ObjectId,
        /// What it is.
        facts: Box<Facts>,
    },
    /// There is no such track in that room.
    Refused {
        /// Which.
        track: ObjectId,
    },
    /// Nobody takes it here any more.
    Close {
        /// Which.
        track: ObjectId,
    },
    /// It has closed.
    Closed {
        /// Which.
        track: ObjectId,
    },
    /// A packet of a publisher.
    Packet(Box<RelayedPacket>),
    /// A message of a data publisher.
    Message(RelayedMessage),
    /// Someone here needs a key frame.
    KeyFrame {
        /// Of which publisher.
        publisher: PublisherId,
        /// Of which of its encodings.
        rid: Option<Rid>,
    },
    /// What anybody here has use for, of a publisher; all of it until this is said.
    Wanted {
        /// Of which publisher.
        publisher: PublisherId,
        /// The highest layer.
        layer: Layer,
    },
    /// What it shows.
    Content {
        /// Which.
        publisher: PublisherId,
        /// What.
        content: Content,
    },
    /// It was paused or resumed.
    Paused {
        /// Which.
        publisher: PublisherId,
        /// True when it forwards nothing.
        paused: bool,
    },
    /// Its client has opened the channel.
    Channel {
        /// Which.
        data_publisher: DataPublisherId,
        /// Label, order and reliability.
        config: Box<ChannelConfig>,
    },
    /// Who makes sound in a branch, for its home.
    Voices(Box<Voices>),
    /// Who is to fill the slots of a branch, from its home.
    Ranking {
        /// The branch.
        branch: RouterId,
        /// The loudest first.
        ranking: Box<Ranking>,
    },
    /// All state of this thread is lost.
    Reset,
}

/// What a taker must know of a track before its first packet.
#[derive(Debug)]
pub struct Facts(pub(crate) Kind);

/// See [`Facts`].
#[derive(Debug)]
pub(crate) enum Kind {
    Media(MediaFacts),
    Data {
        label: String,
        config: Option<ChannelConfig>,
    },
}

/// See [`Facts`].
#[derive(Debug)]
pub(crate) struct MediaFacts {
    pub(crate) transport: TransportId,
    pub(crate) kind: TrackKind,
    pub(crate) codec: CodecInfo,
    pub(crate) format: Option<Format>,
    pub(crate) paused: bool,
    pub(crate) content: Content,
    pub(crate) rids: Vec<String>,
}

/// An opened packet on its way to another thread.
#[derive(Debug)]
pub struct RelayedPacket {
    pub(crate) publisher: PublisherId,
    pub(crate) rtp: Rtp,
    pub(crate) rid: Option<Rid>,
    pub(crate) format: Format,
}

/// A data channel message on its way to another thread.
#[derive(Debug)]
pub struct RelayedMessage {
    data_publisher: DataPublisherId,
    binary: bool,
    payload: Vec<u8>,
}

impl RelayMessage {
    /// Whether it may be dropped when a thread cannot keep up. The rest is state.
    pub const fn is_droppable(&self) -> bool {
        matches!(
            self,
            Self::Packet(_) | Self::Message(_) | Self::Voices(_) | Self::Ranking { .. }
        )
    }

    /// Bytes of payload in it.
    pub fn size(&self) -> usize {
        match self {
            Self::Packet(packet) => packet.rtp.payload.len(),
            Self::Message(message) => message.payload.len(),
            _ => 0,
        }
    }

    /// The track it is about; `Reset` is about all.
    fn track(&self) -> Option<ObjectId> {
        match self {
            Self::Open { track, .. }
            | Self::Opened { track, .. }
            | Self::Refused { track }
            | Self::Close { track }
            | Self::Closed { track } => Some(*track),
            Self::Packet(packet) => Some(ObjectId::Publisher(packet.publisher)),
            Self::KeyFrame { publisher, .. }
            | Self::Wanted { publisher, .. }
            | Self::Content { publisher, .. }
            | Self::Paused { publisher, .. } => Some(ObjectId::Publisher(*publisher)),
            Self::Message(message) => Some(ObjectId::DataPublisher(message.data_publisher)),
            Self::Channel { data_publisher, .. } => Some(ObjectId::DataPublisher(*data_publisher)),
            Self::Voices(_) | Self::Ranking { .. } | Self::Reset => None,
        }
    }
}

impl Sfu {
    /// Takes what another media thread has to say. A panic here costs the track, not the thread.
    pub fn relay(&mut self, now: Instant, from: u16, message: RelayMessage) {
        self.record_relay(now, from, &message);
        let track = message.track();
        if let Err(Panicked) = contained(|| self.take_relay_message(now, from, message)) {
            self.counters.panics += 1;
            if let Some(track) = track.filter(|track| self.takes(*track, from)) {
                self.end_relayed(track, now);
                self.tell(from, RelayMessage::Close { track });
            }
        }
        self.reap(now);
    }

    fn take_relay_message(&mut self, now: Instant, from: u16, message: RelayMessage) {
        match message {
            RelayMessage::Open { track, router } => self.give(from, track, router),
            RelayMessage::Close { track } => self.give_no_more(from, track),
            RelayMessage::KeyFrame { publisher, rid } => {
                self.give_key_frame(from, publisher, rid, now);
            }
            RelayMessage::Wanted { publisher, layer } => self.give_layers(from, publisher, layer),
            RelayMessage::Opened { track, facts } => self.opened(from, track, *facts, now),
            RelayMessage::Refused { track } => self.answered(track, now),
            RelayMessage::Voices(voices) => self.take_voices(*voices, now),
            RelayMessage::Ranking { branch, ranking } => {
                self.take_ranking(branch, *ranking, now);
            }
            RelayMessage::Reset => self.forget_thread(from, now),
            about if !about.track().is_some_and(|track| self.takes(track, from)) => {
                // Under way while the last taker left.
                self.counters.relay_unclaimed += u64::from(about.is_droppable());
            }
            RelayMessage::Closed { track } => self.end_relayed(track, now),
            RelayMessage::Packet(packet) => self.take_relayed_packet(*packet, now),
            RelayMessage::Message(message) => {
                let RelayedMessage {
                    data_publisher,
                    binary,
                    payload,
                } = message;
                self.counters.relayed_in += 1;
                self.fan_out_message(data_publisher, binary, &payload);
            }
            RelayMessage::Content { publisher, content } => {
                if let Ok(key) = self.publisher_key(publisher) {
                    self.publishers[key].content = content;
                }
            }
            RelayMessage::Paused { publisher, paused } => {
                if let Ok(key) = self.publisher_key(publisher) {
                    self.set_publisher_paused(key, paused, now);
                }
            }
            RelayMessage::Channel {
                data_publisher,
                config,
            } => self.open_data_publisher(data_publisher, *config),
        }
    }

    pub(crate) fn tell(&mut self, thread: u16, message: RelayMessage) {
        self.outputs.push_back(Output::Relay { thread, message });
    }
}

/// How long a command waits for another media thread.
const PATIENCE: Duration = Duration::from_secs(2);
