//! Commands: from a value to a reply, one `match`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::Candidate;
use str0m::media::Mid;

use crate::codec;
use crate::command::{Command, RouterOptions, TransportOptions};
use crate::egress::Egress;
use crate::error::Error;
use crate::event::{CloseReason, Event, Reply};
use crate::ids::{
    ObjectId, PublisherId, RecordingTrackId, RequestId, RouterId, SubscriberId, TransportId,
};
use crate::publisher::{Origin, Publisher, Source};
use crate::relay::RelayMessage;
use crate::rewrite::Rewriter;
use crate::router::Router;
use crate::sfu::Sfu;
use crate::slots::Opening;
use crate::speakers::Speakers;
use crate::timer::Reason;
use crate::transport::recording::{REPORT_INTERVAL, RecordingTrack, RecordingTransport, Tap, Way};
use crate::transport::webrtc::{Publishing, Recipe, Session, Side, Subscribing};
use crate::transport::{Belongs, Transport};

impl Sfu {
    /// Carries a command out. Its reply comes as [`Event::Reply`] from [`Sfu::poll`].
    /// One that takes a track of another media thread is answered when that thread has.
    pub fn command(&mut self, now: Instant, request: RequestId, command: Command) {
        self.record_command(now, request, &command);
        if let Some(command) = self.park(now, request, command) {
            self.carry_out(now, request, command);
        }
    }

    pub(crate) fn carry_out(&mut self, now: Instant, request: RequestId, command: Command) {
        let transport = transport_of(&command);
        let outcome = catch_unwind(AssertUnwindSafe(|| self.execute(now, command)));
        let result = outcome.unwrap_or_else(|_| {
            // Our own code broke while it worked on this transport.
            self.doomed
                .extend(transport.map(|id| (id, CloseReason::Panic)));
            Err(Error::NotFound { what: "transport" })
        });
        self.emit(Event::Reply { request, result });
        self.reap(now);
    }

    fn execute(&mut self, now: Instant, command: Command) -> Result<Reply, Error> {
        self.refuse_duplicates(&command)?;
        match command {
            Command::CreateRouter { router, options } => {
                self.add_router(router, router, options);
                Ok(Reply::Done)
            }
            Command::CreateBranch {
                router,
                home,
                options,
            } => {
                self.add_router(router, home, options);
                Ok(Reply::Done)
            }
            Command::CloseRouter { router } => {
                self.router(router)?;
                self.close_router(router, CloseReason::Requested, now);
                Ok(Reply::Done)
            }
            Command::SetAudioLevels { router, interval } => {
                self.set_audio_levels(router, interval, now)
            }
            Command::CreatePublishTransport {
                router,
                transport,
                options,
            } => {
                let side = Side::Publish(Publishing::default());
                self.create_session(Belongs { transport, router }, side, options, now)
            }
            Command::CreateSubscribeTransport {
                router,
                transport,
                options,
            } => {
                let cname = format!("{:016x}", transport.0);
                let side = Side::Subscribe(Box::new(Subscribing::new(Egress::new(cname, now))));
                self.create_session(Belongs { transport, router }, side, options, now)
            }
            Command::CreateRecordingTransport {
                router,
                transport,
                remote: _,
            } => {
                self.router(router)?.transports.push(transport);
                let belongs = Belongs { transport, router };
                let recording = RecordingTransport {
                    belongs,
                    tracks: Vec::new(),
                };
                self.transports
                    .insert(transport, Transport::Recording(recording));
                Ok(Reply::Done)
            }
            Command::CreatePlainTransport {
                router,
                transport,
                options,
            } => self.create_plain_transport(Belongs { transport, router }, &options),
            Command::ConnectPlainTransport {
                transport,
                remote,
                rtcp_remote,
                keys,
            } => self.connect_plain_transport(transport, (remote, rtcp_remote), keys),
            Command::Produce {
                transport,
                publisher,
                kind,
                parameters,
            } => self.produce(transport, publisher, kind, parameters),
            Command::Consume {
                transport,
                track,
                publisher,
                paused,
            } => self.consume(transport, track, publisher, paused, now),
            Command::SetTrackPaused { track, paused } => self.pause_track(track, paused, now),
            Command::SetTrackPreferences { track, preferences } => {
                let key = self.recording_key(track)?;
                self.recordings[key].selector.set_preferences(preferences);
                let publisher = self.recordings[key].publisher;
                self.recordings[key]
                    .selector
                    .update(&self.publishers[publisher].encodings);
                if let Some(encoding) = self.recordings[key].selector.awaited() {
                    self.want_key_frame(publisher, encoding, now);
                }
                Ok(Reply::Done)
            }
            Command::CloseTransport { transport } => {
                self.transports
                    .get(&transport)
                    .ok_or(Error::NotFound { what: "transport" })?;
                self.close_transport(transport, CloseReason::Requested, now);
                Ok(Reply::Done)
            }
            Command::DescribeTransport { transport } => self.describe(transport),
            Command::SetFingerprint {
                transport,
                fingerprint,
            } => self.set_fingerprint(transport, &fingerprint),
            Command::RenewIce { transport } => self.renew_ice(transport),
            Command::AcceptOffer { transport, sdp } => self.accept_offer(transport, &sdp, now),
            Command::CreateOffer {
                transport,
                ice_restart,
            } => self.create_offer(transport, ice_restart),
            Command::AcceptAnswer { transport, sdp } => self.accept_answer(transport, &sdp, now),
            Command::RollbackOffer { transport } => self.rollback_offer(transport),
            Command::AddCandidate {
                transport,
                candidate,
            } => self.add_candidate(transport, &candidate),
            Command::Publish {
                transport,
                publisher,
                mid,
            } => self.publish(transport, publisher, mid),
            Command::SetPublisherPaused { publisher, paused } => {
                self.pause_publisher(publisher, paused, now)
            }
            Command::RequestKeyFrame { publisher } => {
                let key = self.publisher_key(publisher)?;
                self.want_key_frames(key, now);
                Ok(Reply::Done)
            }
            Command::ClosePublisher { publisher } => {
                let key = self.publisher_key(publisher)?;
                self.close_publisher(key, CloseReason::Requested, now);
                Ok(Reply::Done)
            }
            Command::Subscribe { transport, items } => self.subscribe(transport, &items),
            Command::Attach {
                transport,
                subscriber,
                publisher,
                mid,
            } => self.attach((transport, mid), subscriber, publisher, now),
            Command::OpenSlots {
                transport,
                kind,
                slots,
                own,
            } => {
                let opening = Opening {
                    transport,
                    kind,
                    slots,
                    own,
                };
                self.open_slots(opening, now)
            }
            Command::SetOwnTransport { transport, own } => {
                self.set_own_transport(transport, own, now)
            }
            Command::SetSlot {
                subscriber, feed, ..
            } => self.set_slot(subscriber, feed, now),
            Command::SetSubscriberPaused { subscriber, paused } => {
                self.pause_subscriber(subscriber, paused, now)
            }
            Command::SetPreferences {
                subscriber,
                preferences,
            } => {
                let key = self.subscriber_key(subscriber)?;
                self.subscribers[key].selector.set_preferences(preferences);
                self.refresh_selection(key, now);
                self.want_allocation(self.subscribers[key].session, now);
                Ok(Reply::Done)
            }
            Command::SetShare { share } => {
                self.share = share.clamp(0.0, 1.0);
                Ok(Reply::Done) // every allocation is renewed within a second
            }
            Command::SetMaxBitrate { transport, bitrate } => {
                let key = self.session_key(transport)?;
                self.sessions[key].subscribing()?;
                self.sessions[key].options.max_bitrate = bitrate;
                self.want_allocation(key, now);
                Ok(Reply::Done)
            }
            Command::SetPublisherContent { publisher, content } => {
                let key = self.publisher_key(publisher)?;
                self.publishers[key].content = content;
                let track = ObjectId::Publisher(publisher);
                self.tell_takers(track, || RelayMessage::Content { publisher, content });
                Ok(Reply::Done)
            }
            Command::CloseSubscriber { subscriber } => {
                let key = self.subscriber_key(subscriber)?;
                self.close_subscriber(key, CloseReason::Requested);
                Ok(Reply::Done)
            }
            Command::PublishData {
                transport,
                data_publisher,
                label,
                stream: None,
            } => self.publish_data(transport, data_publisher, label),
            Command::PublishData {
                transport,
                data_publisher,
                label,
                stream: Some(stream),
            } => self.publish_stream(transport, data_publisher, label, stream),
            Command::SubscribeData {
                transport,
                data_subscriber,
                data_publisher,
                stream,
            } => self.subscribe_data((transport, stream), data_subscriber, data_publisher),
            Command::SetDataTap {
                data_publisher,
                tapped,
            } => {
                let publisher = self.data_publishers.get_mut(&data_publisher);
                publisher
                    .ok_or(Error::NotFound {
                        what: "data publisher",
                    })?
                    .tapped = tapped;
                Ok(Reply::Done)
            }
            Command::SendData {
                data_publisher,
                binary,
                payload,
            } => self.send_data(data_publisher, binary, &payload),
            Command::CloseDataPublisher { data_publisher } => {
                if !self.data_publishers.contains_key(&data_publisher) {
                    return Err(Error::NotFound {
                        what: "data publisher",
                    });
                }
                self.close_data_publisher(data_publisher, CloseReason::Requested);
                Ok(Reply::Done)
            }
            Command::CloseDataSubscriber { data_subscriber } => {
                if !self.data_subscribers.contains_key(&data_subscriber) {
                    return Err(Error::NotFound {
                        what: "data subscriber",
                    });
                }
                self.close_data_subscriber(data_subscriber, CloseReason::Requested);
                Ok(Reply::Done)
            }
            Command::StartRecording {
                transport,
                track,
                publisher,
                remote,
            } => {
                let key = self.publisher_key(publisher)?;
                let ssrc = self.random.u32();
                let tap = Tap {
                    id: track,
                    transport,
                    publisher: key,
                    way: Way::Recorder { transport, remote },
                    ssrc,
                };
                self.start_recording(tap, now)
            }
            Command::StopRecording { track } => self.stop_recording_command(track, now),
            Command::GetStats { target } => self.stats(target, now).map(Reply::Stats),
            Command::GetJournal { subscriber } => self.journal(subscriber).map(Reply::Journal),
            Command::InjectPanic { transport } => {
                let key = self.session_key(transport)?;
                self.sessions[key].poisoned = true;
                self.mark_dirty(key);
                Ok(Reply::Done)
            }
        }
    }

    fn add_router(&mut self, id: RouterId, home: RouterId, options: RouterOptions) {
        let router = Router {
            options,
            home,
            transports: Vec::new(),
            speakers: Speakers::default(),
            audiences: Vec::new(),
            nobody: [None; 2],
        };
        self.relays.branches += u64::from(home != id);
        self.routers.insert(id, router);
    }

    pub(crate) fn router(&mut self, id: RouterId) -> Result<&mut Router, Error> {
        self.routers
            .get_mut(&id)
            .ok_or(Error::NotFound { what: "router" })
    }

    fn create_session(
        &mut self,
        belongs: Belongs,
        side: Side,
        options: TransportOptions,
        now: Instant,
    ) -> Result<Reply, Error> {
        let router = self
            .routers
            .get_mut(&belongs.router)
            .ok_or(Error::NotFound { what: "router" })?;
        let recipe = Recipe {
            credentials: self.random.ice_credentials(self.config.thread),
            certificate: &self.certificate,
            crypto: match side {
                Side::Publish(_) => &self.crypto,
                Side::Subscribe(_) => &self.withholding,
            },
            candidates: &self.config.candidates,
            tcp_candidates: &self.config.tcp_candidates,
            codecs: &router.options.codecs,
            options,
        };
        let session = Session::new(belongs, side, recipe, now)?;
        router.transports.push(belongs.transport);
        let ufrag = session.credentials[0].ufrag.clone();
        let key = self.sessions.insert(session);
        self.demux.add_ufrag(&ufrag, key);
        self.transports
            .insert(belongs.transport, Transport::WebRtc(key));
        Ok(Reply::Done)
    }

    /// The server is ICE-lite and learns its peers from verified checks; a candidate is looked
    /// at only to tell the caller about a malformed one. mDNS names (`.local`) are fine.
    fn add_candidate(&mut self, id: TransportId, candidate: &str) -> Result<Reply, Error> {
        self.session_key(id)?;
        let line = candidate.trim().trim_start_matches("a=");
        let is_mdns = line
            .split_ascii_whitespace()
            .nth(4)
            .is_some_and(|host| host.ends_with(".local"));
        if line.len() > MAX_CANDIDATE {
            return Err(Error::InvalidCandidate(format!("{} bytes", line.len())));
        }
        if !line.is_empty() && !is_mdns {
            Candidate::from_sdp_string(line).map_err(|e| Error::InvalidCandidate(e.to_string()))?;
        }
        Ok(Reply::Done)
    }

    fn publish(
        &mut self,
        id: TransportId,
        publisher: PublisherId,
        mid: String,
    ) -> Result<Reply, Error> {
        let key = self.session_key(id)?;
        let session = &mut self.sessions[key];
        let publishing = session.publishing()?;
        let track = publishing
            .tracks
            .iter()
            .find(|track| track.mid == mid && track.active)
            .cloned();
        let Some(track) = track else {
            return Err(Error::TrackNotFound(mid));
        };
        let str0m_mid = Mid::from(mid.as_str());
        let taken = publishing.publishers.clone();
        if taken
            .iter()
            .any(|other| self.publishers[*other].mid() == Some(str0m_mid))
        {
            return Err(Error::TrackNotFound(mid));
        }
        let session = &self.sessions[key];
        let accepted = session
            .rtc
            .media(str0m_mid)
            .map(|media| media.remote_pts())
            .unwrap_or_default();
        let params = session.rtc.codec_config().params();
        let codec = accepted
            .iter()
            .find_map(|pt| params.iter().find(|params| params.pt() == *pt))
            .map(codec::info)
            .ok_or_else(|| Error::UnsupportedCodec(format!("any codec of track {mid:?}")))?;
        let origin = Origin {
            id: publisher,
            router: session.belongs.router,
            transport: id,
            source: Source::Session {
                key,
                mid: str0m_mid,
            },
            kind: track.kind,
            rids: track.rids,
        };
        let place = self
            .publishers
            .insert(Publisher::new(origin, codec.clone()));
        self.publisher_keys.insert(publisher, place);
        let publishing = self.sessions[key].publishing()?;
        publishing.publishers.push(place);
        publishing.streams.clear();
        Ok(Reply::Published {
            kind: track.kind,
            codec,
        })
    }

    fn pause_publisher(
        &mut self,
        id: PublisherId,
        paused: bool,
        now: Instant,
    ) -> Result<Reply, Error> {
        let key = self.publisher_key(id)?;
        if self.publishers[key].paused != paused {
            self.set_publisher_paused(key, paused, now);
            let object = ObjectId::Publisher(id);
            self.tell_takers(object, || RelayMessage::Paused {
                publisher: id,
                paused,
            });
            self.emit(Event::Paused { object, paused });
        }
        Ok(Reply::Done)
    }

    pub(crate) fn set_publisher_paused(&mut self, key: usize, paused: bool, now: Instant) {
        let publisher = &mut self.publishers[key];
        publisher.paused = paused;
        for track in &publisher.recordings {
            self.recordings[*track].end_run();
        }
        let recorded = !publisher.recordings.is_empty();
        for subscriber in publisher.subscribers.clone() {
            self.refresh_gate(subscriber, now);
        }
        if recorded && !paused {
            self.want_key_frames(key, now);
        }
    }

    fn pause_subscriber(
        &mut self,
        id: SubscriberId,
        paused: bool,
        now: Instant,
    ) -> Result<Reply, Error> {
        let key = self.subscriber_key(id)?;
        let subscriber = &mut self.subscribers[key];
        if subscriber.paused == paused {
            return Ok(Reply::Done);
        }
        subscriber.paused = paused;
        self.refresh_gate(key, now);
        self.emit(Event::Paused {
            object: ObjectId::Subscriber(id),
            paused,
        });
        Ok(Reply::Done)
    }

    fn start_recording(&mut self, tap: Tap, now: Instant) -> Result<Reply, Error> {
        let publisher = &self.publishers[tap.publisher];
        let (publisher_key, router) = (tap.publisher, publisher.router);
        let recording = match self.transports.get_mut(&tap.transport) {
            Some(Transport::Recording(recording)) => recording,
            Some(Transport::WebRtc(_) | Transport::Plain(_)) => {
                return Err(Error::WrongTransport(
                    "only a recording transport can record",
                ));
            }
            None => return Err(Error::NotFound { what: "transport" }),
        };
        if recording.belongs.router != router {
            return Err(Error::NotFound { what: "publisher" });
        }
        recording.tracks.push(self.recordings.vacant_key());
        self.add_track(tap, now);
        self.want_key_frames(publisher_key, now);
        Ok(Reply::Done)
    }

    /// A track out by plain RTP, which its transport knows already.
    pub(crate) fn add_track(&mut self, tap: Tap, now: Instant) -> usize {
        let (id, publisher) = (tap.id, tap.publisher);
        let rewriter = Rewriter::new(self.random.first_sequence());
        let key = self.recordings.insert(RecordingTrack::new(tap, rewriter));
        self.recording_keys.insert(id, key);
        self.publishers[publisher].recordings.push(key);
        self.timers
            .arm(now + REPORT_INTERVAL, Reason::SenderReport, id.0);
        key
    }

    fn stop_recording_command(
        &mut self,
        id: RecordingTrackId,
        now: Instant,
    ) -> Result<Reply, Error> {
        let key = self.recording_key(id)?;
        self.stop_recording(key, CloseReason::Requested, now);
        Ok(Reply::Done)
    }

    pub(crate) fn recording_key(&self, id: RecordingTrackId) -> Result<usize, Error> {
        let key = self.recording_keys.get(&id).copied();
        key.ok_or(Error::NotFound {
            what: "recording track",
        })
    }
}

/// The transport whose fault a panic in this command would be.
const fn transport_of(command: &Command) -> Option<TransportId> {
    match command {
        Command::DescribeTransport { transport }
        | Command::SetFingerprint { transport, .. }
        | Command::RenewIce { transport }
        | Command::AcceptOffer { transport, .. }
        | Command::CreateOffer { transport, .. }
        | Command::AcceptAnswer { transport, .. }
        | Command::RollbackOffer { transport }
        | Command::AddCandidate { transport, .. }
        | Command::Publish { transport, .. }
        | Command::Subscribe { transport, .. }
        | Command::Attach { transport, .. }
        | Command::OpenSlots { transport, .. }
        | Command::SetSlot { transport, .. }
        | Command::PublishData { transport, .. }
        | Command::SubscribeData { transport, .. }
        | Command::StartRecording { transport, .. }
        | Command::ConnectPlainTransport { transport, .. }
        | Command::Produce { transport, .. }
        | Command::Consume { transport, .. }
        | Command::CloseTransport { transport } => Some(*transport),
        _ => None,
    }
}

/// Bytes of one candidate line.
const MAX_CANDIDATE: usize = 1024;
