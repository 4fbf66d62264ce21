//! The store: its files, its settings, and whether the key is the right one.

use std::{ffi::OsString, path::Path, path::PathBuf, sync::Arc};

use refrain::{
    config::{PostgresUrl, StoreLocation},
    id::AppName,
    lifecycle::{GrantRow, app::AppState},
    limit::{Gate, Kind},
    seal::{Keyring, SealError, Sealer},
    store::{
        Identity, Store, StoreError,
        postgres::PostgresStore,
        sqlite::{Settings, SqliteStore},
    },
    time::{Deadline, Moment},
    words,
};

use super::{Finding, Patient, files};
use crate::{command::limit, report};

const CHECK: &str = "store";
/// So many grants are looked at; a store with more has other means of watching them.
const GRANTS: u32 = 1000;
/// Older ones can destroy a write-ahead log that several processes write (sqlite.org/wal.html).
const OLDEST: [u32; 3] = [3, 51, 3];

/// The findings, and the grants where they could be read.
pub(super) async fn check(patient: &Patient) -> (Vec<Finding>, Vec<GrantRow>) {
    let mut findings = Vec::new();
    let rows = match &patient.config.store {
        StoreLocation::Sqlite(path) => in_file(patient, path, &mut findings).await,
        StoreLocation::Postgres(url) => on_server(patient, url, &mut findings).await,
        _ => return (Vec::new(), Vec::new()),
    };
    // Opening it is also what refuses a network file system, or a server that forgets.
    let rows = rows.unwrap_or_else(|error| {
        findings.push(broken(&error));
        Vec::new()
    });
    (findings, rows)
}

async fn in_file(
    patient: &Patient,
    path: &Path,
    findings: &mut Vec<Finding>,
) -> Result<Vec<GrantRow>, StoreError> {
    if !path.exists() {
        let detail = format!("{} is made on first use", path.display());
        findings.push(Finding::ok(CHECK, detail));
        return Ok(Vec::new());
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
) -> Result<Vec<GrantRow>, StoreError> {
    let store = PostgresStore::open(url, patient.clock.as_ref(), None).await?;
    let settings = store.settings().await?;
    let (major, minor) = (settings.version / 10_000, settings.version % 10_000);
    let commit = &settings.synchronous_commit;
    findings.push(Finding::ok(
        CHECK,
        format!("PostgreSQL {major}.{minor}, synchronous_commit is {commit}"),
    ));
    if settings.in_recovery {
        findings.push(Finding::fail(
            CHECK,
            "storage_read_only",
            format!(
                "{} follows another server and takes no writes",
                store.place()
            ),
            "let `store` name the server that it follows",
        ));
    }
    look_inside(patient, &store, findings).await
}

async fn look_inside(
    patient: &Patient,
    store: &dyn Store,
    findings: &mut Vec<Finding>,
) -> Result<Vec<GrantRow>, StoreError> {
    let Some(identity) = store.identity().await? else {
        findings.push(Finding::ok(CHECK, "it is empty"));
        return Ok(Vec::new());
    };
    let Some(right) = right_key(patient, &identity) else {
        return Ok(Vec::new());
    };
    let is_right = right.code == "ok";
    findings.push(right);
    if !is_right {
        return Ok(Vec::new());
    }
    // A store of an older refrain gets its new layout, as by any other command.
    store.prepare().await?;
    for app in patient.config.apps.keys() {
        let state = store.app_state(app).await?.value;
        findings.extend(held_up(app, &state, &patient.clock.now()));
    }
    let gates = store.limits().await?.into_iter().map(|gate| gate.value);
    findings.extend(limited(gates.collect(), &patient.clock.now()));
    let rows = store.grants(None, GRANTS).await?;
    Ok(rows.into_iter().map(|row| row.value).collect())
}

/// What keeps all grants of an app from being refreshed at the moment.
fn held_up(app: &AppName, state: &AppState, now: &Moment) -> Vec<Finding> {
    let until = |deadline: Deadline| now.wall.after(deadline.remaining(now));
    let throttled = state
        .throttled
        .filter(|deadline| !deadline.passed(now))
        .map(|deadline| {
            let detail = format!("Spotify wants {app} to wait until {}", until(deadline));
            let fix = "wait; a token that still works is served meanwhile";
            Finding::warn("limit", "app_throttled", detail, fix)
        });
    let refusing = state.open_breaker(now).map(|breaker| {
        let since = breaker.since;
        let detail =
            format!("Spotify refuses many grants of {app} since {since}; nobody is condemned");
        let fix = format!(
            "wait; one grant asks again at {}",
            until(breaker.next_canary)
        );
        Finding::warn("limit", "app_refused", detail, fix)
    });
    throttled.into_iter().chain(refusing).collect()
}

/// What keeps requests from being sent at the moment.
fn limited(gates: Vec<Gate>, now: &Moment) -> Vec<Finding> {
    let gates = limit::closed(gates, now).into_iter();
    let findings = gates.map(|gate| {
        let code = match gate.kind() {
            Kind::Rate => "api_rate_limited",
            Kind::Quota => "api_quota_exceeded",
        };
        let (detail, fix) = (
            words::limit::sentence(&gate, now),
            words::limit::advice(gate.kind()),
        );
        Finding::warn("limit", code, detail, fix)
    });
    findings.collect()
}

/// Whether the key file holds the key of this store; what is wrong with the file is told elsewhere.
fn right_key(patient: &Patient, identity: &Identity) -> Option<Finding> {
    let path = patient.config.sealing.key.path();
    let keyring = Keyring::read(path).ok()?;
    let opened = Sealer::open(keyring, identity.deployment, &identity.key_check);
    Some(match opened {
        Ok(_) => Finding::ok("key", "it is the key of this store"),
        Err(SealError::UnknownKey { expected }) => Finding::fail(
            "key",
            "key_wrong",
            format!(
                "the store needs master key {expected}, and {} has another",
                path.display()
            ),
            format!("put the file with key {expected} back, or point sealing.key_file at it"),
        ),
        Err(error) => Finding::fail(
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
        findings.push(Finding::fail(
            CHECK,
            "storage_version",
            format!("SQLite {version} can damage a store that several processes write"),
            "use a refrain with SQLite 3.51.3 or newer",
        ));
    }
    if journal != "wal" {
        findings.push(Finding::fail(
            CHECK,
            "storage_journal",
            format!("the journal mode is {journal} and not wal"),
            "put the store on a local file system that has shared memory",
        ));
    }
    if *synchronous != 2 {
        findings.push(Finding::fail(
            CHECK,
            "storage_synchronous",
            format!(
                "synchronous is {synchronous} and not 2 (FULL): a power cut could lose a token"
            ),
            "use refrain's own settings",
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
    Finding::fail(CHECK, error.code(), report::with_causes(error), fix)
}

#[cfg(test)]
mod tests {
    use super::*;

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
