//! The users of an app: in development mode Spotify serves five, and tells nobody which mode an app is in.

use std::collections::{BTreeMap, BTreeSet};

use refrain::{
    id::AppName,
    lifecycle::{GrantRow, Status},
};

use super::{Finding, complaint::APP_SEATS};

/// So many users an app in development mode serves (Spotify's page on quota modes, 2026).
const SEATS: usize = 5;

pub(super) fn check(rows: &[GrantRow]) -> Vec<Finding> {
    let mut users: BTreeMap<&AppName, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        let signed_out = matches!(row.status, Status::SignedOut { .. });
        if let Some(account) = row.account.as_ref().filter(|_| !signed_out) {
            users.entry(&row.app).or_default().insert(&account.id);
        }
    }
    let findings = users.into_iter().map(|(app, users)| {
        let number = users.len();
        if number > SEATS {
            let detail = format!("{number} Spotify accounts use {app}; in development mode it serves {SEATS}");
            return Finding::of("seats", APP_SEATS, detail);
        }
        Finding::ok("seats", format!("{number} of the {SEATS} seats of {app} are taken here, if it is in development mode"))
    });
    findings.collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::row, *};

    #[test]
    fn a_sixth_user_is_one_too_many_and_a_second_grant_of_one_is_none() {
        let mut rows: Vec<_> = ["a", "b", "c", "d", "e"].map(row).into();
        rows.push(GrantRow {
            account: rows[0].account.clone(),
            ..row("again")
        });
        let code = |rows: &[GrantRow]| check(rows)[0].code;
        assert_eq!(code(&rows), "ok");
        rows.push(row("f"));
        assert_eq!(code(&rows), "app_seats");
        assert!(check(&[]).is_empty());
    }
}
