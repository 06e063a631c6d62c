//! Speakers: how loud everybody in a room is, and who speaks.
//!
//! A packet costs its publisher a few additions ([`Voice::hear`]). A router ticks every 100 ms
//! while somebody in it sends sound: it smooths the voices that were heard lately, and only those.
//!
//! A room on several media threads has one mind: each branch reports its voices to the home every
//! tick, and the home decides. A report that does not come is forgotten after [`GONE`].

mod choose;
mod dominant;
mod voice;

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use slab::Slab;

pub(crate) use choose::Choice;
use dominant::Dominant;
pub(crate) use voice::{GONE, Report, TICK, Voice};

use crate::Output;
use crate::error::Error;
use crate::event::{Event, Reply, TrackKind};
use crate::ids::{ObjectId, PublisherId, RouterId};
use crate::journal::Decision;
use crate::layer::Content;
use crate::packet::Rtp;
use crate::publisher::Publisher;
use crate::record::wire::{wire_ids, wire_struct};
use crate::relay::RelayMessage;
use crate::router::Router;
use crate::sfu::Sfu;
use crate::timer::Reason;
use crate::transport::webrtc::{Session, Side};

/// What one router knows of its voices.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    /// Publishers of this thread that make sound, by their place.
    voices: Vec<usize>,
    /// The next tick is on its way.
    ticking: bool,
    /// At the home: what other threads have reported, and when.
    remote: FxHashMap<RouterId, (Instant, Voices)>,
    dominant: Dominant,
    /// How often levels are told, if at all, and when they were last.
    interval: Option<Duration>,
    told: Option<Instant>,
    /// Somebody was loud enough to be told of.
    loud: bool,
    /// At the home: how often the word has changed, and who had it when.
    turns: u32,
    spoke: FxHashMap<PublisherId, u32>,
    /// The newest ranking.
    ranking: Vec<Report>,
}

/// What a branch tells its home.
#[derive(Debug)]
pub struct Voices {
    home: RouterId,
    branch: RouterId,
    reports: Vec<Report>,
    /// It has slots to fill.
    listens: bool,
}

/// Who makes sound in a room, the loudest first; for branches with slots.
#[derive(Debug)]
pub struct Ranking(Vec<Report>);

wire_struct!(Voices {
    home,
    branch,
    reports,
    listens
});
wire_ids!(Ranking);
wire_struct!(Report {
    publisher,
    transport,
    picture,
    level,
    loudness,
    immediate,
    medium,
    long,
    spoke,
    fills,
});

impl Sfu {
    /// A packet of a publisher whose session is here.
    pub(crate) fn hear_voice(&mut self, key: usize, rtp: &Rtp, now: Instant) {
        let publisher = &mut self.publishers[key];
        if publisher.paused || publisher.kind != TrackKind::Audio {
            return;
        }
        let level = rtp.header.ext_vals.audio_level;
        publisher.voice.hear(level, rtp.payload.len(), now);
        if !publisher.voice.listed {
            publisher.voice.listed = true;
            let router = publisher.router;
            if let Some(router) = self.routers.get_mut(&router) {
                router.speakers.voices.push(key);
            }
            self.start_ticking(router, now);
        }
    }

    /// A publisher closes.
    pub(crate) fn forget_voice(&mut self, key: usize) {
        let publisher = &self.publishers[key];
        if publisher.voice.listed
            && let Some(router) = self.routers.get_mut(&publisher.router)
        {
            router.speakers.voices.retain(|voice| *voice != key);
        }
    }

    /// Tells the levels of a router every `interval`, or no more.
    pub(crate) fn set_audio_levels(
        &mut self,
        id: RouterId,
        interval: Option<Duration>,
        now: Instant,
    ) -> Result<Reply, Error> {
        let router = self.routers.get_mut(&id);
        let router = router.ok_or(Error::NotFound { what: "router" })?;
        router.speakers.interval = interval.map(|interval| interval.max(SHORTEST_INTERVAL));
        self.start_ticking(id, now);
        Ok(Reply::Done)
    }

    /// A tick of a router: its voices are smoothed, and the home decides.
    pub(crate) fn speakers_timer(&mut self, id: RouterId, now: Instant) {
        let Some(router) = self.routers.get_mut(&id) else {
            return;
        };
        router.speakers.ticking = false;
        self.counters.voice_ticks += 1;
        let home = router.home;
        let reports = self.smooth_voices(id, now);
        if home != id {
            let listens = self.listens(id);
            if !reports.is_empty() {
                self.start_ticking(id, now);
            } else if listens {
                self.tick_in(id, LISTENING, now);
            }
            let voices = Voices {
                home,
                branch: id,
                reports,
                listens,
            };
            return self.tell(home.thread(), RelayMessage::Voices(Box::new(voices)));
        }
        self.find_speaker(id, reports, now);
    }

    /// What a branch has reported to this thread.
    pub(crate) fn take_voices(&mut self, voices: Voices, now: Instant) {
        let Some(router) = self.routers.get_mut(&voices.home) else {
            return; // closed while it was under way
        };
        let remote = &mut router.speakers.remote;
        let home = voices.home;
        remote.insert(voices.branch, (now, voices));
        self.start_ticking(home, now);
    }

    /// What the home has found.
    pub(crate) fn take_ranking(&mut self, id: RouterId, ranking: Ranking, now: Instant) {
        if let Some(router) = self.routers.get_mut(&id) {
            router.speakers.ranking = ranking.0;
            self.fill_again(id, now);
        }
    }

    /// Fills the slots of a router with what is known.
    pub(crate) fn fill_again(&mut self, id: RouterId, now: Instant) {
        if let Some(router) = self.routers.get_mut(&id) {
            let ranking = std::mem::take(&mut router.speakers.ranking);
            self.fill_slots(id, &ranking, now);
            if let Some(router) = self.routers.get_mut(&id) {
                router.speakers.ranking = ranking;
            }
        }
    }

    fn listens(&self, id: RouterId) -> bool {
        let router = self.routers.get(&id);
        router.is_some_and(|router| !router.audiences.is_empty())
    }

    pub(crate) fn start_ticking(&mut self, id: RouterId, now: Instant) {
        self.tick_in(id, TICK, now);
    }

    fn tick_in(&mut self, id: RouterId, time: Duration, now: Instant) {
        if let Some(router) = self.routers.get_mut(&id)
            && !std::mem::replace(&mut router.speakers.ticking, true)
        {
            self.timers.arm(now + time, Reason::Speakers, id.0);
        }
    }

    fn smooth_voices(&mut self, id: RouterId, now: Instant) -> Vec<Report> {
        let Some(router) = self.routers.get_mut(&id) else {
            return Vec::new();
        };
        let mut reports = Vec::with_capacity(router.speakers.voices.len());
        let (publishers, sessions) = (&mut self.publishers, &self.sessions);
        router.speakers.voices.retain(|key| {
            let publisher = &mut publishers[*key];
            if !publisher.voice.tick(now) {
                publisher.voice = Voice::default();
                return false;
            }
            let (id, transport) = (publisher.id, publisher.transport);
            let fills = publisher.content == Content::Camera;
            let session = publisher.session().and_then(|key| sessions.get(key));
            let picture = session.and_then(|session| picture(session, publishers));
            let report = publishers[*key].voice.report(id, transport, picture);
            reports.push(Report { fills, ..report });
            true
        });
        reports
    }

    fn find_speaker(&mut self, id: RouterId, own: Vec<Report>, now: Instant) {
        let Some(router) = self.routers.get_mut(&id) else {
            return;
        };
        let speakers = &mut router.speakers;
        speakers
            .remote
            .retain(|_, (at, _)| now.saturating_duration_since(*at) < GONE);
        let mut reports = own;
        let remote = speakers.remote.values();
        for (_, remote) in remote {
            reports.extend_from_slice(&remote.reports);
        }
        let changed = speakers.dominant.decide(now, reports.iter());
        let levels = speakers.levels(&reports, now);
        let speaker = speakers.dominant.current();
        speakers.rank(reports);
        if !speakers.ranking.is_empty() || speaker.is_some() {
            self.start_ticking(id, now);
        }
        if changed {
            let (router, publisher) = (id, speaker);
            if let Some(recorder) = &mut self.recorder {
                let owner = ObjectId::Router(router);
                recorder.decision(now, owner, &Decision::Speaker { publisher });
            }
            self.emit(Event::ActiveSpeaker { router, publisher });
        }
        if let Some(levels) = levels {
            self.emit(Event::AudioLevels { router: id, levels });
        }
        self.tell_ranking(id);
        self.fill_again(id, now);
    }

    /// The ranking, to the threads whose slots need it.
    fn tell_ranking(&mut self, id: RouterId) {
        let Some(router) = self.routers.get(&id) else {
            return;
        };
        let speakers = &router.speakers;
        for (branch, (_, voices)) in &speakers.remote {
            if voices.listens {
                let message = RelayMessage::Ranking {
                    branch: *branch,
                    ranking: Box::new(Ranking(speakers.ranking.clone())),
                };
                let thread = branch.thread();
                self.outputs.push_back(Output::Relay { thread, message });
            }
        }
    }
}

/// The picture that belongs to a voice: the first one of the same session.
fn picture(session: &Session, publishers: &Slab<Publisher>) -> Option<PublisherId> {
    let Side::Publish(publishing) = &session.side else {
        return None;
    };
    let mut all = publishing.publishers.iter().map(|key| &publishers[*key]);
    all.find(|publisher| publisher.kind == TrackKind::Video)
        .map(|publisher| publisher.id)
}

impl Speakers {
    /// Keeps the loudest, and notes who has the word.
    fn rank(&mut self, mut reports: Vec<Report>) {
        if let Some(speaker) = self.dominant.current()
            && self.spoke.get(&speaker) != Some(&self.turns)
        {
            self.turns += 1;
            self.spoke.insert(speaker, self.turns);
            if self.spoke.len() > MOST_RANKED {
                let least = self.spoke.iter().min_by_key(|(_, turn)| **turn);
                let least = least.map(|(publisher, _)| *publisher);
                least.map(|publisher| self.spoke.remove(&publisher));
            }
        }
        for report in &mut reports {
            report.spoke = self.spoke.get(&report.publisher).copied().unwrap_or(0);
        }
        reports.sort_by(|a, b| b.loudness.total_cmp(&a.loudness));
        reports.truncate(MOST_RANKED);
        self.ranking = reports;
    }

    /// The levels, if somebody has asked and the time has come: the loudest first. Silence is told
    /// once.
    fn levels(&mut self, reports: &[Report], now: Instant) -> Option<Vec<(PublisherId, u8)>> {
        let interval = self.interval?;
        let due = self.told.is_none_or(|told| now >= told + interval);
        if !due {
            return None;
        }
        let audible = reports.iter().filter(|report| report.level < SILENCE);
        let mut levels: Vec<_> = audible
            .map(|report| (report.publisher, report.level))
            .collect();
        levels.sort_by_key(|(publisher, level)| (*level, *publisher));
        levels.truncate(MOST_LEVELS);
        let is_loud = !levels.is_empty();
        if !is_loud && !std::mem::replace(&mut self.loud, is_loud) {
            return None;
        }
        self.loud = is_loud;
        self.told = Some(now);
        Some(levels)
    }
}

impl Router {
    /// Forgets the voices of a thread that has lost all its state.
    pub(crate) fn forget_voices_of(&mut self, thread: u16) {
        self.speakers
            .remote
            .retain(|branch, _| branch.thread() != thread);
    }
}

/// Levels are told at most so often.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(200);
/// Quieter than this is nobody.
const SILENCE: u8 = 67;
/// How often a branch that only listens tells so.
const LISTENING: Duration = Duration::from_millis(500);
/// Voices that can fill slots.
const MOST_RANKED: usize = 64;
/// Levels of one event.
const MOST_LEVELS: usize = 64;
