//! People with microphones, on one media thread or several, who talk by a script of levels.

use std::time::Duration;

use headwater_core::event::Event;
use headwater_core::ids::{PublisherId, RouterId, TransportId};
use headwater_sim::{Threads, World};
use str0m::format::Codec;
use str0m::media::{MediaKind, Mid};
use str0m::rtp::ExtensionValues;

/// One with a microphone.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    pub(crate) world: usize,
    pub(crate) peer: usize,
    pub(crate) transport: TransportId,
    pub(crate) mid: Mid,
    pub(crate) voice: PublisherId,
}

/// People with microphones, on as many media threads as there are worlds.
pub(crate) struct Party {
    pub(crate) threads: Threads,
    pub(crate) router: RouterId,
    pub(crate) members: Vec<Member>,
    pub(crate) packets: u64,
}

impl Party {
    pub(crate) fn new(seed: u64, threads: u16, members: usize) -> Self {
        Self::over(Threads::new(seed, threads), members)
    }

    pub(crate) fn over(threads: Threads, members: usize) -> Self {
        let router = threads.routers[0];
        let mut party = Self {
            threads,
            router,
            members: Vec::new(),
            packets: 0,
        };
        party.join(members);
        party
    }

    /// So many more come.
    pub(crate) fn join(&mut self, members: usize) {
        for place in self.members.len()..self.members.len() + members {
            let world = place % self.threads.worlds.len();
            let branch = self.threads.routers[world];
            let tracks = [(MediaKind::Audio, "microphone")];
            let there = &mut self.threads.worlds[world];
            let (peer, transport, published) = there.publish(branch, &tracks, &[]);
            let (mid, voice) = published[0];
            self.members.push(Member {
                world,
                peer,
                transport,
                mid,
                voice,
            });
        }
        self.threads.align();
    }

    /// Everybody sends for this long; `level` says how loud, in -dBov, at each packet.
    pub(crate) fn talk(&mut self, time: Duration, level: impl Fn(usize, u64) -> Option<i8>) {
        for _ in 0..time.as_millis() / 20 {
            self.packets += 1;
            for (place, member) in self.members.iter().enumerate() {
                let Some(level) = level(place, self.packets) else {
                    continue;
                };
                let world = &mut self.threads.worlds[member.world];
                send(world, *member, -level, self.packets);
            }
            self.threads.run(Duration::from_millis(20));
        }
    }

    pub(crate) fn speakers(&mut self) -> Vec<Option<usize>> {
        let members: Vec<_> = self.members.iter().map(|member| member.voice).collect();
        let home = self.router;
        let place = |voice| members.iter().position(|member| *member == voice);
        let mut all = Vec::new();
        for world in &mut self.threads.worlds {
            all.extend(world.take_events(|event| match event {
                Event::ActiveSpeaker { router, publisher } if *router == home => {
                    Some(publisher.and_then(place))
                }
                _ => None,
            }));
        }
        all
    }
}

fn send(world: &mut World, member: Member, level: i8, number: u64) {
    let now = world.now;
    let peer = &mut world.peers[member.peer];
    let Some(payload_type) = peer.payload_type(member.mid, Codec::Opus) else {
        return;
    };
    let extensions = ExtensionValues {
        audio_level: Some(level),
        voice_activity: Some(level > -60),
        ..ExtensionValues::default()
    };
    let payload = number.to_be_bytes().repeat(10);
    peer.send_extended(now, member.mid, payload_type, 960, payload, extensions);
}

/// Words of 300 ms with 100 ms between them.
pub(crate) fn speech(packet: u64, level: i8) -> Option<i8> {
    Some(if packet % 20 < 15 { level } else { 70 })
}

pub(crate) const SILENT: Option<i8> = Some(80);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
