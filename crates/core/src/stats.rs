//! Counters: of the thread, and of each object on request.
//!
//! `docs/reference/statistics.md` lists every name with its unit; a test compares.

mod layers;

use std::time::{Duration, Instant};

use str0m::stats::MediaIngressStats;

use crate::command::StatsTarget;
use crate::crypto;
use crate::egress::Heard;
use crate::error::Error;
use crate::event::{StatValue, TrackKind};
use crate::ids::TransportId;
use crate::sfu::Sfu;
use crate::transport::Transport;
use crate::transport::webrtc::Side;

/// Counters of one media thread.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) packets_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) packets_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) forwarded: u64,
    pub(crate) drop_integrity: u64,
    pub(crate) drop_replay: u64,
    pub(crate) drop_unaccepted: u64,
    pub(crate) drop_unpublished: u64,
    pub(crate) drop_no_path: u64,
    pub(crate) drop_oversized: u64,
    pub(crate) drop_gated: u64,
    pub(crate) drop_messages: u64,
    pub(crate) drop_channels: u64,
    pub(crate) path_changes: u64,
    pub(crate) session_errors: u64,
    pub(crate) panics: u64,
    pub(crate) heartbeats: u64,
    pub(crate) timers: u64,
    pub(crate) key_frame_requests: u64,
    pub(crate) plis_received: u64,
    pub(crate) nacks_received: u64,
    pub(crate) retransmitted: u64,
    pub(crate) drop_queue: u64,
    pub(crate) nacks_sent: u64,
    pub(crate) relayed_in: u64,
    pub(crate) relayed_out: u64,
    pub(crate) relay_unclaimed: u64,
    pub(crate) relay_timeouts: u64,
    pub(crate) voice_ticks: u64,
}

type Values = Vec<(&'static str, StatValue)>;

impl Sfu {
    pub(crate) fn all_counters(&self) -> Vec<(&'static str, u64)> {
        let c = &self.counters;
        let (ufrags, addresses, connections) = self.demux.len();
        let routers = self.routers.values();
        let nobody: usize = routers
            .map(|router| router.nobody.iter().flatten().count())
            .sum();
        let nobody = nobody as u64;
        let (relayed, relayed_data) = self.relays.held;
        vec![
            ("packets_in", c.packets_in),
            ("bytes_in", c.bytes_in),
            ("packets_out", c.packets_out),
            ("bytes_out", c.bytes_out),
            ("packets_forwarded", c.forwarded),
            ("drop_integrity", c.drop_integrity),
            ("drop_replay", c.drop_replay),
            ("drop_unaccepted", c.drop_unaccepted),
            ("drop_unpublished", c.drop_unpublished),
            ("drop_no_path", c.drop_no_path),
            ("drop_oversized", c.drop_oversized),
            ("drop_gated", c.drop_gated),
            ("drop_messages", c.drop_messages),
            ("drop_channels", c.drop_channels),
            ("session_errors", c.session_errors),
            ("panics", c.panics),
            ("heartbeats", c.heartbeats),
            ("timers", c.timers),
            ("key_frame_requests", c.key_frame_requests),
            ("plis_received", c.plis_received),
            ("nacks_received", c.nacks_received),
            ("packets_retransmitted", c.retransmitted),
            ("drop_queue", c.drop_queue),
            ("nacks_sent", c.nacks_sent),
            ("relayed_in", c.relayed_in),
            ("relayed_out", c.relayed_out),
            ("relay_unclaimed", c.relay_unclaimed),
            ("relay_timeouts", c.relay_timeouts),
            ("voice_ticks", c.voice_ticks),
            ("relayed_tracks", relayed + relayed_data),
            ("routers", self.routers.len() as u64 - self.relays.branches),
            ("branches", self.relays.branches),
            ("transports", self.transports.len() as u64),
            (
                "publishers",
                self.publishers.len() as u64 - relayed - nobody,
            ),
            ("subscribers", self.subscribers.len() as u64),
            (
                "data_publishers",
                self.data_publishers.len() as u64 - relayed_data,
            ),
            ("data_subscribers", self.data_subscribers.len() as u64),
            ("recording_tracks", self.recordings.len() as u64),
            ("known_ufrags", ufrags as u64),
            ("known_addresses", addresses as u64),
            ("known_connections", connections as u64),
            ("path_changes", c.path_changes),
        ]
    }

    pub(crate) fn stats(&mut self, target: StatsTarget, now: Instant) -> Result<Values, Error> {
        match target {
            StatsTarget::Thread => Ok(self
                .all_counters()
                .into_iter()
                .map(|(name, n)| (name, StatValue::Int(n)))
                .collect()),
            StatsTarget::Transport(id) => self.transport_stats(id, now),
            StatsTarget::Publisher(id) => {
                let key = self.publisher_key(id)?;
                Ok(self.publisher_stats(key, now))
            }
            StatsTarget::Subscriber(id) => {
                let key = self.subscriber_key(id)?;
                Ok(self.subscriber_stats(key))
            }
            StatsTarget::DataPublisher(id) => {
                let p = self.data_publishers.get(&id).ok_or(Error::NotFound {
                    what: "data publisher",
                })?;
                Ok(vec![
                    ("messages", StatValue::Int(p.messages)),
                    ("bytes", StatValue::Int(p.bytes)),
                    ("subscribers", StatValue::Int(p.subscribers.len() as u64)),
                    ("open", StatValue::Int(p.config.is_some().into())),
                ])
            }
            StatsTarget::DataSubscriber(id) => {
                let s = self.data_subscribers.get(&id);
                let s = s.ok_or(Error::NotFound {
                    what: "data subscriber",
                })?;
                Ok(vec![
                    ("messages", StatValue::Int(s.messages)),
                    ("bytes", StatValue::Int(s.bytes)),
                    ("dropped", StatValue::Int(s.dropped)),
                ])
            }
            StatsTarget::RecordingTrack(id) => {
                let key = self.recording_keys.get(&id).ok_or(Error::NotFound {
                    what: "recording track",
                })?;
                Ok(self.recordings[*key].values())
            }
        }
    }

    fn transport_stats(&mut self, id: TransportId, now: Instant) -> Result<Values, Error> {
        let key = match self
            .transports
            .get(&id)
            .ok_or(Error::NotFound { what: "transport" })?
        {
            Transport::Recording(recording) => {
                return Ok(vec![(
                    "tracks",
                    StatValue::Int(recording.tracks.len() as u64),
                )]);
            }
            Transport::Plain(place) => return Ok(self.plains[*place].values()),
            Transport::WebRtc(key) => *key,
        };
        let session = &mut self.sessions[key];
        let mut values = vec![
            ("packets_received", StatValue::Int(session.stats.packets_in)),
            ("bytes_received", StatValue::Int(session.stats.bytes_in)),
            ("packets_sent", StatValue::Int(session.stats.packets_out)),
            ("bytes_sent", StatValue::Int(session.stats.bytes_out)),
            (
                "state",
                StatValue::Text(format!("{:?}", session.state).to_lowercase()),
            ),
            ("addresses", StatValue::Int(session.addresses.len() as u64)),
            (
                "silent_ms",
                StatValue::Float(millis(now.saturating_duration_since(session.heard))),
            ),
        ];
        if let Some(version) = session.rtc.direct_api().dtls_protocol_version() {
            let name = crypto::version_name(version);
            values.push(("dtls_version", StatValue::Text(name.to_owned())));
        }
        if let Some(profile) = session.srtp_profile {
            values.push(("srtp_profile", StatValue::Text(profile.name().to_owned())));
        }
        if let Side::Subscribe(subscribing) = &session.side {
            values.push(("lines", StatValue::Int(subscribing.lines.len() as u64)));
            let egress = &subscribing.egress;
            values.push((
                "available_outgoing_bitrate",
                StatValue::Int(egress.estimator.estimate()),
            ));
            let hold = Some(egress.hold()).filter(|ms| *ms > 0);
            values.extend(hold.map(|ms| ("playout_delay_ms", StatValue::Int(ms.into()))));
            let rtt = egress.round_trip();
            values.extend(rtt.map(|rtt| ("round_trip_time_ms", StatValue::Float(millis(rtt)))));
        }
        if let Side::Publish(publishing) = &session.side {
            let estimate = publishing.remb.as_ref().and_then(|remb| remb.estimate());
            values
                .extend(estimate.map(|rate| ("available_incoming_bitrate", StatValue::Int(rate))));
        }
        let score = session.quality.score();
        values.extend(score.map(|score| ("quality", StatValue::Int(score.into()))));
        if let Some(path) = session.paths.current() {
            let (local, remote) = (path.source.to_string(), path.destination.to_string());
            values.push(("local_address", StatValue::Text(local)));
            values.push(("remote_address", StatValue::Text(remote)));
        }
        if let Some(peer) = &session.stats.peer {
            values.extend(
                peer.rtt
                    .map(|rtt| ("round_trip_time_ms", StatValue::Float(millis(rtt)))),
            );
        }
        Ok(values)
    }

    fn publisher_stats(&self, key: usize, now: Instant) -> Values {
        let publisher = &self.publishers[key];
        let s = &publisher.stats;
        let encodings = &publisher.encodings;
        let mut values = vec![
            ("packets_received", StatValue::Int(s.packets)),
            ("bytes_received", StatValue::Int(s.bytes)),
            ("key_frames", StatValue::Int(s.key_frames)),
            ("key_frame_requests", StatValue::Int(s.key_frame_requests)),
            ("nack_count", StatValue::Int(s.nacks_sent)),
            ("encodings", StatValue::Int(encodings.seen().count() as u64)),
            (
                "subscribers",
                StatValue::Int(publisher.subscribers.len() as u64),
            ),
            ("paused", StatValue::Int(publisher.paused.into())),
            ("codec", StatValue::Text(publisher.codec.mime.clone())),
        ];
        if let Some(encoding) = encodings.largest().and_then(|n| encodings.get(n)) {
            values.push(("bitrate", StatValue::Int(encoding.rate())));
            values.extend(
                encoding
                    .rid
                    .map(|rid| ("rid", StatValue::Text(rid.to_string()))),
            );
        }
        values.extend(layers::sent(encodings));
        values.extend(layers::of(encodings));
        values.extend(
            s.loss
                .map(|loss| ("fraction_lost", StatValue::Float(loss.into()))),
        );
        values.extend(
            s.rtt_ms
                .map(|rtt| ("round_trip_time_ms", StatValue::Float(rtt))),
        );
        let silent = s
            .last_packet
            .map(|at| millis(now.saturating_duration_since(at)));
        values.extend(silent.map(|ms| ("silent_ms", StatValue::Float(ms))));
        values
    }

    fn subscriber_stats(&self, key: usize) -> Values {
        let subscriber = &self.subscribers[key];
        let s = &subscriber.stats;
        let encodings = &self.publishers[subscriber.publisher].encodings;
        let heard = self.heard(subscriber.session, subscriber.stream);
        let mut values = vec![
            ("packets_sent", StatValue::Int(s.packets)),
            ("bytes_sent", StatValue::Int(s.bytes)),
            ("dropped", StatValue::Int(s.dropped)),
            ("pli_count", StatValue::Int(s.plis)),
            ("fir_count", StatValue::Int(s.firs)),
            ("nack_count", StatValue::Int(heard.map_or(0, |h| h.nacks))),
            (
                "retransmitted_packets_sent",
                StatValue::Int(heard.map_or(0, |h| h.retransmitted)),
            ),
            ("switches", StatValue::Int(s.switches)),
            ("paused", StatValue::Int(subscriber.paused.into())),
            ("open", StatValue::Int(subscriber.open.into())),
            (
                "waiting_for_key_frame",
                StatValue::Int(subscriber.is_waiting().into()),
            ),
        ];
        if subscriber.kind == TrackKind::Video {
            values.extend(layers::chosen(&subscriber.selector, encodings));
        }
        values.extend(
            subscriber
                .mid
                .map(|mid| ("mid", StatValue::Text(mid.to_string()))),
        );
        let loss = heard.and_then(|heard| heard.loss);
        let rtt = heard.and_then(|heard| heard.rtt);
        let jitter = heard.and_then(|heard| heard.jitter).map(millis);
        values.extend(jitter.map(|jitter| ("jitter_ms", StatValue::Float(jitter))));
        values.extend(loss.map(|loss| ("fraction_lost", StatValue::Float(loss.into()))));
        values.extend(rtt.map(|rtt| ("round_trip_time_ms", StatValue::Float(millis(rtt)))));
        values
    }

    /// What the peer has said about a stream.
    fn heard(&self, session: usize, stream: Option<usize>) -> Option<&Heard> {
        let Side::Subscribe(subscribing) = &self.sessions[session].side else {
            return None;
        };
        let stream = subscribing.egress.streams.get(stream?)?;
        Some(&stream.heard)
    }

    pub(crate) fn note_ingress(&mut self, key: usize, stats: &MediaIngressStats) {
        let Side::Publish(publishing) = &self.sessions[key].side else {
            return;
        };
        let place = publishing
            .publishers
            .iter()
            .find(|p| self.publishers[**p].mid() == Some(stats.mid));
        let Some(publisher) = place.and_then(|place| self.publishers.get_mut(*place)) else {
            return;
        };
        self.counters.nacks_sent += stats.nacks.saturating_sub(publisher.stats.nacks_sent);
        publisher.stats.nacks_sent = stats.nacks;
        publisher.stats.loss = stats.loss;
        publisher.stats.rtt_ms = stats.rtt.map(millis);
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
