//! A client of one request per connection, which sees every byte.

use std::io;

use refrain_sim::{App, Profile, Sim};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const REDIRECT: &str = "http://127.0.0.1:4280/callback";
pub(crate) const VERIFIER: &str = "0123456789-0123456789-0123456789-0123456789-0";
// base64url(SHA-256(VERIFIER)), computed apart from the simulator.
pub(crate) const CHALLENGE: &str = "RorGjELh8a7AjAZt3CsuA6_BeTJqUuoScX2TgmzeapU";

/// What came back, taken apart as far as it goes.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: io::Result<()>,
}

impl Reply {
    pub(crate) fn status(&self) -> u16 {
        self.text()
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let head = text.split("\r\n\r\n").next().unwrap();
        head.lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers(name).into_iter().next()
    }

    pub(crate) fn body(&self) -> String {
        self.text()
            .split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
            .unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body()).unwrap_or(Value::Null)
    }

    pub(crate) fn str(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }

    /// `error: error_description` of an OAuth error answer.
    pub(crate) fn oauth_error(&self) -> String {
        let json = self.json();
        let error = json["error"].as_str().unwrap_or_default();
        match json["error_description"].as_str() {
            Some(description) => format!("{} {error}: {description}", self.status()),
            None => format!("{} {error}", self.status()),
        }
    }

    /// The message of a Web API error answer.
    pub(crate) fn api_error(&self) -> String {
        let json = self.json();
        format!(
            "{} {}",
            self.status(),
            json["error"]["message"].as_str().unwrap_or_default()
        )
    }
}

/// Sends these bytes and reads to the end.
pub(crate) async fn send(origin: &str, request: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(origin.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    stream.write_all(request).await.unwrap();
    let mut bytes = vec![];
    let end = stream.read_to_end(&mut bytes).await.map(|_| ());
    Reply { bytes, end }
}

/// Sends a request with these headers (each with its line end) and body.
pub(crate) async fn call(
    origin: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Reply {
    let length = if method == "GET" && body.is_empty() {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n{headers}{length}\r\n{body}"
    );
    send(origin, request.as_bytes()).await
}

pub(crate) async fn get(origin: &str, path: &str) -> Reply {
    call(origin, "GET", path, "", "").await
}

/// A Web API call with a bearer token.
pub(crate) async fn api(sim: &Sim, method: &str, path: &str, token: &str) -> Reply {
    let bearer = format!("authorization: Bearer {token}\r\n");
    call(sim.api_url(), method, path, &bearer, "").await
}

pub(crate) async fn post_control(sim: &Sim, path: &str, body: &str) -> Reply {
    call(sim.accounts_url(), "POST", path, "", body).await
}

/// A token request with this form and the default app's Basic credentials.
pub(crate) async fn token(sim: &Sim, form: &[(&str, &str)]) -> Reply {
    token_with(sim, &basic(&sim.default_app()), form).await
}

pub(crate) async fn token_with(sim: &Sim, headers: &str, form: &[(&str, &str)]) -> Reply {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let headers = format!("content-type: application/x-www-form-urlencoded\r\n{headers}");
    call(sim.accounts_url(), "POST", "/api/token", &headers, &body).await
}

pub(crate) fn basic(app: &App) -> String {
    use base64::Engine as _;
    let secret = app.client_secret.as_deref().unwrap_or_default();
    let credentials = format!("{}:{secret}", app.client_id);
    let text = base64::engine::general_purpose::STANDARD.encode(credentials);
    format!("authorization: Basic {text}\r\n")
}

pub(crate) async fn refresh(sim: &Sim, refresh_token: &str) -> Reply {
    token(
        sim,
        &[
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ],
    )
    .await
}

pub(crate) async fn start(profile: Profile) -> Sim {
    Sim::start(profile).await.unwrap()
}

/// An authorization URL of the default app, with these further parameters.
pub(crate) fn authorize_url(sim: &Sim, more: &[(&str, &str)]) -> String {
    let client_id = sim.default_app().client_id;
    let mut url = url::Url::parse(&format!("{}/authorize", sim.accounts_url())).unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", &client_id)
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", REDIRECT)
        .extend_pairs(more);
    url.into()
}

/// One parameter of the place where the browser was sent.
pub(crate) fn parameter(location: &str, name: &str) -> String {
    let url = url::Url::parse(location).unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

pub(crate) fn code(sim: &Sim, more: &[(&str, &str)]) -> String {
    parameter(&sim.consent(&authorize_url(sim, more)).unwrap(), "code")
}

pub(crate) async fn exchange(sim: &Sim, code: &str) -> Reply {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
    ];
    token(sim, &form).await
}

/// Consents and exchanges: access token and refresh token.
pub(crate) async fn log_in(sim: &Sim, scope: &str) -> (String, String) {
    let reply = exchange(sim, &code(sim, &[("scope", scope)])).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    (reply.str("access_token"), reply.str("refresh_token"))
}
