//! Apps, login attempts, the clock and the processes.

use super::fixture::{Shared, deadline, name, sealed};
use crate::{
    connect::LinkId,
    id::{AppName, Epoch, InstanceId},
    lifecycle::app::AppState,
    random::SystemRandom,
    session::LocalPath,
    store::{
        Liveness, Version, Written,
        attempt::{Attempt, FromLink, Terms},
    },
    time::UnixMillis,
};

pub(super) async fn an_app_state_is_compared_and_set((one, other): (Shared, Shared)) {
    let app: AppName = "default".parse().unwrap();
    let unknown = one.app_state(&app).await.unwrap();
    assert_eq!(
        (&unknown.value, unknown.version),
        (&AppState::default(), Version(0))
    );
    let mut state = unknown.value.clone();
    state.throttled = Some(deadline());
    let first = one
        .replace_app_state(&app, Version(0), &state)
        .await
        .unwrap();
    assert_eq!(first, Written::Durably(Version(1)));
    let late = other
        .replace_app_state(&app, Version(0), &unknown.value)
        .await
        .unwrap();
    assert_eq!(late, Written::Conflict);
    let read = other.app_state(&app).await.unwrap();
    assert_eq!((&read.value, read.version), (&state, Version(1)));
    other
        .replace_app_state(&app, Version(1), &unknown.value)
        .await
        .unwrap();
    assert_eq!(one.app_state(&app).await.unwrap().value, unknown.value);
}

pub(super) async fn an_attempt_is_taken_once_and_not_after_its_time(
    (one, other): (Shared, Shared),
) {
    let attempt = |id: &str, expires_at| Attempt {
        id: id.to_owned(),
        expires_at: UnixMillis(expires_at),
        terms: Terms {
            grant: name("alice"),
            app: "default".parse().unwrap(),
            redirect_uri: "http://127.0.0.1/Call".to_owned(),
            scope: "streaming".parse().unwrap(),
            other_account: true,
            link: Some(FromLink {
                id: LinkId::parse("R3fra1nLnk").unwrap(),
                return_to: Some("https://app.example/done".parse().unwrap()),
                epoch: Some(Epoch(7)),
            }),
            session: LocalPath::parse("/app?a=b#c"),
            asked_anew: true,
        },
        verifier: sealed(9),
    };
    one.insert_attempt(&attempt("a", 100)).await.unwrap();
    one.insert_attempt(&attempt("b", 50)).await.unwrap();
    assert_eq!(other.take_attempt("c", UnixMillis(0)).await.unwrap(), None);
    assert_eq!(other.take_attempt("b", UnixMillis(50)).await.unwrap(), None);
    let taken = other.take_attempt("a", UnixMillis(99)).await.unwrap();
    assert_eq!(taken, Some(attempt("a", 100)));
    assert_eq!(one.take_attempt("a", UnixMillis(99)).await.unwrap(), None);
    assert_eq!(one.take_attempt("b", UnixMillis(0)).await.unwrap(), None);
}

pub(super) async fn the_clock_runs_forwards((one, other): (Shared, Shared)) {
    let (first, second) = (one.now().await.unwrap(), other.now().await.unwrap());
    assert_eq!(first.era, second.era);
    assert!(second.millis >= first.millis);
}

pub(super) async fn an_announced_process_is_alive((one, other): (Shared, Shared)) {
    let instance = InstanceId::random(&SystemRandom).unwrap();
    one.announce(instance).await.unwrap();
    assert_eq!(other.liveness(instance).await.unwrap(), Liveness::MayRun);
    one.scrub().await.unwrap();
}
