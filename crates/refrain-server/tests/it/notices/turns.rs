//! A grant that stops working, and works again: told as it turns, by a server that runs.

use std::time::Duration;

use refrain::{Grant, lifecycle::row::Status};
use refrain_sim::{Action, Fault, Target};
use serde_json::{Value, json};

use super::{DAY, MINUTE, looked, manager, settings, told};
use crate::{
    receiver::{Heard, Receiver},
    world::World,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

async fn world(receiver: &Receiver) -> World {
    let world = World::telling(&settings([receiver])).await;
    // The first look: alice was there before.
    looked(&world).await;
    world
}

async fn alice(world: &World) -> Grant {
    world.refrain.grant("alice").await.unwrap()
}

/// A refresh; whether it came to a token, or to which error.
async fn refresh(world: &World) -> Result<(), String> {
    let grant = alice(world).await;
    let refreshed = world.in_time(grant.refresh()).await;
    refreshed.map(drop).map_err(|error| error.code().to_owned())
}

/// Spotify refuses the next refresh for no reason.
fn refuse(world: &World) {
    let description = Some("Invalid refresh token".to_owned());
    let action = Action::FalseRefusal { description };
    let fault = Fault::once(Target::TokenRefresh, action);
    world.sim.script(fault);
}

/// The refusals after which one is believed, with nothing told before the last of them.
async fn condemn(world: &World, receiver: &mut Receiver, mut refused: impl FnMut(&World)) {
    for wait in [HOUR, HOUR * 7] {
        refused(world);
        assert!(refresh(world).await.is_err());
        looked(world).await;
        let early = receiver.rest();
        assert!(early.is_empty(), "it is being verified: {early:?}");
        world.pass(wait);
    }
    refused(world);
    assert!(refresh(world).await.is_err());
}

async fn next(world: &World, receiver: &mut Receiver, kind: &str) -> Value {
    let heard: Heard = world.in_time(receiver.next()).await;
    assert_eq!(heard.kind(), kind);
    // Time is not to leap while it is under way.
    let key = manager(world).await;
    told(world, &key, |it| it[0]["delivered_at"].is_string()).await;
    heard.json()["data"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_user_has_taken_the_consent_back_is_told_once_and_so_is_the_new_one() {
    let mut receiver = Receiver::new([]).await;
    let world = world(&receiver).await;
    let client_id = world.sim.default_app().client_id;
    world.sim.revoke_user(&client_id, "alice");
    condemn(&world, &mut receiver, |_| ()).await;
    let data = next(&world, &mut receiver, "grant.reauthorize").await;
    assert_eq!(
        (&data["grant"], &data["status"], &data["reason"]),
        (&json!("alice"), &json!("reauthorize"), &json!("revoked"))
    );
    let Status::Reauthorize { since, .. } = alice(&world).await.summary().await.unwrap().status
    else {
        panic!("{data}");
    };
    assert_eq!(data["since"], since.to_string());
    assert!(refresh(&world).await.is_err());
    looked(&world).await;
    assert!(receiver.rest().is_empty(), "it stands as it did");
    world.sign_in("alice").await;
    let data = next(&world, &mut receiver, "grant.connected").await;
    assert_eq!(
        (&data["status"], &data["reason"]),
        (&json!("active"), &Value::Null)
    );
    looked(&world).await;
    assert!(receiver.rest().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn that_spotify_was_wrong_about_a_grant_is_told_when_it_works_again() {
    let mut receiver = Receiver::new([]).await;
    let world = world(&receiver).await;
    condemn(&world, &mut receiver, refuse).await;
    next(&world, &mut receiver, "grant.reauthorize").await;
    // Somebody tries once more, and nobody has signed in.
    assert_eq!(refresh(&world).await, Ok(()));
    let data = next(&world, &mut receiver, "grant.recovered").await;
    assert_eq!(
        (&data["grant"], &data["status"], &data["reason"]),
        (&json!("alice"), &json!("active"), &Value::Null)
    );
    looked(&world).await;
    assert!(receiver.rest().is_empty());
    // And if it stops once more that is told once more.
    condemn(&world, &mut receiver, refuse).await;
    next(&world, &mut receiver, "grant.reauthorize").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_is_not_believed_is_nobodys_business() {
    let mut receiver = Receiver::new([]).await;
    let world = world(&receiver).await;
    refuse(&world);
    assert!(refresh(&world).await.is_err());
    looked(&world).await;
    world.pass(HOUR);
    assert_eq!(refresh(&world).await, Ok(()));
    looked(&world).await;
    assert!(receiver.rest().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_consent_is_told_ahead_when_it_comes_and_when_it_is_given_anew() {
    let mut receiver = Receiver::new([]).await;
    let world = world(&receiver).await;
    let consent = alice(&world).await.summary().await.unwrap().consent;
    let end = consent.unwrap().reauthorize_by;
    for days in [30, 7, 1] {
        let at = end.before(DAY * days);
        world.pass(at.since(world.clock_wall()));
        let data = next(&world, &mut receiver, "grant.reauthorize_soon").await;
        assert_eq!(
            (&data["days"], &data["status"]),
            (&json!(days), &json!("active"))
        );
    }
    world.pass(end.since(world.clock_wall()) + MINUTE);
    let client_id = world.sim.default_app().client_id;
    world.sim.revoke_user(&client_id, "alice");
    assert!(refresh(&world).await.is_err());
    let data = next(&world, &mut receiver, "grant.reauthorize").await;
    assert_eq!(
        (&data["reason"], &data["days"]),
        (&json!("expired"), &Value::Null)
    );
    assert_eq!(data["reauthorize_by"], end.to_string());
    world.sign_in("alice").await;
    let data = next(&world, &mut receiver, "grant.connected").await;
    let consent = alice(&world).await.summary().await.unwrap().consent;
    let anew = consent.unwrap().reauthorize_by;
    assert_eq!(data["reauthorize_by"], anew.to_string());
    // The days ahead begin again.
    world.pass(anew.before(DAY * 30).since(world.clock_wall()));
    let data = next(&world, &mut receiver, "grant.reauthorize_soon").await;
    assert_eq!(data["days"], 30);
    assert!(receiver.rest().is_empty());
}
