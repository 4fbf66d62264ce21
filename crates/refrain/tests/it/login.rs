//! Logging in and out.

use refrain::{
    keeper::{Kind, login::LoginRequest, logout::Revocation},
    lifecycle::Status,
    secret::BrowserSecret,
};
use refrain_sim::{Action, App, BodyKind, Fault, Profile, RevokeMode, Target, User};

use crate::world::{DAY, HOUR, World, login, request, signed_in};

#[tokio::test]
async fn a_login_pins_the_account_and_serves_its_token() {
    let (world, alice) = signed_in(Profile::default()).await;
    let token = alice.access_token().await.unwrap();
    let row = world.row("alice").await;
    assert_eq!(row.status, Status::Active);
    assert!(row.account.is_some());
    assert!(row.scope.contains("user-read-recently-played"));
    let consent = row.consent.unwrap();
    assert!(consent.reauthorize_by.since(consent.authorized_at) >= DAY * 180);
    assert!(token.expose().len() > 100);
    assert_eq!((world.sim.counts().exchanges, world.refreshes()), (1, 0));
}

#[tokio::test]
async fn a_public_client_logs_in_without_a_secret() {
    let mut profile = Profile::default();
    let public = App::public("0123456789abcdef0123456789abcdef")
        .with_redirect_uris(["http://127.0.0.1:4280/callback"]);
    profile.apps = vec![public];
    let (world, alice) = signed_in(profile).await;
    world.pass(HOUR);
    alice.access_token().await.unwrap();
    assert_eq!(world.refreshes(), 1);
    assert_eq!(world.sim.counts().stray_credentials, 0);
}

#[tokio::test]
async fn any_process_of_the_store_can_finish_a_login_and_only_once() {
    let world = World::new(Profile::default()).await;
    let begun = world.refrain.begin_login(request("alice")).await.unwrap();
    let location = world.sim.consent(&begun.url).unwrap();
    let query = location.split_once('?').unwrap().1;
    world.another().finish_login(query).await.unwrap();
    let again = world.refrain.finish_login(query).await.unwrap_err();
    assert_eq!(again.code(), "login_over");
    assert_eq!(world.sim.counts().exchanges, 1);
    world
        .refrain
        .grant("alice")
        .await
        .unwrap()
        .access_token()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_login_that_took_too_long_or_began_elsewhere_makes_no_token_call() {
    let world = World::new(Profile::default()).await;
    let begun = world.refrain.begin_login(request("alice")).await.unwrap();
    let location = world.sim.consent(&begun.url).unwrap();
    let query = location.split_once('?').unwrap().1;
    world.clock.advance(std::time::Duration::from_secs(601));
    assert_eq!(
        world.refrain.finish_login(query).await.unwrap_err().code(),
        "login_over"
    );
    let forged = world
        .refrain
        .finish_login("code=AQx&state=made-up")
        .await
        .unwrap_err();
    assert_eq!(forged.code(), "login_over");
    assert_eq!(world.sim.counts().token_calls, 0);
}

#[tokio::test]
async fn a_denial_is_told_as_one() {
    let world = World::new(Profile::default()).await;
    let begun = world.refrain.begin_login(request("alice")).await.unwrap();
    let location = world.sim.deny(&begun.url).unwrap();
    let error = world
        .refrain
        .finish_login(location.split_once('?').unwrap().1)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("login_denied", Kind::NotPermitted)
    );
}

#[tokio::test]
async fn another_account_does_not_take_a_grant_over_unless_asked_to() {
    let (world, alice) = signed_in(Profile::default()).await;
    let before = world.row("alice").await;
    world.sim.add_user(User::new("bob"));
    assert!(world.sim.sign_in_as("bob"));
    let error = world.login("alice").await.unwrap_err();
    assert_eq!(error.code(), "login_other_account");
    assert_eq!(world.row("alice").await, before);
    alice.access_token().await.unwrap();

    let asked = LoginRequest {
        other_account: true,
        ..request("alice")
    };
    let begun = world.refrain.begin_login(asked).await.unwrap();
    assert!(begun.url.contains("show_dialog=true"));
    let location = world.sim.consent(&begun.url).unwrap();
    world
        .refrain
        .finish_login(location.split_once('?').unwrap().1)
        .await
        .unwrap();
    let after = world.row("alice").await;
    assert_ne!(after.account, before.account);
    assert!(after.epoch > before.epoch);
}

#[tokio::test]
async fn a_user_who_is_not_on_the_list_and_an_owner_without_premium_are_told_apart() {
    let mut profile = Profile::default();
    profile.apps[0].allowlist = Some(vec!["somebody-else".into()]);
    let world = World::new(profile.clone()).await;
    let error = world.login("alice").await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("login_not_allowlisted", Kind::NotPermitted)
    );
    assert!(world.refrain.grants().await.unwrap().is_empty());

    profile.apps[0].allowlist = None;
    profile.apps[0].owner_premium = false;
    let world = World::new(profile).await;
    assert_eq!(
        world.login("alice").await.unwrap_err().code(),
        "login_owner_not_premium"
    );
}

#[tokio::test]
async fn an_api_outage_does_not_cost_a_consent() {
    let world = World::new(Profile::default()).await;
    let outage = Action::ErrorBeforeCommit {
        status: 503,
        body_kind: BodyKind::Text,
    };
    world.sim.script(Fault {
        on: Target::Me,
        times: 3,
        share: None,
        action: outage,
    });
    let alice = world.in_time(world.login("alice")).await.unwrap();
    alice.access_token().await.unwrap();
    assert_eq!(world.row("alice").await.account, None);
    world.sim.assert_scripts_consumed();
}

#[tokio::test]
async fn an_illegal_redirect_is_found_before_anyone_is_sent_to_spotify() {
    let world = World::new(Profile::default()).await;
    let mut parts = world.parts_on(&world.store);
    for app in parts.apps.values_mut() {
        app.redirect_uri = "http://localhost:4280/callback".parse().unwrap();
    }
    let refrain = refrain::Refrain::from_parts(parts).unwrap();
    let error = refrain.begin_login(request("alice")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("redirect_localhost", Kind::Configuration)
    );
}

#[tokio::test]
async fn logout_destroys_the_tokens_and_the_next_login_asks_for_consent() {
    let (world, alice) = signed_in(Profile::default()).await;
    alice.access_token().await.unwrap();
    let done = alice.logout().await.unwrap();
    assert!(done.access_until.is_some());
    assert_eq!(done.revocation, Revocation::Answered { status: 404 });
    let row = world.row("alice").await;
    assert!(row.tokens.is_none() && row.account.is_none() && row.candidates.is_empty());
    let error = alice.access_token().await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("signed_out", Kind::Reauthorize)
    );
    assert_eq!(alice.logout().await.unwrap_err().code(), "signed_out");
    let begun = world.refrain.begin_login(request("alice")).await.unwrap();
    assert!(begun.url.contains("show_dialog=true"));
    assert_eq!(
        alice.story().await.unwrap().len(),
        1,
        "the story of a user who left is gone"
    );
}

#[tokio::test]
async fn logout_revokes_where_the_provider_can() {
    let (world, alice) = signed_in(Profile {
        revoke: RevokeMode::Works,
        ..Profile::default()
    })
    .await;
    let done = alice.logout().await.unwrap();
    assert_eq!(done.revocation, Revocation::Answered { status: 200 });
    assert!(world.sim.oracle()[0].usable.is_empty());
}

#[tokio::test]
async fn logout_reaches_every_process_within_five_seconds() {
    let (world, alice) = signed_in(Profile::default()).await;
    let other = world.another().grant("alice").await.unwrap();
    other.access_token().await.unwrap();
    alice.logout().await.unwrap();
    // Let the other process's watcher begin its nap, then let its time come.
    tokio::task::yield_now().await;
    for _ in 0..50 {
        world.clock.advance(std::time::Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
    assert_eq!(other.access_token().await.unwrap_err().code(), "signed_out");
}

#[tokio::test]
async fn a_new_consent_moves_the_day_and_a_refresh_does_not() {
    let (world, alice) = signed_in(Profile::default()).await;
    let first = world.row("alice").await.consent.unwrap();
    for _ in 0..3 {
        world.pass(HOUR * 2);
        alice.access_token().await.unwrap();
    }
    assert_eq!(world.row("alice").await.consent.unwrap(), first);
    login(&world.refrain, &world.sim, "alice").await.unwrap();
    assert!(world.row("alice").await.consent.unwrap().reauthorize_by > first.reauthorize_by);
}

#[tokio::test]
async fn an_answer_that_names_another_issuer_is_refused_and_the_right_one_is_not() {
    let world = World::new(Profile::default()).await;
    let begun = world.refrain.begin_login(request("alice")).await.unwrap();
    let location = world.sim.consent(&begun.url).unwrap();
    let query = location.split_once('?').unwrap().1;
    let forged = format!("{query}&iss=https%3A%2F%2Faccounts.evil.example");
    let error = world.refrain.finish_login(&forged).await.unwrap_err();
    assert_eq!(error.code(), "login_callback");
    assert_eq!(world.sim.counts().token_calls, 0);
    let genuine = format!("{query}&iss={}", world.sim.accounts_url());
    world.refrain.finish_login(&genuine).await.unwrap();
}

#[tokio::test]
async fn nothing_of_an_ended_login_is_served_however_slowly_it_was_read() {
    let (world, alice) = signed_in(Profile::default()).await;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let alice = alice.clone();
        readers.spawn(async move {
            for _ in 0..20 {
                drop(alice.access_token_for(HOUR * 2).await);
                tokio::task::yield_now().await;
            }
        });
    }
    tokio::task::yield_now().await;
    alice.logout().await.unwrap();
    for _ in 0..200 {
        assert_eq!(alice.access_token().await.unwrap_err().code(), "signed_out");
        tokio::task::yield_now().await;
    }
    readers.shutdown().await;
    assert!(world.row("alice").await.tokens.is_none());
}

#[test]
fn a_logout_elsewhere_is_seen_even_where_the_runtime_runs_no_background_task() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let simulated = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (world, alice) = simulated.block_on(signed_in(Profile::default()));
    runtime.block_on(alice.access_token()).unwrap();
    simulated.block_on(async {
        world
            .another()
            .grant("alice")
            .await
            .unwrap()
            .logout()
            .await
            .unwrap()
    });
    world.clock.advance(std::time::Duration::from_secs(5));
    let error = runtime.block_on(alice.access_token()).unwrap_err();
    assert_eq!(error.code(), "signed_out");
}

#[tokio::test]
async fn a_login_that_is_bound_to_a_browser_is_finished_by_that_browser_alone() {
    let world = World::new(Profile::default()).await;
    let own = BrowserSecret::new("kept in a cookie");
    let bound = LoginRequest {
        browser: Some(own.clone()),
        ..request("alice")
    };
    let begun = world.refrain.begin_login(bound).await.unwrap();
    let location = world.sim.consent(&begun.url).unwrap();
    let query = location.split_once('?').unwrap().1;
    let stranger = world.refrain.finish_login(query).await.unwrap_err();
    assert_eq!(stranger.code(), "login_over");
    let other = BrowserSecret::new("of another browser");
    let other = world
        .refrain
        .finish_login_in(query, &other)
        .await
        .unwrap_err();
    assert_eq!(
        (other.code(), world.sim.counts().token_calls),
        ("login_over", 0)
    );
    // Neither has used it up.
    world.refrain.finish_login_in(query, &own).await.unwrap();
    world
        .refrain
        .grant("alice")
        .await
        .unwrap()
        .access_token()
        .await
        .unwrap();
}
