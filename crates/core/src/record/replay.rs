//! Takes the decisions of a record again, with the code that took them, and compares.
//!
//! Each media thread of the record gets a core of its own. A core hears what the recorded one heard
//! behind DTLS; it never opens a datagram, so its sessions have no DTLS and seal under zeroes.
//! Two things of the record are not taken as they are: no peer falls silent (timeouts are endless;
//! states are in the record), and str0m names the m-lines of an offer by chance, so an answer is
//! rewritten to the names of this offer.

use std::collections::VecDeque;
use std::time::{Duration, Instant, UNIX_EPOCH};

use rustc_hash::FxHashMap;

use super::wire::{Reader, Wire};
use super::{Kind, MAGIC, VERSION, sample};
use crate::command::{Command, TransportOptions};
use crate::crypto::Agreement;
use crate::event::ConnectionState;
use crate::ids::{ObjectId, PublisherId, RequestId, TransportId};
use crate::journal::{Decision, Facts};
use crate::relay::RelayMessage;
use crate::sfu::Sfu;
use crate::sink::{Path, Sink};
use crate::srtp::{Profile, Side as DtlsSide};
use crate::transport::path::Check;
use crate::transport::webrtc::{Side, contained};
use crate::{Output, SfuConfig, Socket};

/// A decision of the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The media thread.
    pub thread: u16,
    /// Since the start of that thread's record.
    pub at: Duration,
    /// Whose decision: a subscriber, a publisher or a transport.
    pub owner: ObjectId,
    /// See [`crate::journal::Told::what`].
    pub what: &'static str,
    /// On what grounds.
    pub facts: Facts,
}

/// What came of a replay.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// The decisions of the record, in its order.
    pub steps: Vec<Step>,
    /// Frames that were played.
    pub inputs: u64,
    /// Threads whose record ends before the run did.
    pub cut: Vec<u16>,
    /// Where replay and record part first.
    pub difference: Option<String>,
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It does not begin as records do.
    #[error("not a record of decisions")]
    Stranger,
    /// Another version wrote it.
    #[error("a record of format {0}; this version reads format {VERSION}")]
    Version(u16),
    /// What is written there makes no sense.
    #[error("damaged at byte {0}")]
    Damaged(usize),
}

/// Plays a whole file. `origin` is any moment; time is counted from there.
///
/// # Errors
/// The file cannot be read as a record. One that ends in the middle of a chunk was cut when the
/// process ended, and is played as far as it goes.
pub fn replay(file: &[u8], origin: Instant) -> Result<Replay, ReplayError> {
    let mut rest = Reader(file);
    if rest.bytes(MAGIC.len()) != Some(MAGIC) {
        return Err(ReplayError::Stranger);
    }
    let version = rest.bytes(2).ok_or(ReplayError::Stranger)?;
    let version = u16::from_le_bytes([version[0], version[1]]);
    if version != VERSION {
        return Err(ReplayError::Version(version));
    }
    let mut players: FxHashMap<u16, Player> = FxHashMap::default();
    let mut outcome = Replay::default();
    while let Some((thread, frames)) = chunk(&mut rest) {
        let player = players
            .entry(thread)
            .or_insert_with(|| Player::new(thread, origin));
        if frames.is_empty() {
            outcome.cut.push(thread);
            continue;
        }
        let mut frames = Reader(frames);
        while !frames.0.is_empty() {
            let at = frames.0.as_ptr().addr() - file.as_ptr().addr();
            let damaged = ReplayError::Damaged(at);
            let frame = frames.block().ok_or_else(|| damaged.clone())?;
            player.play(frame, &mut outcome).ok_or(damaged)?;
        }
    }
    let mut threads: Vec<_> = players.into_iter().collect();
    threads.sort_unstable_by_key(|(thread, _)| *thread);
    for (thread, player) in threads {
        player.finish(outcome.cut.contains(&thread), &mut outcome);
    }
    Ok(outcome)
}

fn chunk<'a>(rest: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let head = rest.bytes(6)?;
    let thread = u16::from_le_bytes([head[0], head[1]]);
    let len = u32::from_le_bytes([head[2], head[3], head[4], head[5]]);
    Some((thread, rest.bytes(len as usize)?))
}

/// One media thread of a record.
struct Player {
    thread: u16,
    origin: Instant,
    now: Instant,
    sfu: Option<Sfu>,
    /// Decisions of the replay that the record has not named yet.
    ours: VecDeque<Taken>,
}

/// A decision with its owner and time.
#[derive(Debug, PartialEq)]
struct Taken {
    at: Instant,
    owner: ObjectId,
    decision: Decision,
}

impl Player {
    const fn new(thread: u16, origin: Instant) -> Self {
        Self {
            thread,
            origin,
            now: origin,
            sfu: None,
            ours: VecDeque::new(),
        }
    }

    fn play(&mut self, frame: &[u8], outcome: &mut Replay) -> Option<()> {
        let mut body = Reader(frame);
        let kind = Kind::from_byte(body.byte()?)?;
        self.pass(body.number()?)?;
        match kind {
            Kind::Start => self.start(&mut body)?,
            Kind::Decision => {
                let taken = Taken {
                    at: self.now,
                    owner: Wire::take(&mut body)?,
                    decision: Wire::take(&mut body)?,
                };
                self.compare(taken, outcome);
            }
            input => {
                outcome.inputs += 1;
                let now = self.now;
                let sfu = self.sfu.as_mut()?;
                // What no run of ours can have written may break an invariant.
                contained(|| sfu.play(now, input, &mut body)).ok()??;
                self.collect()?;
            }
        }
        Some(())
    }

    /// Time passes, or is set back a little.
    fn pass(&mut self, passed: u64) -> Option<()> {
        let step = Duration::from_nanos(passed >> 1);
        self.now = match passed & 1 {
            0 => self.now.checked_add(step)?,
            _ => self.now.checked_sub(step)?,
        };
        let since = self.now.checked_duration_since(self.origin)?;
        (since < LONGEST).then_some(())
    }

    fn start(&mut self, body: &mut Reader<'_>) -> Option<()> {
        let thread = u16::take(body)?;
        let seed = body.bytes(32)?.try_into().ok()?;
        let wall = Duration::from_nanos(u64::take(body)?);
        let mut sfu = Sfu::new(SfuConfig {
            thread,
            candidates: Vec::new(),
            tcp_candidates: Vec::new(),
            seed,
            epoch: (self.now, UNIX_EPOCH.checked_add(wall)?),
            heartbeats: true, // decides nothing
        });
        sfu.record(self.now);
        self.sfu = Some(sfu);
        self.collect()
    }

    /// Takes the decisions out of what the replaying core has recorded itself.
    fn collect(&mut self) -> Option<()> {
        let Some(frames) = self.sfu.as_mut()?.take_record(0) else {
            return Some(());
        };
        let mut frames = Reader(&frames);
        while !frames.0.is_empty() {
            let mut body = Reader(frames.block()?);
            let kind = Kind::from_byte(body.byte()?)?;
            body.number()?;
            if kind == Kind::Decision {
                self.ours.push_back(Taken {
                    at: self.now,
                    owner: Wire::take(&mut body)?,
                    decision: Wire::take(&mut body)?,
                });
            }
        }
        Some(())
    }

    fn compare(&mut self, recorded: Taken, outcome: &mut Replay) {
        let ours = self.ours.pop_front();
        if outcome.difference.is_none() && ours.as_ref() != Some(&recorded) {
            let told = |taken: &Taken| {
                let at = taken.at.duration_since(self.origin).as_secs_f64();
                format!("{at:.6} s {:?} {:?}", taken.owner, taken.decision)
            };
            let ours = ours.as_ref().map_or("nothing".to_owned(), told);
            outcome.difference = Some(format!(
                "thread {}: recorded {}, replayed {ours}",
                self.thread,
                told(&recorded)
            ));
        }
        outcome.steps.push(Step {
            thread: self.thread,
            at: recorded.at.duration_since(self.origin),
            owner: recorded.owner,
            what: recorded.decision.what(),
            facts: recorded.decision.facts(),
        });
    }

    /// What we decided and the record does not know. At a cut the last input may stand without its
    /// decisions.
    fn finish(self, is_cut: bool, outcome: &mut Replay) {
        if let Some(taken) = self.ours.front().filter(|_| !is_cut)
            && outcome.difference.is_none()
        {
            let at = taken.at.duration_since(self.origin).as_secs_f64();
            outcome.difference = Some(format!(
                "thread {}: recorded nothing, replayed {at:.6} s {:?} {:?}",
                self.thread, taken.owner, taken.decision
            ));
        }
    }
}

impl Sfu {
    /// Plays one frame, and lets what follows from it end.
    fn play(&mut self, now: Instant, kind: Kind, body: &mut Reader<'_>) -> Option<()> {
        match kind {
            Kind::Start | Kind::Decision => {}
            Kind::Command => {
                let request = RequestId::take(body)?;
                let command = self.adapted(Wire::take(body)?);
                self.command(now, request, command);
            }
            Kind::Relay => {
                let from = u16::take(body)?;
                self.relay(now, from, RelayMessage::read(body, now)?);
            }
            Kind::Packet => self.play_packet(now, body)?,
            Kind::Timeout => self.timeout(now),
            Kind::Reap => {
                self.doomed = Wire::take(body)?;
                self.reap(now);
            }
            Kind::Feedback | Kind::Flush | Kind::Keys | Kind::State | Kind::Moved => {
                let transport = TransportId::take(body)?;
                if let Some(place) = self.plain_place(transport) {
                    let feedback = body.block()?;
                    self.take_plain_feedback(place, now, feedback);
                }
                // Gone already where replay and record have parted.
                if let Ok(key) = self.session_key(transport) {
                    self.play_session(now, kind, key, body)?;
                }
            }
        }
        self.stand_still(now);
        Some(())
    }

    fn play_packet(&mut self, now: Instant, body: &mut Reader<'_>) -> Option<()> {
        let publisher = PublisherId::take(body)?;
        let rid = Wire::take(body)?;
        let rtp = sample::take(body, now)?;
        if let Ok(key) = self.publisher_key(publisher)
            && let Some(format) = self.format_of(key, *rtp.header.payload_type)
        {
            self.hear_voice(key, &rtp, now);
            self.take_packet(key, &rtp, rid, format, now);
        }
        Some(())
    }

    fn play_session(
        &mut self,
        now: Instant,
        kind: Kind,
        key: usize,
        body: &mut Reader<'_>,
    ) -> Option<()> {
        match kind {
            Kind::Feedback => {
                let feedback = body.block()?;
                self.take_feedback(key, now, feedback);
            }
            Kind::Keys => {
                let profile = Profile::take(body)?;
                if let Side::Subscribe(subscribing) = &mut self.sessions[key].side {
                    subscribing.egress.set_keys(&Agreement {
                        profile,
                        material: vec![0; profile.keying_material()],
                        side: DtlsSide::Server,
                    });
                }
            }
            Kind::State => {
                let state = ConnectionState::take(body)?;
                self.sessions[key].state = state;
                if state == ConnectionState::Connected {
                    self.refresh_gates(key, now);
                }
            }
            Kind::Moved => {
                if let Side::Subscribe(subscribing) = &mut self.sessions[key].side {
                    subscribing.egress.moved(now);
                }
            }
            _ => {
                let check = Check {
                    priority: 0,
                    nominates: true,
                };
                self.sessions[key].paths.check(now, NOWHERE, check);
                self.sessions[key].dirty = false;
                self.flush_egress(key, now, &mut Nowhere(Vec::new()));
            }
        }
        Some(())
    }

    /// A command as it must be here.
    fn adapted(&self, command: Command) -> Command {
        let endless = |options| TransportOptions {
            disconnected_timeout: LONGEST * 2,
            failed_timeout: LONGEST * 2,
            ..options
        };
        match command {
            Command::CreatePublishTransport {
                router,
                transport,
                options,
            } => Command::CreatePublishTransport {
                router,
                transport,
                options: endless(options),
            },
            Command::CreateSubscribeTransport {
                router,
                transport,
                options,
            } => Command::CreateSubscribeTransport {
                router,
                transport,
                options: endless(options),
            },
            Command::AcceptAnswer { transport, sdp } => Command::AcceptAnswer {
                sdp: self.renamed(transport, sdp),
                transport,
            },
            other => other,
        }
    }

    /// An answer with the m-lines named as in our open offer.
    fn renamed(&self, transport: TransportId, answer: String) -> String {
        let offer = self.session_key(transport).ok().and_then(|key| {
            let Side::Subscribe(subscribing) = &self.sessions[key].side else {
                return None;
            };
            subscribing.last_offer.as_deref()
        });
        let Some(offer) = offer else {
            return answer;
        };
        let mids = |sdp: &str| -> Vec<String> {
            let lines = sdp.lines().filter_map(|line| line.strip_prefix("a=mid:"));
            lines.map(|mid| mid.trim().to_owned()).collect()
        };
        let names: FxHashMap<String, String> = mids(&answer).into_iter().zip(mids(offer)).collect();
        let renamed = |line: &str| match line.split_once(':') {
            Some(("a=mid", mid)) => {
                let name = names.get(mid.trim()).map_or(mid, String::as_str);
                format!("a=mid:{name}\r\n")
            }
            Some(("a=group", group)) => {
                let words = group.split_ascii_whitespace();
                let words = words.map(|word| names.get(word).map_or(word, String::as_str));
                format!("a=group:{}\r\n", words.collect::<Vec<_>>().join(" "))
            }
            _ => format!("{line}\r\n"),
        };
        answer.lines().map(renamed).collect()
    }

    /// Lets str0m do what a drain would, and forgets what there is to send.
    fn stand_still(&mut self, now: Instant) {
        while let Some(key) = self.dirty.pop_front() {
            let Some(session) = self.sessions.get_mut(key) else {
                continue;
            };
            session.dirty = false;
            if std::mem::take(&mut session.stirred) {
                let rtc = &mut session.rtc;
                let _ = contained(|| {
                    let _ = rtc.handle_input(str0m::Input::Timeout(now));
                    while let Ok(output) = rtc.poll_output() {
                        if matches!(output, str0m::Output::Timeout(_)) {
                            break;
                        }
                    }
                });
            }
        }
        self.outputs.clear();
    }
}

/// Lends room and sends nothing.
struct Nowhere(Vec<u8>);

impl Sink for Nowhere {
    fn lend(&mut self, _path: &Path, len: usize) -> &mut [u8] {
        self.0.resize(len, 0);
        &mut self.0
    }

    fn commit(&mut self) {}

    fn take(&mut self, _output: Output) {}
}

const NOWHERE: Path = Path {
    socket: Socket::Media,
    source: ANY,
    destination: ANY,
};
const ANY: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 9);
/// A record is shorter than this, ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);
