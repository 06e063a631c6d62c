//! One WebRTC client: a str0m session, its socket, and the two pumped against each other.
//!
//! str0m's rule is one mutation, then a full drain. [`Peer::drain`] is that drain: datagrams go into
//! a batch that leaves as few sends as segmentation offload allows, media to the
//! caller, the other events into flags.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::crypto::CryptoProvider;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite, SeqNo};
use str0m::{Candidate, Event, Input, Output, Rtc};

use crate::batch::{Batch, Scratch};
use crate::one_profile::OneProfile;
use crate::profile;
use crate::socket::Socket;

/// What is the same for all clients of a run.
pub(crate) struct Bed {
    /// Receive offload.
    pub(crate) gro: bool,
    /// Share of datagrams that a subscriber loses, 0 to 1.
    loss: f64,
    /// The one SRTP profile that is offered.
    only: Option<&'static OneProfile>,
    /// Of every picture.
    codec: Codec,
    crypto: Arc<CryptoProvider>,
}

/// How pictures are coded: the one codec that clients offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Codec {
    /// RFC 7741.
    #[default]
    Vp8,
    /// RFC 6184, non-interleaved mode, constrained baseline.
    H264,
}

impl Bed {
    /// `loss` in percent.
    pub(crate) fn new(
        gro: bool,
        loss: f64,
        only: Option<&'static OneProfile>,
        codec: Codec,
    ) -> Self {
        Self {
            gro,
            loss: loss / 100.0,
            codec,
            only,
            crypto: Arc::new(profile::provider(only)),
        }
    }
}

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sends on its lines.
    Publisher,
    /// Receives on its lines; the number of its receipts.
    Subscriber(usize),
}

/// The m-lines of a client.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lines {
    pub(crate) video: usize,
    pub(crate) audio: usize,
    /// A data channel on which the server's heartbeat can be asked for.
    pub(crate) heartbeat: bool,
}

/// One client.
pub(crate) struct Peer {
    /// Its socket, to be registered with a poll.
    pub(crate) socket: Socket,
    /// What it is for.
    pub(crate) role: Role,
    /// When [`Peer::timeout`] is due.
    pub(crate) deadline: Instant,
    /// ICE and DTLS are done.
    pub(crate) connected: bool,
    /// The server wants a key frame; who sends clears it.
    pub(crate) key_frame_wanted: bool,
    /// Datagrams sent and received.
    pub(crate) traffic: (u64, u64),
    /// Heartbeats received.
    pub(crate) beats: u64,
    rtc: Rtc,
    lines: Vec<(MediaKind, Mid)>,
    channel: Option<ChannelId>,
    pending: Option<SdpPendingOffer>,
    batch: Batch,
    losses: Losses,
    only: Option<&'static OneProfile>,
}

/// Datagrams that never reached a client, although its socket received them.
struct Losses {
    /// 0 to 1.
    share: f64,
    random: fastrand::Rng,
}

impl Losses {
    /// Each subscriber loses others, and the same ones in every run.
    fn new(role: Role, share: f64) -> Self {
        let (seed, share) = match role {
            Role::Publisher => (0, 0.0),
            Role::Subscriber(number) => (number as u64, share),
        };
        Self {
            share,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Whether this one is lost; only media and RTCP are (first byte 128 to 191, RFC 7983).
    fn take(&mut self, datagram: &[u8]) -> bool {
        self.share > 0.0
            && matches!(datagram.first(), Some(128..=191))
            && self.random.f64() < self.share
    }
}

/// A media packet to be sent.
pub(crate) struct Outgoing {
    pub(crate) kind: MediaKind,
    /// Extended sequence number.
    pub(crate) number: u64,
    /// RTP timestamp.
    pub(crate) time: u32,
    pub(crate) marker: bool,
    pub(crate) payload: Vec<u8>,
}

/// A media packet that arrived.
pub(crate) struct Arrival {
    /// The packet.
    pub(crate) packet: RtpPacket,
    /// The kernel's receive stamp, nanoseconds since the Unix epoch.
    pub(crate) at: u64,
    /// Bytes of its datagram.
    pub(crate) bytes: usize,
}

impl Peer {
    /// A client and its offer.
    pub(crate) fn new(role: Role, lines: &Lines, bed: &Bed) -> Result<(Self, String), Failure> {
        let now = Instant::now();
        let socket = Socket::bind(bed.gro)?;
        let mut config = Rtc::builder()
            .set_crypto_provider(Arc::clone(&bed.crypto))
            .clear_codecs()
            .enable_vp8(bed.codec == Codec::Vp8)
            .enable_opus(true, false)
            .set_rtp_mode(true);
        if bed.codec == Codec::H264 {
            let (pt, resend) = H264_TYPES;
            let codecs = config.codec_config();
            codecs.add_h264(pt.into(), Some(resend.into()), true, H264_PROFILE);
        }
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(socket.address, "udp")?);
        let mut changes = rtc.sdp_api();
        let direction = match role {
            Role::Publisher => Direction::SendOnly,
            Role::Subscriber(_) => Direction::RecvOnly,
        };
        let video = std::iter::repeat_n(MediaKind::Video, lines.video);
        let audio = std::iter::repeat_n(MediaKind::Audio, lines.audio);
        let mids = video
            .chain(audio)
            .map(|kind| (kind, changes.add_media(kind, direction, None, None, None)))
            .collect();
        if lines.heartbeat {
            changes.add_channel_with_config(ChannelConfig {
                label: HEARTBEAT.to_owned(),
                ordered: false,
                reliability: Reliability::MaxRetransmits { retransmits: 0 },
                ..ChannelConfig::default()
            });
        }
        let (offer, pending) = changes.apply().ok_or("the offer is empty")?;
        let peer = Self {
            socket,
            role,
            deadline: now,
            connected: false,
            key_frame_wanted: true,
            traffic: (0, 0),
            beats: 0,
            rtc,
            lines: mids,
            channel: None,
            pending: Some(pending),
            batch: Batch::default(),
            losses: Losses::new(role, bed.loss),
            only: bed.only,
        };
        Ok((peer, offer.to_sdp_string()))
    }

    /// Ask the server for its heartbeat, or for its end. False while the channel is not open.
    pub(crate) fn ask_for_beats(&mut self, wanted: bool) -> Result<bool, Failure> {
        let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else {
            return Ok(false);
        };
        let written = channel.write(false, if wanted { b"1" } else { b"0" })?;
        self.drain(0, 0, &mut |_| {})?;
        Ok(written)
    }

    /// Take the server's answer. Only its loopback addresses are used: the bed is loopback.
    pub(crate) fn answer(&mut self, sdp: &str) -> Result<(), Failure> {
        let pending = self.pending.take().ok_or("a second answer")?;
        let remote =
            |line: &&str| !line.starts_with("a=candidate:") || line.contains(" 127.0.0.1 ");
        let local: String = sdp
            .lines()
            .filter(remote)
            .flat_map(|line| [line, "\r\n"])
            .collect();
        let answer = SdpAnswer::from_sdp_string(&local)?;
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        self.drain(0, 0, &mut |_| {})
    }

    /// Time has passed.
    pub(crate) fn timeout(&mut self, now: Instant) -> Result<(), Failure> {
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drain(0, 0, &mut |_| {})
    }

    /// Read the socket empty.
    pub(crate) fn readable(
        &mut self,
        scratch: &mut Scratch,
        media: &mut impl FnMut(Arrival),
    ) -> Result<(), Failure> {
        while let Ok(count) = scratch.receive(&self.socket) {
            for (source, at, datagram) in scratch.datagrams(count) {
                self.traffic.1 += 1;
                if self.losses.take(datagram) {
                    continue;
                }
                self.datagram(source, datagram, at, media)?;
            }
        }
        Ok(())
    }

    fn datagram(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
        at: u64,
        media: &mut impl FnMut(Arrival),
    ) -> Result<(), Failure> {
        let Ok(receive) = Receive::new(Protocol::Udp, source, self.socket.address, datagram) else {
            return Ok(());
        };
        self.rtc
            .handle_input(Input::Receive(Instant::now(), receive))?;
        self.drain(at, datagram.len(), media)
    }

    /// Send one packet; it waits in the batch until [`Peer::flush`].
    pub(crate) fn write(&mut self, packet: Outgoing) -> Result<(), Failure> {
        let now = Instant::now();
        let line = self.lines.iter().find(|(kind, _)| *kind == packet.kind);
        let (_, mid) = *line.ok_or("no line of that kind")?;
        let pt = self.payload_type(mid)?;
        let mut api = self.rtc.direct_api();
        let stream = api
            .stream_tx_by_mid(mid, None)
            .ok_or("the answer has no sending stream")?;
        let number = SeqNo::from(packet.number);
        let write = RtpWrite::new(pt, number, packet.time, now, packet.payload)
            .marker(packet.marker)
            .nackable(packet.kind == MediaKind::Video);
        stream.write_rtp(write);
        self.rtc.handle_input(Input::Timeout(now))?;
        self.poll(0, 0, &mut |_| {})
    }

    /// Send what waits.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.batch.flush(&self.socket)
    }

    fn payload_type(&self, mid: Mid) -> Result<Pt, Failure> {
        let media = self.rtc.media(mid).ok_or("the answer has no media")?;
        media
            .remote_pts()
            .first()
            .copied()
            .ok_or_else(|| "the answer takes no codec of ours".into())
    }

    fn drain(
        &mut self,
        at: u64,
        bytes: usize,
        media: &mut impl FnMut(Arrival),
    ) -> Result<(), Failure> {
        self.poll(at, bytes, media)?;
        self.flush()
    }

    fn poll(
        &mut self,
        at: u64,
        bytes: usize,
        media: &mut impl FnMut(Arrival),
    ) -> Result<(), Failure> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    self.traffic.0 += 1;
                    let mut handshake = Vec::new();
                    let contents: &[u8] = match (self.only, transmit.contents.first()) {
                        (Some(only), Some(&DTLS_HANDSHAKE)) => {
                            handshake.extend_from_slice(&transmit.contents);
                            only.rewrite(&mut handshake);
                            &handshake
                        }
                        _ => &transmit.contents,
                    };
                    self.batch
                        .push(&self.socket, transmit.destination, contents)?;
                }
                Output::Event(Event::RtpPacket(packet)) => media(Arrival { packet, at, bytes }),
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::KeyframeRequest(_)) => self.key_frame_wanted = true,
                Output::Event(Event::ChannelOpen(id, _)) => self.channel = Some(id),
                Output::Event(Event::ChannelData(_)) => self.beats += 1,
                Output::Event(Event::Closed) => {
                    return Err("the server closed the connection".into());
                }
                Output::Event(_) => {}
            }
        }
    }
}

/// Why a client had to stop. The run ends with it: a measurement with a broken client is void.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Name of the channel that carries the server's heartbeat.
const HEARTBEAT: &str = "headwater-heartbeat";
/// Payload types of H264 and of what is sent of it again.
const H264_TYPES: (u8, u8) = (108, 109);
/// Constrained baseline, level 3.1.
const H264_PROFILE: u32 = 0x0042_e01f;
/// First byte of a DTLS record of the handshake.
const DTLS_HANDSHAKE: u8 = 22;
