//! Media by TCP, for networks that let no UDP out (RFC 6544, RFC 4571).
//!
//! The web server accepts every connection of the one TCP port; those that begin with a framed STUN
//! check come here, descriptor and all, by way of the thread's inbox. What a connection may do:
//!
//! | state | may bring | ends |
//! |---|---|---|
//! | new | one check that its session verifies, at once | refused otherwise |
//! | verified | its session's datagrams, framed | with the session, or when the peer hangs up |
//!
//! Nothing is said to a connection that is refused. Frames out wait in a queue of bounded length,
//! whose oldest media goes first when it is full: late media is worth nothing, while what TLS and
//! ICE say is not sent again by TCP.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

use headwater_core::Verdict;
use headwater_core::ids::TcpId;
use mio::{Interest, Registry, Token};
use rustc_hash::FxHashMap;
use rustix::net::sockopt;

use crate::counters::Counters;
use crate::media_thread::MediaThread;

/// The TCP connections of one media thread.
pub(crate) struct TcpConnections {
    by_id: FxHashMap<TcpId, Connection>,
    last: u64,
    /// May have something to read.
    readable: VecDeque<TcpId>,
    /// Found broken while sending; the core has to be told.
    broken: Vec<TcpId>,
    scratch: Box<[u8]>,
}

/// One connection.
struct Connection {
    stream: mio::net::TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    /// The beginning of a frame whose end has not come.
    partial: Vec<u8>,
    queue: Queue,
    verified: bool,
    /// Waits in `readable`.
    listed: bool,
}

/// What became of a connection in one portion of reading.
enum Outcome {
    /// All was read.
    Empty,
    /// There may be more.
    More,
    /// The peer has hung up.
    Ended,
    /// Not a peer's, or not fit to be one.
    Refused,
}

impl TcpConnections {
    pub(crate) fn new() -> Self {
        Self {
            by_id: FxHashMap::default(),
            last: 0,
            readable: VecDeque::new(),
            broken: Vec::new(),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.readable.is_empty()
    }

    /// Whose event this is, when it is one of ours.
    pub(crate) fn ready(&mut self, event: &mio::event::Event, counters: &mut Counters) {
        let Some(id) = (event.token().0).checked_sub(FIRST_TOKEN.0) else {
            return;
        };
        let id = TcpId(id as u64);
        if let Some(connection) = self.by_id.get_mut(&id) {
            if event.is_writable() && connection.flush(counters).is_err() {
                self.broken.push(id);
            }
            self.list(id);
        }
    }

    fn list(&mut self, id: TcpId) {
        if let Some(connection) = self.by_id.get_mut(&id)
            && !std::mem::replace(&mut connection.listed, true)
        {
            self.readable.push_back(id);
        }
    }

    /// Take over an accepted connection.
    fn open(&mut self, registry: &Registry, descriptor: OwnedFd) -> io::Result<()> {
        if self.by_id.len() >= MAX_CONNECTIONS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let stream = std::net::TcpStream::from(descriptor);
        let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER)?;
        sockopt::set_tcp_user_timeout(&stream, GIVE_UP_MS)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        self.last += 1;
        let id = TcpId(self.last);
        let token = Token(FIRST_TOKEN.0 + self.last as usize);
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let connection = Connection {
            stream,
            peer,
            local,
            partial: Vec::new(),
            queue: Queue::default(),
            verified: false,
            listed: false,
        };
        self.by_id.insert(id, connection);
        self.list(id);
        Ok(())
    }

    /// Send datagrams of `segment` bytes each (the last may be shorter) as frames.
    pub(crate) fn send(
        &mut self,
        id: TcpId,
        contents: &[u8],
        segment: usize,
        counters: &mut Counters,
    ) {
        let Some(connection) = self.by_id.get_mut(&id) else {
            counters.send_errors += 1;
            return;
        };
        for datagram in contents.chunks(segment) {
            counters.tcp_dropped += connection.queue.push(datagram);
        }
        if connection.flush(counters).is_err() {
            self.broken.push(id);
        }
    }

    /// Close, after one more try to send what waits.
    pub(crate) fn hang_up(&mut self, id: TcpId, counters: &mut Counters) {
        if let Some(mut connection) = self.by_id.remove(&id) {
            let _ = connection.flush(counters);
        }
    }

    /// Close all.
    pub(crate) fn clear(&mut self) {
        self.by_id.clear();
        self.readable.clear();
        self.broken.clear();
    }
}

impl MediaThread {
    /// Connections that the web server has handed over.
    pub(crate) fn take_connections(&mut self) {
        for _ in 0..OPENED_PER_TURN {
            let Some(descriptor) = self.inbox().connections.pop() else {
                return;
            };
            match self.tcp.open(self.setup.poll.registry(), descriptor) {
                Ok(()) => self.counters.tcp_opened += 1,
                Err(error) => {
                    self.counters.tcp_refused += 1;
                    tracing::debug!(%error, "cannot take over a TCP connection");
                }
            }
        }
        if !self.inbox().connections.is_empty() {
            self.inbox().bell.ring(); // to ourselves: another turn
        }
    }

    /// Take what the connections have, a bounded portion of each.
    pub(crate) fn receive_tcp(&mut self) {
        for _ in 0..self.tcp.readable.len() {
            let Some(id) = self.tcp.readable.pop_front() else {
                break;
            };
            // Taken out for the time being, so that the loop may borrow the rest of `self`.
            let Some(mut connection) = self.tcp.by_id.remove(&id) else {
                continue;
            };
            connection.listed = false;
            match self.read(id, &mut connection) {
                outcome @ (Outcome::Empty | Outcome::More) => {
                    self.tcp.by_id.insert(id, connection);
                    if matches!(outcome, Outcome::More) {
                        self.tcp.list(id);
                    }
                }
                outcome => {
                    self.counters.tcp_refused += u64::from(matches!(outcome, Outcome::Refused));
                    self.sfu.disconnected(id);
                }
            }
            self.drain(Instant::now());
        }
        while let Some(id) = self.tcp.broken.pop() {
            if self.tcp.by_id.remove(&id).is_some() {
                self.sfu.disconnected(id);
            }
        }
    }

    fn read(&mut self, id: TcpId, connection: &mut Connection) -> Outcome {
        for _ in 0..READS_PER_TURN {
            let kept = connection.partial.len();
            self.tcp.scratch[..kept].copy_from_slice(&connection.partial);
            let count = match connection.stream.read(&mut self.tcp.scratch[kept..]) {
                Ok(0) => return Outcome::Ended,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return match connection.verified {
                        true => Outcome::Empty,
                        false => Outcome::Refused,
                    };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Outcome::Ended,
            };
            self.counters.receive_calls += 1;
            if !self.take_frames(id, connection, kept + count) {
                return Outcome::Refused;
            }
        }
        Outcome::More
    }

    /// Hands the frames among the first `len` bytes of the scratch buffer to the core.
    fn take_frames(&mut self, id: TcpId, connection: &mut Connection, len: usize) -> bool {
        let now = Instant::now();
        let mut at = 0;
        while let Some(head) = self.tcp.scratch[at..len].first_chunk::<HEAD>() {
            let size = usize::from(u16::from_be_bytes(*head));
            if size > MAX_FRAME {
                return false;
            }
            let Some(frame) = self.tcp.scratch[at..len].get(HEAD..HEAD + size) else {
                break;
            };
            at += HEAD + size;
            self.counters.datagrams_received += 1;
            self.counters.bytes_received += size as u64;
            let (peer, local) = (connection.peer, connection.local);
            if self.sfu.receive_tcp(now, id, peer, local, frame) == Verdict::Refuse {
                return false;
            }
            connection.verified = true;
        }
        connection.partial.clear();
        connection
            .partial
            .extend_from_slice(&self.tcp.scratch[at..len]);
        true
    }
}

impl Connection {
    /// Give the kernel what it takes of the queue.
    fn flush(&mut self, counters: &mut Counters) -> io::Result<()> {
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.queue.slices(&mut slices);
            match self.stream.write_vectored(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    counters.send_calls += 1;
                    counters.bytes_sent += written as u64;
                    counters.datagrams_sent += self.queue.advance(written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Frames that wait for the kernel.
#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    /// Bytes of the first frame that have left.
    sent: usize,
    bytes: usize,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Add a datagram; how many were dropped for it, itself included.
    fn push(&mut self, datagram: &[u8]) -> u64 {
        let size = HEAD + datagram.len();
        let Ok(head) = u16::try_from(datagram.len()) else {
            return 1;
        };
        let mut dropped = 0;
        while self.bytes + size > MAX_QUEUED {
            if !self.drop_oldest_media() {
                return dropped + 1; // only control waits here: as if UDP had lost this one
            }
            dropped += 1;
        }
        let mut frame = self.spare.pop().unwrap_or_default();
        frame.extend_from_slice(&head.to_be_bytes());
        frame.extend_from_slice(datagram);
        self.frames.push_back(frame);
        self.bytes += size;
        dropped
    }

    fn drop_oldest_media(&mut self) -> bool {
        let first = usize::from(self.sent > 0); // a frame that has begun to leave must end
        let media = |frame: &Vec<u8>| frame.get(HEAD).is_some_and(|byte| MEDIA.contains(byte));
        let found = self.frames.iter().skip(first).position(media);
        let Some(frame) = found.and_then(|place| self.frames.remove(first + place)) else {
            return false;
        };
        self.bytes -= frame.len();
        self.keep(frame);
        true
    }

    /// The bytes that wait, as many frames as fit; how many slices.
    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            let from = if count == 0 { self.sent } else { 0 };
            *slice = IoSlice::new(&frame[from..]);
            count += 1;
        }
        count
    }

    /// The kernel took `written` bytes; how many frames are through.
    fn advance(&mut self, written: usize) -> u64 {
        let mut left = self.sent + written;
        let mut through = 0;
        while let Some(frame) = self.frames.front()
            && frame.len() <= left
        {
            left -= frame.len();
            self.bytes -= frame.len();
            through += 1;
            let frame = self.frames.pop_front().unwrap_or_default();
            self.keep(frame);
        }
        self.sent = left;
        through
    }

    fn keep(&mut self, mut frame: Vec<u8>) {
        if self.spare.len() < MAX_SPARE {
            frame.clear();
            self.spare.push(frame);
        }
    }
}

/// Tokens of connections; far above those of the ports.
pub(crate) const FIRST_TOKEN: Token = Token(1 << 16);
/// First bytes of RTP and RTCP (RFC 7983).
const MEDIA: std::ops::RangeInclusive<u8> = 128..=191;
/// The length before each frame.
const HEAD: usize = 2;
/// No datagram of WebRTC is longer than an Ethernet frame.
const MAX_FRAME: usize = 1_500;
const SCRATCH: usize = 64 * 1024;
const READS_PER_TURN: usize = 4;
const OPENED_PER_TURN: usize = 64;
/// Connections of one media thread; each session has at most four.
const MAX_CONNECTIONS: usize = 8_192;
/// Bytes that wait for the kernel: half a second at 4 Mbit/s.
const MAX_QUEUED: usize = 256 * 1024;
const MAX_SPARE: usize = 32;
const SLICES: usize = 32;
/// What the kernel may hold: the most that is under way at 10 Mbit/s and 100 ms.
const SEND_BUFFER: usize = 128 * 1024;
/// Data unacknowledged for so long ends the connection; as long as a silent session lives.
const GIVE_UP_MS: u32 = 45_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn media(number: usize) -> Vec<u8> {
        let mut datagram = vec![0; 1_000];
        datagram[0] = 128;
        datagram[1] = number as u8;
        datagram
    }

    fn waiting(queue: &Queue) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = queue.slices(&mut slices);
        slices[..count]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect()
    }

    #[test]
    fn frames_carry_their_length_and_leave_in_order() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(&[1, 2, 3]) + queue.push(&[4]), 0);
        assert_eq!(waiting(&queue), [0, 3, 1, 2, 3, 0, 1, 4]);
    }

    #[test]
    fn a_part_taken_leaves_the_rest() {
        let mut queue = Queue::default();
        queue.push(&[1, 2, 3]);
        queue.push(&[4]);
        assert_eq!(queue.advance(5), 1);
        assert_eq!(waiting(&queue), [0, 1, 4]);
        assert_eq!((queue.advance(3), queue.bytes), (1, 0));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_full_queue_loses_its_oldest_media_and_no_control() {
        let mut queue = Queue::default();
        queue.push(&[22; 100]); // DTLS
        let mut dropped = 0;
        for number in 0..500 {
            dropped += queue.push(&media(number));
        }
        assert!(queue.bytes <= MAX_QUEUED);
        assert_eq!(queue.frames.len() as u64, 501 - dropped);
        assert_eq!(queue.frames[0][HEAD], 22);
        assert_eq!(queue.frames[1][HEAD + 1], dropped as u8);
    }

    #[test]
    fn a_frame_that_has_begun_to_leave_is_not_dropped() {
        let mut queue = Queue::default();
        queue.push(&media(1));
        queue.advance(10);
        while queue.push(&media(2)) == 0 {}
        assert_eq!(queue.frames[0][HEAD + 1], 1);
    }

    #[test]
    fn control_alone_is_bounded_too() {
        let mut queue = Queue::default();
        let dropped: u64 = (0..1_000).map(|_| queue.push(&[22; 1_000])).sum();
        assert!(dropped > 0 && queue.bytes <= MAX_QUEUED);
    }
}
