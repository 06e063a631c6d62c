//! Where the core's output goes: datagrams into the send batch, values to whom they concern.
//!
//! A run of datagrams leaves when something comes that does not continue it, and at the end of the
//! drain. What closes an object waits until the run before it has left.

use headwater_core::event::Event;
use headwater_core::ids::{RequestId, TcpId};
use headwater_core::sink::{Path, Sink};
use headwater_core::{Output, Sfu, Socket};

use crate::counters::Counters;
use crate::ledger::{self, Ledger};
use crate::media_thread::{MediaThread, Setup};
use crate::outbox::Waiting;
use crate::plain::PlainSockets;
use crate::recording::RecordingSockets;
use crate::relay::Relaying;
use crate::send_batch::{Flow, SendBatch};
use crate::tcp::TcpConnections;

/// A media thread without its core, so that the core can write to it.
pub(crate) struct Exit<'a> {
    setup: &'a mut Setup,
    batch: &'a mut SendBatch,
    recordings: &'a mut RecordingSockets,
    plains: &'a mut PlainSockets,
    tcp: &'a mut TcpConnections,
    ledger: &'a mut Ledger,
    waiting: &'a mut Waiting,
    relaying: &'a mut Relaying,
    counters: &'a mut Counters,
    emitted: &'a mut bool,
}

impl MediaThread {
    /// The core, and where its output goes.
    pub(crate) const fn exit(&mut self) -> (&mut Sfu, Exit<'_>) {
        let exit = Exit {
            setup: &mut self.setup,
            batch: &mut self.batch,
            recordings: &mut self.recordings,
            plains: &mut self.plains,
            tcp: &mut self.tcp,
            ledger: &mut self.ledger,
            waiting: &mut self.waiting,
            relaying: &mut self.relaying,
            counters: &mut self.counters,
            emitted: &mut self.emitted,
        };
        (&mut self.sfu, exit)
    }
}

impl Exit<'_> {
    /// Makes an event visible to Python.
    pub(crate) fn emit(&mut self, event: Event) {
        let inbox = &self.setup.inboxes[usize::from(self.setup.index)];
        for object in self.ledger.event(&event) {
            self.recordings.closed(object);
            self.plains.closed(object);
            ledger::uncount(inbox, object);
        }
        self.waiting.emit(&inbox.outbox, event, self.counters);
        *self.emitted = true;
    }

    /// Sends the run that was gathered.
    pub(crate) fn send_batch(&mut self) {
        let Some((socket, run)) = self.batch.run() else {
            return;
        };
        let port = match socket {
            Socket::Tcp(connection) => {
                let (contents, segment) = (run.contents, run.segment);
                self.tcp.send(connection, contents, segment, self.counters);
                self.batch.clear();
                return;
            }
            Socket::Media => {
                let family = usize::from(run.destination.is_ipv6());
                self.setup.ports.get_mut(family)
            }
            Socket::Recording(transport) => self.recordings.get(transport),
            Socket::Plain(transport) => self.plains.get(transport, false),
            Socket::PlainRtcp(transport) => self.plains.get(transport, true),
        };
        match port {
            Some(port) => port.send(&run, self.counters),
            None => self.counters.send_errors += 1,
        }
        self.batch.clear();
    }

    /// Letters to siblings leave before we seal: the sibling has as much to do.
    fn post_relayed(&mut self) {
        if self.relaying.is_fresh() {
            let inboxes = &self.setup.inboxes;
            self.counters.relay_dropped += self.relaying.post(self.setup.index, inboxes);
        }
    }

    fn hang_up(&mut self, connection: TcpId) {
        self.send_batch(); // the last words may be in it
        self.tcp.hang_up(connection, self.counters);
    }
}

impl Sink for Exit<'_> {
    fn lend(&mut self, path: &Path, len: usize) -> &mut [u8] {
        let flow = Flow::new(path.socket, Some(path.source), path.destination);
        if !self.batch.fits(flow, len) {
            self.send_batch();
        }
        if self.batch.is_empty() {
            self.post_relayed();
        }
        self.batch.lend(flow, len)
    }

    fn commit(&mut self) {
        self.batch.commit();
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Transmit(transmit) => {
                let len = transmit.contents.len();
                if len == 0 {
                    return; // nothing in WebRTC is empty
                }
                let flow = Flow::new(transmit.socket, transmit.source, transmit.destination);
                if !self.batch.fits(flow, len) {
                    self.send_batch();
                }
                self.batch
                    .lend(flow, len)
                    .copy_from_slice(&transmit.contents);
                self.batch.commit();
            }
            Output::HangUp(connection) => self.hang_up(connection),
            Output::Event(Event::Reply { request: OWN, .. }) => {}
            Output::Event(event) => {
                if matches!(event, Event::Closed { .. }) {
                    self.send_batch(); // the last packets may need a socket that closes now
                }
                self.emit(event);
            }
            Output::Relay { thread, message } => self.relaying.add(thread, message),
        }
    }
}

/// The request number of commands that come from the thread itself; callers count from 1.
pub(crate) const OWN: RequestId = RequestId(0);
