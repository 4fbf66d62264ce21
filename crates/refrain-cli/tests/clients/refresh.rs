//! Clients that insist on refreshing by themselves: refrain is their token endpoint, and a key of refrain's
//! their refresh token.

use std::time::Duration;

use crate::{
    place::Place,
    program::{Language, Program},
};

const FILE: &str = "spotipy_refresh.py";

fn start(place: &Place, key: &str) -> Program {
    let args = [&place.url, key, place.sim.api_url()];
    Program::start(place, Language::Python, FILE, &args)
}

#[tokio::test(flavor = "multi_thread")]
async fn spotipys_own_refresh_works_through_expiry_and_rotation() {
    let place = Place::new().await;
    let key = place.key("program", &["--allow", "token"]);
    let mut program = start(&place, &key);
    program.gets("me", "alice");
    place.first_token_has_expired().await;
    program.gets("me", "alice");
    let refreshes = place.sim.counts().refreshes;
    assert_eq!((refreshes, place.answered(401)), (1, 0));
    // The answer had no refresh token in it, so it still has the one that it can come back with.
    program.gets("keeps the key", true);
    place.all_is_well();
}

/// Two programs with the refresh token of one login would each present what the other has had replaced,
/// which ends the authorization at a provider that rotates.
#[tokio::test(flavor = "multi_thread")]
async fn two_programs_that_refresh_by_themselves_share_one_authorization() {
    let place = Place::new().await;
    let key = place.key("programs", &["--allow", "token"]);
    let mut programs = [start(&place, &key), start(&place, &key)];
    for program in &mut programs {
        program.gets("me", "alice");
    }
    place.first_token_has_expired().await;
    for program in &mut programs {
        program.gets("me", "alice");
    }
    place.run(&["refresh", "alice"]);
    // The server hears of that within five seconds; who starts anew then gets the newest token.
    tokio::time::sleep(Duration::from_secs(5)).await;
    programs[0] = start(&place, &key);
    for program in &mut programs {
        program.gets("me", "alice");
    }
    assert_eq!((place.sim.counts().refreshes, place.answered(401)), (2, 0));
    place.all_is_well();
}
