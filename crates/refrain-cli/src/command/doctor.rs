//! `refrain doctor`: finds misconfiguration before a user does.
//!
//! One finding a line. A check looks at one thing and changes nothing; the checks of one subject are in
//! one module, and [`examine`] is the list of them all. What depends on something that is broken is
//! left out, everything else is still looked at.

mod app;
mod configuration;
mod credentials;
mod files;
mod grants;
mod key;
mod network;
mod store;

use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use refrain::{
    config::{Config, Sources},
    time::{Clock, SystemClock},
    transport::HyperTransport,
};
use serde::Serialize;

use crate::{
    args::GlobalArgs,
    output,
    report::{self, Exit, Explanation},
};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
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
    findings.extend(configuration::files(&patient));
    findings.extend(app::check(&patient).await);
    findings.extend(key::check(&patient));
    let (store_findings, rows) = store::check(&patient).await;
    findings.extend(store_findings);
    findings.extend(network::proxies(&patient));
    let (network_findings, reached) = network::check(&patient).await;
    findings.extend(network_findings);
    if reached {
        findings.extend(credentials::check(&patient).await);
    }
    findings.extend(grants::check(&rows, patient.clock.wall()));
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

    fn warn(
        check: &'static str,
        code: &'static str,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            check,
            level: Level::Warn,
            code,
            detail: detail.into(),
            fix: fix.into(),
        }
    }

    fn fail(
        check: &'static str,
        code: &'static str,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Fail,
            ..Self::warn(check, code, detail, fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        let finding = Finding::fail("key", "key_missing", "there is\nnone", "make one");
        let line = anstream::adapter::strip_str(&to_line(&finding)).to_string();
        assert_eq!(line, "fail  key           there is none; fix: make one\n");
        let line = to_line(&Finding::ok("key", "there"));
        assert!(!line.contains("fix"), "{line}");
    }
}
