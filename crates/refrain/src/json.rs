//! How a program is told of things: the objects that the command prints with `--json` and that the server
//! answers with. `docs/http.md` says what each field means. A field may be added, and none changes.

use serde::Serialize;

use crate::{
    access::{Grants, KeyRecord, Permission},
    id::GrantName,
    keeper::logout::{LoggedOut, Revocation},
    limit::Gate,
    provider::spotify::USER_APPS_URL,
    time::{Moment, UnixMillis, seconds_rounded_up},
};

/// What a logout destroys.
const DESTROYED: [&str; 3] = ["refresh_token", "access_token", "data_key"];

/// An API key without its text. Instants are RFC 3339 in UTC.
#[derive(Debug, Serialize)]
pub struct KeyJson<'a> {
    /// What it is called by programs.
    pub id: &'a str,
    /// What it is called by people.
    pub name: &'a str,
    /// What it may do.
    pub permissions: Vec<&'static str>,
    /// The grants that it reaches; empty where it reaches all.
    pub grants: Vec<&'a str>,
    /// Whether it reaches all grants, those to come included.
    pub all_grants: bool,
    /// Whether links in answers lead back to the proxy.
    pub rewrite_links: bool,
    /// When it was made.
    pub created_at: String,
    /// From when on it is refused.
    pub expires_at: Option<String>,
    /// When it was last seen, roughly.
    pub last_used_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// Whether it is `valid`, `expired` or `revoked`.
    pub status: &'static str,
}

/// A limit of the Web API that holds an app up.
#[derive(Debug, Serialize)]
pub struct LimitJson {
    /// `rate`: the app has asked too often. `quota`: its developer account has used up what it has.
    pub kind: &'static str,
    /// `app:NAME` or `developer:NAME`.
    pub whose: String,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
    /// Until when, RFC 3339 in UTC.
    pub until: String,
    /// Whole seconds until then, rounded up.
    pub seconds_left: u64,
    /// What the answer said, where it did, in seconds.
    pub told_seconds: Option<u64>,
}

/// What came of a logout.
#[derive(Debug, Serialize)]
pub struct LoggedOutJson<'a> {
    /// Whose.
    pub grant: &'a str,
    /// What is gone from the store.
    pub destroyed: [&'static str; 3],
    /// `not_offered`, `answered` or `failed`.
    pub revocation: &'static str,
    /// The HTTP status of the revocation endpoint, where it answered.
    pub revocation_status: Option<u16>,
    /// Why it could not be asked.
    pub revocation_error: Option<&'a str>,
    /// Until when an access token that was handed out still works, RFC 3339 in UTC.
    pub access_until: Option<String>,
    /// Whole minutes until then, rounded up.
    pub access_minutes: Option<u64>,
    /// Where the user takes the consent back.
    pub remove_app_at: &'static str,
    /// Always so.
    pub next_login_asks_for_consent: bool,
}

fn instant(at: Option<UnixMillis>) -> Option<String> {
    at.map(|at| at.to_string())
}

impl<'a> KeyJson<'a> {
    /// A key as it stands at an instant.
    pub fn of(key: &'a KeyRecord, now: UnixMillis) -> Self {
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

impl LimitJson {
    /// A gate as it stands at an instant.
    pub fn of(gate: &Gate, now: &Moment) -> Self {
        Self {
            kind: gate.kind().word(),
            whose: gate.bucket.to_string(),
            since: gate.since.to_string(),
            until: gate.ends(now).to_string(),
            seconds_left: seconds_rounded_up(gate.remaining(now)),
            told_seconds: gate.told.map(|told| told.as_secs()),
        }
    }
}

impl<'a> LoggedOutJson<'a> {
    /// A logout as it looks at an instant after it.
    pub fn of(done: &'a LoggedOut, now: UnixMillis) -> Self {
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
