//! Media by TCP at a live Worker: a watcher behind a closed network, and what strangers try.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use common::Call;
use headwater_core::command::{Command, TransportOptions};
use headwater_core::event::Reply;
use headwater_core::ids::{PublisherId, SubscriberId, TransportId};
use headwater_sim::Peer;
use headwater_worker::{AdoptError, WorkerConfig};

/// A call whose node accepts TCP on its port.
struct Door {
    call: Call,
    listener: TcpListener,
}

/// A client whose datagrams are frames.
struct Client {
    peer: Peer,
    stream: TcpStream,
    buffer: Vec<u8>,
    first: Vec<u8>,
}

impl Door {
    fn open() -> Self {
        let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
        let call = Call::open_with(WorkerConfig {
            threads: 2,
            tcp: vec![localhost],
            ..WorkerConfig::default()
        });
        let listener = TcpListener::bind((localhost, call.worker.port())).expect("the same number");
        Self { call, listener }
    }

    /// Connects and sends `frame`, framed; hands it over as the web server does.
    fn send_first(&self, frame: &[u8]) -> (TcpStream, Result<(), AdoptError>) {
        let mut stream = TcpStream::connect(self.call.server()).expect("a listening port");
        stream.write_all(&framed(frame)).expect("room for a frame");
        let (accepted, _) = self.listener.accept().expect("a connection");
        let adopted = self.call.worker.adopt(accepted.into(), frame);
        (stream, adopted)
    }

    /// A client that has its answer and an open connection, with its first check sent.
    fn watch(&mut self, publisher: PublisherId) -> (Client, TransportId) {
        let transport = TransportId(self.call.handle());
        let router = self.call.router;
        let options = TransportOptions::default();
        self.call.command(Command::CreateSubscribeTransport {
            router,
            transport,
            options,
        });
        let items = vec![(SubscriberId(self.call.handle()), publisher)];
        let Reply::Offer { sdp, .. } = self.call.command(Command::Subscribe { transport, items })
        else {
            panic!("subscribe makes an offer")
        };
        // The port by which it will come is known when it comes.
        let address = "127.0.0.1:9".parse().expect("an address");
        let mut peer = Peer::by_tcp(address, Instant::now());
        let sdp = peer.answer(&sdp);
        self.call.command(Command::AcceptAnswer { transport, sdp });
        let end = Instant::now() + Duration::from_secs(10);
        let first = loop {
            assert!(Instant::now() < end, "the client makes no check");
            if let Some(check) = peer.drive(Instant::now()).pop_front() {
                break check.contents.to_vec();
            }
            self.call.turn();
        };
        let (stream, adopted) = self.send_first(&first);
        assert_eq!(adopted, Ok(()));
        stream.set_nonblocking(true).expect("a socket");
        let buffer = Vec::new();
        let client = Client {
            peer,
            stream,
            buffer,
            first,
        };
        (client, transport)
    }

    /// Turns until `done`.
    fn until(
        &mut self,
        client: &mut Client,
        what: &str,
        mut done: impl FnMut(&mut Call, &mut Client) -> bool,
    ) {
        let server = self.call.server();
        self.call.run_until(what, |call| {
            client.turn(server);
            done(call, client)
        });
    }
}

impl Client {
    fn turn(&mut self, server: std::net::SocketAddr) {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = self.stream.read(&mut chunk) {
            self.buffer.extend_from_slice(&chunk[..count]);
        }
        while let Some(head) = self.buffer.first_chunk::<2>() {
            let end = 2 + usize::from(u16::from_be_bytes(*head));
            let Some(frame) = self.buffer.get(2..end) else {
                break;
            };
            self.peer.receive(Instant::now(), server, frame);
            self.buffer.drain(..end);
        }
        for transmit in self.peer.drive(Instant::now()) {
            let _ = self.stream.write_all(&framed(&transmit.contents));
        }
    }
}

fn framed(frame: &[u8]) -> Vec<u8> {
    let mut bytes = (frame.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(frame);
    bytes
}

/// What the other side says before it hangs up; it has ten seconds.
fn last_words(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_nonblocking(false).expect("a socket");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a socket");
    let mut words = Vec::new();
    match stream.read_to_end(&mut words) {
        Ok(_) => words,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => words,
        Err(error) => panic!("still open: {error}"),
    }
}

/// Connections of this port that somebody here still holds: established, or closed by the other
/// side alone. Descriptors themselves are shared with the tests beside this one.
fn held(call: &Call) -> usize {
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("Linux");
    let local = format!(":{:04X}", call.worker.port());
    let ours = table.lines().skip(1).filter(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (address, _, state) = (words.next(), words.next(), words.next());
        address.is_some_and(|address| address.ends_with(&local))
            && matches!(state, Some("01" | "08"))
    });
    ours.count()
}

/// Video comes by TCP; with its transport the connection goes, and its descriptor.
#[test]
fn a_watcher_behind_a_closed_network() {
    let mut door = Door::open();
    let (alice, camera, publisher) = door.call.publish();
    let (mut bob, transport) = door.watch(publisher);
    door.until(&mut bob, "the watcher connects", |_, bob| {
        bob.peer.connected
    });
    let mut frames = 0;
    door.until(&mut bob, "video arrives", |call, bob| {
        frames += 1;
        let now = Instant::now();
        let sender = &mut call.peers[alice].peer;
        let asked = sender.key_frame_requests.drain(..).count() > 0;
        sender.send_video(now, camera, frames == 1 || asked, 3, 900);
        bob.peer.received.len() > 300
    });
    door.call
        .run_until("it is counted", |call| call.counter("tcp_connections") == 1);
    door.call.command(Command::CloseTransport { transport });
    last_words(&mut bob.stream);
    drop(bob);
    door.call.run_until("it is forgotten", |call| {
        call.counter("tcp_connections") == 0
    });
    assert_eq!(held(&door.call), 0);
    assert_eq!(door.call.counter("tcp_refused"), 0);
}

/// Nobody without a genuine check gets a word or keeps a descriptor.
#[test]
fn strangers_are_let_go() {
    let mut door = Door::open();
    let (_, _, publisher) = door.call.publish();
    let (mut bob, _) = door.watch(publisher);
    door.until(&mut bob, "the watcher connects", |_, bob| {
        bob.peer.connected
    });
    let mut forged = bob.first.clone();
    let integrity = forged.len() - 20;
    forged[integrity] ^= 1;
    // A check for one of our threads is handed over; that it is forged only its session can tell.
    let (mut stream, adopted) = door.send_first(&forged);
    assert_eq!(adopted, Ok(()));
    assert_eq!(last_words(&mut stream), []);
    let nobodys = ["\0\u{1}", "GET / HTTP/1.1\r\n\r\n"];
    for frame in nobodys
        .map(str::as_bytes)
        .into_iter()
        .chain([&[128; 60][..]])
    {
        let (mut stream, adopted) = door.send_first(frame);
        assert_eq!(adopted, Err(AdoptError::Stranger));
        assert_eq!(last_words(&mut stream), []);
        drop(stream);
    }
    // Somebody else's check, replayed from another place.
    let (mut stream, adopted) = door.send_first(&bob.first.clone());
    assert_eq!(adopted, Ok(()));
    assert_eq!(last_words(&mut stream), []);
    drop(stream);
    assert_eq!(held(&door.call), 1, "the watcher's");
    door.call.run_until("refusals are counted", |call| {
        call.counter("tcp_refused") == 2
    });
    assert_eq!(door.call.counter("tcp_connections"), 1);
    assert!(bob.peer.connected);
}

/// A peer that frames what no peer sends loses its connection.
#[test]
fn an_oversized_frame_ends_its_connection() {
    let mut door = Door::open();
    let (_, _, publisher) = door.call.publish();
    let (mut bob, _) = door.watch(publisher);
    door.until(&mut bob, "the watcher connects", |_, bob| {
        bob.peer.connected
    });
    bob.stream
        .write_all(&[0xff; 200])
        .expect("an open connection");
    last_words(&mut bob.stream);
    door.call.run_until("it is counted", |call| {
        (call.counter("tcp_refused"), call.counter("tcp_connections")) == (1, 0)
    });
}

/// Who does not read costs a bounded queue, and nobody else a packet.
#[test]
fn a_watcher_that_does_not_read_loses_the_oldest() {
    let mut door = Door::open();
    let (alice, camera, publisher) = door.call.publish();
    let (carol, _) = door.call.subscribe(publisher);
    let (mut bob, _) = door.watch(publisher);
    door.until(&mut bob, "the watcher connects", |_, bob| {
        bob.peer.connected
    });
    let mut frames = 0;
    door.call.run_until("the queue overflows", |call| {
        frames += 1;
        let now = Instant::now();
        let sender = &mut call.peers[alice].peer;
        sender.key_frame_requests.clear();
        sender.send_video(now, camera, frames == 1, 8, 1_100);
        call.counter("tcp_dropped") > 100
    });
    assert!(call_received(&door.call, carol) > 100);
    door.until(&mut bob, "it reads again", |_, bob| {
        bob.peer.received.len() > 100
    });
}

fn call_received(call: &Call, peer: usize) -> usize {
    call.peers[peer].peer.received.len()
}
