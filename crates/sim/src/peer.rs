//! A scripted WebRTC client on plain str0m: publishes synthetic media, subscribes, keeps all it got.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use headwater_core::srtp::Sealer;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::format::Codec;
use str0m::media::{
    Direction, KeyframeRequestKind, MediaKind, Mid, Rid, Simulcast, SimulcastLayer,
};
use str0m::net::{Protocol, Receive, TcpType, Transmit};
use str0m::rtp::rtcp::Rtcp;
use str0m::rtp::{ExtensionValues, RawPacket, RtpWrite, SeqNo};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use crate::keys;
use crate::media::{Vp8Descriptor, vp8_payload};
use crate::network::SERVER;
use crate::viewer::Viewer;

/// One RTP packet that a peer received.
#[derive(Clone, Debug)]
pub struct Received {
    /// When, in virtual time.
    pub at: Instant,
    /// The m-line.
    pub mid: Mid,
    /// RTP payload type.
    pub payload_type: u8,
    /// Extended sequence number.
    pub sequence: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// SSRC.
    pub ssrc: u32,
    /// Marker bit.
    pub marker: bool,
    /// The payload.
    pub payload: Vec<u8>,
    /// Its header extensions, as this peer's own ids say.
    pub extensions: ExtensionValues,
    /// It came as a retransmission, as far as the receiver tells.
    pub repaired: bool,
}

/// A receiver estimated maximum bitrate that a peer was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// When, in virtual time.
    pub at: Instant,
    /// bit/s.
    pub bitrate: u64,
    /// The SSRCs that it is about.
    pub sources: Vec<u32>,
}

/// What [`Peer::send_packet`] sends; the peer numbers it.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// RTP payload type.
    pub payload_type: u8,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// The payload.
    pub payload: Vec<u8>,
}

/// One outgoing track's counters.
#[derive(Debug, Default)]
struct Sending {
    sequence: u64,
    timestamp: u32,
    picture: u16,
    tl0: u8,
}

/// A WebRTC client.
pub struct Peer {
    rtc: Rtc,
    /// Its media half when that is not str0m's.
    viewer: Option<Viewer>,
    /// How its datagrams travel.
    protocol: Protocol,
    /// Its address in the virtual network.
    pub address: SocketAddr,
    pending: Option<SdpPendingOffer>,
    sending: Vec<(Mid, Option<Rid>, Sending)>,
    timeout: Instant,
    remote_ufrag: String,
    /// The SSRC of the newest packet of each m-line.
    newest: Vec<(Mid, u32)>,
    /// Datagrams that were due while others came in.
    outbox: VecDeque<Transmit>,
    /// All media packets, in order of arrival.
    pub received: Vec<Received>,
    /// Key-frame requests that arrived, with their time.
    pub key_frame_requests: Vec<(Instant, Mid)>,
    /// The encoding that the newest of them was for.
    pub key_frame_rid: Option<Rid>,
    /// Every encoding that one was asked for, until the camera takes them.
    pub key_frames_wanted: Vec<Rid>,
    /// How it was asked for, PLI or FIR.
    pub key_frame_kind: Option<KeyframeRequestKind>,
    /// Estimates of its line that arrived (REMB), from a peer that keeps raw packets.
    pub estimates: Vec<Estimate>,
    /// Data-channel messages: label and content.
    pub messages: Vec<(String, Vec<u8>)>,
    /// Open data channels: id and label.
    pub channels: Vec<(ChannelId, String)>,
    /// Whether ICE and DTLS are up.
    pub connected: bool,
    /// Seals RTCP with this peer's key, from sources that the honest part of it does not use.
    forging: Option<Sealer>,
    /// Datagrams this peer has been handed, as they were (for replay by fuzz seeds).
    pub datagrams_in: u64,
}

impl Peer {
    /// A client at `address` with every codec str0m has by default, unless `configure` says
    /// otherwise.
    #[must_use]
    pub fn new(
        address: SocketAddr,
        now: Instant,
        configure: impl FnOnce(RtcConfig) -> RtcConfig,
    ) -> Self {
        let config = Rtc::builder()
            .set_crypto_provider(keys::provider())
            .set_rtp_mode(true)
            .set_stats_interval(None);
        let mut rtc = configure(config).build(now);
        if let Ok(candidate) = Candidate::host(address, "udp") {
            rtc.add_local_candidate(candidate);
        }
        Self {
            rtc,
            viewer: None,
            protocol: Protocol::Udp,
            address,
            pending: None,
            sending: Vec::new(),
            timeout: now,
            remote_ufrag: String::new(),
            newest: Vec::new(),
            outbox: VecDeque::new(),
            received: Vec::new(),
            key_frame_requests: Vec::new(),
            key_frame_rid: None,
            key_frames_wanted: Vec::new(),
            key_frame_kind: None,
            estimates: Vec::new(),
            messages: Vec::new(),
            channels: Vec::new(),
            connected: false,
            forging: None,
            datagrams_in: 0,
        }
    }

    /// A client that receives as browsers do (see `viewer`) and sends no media.
    #[must_use]
    pub fn viewer(
        address: SocketAddr,
        now: Instant,
        configure: impl FnOnce(RtcConfig) -> RtcConfig,
    ) -> Self {
        let mut peer = Self::new(address, now, configure);
        peer.viewer = Some(Viewer::new(now));
        peer
    }

    /// A client whose network lets no UDP out.
    #[must_use]
    pub fn by_tcp(address: SocketAddr, now: Instant) -> Self {
        let mut peer = Self::new(address, now, |config| config);
        let candidate = Candidate::host(address, "udp").expect("an address of a host");
        peer.rtc.direct_api().invalidate_candidate(&candidate);
        let candidate = Candidate::builder().tcp().host(address);
        let candidate = candidate.tcptype(TcpType::Active).build();
        peer.rtc
            .add_local_candidate(candidate.expect("an address of a host"));
        peer.protocol = Protocol::Tcp;
        peer
    }

    /// Offer to send these tracks (kind and track id) and data channels; returns the SDP and the mids.
    pub fn offer(
        &mut self,
        tracks: &[(MediaKind, &str)],
        channels: &[ChannelConfig],
    ) -> (String, Vec<Mid>) {
        let mut api = self.rtc.sdp_api();
        let mids: Vec<Mid> = tracks
            .iter()
            .map(|(kind, id)| {
                let stream = Some("stream".to_owned());
                api.add_media(
                    *kind,
                    Direction::SendOnly,
                    stream,
                    Some((*id).to_owned()),
                    None,
                )
            })
            .collect();
        for config in channels {
            api.add_channel_with_config(config.clone());
        }
        let (offer, pending) = api.apply().expect("tracks or channels were added");
        self.pending = Some(pending);
        let states = mids.iter().map(|mid| (*mid, None, Sending::default()));
        self.sending.extend(states);
        (offer.to_sdp_string(), mids)
    }

    /// Offer one video track in several encodings; returns the SDP and the mid.
    pub fn offer_simulcast(&mut self, rids: &[&str]) -> (String, Mid) {
        let mut simulcast = Simulcast::new();
        simulcast.send = rids.iter().map(|rid| SimulcastLayer::new(rid)).collect();
        let mut api = self.rtc.sdp_api();
        let track = Some("camera".to_owned());
        let mid = api.add_media(
            MediaKind::Video,
            Direction::SendOnly,
            None,
            track,
            Some(simulcast),
        );
        let (offer, pending) = api.apply().expect("a track was added");
        self.pending = Some(pending);
        let states = rids
            .iter()
            .map(|rid| (mid, Some(Rid::from(*rid)), Sending::default()));
        self.sending.extend(states);
        (offer.to_sdp_string(), mid)
    }

    /// Offer one video track in several encodings that their SSRCs tell apart, each with another one
    /// for retransmissions, as Safari 12 and munged offers have it; returns the SDP and the mid.
    pub fn offer_by_ssrc(&mut self, encodings: &[(&str, u32)]) -> (String, Mid) {
        let (sdp, mids) = self.offer(&[(MediaKind::Video, "camera")], &[]);
        let is_kept = |line: &&str| !line.contains("rtp-stream-id") && !line.starts_with("a=ssrc");
        let mut lines: Vec<String> = sdp.lines().filter(is_kept).map(str::to_owned).collect();
        let group = encodings.iter().map(|(_, ssrc)| format!(" {ssrc}"));
        lines.push(format!("a=ssrc-group:SIM{}", group.collect::<String>()));
        for (rid, ssrc) in encodings {
            let repair = ssrc + 1;
            lines.push(format!("a=ssrc-group:FID {ssrc} {repair}"));
            lines.push(format!("a=ssrc:{ssrc} cname:camera"));
            lines.push(format!("a=ssrc:{repair} cname:camera"));
            let state = (mids[0], Some(Rid::from(*rid)), Sending::default());
            self.sending.push(state);
        }
        (lines.join("\r\n") + "\r\n", mids[0])
    }

    /// Take the answer to [`Self::offer_by_ssrc`]. The names stay on this side.
    pub fn accept_answer_by_ssrc(&mut self, sdp: &str, mid: Mid, encodings: &[(&str, u32)]) {
        self.accept_answer(sdp);
        let mut direct = self.rtc.direct_api();
        for (rid, ssrc) in encodings {
            let (ssrc, repair) = ((*ssrc).into(), (*ssrc + 1).into());
            direct.declare_stream_tx(ssrc, Some(repair), mid, Some(Rid::from(*rid)));
        }
    }

    /// Open a data channel on a connection that has some.
    pub fn open_channel(&mut self, config: ChannelConfig) {
        let mut api = self.rtc.sdp_api();
        api.add_channel_with_config(config);
        assert!(api.apply().is_none(), "no offer is needed");
    }

    /// Send one VP8 frame of one packet in one encoding, `width` pixels wide if a key frame.
    pub fn send_layer(
        &mut self,
        now: Instant,
        mid: Mid,
        rid: &str,
        key_frame: bool,
        size: usize,
        width: u16,
    ) {
        self.send_frame(now, mid, rid, key_frame.then_some(width), &[size]);
    }

    /// Send one VP8 frame in packets of these sizes in one encoding: with a width in pixels a key frame.
    pub fn send_frame(
        &mut self,
        now: Instant,
        mid: Mid,
        rid: &str,
        key: Option<u16>,
        sizes: &[usize],
    ) {
        let Some(payload_type) = self.payload_type(mid, Codec::Vp8) else {
            return;
        };
        let rid = Some(Rid::from(rid));
        let state = sending(&mut self.sending, mid, rid);
        state.timestamp = state.timestamp.wrapping_add(3000);
        state.picture = (state.picture + 1) & 0x7fff;
        state.tl0 = state.tl0.wrapping_add(1);
        for (place, size) in sizes.iter().enumerate() {
            state.sequence += 1;
            let descriptor = Vp8Descriptor {
                picture_id: state.picture,
                tl0_pic_idx: state.tl0,
                start: place == 0,
                key_frame: key.is_some(),
            };
            let mut payload = vp8_payload(descriptor, *size, 0);
            if let Some(width) = key.filter(|_| place == 0) {
                payload[12..14].copy_from_slice(&width.to_le_bytes());
            }
            let sequence: SeqNo = state.sequence.into();
            let write = RtpWrite::new(payload_type.into(), sequence, state.timestamp, now, payload);
            if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, rid) {
                stream.write_rtp(write.marker(place + 1 == sizes.len()).nackable(true));
            }
        }
    }

    /// Offer a camera in several encodings and a microphone; returns the SDP and their mids.
    pub fn offer_call(&mut self, rids: &[&str]) -> (String, Mid, Mid) {
        let mut simulcast = Simulcast::new();
        simulcast.send = rids.iter().map(|rid| SimulcastLayer::new(rid)).collect();
        let mut api = self.rtc.sdp_api();
        let mut add = |kind, simulcast| {
            let stream = Some("stream".to_owned());
            api.add_media(kind, Direction::SendOnly, stream, None, simulcast)
        };
        let camera = add(MediaKind::Video, Some(simulcast));
        let microphone = add(MediaKind::Audio, None);
        let (offer, pending) = api.apply().expect("tracks were added");
        self.pending = Some(pending);
        let encodings = rids.iter().map(|rid| (camera, Some(Rid::from(*rid))));
        let states = encodings.chain([(microphone, None)]);
        self.sending
            .extend(states.map(|(mid, rid)| (mid, rid, Sending::default())));
        (offer.to_sdp_string(), camera, microphone)
    }

    /// Send one packet of an encoding, or of a track that has no encodings.
    pub fn send_packet(&mut self, now: Instant, mid: Mid, rid: Option<&str>, packet: Outgoing) {
        let rid = rid.map(Rid::from);
        let state = sending(&mut self.sending, mid, rid);
        state.sequence += 1;
        let sequence: SeqNo = state.sequence.into();
        let payload_type = packet.payload_type.into();
        let write = RtpWrite::new(
            payload_type,
            sequence,
            packet.timestamp,
            now,
            packet.payload,
        );
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, rid) {
            stream.write_rtp(write.marker(packet.marker).nackable(true));
        }
    }

    /// Leave the network for another one, where the peer has this address.
    pub fn move_to(&mut self, address: SocketAddr) {
        if let Ok(old) = Candidate::host(self.address, "udp") {
            self.rtc.direct_api().invalidate_candidate(&old);
        }
        self.address = address;
        if let Ok(candidate) = Candidate::host(address, "udp") {
            self.rtc.add_local_candidate(candidate);
        }
    }

    /// All media packets since the last call, in order of arrival.
    pub fn take_received(&mut self) -> Vec<Received> {
        std::mem::take(&mut self.received)
    }

    /// Offer to receive one track of each kind (WHEP).
    pub fn offer_to_receive(&mut self, kinds: &[MediaKind]) -> String {
        let mut api = self.rtc.sdp_api();
        for kind in kinds {
            api.add_media(*kind, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = api.apply().expect("an m-line was added");
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// Stop sending on these m-lines; returns the new offer.
    pub fn offer_without(&mut self, mids: &[Mid]) -> String {
        let mut api = self.rtc.sdp_api();
        for mid in mids {
            api.set_direction(*mid, Direction::Inactive);
        }
        let (offer, pending) = api.apply().expect("a direction changed");
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// A new offer with new ICE credentials.
    pub fn offer_ice_restart(&mut self) -> String {
        let mut api = self.rtc.sdp_api();
        api.ice_restart(true);
        let (offer, pending) = api.apply().expect("an ICE restart needs an offer");
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// Take the server's answer to the last offer.
    pub fn accept_answer(&mut self, sdp: &str) {
        let ufrag = sdp
            .lines()
            .find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        self.remote_ufrag = ufrag.unwrap_or_default().to_owned();
        let answer = SdpAnswer::from_sdp_string(sdp).expect("the server's answer parses");
        let pending = self.pending.take().expect("an offer is open");
        self.rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .expect("the answer fits the offer");
    }

    /// Answer the server's offer.
    pub fn answer(&mut self, sdp: &str) -> String {
        if let Some(viewer) = &mut self.viewer {
            viewer.learn(sdp);
        }
        let offer = SdpOffer::from_sdp_string(sdp).expect("the server's offer parses");
        self.rtc
            .sdp_api()
            .accept_offer(offer)
            .expect("the offer is acceptable")
            .to_sdp_string()
    }

    /// Send one VP8 frame of `packets` packets of `size` payload bytes each.
    pub fn send_video(
        &mut self,
        now: Instant,
        mid: Mid,
        key_frame: bool,
        packets: u16,
        size: usize,
    ) {
        let Some(payload_type) = self.payload_type(mid, Codec::Vp8) else {
            return;
        };
        let state = sending(&mut self.sending, mid, None);
        state.timestamp = state.timestamp.wrapping_add(3000);
        state.picture = (state.picture + 1) & 0x7fff;
        state.tl0 = state.tl0.wrapping_add(1);
        for index in 0..packets {
            state.sequence += 1;
            let descriptor = Vp8Descriptor {
                picture_id: state.picture,
                tl0_pic_idx: state.tl0,
                start: index == 0,
                key_frame,
            };
            let payload = vp8_payload(descriptor, size, index as u8);
            let sequence: SeqNo = state.sequence.into();
            let write = RtpWrite::new(payload_type.into(), sequence, state.timestamp, now, payload)
                .marker(index + 1 == packets)
                .nackable(true);
            if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
                stream.write_rtp(write);
            }
        }
    }

    /// Send one packet with any payload on any payload type.
    pub fn send_raw(
        &mut self,
        now: Instant,
        mid: Mid,
        payload_type: u8,
        step: u32,
        payload: Vec<u8>,
    ) {
        let none = ExtensionValues::default();
        self.send_extended(now, mid, payload_type, step, payload, none);
    }

    /// Send one packet with any payload and these header extensions.
    pub fn send_extended(
        &mut self,
        now: Instant,
        mid: Mid,
        payload_type: u8,
        step: u32,
        payload: Vec<u8>,
        extensions: ExtensionValues,
    ) {
        let state = sending(&mut self.sending, mid, None);
        state.timestamp = state.timestamp.wrapping_add(step);
        state.sequence += 1;
        let sequence: SeqNo = state.sequence.into();
        let write = RtpWrite::new(payload_type.into(), sequence, state.timestamp, now, payload);
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.write_rtp(write.marker(true).nackable(true).ext_vals(extensions));
        }
    }

    /// Leave a hole in the sequence numbers, as a lost packet does.
    pub fn skip_sequence(&mut self, mid: Mid) {
        sending(&mut self.sending, mid, None).sequence += 1;
    }

    /// Send one Opus packet of 20 ms.
    pub fn send_audio(&mut self, now: Instant, mid: Mid) {
        let Some(payload_type) = self.payload_type(mid, Codec::Opus) else {
            return;
        };
        let state = sending(&mut self.sending, mid, None);
        state.timestamp = state.timestamp.wrapping_add(960);
        state.sequence += 1;
        let sequence: SeqNo = state.sequence.into();
        let payload = state.sequence.to_be_bytes().repeat(10);
        let write = RtpWrite::new(payload_type.into(), sequence, state.timestamp, now, payload);
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.write_rtp(write);
        }
    }

    /// Ask for a key frame of what arrives at `mid`, by PLI.
    pub fn request_key_frame(&mut self, mid: Mid) {
        self.request_key_frame_by(mid, KeyframeRequestKind::Pli);
    }

    /// Ask for a key frame of what arrives at `mid`, by PLI or by FIR.
    pub fn request_key_frame_by(&mut self, mid: Mid, kind: KeyframeRequestKind) {
        if let Some(viewer) = &mut self.viewer {
            return viewer.request_key_frame(mid);
        }
        // An m-line that changed hands has had several SSRCs; the newest packet tells which counts.
        let newest = self.newest.iter().find(|(known, _)| *known == mid);
        let Some(ssrc) = newest.map(|(_, ssrc)| (*ssrc).into()) else {
            return;
        };
        if let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc) {
            stream.request_keyframe(kind);
        }
    }

    /// Send a message on the open channel with this label; false when there is none or it is full.
    pub fn send_message(&mut self, label: &str, payload: &[u8]) -> bool {
        let Some((id, _)) = self.channels.iter().find(|(_, l)| l == label) else {
            return false;
        };
        let Some(mut channel) = self.rtc.channel(*id) else {
            return false;
        };
        channel.write(true, payload).unwrap_or(false)
    }

    /// Settings of the open data channel with this label.
    #[must_use]
    pub fn channel_config(&mut self, label: &str) -> Option<ChannelConfig> {
        let (id, _) = self.channels.iter().find(|(_, known)| known == label)?;
        self.rtc.channel(*id)?.config().cloned()
    }

    /// Close the data channel with this label.
    pub fn close_channel(&mut self, label: &str) {
        if let Some((id, _)) = self.channels.iter().find(|(_, known)| known == label) {
            self.rtc.direct_api().close_data_channel(*id);
        }
    }

    /// The server's ICE ufrag as this peer knows it.
    #[must_use]
    pub fn remote_ufrag(&self) -> &str {
        &self.remote_ufrag
    }

    /// Close the connection as a browser does when its tab goes: DTLS close_notify.
    pub fn close(&mut self) {
        let _ = self.rtc.close();
    }

    /// Hand over a datagram.
    pub fn receive(&mut self, now: Instant, source: SocketAddr, contents: &[u8]) {
        self.datagrams_in += 1;
        if let Some(viewer) = self.viewer.as_mut().filter(|_| Viewer::takes(contents)) {
            self.received.extend(viewer.receive(now, contents));
            return;
        }
        let Ok(receive) = Receive::new(self.protocol, source, self.address, contents) else {
            return;
        };
        let input = Input::Receive(now, receive);
        if self.rtc.accepts(&input) {
            let _ = self.rtc.handle_input(input);
        }
        // In RTP mode str0m holds one packet: drain before the next one comes.
        let transmits = self.drain(now);
        self.outbox.extend(transmits);
    }

    /// Let the time pass; returns what to send.
    pub fn drive(&mut self, now: Instant) -> VecDeque<Transmit> {
        if self.timeout <= now {
            let _ = self.rtc.handle_input(Input::Timeout(now));
        }
        let mut transmits = std::mem::take(&mut self.outbox);
        transmits.extend(self.drain(now));
        if let Some(viewer) = &mut self.viewer {
            let datagrams = viewer.drive(now).into_iter();
            transmits.extend(datagrams.map(|contents| Transmit {
                proto: Protocol::Udp,
                source: self.address,
                destination: SERVER,
                contents: contents.into(),
            }));
        }
        transmits
    }

    /// A compound RTCP packet as a sealed datagram of this peer, whatever it says. Its sender must not
    /// be a source of this peer's own, or the server takes the one's packets for replays of the other's.
    pub fn forge_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        let sealer = self.forging.as_mut().expect("the handshake is over");
        let mut datagram = packet.to_vec();
        datagram.resize(packet.len() + sealer.profile().rtcp_overhead(), 0);
        sealer
            .seal_rtcp(packet.len(), &mut datagram)
            .expect("the packet has a header");
        datagram
    }

    fn drain(&mut self, now: Instant) -> VecDeque<Transmit> {
        let mut transmits = VecDeque::new();
        while self.rtc.is_alive() {
            let output = self.rtc.poll_output();
            if let Some((ours, theirs)) = keys::take() {
                match &mut self.viewer {
                    Some(viewer) => viewer.start(&ours, &theirs),
                    None => self.forging = Some(Sealer::new(&ours)),
                }
            }
            match output {
                Ok(Output::Transmit(transmit)) => transmits.push_back(transmit),
                Ok(Output::Event(event)) => self.note(now, event),
                Ok(Output::Timeout(at)) => {
                    self.timeout = at.max(now + Duration::from_micros(100));
                    return transmits;
                }
                Err(_) => break,
            }
        }
        self.connected = false;
        self.timeout = now + Duration::from_secs(3600);
        transmits
    }

    /// When this peer wants to be driven next.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        let viewer = self.viewer.as_ref().and_then(Viewer::next_timeout);
        viewer.map_or(self.timeout, |at| at.min(self.timeout))
    }

    fn note(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::ChannelOpen(id, label) => self.channels.push((id, label)),
            Event::ChannelClose(id) => self.channels.retain(|(open, _)| *open != id),
            Event::ChannelData(data) => {
                let label = self.channels.iter().find(|(id, _)| *id == data.id);
                let label = label.map(|(_, label)| label.clone()).unwrap_or_default();
                self.messages.push((label, data.data));
            }
            Event::KeyframeRequest(request) => {
                self.key_frame_rid = request.rid;
                self.key_frames_wanted.extend(request.rid);
                self.key_frame_kind = Some(request.kind);
                self.key_frame_requests.push((now, request.mid));
            }
            Event::RawPacket(packet) => {
                if let RawPacket::RtcpRx(Rtcp::Remb(remb)) = *packet {
                    self.estimates.push(Estimate {
                        at: now,
                        bitrate: remb.bitrate as u64,
                        sources: remb.ssrcs,
                    });
                }
            }
            Event::RtpPacket(packet) => {
                let ssrc = packet.header.ssrc;
                let mid = self
                    .rtc
                    .direct_api()
                    .stream_rx(&ssrc)
                    .map(|stream| stream.mid());
                let Some(mid) = mid else { return };
                match self.newest.iter_mut().find(|(known, _)| *known == mid) {
                    Some(entry) => entry.1 = *ssrc,
                    None => self.newest.push((mid, *ssrc)),
                }
                self.received.push(Received {
                    at: now,
                    mid,
                    payload_type: *packet.header.payload_type,
                    sequence: *packet.seq_no,
                    timestamp: packet.header.timestamp,
                    ssrc: *ssrc,
                    marker: packet.header.marker,
                    payload: packet.payload.to_vec(),
                    extensions: packet.header.ext_vals.clone(),
                    repaired: false,
                });
            }
            _ => {}
        }
    }

    /// The negotiated payload type of RED on an m-line.
    #[must_use]
    pub fn red_payload_type(&self, mid: Mid) -> Option<u8> {
        let negotiated = self.rtc.media(mid)?.remote_pts();
        let mut params = self.rtc.codec_config().iter();
        let params = params.find(|params| negotiated.contains(&params.pt()))?;
        params.red().map(|red| *red)
    }

    /// The negotiated payload type of a codec on an m-line.
    #[must_use]
    pub fn payload_type(&self, mid: Mid, codec: Codec) -> Option<u8> {
        let negotiated = self.rtc.media(mid)?.remote_pts();
        let params = self
            .rtc
            .codec_config()
            .iter()
            .find(|params| params.spec().codec == codec && negotiated.contains(&params.pt()))?;
        Some(*params.pt())
    }
}

fn sending(all: &mut [(Mid, Option<Rid>, Sending)], mid: Mid, rid: Option<Rid>) -> &mut Sending {
    let entry = all.iter_mut().find(|(m, r, _)| (*m, *r) == (mid, rid));
    &mut entry.expect("the mid and rid came from an offer").2
}
