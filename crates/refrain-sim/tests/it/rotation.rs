use std::time::Duration;

use refrain_sim::{DeathCause, Outcome, Profile, Rotation, Sim, Verdict, fingerprint};
use serde_json::Value;

use crate::raw::{api, log_in, refresh, start};

const REVOKED: &str = "400 invalid_grant: Refresh token revoked";

async fn begun(rotation: Rotation) -> (Sim, String) {
    let sim = start(Profile::rotating(rotation)).await;
    let (_, refresh_token) = log_in(&sim, "").await;
    (sim, refresh_token)
}

fn verdict(sim: &Sim) -> Verdict {
    sim.oracle()[0].verdict
}

#[tokio::test]
async fn modes_without_rotation_differ_only_in_the_member() {
    let (sim, first) = begun(Rotation::Static).await;
    let modes = [
        (Rotation::Static, None),
        (Rotation::Omit, None),
        (Rotation::Empty, Some(Value::from(""))),
        (Rotation::Null, Some(Value::Null)),
        (Rotation::Echo, Some(Value::from(first.clone()))),
    ];
    for (mode, member) in modes {
        sim.set_rotation(mode);
        let reply = refresh(&sim, &first).await;
        assert_eq!(
            reply.json().get("refresh_token"),
            member.as_ref(),
            "{mode:?}"
        );
    }
    assert_eq!(sim.counts().granted_kept, 5);
    assert_eq!(verdict(&sim), Verdict::Safe);
}

#[tokio::test]
async fn the_default_is_to_kill_the_family_at_a_replay() {
    let sim = start(Profile::default()).await;
    let (_, first) = log_in(&sim, "").await;
    let granted = refresh(&sim, &first).await;
    let (access, second) = (granted.str("access_token"), granted.str("refresh_token"));
    assert_ne!(first, second);
    assert_eq!(api(&sim, "GET", "/v1/me", &access).await.status(), 200);

    assert_eq!(refresh(&sim, &first).await.oauth_error(), REVOKED);
    assert_eq!(refresh(&sim, &second).await.oauth_error(), REVOKED);
    assert_eq!(api(&sim, "GET", "/v1/me", &access).await.status(), 401);

    let Verdict::Dead(death) = verdict(&sim) else {
        panic!("{:?}", sim.oracle())
    };
    assert_eq!(death.why, DeathCause::Replay);
    let killer = sim
        .history()
        .into_iter()
        .find(|event| Some(event.seq) == death.seq)
        .unwrap();
    let killer = serde_json::to_value(killer).unwrap();
    assert_eq!(killer["presented"], Value::from(fingerprint(&first)));
    assert_eq!(killer["outcome"], "refused");
    assert_eq!(killer["committed"], true);
}

#[tokio::test]
async fn strict_refuses_the_old_token_without_killing_the_new_one() {
    let (sim, first) = begun(Rotation::Strict).await;
    let second = refresh(&sim, &first).await.str("refresh_token");
    assert_eq!(verdict(&sim), Verdict::InDoubt);
    assert_eq!(refresh(&sim, &first).await.oauth_error(), REVOKED);
    assert_eq!(refresh(&sim, &second).await.status(), 200);
}

#[tokio::test]
async fn grace_accepts_the_previous_token_for_its_seconds() {
    let (sim, first) = begun(Rotation::Grace { seconds: 30 }).await;
    let second = refresh(&sim, &first).await.str("refresh_token");
    let third = refresh(&sim, &first).await.str("refresh_token");
    assert_ne!(second, third);
    assert_eq!(verdict(&sim), Verdict::Safe);
    sim.advance(Duration::from_secs(31));
    assert_eq!(verdict(&sim), Verdict::InDoubt);
    assert_eq!(refresh(&sim, &first).await.oauth_error(), REVOKED);
    assert_eq!(refresh(&sim, &third).await.oauth_error(), REVOKED);
}

#[tokio::test]
async fn until_used_accepts_the_old_token_until_the_new_access_token_is_used() {
    let (sim, first) = begun(Rotation::UntilUsed).await;
    let lost = refresh(&sim, &first).await;
    let kept = refresh(&sim, &first).await;
    assert_eq!(
        api(&sim, "GET", "/v1/me", &lost.str("access_token"))
            .await
            .status(),
        401
    );
    assert_eq!(verdict(&sim), Verdict::Safe);
    assert_eq!(
        api(&sim, "GET", "/v1/me", &kept.str("access_token"))
            .await
            .status(),
        200
    );
    assert_eq!(refresh(&sim, &first).await.oauth_error(), REVOKED);
    assert_eq!(
        refresh(&sim, &lost.str("refresh_token"))
            .await
            .oauth_error(),
        REVOKED
    );
    assert_eq!(
        refresh(&sim, &kept.str("refresh_token")).await.status(),
        200
    );
}

#[tokio::test]
async fn using_the_access_token_proves_the_refresh_token_that_came_with_it() {
    let (sim, first) = begun(Rotation::Strict).await;
    let granted = refresh(&sim, &first).await;
    assert_eq!(verdict(&sim), Verdict::InDoubt);
    api(&sim, "GET", "/v1/me", &granted.str("access_token")).await;
    assert_eq!(verdict(&sim), Verdict::Safe);
    assert_eq!(
        sim.oracle()[0].usable,
        [fingerprint(&granted.str("refresh_token"))]
    );
}

#[tokio::test]
async fn a_sequence_scripts_each_refresh() {
    let profile = Profile {
        rotation_sequence: vec![false, true],
        ..Profile::rotating(Rotation::Strict)
    };
    let sim = start(profile).await;
    let (_, token) = log_in(&sim, "").await;
    assert_eq!(
        refresh(&sim, &token).await.json().get("refresh_token"),
        None
    );
    assert_ne!(refresh(&sim, &token).await.str("refresh_token"), "");
    let outcomes: Vec<_> = sim
        .token_calls()
        .iter()
        .skip(1)
        .map(|call| call.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::GrantedKept, Outcome::GrantedReplaced]);
}

#[tokio::test]
async fn refreshing_does_not_move_the_end_of_the_authorization() {
    let (sim, mut token) = begun(Rotation::FamilyKill).await;
    for _ in 0..6 {
        sim.advance(Duration::from_hours(24 * 30));
        token = refresh(&sim, &token).await.str("refresh_token");
        assert_ne!(token, "");
    }
    sim.advance(Duration::from_hours(24 * 5));
    assert_eq!(refresh(&sim, &token).await.oauth_error(), REVOKED);
    let Verdict::Dead(death) = verdict(&sim) else {
        panic!("{:?}", sim.oracle())
    };
    assert_eq!((death.why, death.seq), (DeathCause::Expired, None));
}

#[tokio::test]
async fn a_user_who_removes_the_app_ends_refresh_tokens_but_not_access_tokens() {
    let sim = start(Profile::default()).await;
    let (access, token) = log_in(&sim, "").await;
    sim.revoke_user(&sim.default_app().client_id, "alice");
    assert_eq!(refresh(&sim, &token).await.oauth_error(), REVOKED);
    assert_eq!(api(&sim, "GET", "/v1/me", &access).await.status(), 200);
    sim.expire_access_tokens();
    assert_eq!(api(&sim, "GET", "/v1/me", &access).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_concurrent_refreshes_wins_in_strict_mode() {
    let (sim, first) = begun(Rotation::Strict).await;
    let calls: Vec<_> = (0..32)
        .map(|_| {
            let (sim, first) = (sim.clone(), first.clone());
            tokio::spawn(async move { refresh(&sim, &first).await.status() })
        })
        .collect();
    let mut granted = 0;
    for call in calls {
        granted += u32::from(call.await.unwrap() == 200);
    }
    assert_eq!(granted, 1);
    assert_eq!(sim.counts().refused, 31);
    let seqs: Vec<u64> = sim.history().iter().map(|event| event.seq).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]));
}

#[tokio::test]
async fn authorizing_anew_starts_another_six_months_beside_the_old_ones() {
    let (sim, first) = begun(Rotation::Static).await;
    sim.advance(Duration::from_hours(24 * 100));
    let (_, second) = log_in(&sim, "").await;
    sim.advance(Duration::from_hours(24 * 100));
    assert_eq!(refresh(&sim, &first).await.oauth_error(), REVOKED);
    assert_eq!(refresh(&sim, &second).await.status(), 200);
}
