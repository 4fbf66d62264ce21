//! The master key. Whether it is the store's is asked where the store is.

use std::path::Path;

use refrain::{
    config::{KeySource, StoreLocation},
    seal::{KeyFileError, Keyring},
};

use super::{Finding, Patient, files};
use crate::report;

const CHECK: &str = "key";

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
    Some(Finding::warn(
        CHECK,
        "key_old",
        format!("{} still holds the old key {id}", path.display()),
        format!("{when} `refrain sealing rotate`, which removes it"),
    ))
}

fn broken(error: &KeyFileError) -> Finding {
    Finding::fail(CHECK, error.code(), report::with_causes(error), error.fix())
}

fn has_no_store(patient: &Patient) -> bool {
    matches!(&patient.config.store, StoreLocation::Sqlite(path) if !path.exists())
}
