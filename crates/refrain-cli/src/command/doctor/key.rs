//! The master key. Whether it is the store's is asked where the store is.

use std::{
    fs,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use refrain::{
    config::{KeySource, StoreLocation},
    seal::{KeyFileError, Keyring},
    time::UnixMillis,
    words,
};

use super::{
    Finding, Patient,
    complaint::{KEY_AGE, KEY_OLD},
    files,
};
use crate::report;

const CHECK: &str = "key";
/// After this long a key may have been copied more often than anybody remembers.
const OLD: Duration = Duration::from_secs(366 * 24 * 3600);

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let key = &patient.config.sealing.key;
    let path = key.path();
    match Keyring::read(path) {
        Ok(keyring) => {
            let id = keyring.newest().id();
            let mut findings = vec![Finding::ok(
                CHECK,
                format!("{} holds master key {id}", path.display()),
            )];
            findings.extend(old_keys(&keyring, path));
            findings.extend(age(path, patient.clock.wall()));
            if let (KeySource::File(_), Some(folder)) = (key, path.parent()) {
                findings.push(files::private_folder(CHECK, folder));
            }
            findings
        }
        Err(error @ KeyFileError::Missing { .. }) if has_no_store(patient) => {
            vec![match key {
                KeySource::File(_) => {
                    Finding::ok(CHECK, format!("{} is made on first use", path.display()))
                }
                KeySource::Credential(_) => broken(&error),
            }]
        }
        Err(error) => vec![broken(&error)],
    }
}

/// A rotation that has not come to its end, or waits for another run.
fn old_keys(keyring: &Keyring, path: &Path) -> Option<Finding> {
    let old = keyring.old();
    let id = old.first()?;
    let when = match keyring.old_until() {
        Some(until) => format!("after {until} run"),
        None => "run".to_owned(),
    };
    let detail = format!("{} still holds the old key {id}", path.display());
    let fix = format!("{when} `refrain sealing rotate`, which removes it");
    Some(Finding::of(CHECK, KEY_OLD, detail).by(fix))
}

/// How long the key has been what it is: its file is written when it is made and when it is replaced.
fn age(path: &Path, now: UnixMillis) -> Option<Finding> {
    let written = fs::metadata(path).and_then(|it| it.modified()).ok()?;
    let since = written.duration_since(UNIX_EPOCH).ok()?.as_millis();
    let age = now.since(UnixMillis(i64::try_from(since).ok()?));
    (age > OLD).then(|| {
        let detail = format!(
            "the master key in {} has been the same for {}",
            path.display(),
            words::long(age)
        );
        Finding::of(CHECK, KEY_AGE, detail)
    })
}

fn broken(error: &KeyFileError) -> Finding {
    Finding::error(CHECK, error.code(), report::with_causes(error), error.fix())
}

fn has_no_store(patient: &Patient) -> bool {
    matches!(&patient.config.store, StoreLocation::Sqlite(path) if !path.exists())
}
