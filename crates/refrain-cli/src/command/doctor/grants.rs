//! The grants: who has to log in, and who soon.

use refrain::{
    lifecycle::{GrantRow, Status},
    time::UnixMillis,
    words,
};

use super::Finding;

const CHECK: &str = "grants";
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
        Status::Suspect(suspicion) if suspicion.restored => Some(Finding::warn(
            CHECK,
            "grant_restored",
            format!(
                "{name} is from a backup (restored {}), and Spotify may have replaced its token since",
                suspicion.since
            ),
            format!("try it: refrain refresh {name}"),
        )),
        Status::Suspect(suspicion) if suspicion.imported => Some(Finding::warn(
            CHECK,
            "grant_imported",
            format!(
                "{name} was imported at {}, and Spotify has not accepted its token here yet",
                suspicion.since
            ),
            format!("try it: refrain refresh {name}"),
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
    let days = by.days_since(now);
    if let Some(end) = consent.reauthorize_by_latest().filter(|end| *end > now) {
        let detail = format!(
            "{name} was imported, and nobody knows when its user consented: that ends between {by} and {end}"
        );
        return if days < 30 {
            Finding::warn(CHECK, "grant_consent_unknown", detail, fix)
        } else {
            Finding::ok(CHECK, detail)
        };
    }
    if now >= consent.end() {
        let detail = format!("the consent of {name} ended at {}", consent.end());
        return Finding::warn(CHECK, "grant_consent_over", detail, fix);
    }
    let left = words::count(days, "day");
    let soon = match days {
        0 => "a day",
        1..7 => "a week",
        7..30 => "a month",
        _ => {
            let detail = format!("{name} is active; its consent lasts {left}");
            return Finding::ok(CHECK, detail);
        }
    };
    let detail = format!("the consent of {name} ends within {soon} ({left} left), at {by}");
    Finding::warn(CHECK, "grant_reauthorize_soon", detail, fix)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use refrain::{
        id::GrantId,
        lifecycle::row::{Consent, Reason},
        random::SystemRandom,
    };

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_000_000_000);

    fn row(hours_left: u64) -> GrantRow {
        GrantRow {
            status: Status::Active,
            consent: Some(Consent {
                authorized_at: NOW,
                reauthorize_by: NOW.after(Duration::from_secs(hours_left * 3600)),
                latest: None,
            }),
            ..GrantRow::blank(
                GrantId::random(&SystemRandom).unwrap(),
                "alice".parse().unwrap(),
                "default".parse().unwrap(),
                "x".parse().unwrap(),
                NOW,
            )
        }
    }

    #[test]
    fn the_day_of_the_next_consent_is_told_in_time() {
        for (hours, code, part) in [
            (31 * 24, "ok", "31 days"),
            (30 * 24, "ok", "30 days"),
            (29 * 24, "grant_reauthorize_soon", "within a month (29 days"),
            (6 * 24, "grant_reauthorize_soon", "within a week (6 days"),
            (23, "grant_reauthorize_soon", "within a day"),
            (0, "grant_consent_over", "ended at"),
        ] {
            let found = check(&[row(hours)], NOW);
            assert_eq!(found[0].code, code, "{hours}");
            assert!(found[0].detail.contains(part), "{}", found[0].detail);
        }
    }

    #[test]
    fn the_day_that_nobody_knows_is_told_as_two() {
        let mut row = row(1000);
        let unknown = Consent::between(refrain::lifecycle::row::Bounds::default(), NOW);
        row.consent = Some(unknown);
        let found = check(&[row.clone()], NOW);
        assert_eq!(found[0].code, "grant_consent_unknown");
        assert!(
            found[0]
                .detail
                .contains("between 2026-11-18T11:06:40Z and 2027-05-18T11:06:40Z"),
            "{}",
            found[0].detail
        );
        // Known to a day that is far off, nobody has to do anything yet; and in the end it is over.
        let after = Some(NOW.before(Duration::from_secs(86_400)));
        let bounds = refrain::lifecycle::row::Bounds {
            after,
            before: None,
        };
        row.consent = Some(Consent::between(bounds, NOW));
        assert_eq!(check(&[row.clone()], NOW)[0].code, "ok");
        let over = NOW.after(Duration::from_secs(190 * 86_400));
        assert_eq!(check(&[row], over)[0].code, "grant_consent_over");
    }

    #[test]
    fn who_has_to_log_in_is_a_failure_and_who_has_left_is_none() {
        let mut row = row(1000);
        row.status = Status::Reauthorize {
            reason: Reason::Revoked,
            since: NOW,
        };
        let found = check(&[row.clone()], NOW);
        assert_eq!(found[0].code, "grant_reauthorize");
        assert!(found[0].fix.contains("refrain login alice"));
        row.status = Status::SignedOut { since: NOW };
        assert_eq!(check(&[row], NOW), []);
    }
}
