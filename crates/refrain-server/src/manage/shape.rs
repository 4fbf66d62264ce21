//! How things are told in JSON. The names are those that the command uses with `--json`; `docs/http.md` says
//! what each means. A field may be added, and none changes.

use refrain::{
    Summary, Why,
    access::{Grants, KeyRecord, Permission},
    id::GrantName,
    keeper::{
        Parts,
        logout::{LoggedOut, Revocation},
    },
    lifecycle::{
        Event,
        row::{Account, Consent, Reason},
    },
    limit::Gate,
    provider::spotify::USER_APPS_URL,
    time::{Moment, UnixMillis},
};
use serde::Serialize;
use serde_json::Value;

const DAY: u64 = 24 * 60 * 60;
/// What a logout destroys.
const DESTROYED: [&str; 3] = ["refresh_token", "access_token", "data_key"];

#[derive(Debug, Serialize)]
pub(super) struct GrantsJson<'a> {
    pub(super) grants: Vec<GrantJson<'a>>,
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
    authorized_at: Option<String>,
    reauthorize_by: Option<String>,
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
struct LimitJson {
    kind: &'static str,
    whose: String,
    since: String,
    until: String,
    seconds_left: u64,
    told_seconds: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct RefreshedJson<'a> {
    pub(super) grant: &'a str,
    pub(super) token_expires_at: String,
}

#[derive(Debug, Serialize)]
pub(super) struct LoggedOutJson<'a> {
    grant: &'a str,
    destroyed: [&'static str; 3],
    revocation: &'static str,
    revocation_status: Option<u16>,
    revocation_error: Option<&'a str>,
    access_until: Option<String>,
    access_minutes: Option<u64>,
    remove_app_at: &'static str,
    next_login_asks_for_consent: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct KeyJson<'a> {
    id: &'a str,
    name: &'a str,
    permissions: Vec<&'static str>,
    grants: Vec<&'a str>,
    all_grants: bool,
    rewrite_links: bool,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    status: &'static str,
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
            authorized_at: instant(consent.map(|consent| consent.authorized_at)),
            reauthorize_by: instant(due),
            days_left: due.map(|at| at.since(now.wall).as_secs() / DAY),
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

impl LimitJson {
    fn of(gate: &Gate, now: &Moment) -> Self {
        let left = gate.remaining(now);
        Self {
            kind: gate.kind().word(),
            whose: gate.bucket.to_string(),
            since: gate.since.to_string(),
            until: gate.ends(now).to_string(),
            seconds_left: left
                .as_secs()
                .saturating_add(u64::from(left.subsec_nanos() > 0)),
            told_seconds: gate.told.map(|told| told.as_secs()),
        }
    }
}

impl<'a> LoggedOutJson<'a> {
    pub(super) fn of(done: &'a LoggedOut, now: UnixMillis) -> Self {
        let (revocation, revocation_status, revocation_error) = match &done.revocation {
            Revocation::NotOffered => ("not_offered", None, None),
            Revocation::Answered { status } => ("answered", Some(*status), None),
            Revocation::Failed { why } => ("failed", None, Some(why.as_str())),
        };
        let minutes = |at: UnixMillis| at.since(now).as_secs().div_ceil(60);
        Self {
            grant: done.grant.as_str(),
            destroyed: DESTROYED,
            revocation,
            revocation_status,
            revocation_error,
            access_until: instant(done.access_until),
            access_minutes: done.access_until.map(minutes),
            remove_app_at: USER_APPS_URL,
            next_login_asks_for_consent: true,
        }
    }
}

impl<'a> KeyJson<'a> {
    pub(super) fn of(key: &'a KeyRecord, now: UnixMillis) -> Self {
        Self {
            id: key.id.as_str(),
            name: key.name.as_str(),
            permissions: key.permissions.iter().map(Permission::as_str).collect(),
            grants: match &key.grants {
                Grants::All => Vec::new(),
                Grants::Only(names) => names.iter().map(GrantName::as_str).collect(),
            },
            all_grants: key.grants == Grants::All,
            rewrite_links: key.rewrite_links,
            created_at: key.created_at.to_string(),
            expires_at: instant(key.expires_at),
            last_used_at: instant(key.last_used_at),
            revoked_at: instant(key.revoked_at),
            status: key.standing(now).word(),
        }
    }
}
