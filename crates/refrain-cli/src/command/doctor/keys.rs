//! API keys that allow what their grants' scopes do not.

use refrain::{
    access::{KeyRecord, Permission, Standing},
    lifecycle::{GrantRow, Status},
    time::UnixMillis,
};

use super::{Finding, complaint::KEY_SCOPES};

/// What no scope of these has in its name changes nothing at Spotify.
const CHANGES: [&str; 4] = [
    "-modify-",
    "streaming",
    "ugc-image-upload",
    "app-remote-control",
];

pub(super) fn check(keys: &[KeyRecord], rows: &[GrantRow], now: UnixMillis) -> Vec<Finding> {
    let writing = keys.iter().filter(|key| {
        key.standing(now) == Standing::Valid && key.permissions.allows(Permission::Proxy)
    });
    let findings = writing.flat_map(|key| {
        let reached = rows.iter().filter(|row| {
            let signed_out = matches!(row.status, Status::SignedOut { .. });
            !signed_out && key.grants.reach(&row.name) && !changes_something(row)
        });
        reached.map(|row| {
            let detail = format!(
                "the key {} may change things by way of {}, whose scopes let nothing be changed",
                key.name, row.name
            );
            Finding::of("keys", KEY_SCOPES, detail)
        })
    });
    findings.collect()
}

fn changes_something(row: &GrantRow) -> bool {
    let mut scopes = row.scope.iter();
    scopes.any(|scope| CHANGES.iter().any(|part| scope.contains(part)))
}
