//! Backups from a minute to a month old, put back: where tokens stay, nobody notices; where they are
//! replaced, nothing is presented before a person asks for it.
//!
//! `REFRAIN_RESTORES` sets how many.

use std::{sync::Arc, time::Duration};

use refrain::{
    Grant, Refrain,
    custody::{Taken, take_over},
    lifecycle::Change,
    random::SystemRandom,
    store::{Store, memory::MemoryStore},
    time::Clock,
};
use refrain_sim::{Profile, Rotation};

use crate::world::{DAY, HOUR, World};

const RESTORES: u32 = 48;
const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const ROTATIONS: [Rotation; 6] = [
    Rotation::Static,
    Rotation::Omit,
    Rotation::Echo,
    Rotation::Strict,
    Rotation::FamilyKill,
    Rotation::UntilUsed,
];

/// From a minute to thirty days, in no order (multiples of the golden ratio).
fn age(nth: u32) -> Duration {
    let share = (f64::from(nth) * 0.618_033_988_75).fract();
    Duration::from_secs_f64(60.0 * 43_200_f64.powf(share))
}

async fn refresh(world: &World, name: &str) {
    let grant = world.refrain.grant(name).await.unwrap();
    grant.refresh().await.unwrap();
}

/// A world in which alice and bob were refreshed before the backup, and alice since.
async fn aged(rotation: Rotation, age: Duration) -> (World, Vec<Change>) {
    let world = World::new(Profile::rotating(rotation)).await;
    for name in NAMES {
        world.login(name).await.unwrap();
    }
    refresh(&world, "alice").await;
    refresh(&world, "bob").await;
    let mut backup = Vec::new();
    for name in NAMES {
        backup.push(Change {
            row: world.row(name).await,
            events: Vec::new(),
            forgets: false,
        });
    }
    for _ in 0..3 {
        world.pass(age / 3);
        refresh(&world, "alice").await;
    }
    (world, backup)
}

/// Puts the backup into the place of the store, and opens it.
async fn put_back(world: &World, backup: &[Change]) -> (Taken, Refrain) {
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::clone(&clock)));
    for change in backup {
        store.insert(change).await.unwrap();
    }
    let taken = take_over(store.as_ref(), clock.as_ref(), &SystemRandom)
        .await
        .unwrap();
    let refrain = world.another_on(&store);
    refrain.take_up_orphans();
    (taken, refrain)
}

/// Asks as programs do, for days; answers what they were told.
async fn used_for_days(world: &World, grants: &[Grant]) -> Vec<&'static str> {
    let mut told = Vec::new();
    for pause in [Duration::ZERO, HOUR / 12, HOUR, HOUR * 7, DAY * 2] {
        world.pass(pause);
        for grant in grants {
            told.extend(grant.access_token().await.err().map(|it| it.code()));
        }
    }
    told
}

#[tokio::test]
async fn a_backup_of_any_age_works_at_once_or_waits_for_a_person() {
    let restores = std::env::var("REFRAIN_RESTORES").map_or(RESTORES, |it| it.parse().unwrap());
    for (nth, rotation) in (0..restores).zip(ROTATIONS.into_iter().cycle()) {
        let age = age(nth);
        let case = format!("{nth}: {rotation:?}, {age:?}");
        let (world, backup) = aged(rotation, age).await;
        let (taken, refrain) = put_back(&world, &backup).await;
        let mut grants = Vec::new();
        for name in NAMES {
            grants.push(refrain.grant(name).await.unwrap());
        }
        let before = world.refreshes();
        let told = used_for_days(&world, &grants).await;
        if matches!(rotation, Rotation::Static | Rotation::Omit | Rotation::Echo) {
            assert_eq!((taken.usable.len(), taken.doubtful.len()), (3, 0), "{case}");
            assert_eq!(told, [""; 0], "{case}");
            assert_eq!(world.sim.counts().refused, 0, "{case}");
            continue;
        }
        assert_eq!((taken.usable.len(), taken.doubtful.len()), (0, 3), "{case}");
        assert!(
            told.len() >= 9 && told.iter().all(|it| *it == "restored"),
            "{case}: {told:?}"
        );
        assert_eq!(world.refreshes(), before, "{case}: presented unasked");
        // One by one: what was not replaced goes on, and of the rest it is said why it does not.
        for (grant, works) in grants.iter().zip([false, true, true]) {
            let asked = grant.refresh().await.err().map(|it| it.code());
            let expected = (!works).then_some("reauthorize_restored");
            assert_eq!(asked, expected, "{case}, {}", grant.name());
            if works {
                world.pass(HOUR);
                grant.access_token().await.unwrap();
            }
        }
    }
}
