//! `refrain list`: every grant and where it stands.

use refrain::{
    Summary,
    json::LimitJson,
    time::UnixMillis,
    words::{consent as consents, limit as limits},
};
use serde::Serialize;

use super::limit;
use crate::{
    args::GlobalArgs,
    output,
    report::{self, Explanation},
};

#[derive(Serialize)]
struct Json<'a> {
    grant: &'a str,
    app: &'a str,
    account_id: Option<&'a str>,
    user: Option<&'a str>,
    scopes: Vec<&'a str>,
    status: &'static str,
    /// Whether its refresh token is from a backup, and may have been replaced since.
    restored: bool,
    token_expires_at: Option<String>,
    /// Whether its refresh token is from another program, and was not accepted here yet.
    imported: bool,
    authorized_at: Option<String>,
    reauthorize_by: Option<String>,
    /// Where nobody knows when the user consented: when at the latest.
    authorized_at_latest: Option<String>,
    reauthorize_by_latest: Option<String>,
    /// Whole days until `reauthorize_by`.
    days_left: Option<u64>,
    /// What keeps its requests from being sent at the moment.
    limit: Option<LimitJson>,
    #[serde(skip)]
    consent_until: Option<String>,
}

pub(super) async fn run(global: &GlobalArgs) -> Result<(), Explanation> {
    let refrain = super::open(global).await?;
    let (grants, gates) = tokio::join!(refrain.grants(), refrain.limits());
    let now = refrain.parts().clock.now();
    super::close(&refrain).await;
    let (grants, gates) = (grants?, limit::closed(gates?, &now));
    let grants: Vec<_> = grants
        .iter()
        .map(|grant| {
            let gate = limit::of_app(&gates, &refrain, &grant.app, &now);
            Json {
                limit: gate.map(|gate| LimitJson::of(gate, &now)),
                ..to_json(grant, now.wall)
            }
        })
        .collect();
    if global.json {
        return output::json(&grants);
    }
    if grants.is_empty() {
        report::notice("nobody has signed in yet; to begin: refrain login");
        return Ok(());
    }
    let headings = [
        "GRANT",
        "USER",
        "APP",
        "STATUS",
        "TOKEN UNTIL",
        "CONSENT UNTIL",
        "SCOPES",
    ];
    output::table(&headings, grants.into_iter().map(to_row))?;
    for gate in &gates {
        report::notice(&limits::sentence(gate, &now));
    }
    Ok(())
}

fn to_json(grant: &Summary, now: UnixMillis) -> Json<'_> {
    let account = grant.account.as_ref();
    let due = grant.consent.as_ref().map(|consent| consent.reauthorize_by);
    Json {
        grant: grant.name.as_str(),
        app: grant.app.as_str(),
        account_id: account.map(|account| account.id.as_str()),
        user: account.and_then(|account| account.display_name.as_deref()),
        scopes: grant.scope.iter().collect(),
        status: grant.status.word(),
        restored: grant.status.is_restored(),
        imported: grant.status.is_imported(),
        token_expires_at: grant.token_expires_at.map(|at| at.to_string()),
        authorized_at: grant
            .consent
            .as_ref()
            .map(|consent| consent.authorized_at.to_string()),
        reauthorize_by: due.map(|at| at.to_string()),
        authorized_at_latest: grant
            .consent
            .and_then(|consent| consent.latest)
            .map(|at| at.to_string()),
        reauthorize_by_latest: grant
            .consent
            .and_then(|consent| consent.reauthorize_by_latest())
            .map(|at| at.to_string()),
        days_left: due.map(|at| at.days_since(now)),
        limit: None,
        consent_until: grant
            .consent
            .as_ref()
            .map(|consent| consents::end_briefly(consent, now)),
    }
}

fn to_row(grant: Json<'_>) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let user = grant.user.or(grant.account_id).map(str::to_owned);
    let doubt = match (grant.restored, grant.imported) {
        (true, _) => " (restored)",
        (false, true) => " (imported)",
        (false, false) => "",
    };
    let status = format!("{}{doubt}", grant.status);
    vec![
        grant.grant.to_owned(),
        or_dash(user),
        grant.app.to_owned(),
        status,
        or_dash(grant.token_expires_at),
        or_dash(grant.consent_until),
        grant.scopes.join(" "),
    ]
}
