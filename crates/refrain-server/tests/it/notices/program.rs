//! A program of this machine that is told.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use refrain::config;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{manager, outcome, test, told};
use crate::world::World;

/// A script, in a folder of its own.
struct Script {
    folder: TempDir,
}

impl Script {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Self { folder };
        let path = script.path("tell");
        // Its name comes when it is whole: nobody who is writing it keeps it from being started.
        fs::write(script.path("new"), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(script.path("new"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::rename(script.path("new"), path).unwrap();
        script
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self, arguments: &[&str]) -> config::Notices {
        let mut settings = config::Notices::default();
        let path = self.path("tell").to_str().unwrap().to_owned();
        let arguments = arguments.iter().map(|it| (*it).to_owned());
        settings.command = std::iter::once(path).chain(arguments).collect();
        settings
    }

    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

/// Waits for something of this machine, on which no clock is moved.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "it never comes that {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_the_message_and_nothing_of_the_environment() {
    let script =
        Script::new(r#"cd "${0%/*}"; cat > input; env > environment; echo "$@" > arguments"#);
    let world = World::telling(&script.settings(&["--to", "$HOME;`id`"])).await;
    let key = manager(&world).await;
    let id = test(&world, &key).await;
    let notices = told(&world, &key, |it| outcome(it).is_some()).await;
    assert_eq!(outcome(&notices), Some("exit 0"));
    assert_eq!(notices[0]["target"], "command");
    let input: Value = serde_json::from_str(&script.written("input")).unwrap();
    assert_eq!(
        (&input["id"], &input["type"]),
        (&json!(id), &json!("refrain.test"))
    );
    assert_eq!(
        script.written("arguments"),
        "--to $HOME;`id`\n",
        "no shell has seen it"
    );
    let environment = script.written("environment");
    let names = environment
        .lines()
        .filter_map(|line| line.split('=').next());
    // The shell adds those of its own.
    let others: Vec<_> = names
        .filter(|name| !["PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_fails_is_run_again() {
    let script = Script::new(
        r#"cd "${0%/*}"; echo again >> runs; n=$(wc -l < runs); test "$n" -ge 3 || exit "$n""#,
    );
    let world = World::telling(&script.settings(&[])).await;
    let key = manager(&world).await;
    test(&world, &key).await;
    // Time is not to leap while it runs, so it says which run it was.
    told(&world, &key, |it| outcome(it) == Some("exit 2")).await;
    world.pass(super::MINUTE * 6);
    let notices = told(&world, &key, |it| outcome(it) == Some("exit 0")).await;
    assert_eq!(
        (
            &notices[0]["attempts"],
            script.written("runs").lines().count()
        ),
        (&json!(3), 3)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_end_is_killed_with_all_that_it_has_started() {
    let script = Script::new(
        r#"cd "${0%/*}"; test -e self && exec sleep 1000; sleep 1000 & echo $! > child; echo $$ > self; wait"#,
    );
    let world = World::telling(&script.settings(&[])).await;
    let key = manager(&world).await;
    test(&world, &key).await;
    // It runs before half a minute has passed by the clock that is moved.
    let begun = || script.path("self").exists() && !script.written("self").is_empty();
    until("the program has begun", begun).await;
    let notices = told(&world, &key, |it| outcome(it).is_some()).await;
    assert_eq!(outcome(&notices), Some("timed out"));
    for process in ["self", "child"] {
        let id = script.written(process);
        let stat = PathBuf::from(format!("/proc/{}/stat", id.trim()));
        // Whoever is dead and not buried is dead.
        let lives = || fs::read_to_string(&stat).is_ok_and(|it| !it.contains(") Z "));
        until(&format!("{process} has ended"), || !lives()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_told_of() {
    let mut settings = config::Notices::default();
    settings.command = vec!["/nowhere/tell".to_owned()];
    let world = World::telling(&settings).await;
    let key = manager(&world).await;
    test(&world, &key).await;
    let notices = told(&world, &key, |it| outcome(it).is_some()).await;
    assert_eq!(outcome(&notices), Some("cannot be started"));
}
