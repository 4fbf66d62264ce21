//! Many processes on one grant.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    sync::Mutex,
    thread,
    time::Duration,
};

use refrain::Refrain;
use refrain_sim::{EventKind, Profile, Rotation, fingerprint};

use crate::{tools::tell, world::World};

const SHELLS: usize = 8;
const CALLS: usize = 50;
const LIFE: Duration = Duration::from_secs(1);
/// Between two calls of a shell: the whole takes ten lives or so.
const PAUSE: Duration = Duration::from_millis(200);

/// What a token call may take from the client to the simulator's decision: expiry is counted by the
/// client's clock, from before it asks, so the simulator may see the next refresh so much before its own
/// idea of the end.
const TOLERANCE: i64 = 200;

#[test]
fn eight_processes_fifty_calls_each_refresh_once_per_expiry_and_lose_nothing() {
    let world = World::new(Profile {
        access_ttl: LIFE,
        ..Profile::rotating(Rotation::FamilyKill)
    });
    let home = world.home();
    let grant = world.login(&home, "alice");
    let first = world.newest();
    let printed = Mutex::new(BTreeSet::new());
    thread::scope(|shells| {
        for _ in 0..SHELLS {
            shells.spawn(|| {
                for _ in 0..CALLS {
                    let ran = home.run(&["token", "alice", "--min-ttl", "0"]);
                    ran.assert_done();
                    printed
                        .lock()
                        .unwrap()
                        .insert(fingerprint(ran.stdout.trim()));
                    thread::sleep(PAUSE);
                }
            });
        }
    });
    let counts = world.sim.counts();
    assert_eq!(
        (counts.refused, counts.faulted, counts.max_concurrent),
        (0, 0, 1),
        "{counts:?}"
    );
    assert_eq!(counts.stray_credentials, 0);

    let exchanged = world
        .sim
        .history()
        .into_iter()
        .find_map(|event| match event.kind {
            EventKind::TokenCall(call) if call.grant == Some(grant) => Some(event.at),
            _ => None,
        });
    let mut minted_at = exchanged.unwrap();
    let mut refreshes: u64 = 0;
    for event in world.sim.history_since(first) {
        let EventKind::TokenCall(call) = event.kind else {
            continue;
        };
        refreshes += 1;
        let lived = event.at - minted_at;
        let life = i64::try_from(LIFE.as_millis()).unwrap();
        // `--min-ttl 0` asks for a token that lives at all: none is replaced before its end.
        assert!(
            lived + TOLERANCE >= life,
            "refresh {refreshes} replaced a token {lived} ms old"
        );
        minted_at = event.at;
        let issued = call.issued_access.unwrap();
        assert!(
            printed.lock().unwrap().contains(&issued),
            "refresh {refreshes} was for nobody"
        );
    }
    // Every refresh was one that somebody asked for, and every token printed was one of them.
    let printed = printed.lock().unwrap().len();
    assert!(printed <= usize::try_from(refreshes).unwrap() + 1);
    assert_eq!(counts.granted_replaced, refreshes + 1);
    assert!(refreshes > 0, "no token ever expired");
    tell(&format!(
        "{SHELLS} processes × {CALLS} calls: {refreshes} refreshes for as many expiries, 0 refused"
    ));
}

#[test]
fn eight_processes_that_find_nothing_there_make_one_key_and_one_store() {
    let world = World::new(Profile::default());
    for round in 0..20 {
        let home = world.home();
        thread::scope(|shells| {
            for _ in 0..SHELLS {
                shells.spawn(|| {
                    // Prints where to consent once it has the store open.
                    let mut login = home
                        .command(&["login", "alice", "--no-browser"])
                        .spawn()
                        .unwrap();
                    let mut line = String::new();
                    let stdout = login.stdout.take().unwrap();
                    BufReader::new(stdout).read_line(&mut line).unwrap();
                    login.kill().unwrap();
                    login.wait().unwrap();
                    assert!(line.starts_with("http"), "round {round}: {line}");
                });
            }
        });
        // And so do eight within one process.
        let home = world.home();
        thread::scope(|openers| {
            for _ in 0..SHELLS {
                openers.spawn(|| {
                    let opened = world.runtime.block_on(Refrain::open(home.load()));
                    assert!(opened.is_ok(), "round {round}: {opened:?}");
                });
            }
        });
    }
}
