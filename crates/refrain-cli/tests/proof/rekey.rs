//! The master key is replaced, and the store restored, under load and under `kill -9`.
//!
//! `REFRAIN_REKEY_KILLS` sets how many rotations are killed, and half as many restores;
//! `REFRAIN_REKEY_GRANTS` how many grants a rotation has before it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use refrain::{
    Refrain,
    lifecycle::{self, Consented, GrantRow, row},
    oauth::scope::Scope,
    seal::{Field, KeyFileLock, KeyId, Keyring, Owner, Sealer},
    store::{Store as _, sqlite::SqliteStore},
    time::{Deadline, SystemClock, UnixMillis},
};
use refrain_sim::{Profile, Rotation};

use crate::{
    tools::{number, tell, until},
    world::{Home, World},
};

const KILLS: u64 = 24;
const GRANTS: u64 = 300;
const REFRESHING: [&str; 4] = ["anna", "berta", "clara", "dora"];

fn kills() -> u64 {
    number("REFRAIN_REKEY_KILLS").unwrap_or(KILLS)
}

/// Adds grants whose tokens nobody has issued: they are there to be sealed.
fn fill(world: &World, home: &Home, grants: usize) {
    world.runtime.block_on(async {
        let refrain = Refrain::open_idle(home.load()).await.unwrap();
        let mut adding = tokio::task::JoinSet::new();
        for number in 0..grants {
            // So many that they share a write, and none waits longer than a store may take.
            if adding.len() >= 200 {
                adding.join_next().await.unwrap().unwrap();
            }
            let refrain = refrain.clone();
            adding.spawn(async move { add(&refrain, &format!("filler{number:04}")).await });
        }
        while let Some(added) = adding.join_next().await {
            added.unwrap();
        }
    });
}

async fn add(refrain: &Refrain, name: &str) {
    let parts = refrain.parts();
    let random = parts.random.as_ref();
    let app = parts.apps.values().next().unwrap();
    let now = parts.clock.now();
    let blank = GrantRow::blank(
        refrain::id::GrantId::random(random).unwrap(),
        name.parse().unwrap(),
        app.name.clone(),
        app.client.id.clone(),
        now.wall,
    );
    let owner = Owner {
        epoch: blank.epoch.next(),
        ..Owner::of(&blank)
    };
    let sealed = parts.sealer.new_data_key(&owner, random);
    let (key, data_key) = sealed.unwrap();
    let seal = |field| key.seal(field, 0, name, random).unwrap();
    let consented = Consented {
        app: app.name.clone(),
        client_id: app.client.id.clone(),
        at: now.wall,
        origin: None,
        consent: row::Consent {
            authorized_at: now.wall,
            reauthorize_by: now.wall.after(Duration::from_secs(86_400 * 180)),
            latest: None,
        },
        scope: Scope::default(),
        account: None,
        data_key,
        refresh: seal(Field::RefreshToken),
        access: row::Access {
            sealed: seal(Field::AccessToken),
            expires: Deadline::after(&now, Duration::from_secs(3600)),
            life_millis: 3_600_000,
        },
    };
    let change = lifecycle::consent(&blank, consented);
    parts.store.insert(&change).await.unwrap();
}

/// Opens everything with the key file as it is; answers how many grants each key seals.
fn open_all(world: &World, home: &Home) -> BTreeMap<String, usize> {
    world.runtime.block_on(async {
        let clock = Arc::new(SystemClock::new());
        let store = SqliteStore::open(&home.db, clock).await.unwrap();
        let identity = store.identity().await.unwrap().unwrap();
        let ring = Keyring::read(&home.key).unwrap();
        let sealer = Sealer::open(ring, identity.deployment, &identity.key_check).unwrap();
        let mut keys = BTreeMap::new();
        for row in store.grants(None, 1_000_000).await.unwrap() {
            let row = row.value;
            let tokens = row.tokens.as_ref().unwrap();
            let key = sealer.open_data_key(&Owner::of(&row), &tokens.data_key);
            let key = key.unwrap();
            key.open(Field::RefreshToken, row.generation.0, &tokens.refresh)
                .unwrap();
            let named = tokens.data_key.as_bytes()[2..10].try_into().unwrap();
            *keys.entry(KeyId(named).to_string()).or_default() += 1;
        }
        keys
    })
}

/// Lets the next run be a rotation of its own: the old key stays while others have the store open, and
/// none of them seals anything with it here.
fn begin_anew(home: &Home) {
    until("the killed process lets go of the lock", || {
        let Some(lock) = KeyFileLock::take(&home.key).unwrap() else {
            return false;
        };
        let ring = lock.read().unwrap();
        if ring.old_until().is_some() {
            lock.write(&ring.without_old(&[])).unwrap();
        }
        true
    });
}

/// Kills a command after a while; answers whether it still ran.
fn kill_after(home: &Home, args: &[&str], delay: Duration) -> bool {
    let mut child = home.command(args).spawn().unwrap();
    thread::sleep(delay);
    let alive = child.try_wait().unwrap().is_none();
    child.kill().unwrap_or_default();
    child.wait().unwrap();
    alive
}

/// Instants spread over a run, in no order (multiples of the golden ratio).
fn instants(usual: Duration, count: u64) -> impl Iterator<Item = Duration> {
    (1..=count).map(move |nth| {
        let nth = f64::from(u32::try_from(nth).unwrap());
        usual.mul_f64(1.1 * (nth * 0.618_033_988_75).fract())
    })
}

#[test]
fn a_rotation_killed_at_any_instant_loses_no_grant_while_four_processes_refresh() {
    let world = World::new(Profile::rotating(Rotation::FamilyKill));
    let home = world.home();
    for name in REFRESHING {
        world.login(&home, name);
    }
    let grants = usize::try_from(number("REFRAIN_REKEY_GRANTS").unwrap_or(GRANTS)).unwrap();
    fill(&world, &home, grants - REFRESHING.len());
    let begun = Instant::now();
    home.run(&["sealing", "rotate"]).assert_done();
    let usual = begun.elapsed();

    let stop = AtomicBool::new(false);
    let refreshed = AtomicU64::new(0);
    let mut alive = 0;
    thread::scope(|threads| {
        for name in REFRESHING {
            let (stop, refreshed, home) = (&stop, &refreshed, &home);
            threads.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    home.run(&["--json", "refresh", name]).assert_done();
                    refreshed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for delay in instants(usual * 2, kills()) {
            begin_anew(&home);
            alive += u32::from(kill_after(&home, &["sealing", "rotate"], delay));
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Nobody is there any more who could hold the old key: it leaves with the run that completes.
    home.run(&["sealing", "rotate"]).assert_done();
    let keys = open_all(&world, &home);
    assert_eq!(keys.values().sum::<usize>(), grants);
    let ring = Keyring::read(&home.key).unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(keys.contains_key(&ring.newest().id().to_string()));
    assert!(ring.old().is_empty() && ring.next().is_none());
    let mode = fs::metadata(&home.key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!home.path().join("config/master.key.new").exists());
    for name in REFRESHING {
        home.run(&["--json", "refresh", name]).assert_done();
    }
    assert_eq!(world.sim.counts().stray_credentials, 0);
    tell(&format!(
        "rekey: {} rotations of {grants} grants killed ({alive} before their end), {} refreshes meanwhile, \
         0 unopenable; one rotation takes {usual:?}",
        kills(),
        refreshed.load(Ordering::Relaxed)
    ));
}

#[test]
fn a_program_that_runs_goes_on_under_a_new_key_and_seals_with_it() {
    let world = World::new(Profile::default());
    let home = world.home();
    world.login(&home, "alice");
    let open = || world.runtime.block_on(Refrain::open(home.load())).unwrap();
    let refresh = |refrain: &Refrain| {
        world.runtime.block_on(async {
            let alice = refrain.grant("alice").await.unwrap();
            alice.refresh().await.unwrap();
        });
    };
    let running = open();
    refresh(&running);
    home.run(&["sealing", "rotate"]).assert_done();
    let ring = Keyring::read(&home.key).unwrap();
    assert_eq!(ring.old().len(), 1, "it may be needed by the one that runs");
    refresh(&running);
    // Its next row is under the new key.
    world.runtime.block_on(async {
        let url = running.begin_login(crate::world::request("bob")).await;
        let location = world.sim.consent(&url.unwrap().url).unwrap();
        let query = location.split_once('?').unwrap().1;
        running.finish_login(query).await.unwrap();
    });
    let keys = open_all(&world, &home);
    assert_eq!(keys, BTreeMap::from([(ring.newest().id().to_string(), 2)]));
    // When its time has come the old key goes, whoever still runs.
    let lock = KeyFileLock::take(&home.key).unwrap().unwrap();
    lock.write(&ring.with_old_until(UnixMillis(0))).unwrap();
    let busy = home.run(&["--json", "sealing", "rotate"]);
    busy.assert_fails(5, "custody_busy");
    drop(lock);
    home.run(&["sealing", "rotate"]).assert_done();
    assert!(Keyring::read(&home.key).unwrap().old().is_empty());
    refresh(&running);
    // A row under a key that this machine has not says so; the token in memory is served all the same.
    let key = fs::read(&home.key).unwrap();
    let away = home.path().join("away");
    fs::rename(&home.key, &away).unwrap();
    fs::write(&home.key, &key).unwrap();
    fs::set_permissions(&home.key, fs::Permissions::from_mode(0o600)).unwrap();
    refresh(&running);
}

#[test]
fn a_restore_killed_at_any_instant_leaves_the_old_store_or_the_new_one() {
    let world = World::new(Profile::rotating(Rotation::Static));
    let home = world.home();
    world.login(&home, "alice");
    home.run(&["--json", "refresh", "alice"]).assert_done();
    fill(&world, &home, 100);
    let file = home.path().join("copy");
    let file = file.to_str().unwrap();
    home.run(&["backup", file]).assert_done();
    world.login(&home, "bob");
    let with_bob = home.path().join("with-bob");
    home.run(&["backup", with_bob.to_str().unwrap()])
        .assert_done();
    let restore = ["--json", "restore", "--yes", file];
    let (mut usual, mut alive, mut old, mut new) = (Duration::ZERO, 0, 0, 0);
    let count = kills().div_ceil(2);
    for share in instants(Duration::from_secs(1), count) {
        let begun = Instant::now();
        home.run(&["restore", "--yes", with_bob.to_str().unwrap()])
            .assert_done();
        usual = begun.elapsed();
        let delay = usual.mul_f64(share.as_secs_f64());
        alive += u32::from(kill_after(&home, &restore, delay));
        match open_all(&world, &home).values().sum() {
            101 => new += 1,
            102 => old += 1,
            other => panic!("neither the old store nor the new one: {other} grants"),
        }
        home.run(&["--json", "refresh", "alice"]).assert_done();
    }
    until("a restore completes", || home.run(&restore).exit == Some(0));
    assert!(!home.path().join("data/refrain.db.incoming").exists());
    assert_eq!(open_all(&world, &home).values().sum::<usize>(), 101);
    tell(&format!(
        "rekey: {count} restores killed ({alive} before their end): {old} times the old store, {new} times \
         the new one; one restore takes {usual:?}"
    ));
}
