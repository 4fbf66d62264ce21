//! The authorization endpoint: the checks, the consent, and the way back to the app.

use std::collections::BTreeSet;
use std::fmt;

use http::StatusCode;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::accounts::page;
use crate::answer::{Answer, pairs};
use crate::history::EventKind;
use crate::mint;
use crate::model;
use crate::world::{Code, World};

/// An error that Spotify shows on its own page: the browser never returns to the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageError {
    /// The HTTP status of the page.
    pub status: u16,
    /// The text on the page, such as `INVALID_CLIENT: Invalid redirect URI`.
    pub text: String,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the authorization page answered {}: {}",
            self.status, self.text
        )
    }
}

impl std::error::Error for PageError {}

/// An authorization request that passed every check.
#[derive(Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: BTreeSet<String>,
    state: Option<String>,
    challenge: Option<String>,
    show_dialog: bool,
}

/// `GET /authorize`: the page, or the way back where no page is needed.
pub(crate) fn show(world: &mut World, query: &str) -> Answer {
    let request = match check(world, query) {
        Ok(request) => request,
        Err(error) => return error_page(&error),
    };
    let user = world.signed_in.clone();
    let consented = world
        .consents
        .get(&(request.client_id.clone(), user.clone()))
        .is_some_and(|scope| request.scope.is_subset(scope));
    if world.profile.auto_consent || (consented && !request.show_dialog) {
        return Answer::redirect(&allow(world, &request, &user));
    }
    let name = world.app(&request.client_id).map_or("", |app| &app.name);
    let users = &world.profile.users;
    Answer::html(
        StatusCode::OK,
        page::consent(name, &request, users, &user, query),
    )
    .with("cache-control", "no-store")
}

/// `POST /authorize/decide`: the consent page's buttons.
pub(crate) fn decide(world: &mut World, body: &[u8]) -> Answer {
    let form = pairs(body);
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value.as_str())
    };
    let request = match check(world, field("request")) {
        Ok(request) => request,
        Err(error) => return error_page(&error),
    };
    if let Some(user) = world.user(field("user")) {
        world.signed_in = user.id.clone();
    }
    let user = world.signed_in.clone();
    Answer::redirect(&match field("decision") {
        "allow" => allow(world, &request, &user),
        _ => deny(world, &request, &user),
    })
}

/// Checks an authorization request, in Spotify's order, and records a refusal.
pub(crate) fn check(world: &mut World, query: &str) -> Result<AuthorizationRequest, PageError> {
    let pairs = pairs(query.as_bytes());
    examine(world, &pairs).map_err(|(status, text)| {
        let client_id = value(&pairs, "client_id").unwrap_or_default().to_owned();
        let user = world.signed_in.clone();
        world.record(EventKind::Authorize {
            client_id,
            user,
            outcome: text.clone(),
        });
        PageError { status, text }
    })
}

/// The user agrees: issues a code and says where the browser goes.
pub(crate) fn allow(world: &mut World, request: &AuthorizationRequest, user: &str) -> String {
    let key = (request.client_id.clone(), user.to_owned());
    world
        .consents
        .entry(key)
        .or_default()
        .extend(request.scope.iter().cloned());
    let code = mint::code();
    world.codes.insert(
        code.clone(),
        Code {
            client_id: request.client_id.clone(),
            user: user.to_owned(),
            redirect_uri: request.redirect_uri.clone(),
            scope: request.scope.clone(),
            challenge: request.challenge.clone(),
            issued_at: world.now(),
            chain: None,
        },
    );
    decided(world, request, user, "allowed");
    way_back(request, ("code", &code))
}

/// The user cancels: says where the browser goes.
pub(crate) fn deny(world: &mut World, request: &AuthorizationRequest, user: &str) -> String {
    decided(world, request, user, "denied");
    way_back(request, ("error", "access_denied"))
}

fn decided(world: &mut World, request: &AuthorizationRequest, user: &str, outcome: &str) {
    world.record(EventKind::Authorize {
        client_id: request.client_id.clone(),
        user: user.to_owned(),
        outcome: outcome.to_owned(),
    });
}

fn way_back(request: &AuthorizationRequest, result: (&str, &str)) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair(result.0, result.1);
    if let Some(state) = &request.state {
        query.append_pair("state", state);
    }
    let joint = if request.redirect_uri.contains('?') {
        '&'
    } else {
        '?'
    };
    format!("{}{joint}{}", request.redirect_uri, query.finish())
}

fn examine(
    world: &World,
    pairs: &[(String, String)],
) -> Result<AuthorizationRequest, (u16, String)> {
    let refuse = |text: &str| (400, text.to_owned());
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some([name, ..]) = names.windows(2).find(|pair| pair.first() == pair.last()) {
        return Err((400, format!("Duplicate parameter: {name}")));
    }
    let value = |name| value(pairs, name);
    let client_id = value("client_id")
        .filter(|id| !id.is_empty())
        .ok_or_else(|| refuse("Missing required parameter: client_id"))?;
    let app = world
        .app(client_id)
        .ok_or_else(|| refuse("INVALID_CLIENT: Failed to get client"))?;
    match value("response_type") {
        Some("code") => {}
        Some(_) => return Err(refuse("response_type must be code")),
        None => return Err(refuse("Missing required parameter: response_type")),
    }
    let redirect_uri = value("redirect_uri").ok_or_else(|| refuse("Illegal redirect_uri"))?;
    if redirect_uri.is_empty() {
        return Err((500, "Oops! Something went wrong".to_owned()));
    }
    let url = Url::parse(redirect_uri).map_err(|_| refuse("Illegal redirect_uri"))?;
    if url.fragment().is_some() {
        return Err(refuse("Illegal redirect_uri"));
    }
    if is_insecure(&url) {
        return Err(refuse("INVALID_CLIENT: Insecure redirect URI"));
    }
    if !app
        .redirect_uris
        .iter()
        .any(|registered| redirect_matches(registered, redirect_uri))
    {
        return Err(refuse("INVALID_CLIENT: Invalid redirect URI"));
    }
    let scope = model::parse_scope(value("scope").unwrap_or_default())
        .map_err(|_| refuse("Illegal scope"))?;
    let challenge = value("code_challenge");
    match (challenge, value("code_challenge_method")) {
        (None, None) | (Some(_), Some("S256")) => {}
        (None, Some(_)) => return Err(refuse("Missing required parameter: code_challenge")),
        (Some(_), _) => return Err(refuse("code_challenge_method must be S256")),
    }
    Ok(AuthorizationRequest {
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        scope,
        state: value("state").map(str::to_owned),
        // A challenge with `=` padding is taken as it is: it fails at the exchange, as in reality.
        challenge: challenge.map(str::to_owned),
        show_dialog: value("show_dialog") == Some("true"),
    })
}

/// `http` is for loopback literals alone, and `localhost` for nobody.
fn is_insecure(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.eq_ignore_ascii_case("localhost")
        || (url.scheme() == "http" && !matches!(host, "127.0.0.1" | "[::1]"))
}

/// Byte for byte, except that a loopback literal registered without a port matches any port.
fn redirect_matches(registered: &str, asked: &str) -> bool {
    if registered == asked {
        return true;
    }
    ["http://127.0.0.1", "http://[::1]"].iter().any(|host| {
        let (Some(path), Some(rest)) = (registered.strip_prefix(host), asked.strip_prefix(host))
        else {
            return false;
        };
        let Some(rest) = rest.strip_prefix(':') else {
            return false;
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (port, asked_path) = rest.split_at_checked(digits).unwrap_or_default();
        !path.starts_with(':') && port.parse::<u16>().is_ok() && path == asked_path
    })
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

fn error_page(error: &PageError) -> Answer {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    Answer::html(status, page::error(&error.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_matches_byte_for_byte() {
        assert!(redirect_matches(
            "https://a.example/cb",
            "https://a.example/cb"
        ));
        assert!(!redirect_matches(
            "https://a.example/cb",
            "https://A.example/cb"
        ));
        assert!(!redirect_matches(
            "https://a.example/cb",
            "https://a.example/cb/"
        ));
        assert!(!redirect_matches(
            "https://a.example/cb",
            "https://a.example:1/cb"
        ));
    }

    #[test]
    fn a_loopback_literal_without_port_matches_any_port() {
        assert!(redirect_matches(
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8080/cb"
        ));
        assert!(redirect_matches("http://[::1]/cb", "http://[::1]:1/cb"));
        assert!(!redirect_matches(
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8080/other"
        ));
        assert!(!redirect_matches(
            "http://127.0.0.1/cb",
            "http://127.0.0.1:/cb"
        ));
        assert!(!redirect_matches(
            "http://127.0.0.1/cb",
            "http://127.0.0.1:99999/cb"
        ));
        assert!(!redirect_matches(
            "http://127.0.0.1:1/cb",
            "http://127.0.0.1:2/cb"
        ));
    }

    #[test]
    fn http_is_for_loopback_literals_and_localhost_for_nobody() {
        let insecure = |text| is_insecure(&Url::parse(text).unwrap());
        assert!(insecure("http://localhost:4280/callback"));
        assert!(insecure("https://localhost/callback"));
        assert!(insecure("http://192.168.0.2/callback"));
        assert!(!insecure("http://127.0.0.1:4280/callback"));
        assert!(!insecure("http://[::1]/callback"));
        assert!(!insecure("https://a.example/callback"));
        assert!(!insecure("my-app://callback"));
    }
}
