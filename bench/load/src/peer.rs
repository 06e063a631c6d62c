//! One WebRTC client: a str0m session, its socket, and the two pumped against each other.
//!
//! str0m's rule is one mutation, then a full drain. [`Peer::drain`] is that drain: datagrams go into
//! a batch that leaves as few sends as segmentation offload allows, media to the
//! caller, the other events into flags.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::crypto::CryptoProvider;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite, SeqNo};
use str0m::{Candidate, Event, Input, Output, Rtc};

use crate::batch::{Batch, Scratch};
use crate::socket::Socket;

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sends one video track.
    Publisher,
    /// Receives one video track; the number of its receipts.
    Subscriber(usize),
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
    /// The server wants a key frame; the publisher clears it.
    pub(crate) key_frame_wanted: bool,
    rtc: Rtc,
    mid: Mid,
    pending: Option<SdpPendingOffer>,
    batch: Batch,
    losses: Losses,
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
    /// A client and its offer. `loss` is the share of datagrams that a subscriber loses, 0 to 1.
    pub(crate) fn new(
        role: Role,
        gro: bool,
        loss: f64,
        crypto: &Arc<CryptoProvider>,
    ) -> Result<(Self, String), Failure> {
        let now = Instant::now();
        let socket = Socket::bind(gro)?;
        let mut rtc = Rtc::builder()
            .set_crypto_provider(Arc::clone(crypto))
            .clear_codecs()
            .enable_vp8(true)
            .set_rtp_mode(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(socket.address, "udp")?);
        let mut changes = rtc.sdp_api();
        let direction = if role == Role::Publisher {
            Direction::SendOnly
        } else {
            Direction::RecvOnly
        };
        let mid = changes.add_media(MediaKind::Video, direction, None, None, None);
        let (offer, pending) = changes.apply().ok_or("the offer is empty")?;
        let peer = Self {
            socket,
            role,
            deadline: now,
            connected: false,
            key_frame_wanted: true,
            rtc,
            mid,
            pending: Some(pending),
            batch: Batch::default(),
            losses: Losses::new(role, loss),
        };
        Ok((peer, offer.to_sdp_string()))
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
    pub(crate) fn write(
        &mut self,
        number: u64,
        time: u32,
        marker: bool,
        payload: Vec<u8>,
    ) -> Result<(), Failure> {
        let now = Instant::now();
        let pt = self.payload_type()?;
        let mut api = self.rtc.direct_api();
        let stream = api
            .stream_tx_by_mid(self.mid, None)
            .ok_or("the answer has no sending stream")?;
        let packet = RtpWrite::new(pt, SeqNo::from(number), time, now, payload)
            .marker(marker)
            .nackable(true);
        stream.write_rtp(packet);
        self.rtc.handle_input(Input::Timeout(now))?;
        self.poll(0, 0, &mut |_| {})
    }

    /// Send what waits.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.batch.flush(&self.socket)
    }

    fn payload_type(&self) -> Result<Pt, Failure> {
        let media = self.rtc.media(self.mid).ok_or("the answer has no media")?;
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
                    self.batch
                        .push(&self.socket, transmit.destination, &transmit.contents)?;
                }
                Output::Event(Event::RtpPacket(packet)) => media(Arrival { packet, at, bytes }),
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::KeyframeRequest(_)) => self.key_frame_wanted = true,
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
