//! The grants: who has to log in, and who soon; and what their rows say of others that use their tokens.

use std::collections::BTreeMap;

use refrain::{
    config::App,
    id::AppName,
    lifecycle::{
        GrantRow, Status,
        row::{Reason, Trouble},
    },
    time::UnixMillis,
    words,
};

use super::{
    Finding,
    complaint::{
        GRANT_APP_UNKNOWN, GRANT_CONSENT_OVER, GRANT_CONSENT_UNKNOWN, GRANT_IMPORTED,
        GRANT_REAUTHORIZE, GRANT_REAUTHORIZE_SOON, GRANT_RESTORED, GRANT_SCOPES, GRANT_SUSPECT,
        GRANT_TROUBLE, TOKEN_TWO_OWNERS,
    },
};

const CHECK: &str = "grants";

pub(super) fn check(
    rows: &[GrantRow],
    apps: &BTreeMap<AppName, App>,
    now: UnixMillis,
) -> Vec<Finding> {
    let there = rows
        .iter()
        .filter(|row| !matches!(row.status, Status::SignedOut { .. }));
    let findings = there.flat_map(|row| {
        let standing = standing(row, now);
        let of_app = of_app(row, apps);
        let more = [
            two_owners(row),
            row.trouble.as_ref().map(|it| trouble(row, it)),
        ];
        standing
            .into_iter()
            .chain(of_app)
            .chain(more.into_iter().flatten())
    });
    findings.collect()
}

fn standing(row: &GrantRow, now: UnixMillis) -> Option<Finding> {
    let name = &row.name;
    match &row.status {
        Status::SignedOut { .. } => None,
        Status::Reauthorize { reason, since } => {
            let detail = format!("{name} needs a new login since {since} ({})", reason.word());
            Some(Finding::of(CHECK, GRANT_REAUTHORIZE, detail).by(login(row)))
        }
        Status::Suspect(suspicion) if suspicion.restored => {
            let detail = format!(
                "{name} is from a backup (restored {}), and Spotify may have replaced its token since",
                suspicion.since
            );
            let fix = format!("try it: refrain refresh {name}");
            Some(Finding::of(CHECK, GRANT_RESTORED, detail).by(fix))
        }
        Status::Suspect(suspicion) if suspicion.imported => {
            let detail = format!(
                "{name} was imported at {}, and Spotify has not accepted its token here yet",
                suspicion.since
            );
            let fix = format!("try it: refrain refresh {name}");
            Some(Finding::of(CHECK, GRANT_IMPORTED, detail).by(fix))
        }
        Status::Suspect(suspicion) => {
            let detail = format!(
                "{name} was refused at {}, earlier than it should, and is asked again",
                suspicion.since
            );
            let fix = format!("wait, or ask now: refrain refresh {name}");
            Some(Finding::of(CHECK, GRANT_SUSPECT, detail).by(fix))
        }
        Status::Active => Some(active(row, now)),
    }
}

fn active(row: &GrantRow, now: UnixMillis) -> Finding {
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
        if days < 30 {
            return Finding::of(CHECK, GRANT_CONSENT_UNKNOWN, detail).by(login(row));
        }
        return Finding::ok(CHECK, detail);
    }
    if now >= consent.end() {
        let detail = format!("the consent of {name} ended at {}", consent.end());
        return Finding::of(CHECK, GRANT_CONSENT_OVER, detail).by(login(row));
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
    Finding::of(CHECK, GRANT_REAUTHORIZE_SOON, detail).by(login(row))
}

/// What the configuration has become since the login.
fn of_app(row: &GrantRow, apps: &BTreeMap<AppName, App>) -> Option<Finding> {
    let (name, app) = (&row.name, &row.app);
    let Some(app) = apps.get(app) else {
        let detail =
            format!("{name} belongs to the app {app}, which the configuration does not have");
        return Some(Finding::of(CHECK, GRANT_APP_UNKNOWN, detail));
    };
    if app.client.id != row.client_id {
        let detail = format!(
            "{name} belongs to another client id than {} has now",
            app.name
        );
        let fix = format!(
            "put the old client id back, or log in with the new one: `refrain login {name}`"
        );
        return Some(Finding::error(CHECK, "client_changed", detail, fix));
    }
    let missing = app.scopes.missing_from(&row.scope);
    (!missing.is_empty()).then(|| {
        let detail = format!("{name} lacks what {} asks for: {missing}", app.name);
        Finding::of(CHECK, GRANT_SCOPES, detail).by(login(row))
    })
}

/// Refused early, a token that is replaced with each use: whoever else has used it has the next one. An
/// answer that is known to be missing explains that better, and is another reason.
fn two_owners(row: &GrantRow) -> Option<Finding> {
    let early = match &row.status {
        Status::Suspect(suspicion) => !suspicion.restored && !suspicion.imported,
        Status::Reauthorize { reason, .. } => *reason == Reason::Revoked,
        Status::Active | Status::SignedOut { .. } => false,
    };
    let rotates = row.generation.0 > 0;
    (early && rotates && row.unanswered.is_none()).then(|| {
        let name = &row.name;
        let detail = format!(
            "Spotify has replaced the refresh token of {name} here, and now refuses the newest one: perhaps \
             another program uses the same authorization, a copy of this store among them, or the user \
             took the consent back or has a new password"
        );
        let fix = format!(
            "if another program has it, end that one and give it a login of its own; then run `refrain login \
             {name}`"
        );
        Finding::of(CHECK, TOKEN_TWO_OWNERS, detail).by(fix)
    })
}

fn trouble(row: &GrantRow, trouble: &Trouble) -> Finding {
    let why = match trouble.http_status {
        Some(status) => format!("HTTP {status}"),
        None => "no answer".to_owned(),
    };
    let times = words::count(u64::from(trouble.failures), "refresh");
    let detail = format!(
        "Spotify's token endpoint has been failing {} since {} ({why} last, {times} in a row)",
        row.name, trouble.since
    );
    Finding::of(CHECK, GRANT_TROUBLE, detail)
}

fn login(row: &GrantRow) -> String {
    format!("run `refrain login {}`", row.name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use refrain::{
        id::Generation,
        lifecycle::row::{Consent, Suspicion},
        time::{BootId, Deadline, Moment, Uptime},
    };

    use super::{
        super::tests::{NOW, app, row},
        *,
    };

    fn found(row: &GrantRow) -> Vec<Finding> {
        let app = app("secret");
        let apps = BTreeMap::from([(app.name.clone(), app)]);
        check(std::slice::from_ref(row), &apps, NOW)
    }

    fn codes(row: &GrantRow) -> Vec<&'static str> {
        found(row).iter().map(|finding| finding.code).collect()
    }

    /// Refused once.
    fn suspicion() -> Suspicion {
        let now = Moment {
            wall: NOW,
            uptime: Uptime(0),
            boot: BootId(1),
        };
        Suspicion {
            since: NOW,
            refusals: 1,
            next_probe: Deadline::after(&now, Duration::from_secs(900)),
            restored: false,
            imported: false,
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
            let row = GrantRow {
                consent: Some(Consent {
                    authorized_at: NOW,
                    reauthorize_by: NOW.after(Duration::from_hours(hours)),
                    latest: None,
                }),
                ..row("alice")
            };
            let found = found(&row);
            assert_eq!(found[0].code, code, "{hours}");
            assert!(found[0].detail.contains(part), "{}", found[0].detail);
        }
    }

    #[test]
    fn the_day_that_nobody_knows_is_told_as_two() {
        let mut row = row("alice");
        let unknown = Consent::between(refrain::lifecycle::row::Bounds::default(), NOW);
        row.consent = Some(unknown);
        let told = found(&row);
        assert_eq!(told[0].code, "grant_consent_unknown");
        let days = "between 2026-11-18T11:06:40Z and 2027-05-18T11:06:40Z";
        assert!(told[0].detail.contains(days), "{}", told[0].detail);
        // Known to a day that is far off, nobody has to do anything yet; and in the end it is over.
        let after = Some(NOW.before(Duration::from_secs(86_400)));
        let bounds = refrain::lifecycle::row::Bounds {
            after,
            before: None,
        };
        row.consent = Some(Consent::between(bounds, NOW));
        assert_eq!(found(&row)[0].code, "ok");
        let over = NOW.after(Duration::from_secs(190 * 86_400));
        assert_eq!(standing(&row, over).unwrap().code, "grant_consent_over");
    }

    #[test]
    fn who_has_to_log_in_is_a_failure_and_who_has_left_is_none() {
        let mut row = row("alice");
        row.status = Status::Reauthorize {
            reason: Reason::Revoked,
            since: NOW,
        };
        let told = found(&row);
        assert_eq!(codes(&row), ["grant_reauthorize"]);
        assert!(told[0].fix.contains("refrain login alice"));
        row.status = Status::SignedOut { since: NOW };
        assert_eq!(found(&row), []);
    }

    #[test]
    fn another_owner_of_the_token_is_suspected_where_it_rotates_and_nothing_else_explains_it() {
        let mut row = row("alice");
        row.status = Status::Suspect(suspicion());
        assert_eq!(codes(&row), ["grant_suspect"]);
        row.generation = Generation(3);
        assert_eq!(codes(&row), ["grant_suspect", "token_two_owners"]);
        row.status = Status::Reauthorize {
            reason: Reason::Expired,
            since: NOW,
        };
        assert_eq!(codes(&row), ["grant_reauthorize"]);
    }

    #[test]
    fn a_token_from_elsewhere_waits_for_a_person() {
        let mut row = row("alice");
        row.status = Status::Suspect(Suspicion {
            restored: true,
            ..suspicion()
        });
        row.generation = Generation(3);
        assert_eq!(codes(&row), ["grant_restored"]);
        row.status = Status::Suspect(Suspicion {
            imported: true,
            ..suspicion()
        });
        assert_eq!(codes(&row), ["grant_imported"]);
    }

    #[test]
    fn the_last_fault_is_told() {
        let mut row = row("alice");
        row.trouble = Some(Trouble {
            since: NOW,
            failures: 2,
            retry: suspicion().next_probe,
            http_status: Some(503),
        });
        let told = found(&row);
        assert_eq!(codes(&row), ["ok", "grant_trouble"]);
        assert!(told[1].detail.contains("HTTP 503"), "{}", told[1].detail);
    }
}
