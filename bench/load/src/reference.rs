//! A plain forwarder as yardstick: what str0m, one UDP socket and GSO give when nothing is added.
//!
//! It is not a server: one publisher, no key-frame logic but passing requests on, no rooms, no
//! teardown. Every media packet goes through `write_rtp` and `poll_output` of every subscriber, and
//! what a session emits in one wake-up leaves in as few sends as its sizes allow. A server with
//! rooms, statistics and recovery should be measured beside it, on the same machine, in the same hour.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use str0m::change::SdpOffer;
use str0m::media::{KeyframeRequestKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};

use crate::batch::{Batch, Scratch};
use crate::clock::{Core, stay_on};
use crate::peer::Failure;
use crate::socket::Socket;

/// Serve WHIP and WHEP on `port` of loopback until killed. Prints a JSON line when listening.
pub(crate) fn serve(port: u16) -> Result<(), Failure> {
    stay_on(Core::First);
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = http.local_addr()?;
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
    let (offers, inbox) = channel();
    thread::spawn(move || {
        for stream in http.incoming().flatten() {
            let (offers, waker) = (offers.clone(), Arc::clone(&waker));
            // One request per connection; a failed one is the client's to notice.
            thread::spawn(move || {
                answer_http(stream, |offer| {
                    let _ = offers.send(offer);
                    let _ = waker.wake();
                })
            });
        }
    });
    println!(
        "{}",
        serde_json::json!({"event": "listening", "url": format!("http://{address}")})
    );
    Forwarder::new(poll)?.run(&inbox)
}

/// An offer from HTTP, and where its answer goes.
struct Offer {
    publish: bool,
    sdp: String,
    answer: SyncSender<String>,
}

fn answer_http(mut stream: TcpStream, submit: impl Fn(Offer)) -> io::Result<()> {
    let mut bytes = Vec::new();
    let (publish, sdp) = loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk)?;
        bytes.extend_from_slice(&chunk[..count]);
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(&bytes).map_err(io::Error::other)?;
        if count == 0 {
            return Ok(());
        }
        let httparse::Status::Complete(start) = parsed else {
            continue;
        };
        if request.method == Some("DELETE") {
            return stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        let length = request
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let length = length
            .and_then(|header| str::from_utf8(header.value).ok()?.parse().ok())
            .unwrap_or(0);
        if bytes.len() >= start + length {
            let publish = request.path.is_some_and(|path| path.starts_with("/whip"));
            break (
                publish,
                String::from_utf8_lossy(&bytes[start..start + length]).into_owned(),
            );
        }
    };
    let (answer, answered) = sync_channel(1);
    submit(Offer {
        publish,
        sdp,
        answer,
    });
    let body = answered
        .recv_timeout(Duration::from_secs(5))
        .map_err(io::Error::other)?;
    let head = "HTTP/1.1 201 Created\r\nContent-Type: application/sdp\r\nLocation: /session\r\nConnection: close";
    write!(
        stream,
        "{head}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

struct Session {
    rtc: Rtc,
    publish: bool,
    mid: Option<Mid>,
    connected: bool,
    sequence: u64,
    deadline: Instant,
}

struct Forwarder {
    poll: Poll,
    socket: Socket,
    sessions: Vec<Session>,
    by_address: HashMap<SocketAddr, usize>,
    media: Vec<RtpPacket>,
    key_frame_wanted: bool,
    batch: Batch,
}

impl Forwarder {
    fn new(poll: Poll) -> io::Result<Self> {
        let mut socket = Socket::bind(true)?;
        let _ = socket2::SockRef::from(&socket.io).set_send_buffer_size(4 << 20);
        poll.registry()
            .register(&mut socket.io, Token(0), Interest::READABLE)?;
        Ok(Self {
            poll,
            socket,
            sessions: Vec::new(),
            by_address: HashMap::new(),
            media: Vec::new(),
            key_frame_wanted: false,
            batch: Batch::default(),
        })
    }

    fn run(mut self, inbox: &Receiver<Offer>) -> Result<(), Failure> {
        let mut events = Events::with_capacity(16);
        let mut scratch = Scratch::new(true);
        loop {
            let now = Instant::now();
            let due = self
                .sessions
                .iter()
                .map(|session| session.deadline)
                .min()
                .unwrap_or(now + IDLE);
            self.poll
                .poll(&mut events, Some(due.saturating_duration_since(now)))?;
            while let Ok(offer) = inbox.try_recv() {
                self.accept(offer)?;
            }
            self.receive(&mut scratch)?;
            self.forward()?;
            let now = Instant::now();
            for index in 0..self.sessions.len() {
                if self.sessions[index].deadline <= now {
                    self.sessions[index].rtc.handle_input(Input::Timeout(now))?;
                    self.drain(index)?;
                }
            }
        }
    }

    fn accept(&mut self, offer: Offer) -> Result<(), Failure> {
        let now = Instant::now();
        let mut rtc = Rtc::builder()
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(self.socket.address, "udp")?);
        let answer = rtc
            .sdp_api()
            .accept_offer(SdpOffer::from_sdp_string(&offer.sdp)?)?;
        let _ = offer.answer.send(answer.to_sdp_string());
        let publish = offer.publish;
        self.sessions.push(Session {
            rtc,
            publish,
            mid: None,
            connected: false,
            sequence: 0,
            deadline: now,
        });
        self.drain(self.sessions.len() - 1)
    }

    fn receive(&mut self, scratch: &mut Scratch) -> Result<(), Failure> {
        while let Ok(count) = scratch.receive(&self.socket) {
            for (source, _, datagram) in scratch.datagrams(count) {
                self.datagram(source, datagram)?;
            }
        }
        Ok(())
    }

    fn datagram(&mut self, source: SocketAddr, datagram: &[u8]) -> Result<(), Failure> {
        let Ok(receive) = Receive::new(Protocol::Udp, source, self.socket.address, datagram) else {
            return Ok(());
        };
        let input = Input::Receive(Instant::now(), receive);
        let known = self.by_address.get(&source).copied();
        let unknown = || {
            self.sessions
                .iter()
                .position(|session| session.rtc.accepts(&input))
        };
        let Some(index) = known.or_else(unknown) else {
            return Ok(());
        };
        self.by_address.insert(source, index);
        self.sessions[index].rtc.handle_input(input)?;
        self.drain(index)
    }

    /// Hand what the publisher sent to every subscriber; one timeout and one drain for each.
    fn forward(&mut self) -> Result<(), Failure> {
        let media = std::mem::take(&mut self.media);
        let now = Instant::now();
        for index in 0..self.sessions.len() {
            let session = &mut self.sessions[index];
            let ready = session.connected && !session.publish && !media.is_empty();
            if let Some(mid) = session.mid.filter(|_| ready) {
                media
                    .iter()
                    .for_each(|packet| session.write(mid, packet, now));
                session.rtc.handle_input(Input::Timeout(now))?;
                self.drain(index)?;
            }
            let session = &mut self.sessions[index];
            if let Some(mid) = session
                .mid
                .filter(|_| session.publish && self.key_frame_wanted)
            {
                self.key_frame_wanted = false;
                if let Some(stream) = session.rtc.direct_api().stream_rx_by_mid(mid, None) {
                    stream.request_keyframe(KeyframeRequestKind::Pli);
                }
                self.drain(index)?;
            }
        }
        Ok(())
    }

    fn drain(&mut self, index: usize) -> Result<(), Failure> {
        let session = &mut self.sessions[index];
        loop {
            match session.rtc.poll_output()? {
                Output::Timeout(deadline) => break session.deadline = deadline,
                Output::Transmit(sent) => {
                    self.batch
                        .push(&self.socket, sent.destination, &sent.contents)?;
                }
                Output::Event(Event::Connected) => {
                    session.connected = true;
                    self.key_frame_wanted |= !session.publish;
                }
                Output::Event(Event::MediaAdded(added)) => session.mid = Some(added.mid),
                Output::Event(Event::RtpPacket(packet)) => self.media.push(packet),
                Output::Event(Event::KeyframeRequest(_)) => self.key_frame_wanted = true,
                Output::Event(_) => {}
            }
        }
        self.batch.flush(&self.socket)
    }
}

impl Session {
    fn write(&mut self, mid: Mid, packet: &RtpPacket, now: Instant) {
        let Some(pt) = self
            .rtc
            .media(mid)
            .and_then(|media| media.remote_pts().first().copied())
        else {
            return;
        };
        self.sequence += 1;
        let payload = Arc::clone(&packet.payload);
        let write = RtpWrite::new(
            pt,
            self.sequence.into(),
            packet.header.timestamp,
            now,
            payload,
        )
        .marker(packet.header.marker)
        .nackable(true);
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.write_rtp(write);
        }
    }
}

const WAKER: Token = Token(1);
const IDLE: Duration = Duration::from_secs(1);
