//! Signing in, and the days when nothing is wrong but the hour.

use tokio::task::JoinSet;

use crate::command::demo::{
    Seen,
    stage::{HOUR, MINUTE, Stage},
    voice::Notes,
};

const ME: &str = "/v1/me";

pub(in crate::command::demo) async fn sign_in(stage: &Stage, notes: &mut Notes) -> Seen {
    let url = stage.begin_login(&stage.refrain, "alice").await?;
    let secret = stage.place.client_secret().unwrap_or_default();
    let pkce = url.contains("code_challenge_method=S256") && !url.contains(secret);
    notes.check(
        pkce,
        "the address of the login holds a PKCE challenge, and no secret",
    );
    let login = stage.finish_login(&stage.refrain, "alice", &url).await?;
    let counts = stage.sim.counts();
    let exchanged = counts.exchanges == 1 && counts.token_calls == 1;
    notes.check(
        exchanged,
        &format!("Spotify counted {} token call", counts.token_calls),
    );
    let account = login.account.as_ref().map(|account| account.id.as_str());
    let pinned = format!(
        "the grant \"alice\" is pinned to the account {}: no one else can slip in under that name",
        account.unwrap_or("(none)")
    );
    notes.check(account.is_some(), &pinned);
    let (store, key) = (stage.mode("refrain.db")?, stage.mode("master.key")?);
    let private = format!("refrain.db has mode {store:04o}, master.key {key:04o}: for you alone");
    notes.check(store == 0o600 && key == 0o600, &private);

    let alice = stage.alice().await?;
    let access = alice.access_token().await?;
    let refresh = stage.refresh_token(&alice).await?;
    let (searched, found) = stage.search(&[access.expose().as_bytes(), refresh.as_bytes()])?;
    let kib = searched / 1024;
    let nowhere = format!("neither token is anywhere in the {kib} KiB that refrain wrote");
    notes.check(found == [0, 0], &nowhere);
    let day = login.reauthorize_by;
    notes.fact(&format!(
        "Spotify will end this authorization on {}",
        super::day(day)
    ));
    Ok(format!(
        "{} copies in {kib} KiB",
        found.iter().sum::<usize>()
    ))
}

pub(in crate::command::demo) async fn call(stage: &Stage, notes: &mut Notes) -> Seen {
    let before = stage.sim.counts().token_calls;
    let alice = stage.alice().await?;
    let token = alice.access_token().await?;
    let (_, status) = stage.call(&alice, token, ME).await?;
    notes.check(status == 200, &format!("GET {ME} → {status}"));
    let calls = stage.sim.counts().token_calls - before;
    notes.check(
        calls == 0,
        &format!("{calls} token calls: the token was in memory"),
    );
    Ok(format!("GET {ME} → {status}, {calls} token calls"))
}

pub(in crate::command::demo) async fn thousand(stage: &Stage, notes: &mut Notes) -> Seen {
    let alice = stage.alice().await?;
    let (before, old) = (stage.refreshes(), alice.row().await?.generation);
    let old_token = stage.refresh_token(&alice).await?;
    stage.pass(HOUR);
    let mut callers = JoinSet::new();
    for _ in 0..1000 {
        let alice = alice.clone();
        callers.spawn(async move { alice.access_token().await });
    }
    let (tokens, took) = stage.timed(callers.join_all()).await;
    let tokens: Vec<_> = tokens.into_iter().collect::<Result<_, _>>()?;
    let calls = stage.refreshes() - before;
    let same = tokens
        .iter()
        .all(|token| tokens.first().is_some_and(|it| it.ct_eq(token)));
    let served = tokens.len();
    notes.check(
        calls == 1 && same,
        &format!("{served} callers, {calls} token call, one and the same token, in {took} ms"),
    );
    let new_token = stage.refresh_token(&alice).await?;
    let new = alice.row().await?.generation;
    let rotated = new > old && *new_token != *old_token;
    notes.check(
        rotated,
        "Spotify replaced the refresh token, and refrain has the new one",
    );

    // Nothing of this one comes from memory.
    let other = stage.another().await?.grant("alice").await?;
    let read = other.access_token().await?;
    let durable = tokens.first().is_some_and(|token| token.ct_eq(&read));
    let calls = stage.refreshes() - before;
    notes.check(
        durable && calls == 1,
        "a second refrain, opened on the file just now, has it too: it was saved before it was used",
    );
    Ok(format!("{served} callers, {calls} token call, {took} ms"))
}

pub(in crate::command::demo) async fn rejected(stage: &Stage, notes: &mut Notes) -> Seen {
    let alice = stage.alice().await?;
    let before = stage.refreshes();
    let token = alice.access_token().await?;
    stage.sim.expire_access_tokens();
    let (first, last) = stage.call(&alice, token, ME).await?;
    let calls = stage.refreshes() - before;
    notes.check(
        (first, last, calls) == (401, 200, 1),
        &format!("GET {ME} → {first} → {calls} token call → {last}, which the caller gets"),
    );

    // A refresh is forced twice a minute at most.
    stage.pass(MINUTE);
    let before = stage.refreshes();
    let token = alice.access_token().await?;
    stage.sim.expire_access_tokens();
    // All hold the dead token, and all find out before anyone has repaired it.
    let mut stragglers = Vec::new();
    for _ in 0..100 {
        stragglers.push(stage.get(ME, &token).await?);
    }
    let dead = stragglers.iter().filter(|status| **status == 401).count();
    let mut repairs = JoinSet::new();
    for _ in 0..100 {
        let (alice, token) = (alice.clone(), token.clone());
        repairs.spawn(async move { alice.report_rejected(&token).await });
    }
    let mut repaired = 0;
    for token in repairs.join_all().await {
        if stage.get(ME, &token?).await? == 200 {
            repaired += 1;
        }
    }
    let calls = stage.refreshes() - before;
    notes.check(
        (dead, repaired, calls) == (100, 100, 1),
        &format!("{dead} callers with one dead token: {calls} token call, then {repaired} × 200"),
    );
    Ok(format!(
        "{dead} × 401 → {repaired} × 200, {calls} token call"
    ))
}
