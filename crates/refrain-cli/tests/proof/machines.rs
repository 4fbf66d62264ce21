//! A new master key on several machines that share a PostgreSQL database.

use std::fs;

use refrain::{Refrain, seal::Keyring};
use refrain_sim::{Profile, Rotation};

use crate::{
    tools::write_private,
    world::{Home, World},
};

#[path = "../../../refrain/tests/support/postgres.rs"]
#[allow(
    dead_code,
    clippy::allow_attributes,
    clippy::expect_used,
    reason = "shared by tests of other crates, which need other parts of it"
)]
mod cluster;

/// A home whose store is a database, with the key file of another home where there is one.
fn machine(world: &World, database: &str, like: Option<&Home>) -> Home {
    let home = world.home();
    let text = fs::read_to_string(&home.config).unwrap();
    let file = format!("sqlite:{}", home.db.display());
    write_private(&home.config, &text.replace(&file, database));
    if let Some(like) = like {
        copy_key(like, &home);
    }
    home
}

fn copy_key(from: &Home, to: &Home) {
    write_private(&to.key, &fs::read_to_string(&from.key).unwrap());
}

#[test]
fn a_machine_without_the_new_key_says_so_and_goes_on_once_it_has_it() {
    let cluster = cluster::Cluster::start();
    let database = cluster.database();
    let world = World::new(Profile::rotating(Rotation::FamilyKill));
    let one = machine(&world, &database, None);
    for name in ["alice", "bob"] {
        world.login(&one, name);
        one.run(&["--json", "refresh", name]).assert_done();
    }
    let other = machine(&world, &database, Some(&one));
    let forgotten = machine(&world, &database, Some(&one));
    let running = world.runtime.block_on(Refrain::open(forgotten.load()));
    let running = running.unwrap();
    let alice = world.runtime.block_on(running.grant("alice")).unwrap();
    let held = world.runtime.block_on(alice.access_token()).unwrap();

    // Without the new key on the other machines the old one is not replaced.
    let refused = one.run(&["--json", "sealing", "rotate"]);
    refused.assert_fails(6, "rotation_unprepared");
    one.run(&["sealing", "rotate", "--prepare"]).assert_done();
    copy_key(&one, &other);
    let done = one.run(&["--json", "sealing", "rotate"]).json();
    assert_eq!(
        (&done["resealed"], &done["made"]),
        (&2.into(), &false.into())
    );
    assert!(done["old_until"].is_string(), "{done}");
    other.run(&["--json", "refresh", "bob"]).assert_done();

    // The forgotten one serves what it holds, presents nothing, and names what it lacks.
    let before = world.sim.token_calls().len();
    let again = world.runtime.block_on(alice.access_token()).unwrap();
    assert_eq!(held.expose(), again.expose());
    let error = world.runtime.block_on(alice.refresh()).unwrap_err();
    let said = error.explain();
    assert_eq!(said.code, "sealed_row");
    let key = done["key"].as_str().unwrap();
    assert!(
        said.what.contains(key) && said.fix.contains(key),
        "{said:?}"
    );
    assert_eq!(world.sim.token_calls().len(), before);
    copy_key(&one, &forgotten);
    world.runtime.block_on(alice.refresh()).unwrap();

    // Ten minutes later: the old key leaves, here and then elsewhere.
    let text = fs::read_to_string(&one.key).unwrap();
    let until = done["old_until"].as_str().unwrap();
    write_private(&one.key, &text.replace(until, "2026-01-01T00:00:00Z"));
    let done = one.run(&["sealing", "rotate"]);
    done.assert_done();
    assert!(done.stdout.contains("to the other machines"), "{done:?}");
    assert!(Keyring::read(&one.key).unwrap().old().is_empty());
    copy_key(&one, &other);
    other.run(&["--json", "refresh", "bob"]).assert_done();
    world.runtime.block_on(alice.refresh()).unwrap();

    // What its own programs have put back is marked by hand.
    drop((alice, running));
    let marked = one.run(&["--json", "restore", "--mark-only"]).json();
    assert_eq!(marked["doubtful"], serde_json::json!(["alice", "bob"]));
    let list = one.run(&["list"]);
    assert_eq!(
        list.stdout.matches("suspect (restored)").count(),
        2,
        "{list:?}"
    );
    one.run(&["--json", "refresh", "bob"]).assert_done();
}
