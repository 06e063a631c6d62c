//! The loop of one media thread.
//!
//! A turn: wait; take datagrams, letters and commands in bounded portions; run the core's timers when
//! they are due; then drain the core into the send batch and the outbox. A turn that leaves work
//! behind is followed by one that does not wait, so a busy socket starves neither timers nor
//! commands.
//!
//! A panic that leaves the core (those of a session do not) costs everything on this thread, but
//! not the thread: all open commands fail, all objects close, and it goes on with an empty core.

use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use headwater_core::command::Command;
use headwater_core::event::Event;
use headwater_core::ids::RequestId;
use headwater_core::{Sfu, SfuConfig};
use mio::{Events, Interest, Poll, Token};

use crate::counters::Counters;
use crate::exit::OWN;
use crate::inbox::{Inbox, Order};
use crate::ledger::{self, Ledger};
use crate::outbox::Waiting;
use crate::plain::{self, PlainSockets};
use crate::recording::RecordingSockets;
use crate::relay::Relaying;
use crate::send_batch::SendBatch;
use crate::signal::EventSignal;
use crate::steering::SteeringTable;
use crate::tape::Lead;
use crate::tcp::TcpConnections;
use crate::udp::{ReceiveBuffers, UdpPort};

/// What a media thread starts with.
pub(crate) struct Setup {
    pub(crate) index: u16,
    pub(crate) poll: Poll,
    pub(crate) ports: Vec<UdpPort>,
    pub(crate) candidates: Vec<SocketAddr>,
    pub(crate) tcp_candidates: Vec<SocketAddr>,
    pub(crate) inboxes: Arc<[Inbox]>,
    pub(crate) signal: Arc<EventSignal>,
    /// Takes the record of decisions, if one is made.
    pub(crate) record: Option<Lead>,
    /// Clients that ask for a heartbeat get one.
    pub(crate) heartbeats: bool,
}

/// One media thread's whole state.
pub(crate) struct MediaThread {
    pub(crate) setup: Setup,
    pub(crate) sfu: Sfu,
    /// When the core wants its timers run.
    pub(crate) deadline: Instant,
    pub(crate) buffers: ReceiveBuffers,
    pub(crate) batch: SendBatch,
    pub(crate) recordings: RecordingSockets,
    pub(crate) plains: PlainSockets,
    pub(crate) tcp: TcpConnections,
    pub(crate) steering: SteeringTable,
    pub(crate) ledger: Ledger,
    pub(crate) waiting: Waiting,
    pub(crate) relaying: Relaying,
    pub(crate) counters: Counters,
    pub(crate) published: Instant,
    /// CPU time of this thread when counters were last published.
    pub(crate) worked: Duration,
    /// Events were pushed in this turn.
    pub(crate) emitted: bool,
}

impl MediaThread {
    pub(crate) fn new(mut setup: Setup) -> std::io::Result<Self> {
        let now = Instant::now();
        for (number, port) in setup.ports.iter_mut().enumerate() {
            setup
                .poll
                .registry()
                .register(&mut port.socket, Token(number), Interest::READABLE)?;
        }
        Ok(Self {
            sfu: new_sfu(&setup)?,
            setup,
            deadline: now,
            buffers: ReceiveBuffers::new(),
            batch: SendBatch::new(),
            recordings: RecordingSockets::default(),
            plains: PlainSockets::default(),
            tcp: TcpConnections::new(),
            steering: SteeringTable::new(now),
            ledger: Ledger::default(),
            waiting: Waiting::default(),
            relaying: Relaying::default(),
            counters: Counters::default(),
            published: now,
            worked: Duration::ZERO,
            emitted: false,
        })
    }

    /// Run until told to stop. Returns the events that found no room in the outbox.
    pub(crate) fn run(mut self) -> Vec<Event> {
        let mut poll_events = Events::with_capacity(8);
        loop {
            self.wait(&mut poll_events);
            if self.inbox().stop.load(Ordering::SeqCst) {
                break;
            }
            // The state is either discarded (core, batch) or valid between any two statements
            // (queues, counters), so looking at it after a panic is sound.
            if let Err(cause) = panic::catch_unwind(AssertUnwindSafe(|| self.turn())) {
                self.recover(cause.as_ref());
            }
            self.hand_up();
        }
        if let Err(cause) = panic::catch_unwind(AssertUnwindSafe(|| self.close_everything())) {
            self.recover(cause.as_ref());
        }
        self.hand_up();
        if let Some(lead) = &self.setup.record {
            lead.finish(&mut self.sfu, self.setup.index);
        }
        self.publish_counters(Instant::now());
        self.waiting.into_events().into()
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.setup.inboxes[usize::from(self.setup.index)]
    }

    fn wait(&mut self, poll_events: &mut Events) {
        let now = Instant::now();
        let work_left = self.setup.ports.iter().any(|port| port.readable)
            || self.plains.has_work()
            || self.tcp.has_work();
        let timeout = if work_left {
            Duration::ZERO
        } else {
            let publish = self.published + PUBLISH_EVERY;
            self.deadline
                .min(publish)
                .saturating_duration_since(now)
                .min(self.relaying.patience().unwrap_or(LONGEST_WAIT))
        };
        match self.setup.poll.poll(poll_events, Some(timeout)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return,
            Err(error) => tracing::error!(%error, "cannot poll"),
        }
        for event in poll_events.iter() {
            match self.setup.ports.get_mut(event.token().0) {
                Some(port) => port.readable = true,
                None if event.token() == WAKER => {}
                None if event.token() >= plain::FIRST_TOKEN => self.plains.ready(event.token()),
                None => self.tcp.ready(event, &mut self.counters),
            }
        }
    }

    fn turn(&mut self) {
        self.counters.turns += 1;
        self.inbox().bell.silence();
        self.receive();
        self.receive_plain();
        self.take_connections();
        self.receive_tcp();
        self.take_letters();
        self.take_relayed();
        self.take_orders();
        let now = Instant::now();
        if now >= self.deadline {
            self.sfu.timeout(now);
            self.drain(now);
        }
        let publishes = now.duration_since(self.published) >= PUBLISH_EVERY;
        if publishes {
            self.publish_counters(now);
        }
        self.advance_record(if publishes { 0 } else { PIECE });
    }

    fn advance_record(&mut self, least: usize) {
        if let Some(lead) = &mut self.setup.record {
            let lost = lead.advance(&mut self.sfu, self.setup.index, least);
            self.counters.record_lost += lost;
        }
    }

    fn take_orders(&mut self) {
        for _ in 0..ORDERS_PER_TURN {
            let Some(order) = self.inbox().orders.pop() else {
                return;
            };
            match order {
                Order::Command(request, command) => self.execute(request, command),
                #[cfg(test)]
                Order::Panic => panic!("asked to"),
            }
        }
        if !self.inbox().orders.is_empty() {
            self.inbox().bell.ring(); // to ourselves: another turn
        }
    }

    fn execute(&mut self, request: RequestId, mut command: Command) {
        self.counters.commands += 1;
        self.ledger.command(request, &command);
        let registry = self.setup.poll.registry();
        let prepared = self.recordings.prepare(&command);
        if let Err(error) = prepared.and_then(|()| self.plains.prepare(&mut command, registry)) {
            self.exit().1.emit(Event::Reply {
                request,
                result: Err(error),
            });
            return;
        }
        let now = Instant::now();
        self.sfu.command(now, request, command);
        self.drain(now);
    }

    /// Take everything the core has to say.
    pub(crate) fn drain(&mut self, now: Instant) {
        let (sfu, mut exit) = self.exit();
        let deadline = sfu.drain(now, &mut exit);
        exit.send_batch();
        self.deadline = deadline;
        self.post_relayed();
    }

    /// Make this turn's events visible.
    fn hand_up(&mut self) {
        let inbox = &self.setup.inboxes[usize::from(self.setup.index)];
        if !self.waiting.is_empty() {
            self.waiting.flush(&inbox.outbox);
            self.emitted = true;
        }
        if std::mem::take(&mut self.emitted) {
            self.setup.signal.raise();
        }
    }

    /// The core panicked outside of a session: end everything it held and start with a new one.
    fn recover(&mut self, cause: &(dyn std::any::Any + Send)) {
        self.counters.thread_panics += 1;
        let text = cause.downcast_ref::<&str>().copied();
        let text = text.or_else(|| cause.downcast_ref::<String>().map(String::as_str));
        tracing::error!(
            thread = self.setup.index,
            cause = text.unwrap_or("?"),
            "a media thread panicked"
        );
        self.batch.clear();
        self.buffers = ReceiveBuffers::new(); // one of them may have been in use
        self.recordings.clear();
        self.plains.clear();
        self.relaying.reset(self.setup.index, &self.setup.inboxes);
        self.post_relayed();
        self.tcp.clear();
        let (objects, events) = self.ledger.end_everything();
        let inbox = &self.setup.inboxes[usize::from(self.setup.index)];
        for object in objects {
            ledger::uncount(inbox, object);
        }
        for event in events {
            self.waiting.emit(&inbox.outbox, event, &mut self.counters);
        }
        self.emitted = true;
        match new_sfu(&self.setup) {
            Ok(sfu) => self.sfu = sfu,
            Err(error) => tracing::error!(%error, "no randomness for a new core"),
        }
        self.deadline = Instant::now();
    }

    /// Say goodbye to every peer.
    fn close_everything(&mut self) {
        self.take_orders();
        for router in self.ledger.routers() {
            let now = Instant::now();
            self.sfu.command(now, OWN, Command::CloseRouter { router });
            self.drain(now);
        }
    }

    fn publish_load(&mut self, now: Instant) {
        let worked = thread_time();
        let spent = worked.saturating_sub(self.worked).as_micros() * 1000;
        let passed = now.duration_since(self.published).as_micros();
        self.worked = worked;
        if let Some(busy) = spent.checked_div(passed) {
            let busy = u32::try_from(busy).unwrap_or(u32::MAX);
            self.inbox().busy.store(busy, Ordering::Relaxed);
        }
    }

    fn publish_counters(&mut self, now: Instant) {
        self.publish_load(now);
        self.published = now;
        let mut values: Vec<_> = self.counters.values().collect();
        values.push(("steered_sources", self.steering.len() as u64));
        values.push(("tcp_connections", self.tcp.len() as u64));
        let (objects, commands) = self.ledger.len();
        values.push(("objects", objects as u64));
        values.push(("open_commands", commands as u64));
        values.extend(self.sfu.counters());
        if let Ok(mut published) = self.inbox().counters.try_lock() {
            *published = values;
        }
    }
}

/// CPU time of the calling thread.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn new_sfu(setup: &Setup) -> std::io::Result<Sfu> {
    let mut seed = [0; 32];
    rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty())?;
    let now = Instant::now();
    let mut sfu = Sfu::new(SfuConfig {
        thread: setup.index,
        candidates: setup.candidates.clone(),
        tcp_candidates: setup.tcp_candidates.clone(),
        seed,
        epoch: (now, SystemTime::now()),
        heartbeats: setup.heartbeats,
    });
    if setup.record.is_some() {
        sfu.record(now);
    }
    Ok(sfu)
}

/// Token of the waker; the ports' tokens are their positions.
pub(crate) const WAKER: Token = Token(usize::MAX);
/// Bytes of the record that are worth handing over before time has passed.
const PIECE: usize = 64 * 1024;
const ORDERS_PER_TURN: usize = 256;
const PUBLISH_EVERY: Duration = Duration::from_millis(250);
/// So that a wrong deadline is an annoyance and not a hang.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
