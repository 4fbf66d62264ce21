use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use refrain_sim::{
    Action, BodyKind, Event, EventKind, Fault, Outcome, Profile, Rotation, Sim, Target, Verdict,
};
use tokio::io::AsyncReadExt as _;

use crate::raw::{api, code, exchange, get, log_in, refresh, start};

async fn begun(rotation: Rotation) -> (Sim, String, String) {
    let sim = start(Profile::rotating(rotation)).await;
    let (access, refresh_token) = log_in(&sim, "").await;
    (sim, access, refresh_token)
}

fn next_refresh(sim: &Sim, action: Action) {
    sim.script(Fault::once(Target::TokenRefresh, action));
}

#[tokio::test]
async fn a_cut_before_commit_changes_nothing() {
    let (sim, _, first) = begun(Rotation::FamilyKill).await;
    next_refresh(&sim, Action::CutBeforeCommit);
    assert!(refresh(&sim, &first).await.bytes.is_empty());
    assert_eq!(sim.oracle()[0].verdict, Verdict::Safe);
    let call = sim.token_calls().pop().unwrap();
    assert_eq!((call.outcome, call.committed), (Outcome::Faulted, false));
    assert_eq!(call.fault.as_deref(), Some("cut-before-commit"));
    assert_eq!(refresh(&sim, &first).await.status(), 200);
    sim.assert_scripts_consumed();
}

#[tokio::test]
async fn a_cut_after_commit_loses_the_answer_but_not_the_rotation() {
    let (sim, _, first) = begun(Rotation::Strict).await;
    next_refresh(&sim, Action::CutAfterCommit);
    assert!(refresh(&sim, &first).await.bytes.is_empty());
    let call = sim.token_calls().pop().unwrap();
    assert_eq!(
        (call.outcome, call.committed),
        (Outcome::GrantedReplaced, true)
    );
    assert_eq!(sim.oracle()[0].verdict, Verdict::InDoubt);
    assert_eq!(sim.oracle()[0].usable, [call.issued_refresh.unwrap()]);
    assert_eq!(
        refresh(&sim, &first).await.oauth_error(),
        "400 invalid_grant: Refresh token revoked"
    );
}

#[tokio::test]
async fn a_code_whose_answer_was_cut_proves_nothing() {
    let sim = start(Profile::default()).await;
    sim.script(Fault::once(Target::TokenExchange, Action::CutAfterCommit));
    let code = code(&sim, &[]);
    assert!(exchange(&sim, &code).await.bytes.is_empty());
    assert_eq!(sim.oracle()[0].verdict, Verdict::InDoubt);
    assert_eq!(
        exchange(&sim, &code).await.oauth_error(),
        "400 invalid_grant: Invalid authorization code"
    );
}

#[tokio::test]
async fn a_cut_after_n_bytes_sends_exactly_n_bytes() {
    for n in [1, 17, 300, 700] {
        let (sim, _, first) = begun(Rotation::Strict).await;
        next_refresh(&sim, Action::CutAfterBytes { n, reset: false });
        let reply = refresh(&sim, &first).await;
        assert_eq!(reply.bytes.len(), usize::try_from(n).unwrap());
        assert!(reply.end.is_ok());
        assert_eq!(sim.counts().granted_replaced, 2);
        let answered = sim
            .history()
            .into_iter()
            .rev()
            .find_map(|event| match event.kind {
                EventKind::Answered {
                    complete, bytes, ..
                } => Some((complete, bytes)),
                _ => None,
            });
        assert_eq!(answered, Some((false, n)));
    }
}

#[tokio::test]
async fn a_reset_reaches_the_client_as_a_reset() {
    let (sim, _, first) = begun(Rotation::Strict).await;
    next_refresh(&sim, Action::CutAfterBytes { n: 0, reset: true });
    let reply = refresh(&sim, &first).await;
    assert_eq!(reply.end.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_error_before_commit_has_the_body_asked_for() {
    let (sim, _, first) = begun(Rotation::FamilyKill).await;
    let bodies = [
        (BodyKind::Json, "{\"error\":\"server_error\"}"),
        (BodyKind::Text, "upstream connect error"),
        (BodyKind::Html, "<html>"),
        (BodyKind::Empty, ""),
    ];
    for (body_kind, start) in bodies {
        next_refresh(
            &sim,
            Action::ErrorBeforeCommit {
                status: 503,
                body_kind,
            },
        );
        let reply = refresh(&sim, &first).await;
        assert_eq!(reply.status(), 503);
        assert!(reply.body().starts_with(start), "{}", reply.body());
    }
    next_refresh(&sim, Action::Html { status: 200 });
    assert!(refresh(&sim, &first).await.body().starts_with("<html>"));
    assert_eq!(refresh(&sim, &first).await.status(), 200);
}

#[tokio::test]
async fn an_error_after_commit_has_rotated_already() {
    let (sim, _, first) = begun(Rotation::Strict).await;
    next_refresh(&sim, Action::ErrorAfterCommit { status: 500 });
    assert_eq!(
        refresh(&sim, &first).await.oauth_error(),
        "500 server_error"
    );
    assert_eq!(refresh(&sim, &first).await.status(), 400);
}

#[tokio::test]
async fn any_answer_can_be_scripted() {
    let (sim, access, _) = begun(Rotation::Static).await;
    let headers = BTreeMap::from([("retry-after".to_owned(), "soon".to_owned())]);
    sim.script(Fault::once(
        Target::Me,
        Action::Body {
            status: 418,
            content_type: "text/x".to_owned(),
            body: "tea".to_owned(),
            headers,
        },
    ));
    let reply = api(&sim, "GET", "/v1/me", &access).await;
    assert_eq!((reply.status(), reply.body().as_str()), (418, "tea"));
    assert_eq!(reply.header("content-type").as_deref(), Some("text/x"));
    assert_eq!(reply.header("retry-after").as_deref(), Some("soon"));
}

#[tokio::test]
async fn a_false_refusal_leaves_the_chain_alive() {
    let (sim, _, first) = begun(Rotation::FamilyKill).await;
    next_refresh(&sim, Action::FalseRefusal { description: None });
    assert_eq!(
        refresh(&sim, &first).await.oauth_error(),
        "400 invalid_grant"
    );
    let description = Some("Refresh token revoked".to_owned());
    next_refresh(&sim, Action::FalseRefusal { description });
    assert_eq!(
        refresh(&sim, &first).await.oauth_error(),
        "400 invalid_grant: Refresh token revoked"
    );
    assert_eq!(sim.oracle()[0].verdict, Verdict::Safe);
    assert_eq!(refresh(&sim, &first).await.status(), 200);
}

#[tokio::test]
async fn a_throttle_carries_retry_after_as_scripted() {
    let (sim, access, first) = begun(Rotation::Static).await;
    let throttle = |retry_after: Option<&str>, quota| Action::Throttle {
        retry_after: retry_after.map(str::to_owned),
        quota,
    };
    sim.script(Fault::once(Target::Api, throttle(Some("80000"), true)));
    let reply = api(&sim, "GET", "/v1/me", &access).await;
    assert_eq!(reply.header("retry-after").as_deref(), Some("80000"));
    assert_eq!(reply.json()["error"]["reason"], "QUOTA_EXCEEDED");
    next_refresh(&sim, throttle(None, false));
    let reply = refresh(&sim, &first).await;
    assert_eq!((reply.status(), reply.header("retry-after")), (429, None));
}

#[tokio::test]
async fn a_spurious_401_meets_a_good_token() {
    let (sim, access, _) = begun(Rotation::Static).await;
    sim.script(Fault::once(Target::Api, Action::Spurious401));
    assert_eq!(
        api(&sim, "GET", "/v1/me", &access).await.api_error(),
        "401 Missing/invalid/expired access token"
    );
    assert_eq!(api(&sim, "GET", "/v1/me", &access).await.status(), 200);
}

#[tokio::test]
async fn a_dripping_answer_arrives_whole() {
    let (sim, _, first) = begun(Rotation::Static).await;
    next_refresh(&sim, Action::DripBytes { ms_per_byte: 1 });
    let before = sim.now_unix_ms();
    let reply = refresh(&sim, &first).await;
    assert_eq!(reply.status(), 200);
    let bytes = i64::try_from(reply.bytes.len()).unwrap();
    assert!(sim.now_unix_ms() - before >= bytes);
}

#[tokio::test]
async fn a_gzipped_body_says_so() {
    let (sim, access, _) = begun(Rotation::Static).await;
    sim.script(Fault::once(Target::Me, Action::GzipBody));
    let reply = api(&sim, "GET", "/v1/me", &access).await;
    assert_eq!(reply.header("content-encoding").as_deref(), Some("gzip"));
    let start = reply
        .bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert_eq!(reply.bytes[start..start + 2], [0x1f, 0x8b]);
}

#[tokio::test]
async fn a_late_request_is_processed_even_if_the_client_left() {
    let (sim, _, first) = begun(Rotation::Strict).await;
    sim.script_many([
        Fault::once(Target::TokenRefresh, Action::Hold),
        Fault::once(Target::TokenRefresh, Action::Delay { ms: 1 }),
    ]);
    let held = sim.wait_for(0, |event| matches!(event.kind, EventKind::Held { .. }));
    let seq = tokio::select! {
        event = held => event.seq,
        reply = refresh(&sim, &first) => panic!("{reply:?}"),
    };
    assert_eq!(sim.oracle()[0].verdict, Verdict::Safe);
    sim.release();
    sim.wait_for(seq, |event| matches!(event.kind, EventKind::TokenCall(_)))
        .await;
    assert_eq!(sim.oracle()[0].verdict, Verdict::InDoubt);
    assert_eq!(refresh(&sim, &first).await.status(), 400);
}

#[tokio::test]
async fn concurrent_calls_for_one_chain_are_counted() {
    let (sim, _, first) = begun(Rotation::Static).await;
    refresh(&sim, &first).await;
    assert_eq!(sim.counts().max_concurrent, 1);
    sim.script(Fault::times(Target::Token, 2, Action::HoldAnswer));
    let both_held = async {
        let is_held = |event: &Event| matches!(event.kind, EventKind::Held { .. });
        let one = sim.wait_for(0, is_held).await;
        sim.wait_for(one.seq, is_held).await;
        sim.release();
    };
    tokio::join!(refresh(&sim, &first), refresh(&sim, &first), both_held);
    assert_eq!(sim.counts().max_concurrent, 2);
    refresh(&sim, &first).await;
    assert_eq!(sim.token_calls().pop().unwrap().concurrent, 1);
}

#[tokio::test]
async fn a_hanging_answer_says_nothing() {
    let (sim, _, first) = begun(Rotation::FamilyKill).await;
    next_refresh(&sim, Action::Hang);
    let waited = tokio::time::timeout(Duration::from_millis(50), refresh(&sim, &first)).await;
    assert!(waited.is_err());
    assert_eq!(refresh(&sim, &first).await.status(), 200);
}

#[tokio::test]
async fn a_fault_on_any_request_spares_the_control_surface() {
    let sim = start(Profile::default()).await;
    sim.script(Fault::once(Target::Any, Action::CutBeforeCommit));
    assert_eq!(get(sim.accounts_url(), "/_sim/counts").await.status(), 200);
    assert!(get(sim.accounts_url(), "/authorize").await.bytes.is_empty());
}

#[tokio::test]
async fn a_shared_fault_repeats_until_cleared() {
    let (sim, _, first) = begun(Rotation::FamilyKill).await;
    let refusal = Action::FalseRefusal { description: None };
    sim.script(Fault::share(Target::TokenRefresh, 1.0, refusal));
    for _ in 0..3 {
        assert_eq!(refresh(&sim, &first).await.status(), 400);
    }
    sim.clear_scripts();
    assert_eq!(refresh(&sim, &first).await.status(), 200);
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_sockets() {
    let sim = start(Profile::default()).await;
    let address = sim
        .accounts_url()
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    let mut open = tokio::net::TcpStream::connect(&address).await.unwrap();
    let clone = sim.clone();
    drop(sim);
    assert_eq!(get(clone.accounts_url(), "/_sim/").await.status(), 200);
    drop(clone);
    let mut rest = vec![];
    // The accepted connection ends, orderly or not; a hang here would fail the test's time-out.
    open.read_to_end(&mut rest).await.ok();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_held_request_is_processed_when_released() {
    let (sim, _, first) = begun(Rotation::Strict).await;
    next_refresh(&sim, Action::Hold);
    let held = async {
        sim.wait_for(0, |event| matches!(event.kind, EventKind::Held { .. }))
            .await;
        let before = sim.counts().refreshes;
        sim.release();
        before
    };
    let (reply, before) = tokio::join!(refresh(&sim, &first), held);
    assert_eq!(
        (reply.status(), before, sim.counts().refreshes),
        (200, 0, 1)
    );
}

#[tokio::test]
async fn a_held_answer_has_rotated_already() {
    let (sim, _, first) = begun(Rotation::Strict).await;
    next_refresh(&sim, Action::HoldAnswer);
    let held = async {
        sim.wait_for(0, |event| matches!(event.kind, EventKind::Held { .. }))
            .await;
        let verdict = sim.oracle()[0].verdict;
        sim.release();
        verdict
    };
    let (reply, verdict) = tokio::join!(refresh(&sim, &first), held);
    assert_eq!((reply.status(), verdict), (200, Verdict::InDoubt));
}

#[tokio::test]
async fn members_of_an_answer_can_have_the_wrong_type() {
    let (sim, _, first) = begun(Rotation::Strict).await;
    let set = BTreeMap::from([("expires_in".to_owned(), "3600".into())]);
    next_refresh(
        &sim,
        Action::Alter {
            set,
            remove: vec!["scope".to_owned()],
        },
    );
    let body = refresh(&sim, &first).await.json();
    assert_eq!(body["expires_in"], "3600");
    assert_eq!(body.get("scope"), None);
    assert!(body["access_token"].is_string());
}

#[tokio::test]
async fn a_seeded_grant_is_like_one_from_a_login() {
    let sim = start(Profile::default()).await;
    let app = sim.default_app();
    let seeded = sim.seed_grant(&app.client_id, "alice", "streaming no-such-scope");
    assert_eq!(
        api(&sim, "GET", "/v1/me", &seeded.access_token)
            .await
            .status(),
        200
    );
    let reply = refresh(&sim, &seeded.refresh_token).await;
    assert_eq!(
        (reply.status(), reply.str("scope").as_str()),
        (200, "streaming")
    );
    assert_eq!(sim.oracle()[0].grant, seeded.grant);
}

#[tokio::test]
async fn a_reset_before_commit_changes_nothing() {
    let (sim, _, first) = begun(Rotation::FamilyKill).await;
    next_refresh(&sim, Action::ResetBeforeCommit);
    let reply = refresh(&sim, &first).await;
    assert_eq!(reply.end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(refresh(&sim, &first).await.status(), 200);
}

#[tokio::test]
async fn a_call_whose_client_left_is_no_longer_open() {
    let (sim, _, first) = begun(Rotation::Static).await;
    next_refresh(&sim, Action::Hang);
    let left = tokio::time::timeout(Duration::from_millis(20), refresh(&sim, &first)).await;
    assert!(left.is_err());
    sim.wait_for(0, |event| {
        matches!(
            event.kind,
            EventKind::Answered {
                complete: false,
                ..
            }
        )
    })
    .await;
    refresh(&sim, &first).await;
    assert_eq!(sim.token_calls().pop().unwrap().concurrent, 1);
}
