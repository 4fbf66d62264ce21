//! One of each error that the library reports, and that keeps the server from starting.

mod configuration;
mod custody;
mod start;

use std::{io, path::PathBuf, sync::Arc};

use refrain::{
    Error, Explanation, Kind,
    access::{ApiKeyId, Refused},
    id::{ApiKeyName, AppName, GrantName},
    keeper::{
        Problem, import::ImportError, keys::KeyError, links::LinkError, login::LoginError,
        sessions::SessionError,
    },
    lifecycle::row::Reason,
    oauth::authorization::CallbackError,
    provider::spotify::RedirectProblem,
    random::RandomError,
    seal::{KeyFileError, KeyId, SealError},
    store::{StoreError, cause},
    time::UnixMillis,
};
use refrain_server::status;

pub(super) use self::{custody::custody, start::start};
use super::Row;
use crate::report;

const AT: UnixMillis = UnixMillis(1_795_000_000_000);

fn alice() -> GrantName {
    "alice".parse().unwrap()
}

fn app() -> AppName {
    "default".parse().unwrap()
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("/home/alice/.config/refrain/{name}"))
}

fn place() -> String {
    "/home/alice/.local/share/refrain/refrain.db".to_owned()
}

fn broken() -> io::Error {
    io::Error::other("input/output error")
}

fn key() -> KeyId {
    KeyId([0xab; 8])
}

/// Grants, keys, links and the store.
pub(super) fn refrain() -> Vec<Row> {
    let mut errors: Vec<Error> = Vec::new();
    errors.extend(grants().map(Error::from));
    errors.extend(provider().map(Error::from));
    errors.extend(login().map(Error::from));
    errors.extend(imports().map(Error::from));
    errors.extend(redirect().map(Error::from));
    errors.extend(stores().map(Error::from));
    errors.extend(keys().map(Error::from));
    errors.extend(key_files().map(Error::from));
    errors.extend(access().map(Error::from));
    errors.extend(links().map(Error::from));
    errors.extend([SessionError::Unknown, SessionError::SignInUnknown].map(Error::from));
    errors.extend(configuration::all().map(Error::from));
    errors.iter().map(row).collect()
}

fn row(error: &Error) -> Row {
    let told = error.explain();
    let again = match (error.problem(), told.retry_at, error.kind()) {
        (Problem::NotSaved(_), ..) => "by itself, until the store takes it",
        (_, Some(_), _) => "by itself, at the time that it names",
        (Problem::Store(error), ..) if error.is_transient() => "when it is asked for",
        (_, None, Kind::TryLater) => "when it is asked for",
        _ => "",
    };
    let mut row = explained(told, error.kind());
    row.cells
        .extend([status(error).to_string(), again.to_owned()]);
    row
}

fn explained(told: Explanation, kind: Kind) -> Row {
    let exit = report::Explanation::of(told.clone(), kind).exit as u8;
    Row {
        code: told.code,
        cells: vec![told.what, told.safe.to_owned(), told.fix, exit.to_string()],
    }
}

fn grants() -> impl Iterator<Item = Problem> {
    let reasons = [
        Reason::Expired,
        Reason::Revoked,
        Reason::AnswerLost,
        Reason::Scope,
        Reason::Restored,
        Reason::Imported,
    ];
    let reauthorize = reasons.map(|reason| Problem::Reauthorize {
        grant: alice(),
        reason,
        since: AT,
    });
    let others = [
        Problem::NoGrant,
        Problem::UnknownGrant { name: alice() },
        Problem::SeveralGrants {
            names: vec![alice(), "bob".parse().unwrap()],
        },
        Problem::SignedOut { grant: alice() },
        Problem::Suspect {
            grant: alice(),
            since: AT,
            retry_at: AT,
        },
        Problem::Restored {
            grant: alice(),
            since: AT,
        },
        Problem::Imported {
            grant: alice(),
            since: AT,
        },
        Problem::BreakerOpen {
            app: app(),
            since: AT,
            retry_at: AT,
        },
        Problem::ClientChanged {
            grant: alice(),
            app: app(),
        },
        Problem::UnknownApp {
            name: app(),
            configured: Vec::new(),
        },
        Problem::Name("a b".parse::<GrantName>().unwrap_err()),
    ];
    reauthorize.into_iter().chain(others)
}

fn provider() -> impl Iterator<Item = Problem> {
    [
        Problem::Unavailable {
            since: AT,
            retry_at: AT,
            http_status: Some(503),
            why: "HTTP 503".to_owned(),
        },
        Problem::Unreachable {
            origin: "https://accounts.spotify.com".to_owned(),
            why: "timed out while connecting".to_owned(),
        },
        Problem::Throttled {
            app: app(),
            retry_at: AT,
        },
        Problem::ForcedRecently {
            grant: alice(),
            retry_at: AT,
        },
        Problem::Misconfigured {
            app: app(),
            error: "invalid_client".to_owned(),
            description: Some("Invalid client secret".to_owned()),
        },
        Problem::StillRefreshing { grant: alice() },
        Problem::Closing,
        Problem::BrokeOff {
            grant: alice(),
            what: "refresh",
        },
    ]
    .into_iter()
}

fn login() -> impl Iterator<Item = LoginError> {
    [
        LoginError::Callback(CallbackError::NoState),
        LoginError::NoAttempt,
        LoginError::Denied,
        LoginError::Reported {
            error: "server_error".to_owned(),
        },
        LoginError::CodeRefused {
            description: Some("Invalid authorization code".to_owned()),
        },
        LoginError::NoRefreshToken,
        LoginError::Interrupted {
            why: "HTTP 503".to_owned(),
        },
        LoginError::NotAllowlisted,
        LoginError::OwnerNotPremium,
        LoginError::Forbidden,
        LoginError::OtherAccount { grant: alice() },
        LoginError::Overtaken { grant: alice() },
        LoginError::AccountUnknown {
            why: "HTTP 503".to_owned(),
        },
        LoginError::NotAsked,
    ]
    .into_iter()
}

fn imports() -> impl Iterator<Item = ImportError> {
    let kept = || -> GrantName { "alice.imported".parse().unwrap() };
    [
        ImportError::Exists { grant: alice() },
        ImportError::AlreadyHere { grant: alice() },
        ImportError::OtherClient {
            app: app(),
            theirs: "0123456789abcdef".parse().unwrap(),
            ours: "fedcba9876543210".parse().unwrap(),
        },
        ImportError::Refused {
            grant: alice(),
            reason: Reason::Imported,
            description: Some("Invalid refresh token".to_owned()),
        },
        ImportError::Unverified {
            grant: alice(),
            cause: Error::from(Problem::Throttled {
                app: app(),
                retry_at: AT,
            }),
        },
        ImportError::OtherAccount {
            grant: alice(),
            kept: kept(),
        },
        ImportError::AccountUnknown {
            grant: alice(),
            kept: kept(),
            why: "HTTP 503".to_owned(),
        },
        ImportError::Overtaken { grant: alice() },
    ]
    .into_iter()
}

fn redirect() -> impl Iterator<Item = LoginError> {
    let problems = [
        (RedirectProblem::Localhost, "http://localhost:4280/callback"),
        (RedirectProblem::Insecure, "http://nas.lan/callback"),
        (RedirectProblem::HttpsLoopback, "https://127.0.0.1/callback"),
        (RedirectProblem::Fragment, "https://a.example/#x"),
        (RedirectProblem::Scheme("myapp".to_owned()), "myapp://x"),
    ];
    problems
        .into_iter()
        .map(|(problem, uri)| LoginError::Redirect {
            uri: uri.to_owned(),
            problem,
        })
}

fn stores() -> impl Iterator<Item = Problem> {
    let why = || cause("as the system says");
    let full = || StoreError::Full {
        place: place(),
        source: why(),
    };
    let errors = [
        StoreError::Unavailable {
            place: place(),
            source: why(),
        },
        full(),
        StoreError::ReadOnly {
            place: place(),
            source: why(),
        },
        StoreError::Refused {
            place: "postgres://db.example/refrain".to_owned(),
            source: why(),
        },
        StoreError::Damaged {
            place: place(),
            source: why(),
        },
        StoreError::Value {
            table: "grants",
            column: "rest",
            row: "alice".to_owned(),
            source: why(),
        },
        StoreError::Newer {
            place: place(),
            found: 9,
            known: 6,
        },
        StoreError::Unsuitable {
            place: place(),
            why: "it lies on a network file system, where SQLite's locks do not hold".to_owned(),
        },
    ];
    let others = [
        Problem::NotSaved(Arc::new(full())),
        Problem::NoSuchStore { kind: "PostgreSQL" },
        Problem::NoStore {
            place: format!("sqlite:{}", place()),
        },
        Problem::Random(RandomError::new("as the system says")),
        Problem::Sealed {
            grant: alice(),
            what: "refresh token",
            source: SealError::Forged,
        },
    ];
    errors.map(Problem::from).into_iter().chain(others)
}

fn keys() -> impl Iterator<Item = Problem> {
    let looked_in = || path("master.key").display().to_string();
    [
        Problem::WrongKey {
            expected: key(),
            found: KeyId([0xcd; 8]),
            looked_in: looked_in(),
        },
        Problem::KeyMissing {
            expected: key(),
            looked_in: looked_in(),
        },
        Problem::KeyUnusable {
            expected: key(),
            source: KeyFileError::Empty {
                path: path("master.key"),
            },
        },
        Problem::KeyCheck(SealError::Forged),
    ]
    .into_iter()
}

fn key_files() -> impl Iterator<Item = KeyFileError> {
    let path = || path("master.key");
    [
        KeyFileError::Missing { path: path() },
        KeyFileError::Io {
            path: path(),
            source: broken(),
        },
        KeyFileError::Open {
            path: path(),
            mode: 0o640,
        },
        KeyFileError::Line {
            path: path(),
            line: 3,
        },
        KeyFileError::Empty { path: path() },
        KeyFileError::Random(RandomError::new("as the system says")),
    ]
    .into_iter()
}

fn access() -> impl Iterator<Item = KeyError> {
    [
        KeyError::NameTaken {
            name: "phone".parse::<ApiKeyName>().unwrap(),
            id: ApiKeyId::parse("0123456789").unwrap(),
        },
        KeyError::Unknown {
            given: "phone".to_owned(),
        },
        KeyError::UnknownGrants {
            unknown: vec![alice()],
            known: Vec::new(),
        },
        KeyError::WithoutGrant,
        KeyError::WithoutPermission,
        KeyError::Refused {
            why: Refused::Unknown,
        },
    ]
    .into_iter()
}

fn links() -> impl Iterator<Item = LinkError> {
    [
        LinkError::Unknown,
        LinkError::Expired,
        LinkError::Used,
        LinkError::Overtaken { grant: alice() },
        LinkError::GrantThere { grant: alice() },
        LinkError::Lifetime,
    ]
    .into_iter()
}
