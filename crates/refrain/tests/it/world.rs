//! A simulator, a store and a refrain on one clock.

use std::{future::Future, sync::Arc, time::Duration};

use refrain::{
    Error, Grant, Refrain,
    keeper::Parts,
    lifecycle::{GrantRow, Status},
    store::{Store, memory::MemoryStore},
    time::{Clock, ManualClock, UnixMillis},
};
use refrain_sim::{Profile, Sim};

use crate::assembled::Owner;
pub use crate::assembled::{login, request};

pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

pub struct World {
    pub sim: Sim,
    pub clock: Arc<ManualClock>,
    pub store: Arc<dyn Store>,
    pub refrain: Refrain,
    owner: Owner,
}

/// A world with the grant `alice` signed in.
pub async fn signed_in(profile: Profile) -> (World, Grant) {
    let world = World::new(profile).await;
    let alice = world.login("alice").await.unwrap();
    (world, alice)
}

impl World {
    pub async fn new(profile: Profile) -> Self {
        let sim = Sim::start(profile).await.unwrap();
        let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
        Self::on(sim, clock, store)
    }

    pub fn on(sim: Sim, clock: Arc<ManualClock>, store: Arc<dyn Store>) -> Self {
        let owner = Owner::new();
        let refrain = owner.process(
            &sim,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::clone(&store),
        );
        Self {
            sim,
            clock,
            store,
            refrain,
            owner,
        }
    }

    /// Another process on the same store.
    pub fn another(&self) -> Refrain {
        self.another_on(&self.store)
    }

    /// Another process, on a store of its own choosing.
    pub fn another_on(&self, store: &Arc<dyn Store>) -> Refrain {
        Refrain::from_parts(self.parts_on(store)).unwrap()
    }

    pub fn parts_on(&self, store: &Arc<dyn Store>) -> Parts {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.owner.parts(&self.sim, clock, Arc::clone(store))
    }

    /// Signs the simulator's user in under a name.
    pub async fn login(&self, name: &str) -> Result<Grant, Error> {
        login(&self.refrain, &self.sim, name).await
    }

    /// Lets the same time pass here and at Spotify.
    pub fn pass(&self, time: Duration) {
        self.sim.advance(time);
        self.clock.advance(time);
    }

    /// Runs something while time passes by itself, so that pauses and deadlines come to their end.
    pub async fn in_time<T>(&self, future: impl Future<Output = T>) -> T {
        let clock = Arc::clone(&self.clock);
        let passing = async move {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                clock.advance(Duration::from_millis(20));
            }
        };
        tokio::select! {
            output = future => output,
            () = passing => unreachable!("time never ends"),
        }
    }

    pub fn clock_wall(&self) -> UnixMillis {
        self.clock.now().wall
    }

    pub fn refreshes(&self) -> u64 {
        self.sim.counts().refreshes
    }

    pub async fn row(&self, name: &str) -> GrantRow {
        self.store
            .grant(&name.parse().unwrap())
            .await
            .unwrap()
            .unwrap()
            .value
    }

    pub async fn status(&self, name: &str) -> Status {
        self.row(name).await.status
    }
}
