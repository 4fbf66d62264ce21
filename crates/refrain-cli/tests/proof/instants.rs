//! The instants that matter, hit exactly: a process dies or is interrupted there, in every rotation mode.

use std::{
    io::Write as _,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use refrain_sim::{Action, EventKind, Fault, Profile, Rotation, Target, Verdict};
use rustix::process::Signal;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    kill::{MODES, Victim},
    tools::{tell, until},
    world::{Home, World, finish, signal},
};

/// Where a process stands when it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Presented; the provider never sees it through.
    Presented,
    /// Presented; the provider sees it through after the process has died.
    PresentedLate,
    /// The provider has committed; the answer is not sent.
    Unanswered,
    /// The provider has committed and hung up; the process is about to ask again.
    Cut,
    /// The answer is here; the store does not take it, because another process writes.
    Received,
    /// The answer is stored; nobody has been told.
    Stored,
}

const INSTANTS: [Moment; 6] = [
    Moment::Presented,
    Moment::PresentedLate,
    Moment::Unanswered,
    Moment::Cut,
    Moment::Received,
    Moment::Stored,
];

impl Moment {
    fn fault(self) -> Action {
        match self {
            Self::Presented => Action::Hang,
            Self::PresentedLate => Action::Hold,
            Self::Unanswered | Self::Received | Self::Stored => Action::HoldAnswer,
            Self::Cut => Action::CutAfterCommit,
        }
    }

    /// Whether the provider has gone on and the store has not.
    fn loses_the_answer(self) -> bool {
        !matches!(self, Self::Presented | Self::Stored)
    }

    /// Runs a refresh up to here, kills it, and lets the simulator go on.
    fn kill(self, world: &World, home: &Home, victim: &Victim<'_>) {
        let since = world.newest();
        world
            .sim
            .script(Fault::once(Target::TokenRefresh, self.fault()));
        let mut command = victim.refresh_command();
        let mut full = None;
        if self == Self::Stored {
            let (reader, writer) = full_pipe();
            command.stdout(writer);
            full = Some(reader);
        }
        let mut child = command.spawn().unwrap();
        drop(command);
        let held = |event: &refrain_sim::Event| matches!(event.kind, EventKind::Held { .. });
        let answered =
            |event: &refrain_sim::Event| matches!(event.kind, EventKind::Answered { .. });
        match self {
            // There is no event for a request that is never answered.
            Self::Presented => until("the fault meets its request", || {
                world.sim.unread_scripts() == 0
            }),
            Self::Cut => drop(world.wait_for(since, answered)),
            Self::PresentedLate | Self::Unanswered => drop(world.wait_for(since, held)),
            Self::Received => {
                world.wait_for(since, held);
                let lock = world.runtime.block_on(lock(home));
                world.sim.release();
                world.wait_for(since, answered);
                thread::sleep(Duration::from_millis(100));
                kill(&mut child);
                world.runtime.block_on(lock.close()).unwrap();
            }
            Self::Stored => {
                world.wait_for(since, held);
                world.sim.release();
                until("the answer is stored", || {
                    world.runtime.block_on(is_at_rest(home, victim.name()))
                });
            }
        }
        kill(&mut child);
        drop(full);
        world.sim.release();
        if self == Self::PresentedLate {
            let grant = victim.grant();
            until("the request is processed", || {
                !world.calls_since(since, grant).is_empty()
            });
        }
    }
}

fn kill(child: &mut Child) {
    // Fails only where the process has been killed before.
    child.kill().unwrap_or_default();
    child.wait().unwrap();
}

/// A pipe that takes not one more byte: who writes to it waits.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let blocking = rustix::fs::fcntl_getfl(&writer).unwrap();
    rustix::fs::fcntl_setfl(&writer, blocking | rustix::fs::OFlags::NONBLOCK).unwrap();
    while writer.write(&[0; 4096]).is_ok() {}
    while writer.write(&[0]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, blocking).unwrap();
    (reader, writer)
}

async fn connect(home: &Home) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(&home.db);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Keeps every other process from writing until it is closed.
async fn lock(home: &Home) -> SqliteConnection {
    let mut connection = connect(home).await;
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut connection)
        .await
        .unwrap();
    connection
}

/// Whether nobody intends to present the grant's token.
async fn is_at_rest(home: &Home, name: &str) -> bool {
    let mut connection = connect(home).await;
    let at_rest = sqlx::query_scalar("SELECT NOT armed FROM grants WHERE name = ?")
        .bind(name)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    at_rest
}

#[test]
fn a_refresh_killed_at_each_instant_loses_exactly_what_nobody_could_keep() {
    let mut lost = 0;
    for (mode, rotation) in MODES {
        let world = World::new(Profile::rotating(rotation));
        let home = world.home();
        let mut victim = Victim::new(&world, &home, "alice");
        for instant in INSTANTS {
            let since = world.newest();
            instant.kill(&world, &home, &victim);
            let (aftermath, tally) = victim
                .aftermath(since)
                .unwrap_or_else(|what| panic!("{mode}, {instant:?}: {what}"));
            let forgiving = !matches!(rotation, Rotation::Strict | Rotation::FamilyKill);
            let unavoidable = !forgiving && instant.loses_the_answer();
            assert_eq!(
                tally.lost_unavoidable,
                u64::from(unavoidable),
                "{mode}, {instant:?}: {aftermath:#?}"
            );
            // The oracle cannot know that a token was stored until it is presented.
            if forgiving || unavoidable {
                let safe = aftermath.verdict == Verdict::Safe;
                assert_eq!(safe, forgiving, "{mode}, {instant:?}: {aftermath:#?}");
            }
            assert_eq!(
                aftermath.stored,
                instant == Moment::Stored,
                "{mode}, {instant:?}: {aftermath:#?}"
            );
            assert_eq!(
                tally.named, tally.lost_unavoidable,
                "{mode}, {instant:?}: {aftermath:#?}"
            );
            lost += tally.lost_unavoidable;
        }
        world.sim.assert_scripts_consumed();
    }
    tell(&format!(
        "killed at {} instants in {} modes: {lost} answers lost that no client could have kept, no others",
        INSTANTS.len(),
        MODES.len()
    ));
}

#[test]
fn a_script_that_asks_for_a_token_after_a_kill_gets_one_wherever_that_can_be() {
    let life = Duration::from_secs(1);
    let after_a_kill = |mode: &str, rotation: Rotation| {
        let world = World::new(Profile {
            access_ttl: life,
            ..Profile::rotating(rotation)
        });
        let home = world.home();
        for moment in [Moment::Presented, Moment::Unanswered, Moment::Stored] {
            let name = format!("{moment:?}").to_lowercase();
            let victim = Victim::new(&world, &home, &name);
            moment.kill(&world, &home, &victim);
            // Nothing is left to serve: this one has to refresh.
            thread::sleep(life + Duration::from_millis(100));
            let safe = world.verdict(victim.grant()) == Verdict::Safe;
            let ran = home.run(&["--json", "token", &name, "--min-ttl", "0"]);
            let end = (ran.exit, ran.code());
            if safe || moment == Moment::Stored {
                assert_eq!(end.0, Some(0), "{mode}, {moment:?}: {ran:?}");
            } else {
                let told = [
                    (Some(3), "reauthorize_answer_lost".to_owned()),
                    (Some(5), "refused_early".to_owned()),
                ];
                assert!(told.contains(&end), "{mode}, {moment:?}: {ran:?}");
            }
        }
    };
    thread::scope(|threads| {
        for (mode, rotation) in MODES {
            threads.spawn(move || after_a_kill(mode, rotation));
        }
    });
}

#[test]
fn a_lost_answer_is_asked_for_again_inside_the_grace_period_even_while_a_token_lives() {
    let rotation = Rotation::Grace { seconds: 30 };
    let world = World::new(Profile::rotating(rotation));
    let home = world.home();
    let victim = Victim::new(&world, &home, "alice");
    Moment::Unanswered.kill(&world, &home, &victim);
    assert_eq!(world.verdict(victim.grant()), Verdict::Safe);
    // The token of before still lives an hour, so there is nothing to refresh for its sake.
    home.run(&["token", "alice"]).assert_done();
    world.sim.advance(Duration::from_secs(31));
    home.run(&["--json", "refresh", "alice"]).assert_done();
}

#[test]
fn an_interrupted_refresh_takes_its_answer_home() {
    for with in [Signal::INT, Signal::TERM] {
        let world = World::new(Profile::rotating(Rotation::FamilyKill));
        let home = world.home();
        let victim = Victim::new(&world, &home, "alice");
        let since = world.newest();
        world
            .sim
            .script(Fault::once(Target::TokenRefresh, Action::HoldAnswer));
        let child = victim.refresh_command().spawn().unwrap();
        world.wait_for(since, |event| matches!(event.kind, EventKind::Held { .. }));
        signal(&child, with);
        thread::sleep(Duration::from_millis(200));
        world.sim.release();
        let begun = Instant::now();
        let ran = finish(child);
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "{with:?}: {ran:?}"
        );
        let next = home.run(&["--json", "refresh", "alice"]);
        assert_eq!(next.exit, Some(0), "after {with:?} ({ran:?}): {next:?}");
        assert_eq!(world.sim.counts().refused, 0);
    }
}

#[test]
fn an_interrupted_refresh_that_gets_no_answer_leaves_nothing_half_done() {
    for with in [Signal::INT, Signal::TERM] {
        let world = World::new(Profile::rotating(Rotation::FamilyKill));
        let home = world.home();
        let victim = Victim::new(&world, &home, "alice");
        world
            .sim
            .script(Fault::once(Target::TokenRefresh, Action::Hang));
        let child = victim.refresh_command().spawn().unwrap();
        until("the request is there", || world.sim.unread_scripts() == 0);
        signal(&child, with);
        let begun = Instant::now();
        let ran = finish(child);
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "{with:?}: {ran:?}"
        );
        assert_ne!(ran.exit, Some(0), "{with:?}: {ran:?}");
        home.run(&["--json", "token", "alice"]).assert_done();
        home.run(&["--json", "refresh", "alice"]).assert_done();
        assert_eq!(world.sim.counts().refused, 0);
    }
}
