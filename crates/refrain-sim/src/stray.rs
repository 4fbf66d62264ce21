//! Finds credentials that arrived where they must never be sent.
//!
//! An access token belongs to the Web API, in the `Authorization` header; a refresh token to the
//! body of a token or revocation request; a client secret there, or in its Basic credentials.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::accounts::{REVOKE_PATH, TOKEN_PATH};
use crate::answer::Inbound;
use crate::history::EventKind;
use crate::mint;
use crate::service::Side;
use crate::world::World;

/// Shorter words cannot be credentials: a client secret has 32 characters.
const SHORTEST: usize = 24;

/// Records every stray credential of a request.
pub(crate) fn record(world: &mut World, side: Side, request: &Inbound) {
    let api = side == Side::Api || (side == Side::Both && request.path.starts_with("/v1"));
    let listener = if api { "api" } else { "accounts" };
    let mut found: Vec<(&'static str, String, &'static str)> = vec![];
    let mut look = |place: &'static str, text: &str| {
        for word in words(text) {
            if let Some(what) = world.credential_kind(word)
                && !belongs(api, request, what, place)
            {
                found.push((what, mint::fingerprint(word), place));
            }
        }
    };
    look("url", &request.path);
    look("url", &request.query);
    for value in request.headers.values() {
        let text = String::from_utf8_lossy(value.as_bytes());
        look("header", &text);
        if let Some(decoded) = text
            .split_once(' ')
            .and_then(|(_, text)| STANDARD.decode(text).ok())
        {
            look("header", &String::from_utf8_lossy(&decoded));
        }
    }
    look("body", &String::from_utf8_lossy(&request.body));
    for (what, fingerprint, place) in found {
        world.record(EventKind::StrayCredential {
            request: request.number,
            listener: listener.to_owned(),
            what: what.to_owned(),
            fingerprint,
            place: place.to_owned(),
        });
    }
}

fn belongs(api: bool, request: &Inbound, what: &str, place: &str) -> bool {
    match (api, what, place) {
        (true, "access_token", "header") => true,
        (false, "refresh_token" | "client_secret", "body") | (false, "client_secret", "header") => {
            [TOKEN_PATH, REVOKE_PATH].contains(&request.path.as_str())
        }
        (false, "access_token", "body") => request.path == REVOKE_PATH,
        _ => false,
    }
}

/// The text with every credential in it replaced by its fingerprint.
pub(crate) fn masked(world: &World, text: &str) -> String {
    words(text)
        .filter(|word| world.credential_kind(word).is_some())
        .fold(text.to_owned(), |masked, word| {
            masked.replace(word, &mint::fingerprint(word))
        })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-' || letter == '_'))
        .filter(|word| word.len() >= SHORTEST)
}
