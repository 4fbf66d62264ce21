//! The store: its files, its settings, and whether the key is the right one.

use std::{ffi::OsString, path::Path, path::PathBuf, sync::Arc};

use refrain::{
    access::KeyRecord,
    config::{PostgresUrl, StoreLocation},
    id::AppName,
    lifecycle::{GrantRow, app::AppState},
    limit::{Gate, Kind},
    seal::{Keyring, SealError, Sealer},
    store::{
        Identity, Store, StoreError, Unreadable,
        postgres::{self, PostgresStore},
        sqlite::{Settings, SqliteStore},
    },
    time::{Deadline, Moment, StoreInstant},
    words,
};

use super::{
    Finding, Patient,
    complaint::{
        API_QUOTA_EXCEEDED, API_RATE_LIMITED, APP_REFUSED, APP_THROTTLED, KEY_ROWS_OLD,
        ROW_UNREADABLE, STORAGE_FOLLOWS, STORAGE_JOURNAL, STORAGE_OUTDATED, STORAGE_SYNCHRONOUS,
        STORAGE_VERSION,
    },
    files,
};
use crate::{command::limit, report};

const CHECK: &str = "store";
/// So many grants are looked at; a store with more has other means of watching them.
const GRANTS: u32 = 1000;
/// Older ones can destroy a write-ahead log that several processes write (sqlite.org/wal.html).
const OLDEST: [u32; 3] = [3, 51, 3];

/// What was read, as far as it could be.
#[derive(Debug, Default)]
pub(super) struct Inside {
    pub(super) rows: Vec<GrantRow>,
    pub(super) keys: Vec<KeyRecord>,
    pub(super) gates: Vec<Gate>,
    /// The store's own clock, which leases are counted on.
    pub(super) now: Option<StoreInstant>,
}

/// The findings, and what is in the store.
pub(super) async fn check(patient: &Patient) -> (Vec<Finding>, Inside) {
    let mut findings = Vec::new();
    let inside = match &patient.config.store {
        StoreLocation::Sqlite(path) => in_file(patient, path, &mut findings).await,
        StoreLocation::Postgres(url) => on_server(patient, url, &mut findings).await,
        _ => return (Vec::new(), Inside::default()),
    };
    // Opening it is also what refuses a network file system, or a server that forgets.
    let inside = inside.unwrap_or_else(|error| {
        findings.push(broken(&error));
        Inside::default()
    });
    (findings, inside)
}

async fn in_file(
    patient: &Patient,
    path: &Path,
    findings: &mut Vec<Finding>,
) -> Result<Inside, StoreError> {
    if !path.exists() {
        let detail = format!(
            "there is none at {} yet: `refrain login` makes it",
            path.display()
        );
        findings.push(Finding::ok(CHECK, detail));
        return Ok(Inside::default());
    }
    findings.extend(modes(path));
    let store = SqliteStore::open(path, Arc::clone(&patient.clock)).await?;
    findings.extend(settings(&store.settings().await?));
    look_inside(patient, &store, findings).await
}

async fn on_server(
    patient: &Patient,
    url: &PostgresUrl,
    findings: &mut Vec<Finding>,
) -> Result<Inside, StoreError> {
    let store = PostgresStore::open(url, patient.clock.as_ref(), None).await?;
    let settings = store.settings().await?;
    findings.push(server(&store.place(), &settings));
    look_inside(patient, &store, findings).await
}

fn server(place: &str, settings: &postgres::Settings) -> Finding {
    if settings.in_recovery {
        let detail = format!("{place} follows another server and takes no writes");
        return Finding::of(CHECK, STORAGE_FOLLOWS, detail);
    }
    let (major, minor) = (settings.version / 10_000, settings.version % 10_000);
    let commit = &settings.synchronous_commit;
    let detail = format!("PostgreSQL {major}.{minor}, synchronous_commit is {commit}");
    Finding::ok(CHECK, detail)
}

async fn look_inside(
    patient: &Patient,
    store: &dyn Store,
    findings: &mut Vec<Finding>,
) -> Result<Inside, StoreError> {
    let Some(identity) = store.identity().await? else {
        findings.push(Finding::ok(CHECK, "it is empty"));
        return Ok(Inside::default());
    };
    let Some(right) = right_key(patient, &identity) else {
        return Ok(Inside::default());
    };
    let is_right = right.code == "ok";
    findings.push(right);
    if !is_right {
        return Ok(Inside::default());
    }
    if store.is_outdated().await? {
        let detail = format!("{} has the layout of an older refrain", store.place());
        findings.push(Finding::of(CHECK, STORAGE_OUTDATED, detail));
        return Ok(Inside::default());
    }
    findings.extend(retired(store, &identity).await);
    for app in patient.config.apps.keys() {
        let state = store.app_state(app).await?.value;
        findings.extend(held_up(app, &state, &patient.clock.now()));
    }
    let gates = store.limits().await?.into_iter().map(|gate| gate.value);
    let gates = limit::closed(gates.collect(), &patient.clock.now());
    findings.extend(gates.iter().map(|gate| limited(gate, &patient.clock.now())));
    let mut inside = Inside {
        gates,
        keys: store.api_keys().await?,
        now: Some(store.now().await?),
        ..Inside::default()
    };
    for row in store.list(None, GRANTS).await? {
        match row {
            Ok(row) => inside.rows.push(row.value),
            Err(unreadable) => findings.push(unread(&unreadable)),
        }
    }
    Ok(inside)
}

fn unread(unreadable: &Unreadable) -> Finding {
    let (name, why) = (&unreadable.name, report::with_causes(&unreadable.why));
    let fix = format!("restore the store from a backup, or run `refrain login {name}`");
    Finding::of("grants", ROW_UNREADABLE, format!("{name}: {why}")).by(fix)
}

/// Grants under a master key that is not the store's any more.
async fn retired(store: &dyn Store, identity: &Identity) -> Option<Finding> {
    // A key check that does not say its key, and rows that cannot be read, are told elsewhere.
    let key = identity.key_check.key_id().ok()?;
    let rows = store.sealed_otherwise(key, GRANTS).await.ok()?;
    let number = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    (number > 0).then(|| {
        let grants = words::count(number, "grant");
        let detail = format!("{grants} sealed under another master key than {key}, the store's");
        Finding::of("key", KEY_ROWS_OLD, detail)
    })
}

/// What keeps all grants of an app from being refreshed at the moment.
fn held_up(app: &AppName, state: &AppState, now: &Moment) -> Vec<Finding> {
    let until = |deadline: Deadline| now.wall.after(deadline.remaining(now));
    let throttled = state
        .throttled
        .filter(|deadline| !deadline.passed(now))
        .map(|deadline| {
            let detail = format!("Spotify wants {app} to wait until {}", until(deadline));
            Finding::of("limit", APP_THROTTLED, detail)
        });
    let refusing = state.open_breaker(now).map(|breaker| {
        let since = breaker.since;
        let detail =
            format!("Spotify refuses many grants of {app} since {since}; nobody is condemned");
        let fix = format!(
            "wait; one grant asks again at {}",
            until(breaker.next_canary)
        );
        Finding::of("limit", APP_REFUSED, detail).by(fix)
    });
    throttled.into_iter().chain(refusing).collect()
}

/// What keeps requests from being sent at the moment.
fn limited(gate: &Gate, now: &Moment) -> Finding {
    let complaint = match gate.kind() {
        Kind::Rate => API_RATE_LIMITED,
        Kind::Quota => API_QUOTA_EXCEEDED,
    };
    Finding::of("limit", complaint, words::limit::sentence(gate, now))
        .by(words::limit::advice(gate.kind()))
}

/// Whether the key file holds the key of this store; what is wrong with the file is told elsewhere.
fn right_key(patient: &Patient, identity: &Identity) -> Option<Finding> {
    let path = patient.config.sealing.key.path();
    let keyring = Keyring::read(path).ok()?;
    let opened = Sealer::open(keyring, identity.deployment, &identity.key_check);
    Some(match opened {
        Ok(_) => Finding::ok("key", "it is the key of this store"),
        Err(SealError::UnknownKey { expected }) => Finding::error(
            "key",
            "key_wrong",
            format!(
                "the store needs master key {expected}, and {} has another",
                path.display()
            ),
            format!("put the file with key {expected} back, or point sealing.key_file at it"),
        ),
        Err(error) => Finding::error(
            "key",
            "key_check",
            format!(
                "the key check of the store does not open: {}",
                report::with_causes(&error)
            ),
            "the store was changed from outside: restore it from a backup",
        ),
    })
}

fn settings(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Settings {
        version,
        journal,
        synchronous,
    } = settings;
    let parts: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    if parts.as_slice() < OLDEST.as_slice() {
        findings.push(Finding::of(
            CHECK,
            STORAGE_VERSION,
            format!("SQLite {version} can damage a store that several processes write"),
        ));
    }
    if journal != "wal" {
        findings.push(Finding::of(
            CHECK,
            STORAGE_JOURNAL,
            format!("the journal mode is {journal} and not wal"),
        ));
    }
    if *synchronous != 2 {
        findings.push(Finding::of(
            CHECK,
            STORAGE_SYNCHRONOUS,
            format!(
                "synchronous is {synchronous} and not 2 (FULL): a power cut could lose a token"
            ),
        ));
    }
    if findings.is_empty() {
        let detail = format!("SQLite {version}, write-ahead log, every commit synced");
        findings.push(Finding::ok(CHECK, detail));
    }
    findings
}

fn modes(path: &Path) -> Vec<Finding> {
    let beside = |suffix: &str| {
        let mut name: OsString = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut findings = vec![files::private(CHECK, path)];
    for suffix in ["-wal", "-shm"] {
        let file = beside(suffix);
        if file.exists() {
            findings.push(files::private(CHECK, &file));
        }
    }
    if let Some(folder) = path.parent() {
        findings.push(files::private_folder(CHECK, folder));
    }
    findings
}

fn broken(error: &StoreError) -> Finding {
    let fix = match error {
        StoreError::Full { .. } => "make room on that disk",
        StoreError::ReadOnly { .. } => "make the file and its folder writable for this user",
        StoreError::Newer { .. } => "use the newer refrain",
        StoreError::Unsuitable { .. } => "put the store on a local disk",
        StoreError::Damaged { .. } | StoreError::Value { .. } => {
            "restore it from a backup; if the file is not refrain's, point `store` elsewhere"
        }
        _ => "see why it cannot be reached, and try again",
    };
    Finding::error(CHECK, error.code(), report::with_causes(error), fix)
}

#[cfg(test)]
mod tests {
    use refrain::{
        id::GrantId,
        random::SystemRandom,
        time::{BootId, UnixMillis, Uptime},
    };

    use super::*;

    #[test]
    fn a_server_that_only_follows_is_found() {
        let settings = |in_recovery| postgres::Settings {
            version: 150_018,
            synchronous_commit: "on".to_owned(),
            fsync: true,
            in_recovery,
        };
        assert_eq!(server("db", &settings(false)).code, "ok");
        assert_eq!(server("db", &settings(true)).code, "storage_follows");
    }

    #[test]
    fn many_refusals_at_once_are_told_as_an_incident() {
        let now = Moment {
            wall: UnixMillis(1_795_000_000_000),
            uptime: Uptime(0),
            boot: BootId(1),
        };
        let app = "default".parse().unwrap();
        let mut state = AppState::default();
        assert_eq!(held_up(&app, &state, &now), []);
        for _ in 0..5 {
            let grant = GrantId::random(&SystemRandom).unwrap();
            state = state.refused(&grant, 5, &now);
        }
        assert_eq!(held_up(&app, &state, &now)[0].code, "app_refused");
    }

    #[test]
    fn settings_that_could_lose_a_token_are_found() {
        let good = Settings {
            version: "3.51.3".to_owned(),
            journal: "wal".to_owned(),
            synchronous: 2,
        };
        let codes = |settings: &Settings| -> Vec<_> {
            let found = super::settings(settings);
            found.iter().map(|finding| finding.code).collect()
        };
        assert_eq!(codes(&good), ["ok"]);
        let bad = Settings {
            version: "3.46.1".to_owned(),
            journal: "delete".to_owned(),
            synchronous: 1,
        };
        assert_eq!(
            codes(&bad),
            ["storage_version", "storage_journal", "storage_synchronous"]
        );
    }
}
