//! A router, and the heart of everything: the fan-out of one packet to all its subscribers.
//!
//! A packet is opened and parsed once. Per subscriber only the header is new: the payload is
//! shared, the numbers are rewritten, and the session queues it for the end of the wake-up.

use std::time::{Duration, Instant};

use str0m::media::Rid;
use str0m::rtp::RtpPacket;

use crate::codec::Format;
use crate::command::RouterOptions;
use crate::event::{CloseReason, Event, TrackKind};
use crate::ids::{RouterId, TransportId};
use crate::journal::Decision;
use crate::packet::{MAX_PAYLOAD, Packet, Rtp};
use crate::publisher::Source;
use crate::sfu::Sfu;
use crate::slots::Audience;
use crate::speakers::Speakers;
use crate::subscriber::{self, Verdict};
use crate::transport::recording::{Way, to_recorder};
use crate::transport::webrtc::{Panicked, Side, contained};

/// Publishers, subscribers and fan-out of one room.
pub(crate) struct Router {
    pub(crate) options: RouterOptions,
    /// Its name on the thread where the room began; its own there.
    pub(crate) home: RouterId,
    pub(crate) transports: Vec<TransportId>,
    pub(crate) speakers: Speakers,
    pub(crate) audiences: Vec<Audience>,
    /// The publishers of empty slots, audio and video.
    pub(crate) nobody: [Option<usize>; 2],
}

impl Sfu {
    /// The fan-out loop.
    fn fan_out(&mut self, place: usize, packet: &Packet<'_>, now: Instant) {
        let publisher = &self.publishers[place];
        let encodings = &publisher.encodings;
        let mut awaited = Awaited::default();
        let mut changes = Vec::new(); // allocates only when there are any
        for &key in &publisher.subscribers {
            let subscriber = &mut self.subscribers[key];
            if !subscriber.open {
                continue;
            }
            let session = &mut self.sessions[subscriber.session];
            let Side::Subscribe(subscribing) = &mut session.side else {
                continue;
            };
            let (rtc, egress) = (&session.rtc, &mut subscribing.egress);
            match contained(|| subscriber.forward(rtc, egress, packet, encodings)) {
                Ok(Verdict::Sent) => {
                    self.counters.forwarded += 1;
                    if !session.dirty {
                        session.dirty = true;
                        self.dirty.push_back(subscriber.session);
                    }
                }
                Ok(Verdict::Dropped) => self.counters.drop_gated += 1,
                Err(Panicked) => {
                    subscriber.open = false;
                    self.doomed
                        .push((session.belongs.transport, CloseReason::Panic));
                }
            }
            awaited.add(subscriber.selector.awaited());
            changes.extend(subscriber.take_turn().map(|turn| (key, turn)));
        }
        for &key in publisher.recordings.iter().filter(|_| !publisher.paused) {
            let track = &mut self.recordings[key];
            if track.paused {
                continue;
            }
            if let Some(copy) = track.forward(packet, encodings) {
                let transmit = match track.way {
                    Way::Recorder { transport, remote } => {
                        Some(to_recorder(transport, remote, copy))
                    }
                    Way::Plain(place) => self.plains[place].send_rtp(copy, &mut self.counters),
                };
                self.outputs.extend(transmit.map(crate::Output::Transmit));
            }
            awaited.add(track.selector.awaited());
        }
        if publisher.kind == TrackKind::Video {
            for encoding in awaited.encodings() {
                self.want_key_frame(place, encoding, now);
            }
            for (key, turn) in changes {
                self.note_turn(key, turn, now);
            }
        }
    }

    /// A packet that a publish session has opened and verified.
    pub(crate) fn handle_rtp(&mut self, session_key: usize, rtp: RtpPacket, now: Instant) {
        self.note_incoming(session_key, &rtp, now);
        let Some((key, rid)) = self.publisher_of(session_key, &rtp) else {
            self.counters.drop_unpublished += 1;
            return;
        };
        if rtp.payload.len() > MAX_PAYLOAD {
            self.counters.drop_oversized += 1;
            return;
        }
        let Some(format) = self.format_of(key, *rtp.header.payload_type) else {
            self.counters.drop_unpublished += 1;
            return;
        };
        let rtp = Rtp::from(rtp);
        self.record_packet(now, key, rid, &rtp);
        self.relay_packet(key, &rtp, rid, &format);
        self.hear_voice(key, &rtp, now);
        self.take_packet(key, &rtp, rid, format, now);
    }

    /// A publisher's packet, from its session or by relay: to all who take it here.
    pub(crate) fn take_packet(
        &mut self,
        key: usize,
        rtp: &Rtp,
        rid: Option<Rid>,
        format: Format,
        now: Instant,
    ) {
        let publisher = &mut self.publishers[key];
        let generation = publisher.encodings.generation();
        let Some(packet) = publisher.handle_packet(rtp, rid, format, now) else {
            self.counters.drop_unpublished += 1;
            return;
        };
        let answered = publisher.answered.take();
        // Packets of the former codec may come late; a change is real at its first key frame.
        let changed = packet.keyframe && publisher.codec.payload_type != format.primary;
        if !publisher.active || changed {
            self.adopt_codec(key, &format, now);
        }
        self.announce_codec(key, now);
        let publisher = &mut self.publishers[key];
        let awakes = std::mem::take(&mut publisher.resting);
        if awakes || publisher.encodings.generation() != generation {
            self.layers_changed(key, now);
        }
        if let Some(encoding) = answered {
            self.note_publisher(key, now, Decision::KeyFrameArrived { encoding });
        }
        self.fan_out(key, &packet, now);
    }

    /// This is what the publisher really sends. Subscribers that cannot take it close: they would
    /// wait for ever.
    fn adopt_codec(&mut self, key: usize, format: &Format, now: Instant) {
        let publisher = &mut self.publishers[key];
        publisher.active = true;
        publisher.codec = format.info();
        if let Source::Relayed(track) = &mut publisher.source {
            track.format = Some(*format);
        }
        let subscribers = self.publishers[key].subscribers.clone();
        for subscriber in subscribers {
            if self.can_take(subscriber, format) {
                continue;
            }
            if self.subscribers[subscriber].feed.is_some() {
                self.bind(subscriber, None, now);
            } else {
                self.close_subscriber(subscriber, CloseReason::UnsupportedCodec);
            }
        }
    }

    /// Tells what a publisher sends: at once what it begins with, and a change; of one that goes
    /// back and forth now and then what it sends by then. A relayed one's own thread tells.
    fn announce_codec(&mut self, key: usize, now: Instant) {
        let publisher = &mut self.publishers[key];
        let payload_type = publisher.codec.payload_type;
        let changed = match publisher.announced {
            None => None,
            Some((told, _)) if told == payload_type => return,
            Some((_, Some(last))) if now < last + CODEC_INTERVAL => return,
            Some(_) => Some(now),
        };
        publisher.announced = Some((payload_type, changed));
        if let Source::Session { .. } | Source::Plain { .. } = publisher.source {
            let event = Event::PublisherActive {
                publisher: publisher.id,
                codec: publisher.codec.clone(),
            };
            self.emit(event);
        }
    }

    pub(crate) fn can_take(&self, key: usize, format: &Format) -> bool {
        let subscriber = &self.subscribers[key];
        // Without a stream its answer is yet to come, and will be held against the codec then.
        let (Some(mid), Some(_)) = (subscriber.mid, subscriber.stream) else {
            return true;
        };
        let rtc = &self.sessions[subscriber.session].rtc;
        subscriber::fit(rtc, mid, format).is_some()
    }

    /// The publisher that an SSRC feeds. Asks str0m once per SSRC.
    fn publisher_of(
        &mut self,
        session_key: usize,
        rtp: &RtpPacket,
    ) -> Option<(usize, Option<Rid>)> {
        let session = &mut self.sessions[session_key];
        let ssrc = rtp.header.ssrc;
        let Side::Publish(publishing) = &mut session.side else {
            return None;
        };
        if let Some(stream) = publishing.streams.get(&ssrc) {
            return stream.publisher.map(|key| (key, stream.rid));
        }
        let mut direct = session.rtc.direct_api();
        let stream = direct.stream_rx(&ssrc)?;
        let by_ssrc = publishing.by_ssrc.iter().find(|(known, _)| *known == ssrc);
        let rid = stream.rid().or(by_ssrc.map(|(_, place)| *place));
        let mid = stream.mid();
        // str0m asks again for video alone. Our answers say that we ask for sound too.
        stream.suppress_nack(false);
        let publisher = publishing
            .publishers
            .iter()
            .copied()
            .find(|key| self.publishers[*key].mid() == Some(mid));
        if publishing.streams.len() >= MAX_STREAMS {
            publishing.streams.clear(); // a peer that changes its SSRCs all the time
        }
        publishing
            .streams
            .insert(ssrc, crate::transport::webrtc::Stream { publisher, rid });
        publisher.map(|key| (key, rid))
    }

    /// What a publisher sends, as far as is known: its packets' format, else its client's
    /// preference.
    pub(crate) fn format_in_use(&self, publisher: usize) -> Option<Format> {
        let publisher = &self.publishers[publisher];
        match &publisher.source {
            Source::Session { key, .. } => {
                let params = self.sessions[*key].rtc.codec_config().params();
                Format::find(params, publisher.codec.payload_type)
            }
            Source::Relayed(track) => track.format,
            Source::Plain { input, .. } => Some(input.format),
            Source::Nobody => None,
        }
    }

    pub(crate) fn format_of(&mut self, key: usize, payload_type: u8) -> Option<Format> {
        let publisher = &mut self.publishers[key];
        if let Some(format) = publisher.format(payload_type) {
            return Some(format);
        }
        if let Source::Plain { input, .. } = &publisher.source {
            let format = input.format;
            return (format.payload_type == payload_type).then_some(format);
        }
        let params = self.sessions[publisher.session()?]
            .rtc
            .codec_config()
            .params();
        let format = Format::find(params, payload_type)?;
        let is_audio = format.spec.codec.is_audio();
        if is_audio != (publisher.kind == TrackKind::Audio) {
            return None;
        }
        publisher.set_format(format);
        Some(format)
    }
}

/// The encodings of one publisher whose key frames somebody waits for.
#[derive(Clone, Copy, Default)]
struct Awaited(u8);

impl Awaited {
    fn add(&mut self, encoding: Option<u8>) {
        self.0 |= encoding.map_or(0, |encoding| 1 << (encoding & 7));
    }

    fn encodings(self) -> impl Iterator<Item = u8> {
        (0..8).filter(move |encoding| self.0 >> encoding & 1 == 1)
    }
}

/// The least time between two changes of a publisher's codec that are told.
const CODEC_INTERVAL: Duration = Duration::from_secs(1);
/// SSRCs remembered per publish session.
const MAX_STREAMS: usize = 64;
