//! One publisher's clock: which packets of its picture and of its sound are due.
//!
//! A picture is a number of packets a second at 30 frames a second: a frame leaves as one burst, or
//! (`spread`) the same packets leave one by one at even distances. A film brings its own packets. Sound is
//! a packet every 20 ms.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::media::MediaKind;

use crate::clients::Clients;
use crate::clock::wall_nanos;
use crate::film::{Film, Showing};
use crate::frame::{self, Position, Stamp};
use crate::peer::{Failure, Outgoing};

/// What a publisher sends.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Video packets of about 1200 bytes, a second.
    pub(crate) rate: u64,
    /// Packets one by one instead of a frame at once.
    pub(crate) spread: bool,
    /// Sound as well.
    pub(crate) audio: bool,
    /// Real pictures and sound, instead of so many packets of filler.
    pub(crate) film: Option<Arc<Film>>,
}

impl Load {
    /// The m-lines of who sends it.
    pub(crate) const fn flows(&self) -> usize {
        if self.audio { FLOWS } else { 1 }
    }
}

/// The publisher and what of its packets has been sent.
pub(crate) struct Source {
    /// The client's place.
    peer: usize,
    load: Load,
    showing: Option<Showing>,
    pub(crate) video: Video,
    pub(crate) audio: Audio,
}

/// Of its picture.
pub(crate) struct Video {
    flow: u32,
    due: Instant,
    frame: u64,
    /// Packets of this frame already sent, and whether it is a key frame.
    position: u64,
    key: bool,
    /// Key frames so far.
    pub(crate) key_frames: u64,
    /// Number of the next packet.
    pub(crate) index: u32,
}

/// Of its sound.
pub(crate) struct Audio {
    flow: u32,
    due: Instant,
    /// Number of the next packet.
    pub(crate) index: u32,
}

impl Source {
    /// The `number`th publisher, the client at `peer`. Its clock begins `phase` after now, so that many
    /// publishers do not send at the same moment.
    pub(crate) fn new(number: usize, peer: usize, load: Load, phase: Duration) -> Self {
        let due = Instant::now() + phase;
        let flow = (number * FLOWS) as u32;
        Self {
            peer,
            showing: load.film.clone().map(Showing::new),
            load,
            video: Video {
                flow,
                due,
                frame: 0,
                position: 0,
                key: false,
                key_frames: 0,
                index: 0,
            },
            audio: Audio {
                flow: flow + 1,
                due,
                index: 0,
            },
        }
    }

    /// When to call [`Source::send`].
    pub(crate) fn due(&self) -> Instant {
        if self.load.audio {
            self.video.due.min(self.audio.due)
        } else {
            self.video.due
        }
    }

    /// Send what is due at `now`.
    pub(crate) fn send(&mut self, clients: &mut Clients, now: Instant) -> Result<(), Failure> {
        if now < self.due() {
            return Ok(());
        }
        let picture = now >= self.video.due;
        let sound = self.load.audio && now >= self.audio.due;
        if picture {
            let interval = if self.load.spread {
                Duration::from_secs(1) / self.load.rate as u32
            } else {
                Duration::from_secs(1) / FRAME_RATE as u32
            };
            next(&mut self.video.due, interval, now);
        }
        if sound {
            next(&mut self.audio.due, SOUND_INTERVAL, now);
        }
        if !clients.peers[self.peer].connected {
            return Ok(());
        }
        if picture && self.showing.is_some() {
            self.shown(clients)?;
        } else if picture {
            let count = if self.load.spread {
                1
            } else {
                self.frame_packets()
            };
            (0..count).try_for_each(|_| self.packet(clients))?;
        }
        if sound {
            self.sound(clients)?;
        }
        clients.peers[self.peer].flush()?;
        clients.touched(self.peer);
        Ok(())
    }

    /// So many that a second has the rate.
    const fn frame_packets(&self) -> u64 {
        let (rate, frame) = (self.load.rate, self.video.frame);
        (frame + 1) * rate / FRAME_RATE - frame * rate / FRAME_RATE
    }

    fn packet(&mut self, clients: &mut Clients) -> Result<(), Failure> {
        let count = self.frame_packets();
        let video = &mut self.video;
        let peer = &mut clients.peers[self.peer];
        let first = video.position == 0;
        if first {
            video.key = std::mem::take(&mut peer.key_frame_wanted);
            video.key_frames += u64::from(video.key);
        }
        let last = video.position + 1 == count;
        let position = Position {
            frame: video.frame,
            first,
            key: video.key,
        };
        let payload = frame::video(position, stamp(video.flow, video.index));
        peer.write(Outgoing {
            kind: MediaKind::Video,
            number: u64::from(video.index),
            time: (video.frame * VIDEO_STEP) as u32,
            marker: last,
            payload,
        })?;
        video.index += 1;
        video.position += 1;
        if last {
            video.frame += 1;
            video.position = 0;
        }
        Ok(())
    }

    /// The next picture of the film.
    fn shown(&mut self, clients: &mut Clients) -> Result<(), Failure> {
        let Some(showing) = &mut self.showing else {
            return Ok(());
        };
        let video = &mut self.video;
        let peer = &mut clients.peers[self.peer];
        let codec = showing.codec();
        let frame = showing.picture(std::mem::take(&mut peer.key_frame_wanted));
        video.key_frames += u64::from(frame.key);
        for (place, bytes) in frame.packets.iter().enumerate() {
            let position = Position {
                frame: video.frame,
                first: place == 0,
                key: frame.key,
            };
            let payload = Showing::payload(codec, position, bytes);
            clients
                .ledger
                .note(&payload, stamp(video.flow, video.index));
            peer.write(Outgoing {
                kind: MediaKind::Video,
                number: u64::from(video.index),
                time: (video.frame * VIDEO_STEP) as u32,
                marker: place + 1 == frame.packets.len(),
                payload,
            })?;
            video.index += 1;
        }
        video.frame += 1;
        Ok(())
    }

    fn sound(&mut self, clients: &mut Clients) -> Result<(), Failure> {
        let audio = &mut self.audio;
        let stamp = stamp(audio.flow, audio.index);
        let payload = match &mut self.showing {
            Some(showing) => {
                let payload = showing.sound();
                clients.ledger.note(&payload, stamp);
                payload
            }
            None => frame::audio(stamp),
        };
        clients.peers[self.peer].write(Outgoing {
            kind: MediaKind::Audio,
            number: u64::from(audio.index),
            time: audio.index.wrapping_mul(SOUND_STEP),
            marker: false,
            payload,
        })?;
        audio.index += 1;
        Ok(())
    }
}

/// Sets a clock on. After a stall it starts anew: a real encoder does not catch up either.
fn next(due: &mut Instant, interval: Duration, now: Instant) {
    *due = if now > *due + STALL {
        now + interval
    } else {
        *due + interval
    };
}

fn stamp(flow: u32, index: u32) -> Stamp {
    Stamp {
        flow,
        index,
        sent: wall_nanos(),
    }
}

/// Flows per publisher: picture and sound.
pub(crate) const FLOWS: usize = 2;
/// Video frames a second.
pub(crate) const FRAME_RATE: u64 = 30;
const VIDEO_STEP: u64 = 90_000 / FRAME_RATE;
const SOUND_INTERVAL: Duration = Duration::from_millis(20);
const SOUND_STEP: u32 = 960;
const STALL: Duration = Duration::from_millis(200);
