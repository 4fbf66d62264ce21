//! Client authentication at the token and revocation endpoints.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Form, Refused};
use crate::answer::Inbound;
use crate::world::World;

/// A client that passed, and how.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: String,
    /// Whether it proved to know its secret.
    pub(super) authenticated: bool,
}

/// What the `Authorization` header of a token request says.
enum Basic {
    Absent,
    Malformed,
    Credentials(String, String),
}

/// The client id that a request names, in either place.
pub(super) fn named(request: &Inbound, form: &Form) -> Option<String> {
    match basic(request) {
        Basic::Credentials(id, _) => Some(id),
        Basic::Malformed => None,
        Basic::Absent => form.get("client_id").map(str::to_owned),
    }
}

/// Authenticates by Basic credentials, or by the body, where the secret may be missing.
pub(super) fn authenticate(
    world: &World,
    request: &Inbound,
    form: &Form,
) -> Result<Client, Refused> {
    let refuse = |text: &str, why: &str| Refused::new("invalid_client", text, why);
    let (id, secret) = match basic(request) {
        Basic::Credentials(id, secret) => {
            if form.get("client_id").is_some_and(|other| other != id) {
                return Err(refuse("Invalid client", "two different client ids"));
            }
            (id, Some(secret))
        }
        Basic::Malformed => return Err(refuse("Invalid client", "malformed Authorization header")),
        Basic::Absent => {
            let id = form
                .get("client_id")
                .filter(|id| !id.is_empty())
                .ok_or_else(|| refuse("Invalid client", "no client credentials"))?;
            (id.to_owned(), form.get("client_secret").map(str::to_owned))
        }
    };
    let app = world
        .app(&id)
        .ok_or_else(|| refuse("Failed to get client", "no app has this client id"))?;
    let authenticated = match &secret {
        None => false,
        Some(secret) if app.client_secret.as_ref() == Some(secret) => true,
        // Seen in the wild: the wrong secret is another error when a verifier comes with it.
        Some(_) if form.get("code_verifier").is_some() => {
            return Err(Refused::new(
                "invalid_request",
                "Invalid client secret",
                "wrong secret",
            ));
        }
        Some(_) => return Err(refuse("Invalid client secret", "wrong secret")),
    };
    Ok(Client { id, authenticated })
}

fn basic(request: &Inbound) -> Basic {
    let Some(value) = request.headers.get("authorization") else {
        return Basic::Absent;
    };
    let read = || {
        let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        Some(Basic::Credentials(id.to_owned(), secret.to_owned()))
    };
    read().unwrap_or(Basic::Malformed)
}
