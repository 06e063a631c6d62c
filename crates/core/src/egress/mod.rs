//! What a subscribe transport sends: our own path from a publisher's packet to a sealed datagram.
//!
//! str0m keeps ICE, DTLS, SDP and SCTP of the connection and has no SRTP key (`crypto`). Media and
//! RTCP of both directions are here:
//!
//! ```text
//! Subscriber::forward ──► queue ──► flush, once per wake-up:  audio, repairs, video as paced
//!                                     header ─► payload ─► seal, all in the worker's send buffer
//! peer's SRTCP ──► feedback ──► NACK: repairs   RR: loss, rtt   TWCC: estimator   PLI, FIR: asked
//! ```
//!
//! Rules:
//! - One sealer for the connection, one counter for transport-cc, one place that writes reports.
//! - A packet has its numbers when it is queued. What is dropped here stays a hole that the peer
//!   sees; so only a video queue that stands for [`PATIENCE`] is dropped, whole, and a key frame
//!   asked for.
//! - The content of a packet is shared by queue, history and all subscribers.

mod content;
mod copies;
mod echo;
mod feedback;
mod header;
mod history;
mod hold;
mod pacer;
mod probe;
mod repair;
mod report;
mod stream;

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use rustc_hash::FxHashMap;
use slab::Slab;

use crate::bandwidth::{Estimator, LimitedBy, Limits, Sent, Usage};
use crate::crypto::Agreement;
use crate::event::TrackKind;
use crate::rewrite::Patch;
use crate::shared::Shared;
use crate::sink::{Path, Sink};
use crate::srtp::{Keys, Opener, Sealer};
use echo::Echo;
use header::{Fixed, Values};
use hold::Hold;
use pacer::Pacer;
use probe::Cluster;
use repair::{Flight, Spare, Wanted};

pub(crate) use content::{Carried, Content};
pub(crate) use feedback::{Asked, By};
pub(crate) use history::History;
pub(crate) use stream::{Heard, Newest, OutStream, Sources};

/// All that one subscribe transport sends.
pub(crate) struct Egress {
    pub(crate) streams: Slab<OutStream>,
    /// Streams by their SSRCs, repairs included.
    by_ssrc: FxHashMap<u32, usize>,
    /// Boxed: they are taken out and put back with every flush, and hold kilobytes of key schedule.
    seals: Option<Box<(Sealer, Opener)>>,
    audio: VecDeque<Queued>,
    video: VecDeque<Queued>,
    /// What the peer has lost.
    repairs: VecDeque<Wanted>,
    spares: VecDeque<Spare>,
    flight: Flight,
    /// Sound that goes out once more.
    echo: Echo,
    line: Line,
    hold: Hold,
    pacer: Pacer,
    /// Somebody keeps what is sent within the estimate, so pacing to it is right.
    governed: bool,
    pub(crate) estimator: Estimator,
    watch: Watch,
    /// The probe that is being sent.
    probe: Option<Cluster>,
    /// Next transport-wide sequence number.
    transport_cc: u64,
    /// Bytes that may still be spent on repairs.
    repair_budget: usize,
    cname: String,
    /// When sender reports are due.
    report_at: Option<Instant>,
    clock: Clock,
    pub(crate) dropped: u64,
}

/// The session's own clock: ms, wrapping after 49 days.
struct Clock {
    zero: Instant,
    /// What it was asked last: the packets of a burst have their moment in common.
    last: (Instant, u32),
}

impl Clock {
    const fn new(zero: Instant) -> Self {
        Self {
            zero,
            last: (zero, 0),
        }
    }

    fn millis(&mut self, at: Instant) -> u32 {
        if self.last.0 != at {
            let since = at.saturating_duration_since(self.zero);
            self.last = (at, since.as_millis() as u32);
        }
        self.last.1
    }
}

/// When the estimator wants to be asked. It lies far from what a flush touches, so it is asked when
/// its answer may be another.
#[derive(Clone, Copy, Default)]
enum Watch {
    /// It has learnt something since, or nothing was sent since it did.
    #[default]
    Now,
    /// Not before, if ever.
    At(Option<Instant>),
}

impl Watch {
    fn is_due(self, now: Instant) -> bool {
        match self {
            Self::Now => true,
            Self::At(at) => at.is_some_and(|at| at <= now),
        }
    }
}

/// What the line is like, as feedback says.
#[derive(Clone, Copy, Default)]
struct Line {
    /// Nothing waits on the way.
    has_room: bool,
    /// Share of packets lost, 0 to 1.
    loss: f64,
    /// It loses so much that sound goes out twice.
    sound_twice: bool,
    /// A queue on it is being emptied.
    drains: bool,
}

/// A packet with its numbers.
pub(crate) struct Queued {
    pub(crate) content: Shared<Content>,
    /// Place among the session's streams; short, as thousands of these are kept per session.
    pub(crate) stream: u16,
    /// Extended.
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    pub(crate) patch: Option<Patch>,
    pub(crate) frame_number: Option<u16>,
    /// It is the first after a switch: what was before it is of no use from here on.
    pub(crate) starts_run: bool,
    /// When it was queued, and once it is sent, when it left: ms on the session's own clock.
    pub(crate) since: u32,
}

impl Queued {
    /// Place among the session's streams.
    fn place(&self) -> usize {
        usize::from(self.stream)
    }

    pub(crate) fn payload_len(&self) -> usize {
        let (replaces, len) = self.patch.as_ref().map_or((0, 0), Patch::lens);
        self.content.payload.len().saturating_sub(replaces) + len
    }

    /// Writes the payload, its head replaced as the patch says.
    fn write_payload(&self, out: &mut [u8]) {
        let payload = &self.content.payload;
        match &self.patch {
            Some(patch) => {
                let head = patch.bytes();
                out[..head.len()].copy_from_slice(head);
                let tail = payload.get(patch.lens().0..).unwrap_or_default();
                out[head.len()..].copy_from_slice(tail);
            }
            None => out.copy_from_slice(payload),
        }
    }
}

/// Where a flush writes to, and when.
pub(crate) struct Outlet<'a, S> {
    pub(crate) now: Instant,
    pub(crate) wall: SystemTime,
    /// `wall` as abs-send-time has it.
    pub(crate) send_time: u32,
    pub(crate) path: Path,
    pub(crate) sink: &'a mut S,
    /// Room for one header.
    pub(crate) header: &'a mut Vec<u8>,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) repaired: u64,
}

/// What a flush left behind.
#[derive(Default)]
pub(crate) struct Flushed {
    /// When to flush again.
    pub(crate) next: Option<Instant>,
    /// Streams whose queue was dropped: they need a key frame.
    pub(crate) broken: Vec<usize>,
}

impl Egress {
    /// An egress that has no keys yet. `cname` names our clock (RFC 3550 section 6.5.1).
    pub(crate) fn new(cname: String, now: Instant) -> Self {
        Self {
            streams: Slab::new(),
            by_ssrc: FxHashMap::default(),
            seals: None,
            audio: VecDeque::new(),
            video: VecDeque::new(),
            repairs: VecDeque::new(),
            spares: VecDeque::new(),
            flight: Flight::default(),
            echo: Echo::default(),
            line: Line::default(),
            hold: Hold::default(),
            pacer: Pacer::default(),
            governed: false,
            estimator: Estimator::new(Limits::default()),
            watch: Watch::default(),
            probe: None,
            transport_cc: 0,
            repair_budget: REPAIR_START,
            cname,
            report_at: None,
            clock: Clock::new(now),
            dropped: 0,
        }
    }

    pub(crate) fn cname(&self) -> &str {
        &self.cname
    }

    /// The handshake has ended. Keys are taken once: a second pair would start its indices anew.
    pub(crate) fn set_keys(&mut self, agreement: &Agreement) {
        let keys = Keys::from_dtls(agreement.profile, &agreement.material, agreement.side);
        if let (None, Some((ours, theirs))) = (&self.seals, keys) {
            self.seals = Some(Box::new((Sealer::new(&ours), Opener::new(&theirs))));
        }
    }

    /// Takes a stream in; returns its place.
    pub(crate) fn add(&mut self, stream: OutStream) -> usize {
        let ssrc = stream.ssrc;
        let rtx = stream.repair.as_ref().map(|repair| repair.ssrc);
        let place = self.streams.insert(stream);
        self.by_ssrc.insert(ssrc, place);
        if let Some(rtx) = rtx {
            self.by_ssrc.insert(rtx, place);
        }
        place
    }

    /// Lets go of a stream and of what waits for it.
    pub(crate) fn remove(&mut self, place: usize) {
        if self.streams.try_remove(place).is_some() {
            self.by_ssrc.retain(|_, other| *other != place);
            self.audio.retain(|queued| queued.place() != place);
            self.video.retain(|queued| queued.place() != place);
            self.repairs.retain(|wanted| wanted.place != place);
            self.spares.retain(|spare| spare.place != place);
        }
    }

    /// What would be sent if the line could carry it, and what is to be sent, bit/s. Without it
    /// nothing is paced or probed: the estimate is only watched.
    #[allow(dead_code)] // for the allocator
    pub(crate) fn set_demand(&mut self, wanted: u64, sending: u64) {
        self.governed = true;
        self.estimator.set_demand(wanted, sending);
        self.pace();
    }

    /// Whether the peer counts our packets transport-wide.
    pub(crate) fn has_transport_cc(&self) -> bool {
        let mut streams = self.streams.iter();
        streams.any(|(_, stream)| stream.ids.transport_cc != 0)
    }

    /// Takes over the estimator's pacing rate.
    fn pace(&mut self) {
        self.watch = Watch::Now;
        if self.governed {
            self.pacer.set_rate(self.estimator.pacing_rate());
            // What a line lost because it is full must not fill it again.
            let most = self.estimator.estimate() / 8 * REPAIR_TIME / 1_000;
            self.repair_budget = self.repair_budget.min(most as usize);
            self.judge_line();
        }
    }

    /// The peer has spoken: a line that has collapsed gets nothing but sound, and the key frame of the
    /// smaller picture, until its queue is short again.
    fn rest_when_collapsed(&mut self, now: Instant) {
        let state = self.estimator.state();
        let drains = self.governed && state.limited_by == LimitedBy::Drain;
        let before = std::mem::replace(&mut self.line.drains, drains);
        match (before, drains) {
            (false, true) => self.pacer.rest(now),
            (true, true) if state.queue > DEEP => self.pacer.rest_on(now),
            (true, false) => self.pacer.wake(),
            _ => {}
        }
    }

    /// Whether the next picture may leave.
    fn may_leave(&self, now: Instant) -> bool {
        let Some(front) = self.video.front() else {
            return false;
        };
        let opens = |stream: &OutStream| stream.run_timestamp == Some(front.timestamp);
        self.pacer.allows(now)
            || (self.pacer.may_open(now) && self.streams.get(front.place()).is_some_and(opens))
    }

    /// What repairs and sound need to know of the line.
    fn judge_line(&mut self) {
        let state = self.estimator.state();
        let has_video = |(_, stream): (_, &OutStream)| stream.kind == TrackKind::Video;
        let line = &mut self.line;
        line.has_room = state.queue < STANDING && state.usage != Usage::Over;
        line.loss = state.loss;
        // What is sent twice counts as one number: without video only what both lost is seen.
        let enough = match line.sound_twice {
            false => BAD_LINE,
            true if self.streams.iter().any(has_video) => BAD_LINE / 2.0,
            true => BAD_LINE * BAD_LINE,
        };
        line.sound_twice = line.has_room && line.loss >= enough && state.estimate >= ROOM_FOR_SOUND;
    }

    /// A stream has lost its subscriber and waits for the next.
    pub(crate) fn forget(&mut self, stream: Option<usize>) {
        if let Some(stream) = stream.and_then(|place| self.streams.get_mut(place)) {
            stream.history.clear();
        }
    }

    /// A packet for the next flush. `newest` is its place on the media clock.
    pub(crate) fn queue(&mut self, mut packet: Queued, newest: Newest) {
        packet.since = self.clock.millis(newest.arrival);
        let Some(stream) = self.streams.get_mut(packet.place()) else {
            return;
        };
        stream.note(newest);
        if packet.starts_run {
            stream.run = packet.sequence;
            stream.run_timestamp = Some(packet.timestamp);
            if self.line.drains {
                // On a line that has collapsed what was before it only delays it.
                let before = self.video.len();
                self.video.retain(|queued| queued.place() != packet.place());
                self.dropped += (before - self.video.len()) as u64;
            }
            stream.run_since = packet.since;
        }
        let kind = stream.kind;
        let queue = match kind {
            TrackKind::Audio => &mut self.audio,
            TrackKind::Video => &mut self.video,
        };
        if queue.len() < MAX_QUEUE {
            queue.push_back(packet);
        } else {
            self.dropped += 1;
        }
    }

    /// Sends what is due.
    pub(crate) fn flush<S: Sink>(&mut self, out: &mut Outlet<'_, S>) -> Flushed {
        let mut flushed = Flushed::default();
        let Some(mut seals) = self.seals.take() else {
            self.forget_queues();
            return flushed;
        };
        let before = out.packets;
        self.repeat_sound(out);
        let sealer = &mut seals.0;
        while let Some(packet) = self.audio.pop_front() {
            self.send(sealer, packet, out);
        }
        while self.pacer.allows(out.now)
            && let Some(wanted) = self.repairs.pop_front()
        {
            self.repair(sealer, wanted, out);
        }
        self.send_spares(sealer, out);
        self.drop_stale(out.now, &mut flushed);
        while self.may_leave(out.now)
            && let Some(packet) = self.video.pop_front()
        {
            self.send(sealer, packet, out);
        }
        let asks = self.probe.is_some() || self.watch.is_due(out.now);
        let probing = match self.governed && asks {
            true => self.advance_probe(sealer, out),
            false => None,
        };
        if self.report_at.is_none_or(|at| at <= out.now) {
            self.report(sealer, out);
        }
        let waits = !self.video.is_empty() || !self.repairs.is_empty();
        let paced = waits.then(|| self.pacer.next(out.now));
        let watching = match self.watch {
            Watch::At(at) if !asks => at,
            _ => self.ask_estimator(out.packets > before),
        };
        let spare = self.spares.front().map(|spare| spare.due);
        flushed.next = [probing, paced, watching, self.echo.next(), spare]
            .into_iter()
            .flatten()
            .min();
        self.seals = Some(seals);
        flushed
    }

    /// Asks the estimator when it wants to be asked again. Its answer stands until it learns something,
    /// once `sent`: from then on it waits for the peer's word.
    fn ask_estimator(&mut self, sent: bool) -> Option<Instant> {
        let at = self.estimator.next_timeout();
        self.watch = match sent && self.probe.is_none() {
            true => Watch::At(at),
            false => Watch::Now,
        };
        at
    }

    /// The peer has another address.
    pub(crate) fn moved(&mut self, now: Instant) {
        self.estimator.on_path_change(now);
        self.watch = Watch::Now;
    }

    /// The round trip to the peer as its reports say.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.streams.iter().find_map(|(_, stream)| stream.heard.rtt)
    }

    /// Time has come to the moment that a flush named.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.estimator.on_timeout(now);
        self.pace();
    }

    fn forget_queues(&mut self) {
        self.dropped += (self.audio.len() + self.video.len()) as u64;
        self.audio.clear();
        self.video.clear();
        self.repairs.clear();
        self.spares.clear();
    }

    /// A picture that waited this long is of no use: the line does not carry the stream.
    fn drop_stale(&mut self, now: Instant, flushed: &mut Flushed) {
        if self.video.is_empty() {
            return;
        }
        let now = self.clock.millis(now);
        while let Some(oldest) = self.video.front()
            && now.wrapping_sub(oldest.since) > self.patience(now, oldest.place())
        {
            let stream = oldest.place();
            let before = self.video.len();
            self.video.retain(|queued| queued.place() != stream);
            self.dropped += (before - self.video.len()) as u64;
            flushed.broken.push(stream);
        }
    }

    /// How long a picture of a stream may wait, ms. A new run begins with a key frame, which may be
    /// larger than what the line carries meanwhile: who drops it asks for another of the same size.
    fn patience(&self, now: u32, stream: usize) -> u32 {
        match self.streams.get(stream) {
            Some(stream) if now.wrapping_sub(stream.run_since) < CATCH_UP => FIRST_PATIENCE,
            _ => PATIENCE,
        }
    }

    fn send<S: Sink>(&mut self, sealer: &mut Sealer, packet: Queued, out: &mut Outlet<'_, S>) {
        let stream = &mut self.streams[packet.place()];
        let fixed = Fixed {
            payload_type: packet.payload_type,
            marker: packet.marker,
            padding: false,
            sequence: packet.sequence as u16,
            timestamp: packet.timestamp,
            ssrc: stream.ssrc,
        };
        let values = Values {
            mid: (!stream.known).then(|| &*stream.mid),
            transport_cc: self.transport_cc as u16,
            send_time: out.send_time,
            carried: Some(&packet.content.carried),
            frame_number: packet.frame_number,
            playout: self.hold.tell(&mut stream.release),
        };
        header::write(out.header, &fixed, &stream.ids, &values);
        let payload = packet.payload_len();
        let write = |room: &mut [u8]| packet.write_payload(room);
        let twice = stream.kind == TrackKind::Audio && self.line.sound_twice;
        let echo = twice.then_some((&mut self.echo, out.now));
        let copies = stream.copies.as_mut();
        let keep = |datagram: &[u8]| {
            if let Some((echo, now)) = echo {
                echo.push(now, datagram);
            }
            if let Some(copies) = copies {
                copies.keep(packet.sequence as u16, datagram);
            }
        };
        let sequence = packet.sequence;
        let Some(len) = out.seal_and(sealer, payload, sequence, write, keep) else {
            self.dropped += 1;
            return;
        };
        stream.packets = stream.packets.wrapping_add(1);
        stream.octets = stream.octets.wrapping_add(payload as u32);
        stream.fresh = true;
        let counted = stream.ids.transport_cc != 0;
        let (place, sequence) = (packet.place(), packet.sequence as u16);
        let is_repairable = stream.repair.is_some();
        if is_repairable {
            stream.history.push(packet, self.clock.millis(out.now));
        }
        let share = if self.line.has_room { 1 } else { REPAIR_SHARE };
        self.repair_budget = (self.repair_budget + len / share).min(REPAIR_MOST);
        self.account(out.now, len, counted);
        if counted && is_repairable {
            self.flight.name(place, sequence, false);
        }
    }

    /// Answers a request for a packet of sound.
    fn send_copy<S: Sink>(&mut self, place: usize, sequence: u16, out: &mut Outlet<'_, S>) {
        let now = self.clock.millis(out.now);
        let Some(stream) = self.streams.get_mut(place) else {
            return;
        };
        let round_trip = stream.heard.rtt.map_or(AGAIN, |rtt| rtt.as_millis() as u32);
        let copies = stream.copies.as_mut();
        let copy = copies.and_then(|copies| copies.again(sequence, now, round_trip.min(AGAIN)));
        let Some(datagram) = copy.filter(|datagram| datagram.len() <= self.repair_budget) else {
            return;
        };
        out.send(datagram);
        out.repaired += 1;
        stream.heard.retransmitted += 1;
        let len = datagram.len();
        self.repair_budget -= len;
        self.account(out.now, len, false);
    }

    /// A datagram has left; `counted` when it carried a transport-wide number.
    fn account(&mut self, now: Instant, len: usize, counted: bool) {
        self.pacer.sent(now, len);
        if counted {
            self.estimator.on_sent(Sent {
                sequence: self.transport_cc,
                at: now,
                bytes: (len + WIRE) as u32,
                probe: self.probe.as_ref().map(Cluster::id),
            });
            self.transport_cc += 1;
            self.flight.push();
        }
        if let Some(probe) = &mut self.probe {
            probe.note(len + WIRE);
        }
    }
}

impl<S: Sink> Outlet<'_, S> {
    /// Seals header and payload in the sink's room and commits them. Returns the datagram's length;
    /// None when the packet must not leave.
    fn seal(
        &mut self,
        sealer: &mut Sealer,
        payload: usize,
        sequence: u64,
        write: impl FnOnce(&mut [u8]),
    ) -> Option<usize> {
        self.seal_and(sealer, payload, sequence, write, |_| {})
    }

    /// As [`Self::seal`]; `keep` sees the datagram before it goes.
    fn seal_and(
        &mut self,
        sealer: &mut Sealer,
        payload: usize,
        sequence: u64,
        write: impl FnOnce(&mut [u8]),
        keep: impl FnOnce(&[u8]),
    ) -> Option<usize> {
        let header = self.header.len();
        let len = header + payload + sealer.profile().rtp_overhead();
        let room = self.sink.lend(&self.path, len);
        room[..header].copy_from_slice(self.header);
        write(&mut room[header..header + payload]);
        sealer.seal_rtp(header, payload, room, sequence).ok()?;
        keep(&room[..len]);
        self.committed(len);
        Some(len)
    }

    /// A datagram that is sealed already.
    fn send(&mut self, datagram: &[u8]) {
        let room = self.sink.lend(&self.path, datagram.len());
        room.copy_from_slice(datagram);
        self.committed(datagram.len());
    }

    fn committed(&mut self, len: usize) {
        self.sink.commit();
        self.packets += 1;
        self.bytes += len as u64;
    }
}

/// Longest that a picture waits for the line, ms.
const PATIENCE: u32 = 500;
/// The same soon after a new run began, ms; and how long it has until it must have caught up.
const FIRST_PATIENCE: u32 = 2_000;
const CATCH_UP: u32 = 4_000;
/// Packets that wait in one queue of one session: a second and a half of 20 Mbit/s.
const MAX_QUEUE: usize = 3_000;
/// Repairs on a full line may take one part in so many of what is sent: the rest is for what is new.
const REPAIR_SHARE: usize = 5;
/// Share of packets lost from which sound is sent twice, and the least estimate for it, bit/s.
const BAD_LINE: f64 = 0.04;
const ROOM_FOR_SOUND: u64 = 300_000;
/// Packets that wait this long on the way stand in a queue.
const STANDING: Duration = Duration::from_millis(30);
/// While packets wait longer than this on a collapsed line, video rests.
const DEEP: Duration = Duration::from_millis(300);
/// What gathers for repairs is at most what the line carries in this time, ms.
const REPAIR_TIME: u64 = 300;
/// Repair budget at the start, and what gathers at most, bytes: a lost key frame.
const REPAIR_START: usize = 64 * 1024;
const REPAIR_MOST: usize = 256 * 1024;
/// The same packet is not sent again within this time, ms, or a round trip if that is shorter.
const AGAIN: u32 = 100;
/// Bytes of IP (version 6) and UDP headers.
const WIRE: usize = 48;
/// Bytes of the original sequence number before a retransmitted payload (RFC 4588 section 4).
const ORIGINAL: usize = 2;
/// How often sender reports go out.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
