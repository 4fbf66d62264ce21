//! A provider that refuses everybody for minutes, or says in odd ways when it wants to be asked again.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use refrain::{
    Grant, Refrain,
    lifecycle::Status,
    store::{Store, StoreError, cause, memory::MemoryStore, sqlite::SqliteStore},
    time::{Clock, ManualClock, UnixMillis},
};
use refrain_sim::{Action, Fault, Profile, Rotation, Sim, Target};

use crate::{
    between::{Between, Call, Watched},
    world::{DAY, HOUR, World},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Two hundred logins of the last five months, a few of them a day.
async fn two_hundred() -> (World, BTreeMap<String, Grant>) {
    let world = World::new(Profile::rotating(Rotation::Static)).await;
    let mut grants = BTreeMap::new();
    for number in 0..200 {
        let name = format!("user-{number}");
        grants.insert(name.clone(), world.login(&name).await.unwrap());
        if number % 8 == 0 {
            world.pass(DAY * 6);
        }
    }
    world.pass(HOUR);
    (world, grants)
}

/// Each asks once, all at the same time or one after the other; answers how many have a token.
async fn ask(grants: &BTreeMap<String, Grant>, together: bool) -> usize {
    let mut asking = tokio::task::JoinSet::new();
    let mut served = 0;
    for grant in grants.values() {
        let grant = grant.clone();
        asking.spawn(async move { grant.access_token().await.is_ok() });
        if !together {
            served += usize::from(asking.join_next().await.unwrap().unwrap());
        }
    }
    served + asking.join_all().await.into_iter().filter(|it| *it).count()
}

#[tokio::test]
async fn two_hundred_grants_refused_for_ten_minutes_come_back_by_themselves() {
    for together in [false, true] {
        let (world, grants) = two_hundred().await;
        let mut sealed = BTreeMap::new();
        for name in grants.keys() {
            sealed.insert(name, world.row(name).await.tokens.unwrap().refresh);
        }
        let description = Some("Refresh token revoked".into());
        let refuse = Action::FalseRefusal { description };
        let always = Fault::times(Target::TokenRefresh, u32::MAX, refuse);
        world.sim.script(always);
        assert_eq!(ask(&grants, together).await, 0);
        // One in twenty opens the breaker; those that are on their way by then cannot be called back.
        let most = if together { 200 } else { 10 };
        assert!(world.refreshes() <= most, "{}", world.refreshes());
        let first = world.refreshes();
        for _ in 0..20 {
            world.pass(MINUTE / 2);
            assert_eq!(ask(&grants, together).await, 0);
        }
        let asked = world.refreshes() - first;
        assert!(asked <= 10, "one a minute asks for all: {asked}");
        for (name, sealed) in &sealed {
            let row = world.row(name).await;
            let waits = matches!(row.status, Status::Active | Status::Suspect(_));
            assert!(waits, "{name}: {:?}", row.status);
            assert_eq!(&row.tokens.unwrap().refresh, sealed, "{name}");
        }
        world.sim.clear_scripts();
        let mut minutes = 0;
        while ask(&grants, together).await < grants.len() {
            minutes += 1;
            assert!(minutes <= 15, "not back after a quarter of an hour");
            world.pass(MINUTE);
        }
    }
}

/// A program on a file, as one that is started anew opens it.
async fn on_file(path: &std::path::Path, clock: &Arc<ManualClock>) -> Arc<dyn Store> {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let store = SqliteStore::open(path, clock).await.unwrap();
    store.prepare().await.unwrap();
    Arc::new(store)
}

async fn assert_left_alone(world: &World, who: [&Grant; 2], case: &str) {
    let calls = world.sim.counts().token_calls;
    for _ in 0..20 {
        for grant in who {
            let error = grant.access_token().await.unwrap_err();
            assert_eq!(error.code(), "throttled", "{case}");
        }
        let [first, _] = who;
        let forced = first.refresh().await.unwrap_err();
        assert_eq!(forced.code(), "throttled", "{case}");
    }
    assert_eq!(world.sim.counts().token_calls, calls, "{case}");
}

#[tokio::test]
async fn odd_words_about_when_to_come_back_are_read_with_care_and_kept() {
    let usual = 30 * SECOND;
    let cases = [
        (Some("80000"), 80_000 * SECOND),
        (Some("7"), 7 * SECOND),
        (Some("0"), SECOND),
        (Some("-5"), usual),
        (Some("1000000000"), 7 * DAY),
        (Some("99999999999999999999999"), 7 * DAY),
        (Some("1e9"), usual),
        (Some("soon"), usual),
        (Some(""), usual),
        (None, usual),
        (Some("Thu, 01 Jan 1970 00:01:00 GMT"), SECOND),
        (Some("Fri, 31 Dec 2100 23:59:59 GMT"), 7 * DAY),
    ];
    for (text, wait) in cases {
        let case = format!("{text:?}");
        let sim = Sim::start(Profile::default()).await.unwrap();
        let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refrain.db");
        let world = World::on(sim, Arc::clone(&clock), on_file(&path, &clock).await);
        let alice = world.login("alice").await.unwrap();
        let bob = world.login("bob").await.unwrap();
        world.pass(HOUR);
        let (retry_after, quota) = (text.map(str::to_owned), false);
        let throttle = Action::Throttle { retry_after, quota };
        world
            .sim
            .script(Fault::once(Target::TokenRefresh, throttle));
        let error = alice.access_token().await.unwrap_err();
        let told = error.explain().retry_at.unwrap().since(clock.wall());
        assert_eq!((error.code(), told), ("throttled", wait), "{case}");
        // Another grant, another process, and one that is started after all others have ended.
        assert_left_alone(&world, [&alice, &bob], &case).await;
        let parts = world.parts_on(&on_file(&path, &clock).await);
        assert!(world.refrain.idle(10 * SECOND).await);
        let anew = Refrain::from_parts(parts).unwrap();
        let later = [anew.grant("alice").await, anew.grant("bob").await].map(Result::unwrap);
        let [alice, bob] = later.each_ref();
        assert_left_alone(&world, [alice, bob], &case).await;
        let moment = Duration::from_millis(1);
        world.pass(wait.saturating_sub(moment));
        assert_left_alone(&world, [bob, alice], &case).await;
        world.pass(moment);
        bob.access_token().await.unwrap();
        alice.access_token().await.unwrap();
    }
}

/// A store that takes too long to count, and says how often it was to.
#[derive(Debug, Default)]
struct Countless(AtomicU32);

#[async_trait]
impl Between for Countless {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        if call != Call::Count {
            return Ok(());
        }
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(StoreError::Unavailable {
            place: "the test".to_owned(),
            source: cause("it does not answer"),
        })
    }
}

#[tokio::test]
async fn refusals_are_judged_where_nobody_can_count_and_counting_is_tried_once_a_minute() {
    let sim = Sim::start(Profile::rotating(Rotation::Static))
        .await
        .unwrap();
    let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
    let store = Arc::new(Watched {
        inner: Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>)),
        between: Countless::default(),
    });
    let world = World::on(sim, clock, Arc::clone(&store) as Arc<dyn Store>);
    let mut grants = Vec::new();
    for number in 0..6 {
        grants.push(world.login(&format!("user-{number}")).await.unwrap());
    }
    world.pass(HOUR);
    let description = None;
    let refuse = Action::FalseRefusal { description };
    world
        .sim
        .script(Fault::times(Target::TokenRefresh, u32::MAX, refuse));
    let mut codes = Vec::new();
    for grant in &grants {
        codes.push(grant.access_token().await.unwrap_err().code());
    }
    assert_eq!(codes[..5], ["refused_early"; 5]);
    assert_eq!(codes[5], "refusing_many", "five open the breaker");
    assert_eq!(store.between.0.load(Ordering::SeqCst), 1);
    assert_eq!(world.refreshes(), 5, "none is presented twice");
}
