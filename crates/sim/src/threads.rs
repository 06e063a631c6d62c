//! Several media threads in virtual time: a [`World`] each, in step, and the relay between them.

use std::time::{Duration, Instant};

use headwater_core::command::{Command, RouterOptions};
use headwater_core::error::Error;
use headwater_core::event::Reply;
use headwater_core::ids::{PublisherId, RouterId, SubscriberId, TransportId};

use crate::world::World;

/// See the module documentation.
pub struct Threads {
    /// One world per media thread, by its number.
    pub worlds: Vec<World>,
    /// The room's router on each thread; the first is the home.
    pub routers: Vec<RouterId>,
    /// Messages that have crossed.
    pub crossed: u64,
    /// While set, nothing crosses.
    pub stalled: bool,
}

impl Threads {
    /// A room on `count` threads.
    ///
    /// # Panics
    /// When the core does not open a router.
    #[must_use]
    pub fn new(seed: u64, count: u16) -> Self {
        Self::around(Self::worlds(seed, count))
    }

    /// The same, with a record of all that enters decisions (see [`World::take_record`]).
    #[must_use]
    pub fn recorded(seed: u64, count: u16) -> Self {
        let mut worlds = Self::worlds(seed, count);
        worlds.iter_mut().for_each(World::record);
        Self::around(worlds)
    }

    fn worlds(seed: u64, count: u16) -> Vec<World> {
        let now = Instant::now(); // The origin only.
        (0..count)
            .map(|thread| World::on_thread(seed + u64::from(thread), thread, now))
            .collect()
    }

    fn around(mut worlds: Vec<World>) -> Self {
        let home = worlds[0].create_router();
        let mut routers = vec![home];
        for world in worlds.iter_mut().skip(1) {
            let router = RouterId(world.handle());
            let options = RouterOptions {
                codecs: World::codecs(),
            };
            world
                .command(Command::CreateBranch {
                    router,
                    home,
                    options,
                })
                .expect("a branch opens");
            routers.push(router);
        }
        Self {
            worlds,
            routers,
            crossed: 0,
            stalled: false,
        }
    }

    /// Run a command on a thread; what it needs of the others crosses meanwhile.
    ///
    /// # Errors
    /// What the core answered.
    ///
    /// # Panics
    /// When it does not answer although everybody has.
    pub fn command(&mut self, thread: usize, command: Command) -> Result<Reply, Error> {
        let request = self.worlds[thread].start(command);
        self.exchange();
        let reply = self.worlds[thread].reply(request);
        reply.expect("every command is answered")
    }

    /// A peer on `thread` that takes these publishers, connected.
    ///
    /// # Panics
    /// When it does not come about.
    pub fn subscribe(
        &mut self,
        thread: usize,
        publishers: &[PublisherId],
    ) -> (usize, TransportId, Vec<SubscriberId>) {
        let router = self.routers[thread];
        let world = &mut self.worlds[thread];
        let transport = world.create_subscribe_transport(router);
        let peer = world.add_peer();
        let items: Vec<_> = publishers
            .iter()
            .map(|publisher| (SubscriberId(world.handle()), *publisher))
            .collect();
        let subscribers = items.iter().map(|(subscriber, _)| *subscriber).collect();
        let reply = self.command(thread, Command::Subscribe { transport, items });
        let Ok(Reply::Offer { sdp, .. }) = reply else {
            panic!("subscribe makes an offer: {reply:?}")
        };
        let sdp = self.worlds[thread].peers[peer].answer(&sdp);
        self.command(thread, Command::AcceptAnswer { transport, sdp })
            .expect("a good answer");
        for _ in 0..500 {
            if self.worlds[thread].peers[peer].connected {
                return (peer, transport, subscribers);
            }
            self.run(Duration::from_millis(10));
        }
        panic!("not connected within 5 s")
    }

    /// Let time pass on all threads, a millisecond at a time.
    pub fn run(&mut self, time: Duration) {
        self.align();
        let end = self.worlds[0].now + time;
        while self.worlds[0].now < end {
            let step = Duration::from_millis(1).min(end - self.worlds[0].now);
            for world in &mut self.worlds {
                world.run(step);
            }
            self.exchange();
        }
    }

    /// Bring all clocks to the latest: helpers of one world let only its own time pass.
    pub fn align(&mut self) {
        let latest = self.worlds.iter().map(|world| world.now).max();
        for world in &mut self.worlds {
            let behind = latest.map_or(Duration::ZERO, |latest| latest - world.now);
            if !behind.is_zero() {
                world.run(behind);
            }
        }
        self.exchange();
    }

    /// Hand over what the threads have for each other, until they have nothing more.
    pub fn exchange(&mut self) {
        while !self.stalled {
            let mut quiet = true;
            for from in 0..self.worlds.len() {
                for (to, message) in std::mem::take(&mut self.worlds[from].relayed) {
                    quiet = false;
                    self.crossed += 1;
                    self.worlds[usize::from(to)].relay(from as u16, message);
                }
            }
            if quiet {
                return;
            }
        }
    }
}
