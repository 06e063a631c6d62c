//! Data channels: messages in from one client, out to all that take them.
//!
//! A data publisher is a label on a publish transport; the client may open the channel before
//! or after it is published. A data subscriber is a channel that we open to its client with the
//! same label, order and reliability, as soon as those are known and an SCTP m-line is agreed.
//! Messages wait while a channel opens (the client has it open before its acknowledgement is
//! here), within the same bound as those of an open channel. A message that finds no room is
//! dropped and counted, reliable or not: one slow receiver must not hold up memory.

use std::time::Instant;

use str0m::channel::{ChannelConfig, ChannelData, ChannelId, Reliability};

use crate::command::DataStream;
use crate::error::Error;
use crate::event::{CloseReason, Event, Reply};
use crate::heartbeat;
use crate::ids::{DataPublisherId, DataSubscriberId, ObjectId, RouterId, TransportId};
use crate::relay::RelayMessage;
use crate::sfu::Sfu;
use crate::transport::webrtc::{Channel, MAX_MESSAGE, Panicked, Side, contained};

/// One data channel in.
pub(crate) struct DataPublisher {
    /// Its session, unless it is relayed.
    pub(crate) session: Option<usize>,
    pub(crate) router: RouterId,
    pub(crate) label: String,
    /// As the client opened it.
    pub(crate) config: Option<ChannelConfig>,
    pub(crate) tapped: bool,
    pub(crate) subscribers: Vec<DataSubscriberId>,
    /// The media threads that take it by relay.
    pub(crate) relays: Vec<u16>,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl DataPublisher {
    pub(crate) const fn new(
        session: Option<usize>,
        router: RouterId,
        label: String,
        config: Option<ChannelConfig>,
    ) -> Self {
        Self {
            session,
            router,
            label,
            config,
            tapped: false,
            subscribers: Vec::new(),
            relays: Vec::new(),
            messages: 0,
            bytes: 0,
        }
    }
}

/// One data channel out.
pub(crate) struct DataSubscriber {
    pub(crate) session: usize,
    pub(crate) data_publisher: DataPublisherId,
    pub(crate) channel: Option<ChannelId>,
    /// The stream that it is agreed to be.
    pub(crate) stream: Option<u16>,
    /// What came while the channel was opening: binary or text, and the message.
    pub(crate) waiting: Vec<(bool, Vec<u8>)>,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
}

impl DataSubscriber {
    /// Keep a message until the channel is open; false when there is no room.
    fn hold(&mut self, binary: bool, payload: &[u8]) -> bool {
        let held: usize = self.waiting.iter().map(|(_, held)| held.len()).sum();
        let room = held + payload.len() <= MAX_BUFFERED && self.waiting.len() < MAX_WAITING;
        if room {
            self.waiting.push((binary, payload.to_vec()));
        }
        room
    }
}

/// What became of a message to one subscriber.
enum Delivery {
    Sent,
    Held,
    NoRoom,
}

/// The channel that keeps the data m-line of a subscribe transport alive, and beats when its client
/// wants it to.
pub(crate) fn internal() -> ChannelConfig {
    ChannelConfig {
        label: heartbeat::LABEL.to_owned(),
        ordered: false,
        reliability: Reliability::MaxRetransmits { retransmits: 0 },
        ..ChannelConfig::default()
    }
}

impl Sfu {
    pub(crate) fn publish_data(
        &mut self,
        transport: TransportId,
        id: DataPublisherId,
        label: String,
    ) -> Result<Reply, Error> {
        let session_key = self.session_key(transport)?;
        let labels: Vec<_> = self.sessions[session_key]
            .publishing()?
            .data_publishers
            .clone();
        if labels
            .iter()
            .any(|other| self.data_publishers[other].label == label)
        {
            return Err(Error::DataChannelNotFound(label));
        }
        let session = &mut self.sessions[session_key];
        let mut open = None;
        for (channel, what) in &mut session.channels {
            if let Channel::Incoming {
                label: known,
                data_publisher,
                ..
            } = what
                && *known == label
            {
                *data_publisher = Some(id);
                open = Some(*channel);
                break;
            }
        }
        let config = open.and_then(|channel| session.rtc.channel(channel)?.config().cloned());
        session.publishing()?.data_publishers.push(id);
        let router = session.belongs.router;
        let publisher = DataPublisher::new(Some(session_key), router, label, config);
        self.data_publishers.insert(id, publisher);
        Ok(Reply::Done)
    }

    /// A data channel that its client has opened, or will, as a stream that both know.
    pub(crate) fn publish_stream(
        &mut self,
        transport: TransportId,
        id: DataPublisherId,
        label: String,
        stream: DataStream,
    ) -> Result<Reply, Error> {
        let key = self.session_key(transport)?;
        let session = &mut self.sessions[key];
        let (router, count) = (session.belongs.router, session.channels.len());
        if count >= MAX_CHANNELS {
            return Err(Error::Limit {
                what: "data channels of a transport",
                limit: MAX_CHANNELS,
            });
        }
        session.publishing()?;
        let number = Some(stream.id);
        let mut known = session.channels.values();
        let taken =
            known.any(|what| matches!(what, Channel::Incoming { stream, .. } if *stream == number));
        let rtc = &mut session.rtc;
        let config = agreed(label.clone(), stream);
        let created = contained(|| {
            let mut direct = rtc.direct_api();
            let id = config.negotiated.filter(|_| !taken)?;
            let free = direct.channel_id_by_sctp_stream_id(id).is_none();
            free.then(|| direct.create_data_channel(config.clone()))
        });
        let Ok(channel) = created else {
            return Err(self.doom(key));
        };
        let Some(channel) = channel else {
            return Err(Error::DataChannelNotFound(label)); // the stream is another's
        };
        let what = Channel::Incoming {
            label: label.clone(),
            data_publisher: Some(id),
            stream: number,
        };
        let session = &mut self.sessions[key];
        session.channels.insert(channel, what);
        session.publishing()?.data_publishers.push(id);
        let publisher = DataPublisher::new(Some(key), router, label, Some(config));
        self.data_publishers.insert(id, publisher);
        self.mark_dirty(key);
        Ok(Reply::Done)
    }

    /// Closes the agreed streams of a session that nobody publishes any more: what is not said again
    /// by anybody would keep its stream id for ever.
    pub(crate) fn close_streams(&mut self, key: usize) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let rtc = &mut session.rtc;
        let ended = contained(|| {
            session.channels.retain(|channel, what| {
                let ends = matches!(
                    what,
                    Channel::Incoming {
                        data_publisher: None,
                        stream: Some(_),
                        ..
                    }
                );
                if ends {
                    rtc.direct_api().close_data_channel(*channel);
                }
                !ends
            });
        });
        if ended.is_err() {
            self.doom(key);
        } else {
            self.mark_dirty(key);
        }
    }

    pub(crate) fn subscribe_data(
        &mut self,
        (transport, stream): (TransportId, Option<u16>),
        id: DataSubscriberId,
        data_publisher: DataPublisherId,
    ) -> Result<Reply, Error> {
        let session_key = self.session_key(transport)?;
        let publisher = self
            .data_publishers
            .get(&data_publisher)
            .ok_or(Error::NotFound {
                what: "data publisher",
            })?;
        let router = publisher.router;
        let label = publisher.label.clone();
        if router != self.sessions[session_key].belongs.router {
            return Err(Error::NotFound {
                what: "data publisher",
            });
        }
        let subscribing = self.sessions[session_key].subscribing()?;
        if subscribing.client_offers && !subscribing.has_data {
            return Err(Error::DataChannelNotFound(label));
        }
        // The internal channel has one of the places.
        if subscribing.data_subscribers.len() + 1 >= MAX_CHANNELS {
            return Err(Error::Limit {
                what: "data channels of a transport",
                limit: MAX_CHANNELS,
            });
        }
        let needs_offer = !subscribing.has_data && subscribing.pending.is_none();
        subscribing.data_subscribers.push(id);
        let subscriber = DataSubscriber {
            session: session_key,
            data_publisher,
            channel: None,
            stream,
            waiting: Vec::new(),
            messages: 0,
            bytes: 0,
            dropped: 0,
        };
        self.data_subscribers.insert(id, subscriber);
        if let Some(publisher) = self.data_publishers.get_mut(&data_publisher) {
            publisher.subscribers.push(id);
        }
        if needs_offer {
            return self.make_offer(session_key, false);
        }
        self.open_channels(session_key);
        Ok(Reply::Done)
    }

    /// Opens whatever channels of a subscribe session can be opened by now.
    pub(crate) fn open_channels(&mut self, session_key: usize) {
        let session = &mut self.sessions[session_key];
        let Side::Subscribe(subscribing) = &session.side else {
            return;
        };
        if !subscribing.has_data {
            return;
        }
        for id in subscribing.data_subscribers.clone() {
            let Some(subscriber) = self.data_subscribers.get_mut(&id) else {
                continue;
            };
            let config = &self.data_publishers[&subscriber.data_publisher].config;
            let (None, Some(config)) = (subscriber.channel, config) else {
                continue;
            };
            let config = ChannelConfig {
                negotiated: subscriber.stream,
                ..config.clone()
            };
            match contained(|| session.rtc.direct_api().create_data_channel(config)) {
                Ok(channel) => {
                    subscriber.channel = Some(channel);
                    session.channels.insert(
                        channel,
                        Channel::Outgoing {
                            data_subscriber: id,
                            open: false,
                        },
                    );
                }
                Err(Panicked) => self
                    .doomed
                    .push((session.belongs.transport, CloseReason::Panic)),
            }
        }
        self.mark_dirty(session_key);
    }

    /// str0m says that a channel is open, ours or the client's.
    pub(crate) fn handle_channel_open(
        &mut self,
        session_key: usize,
        channel: ChannelId,
        label: String,
    ) {
        let session = &mut self.sessions[session_key];
        if let Some(Channel::Outgoing {
            open,
            data_subscriber,
        }) = session.channels.get_mut(&channel)
        {
            *open = true;
            let id = *data_subscriber;
            self.send_waiting(id);
            return;
        }
        let agreed = |what: &Channel| {
            matches!(
                what,
                Channel::Incoming {
                    data_publisher: Some(_),
                    ..
                }
            )
        };
        let known = session.channels.get(&channel);
        if known.is_some_and(|what| *what == Channel::Internal || agreed(what)) {
            return;
        }
        if session.channels.len() >= MAX_CHANNELS {
            session.rtc.direct_api().close_data_channel(channel);
            self.counters.drop_channels += 1;
            return;
        }
        let Side::Publish(publishing) = &session.side else {
            // A viewer that makes the offers (WHEP) opens the heartbeat's channel itself.
            let is_heartbeat = label == heartbeat::LABEL && !session.has_heartbeat_channel();
            let what = if is_heartbeat {
                Channel::Internal
            } else {
                Channel::Ignored
            };
            session.channels.insert(channel, what);
            return;
        };
        let id = publishing.data_publishers.iter().copied().find(|id| {
            self.data_publishers[id].label == label && self.data_publishers[id].config.is_none()
        });
        let known = session
            .rtc
            .channel(channel)
            .and_then(|channel| channel.config().cloned());
        let config = known.unwrap_or_else(|| ChannelConfig {
            label: label.clone(),
            ..internal()
        });
        let what = Channel::Incoming {
            label: label.clone(),
            data_publisher: id,
            stream: None,
        };
        session.channels.insert(channel, what);
        let transport = session.belongs.transport;
        self.emit(opened(transport, &config));
        if let Some(id) = id {
            self.tell_takers(ObjectId::DataPublisher(id), || RelayMessage::Channel {
                data_publisher: id,
                config: Box::new(config.clone()),
            });
            self.open_data_publisher(id, config);
        }
    }

    /// A data publisher's channel is open at its client: open those of its subscribers.
    pub(crate) fn open_data_publisher(&mut self, id: DataPublisherId, config: ChannelConfig) {
        if let Some(publisher) = self.data_publishers.get_mut(&id) {
            publisher.config = Some(config);
            let takers = publisher.subscribers.iter();
            let sessions: Vec<_> = takers.map(|id| self.data_subscribers[id].session).collect();
            sessions
                .into_iter()
                .for_each(|session| self.open_channels(session));
        }
    }

    pub(crate) fn handle_channel_data(
        &mut self,
        session_key: usize,
        data: ChannelData,
        now: Instant,
    ) {
        let publisher = match self.sessions[session_key].channels.get(&data.id) {
            Some(Channel::Internal) => {
                return self.set_heartbeat(session_key, data.id, &data.data, now);
            }
            Some(Channel::Incoming {
                data_publisher: Some(id),
                ..
            }) => *id,
            _ => {
                self.counters.drop_messages += 1;
                return;
            }
        };
        if data.data.len() > MAX_MESSAGE {
            self.counters.drop_messages += 1;
            return;
        }
        self.fan_out_message(publisher, data.binary, &data.data);
        if self.data_publishers[&publisher].tapped {
            self.emit(Event::DataMessage {
                data_publisher: publisher,
                binary: data.binary,
                payload: data.data,
            });
        }
    }

    /// A message to all subscribers of a data publisher.
    pub(crate) fn fan_out_message(&mut self, id: DataPublisherId, binary: bool, payload: &[u8]) {
        let Some(publisher) = self.data_publishers.get_mut(&id) else {
            return;
        };
        publisher.messages += 1;
        publisher.bytes += payload.len() as u64;
        for index in 0..publisher.subscribers.len() {
            let subscriber = self.data_publishers[&id].subscribers[index];
            self.deliver(subscriber, binary, payload);
        }
        self.relay_message(id, binary, payload);
    }

    /// The channel of a data subscriber is open: send what has waited for it.
    fn send_waiting(&mut self, id: DataSubscriberId) {
        let Some(subscriber) = self.data_subscribers.get_mut(&id) else {
            return;
        };
        for (binary, payload) in std::mem::take(&mut subscriber.waiting) {
            self.deliver(id, binary, &payload);
        }
    }

    /// A message to one subscriber.
    fn deliver(&mut self, id: DataSubscriberId, binary: bool, payload: &[u8]) {
        let Some(subscriber) = self.data_subscribers.get_mut(&id) else {
            return;
        };
        let session = &mut self.sessions[subscriber.session];
        let is_open = subscriber
            .channel
            .and_then(|channel| session.channels.get(&channel))
            .is_some_and(|channel| matches!(channel, Channel::Outgoing { open: true, .. }));
        let outcome = contained(|| {
            if !is_open {
                return Some(Delivery::Held);
            }
            let mut channel = session.rtc.channel(subscriber.channel?)?;
            let room = channel.buffered_amount() + payload.len() <= MAX_BUFFERED;
            let sent = room && channel.write(binary, payload).ok()?;
            Some(if sent {
                Delivery::Sent
            } else {
                Delivery::NoRoom
            })
        });
        match outcome {
            Ok(Some(Delivery::Sent)) => {
                subscriber.messages += 1;
                subscriber.bytes += payload.len() as u64;
                session.stirred = true;
                if !session.dirty {
                    session.dirty = true;
                    self.dirty.push_back(subscriber.session);
                }
            }
            Ok(Some(Delivery::Held)) if subscriber.hold(binary, payload) => {}
            Ok(_) => {
                subscriber.dropped += 1;
                self.counters.drop_messages += 1;
            }
            Err(Panicked) => self
                .doomed
                .push((session.belongs.transport, CloseReason::Panic)),
        }
    }

    pub(crate) fn handle_channel_close(&mut self, session_key: usize, channel: ChannelId) {
        match self.sessions[session_key].channels.remove(&channel) {
            Some(Channel::Incoming {
                data_publisher: Some(id),
                ..
            }) => {
                self.close_data_publisher(id, CloseReason::RemoteEnded);
            }
            Some(Channel::Outgoing {
                data_subscriber, ..
            }) => {
                if let Some(subscriber) = self.data_subscribers.get_mut(&data_subscriber) {
                    subscriber.channel = None;
                }
                self.close_data_subscriber(data_subscriber, CloseReason::RemoteEnded);
            }
            _ => {}
        }
    }

    pub(crate) fn send_data(
        &mut self,
        id: DataPublisherId,
        binary: bool,
        payload: &[u8],
    ) -> Result<Reply, Error> {
        if payload.len() > MAX_MESSAGE {
            return Err(Error::Limit {
                what: "bytes of a data channel message",
                limit: MAX_MESSAGE,
            });
        }
        if !self.data_publishers.contains_key(&id) {
            return Err(Error::NotFound {
                what: "data publisher",
            });
        }
        self.fan_out_message(id, binary, payload);
        Ok(Reply::Done)
    }
}

/// The configuration of a stream that both sides know.
fn agreed(label: String, stream: DataStream) -> ChannelConfig {
    let reliability = match (stream.max_retransmits, stream.max_packet_lifetime) {
        (Some(retransmits), _) => Reliability::MaxRetransmits { retransmits },
        (None, Some(lifetime)) => Reliability::MaxPacketLifetime { lifetime },
        (None, None) => Reliability::Reliable,
    };
    ChannelConfig {
        label,
        ordered: stream.ordered,
        reliability,
        negotiated: Some(stream.id),
        protocol: stream.protocol,
    }
}

fn opened(transport: TransportId, config: &ChannelConfig) -> Event {
    let (max_retransmits, max_packet_lifetime) = match config.reliability {
        Reliability::Reliable => (None, None),
        Reliability::MaxRetransmits { retransmits } => (Some(retransmits), None),
        Reliability::MaxPacketLifetime { lifetime } => (None, Some(lifetime)),
    };
    Event::DataChannelOpened {
        transport,
        label: config.label.clone(),
        ordered: config.ordered,
        max_retransmits,
        max_packet_lifetime,
    }
}

/// Data channels of one transport, in and out.
const MAX_CHANNELS: usize = 64;
/// Bytes queued on one channel.
const MAX_BUFFERED: usize = 1024 * 1024;
/// Messages that wait for a channel to open.
const MAX_WAITING: usize = 1024;
