//! Sessions of users: what goes with them, and what does not come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use refrain::{
    id::GrantName,
    keeper::{links::Returned, sessions::NewSession},
    lifecycle::Status,
    session::{LocalPath, SessionId, Whose},
    store::{Cause, Store, StoreError},
};
use refrain_sim::{Profile, User};

use crate::{
    between::{Between, Call, Watched},
    world::World,
};

/// What a browser asks for.
pub(crate) fn new_session(asks_anew: bool) -> NewSession {
    NewSession {
        app: "default".parse().unwrap(),
        return_to: LocalPath::root(),
        port: None,
        asks_anew,
        carries: false,
    }
}

/// The simulator's present user consents in a browser that asks for a session.
async fn consent(world: &World, asks_anew: bool) -> Returned {
    let begun = world
        .refrain
        .begin_session(new_session(asks_anew))
        .await
        .unwrap();
    let location = world.sim.consent(&begun.login.url).unwrap();
    let query = location.split_once('?').unwrap().1;
    let returned = world.refrain.finish_link(query, &begun.browser);
    returned.await.unwrap()
}

async fn sign_in(world: &World) -> (GrantName, SessionId) {
    let grant = consent(world, true).await.result.unwrap().grant;
    let whose = Whose::User(grant.clone());
    let (_, record) = world.refrain.open_session(whose).await.unwrap();
    (grant, record.id)
}

async fn is_signed_out(world: &World, grant: &GrantName) -> bool {
    let row = world.row(grant.as_str()).await;
    matches!(row.status, Status::SignedOut { .. })
}

#[tokio::test]
async fn with_the_last_session_goes_what_is_kept_and_not_before() {
    let world = World::new(Profile::default()).await;
    let (grant, one) = sign_in(&world).await;
    let (same, other) = sign_in(&world).await;
    assert_eq!(grant, same);
    let (left, done) = world.refrain.leave(&one, &grant, false).await.unwrap();
    assert!(left == 1 && done.is_none() && !is_signed_out(&world, &grant).await);
    let (left, done) = world.refrain.leave(&other, &grant, false).await.unwrap();
    assert!(left == 0 && done.is_some() && is_signed_out(&world, &grant).await);
    let (left, done) = world.refrain.leave(&other, &grant, false).await.unwrap();
    assert!(left == 0 && done.is_none(), "there is nothing left to end");
}

/// Fails the write of this number from now on, once.
#[derive(Debug, Default)]
struct FailsOne {
    left: AtomicU32,
}

#[async_trait]
impl Between for FailsOne {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        let counts = call == Call::Write && self.left.load(Ordering::SeqCst) > 0;
        if counts && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let source: Cause = refrain::store::cause("no space");
            let place = "the test".into();
            return Err(StoreError::Full { place, source });
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_logout_that_fails_half_way_can_be_asked_for_again() {
    let world = World::new(Profile::default()).await;
    let (grant, session) = sign_in(&world).await;
    for fails in 1..=2 {
        let between = FailsOne::default();
        between.left.store(fails, Ordering::SeqCst);
        let inner = Arc::clone(&world.store);
        let failing: Arc<dyn Store> = Arc::new(Watched { inner, between });
        let node = world.another_on(&failing);
        let left = node.leave(&session, &grant, false).await;
        let there = world.store.session(&session).await.unwrap().is_some();
        let gone = is_signed_out(&world, &grant).await;
        assert!(
            there || gone,
            "whoever has the session can end it, or nothing is left"
        );
        assert!(
            left.is_err() || gone,
            "nobody is told that it is done when it is not"
        );
    }
    let left = world.refrain.leave(&session, &grant, false).await;
    assert_eq!(left.unwrap().0, 0);
    assert!(is_signed_out(&world, &grant).await);
}

#[tokio::test]
async fn whoever_has_signed_out_is_asked_before_they_are_signed_in_again() {
    let world = World::new(Profile::default()).await;
    let (grant, session) = sign_in(&world).await;
    world.refrain.leave(&session, &grant, true).await.unwrap();
    let waved_through = consent(&world, false).await;
    assert_eq!(waved_through.result.unwrap_err().code(), "login_not_asked");
    assert!(is_signed_out(&world, &grant).await);
    let asked = consent(&world, true).await.result.unwrap();
    assert_eq!(asked.grant, grant);
    assert!(
        consent(&world, false).await.result.is_ok(),
        "once is enough"
    );
}

#[tokio::test]
async fn users_without_a_session_do_not_stay() {
    let world = World::new(Profile {
        users: vec![User::new("alice"), User::new("bob")],
        ..Profile::default()
    })
    .await;
    let own = world.login("alice").await.unwrap();
    let (lapsed, _) = sign_in(&world).await;
    let day = Duration::from_secs(24 * 60 * 60);
    world.pass(day * 31);
    world.sim.sign_in_as("bob");
    let (live, _) = sign_in(&world).await;
    assert_ne!(lapsed, live);
    assert_eq!(world.refrain.sign_out_unreached().await.unwrap(), 1);
    assert!(is_signed_out(&world, &lapsed).await);
    assert!(!is_signed_out(&world, &live).await);
    assert!(!is_signed_out(&world, own.name()).await, "it is no user's");
    assert_eq!(world.refrain.sign_out_unreached().await.unwrap(), 0);
}

#[tokio::test]
async fn a_login_that_is_about_to_begin_its_session_is_left_alone() {
    let world = World::new(Profile::default()).await;
    let grant = consent(&world, true).await.result.unwrap().grant;
    assert_eq!(world.refrain.sign_out_unreached().await.unwrap(), 0);
    world.pass(Duration::from_secs(600));
    assert_eq!(world.refrain.sign_out_unreached().await.unwrap(), 1);
    assert!(is_signed_out(&world, &grant).await);
}

#[tokio::test]
async fn nobody_else_is_put_under_the_name_of_a_users_sessions() {
    let world = World::new(Profile {
        users: vec![User::new("alice"), User::new("bob")],
        ..Profile::default()
    })
    .await;
    let (grant, session) = sign_in(&world).await;
    world.refrain.leave(&session, &grant, true).await.unwrap();
    world.sim.sign_in_as("bob");
    let error = world.login(grant.as_str()).await.unwrap_err();
    assert_eq!(error.code(), "login_other_account");
    world.sim.sign_in_as("alice");
    assert!(world.login(grant.as_str()).await.is_ok());
}
