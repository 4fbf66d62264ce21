//! A 401 is repaired once, keyed by the token that was rejected.

use std::time::Duration;

use refrain_sim::Profile;

use crate::world::{HOUR, signed_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_stragglers_with_one_dead_token_cause_one_refresh() {
    let (world, alice) = signed_in(Profile::default()).await;
    let dead = alice.access_token().await.unwrap();
    world.sim.expire_access_tokens();
    let elsewhere = world.another().grant("alice").await.unwrap();
    let mut stragglers = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let (grant, dead) = (
            if number % 2 == 0 { &alice } else { &elsewhere },
            dead.clone(),
        );
        let grant = grant.clone();
        stragglers.spawn(async move { grant.report_rejected(&dead).await.unwrap() });
    }
    world
        .in_time(async {
            while let Some(token) = stragglers.join_next().await {
                assert!(!token.unwrap().ct_eq(&dead));
            }
        })
        .await;
    // And one that comes an hour late is told of the newer token without another refresh.
    world.pass(HOUR / 2);
    assert!(!alice.report_rejected(&dead).await.unwrap().ct_eq(&dead));
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn a_gateway_that_rejects_good_tokens_forces_one_refresh_in_thirty_seconds() {
    let (world, alice) = signed_in(Profile::default()).await;
    let mut token = alice.access_token().await.unwrap();
    for _ in 0..50 {
        token = alice.report_rejected(&token).await.unwrap();
        world.pass(Duration::from_millis(500));
    }
    assert_eq!(world.refreshes(), 1);
    world.pass(Duration::from_secs(30));
    alice.report_rejected(&token).await.unwrap();
    assert_eq!(world.refreshes(), 2);
}

#[tokio::test]
async fn a_logout_elsewhere_is_noticed_before_a_newer_token_is_handed_out() {
    let (world, alice) = signed_in(Profile::default()).await;
    let old = alice.access_token().await.unwrap();
    alice.refresh().await.unwrap();
    // This process is stopped: its feed hears nothing.
    let elsewhere = world.another().grant("alice").await.unwrap();
    elsewhere.logout().await.unwrap();
    world.pass(Duration::from_secs(60));
    let error = alice.report_rejected(&old).await.unwrap_err();
    assert_eq!(error.code(), "signed_out");
}
