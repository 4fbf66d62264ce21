//! Outages, lost answers and wrong refusals.

use refrain::{Kind, lifecycle::Status};
use refrain_sim::{Action, BodyKind, Fault, Rotation, Target};
use tokio::task::JoinSet;

use crate::command::demo::{
    Seen,
    stage::{HOUR, MINUTE, Stage},
    voice::Notes,
};

pub(in crate::command::demo) async fn outage(stage: &Stage, notes: &mut Notes) -> Seen {
    let alice = stage.alice().await?;
    let before = stage.refreshes();
    stage.pass(MINUTE * 55);
    let unavailable = Action::ErrorBeforeCommit {
        status: 503,
        body_kind: BodyKind::Text,
    };
    stage.sim.script_many([
        Fault::times(Target::TokenRefresh, 2, unavailable),
        Fault::times(Target::TokenRefresh, u32::MAX, Action::Html { status: 502 }),
    ]);
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let alice = alice.clone();
        callers.spawn(async move { alice.access_token_for(MINUTE * 10).await });
    }
    let served = stage.in_time(callers.join_all()).await;
    let served: Vec<_> = served.into_iter().collect::<Result<_, _>>()?;
    let warned = served.iter().filter_map(|served| served.warning.as_ref());
    let warned = warned
        .filter(|warning| warning.code() == "provider_unavailable")
        .count();
    let calls = stage.refreshes() - before;
    notes.check(
        warned == 100 && calls == 3,
        &format!(
            "100 callers, {calls} attempts (503, 503, HTML); all {} got the token that still works, \
             with the warning provider_unavailable",
            served.len()
        ),
    );
    let mut status = 0;
    if let Some(served) = served.first() {
        status = stage.get("/v1/me", served.live.token()).await?;
    }
    let active = alice.row().await?.status == Status::Active;
    notes.check(
        status == 200 && active,
        &format!("GET /v1/me → {status} in the middle of it, and the grant stays active"),
    );

    stage.sim.clear_scripts();
    stage.pass(MINUTE);
    let fresh = alice.access_token_for(MINUTE * 10).await?;
    let recovered = fresh.warning.is_none()
        && served
            .first()
            .is_some_and(|old| !old.live.token().ct_eq(fresh.live.token()));
    let minutes = fresh.live.expires_at().since(stage.now()).as_secs() / 60;
    notes.check(
        recovered,
        &format!("a minute later Spotify is back: a new token, good for {minutes} minutes"),
    );
    Ok(format!("{} of 100 callers served, 0 logins", served.len()))
}

pub(in crate::command::demo) async fn lost(stage: &Stage, notes: &mut Notes) -> Seen {
    let cut = Fault::once(Target::TokenRefresh, Action::CutAfterCommit);
    stage.sim.set_rotation(Rotation::Grace { seconds: 30 });
    let alice = stage.alice().await?;
    stage.pass(HOUR);
    let before = stage.sim.token_calls().len();
    stage.sim.script(cut.clone());
    let token = stage.in_time(alice.access_token()).await?;
    stage.sim.set_rotation(Rotation::FamilyKill);
    let calls = stage.sim.token_calls();
    let calls: Vec<_> = calls.iter().skip(before).collect();
    let (first, last) = (calls.first(), calls.last());
    let again = first.zip(last).is_some_and(|(first, last)| {
        first.presented == last.presented && first.issued_refresh != last.issued_refresh
    });
    notes.check(
        calls.len() == 2 && again,
        &format!(
            "{} token calls with the same refresh token; the second answer came",
            calls.len()
        ),
    );
    let status = stage.get("/v1/me", &token).await?;
    notes.check(
        status == 200,
        &format!("GET /v1/me → {status}: Alice noticed nothing"),
    );

    // Carol's authorization is given up to show what nobody can repair.
    stage.login(&stage.refrain, "carol").await?;
    let carol = stage.refrain.grant("carol").await?;
    stage.pass(HOUR);
    carol.access_token().await?;
    stage.pass(HOUR);
    stage.sim.script(cut);
    let error = stage.in_time(carol.access_token()).await.err();
    let code = error.as_ref().map_or("(no error)", refrain::Error::code);
    let kept = carol.row().await?.tokens.is_some();
    notes.check(
        code == "reauthorize_answer_lost" && kept,
        &format!(
            "the same to Carol, where Spotify takes no old token: no program on earth can repair that. \
             refrain says so by name ({code}) instead of guessing"
        ),
    );
    let (_, name) = code.split_once('_').unwrap_or(("", code));
    Ok(format!("recovered, or {name} by name"))
}

pub(in crate::command::demo) async fn refused(stage: &Stage, notes: &mut Notes) -> Seen {
    let alice = stage.alice().await?;
    stage.pass(HOUR);
    let before = stage.refreshes();
    let description = Some("Refresh token revoked".to_owned());
    stage.sim.script(Fault::once(
        Target::TokenRefresh,
        Action::FalseRefusal { description },
    ));
    let error = alice.access_token().await.err();
    let again = error.as_ref().and_then(|error| error.explain().retry_at);
    let later = error
        .as_ref()
        .is_some_and(|error| error.kind() == Kind::TryLater);
    let code = error.as_ref().map_or("(no error)", refrain::Error::code);
    let minutes = again.map_or(0, |at| at.since(stage.now()).as_secs() / 60);
    notes.check(
        code == "refused_early" && later,
        &format!("{code}: \"try later\", not \"log in\"; asked again in {minutes} minutes"),
    );
    let row = alice.row().await?;
    let suspect = matches!(row.status, Status::Suspect(_)) && row.tokens.is_some();
    notes.check(
        suspect,
        &format!("the grant is {}; nothing was deleted", row.status.word()),
    );
    for _ in 0..20 {
        drop(alice.access_token().await);
    }
    let calls = stage.refreshes() - before;
    notes.check(
        calls == 1,
        "20 more callers do not bother Spotify before the time has come",
    );

    stage.pass(MINUTE * 15);
    let token = alice.access_token().await?;
    let status = stage.get("/v1/me", &token).await?;
    let active = alice.row().await?.status == Status::Active;
    notes.check(
        active && status == 200,
        &format!("15 minutes later the same refresh token is shown again and taken: GET /v1/me → {status}"),
    );
    Ok(format!("{code}, active {minutes} min later"))
}
