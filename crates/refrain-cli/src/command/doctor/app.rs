//! The apps: what can be judged without asking Spotify.

use refrain::{
    config::App,
    oauth::client::ClientAuth,
    provider::spotify::{self, SCOPES},
};

use super::{
    Finding, Patient,
    complaint::{
        CLIENT_ID_SHAPE, CLIENT_SECRET_SHAPE, REDIRECT_HYPHEN, REDIRECT_SPELLING, SCOPE_UNKNOWN,
    },
};
use crate::command::init::shape;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    for app in patient.config.apps.values() {
        findings.push(client_id(app));
        findings.extend(client_secret(app));
        findings.push(redirect(app));
        findings.push(scopes(app));
    }
    findings
}

fn client_id(app: &App) -> Finding {
    let name = &app.name;
    match shape::client_id(app.client.id.as_str()).and_then(|id| alone(app.client.id.as_str(), id))
    {
        Ok(()) => Finding::ok("client", format!("the client id of {name} looks like one")),
        Err(problem) => Finding::of(
            "client",
            CLIENT_ID_SHAPE,
            format!("the client id of {name}: {problem}"),
        ),
    }
}

fn client_secret(app: &App) -> Option<Finding> {
    let name = &app.name;
    let ClientAuth::SecretBasic(secret) = &app.client.auth else {
        return None;
    };
    let text = secret.expose();
    let problem = match shape::client_secret(text).and_then(|secret| alone(text, secret)) {
        Err(problem) => problem,
        Ok(()) if text == app.client.id.as_str() => shape::Problem::SameAsId,
        Ok(()) => {
            let detail = format!("the client secret of {name} looks like one");
            return Some(Finding::ok("client", detail));
        }
    };
    Some(Finding::of(
        "client",
        CLIENT_SECRET_SHAPE,
        format!("the client secret of {name}: {problem}"),
    ))
}

/// Whether nothing stands around it: what `init` takes off is sent from here.
fn alone(text: &str, value: &str) -> Result<(), shape::Problem> {
    if text == value {
        Ok(())
    } else {
        Err(shape::Problem::Quoted)
    }
}

fn redirect(app: &App) -> Finding {
    let (name, uri) = (&app.name, &app.redirect_uri);
    if let Err(problem) = spotify::check_redirect(uri) {
        return Finding::error(
            "redirect",
            problem.code(),
            format!("{uri} of {name}: {problem}"),
            "use http://127.0.0.1:4280/callback, here and in Spotify's dashboard",
        );
    }
    if spotify::has_hyphen_bug(uri) {
        let detail = format!(
            "Spotify is known to refuse loopback paths with a hyphen, such as {uri} of {name}"
        );
        return Finding::of("redirect", REDIRECT_HYPHEN, detail);
    }
    let by_browsers = uri.url().as_str();
    if by_browsers != uri.as_str() {
        let detail = format!("{uri} of {name} is sent so, and browsers come back to {by_browsers}");
        return Finding::of("redirect", REDIRECT_SPELLING, detail);
    }
    Finding::ok(
        "redirect",
        format!("{uri} of {name} is legal; it must stand in the dashboard exactly so"),
    )
}

fn scopes(app: &App) -> Finding {
    let name = &app.name;
    let unknown: Vec<_> = app
        .scopes
        .iter()
        .filter(|scope| !SCOPES.contains(scope))
        .collect();
    if unknown.is_empty() {
        let number = u64::try_from(app.scopes.iter().count()).unwrap_or(u64::MAX);
        let number = refrain::words::count(number, "scope");
        return Finding::ok("scopes", format!("{name} asks for {number}, all known"));
    }
    let detail = format!(
        "{name} asks for what Spotify does not document: {}",
        unknown.join(", ")
    );
    Finding::of("scopes", SCOPE_UNKNOWN, detail)
}
