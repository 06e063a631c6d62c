//! One publisher, some receivers, and the time in which they talk.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use headwater_core::command::Command;
use headwater_core::error::Error;
use headwater_core::event::Reply;
use headwater_core::ids::{PublisherId, RouterId, SubscriberId, TransportId};

use crate::lab::judge::{Judge, Verdict};
use crate::lab::source::{Camera, Film, Microphone, SOUND};
use crate::{Link, World};
use str0m::RtcConfig;
use str0m::rtp::{Extension, ExtensionMap};

/// Someone who watches.
#[derive(Debug)]
pub struct Receiver {
    /// Which of the world's peers.
    pub peer: usize,
    /// The server's side of it.
    pub transport: TransportId,
    /// The subscribers for camera and microphone.
    pub subscribers: Vec<SubscriberId>,
    /// What it makes of it.
    pub judge: Judge,
}

/// What else goes to the first receiver on its line, in bursts of whole packets: a page, signalling.
#[derive(Clone, Copy, Debug)]
struct Others {
    every: Duration,
    bytes: usize,
    next: Duration,
}

/// A call under way.
pub struct Call {
    /// The world around it.
    pub world: World,
    /// Its router.
    pub router: RouterId,
    /// Those who watch.
    pub receivers: Vec<Receiver>,
    /// The publishers of camera and microphone.
    pub publishers: [PublisherId; 2],
    /// When every frame of sound was captured, since the call began.
    pub captured: Vec<Duration>,
    publisher: usize,
    camera: Camera,
    microphone: Microphone,
    began: Instant,
    picture: Duration,
    others: Option<Others>,
    next_picture: Duration,
    next_sound: Duration,
}

impl Call {
    /// A call with this many receivers, all connected over good links.
    ///
    /// # Panics
    /// When somebody does not connect.
    #[must_use]
    pub fn new(seed: u64, receivers: usize) -> Self {
        Self::of(Film::FACE, seed, receivers)
    }

    /// The same, with another film.
    #[must_use]
    pub fn of(film: Film, seed: u64, receivers: usize) -> Self {
        Self::around(World::new(seed), film, seed, receivers)
    }

    /// The same, with a record of all that enters decisions (see [`World::take_record`]).
    #[must_use]
    pub fn recorded(seed: u64, receivers: usize) -> Self {
        let mut world = World::new(seed);
        world.record();
        Self::around(world, Film::FACE, seed, receivers)
    }

    fn around(mut world: World, film: Film, seed: u64, receivers: usize) -> Self {
        let router = world.create_router();
        let publishing = world.create_publish_transport(router);
        let publisher = world.add_peer_with(codecs);
        let rids = film.encodings.map(|encoding| encoding.rid);
        let (sdp, camera, microphone) = world.peers[publisher].offer_call(&rids);
        let offer = Command::AcceptOffer {
            transport: publishing,
            sdp,
        };
        let Ok(Reply::Answer { sdp, .. }) = world.command(offer) else {
            panic!("an offer is answered")
        };
        world.peers[publisher].accept_answer(&sdp);
        let publishers = [camera, microphone].map(|mid| {
            let publisher = PublisherId(world.handle());
            let command = Command::Publish {
                transport: publishing,
                publisher,
                mid: mid.to_string(),
            };
            world.command(command).expect("the track was offered");
            publisher
        });
        let up = |world: &World| world.peers[publisher].connected;
        assert!(world.run_until(CONNECT, up), "the publisher connects");
        let mut call = Self {
            began: world.now,
            world,
            router,
            receivers: Vec::new(),
            publishers,
            captured: Vec::new(),
            publisher,
            camera: Camera::new(camera, film, seed),
            microphone: Microphone::new(microphone, film),
            picture: film.picture,
            others: None,
            next_picture: Duration::ZERO,
            next_sound: Duration::ZERO,
        };
        (0..receivers).for_each(|_| call.join());
        call
    }

    /// One more receiver.
    ///
    /// # Panics
    /// When it does not connect.
    pub fn join(&mut self) {
        let world = &mut self.world;
        let transport = world.create_subscribe_transport(self.router);
        let peer = world.add_viewer(browser);
        let subscribers = world.subscribe_more(peer, transport, &self.publishers);
        let up = |world: &World| world.peers[peer].connected;
        assert!(world.run_until(CONNECT, up), "a receiver connects");
        // Nobody spoke while it connected: the clock of the call stands still until all is ready.
        self.next_picture = self.now();
        self.next_sound = self.now();
        self.receivers.push(Receiver {
            peer,
            transport,
            subscribers,
            judge: Judge::new(self.began),
        });
    }

    /// Time since the call began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.world.now - self.began
    }

    /// The address of a receiver.
    #[must_use]
    pub fn address(&self, receiver: usize) -> SocketAddr {
        self.world.peers[self.receivers[receiver].peer].address
    }

    /// Change a receiver's link from now on.
    pub fn link(&mut self, receiver: usize, link: Link) {
        let (now, address) = (self.world.now, self.address(receiver));
        self.world.network.change_link(now, address, link);
    }

    /// From now on so many bytes of other traffic come to the first receiver at once, every so often.
    pub fn share_line(&mut self, every: Duration, bytes: usize) {
        let next = self.now();
        self.others = Some(Others { every, bytes, next });
    }

    fn burst(&mut self) {
        let now = self.now();
        let Some(others) = self.others.as_mut().filter(|others| others.next <= now) else {
            return;
        };
        others.next += others.every;
        let (mut rest, address) = (others.bytes, self.address(0));
        while rest > 0 {
            let size = rest.min(SEGMENT);
            self.world.network.fill(self.world.now, address, size);
            rest -= size;
        }
    }

    /// Talk for a while; returns the stretch of time it took.
    pub fn talk(&mut self, length: Duration) -> Range<Duration> {
        let start = self.now();
        let end = start + length;
        while self.now() < end {
            let now = self.now();
            let peer = &mut self.world.peers[self.publisher];
            if self.next_sound <= now {
                self.microphone
                    .listen(peer, self.world.now, self.next_sound);
                self.captured.push(self.next_sound);
                self.next_sound += SOUND;
            }
            if self.next_picture <= now {
                self.camera.shoot(peer, self.world.now, self.next_picture);
                self.next_picture += self.picture;
            }
            self.burst();
            let next = self.next_sound.min(self.next_picture).min(end);
            self.world.run(next.saturating_sub(now));
            for receiver in &mut self.receivers {
                let peer = &mut self.world.peers[receiver.peer];
                receiver.judge.watch(peer, self.world.now);
            }
        }
        start..end
    }

    /// What a receiver had of a stretch.
    #[must_use]
    pub fn verdict(&self, receiver: usize, stretch: Range<Duration>) -> Verdict {
        self.receivers[receiver]
            .judge
            .verdict(stretch, &self.captured)
    }

    /// A new offer with new ICE credentials for a receiver, and its answer.
    ///
    /// # Errors
    /// What the server said, as it does when it has given the transport up.
    pub fn restart_ice(&mut self, receiver: usize) -> Result<(), Error> {
        let Receiver {
            peer, transport, ..
        } = self.receivers[receiver];
        let offer = self.world.command(Command::CreateOffer {
            transport,
            ice_restart: true,
        });
        let sdp = match offer? {
            Reply::Offer { sdp, .. } => self.world.peers[peer].answer(&sdp),
            _ => return Ok(()),
        };
        self.world
            .command(Command::AcceptAnswer { transport, sdp })
            .map(drop)
    }
}

/// As a browser that watches: it takes orders to delay pictures.
fn browser(config: RtcConfig) -> RtcConfig {
    let mut extensions = ExtensionMap::standard();
    extensions.set(5, Extension::PlayoutDelay);
    codecs(config).set_extension_map(extensions)
}

fn codecs(config: RtcConfig) -> RtcConfig {
    config
        .clear_codecs()
        .enable_opus(true, true)
        .enable_vp8(true)
}

/// Bytes of a packet of other traffic.
const SEGMENT: usize = 1_500;
const CONNECT: Duration = Duration::from_secs(10);
