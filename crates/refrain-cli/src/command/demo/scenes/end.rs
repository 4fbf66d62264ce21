//! The end of an authorization, by the calendar and by its owner.

use std::time::Duration;

use refrain::{
    Kind,
    keeper::logout::Revocation,
    lifecycle::Status,
    provider::spotify::{USER_APPS_URL, reauthorize_by},
};

use super::day;
use crate::command::demo::{Seen, stage::Stage, voice::Notes};

const DAY: Duration = Duration::from_hours(24);

pub(in crate::command::demo) async fn expired(stage: &Stage, notes: &mut Notes) -> Seen {
    let alice = stage.alice().await?;
    let consent = alice.row().await?.consent.ok_or("there is no consent")?;
    let due = consent.reauthorize_by;
    let unmoved = due == reauthorize_by(consent.authorized_at);
    notes.check(
        unmoved,
        &format!("the day is still {}: no refresh has moved it", day(due)),
    );
    let before = stage.refreshes();
    stage.pass(due.since(stage.now()).saturating_add(DAY));
    let error = alice.access_token().await.err();
    let code = error.as_ref().map_or("(no error)", refrain::Error::code);
    let asked = error
        .as_ref()
        .is_some_and(|error| error.kind() == Kind::Reauthorize);
    let calls = stage.refreshes() - before;
    notes.check(
        code == "reauthorize_expired" && asked && calls == 1,
        &format!(
            "on {} Spotify refuses, and is believed: {code}",
            day(stage.now())
        ),
    );
    if let Some(error) = error {
        notes.fact(&format!("what to do: {}", error.explain().fix));
    }
    let login = stage.login(&stage.refrain, "alice").await?;
    let token = alice.access_token().await?;
    let status = stage.get("/v1/me", &token).await?;
    let active = alice.row().await?.status == Status::Active;
    let next = day(login.reauthorize_by);
    notes.check(
        active && status == 200,
        &format!("Alice logs in once more: GET /v1/me → {status}, good until {next}"),
    );
    Ok(format!("{}, as foretold; mended", day(due)))
}

pub(in crate::command::demo) async fn logout(stage: &Stage, notes: &mut Notes) -> Seen {
    let alice = stage.alice().await?;
    let tokens = alice.row().await?.tokens.ok_or("there is no token")?;
    let secrets = [tokens.data_key.as_bytes(), tokens.refresh.as_bytes()];
    let (_, there) = stage.search(&secrets)?;
    let done = alice.logout().await?;
    let (searched, left) = stage.search(&secrets)?;
    notes.check(
        there.iter().all(|count| *count > 0) && left == [0, 0],
        &format!(
            "the sealed tokens and their sealed key were in the store, and are in none of the {} KiB \
             left",
            searched / 1024
        ),
    );
    let error = alice.access_token().await.err();
    let code = error.as_ref().map_or("(no error)", refrain::Error::code);
    notes.check(
        code == "signed_out",
        &format!("whoever asks for a token now is told: {code}"),
    );
    if let Some(until) = done.access_until {
        notes.fact(&format!(
            "an access token that a program already holds works for another {} minutes: nobody can \
             call it back",
            until.since(stage.now()).as_secs() / 60
        ));
    }
    notes.check(
        done.revocation == Revocation::NotOffered,
        &format!("Spotify offers no way to revoke: Alice removes the app at {USER_APPS_URL}"),
    );
    let counts = stage.sim.counts();
    let (calls, strays) = (
        counts.token_calls + counts.api_calls,
        counts.stray_credentials,
    );
    notes.check(
        strays == 0,
        &format!(
            "in all {calls} calls of this demo, {strays} secrets went to the wrong host or stood in \
             an address"
        ),
    );
    Ok(format!(
        "{} sealed copies left, {code}",
        left.iter().sum::<usize>()
    ))
}
