//! `refrain serve` ends as it should: what is under way is answered, and nothing is lost.

use std::time::{Duration, Instant};

use refrain_sim::{Action, EventKind, Fault, Profile, Rotation, Target, Verdict};
use rustix::process::Signal;

use crate::{
    served::{Served, read},
    world::{World, signal},
};

#[test]
fn a_server_that_is_told_to_stop_sees_requests_and_a_refresh_through() {
    let world = World::new(Profile::rotating(Rotation::Strict));
    let home = world.home();
    let (alice, bob) = (world.login(&home, "alice"), world.login(&home, "bob"));
    let key = |name: &str| {
        let ran = home.run(&[
            "--json",
            "key",
            "create",
            name,
            "-g",
            name,
            "--allow=token,proxy",
        ]);
        ran.assert_done();
        let key = ran.json()["key"].as_str().unwrap().to_owned();
        format!("Authorization: Bearer {key}\r\n")
    };
    let (for_alice, for_bob) = (key("alice"), key("bob"));
    let served = Served::start(home.command(&["serve"]));
    let me = |header: &str| served.request("GET /v1/me", header, "");
    for header in [&for_alice, &for_bob] {
        let answer = served.say(&me(header));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    // Alice's refresh is held at the accounts service, and so is the request that needs it.
    assert!(world.sim.reject_access_token(&access_token(&home, "alice")));
    let since = world.newest();
    world
        .sim
        .script(Fault::once(Target::TokenRefresh, Action::HoldAnswer));
    let waiting = served.send(&me(&for_alice));
    world.wait_for(since, |event| matches!(event.kind, EventKind::Held { .. }));

    let told = Instant::now();
    signal(served.child(), Signal::TERM);
    std::thread::sleep(Duration::from_millis(300));
    signal(served.child(), Signal::TERM);
    std::thread::sleep(Duration::from_millis(300));
    world.sim.release();
    let answer = read(waiting);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("refrain-repaired: 1"), "{answer}");
    let ran = served.end();
    assert!(
        told.elapsed() < Duration::from_secs(20),
        "{:?}",
        told.elapsed()
    );
    ran.assert_done();
    // Nothing is lost: both go on with what is in the store.
    for (name, grant) in [("alice", alice), ("bob", bob)] {
        home.run(&["refresh", name]).assert_done();
        assert!(!matches!(world.verdict(grant), Verdict::Dead(_)), "{name}");
    }
    assert_eq!(world.sim.counts().refused, 0);
}

fn access_token(home: &crate::world::Home, name: &str) -> String {
    let ran = home.run(&["--json", "token", name]);
    ran.assert_done();
    ran.access_token()
}
