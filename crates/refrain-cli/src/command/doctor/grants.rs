//! The grants: who has to log in, and who soon.

use refrain::{
    lifecycle::{GrantRow, Status},
    time::UnixMillis,
};

use super::Finding;
use crate::command::words;

const CHECK: &str = "grants";
/// When to remind, in days before the consent ends.
const REMINDERS: [u64; 3] = [1, 7, 30];

pub(super) fn check(rows: &[GrantRow], now: UnixMillis) -> Vec<Finding> {
    rows.iter().filter_map(|row| of(row, now)).collect()
}

fn of(row: &GrantRow, now: UnixMillis) -> Option<Finding> {
    let name = &row.name;
    let fix = format!("run `refrain login {name}`");
    match &row.status {
        Status::SignedOut { .. } => None,
        Status::Reauthorize { reason, since } => Some(Finding::fail(
            CHECK,
            "grant_reauthorize",
            format!("{name} needs a new login since {since} ({})", reason.word()),
            fix,
        )),
        Status::Suspect(suspicion) => Some(Finding::warn(
            CHECK,
            "grant_suspect",
            format!(
                "{name} was refused at {}, earlier than it should, and is asked again",
                suspicion.since
            ),
            format!("wait, or ask now: refrain refresh {name}"),
        )),
        Status::Active => Some(active(row, now, fix)),
    }
}

fn active(row: &GrantRow, now: UnixMillis, fix: String) -> Finding {
    let name = &row.name;
    let Some(consent) = &row.consent else {
        return Finding::ok(CHECK, format!("{name} is active"));
    };
    let by = consent.reauthorize_by;
    let days = words::days_left(by, now);
    if now >= by {
        let detail = format!("the consent of {name} ended at {by}");
        return Finding::warn(CHECK, "grant_consent_over", detail, fix);
    }
    let left = words::count(days, "day");
    if REMINDERS.iter().any(|reminder| days < *reminder) {
        let detail = format!("the consent of {name} ends in {left}, at {by}");
        return Finding::warn(CHECK, "grant_reauthorize_soon", detail, fix);
    }
    Finding::ok(CHECK, format!("{name} is active; its consent lasts {left}"))
}
