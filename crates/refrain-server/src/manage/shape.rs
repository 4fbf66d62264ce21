//! How grants are told in JSON; `refrain::json` has the rest. The names are those that the command uses with
//! `--json`; `docs/http.md` says what each means. A field may be added, and none changes.

use refrain::{
    Summary, Why,
    json::LimitJson,
    keeper::Parts,
    lifecycle::{
        Event,
        row::{Account, Consent, Reason},
    },
    limit::Gate,
    time::{Moment, UnixMillis},
};
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Serialize)]
pub(super) struct GrantsJson<'a> {
    pub(super) grants: Vec<GrantJson<'a>>,
    pub(super) unreadable: Vec<UnreadableJson<'a>>,
    /// Where the next page is.
    pub(super) next: Option<String>,
}

/// A grant that is there, and of which the store can tell no more.
#[derive(Debug, Serialize)]
pub(super) struct UnreadableJson<'a> {
    pub(super) grant: &'a str,
    pub(super) code: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct GrantJson<'a> {
    grant: &'a str,
    app: &'a str,
    account_id: Option<&'a str>,
    user: Option<&'a str>,
    scopes: Vec<&'a str>,
    status: &'static str,
    reason: Option<&'static str>,
    since: Option<String>,
    restored: bool,
    imported: bool,
    authorized_at: Option<String>,
    reauthorize_by: Option<String>,
    authorized_at_latest: Option<String>,
    reauthorize_by_latest: Option<String>,
    days_left: Option<u64>,
    token_expires_at: Option<String>,
    limit: Option<LimitJson>,
}

#[derive(Debug, Serialize)]
pub(super) struct StoryJson<'a> {
    #[serde(flatten)]
    grant: GrantJson<'a>,
    client_id: String,
    next: NextJson,
    events: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct NextJson {
    what: String,
    at: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct RefreshedJson<'a> {
    pub(super) grant: &'a str,
    pub(super) token_expires_at: String,
}

fn instant(at: Option<UnixMillis>) -> Option<String> {
    at.map(|at| at.to_string())
}

impl<'a> GrantJson<'a> {
    /// A grant, and the limit that holds it up.
    pub(super) fn of(grant: &'a Summary, gates: &[Gate], parts: &Parts, now: &Moment) -> Self {
        let developer = parts.developer(&grant.app);
        let gate = Gate::holding(gates, &grant.app, &developer, now);
        Self {
            restored: grant.status.is_restored(),
            imported: grant.status.is_imported(),
            reason: grant.status.reason().map(Reason::word),
            since: instant(grant.status.since()),
            status: grant.status.word(),
            token_expires_at: instant(grant.token_expires_at),
            limit: gate.map(|gate| LimitJson::of(gate, now)),
            ..Self::whose(
                (grant.name.as_str(), grant.app.as_str()),
                grant.account.as_ref(),
                grant.scope.iter().collect(),
                grant.consent.as_ref(),
                now,
            )
        }
    }

    /// What it is, without how it stands.
    fn whose(
        (grant, app): (&'a str, &'a str),
        account: Option<&'a Account>,
        scopes: Vec<&'a str>,
        consent: Option<&Consent>,
        now: &Moment,
    ) -> Self {
        let due = consent.map(|consent| consent.reauthorize_by);
        Self {
            grant,
            app,
            account_id: account.map(|account| account.id.as_str()),
            user: account.and_then(|account| account.display_name.as_deref()),
            scopes,
            status: "",
            reason: None,
            since: None,
            restored: false,
            imported: false,
            authorized_at: instant(consent.map(|consent| consent.authorized_at)),
            reauthorize_by: instant(due),
            authorized_at_latest: instant(consent.and_then(|consent| consent.latest)),
            reauthorize_by_latest: instant(consent.and_then(Consent::reauthorize_by_latest)),
            days_left: due.map(|at| at.days_since(now.wall)),
            token_expires_at: None,
            limit: None,
        }
    }
}

impl<'a> StoryJson<'a> {
    pub(super) fn of(why: &'a Why) -> Self {
        let (row, now) = (&why.row, &why.now);
        let next = why.next();
        Self {
            grant: GrantJson {
                restored: row.status.is_restored(),
                imported: row.status.is_imported(),
                reason: row.status.reason().map(Reason::word),
                since: instant(row.status.since()),
                status: row.status.word(),
                token_expires_at: instant(why.token_end()),
                limit: why.limit.as_ref().map(|gate| LimitJson::of(gate, now)),
                ..GrantJson::whose(
                    (row.name.as_str(), row.app.as_str()),
                    row.account.as_ref(),
                    row.scope.iter().collect(),
                    row.consent.as_ref(),
                    now,
                )
            },
            client_id: row.client_id.to_string(),
            next: NextJson {
                what: next.what,
                at: instant(next.at),
            },
            events: why.events.iter().map(Event::to_json).collect(),
        }
    }
}
