use refrain_sim::{Counts, Event, GrantVerdict, Profile, Rotation, Verdict};
use serde_json::json;

use crate::raw::{api, authorize_url, call, get, log_in, post_control, refresh, start};

#[tokio::test]
async fn the_help_names_every_endpoint() {
    let sim = start(Profile::default()).await;
    let help = get(sim.accounts_url(), "/_sim/").await.body();
    for name in [
        "history", "oracle", "counts", "fault", "release", "advance", "expire", "revoke",
        "rotation", "profile", "sign-in", "user", "app", "consent", "deny",
    ] {
        assert!(help.contains(&format!("/_sim/{name}")), "{name}");
    }
}

#[tokio::test]
async fn history_is_numbered_and_can_be_read_from_a_point() {
    let sim = start(Profile::default()).await;
    log_in(&sim, "").await;
    let all = get(sim.accounts_url(), "/_sim/history").await.json();
    let all = all.as_array().unwrap();
    let numbers: Vec<u64> = all
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(
        numbers,
        (1..=u64::try_from(all.len()).unwrap()).collect::<Vec<_>>()
    );
    let rest = get(sim.accounts_url(), "/_sim/history?since=1")
        .await
        .json();
    assert_eq!(rest.as_array().unwrap().first(), all.get(1));
    assert_eq!(
        get(sim.accounts_url(), "/_sim/history?since=x")
            .await
            .status(),
        400
    );
}

#[tokio::test]
async fn no_token_and_no_secret_is_in_the_history() {
    let sim = start(Profile::default()).await;
    let (access, first) = log_in(&sim, "").await;
    api(&sim, "GET", "/v1/me", &access).await;
    let second = refresh(&sim, &first).await.str("refresh_token");
    let history = get(sim.accounts_url(), "/_sim/history").await.body();
    let secret = sim.default_app().client_secret.unwrap();
    for hidden in [access, first, second, secret] {
        assert!(!history.contains(&hidden));
    }
}

#[tokio::test]
async fn counts_and_oracle_are_readable_from_outside() {
    let sim = start(Profile::default()).await;
    let (_, first) = log_in(&sim, "").await;
    refresh(&sim, &first).await;
    refresh(&sim, "AQunknown").await;
    let counts = get(sim.accounts_url(), "/_sim/counts").await.json();
    assert_eq!(counts["token_calls"], 3);
    assert_eq!(counts["refreshes"], 2);
    assert_eq!(counts["granted_replaced"], 2);
    assert_eq!(
        counts["refused_by_error"],
        json!({ "invalid_grant: Invalid refresh token": 1 })
    );
    let oracle = get(sim.accounts_url(), "/_sim/oracle").await.json();
    assert_eq!(oracle[0]["verdict"], "in_doubt");
    assert_eq!(oracle[0]["rotation"], "family-kill");
    assert_eq!(oracle[0]["user"], "alice");
}

#[tokio::test]
async fn faults_can_be_scripted_one_by_one_or_in_a_list() {
    let sim = start(Profile::default()).await;
    let (_, first) = log_in(&sim, "").await;
    let one = r#"{"on":"token-refresh","action":{"do":"false-refusal"}}"#;
    assert_eq!(
        post_control(&sim, "/_sim/fault", one).await.json(),
        json!({ "unread": 1 })
    );
    let list = format!("[{one},{one}]");
    assert_eq!(
        post_control(&sim, "/_sim/fault", &list).await.json(),
        json!({ "unread": 3 })
    );
    assert_eq!(refresh(&sim, &first).await.status(), 400);
    assert_eq!(sim.unread_scripts(), 2);
    assert_eq!(
        call(sim.accounts_url(), "DELETE", "/_sim/fault", "", "")
            .await
            .status(),
        200
    );
    assert_eq!(sim.unread_scripts(), 0);
}

#[tokio::test]
async fn a_wrong_body_is_a_400_that_says_what_is_wrong() {
    let sim = start(Profile::default()).await;
    for (path, body, hint) in [
        (
            "/_sim/fault",
            r#"{"on":"tokens","action":{"do":"hang"}}"#,
            "unknown variant `tokens`",
        ),
        ("/_sim/fault", "{", "EOF"),
        ("/_sim/advance", r#"{"seconds":-1}"#, "negative"),
        (
            "/_sim/advance",
            r#"{"minutes":1}"#,
            "unknown field `minutes`",
        ),
        (
            "/_sim/rotation",
            r#""sometimes""#,
            "unknown variant `sometimes`",
        ),
        (
            "/_sim/profile",
            r#"{"acces_ttl":1}"#,
            "unknown field `acces_ttl`",
        ),
        ("/_sim/sign-in", r#"{"user":"nobody"}"#, "no such user"),
        (
            "/_sim/consent",
            r#"{"url":"http://x/elsewhere"}"#,
            "not the authorization endpoint",
        ),
    ] {
        let reply = post_control(&sim, path, body).await;
        assert_eq!(reply.status(), 400, "{path}");
        assert!(
            reply.str("error").contains(hint),
            "{path}: {}",
            reply.body()
        );
    }
    assert_eq!(
        post_control(&sim, "/_sim/nothing", "{}").await.status(),
        404
    );
    assert_eq!(get(sim.accounts_url(), "/_sim/nothing").await.status(), 404);
}

#[tokio::test]
async fn time_expiry_and_removal_work_from_outside() {
    let sim = start(Profile::rotating(Rotation::Static)).await;
    let (access, token) = log_in(&sim, "").await;
    let before = sim.now_unix_ms();
    post_control(&sim, "/_sim/advance", r#"{"seconds":3599}"#).await;
    assert!(sim.now_unix_ms() >= before + 3_599_000);
    post_control(&sim, "/_sim/expire", "").await;
    assert_eq!(api(&sim, "GET", "/v1/me", &access).await.status(), 401);
    assert_eq!(refresh(&sim, &token).await.status(), 200);
    post_control(&sim, "/_sim/revoke", "").await;
    assert!(matches!(sim.oracle()[0].verdict, Verdict::Dead(_)));
}

#[tokio::test]
async fn rotation_and_profile_change_from_outside() {
    let profile = Profile {
        rotation_sequence: vec![true, true],
        ..Profile::default()
    };
    let sim = start(profile).await;
    post_control(&sim, "/_sim/rotation", r#"{"grace":{"seconds":30}}"#).await;
    assert_eq!(sim.profile().rotation, Rotation::Grace { seconds: 30 });
    post_control(&sim, "/_sim/rotation", r#"{"rotation":"until-used"}"#).await;
    assert_eq!(sim.profile().rotation, Rotation::UntilUsed);
    let reply = post_control(
        &sim,
        "/_sim/profile",
        r#"{"access_ttl":5,"auto_consent":true}"#,
    )
    .await;
    assert_eq!(
        (reply.status(), &reply.json()["access_ttl"]),
        (200, &json!(5.0))
    );
    assert_eq!(sim.profile().access_ttl.as_secs(), 5);
    assert_eq!(sim.profile().rotation_sequence, [true, true]);
    let (_, token) = log_in(&sim, "").await;
    assert_eq!(refresh(&sim, &token).await.json()["expires_in"], 5);
}

#[tokio::test]
async fn another_process_can_be_the_browser() {
    let sim = start(Profile::default()).await;
    post_control(&sim, "/_sim/user", r#"{"id":"bob","display_name":"Bob"}"#).await;
    post_control(&sim, "/_sim/sign-in", r#"{"user":"bob"}"#).await;
    let body = json!({ "url": authorize_url(&sim, &[("state", "s")]) }).to_string();
    let allowed = post_control(&sim, "/_sim/consent", &body)
        .await
        .str("location");
    assert!(allowed.contains("?code=AQ"), "{allowed}");
    let denied = post_control(&sim, "/_sim/deny", &body)
        .await
        .str("location");
    assert!(denied.contains("error=access_denied&state=s"), "{denied}");
}

#[tokio::test]
async fn another_process_reads_the_same_types() {
    let sim = start(Profile::default()).await;
    let (access, first) = log_in(&sim, "").await;
    refresh(&sim, &first).await;
    refresh(&sim, &first).await;
    api(&sim, "GET", "/v1/me", &access).await;
    let read = async |path| get(sim.accounts_url(), path).await.json();
    // The answers to the token calls are recorded when they are out, which may be any moment.
    let events: Vec<Event> = serde_json::from_value(read("/_sim/history").await).unwrap();
    assert_eq!(events, sim.history()[..events.len()]);
    let counts: Counts = serde_json::from_value(read("/_sim/counts").await).unwrap();
    assert_eq!(counts, sim.counts());
    let oracle: Vec<GrantVerdict> = serde_json::from_value(read("/_sim/oracle").await).unwrap();
    assert_eq!(oracle, sim.oracle());
}
