//! `refrain doctor`: finds misconfiguration before a user does.
//!
//! One finding a line. A check looks at one thing and changes nothing; the checks of one subject are in
//! one module, and [`examine`] is the list of them all. What depends on something that is broken is
//! left out, everything else is still looked at.
//!
//! What is found may be pasted into an issue: no secret is in it, no client id, no account; the names that
//! people have given to apps, grants and keys are, and paths, redirect URIs and scopes.

mod app;
mod authorization;
mod callback;
mod canary;
pub(crate) mod complaint;
mod configuration;
mod credentials;
mod files;
mod grants;
mod key;
mod keys;
mod leases;
mod network;
mod seats;
mod store;

use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use refrain::{
    config::{App, Config, Sources},
    provider::spotify,
    time::{Clock, SystemClock},
    transport::HyperTransport,
};
use serde::Serialize;

use crate::{
    args::GlobalArgs,
    output,
    report::{self, Exit, Explanation},
};

use self::complaint::Complaint;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Ok,
    Warn,
    Fail,
}

/// One line of the doctor's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// What was looked at.
    check: &'static str,
    level: Level,
    /// Stable; `ok` where nothing is wrong.
    code: &'static str,
    /// Nothing sensitive: the text is meant to be pasted into an issue.
    detail: String,
    /// What to do; empty where nothing is.
    fix: String,
}

/// What is examined.
struct Patient {
    sources: Sources,
    /// The configuration; where it is broken, as much of it as could be read.
    config: Config,
    /// Whether that is all of it.
    whole: bool,
    clock: Arc<dyn Clock>,
    transport: Arc<HyperTransport>,
}

impl Patient {
    /// The apps whose redirect URI is legal by the rules. An illegal one has been told, and there is no use in
    /// looking further.
    fn apps_with_legal_redirect(&self) -> impl Iterator<Item = &App> {
        let apps = self.config.apps.values();
        apps.filter(|app| spotify::check_redirect(&app.redirect_uri).is_ok())
    }
}

pub(super) async fn run(global: &GlobalArgs) -> Result<(), Explanation> {
    let findings = examine(super::sources(global)).await;
    if global.json {
        output::json(&findings)?;
    } else {
        output::text(&findings.iter().map(to_line).collect::<String>())?;
    }
    let failed = findings
        .iter()
        .filter(|finding| finding.level == Level::Fail)
        .count();
    if failed == 0 {
        return Ok(());
    }
    Err(Explanation {
        code: "doctor_failed",
        what: format!("{failed} of {} checks failed", findings.len()),
        safe: "nothing was changed".to_owned(),
        fix: "do what stands beside them, and run `refrain doctor` again".to_owned(),
        retry_at: None,
        exit: Exit::Configuration,
    })
}

/// Every check, in the order in which a person would mend things.
async fn examine(sources: Sources) -> Vec<Finding> {
    let (mut findings, config, whole) = configuration::check(&sources);
    let Some(config) = config else {
        return findings;
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let transport = HyperTransport::new(config.network.clone(), Arc::clone(&clock));
    let patient = Patient {
        sources,
        config,
        whole,
        clock,
        transport: Arc::new(transport),
    };
    let now = patient.clock.wall();
    findings.extend(configuration::files(&patient));
    findings.extend(app::check(&patient));
    findings.extend(callback::check(&patient).await);
    findings.extend(key::check(&patient));
    let (store_findings, inside) = store::check(&patient).await;
    findings.extend(store_findings);
    findings.extend(network::proxies(&patient));
    let (network_findings, reached) = network::check(&patient).await;
    findings.extend(network_findings);
    if reached {
        findings.extend(authorization::check(&patient).await);
        findings.extend(credentials::check(&patient, &inside.gates).await);
    }
    findings.extend(grants::check(&inside.rows, &patient.config.apps, now));
    findings.extend(seats::check(&inside.rows));
    findings.extend(leases::check(&inside.rows, inside.now));
    findings.extend(keys::check(&inside.keys, &inside.rows, now));
    findings
}

fn to_line(finding: &Finding) -> String {
    let (word, colour) = match finding.level {
        Level::Ok => ("ok  ", AnsiColor::Green.on_default()),
        Level::Warn => ("warn", AnsiColor::Yellow.on_default().bold()),
        Level::Fail => ("fail", AnsiColor::Red.on_default().bold()),
    };
    let strong = Style::new().bold();
    let fix = if finding.fix.is_empty() {
        String::new()
    } else {
        format!("; {strong}fix:{strong:#} {}", report::plain(&finding.fix))
    };
    let detail = report::plain(&finding.detail);
    format!(
        "{colour}{word}{colour:#}  {:<13} {detail}{fix}\n",
        finding.check
    )
}

// === impl Finding ===

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Ok,
            code: "ok",
            detail: detail.into(),
            fix: String::new(),
        }
    }

    /// One of the doctor's own.
    fn of(check: &'static str, complaint: Complaint, detail: impl Into<String>) -> Self {
        Self {
            check,
            level: complaint.level,
            code: complaint.code,
            detail: detail.into(),
            fix: complaint.fix.to_owned(),
        }
    }

    /// What the library reports, by its code.
    fn error(
        check: &'static str,
        code: &'static str,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            check,
            level: Level::Fail,
            code,
            detail: detail.into(),
            fix: fix.into(),
        }
    }

    /// The same with what to do in this very case.
    fn by(self, fix: impl Into<String>) -> Self {
        Self {
            fix: fix.into(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use refrain::{
        config::App,
        id::GrantId,
        lifecycle::{
            GrantRow, Status,
            row::{Account, Consent},
        },
        random::SystemRandom,
        time::UnixMillis,
    };

    use super::*;

    pub(super) const NOW: UnixMillis = UnixMillis(1_795_000_000_000);

    /// An app of the configuration, with this secret.
    pub(super) fn app(secret: &str) -> App {
        let env = [
            ("REFRAIN_APPS_DEFAULT_CLIENT_ID", "0123456789abcdef"),
            ("REFRAIN_APPS_DEFAULT_CLIENT_SECRET", secret),
            ("REFRAIN_APPS_DEFAULT_SCOPES", "user-read-private"),
        ];
        let sources = Sources {
            env: env.map(|(name, value)| (name.into(), value.into())).into(),
            home: Some("/nowhere".into()),
            ..Sources::default()
        };
        let config = Config::load_from(&sources).unwrap();
        config.apps.into_values().next().unwrap()
    }

    /// A grant of that app's that works.
    pub(super) fn row(name: &str) -> GrantRow {
        GrantRow {
            status: Status::Active,
            scope: "user-read-private".parse().unwrap(),
            consent: Some(Consent {
                authorized_at: NOW,
                reauthorize_by: NOW.after(std::time::Duration::from_hours(4000)),
                latest: None,
            }),
            account: Some(Account {
                id: name.to_owned(),
                display_name: None,
            }),
            ..GrantRow::blank(
                GrantId::random(&SystemRandom).unwrap(),
                name.parse().unwrap(),
                "default".parse().unwrap(),
                "0123456789abcdef".parse().unwrap(),
                NOW,
            )
        }
    }

    #[test]
    fn a_finding_is_one_line() {
        let finding = Finding::error("key", "key_missing", "there is\nnone", "make one");
        let line = anstream::adapter::strip_str(&to_line(&finding)).to_string();
        assert_eq!(line, "fail  key           there is none; fix: make one\n");
        let line = to_line(&Finding::ok("key", "there"));
        assert!(!line.contains("fix"), "{line}");
    }
}
