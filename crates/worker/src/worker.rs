//! The Worker: opens the port, starts the media threads, carries commands down and events up, and
//! gives everything back in [`Worker::close`].
//!
//! Nothing here waits for a media thread except `close`, which joins them.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use headwater_core::command::Command;
use headwater_core::event::Event;
use headwater_core::ids::{HandleAllocator, RequestId};
use mio::{Poll, Waker};

use crate::inbox::{Inbox, MAX_IN_FLIGHT, Order};
use crate::interfaces;
use crate::ledger;
use crate::media_thread::{MediaThread, Setup, WAKER};
use crate::signal::{Bell, EventSignal};
use crate::tape::{RecordConfig, Tape};
use crate::udp::UdpPort;

/// How to open a Worker.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Number of media threads.
    pub threads: u16,
    /// The UDP port of all threads; 0 lets the kernel pick one.
    pub port: u16,
    /// Local addresses to advertise; empty means all of them.
    pub addresses: Vec<IpAddr>,
    /// Addresses to advertise besides, such as a NAT's outside.
    pub announce: Vec<IpAddr>,
    /// Keep private addresses out of the candidates.
    pub announce_only: bool,
    /// Addresses on which somebody accepts TCP on this port for us ([`Worker::adopt`]); an
    /// unspecified one stands for all of its family. Announced as ICE-TCP candidates.
    pub tcp: Vec<IpAddr>,
    /// Record what enters decisions.
    pub record: Option<RecordConfig>,
    /// Clients that ask for a heartbeat get one.
    pub heartbeats: bool,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            threads: 1,
            port: 0,
            addresses: Vec::new(),
            announce: Vec::new(),
            announce_only: false,
            tcp: Vec::new(),
            record: None,
            heartbeats: true,
        }
    }
}

/// What a media thread carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Transports that exist or are being made.
    pub transports: u32,
    /// CPU time per wall time lately, per mille of a core.
    pub busy: u32,
}

/// Why a Worker cannot open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another program, or another Worker, holds the port.
    #[error("UDP port {0} is taken by another program")]
    PortInUse(u16),
    /// The configuration makes no sense.
    #[error("{0}")]
    Configuration(&'static str),
    /// The system refuses.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a command was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The Worker is closed.
    #[error("the Worker is closed")]
    Closed,
    /// The handle names a media thread that does not exist.
    #[error("no media thread {0}")]
    NoSuchThread(u16),
    /// Too many commands wait for their replies to be drained.
    #[error("{0} commands wait for a reply; drain events first")]
    Busy(usize),
}

/// Why a TCP connection was not taken over. It is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The Worker is closed.
    #[error("the Worker is closed")]
    Closed,
    /// What it begins with is not a STUN check for one of our media threads.
    #[error("not a STUN check of ours")]
    Stranger,
    /// The media thread has too many new connections already.
    #[error("too many new connections")]
    Busy,
}

/// Owns the media threads and their sockets.
#[derive(Debug)]
pub struct Worker {
    port: u16,
    threads: u16,
    candidates: Vec<SocketAddr>,
    handles: Mutex<HandleAllocator>,
    requests: AtomicU64,
    running: Mutex<Option<Running>>,
    /// What the threads left behind when they ended.
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Running {
    inboxes: Arc<[Inbox]>,
    signal: Arc<EventSignal>,
    joins: Vec<JoinHandle<Vec<Event>>>,
    tape: Option<Tape>,
    /// Where the next drain begins, so that no thread is always last.
    next: usize,
}

#[derive(Debug, Default)]
struct Last {
    events: VecDeque<Event>,
    counters: Vec<(&'static str, u64)>,
}

impl Worker {
    /// Bind the port and start the threads.
    pub fn open(config: &WorkerConfig) -> Result<Self, OpenError> {
        if config.threads == 0 || config.threads > MAX_THREADS {
            return Err(OpenError::Configuration(
                "a Worker has 1 to 256 media threads",
            ));
        }
        let ports = bind_all(config)?;
        let port = ports[0][0].port();
        let ipv6 = ports[0].len() > 1;
        let addresses = interfaces::advertised(config, ipv6).map_err(system("list interfaces"))?;
        if addresses.is_empty() {
            return Err(OpenError::Configuration("no address is left to advertise"));
        }
        let candidates: Vec<_> = addresses
            .iter()
            .map(|ip| SocketAddr::new(*ip, port))
            .collect();
        let tcp_candidates: Vec<_> = candidates
            .iter()
            .filter(|candidate| interfaces::listens(config, candidate.ip()))
            .copied()
            .collect();
        let tape = config.record.as_ref().map(Tape::open).transpose();
        let tape = tape.map_err(system("open the record of decisions"))?;
        let running = Running::start(ports, &candidates, &tcp_candidates, tape, config.heartbeats)?;
        Ok(Self {
            port,
            threads: config.threads,
            candidates,
            handles: Mutex::default(),
            requests: AtomicU64::new(1),
            running: Mutex::new(Some(running)),
            last: Mutex::default(),
        })
    }

    /// The UDP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The number of media threads.
    pub const fn threads(&self) -> u16 {
        self.threads
    }

    /// Advertised addresses.
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }

    /// A handle on the media thread that carries least.
    pub fn allocate_router(&self) -> Result<u64, SendError> {
        let running = lock(&self.running);
        let inboxes = &running.as_ref().ok_or(SendError::Closed)?.inboxes;
        let load = |inbox: &Inbox| {
            inbox
                .routers
                .load(Ordering::Relaxed)
                .saturating_add(inbox.transports.load(Ordering::Relaxed))
        };
        let (thread, _) = (0_u16..)
            .zip(inboxes.iter())
            .min_by_key(|(_, inbox)| load(inbox))
            .unwrap_or_else(|| unreachable!("a Worker has at least one media thread"));
        Ok(lock(&self.handles).allocate(thread))
    }

    /// What each media thread carries, by its number.
    pub fn loads(&self) -> Result<Vec<Load>, SendError> {
        let running = lock(&self.running);
        let inboxes = &running.as_ref().ok_or(SendError::Closed)?.inboxes;
        let load = |inbox: &Inbox| Load {
            transports: inbox.transports.load(Ordering::Relaxed),
            busy: inbox.busy.load(Ordering::Relaxed),
        };
        Ok(inboxes.iter().map(load).collect())
    }

    /// A handle on `thread`.
    pub fn allocate(&self, thread: u16) -> u64 {
        lock(&self.handles).allocate(thread)
    }

    /// Send a command to a media thread. Its outcome comes as [`Event::Reply`].
    pub fn send(&self, thread: u16, command: Command) -> Result<RequestId, SendError> {
        let running = lock(&self.running);
        let inboxes = &running.as_ref().ok_or(SendError::Closed)?.inboxes;
        let inbox = inboxes
            .get(usize::from(thread))
            .ok_or(SendError::NoSuchThread(thread))?;
        if inbox.in_flight.fetch_add(1, Ordering::SeqCst) >= MAX_IN_FLIGHT {
            inbox.in_flight.fetch_sub(1, Ordering::SeqCst);
            return Err(SendError::Busy(MAX_IN_FLIGHT));
        }
        ledger::count(inbox, &command);
        let request = RequestId(self.requests.fetch_add(1, Ordering::Relaxed));
        if inbox.orders.push(Order::Command(request, command)).is_err() {
            unreachable!("the queue is as long as what may be in flight");
        }
        inbox.bell.ring();
        Ok(request)
    }

    /// Take over an accepted TCP connection. `check` is the first frame that lies in it unread
    /// (a STUN check without its length); the ufrag in it names the media thread.
    pub fn adopt(&self, connection: OwnedFd, check: &[u8]) -> Result<(), AdoptError> {
        let running = lock(&self.running);
        let inboxes = &running.as_ref().ok_or(AdoptError::Closed)?.inboxes;
        let thread = headwater_core::thread_of_check(check).ok_or(AdoptError::Stranger)?;
        let inbox = inboxes.get(usize::from(thread));
        let inbox = inbox.ok_or(AdoptError::Stranger)?;
        inbox
            .connections
            .push(connection)
            .map_err(|_| AdoptError::Busy)?;
        inbox.bell.ring();
        Ok(())
    }

    /// Readable when events wait. Closed, and so invalid, after [`Worker::close`].
    pub fn event_fd(&self) -> Result<RawFd, SendError> {
        lock(&self.running)
            .as_ref()
            .map(|running| running.signal.raw_fd())
            .ok_or(SendError::Closed)
    }

    /// Take up to `limit` events. When there are more, the descriptor stays readable.
    pub fn drain(&self, limit: usize) -> Vec<Event> {
        match lock(&self.running).as_mut() {
            Some(running) => running.drain(limit),
            None => {
                let events = &mut lock(&self.last).events;
                let count = limit.min(events.len());
                events.drain(..count).collect()
            }
        }
    }

    /// Counters of all threads, summed; up to 250 ms old.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        match lock(&self.running).as_ref() {
            Some(running) => running.counters(),
            None => lock(&self.last).counters.clone(),
        }
    }

    /// Stop and join every thread, close every descriptor. Events that were not drained can still
    /// be drained. Does nothing the second time.
    pub fn close(&self) {
        // Taken out first: callers that come while we join find the Worker closed.
        let Some(running) = lock(&self.running).take() else {
            return;
        };
        let last = running.stop();
        *lock(&self.last) = last;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.close();
    }
}

impl Running {
    fn start(
        ports: Vec<Vec<UdpPort>>,
        candidates: &[SocketAddr],
        tcp_candidates: &[SocketAddr],
        tape: Option<Tape>,
        heartbeats: bool,
    ) -> Result<Self, OpenError> {
        let mut polls = Vec::new();
        let mut inboxes = Vec::new();
        for _ in &ports {
            let poll = Poll::new().map_err(system("make a poll"))?;
            let waker = Waker::new(poll.registry(), WAKER).map_err(system("make a waker"))?;
            inboxes.push(Inbox::new(Bell::new(waker)));
            polls.push(poll);
        }
        let signal = Arc::new(EventSignal::new().map_err(system("make an eventfd"))?);
        let mut running = Self {
            inboxes: inboxes.into(),
            signal,
            joins: Vec::new(),
            tape,
            next: 0,
        };
        for ((index, poll), ports) in (0_u16..).zip(polls).zip(ports) {
            let inboxes = Arc::clone(&running.inboxes);
            let signal = Arc::clone(&running.signal);
            let setup = Setup {
                index,
                poll,
                ports,
                candidates: candidates.to_vec(),
                tcp_candidates: tcp_candidates.to_vec(),
                inboxes,
                signal,
                record: running.tape.as_ref().map(Tape::lead),
                heartbeats,
            };
            match start_thread(setup) {
                Ok(join) => running.joins.push(join),
                Err(source) => {
                    running.stop();
                    return Err(OpenError::System {
                        what: "start a media thread",
                        source,
                    });
                }
            }
        }
        Ok(running)
    }

    fn drain(&mut self, limit: usize) -> Vec<Event> {
        self.signal.lower();
        let mut events = Vec::new();
        let count = self.inboxes.len();
        for offset in 0..count {
            let inbox = &self.inboxes[(self.next + offset) % count];
            while events.len() < limit
                && let Some(event) = inbox.outbox.pop()
            {
                if matches!(event, Event::Reply { .. }) {
                    inbox.in_flight.fetch_sub(1, Ordering::SeqCst);
                }
                events.push(event);
            }
            if inbox.outbox.take_waiting() {
                inbox.bell.ring();
            }
        }
        self.next = (self.next + 1) % count;
        if self.inboxes.iter().any(|inbox| !inbox.outbox.is_empty()) {
            self.signal.raise();
        }
        events
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let mut sums: Vec<(&'static str, u64)> = Vec::new();
        for inbox in self.inboxes.iter() {
            for (name, value) in lock(&inbox.counters).iter() {
                match sums.iter_mut().find(|(known, _)| known == name) {
                    Some((_, sum)) => *sum += value,
                    None => sums.push((name, *value)),
                }
            }
        }
        sums
    }

    fn stop(self) -> Last {
        for inbox in self.inboxes.iter() {
            inbox.stop.store(true, Ordering::SeqCst);
            inbox.bell.ring();
        }
        let mut left_over = Vec::new();
        for join in self.joins {
            match join.join() {
                Ok(events) => left_over.push(events),
                Err(_) => tracing::error!("a media thread died"),
            }
        }
        let mut last = Last::default();
        for (position, inbox) in self.inboxes.iter().enumerate() {
            while let Some(event) = inbox.outbox.pop() {
                last.events.push_back(event);
            }
            if let Some(events) = left_over.get_mut(position) {
                last.events.extend(events.drain(..));
            }
        }
        if let Some(tape) = self.tape {
            tape.finish();
        }
        last.counters = Self {
            joins: Vec::new(),
            tape: None,
            ..self
        }
        .counters();
        last
    }
}

fn start_thread(setup: Setup) -> io::Result<JoinHandle<Vec<Event>>> {
    let name = format!("hw-media-{}", setup.index);
    let thread = MediaThread::new(setup)?;
    thread::Builder::new()
        .name(name)
        .stack_size(STACK)
        .spawn(move || thread.run())
}

/// Sockets of every thread: IPv4 first, then IPv6 where the machine has it.
fn bind_all(config: &WorkerConfig) -> Result<Vec<Vec<UdpPort>>, OpenError> {
    let bind = |ipv6, port, share| UdpPort::bind_media(ipv6, port, share).map_err(bind_error(port));
    let mut attempts = if config.port == 0 {
        EPHEMERAL_ATTEMPTS
    } else {
        1
    };
    let (v4, v6) = loop {
        attempts -= 1;
        let v4 = bind(false, config.port, false)?;
        match UdpPort::bind_media(true, v4.port(), false) {
            Ok(v6) => break (v4, Some(v6)),
            // The number is free for IPv4 but not for IPv6: another number, when we may choose.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if attempts == 0 {
                    return Err(OpenError::PortInUse(v4.port()));
                }
            }
            Err(error) => {
                tracing::info!(%error, "no IPv6 on this machine");
                break (v4, None);
            }
        }
    };
    let port = v4.port();
    let has_ipv6 = v6.is_some();
    let mut all = vec![std::iter::once(v4).chain(v6).collect::<Vec<_>>()];
    for _ in 1..config.threads {
        let mut ports = vec![bind(false, port, true)?];
        if has_ipv6 {
            ports.push(bind(true, port, true)?);
        }
        all.push(ports);
    }
    Ok(all)
}

fn bind_error(port: u16) -> impl Fn(io::Error) -> OpenError {
    move |source| match source.kind() {
        io::ErrorKind::AddrInUse => OpenError::PortInUse(port),
        _ => OpenError::System {
            what: "bind the UDP port",
            source,
        },
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::System { what, source }
}

/// A poisoned lock here guards plain values that are valid at every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MAX_THREADS: u16 = 256;
const EPHEMERAL_ATTEMPTS: u32 = 16;
/// DTLS handshakes and SDP are the deepest; unoptimised builds need more.
const STACK: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use headwater_core::command::{CodecKind, RouterOptions, StatsTarget, TransportOptions};
    use headwater_core::event::{CloseReason, Reply};
    use headwater_core::ids::{ObjectId, PublisherId, RouterId, SubscriberId, TransportId};
    use headwater_sim::Peer;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use str0m::media::MediaKind;

    use super::*;

    fn open(threads: u16) -> Worker {
        Worker::open(&WorkerConfig {
            threads,
            ..WorkerConfig::default()
        })
        .unwrap()
    }

    /// Drain until `enough`, waiting on the descriptor.
    fn drain_until(worker: &Worker, enough: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut events = Vec::new();
        while !enough(&events) {
            assert!(Instant::now() < deadline, "events so far: {events:?}");
            {
                let running = lock(&worker.running);
                let fd = running.as_ref().unwrap().signal.fd();
                let timeout = Timespec {
                    tv_sec: 1,
                    tv_nsec: 0,
                };
                poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout)).unwrap();
            }
            events.extend(worker.drain(100));
        }
        events
    }

    fn panic_thread(worker: &Worker, thread: usize) {
        let running = lock(&worker.running);
        let inbox = &running.as_ref().unwrap().inboxes[thread];
        inbox.orders.push(Order::Panic).unwrap();
        inbox.bell.ring();
    }

    fn create_router(worker: &Worker) -> RouterId {
        let router = RouterId(worker.allocate_router().unwrap());
        let options = RouterOptions { codecs: Vec::new() };
        worker
            .send(router.thread(), Command::CreateRouter { router, options })
            .unwrap();
        drain_until(worker, |events| {
            events
                .iter()
                .any(|event| matches!(event, Event::Reply { result: Ok(_), .. }))
        });
        router
    }

    #[test]
    fn a_panic_outside_of_a_session_closes_what_the_thread_had_and_it_goes_on() {
        let worker = open(1);
        let router = create_router(&worker);
        panic_thread(&worker, 0);
        // Behind the panic in the same queue: executed by the new core.
        let after = worker
            .send(
                0,
                Command::GetStats {
                    target: StatsTarget::Thread,
                },
            )
            .unwrap();
        let events = drain_until(&worker, |events| {
            events
                .iter()
                .any(|event| matches!(event, Event::Reply { request, .. } if *request == after))
        });
        let closed = |event: &&Event| {
            let ours = ObjectId::Router(router);
            matches!(event, Event::Closed { object, reason: CloseReason::Panic } if *object == ours)
        };
        assert_eq!(events.iter().filter(closed).count(), 1, "{events:?}");
        create_router(&worker);
        worker.close();
        assert!(worker.counters().contains(&("thread_panics", 1)));
    }

    #[test]
    fn a_panic_on_one_thread_leaves_the_others_alone() {
        let worker = open(2);
        let (first, second) = (create_router(&worker), create_router(&worker));
        assert_ne!(first.thread(), second.thread());
        panic_thread(&worker, usize::from(first.thread()));
        drain_until(&worker, |events| matches!(events, [Event::Closed { .. }]));
        worker
            .send(second.thread(), Command::CloseRouter { router: second })
            .unwrap();
        let events = drain_until(&worker, |events| events.len() >= 2);
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::Reply { result: Ok(_), .. })),
            "{events:?}"
        );
    }

    /// The value of a command's reply.
    fn ask(worker: &Worker, thread: u16, command: Command) -> Reply {
        let asked = worker.send(thread, command).unwrap();
        let is_reply =
            |event: &Event| matches!(event, Event::Reply { request, .. } if *request == asked);
        let events = drain_until(worker, |events| events.iter().any(is_reply));
        match events.into_iter().find(is_reply) {
            Some(Event::Reply { result, .. }) => result.unwrap(),
            _ => unreachable!(),
        }
    }

    /// A new transport on a thread.
    fn add_transport(
        worker: &Worker,
        thread: u16,
        create: impl FnOnce(TransportId) -> Command,
    ) -> TransportId {
        let transport = TransportId(worker.allocate(thread));
        ask(worker, thread, create(transport));
        transport
    }

    /// A room on both threads: a camera on the first, its subscriber on the second.
    fn spread_room(worker: &Worker) -> (PublisherId, SubscriberId) {
        let home = RouterId(worker.allocate(0));
        let options = RouterOptions {
            codecs: vec![CodecKind::Vp8],
        };
        let create = Command::CreateRouter {
            router: home,
            options: options.clone(),
        };
        ask(worker, 0, create);
        let router = RouterId(worker.allocate(1));
        let branch = Command::CreateBranch {
            router,
            home,
            options,
        };
        ask(worker, 1, branch);
        let options = TransportOptions::default();
        let transport = add_transport(worker, 0, |transport| Command::CreatePublishTransport {
            router: home,
            transport,
            options,
        });
        let address = "127.0.0.1:9".parse().unwrap();
        let mut peer = Peer::new(address, Instant::now(), |config| config);
        let (sdp, mids) = peer.offer(&[(MediaKind::Video, "camera")], &[]);
        ask(worker, 0, Command::AcceptOffer { transport, sdp });
        let publisher = PublisherId(worker.allocate(0));
        let mid = mids[0].to_string();
        let publish = Command::Publish {
            transport,
            publisher,
            mid,
        };
        ask(worker, 0, publish);
        let transport = add_transport(worker, 1, |transport| Command::CreateSubscribeTransport {
            router,
            transport,
            options,
        });
        let subscriber = SubscriberId(worker.allocate(1));
        let items = vec![(subscriber, publisher)];
        let reply = ask(worker, 1, Command::Subscribe { transport, items });
        assert!(matches!(reply, Reply::Offer { .. }), "{reply:?}");
        (publisher, subscriber)
    }

    #[test]
    fn a_panic_on_the_givers_thread_ends_what_it_gave() {
        let worker = open(2);
        let (publisher, subscriber) = spread_room(&worker);
        panic_thread(&worker, 0);
        let ends = [
            (ObjectId::Publisher(publisher), CloseReason::Panic),
            (
                ObjectId::Subscriber(subscriber),
                CloseReason::PublisherClosed,
            ),
        ];
        let told = |events: &[Event], end: &(ObjectId, CloseReason)| {
            let is_end = |event: &&Event| matches!(event, Event::Closed { object, reason } if (*object, *reason) == *end);
            events.iter().filter(is_end).count()
        };
        let events = drain_until(&worker, |events| {
            ends.iter().all(|end| told(events, end) > 0)
        });
        assert!(ends.iter().all(|end| told(&events, end) == 1), "{events:?}");
        // Both threads go on, and with each other.
        spread_room(&worker);
        worker.close();
        assert!(worker.counters().contains(&("relay_timeouts", 0)));
    }

    #[test]
    fn a_panic_on_the_takers_thread_leaves_the_giver_alone() {
        let worker = open(2);
        let (publisher, _) = spread_room(&worker);
        panic_thread(&worker, 1);
        drain_until(&worker, |events| {
            let closed = |event: &Event| {
                matches!(
                    event,
                    Event::Closed {
                        object: ObjectId::Router(_),
                        ..
                    }
                )
            };
            events.iter().any(closed)
        });
        let command = Command::SetPublisherPaused {
            publisher,
            paused: true,
        };
        ask(&worker, 0, command);
        let events = worker.drain(100);
        let lost =
            |event: &Event| matches!(event, Event::Closed { object, .. } if object.thread() == 0);
        assert!(!events.iter().any(lost), "{events:?}");
        spread_room(&worker);
        worker.close();
        assert!(worker.counters().contains(&("relayed_tracks", 0)));
    }

    #[test]
    fn closing_the_worker_closes_its_routers() {
        let worker = open(2);
        let routers = [create_router(&worker), create_router(&worker)];
        worker.close();
        let events = worker.drain(100);
        for router in routers {
            let closed = |event: &&Event| matches!(event, Event::Closed { object, .. } if *object == ObjectId::Router(router));
            assert_eq!(events.iter().filter(closed).count(), 1, "{events:?}");
        }
    }
}
