//! Whether Spotify's authorization page takes what a login would ask for: client id, redirect URI, scopes.
//!
//! The page is asked as a browser would in which nobody is signed in, so that nobody can consent. What it
//! says it says to everybody; that it says no only behind the sign-in cannot be seen from here.

use http::{HeaderMap, Method, StatusCode, header};
use refrain::{
    config::{App, Server},
    oauth::{
        authorization::AuthorizationRequest,
        pkce,
        transport::{Answer, Request, Transport as _},
    },
    provider::AUTHORIZE_PATH,
    random::SystemRandom,
};
use zeroize::Zeroizing;

use super::{
    Finding, Patient,
    complaint::{
        AUTHORIZE_REFUSED, AUTHORIZE_UNCLEAR, CLIENT_UNKNOWN, Complaint, REDIRECT_REFUSED,
        REDIRECT_UNREGISTERED, SCOPE_REFUSED,
    },
};
use crate::report;

const CHECK: &str = "authorization";
/// What the page says, and what that is.
const SAYINGS: [(&str, Complaint); 8] = [
    ("Invalid redirect URI", REDIRECT_UNREGISTERED),
    (
        "redirect_uri: Not matching configuration",
        REDIRECT_UNREGISTERED,
    ),
    ("Illegal redirect_uri", REDIRECT_REFUSED),
    ("Insecure redirect URI", REDIRECT_REFUSED),
    ("Failed to get client", CLIENT_UNKNOWN),
    ("INVALID_CLIENT: Invalid client", CLIENT_UNKNOWN),
    ("Illegal scope", SCOPE_REFUSED),
    ("INVALID_SCOPE", SCOPE_REFUSED),
];

pub(super) async fn check(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    for app in patient.apps_with_legal_redirect() {
        findings.push(of(patient, app).await);
    }
    findings
}

async fn of(patient: &Patient, app: &App) -> Finding {
    match ask(patient, app).await {
        Ok(answer) => judge(app, &answer),
        Err(why) => Finding::of(CHECK, AUTHORIZE_UNCLEAR, why),
    }
}

async fn ask(patient: &Patient, app: &App) -> Result<Answer, String> {
    let accounts = &patient.config.provider.accounts;
    let random = SystemRandom;
    let state = pkce::authorization_state(&random).map_err(|error| error.to_string())?;
    let verifier = pkce::code_verifier(&random).map_err(|error| error.to_string())?;
    // As a login sends it: with a port where it is registered without one.
    let listen = patient.config.server.listen.unwrap_or(Server::LISTEN);
    let sent = app.redirect_uri.with_port(listen.port());
    let url = AuthorizationRequest {
        client_id: &app.client.id,
        redirect_uri: sent.as_ref().unwrap_or(&app.redirect_uri),
        scope: &app.scopes,
        state: &state,
        verifier: &verifier,
        show_dialog: true,
    }
    .url(accounts, AUTHORIZE_PATH);
    let path = url
        .strip_prefix(&accounts.to_string())
        .unwrap_or(AUTHORIZE_PATH);
    let connection = patient.transport.connect(accounts).await;
    let connection = connection.map_err(|error| report::with_causes(&error))?;
    let request = Request {
        method: Method::GET,
        path: path.to_owned(),
        headers: HeaderMap::new(),
        body: Zeroizing::default(),
    };
    let answer = connection.send(request).await;
    answer.map_err(|error| report::with_causes(&error))
}

fn judge(app: &App, answer: &Answer) -> Finding {
    let name = &app.name;
    let page = String::from_utf8_lossy(&answer.body);
    if let Some((saying, complaint)) = SAYINGS.iter().find(|(saying, _)| page.contains(saying)) {
        let detail = format!(
            "Spotify says \"{saying}\" to {name}, which sends {}",
            app.redirect_uri
        );
        return Finding::of(CHECK, *complaint, detail);
    }
    let status = answer.status;
    let location = answer.headers.get(header::LOCATION);
    let location = location.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let back = location.starts_with(app.redirect_uri.as_str().trim_end_matches('/'));
    if status.is_success() || status.is_redirection() && !(back && location.contains("error=")) {
        let detail = format!(
            "Spotify has nothing against client id, redirect URI and scopes of {name}, as long as nobody is \
             signed in"
        );
        return Finding::ok(CHECK, detail);
    }
    let told = told(name.as_str(), status);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Finding::of(CHECK, AUTHORIZE_UNCLEAR, told)
    } else {
        Finding::of(CHECK, AUTHORIZE_REFUSED, told)
    }
}

fn told(name: &str, status: StatusCode) -> String {
    format!(
        "Spotify answers a login of {name} with HTTP {}",
        status.as_u16()
    )
}
