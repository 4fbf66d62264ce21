//! The apps: what can be judged without asking Spotify.

use refrain::{
    config::App,
    oauth::client::ClientAuth,
    provider::spotify::{self, DASHBOARD_URL, SCOPES},
};

use super::{Finding, Patient};
use crate::{
    callback::{BindError, CallbackListener},
    command::init::shape,
};

pub(super) async fn check(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    for app in patient.config.apps.values() {
        findings.push(client_id(app));
        findings.extend(client_secret(app));
        findings.push(redirect(app));
        findings.extend(port(app).await);
        findings.push(scopes(app));
    }
    findings
}

fn client_id(app: &App) -> Finding {
    let name = &app.name;
    match shape::client_id(app.client.id.as_str()) {
        Ok(_) => Finding::ok("client", format!("the client id of {name} looks like one")),
        Err(problem) => Finding::warn(
            "client",
            "client_id_shape",
            format!("the client id of {name}: {problem}"),
            format!("copy it from {DASHBOARD_URL}"),
        ),
    }
}

fn client_secret(app: &App) -> Option<Finding> {
    let name = &app.name;
    let ClientAuth::SecretBasic(secret) = &app.client.auth else {
        return None;
    };
    let problem = match shape::client_secret(secret.expose()) {
        Err(problem) => problem,
        Ok(_) if secret.expose() == app.client.id.as_str() => shape::Problem::SameAsId,
        Ok(_) => {
            let detail = format!("the client secret of {name} looks like one");
            return Some(Finding::ok("client", detail));
        }
    };
    Some(Finding::warn(
        "client",
        "client_secret_shape",
        format!("the client secret of {name}: {problem}"),
        format!("copy it from {DASHBOARD_URL}"),
    ))
}

fn redirect(app: &App) -> Finding {
    let (name, uri) = (&app.name, &app.redirect_uri);
    if let Err(problem) = spotify::check_redirect(uri) {
        return Finding::fail(
            "redirect",
            problem.code(),
            format!("{uri} of {name}: {problem}"),
            "use http://127.0.0.1:4280/callback, here and in Spotify's dashboard",
        );
    }
    if spotify::has_hyphen_bug(uri) {
        return Finding::warn(
            "redirect",
            "redirect_hyphen",
            format!(
                "Spotify is known to refuse loopback paths with a hyphen, such as {uri} of {name}"
            ),
            "use a path without a hyphen, such as /callback, here and in Spotify's dashboard",
        );
    }
    Finding::ok(
        "redirect",
        format!("{uri} of {name} is legal; it must stand in the dashboard exactly so"),
    )
}

/// Whether a login could listen there now.
async fn port(app: &App) -> Option<Finding> {
    spotify::check_redirect(&app.redirect_uri).ok()?;
    match CallbackListener::bind(&app.redirect_uri).await {
        Ok(listener) => {
            let uri = listener.redirect_uri().clone();
            Some(Finding::ok("port", format!("a login can listen at {uri}")))
        }
        Err(BindError::NotHere { .. }) => Some(Finding::warn(
            "port",
            "redirect_elsewhere",
            format!("{} does not lead to this machine", app.redirect_uri),
            "paste the address that the browser ends on into `refrain login --no-browser`",
        )),
        Err(error @ BindError::InUse { .. }) => Some(Finding::warn(
            "port",
            "port_taken",
            error.to_string(),
            "end that program while you log in, or paste the address that the browser ends on",
        )),
        Err(error @ BindError::Listen { .. }) => Some(Finding::warn(
            "port",
            "port_refused",
            crate::report::with_causes(&error),
            "choose a port above 1023, here and in Spotify's dashboard",
        )),
    }
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
    Finding::warn(
        "scopes",
        "scope_unknown",
        format!(
            "{name} asks for what Spotify does not document: {}",
            unknown.join(", ")
        ),
        "correct the spelling; Spotify shows \"Illegal scope\" for such a login",
    )
}
