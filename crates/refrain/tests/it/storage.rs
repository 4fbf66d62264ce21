//! A store that fails at every step of a refresh, one after the other: nothing is lost, nobody is told
//! to log in, and no token is used before it is durable.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use refrain::{
    id::{AppName, GrantId, GrantName, InstanceId},
    keeper::Kind,
    lifecycle::{Change, Event, GrantRow, Status, app::AppState},
    store::{
        Identity, Liveness, Store, StoreError, Version, Versioned, Written, attempt::Attempt,
        memory::MemoryStore,
    },
    time::{Clock, ManualClock, StoreInstant, UnixMillis},
};
use refrain_sim::{Profile, Rotation, Sim};

use crate::world::{HOUR, World};

/// Fails the call number `first` and the `times` after it; with `after`, it fails after having done
/// what it was asked, like a commit whose acknowledgement is lost.
#[derive(Debug)]
struct Failing {
    inner: MemoryStore,
    calls: AtomicI64,
    first: AtomicI64,
    times: AtomicI64,
    after: bool,
}

impl Failing {
    fn fails(&self) -> bool {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let first = self.first.load(Ordering::SeqCst);
        first >= 0 && call >= first && call < first + self.times.load(Ordering::SeqCst)
    }

    fn error() -> StoreError {
        StoreError::Full {
            place: "the test".into(),
            source: "no space".into(),
        }
    }
}

macro_rules! failing {
    ($self:ident, $call:expr) => {{
        let fails = $self.fails();
        if fails && !$self.after {
            return Err(Failing::error());
        }
        let done = $call.await;
        if fails { Err(Failing::error()) } else { done }
    }};
}

#[async_trait]
impl Store for Failing {
    fn place(&self) -> String {
        self.inner.place()
    }
    async fn now(&self) -> Result<StoreInstant, StoreError> {
        failing!(self, self.inner.now())
    }
    async fn prepare(&self) -> Result<(), StoreError> {
        self.inner.prepare().await
    }
    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        self.inner.identity().await
    }
    async fn found(&self, identity: Identity) -> Result<Identity, StoreError> {
        self.inner.found(identity).await
    }
    async fn grant(&self, name: &GrantName) -> Result<Option<Versioned<GrantRow>>, StoreError> {
        failing!(self, self.inner.grant(name))
    }
    async fn grants(&self) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        failing!(self, self.inner.grants())
    }
    async fn armed(&self) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        failing!(self, self.inner.armed())
    }
    async fn count(&self, app: &AppName) -> Result<usize, StoreError> {
        failing!(self, self.inner.count(app))
    }
    async fn insert(&self, change: &Change) -> Result<Written, StoreError> {
        failing!(self, self.inner.insert(change))
    }
    async fn replace(&self, seen: Version, change: &Change) -> Result<Written, StoreError> {
        failing!(self, self.inner.replace(seen, change))
    }
    async fn story(&self, grant: &GrantId, most: u32) -> Result<Vec<Event>, StoreError> {
        failing!(self, self.inner.story(grant, most))
    }
    async fn app_state(&self, app: &AppName) -> Result<Versioned<AppState>, StoreError> {
        failing!(self, self.inner.app_state(app))
    }
    async fn replace_app_state(
        &self,
        app: &AppName,
        seen: Version,
        state: &AppState,
    ) -> Result<Written, StoreError> {
        failing!(self, self.inner.replace_app_state(app, seen, state))
    }
    async fn insert_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        failing!(self, self.inner.insert_attempt(attempt))
    }
    async fn take_attempt(&self, id: &str, now: UnixMillis) -> Result<Option<Attempt>, StoreError> {
        failing!(self, self.inner.take_attempt(id, now))
    }
    async fn announce(&self, instance: InstanceId) -> Result<(), StoreError> {
        failing!(self, self.inner.announce(instance))
    }
    async fn liveness(&self, instance: InstanceId) -> Result<Liveness, StoreError> {
        failing!(self, self.inner.liveness(instance))
    }
    async fn scrub(&self) -> Result<(), StoreError> {
        failing!(self, self.inner.scrub())
    }
}

async fn world_on_failing(rotation: Rotation, after: bool) -> (World, Arc<Failing>) {
    let sim = Sim::start(Profile::rotating(rotation)).await.unwrap();
    let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
    let store = Arc::new(Failing {
        inner: MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>),
        calls: AtomicI64::new(0),
        first: AtomicI64::new(-1),
        times: AtomicI64::new(1),
        after,
    });
    let world = World::on(sim, clock, Arc::clone(&store) as Arc<dyn Store>);
    world.login("alice").await.unwrap();
    (world, store)
}

#[tokio::test]
async fn a_store_that_fails_at_the_nth_call_of_a_refresh_loses_nothing() {
    for after in [false, true] {
        for rotation in [Rotation::FamilyKill, Rotation::Omit] {
            for nth in 0..14 {
                let (world, store) = world_on_failing(rotation, after).await;
                let alice = world.refrain.grant("alice").await.unwrap();
                alice.access_token().await.unwrap();
                world.pass(HOUR);
                store.calls.store(0, Ordering::SeqCst);
                store.first.store(nth, Ordering::SeqCst);
                if let Err(error) = world.in_time(alice.access_token()).await {
                    assert!(
                        matches!(error.kind(), Kind::Storage),
                        "{rotation:?} {nth} {after}: {error}"
                    );
                }
                store.first.store(-1, Ordering::SeqCst);
                assert!(
                    world.row("alice").await.intent.is_none(),
                    "{rotation:?} {nth} {after}: nobody waits for one who has given up"
                );
                let error = world.in_time(alice.access_token()).await.err();
                assert!(error.is_none(), "{rotation:?} {nth} {after}: {error:?}");
                assert_eq!(world.status("alice").await, Status::Active);
                world.pass(HOUR);
                world.in_time(alice.access_token()).await.unwrap();
                assert_eq!(world.sim.counts().refused, 0, "{rotation:?} {nth} {after}");
            }
        }
    }
}

#[tokio::test]
async fn a_full_disk_at_the_commit_keeps_the_answer_until_there_is_room() {
    let (world, store) = world_on_failing(Rotation::FamilyKill, false).await;
    let alice = world.refrain.grant("alice").await.unwrap();
    world.pass(HOUR);
    // Everything after the presentation fails for as long as anybody would wait.
    store.calls.store(0, Ordering::SeqCst);
    store.first.store(7, Ordering::SeqCst);
    store.times.store(i64::MAX / 2, Ordering::SeqCst);
    let error = world.in_time(alice.access_token()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("storage_not_saved", Kind::Storage)
    );
    assert_eq!(world.refreshes(), 1);
    store.first.store(-1, Ordering::SeqCst);
    world.in_time(alice.access_token()).await.unwrap();
    assert_eq!((world.refreshes(), world.sim.counts().refused), (1, 0));
    assert_eq!(world.row("alice").await.generation.0, 1);
}
