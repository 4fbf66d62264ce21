//! The three grant types.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};

use super::client::{self, Client};
use super::{Form, Issued, Refused};
use crate::answer::{Inbound, pairs};
use crate::chain::{Chain, RefreshField, Refusal};
use crate::clock;
use crate::history::{EventKind, Outcome};
use crate::mint;
use crate::model::join_scope;
use crate::profile::ExpiryText;
use crate::world::World;

pub(super) fn grant(
    world: &mut World,
    request: &Inbound,
    delivered: bool,
) -> Result<Issued, Refused> {
    let Some(media_type) = request.media_type() else {
        return Err(Refused {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            description: None,
            ..Refused::new("server_error", "", "no Content-Type")
        });
    };
    let form = match media_type.as_str() {
        "application/x-www-form-urlencoded" => Form(pairs(&request.body)),
        _ => Form(vec![]),
    };
    let Some(grant_type) = form.get("grant_type").filter(|text| !text.is_empty()) else {
        return Err(Refused::new(
            "unsupported_grant_type",
            "grant_type parameter is missing",
            "no grant_type in a form body",
        ));
    };
    let known: &[&str] = match grant_type {
        "authorization_code" => &["code", "redirect_uri", "code_verifier"],
        "refresh_token" => &["refresh_token"],
        "client_credentials" => &["scope"],
        other => {
            return Err(Refused::new(
                "unsupported_grant_type",
                format!("grant_type {other} is not supported"),
                "unknown grant_type",
            ));
        }
    };
    let client = client::authenticate(world, request, &form)?;
    only_known(world, request, &form, known)?;
    match grant_type {
        "authorization_code" => exchange(world, &client, &form, delivered),
        "refresh_token" => refresh(world, &client, &form),
        _ => client_credentials(world, &client),
    }
}

/// Refuses what is not part of the request; a client that sends its old access token along with
/// a refresh, for one, must not get away with it here.
fn only_known(
    world: &mut World,
    request: &Inbound,
    form: &Form,
    known: &[&str],
) -> Result<(), Refused> {
    let mut seen: Vec<&str> = vec![];
    let mut unexpected: Vec<&str> = vec![];
    for (name, _) in &form.0 {
        let name = name.as_str();
        let common = ["grant_type", "client_id", "client_secret"].contains(&name);
        if seen.contains(&name) || !(common || known.contains(&name)) {
            unexpected.push(name);
        }
        seen.push(name);
    }
    for name in &unexpected {
        let name = (*name).to_owned();
        world.record(EventKind::UnexpectedParameter {
            request: request.number,
            name,
        });
    }
    match unexpected.first() {
        Some(name) if world.profile.strict_parameters => Err(Refused::new(
            "invalid_request",
            format!("Unexpected parameter: {name}"),
            "unexpected_parameter",
        )),
        _ => Ok(()),
    }
}

fn exchange(
    world: &mut World,
    client: &Client,
    form: &Form,
    delivered: bool,
) -> Result<Issued, Refused> {
    let code_text = form.required("code", "code must be supplied")?;
    let redirect_uri = form.required("redirect_uri", "redirect_uri must be supplied")?;
    let refuse = |text: &str, why: &str| Refused::new("invalid_grant", text, why);
    let now = world.now();
    let code_ttl = clock::millis(world.profile.code_ttl);
    let code = world
        .codes
        .get_mut(code_text)
        .ok_or_else(|| refuse("Invalid authorization code", "unknown code"))?;
    if code.chain.is_some() {
        return Err(refuse("Invalid authorization code", "code used before"));
    }
    if code.client_id != client.id {
        return Err(refuse("Invalid authorization code", "another app's code"));
    }
    match now.saturating_sub(code.issued_at) {
        age if age < code_ttl => {}
        age if age < code_ttl.saturating_mul(2) => {
            return Err(refuse("Authorization code expired", "code expired"));
        }
        _ => {
            return Err(refuse(
                "Invalid authorization code",
                "code expired long ago",
            ));
        }
    }
    if code.redirect_uri != redirect_uri {
        return Err(refuse(
            "Invalid redirect URI",
            "differs from the authorization request",
        ));
    }
    match (
        &code.challenge,
        form.get("code_verifier").filter(|text| !text.is_empty()),
    ) {
        (Some(_), None) => {
            return Err(Refused::new(
                "invalid_request",
                "code_verifier required",
                "no verifier",
            ));
        }
        (Some(challenge), Some(verifier))
            if !is_verifier(verifier) || mint::challenge(verifier) != *challenge =>
        {
            return Err(refuse(
                "code_verifier was incorrect",
                "verifier does not match",
            ));
        }
        (None, Some(_)) => {
            return Err(refuse(
                "code_verifier was incorrect",
                "verifier without a challenge",
            ));
        }
        (None, None) if !client.authenticated => {
            return Err(Refused::new(
                "invalid_client",
                "Invalid client",
                "neither secret nor PKCE",
            ));
        }
        _ => {}
    }
    let id = world.chains.keys().next_back().map_or(1, |last| last + 1);
    code.chain = Some(id);
    // The six months count from the user's consent, which is when the code was issued.
    let ends_at = world.profile.refresh_end(code.issued_at);
    let mut chain = Chain::new(id, &client.id, &code.user, ends_at);
    chain.scope.clone_from(&code.scope);
    chain.pkce = code.challenge.is_some();
    let (link, refresh_token) = open(world, chain, delivered);
    Ok(issue(world, id, link, RefreshField::New(refresh_token)))
}

/// Adds a chain and its first refresh token.
fn open(world: &mut World, mut chain: Chain, delivered: bool) -> (usize, String) {
    let (link, token) = chain.open(delivered);
    world.refresh_tokens.insert(token.clone(), (chain.id, link));
    world.chains.insert(chain.id, chain);
    (link, token)
}

/// Makes a grant as if the user had agreed just now and the app had exchanged the code: the number
/// of its chain, its refresh token and its access token.
pub(crate) fn seed(
    world: &mut World,
    client_id: &str,
    user: &str,
    scope: BTreeSet<String>,
) -> (u64, String, String) {
    let id = world.chains.keys().next_back().map_or(1, |last| last + 1);
    let mut chain = Chain::new(id, client_id, user, world.profile.refresh_end(world.now()));
    // An app without a secret cannot have come here but by PKCE.
    chain.pkce = world
        .app(client_id)
        .is_none_or(|app| app.client_secret.is_none());
    chain.scope.clone_from(&scope);
    let consent = (client_id.to_owned(), user.to_owned());
    world.consents.entry(consent).or_default().extend(scope);
    let (link, token) = open(world, chain, true);
    let issued = issue(world, id, link, RefreshField::Absent);
    (id, token, issued.access)
}

fn refresh(world: &mut World, client: &Client, form: &Form) -> Result<Issued, Refused> {
    let token = form.required("refresh_token", "refresh_token must be supplied")?;
    let refuse = |why: &str| Refused::new("invalid_grant", "Invalid refresh token", why);
    let (id, link) = *world
        .refresh_tokens
        .get(token)
        .ok_or_else(|| refuse("unknown refresh token"))?;
    let now = world.now();
    let seq = world.history.next_seq();
    let rotation = world.profile.rotation;
    let Some(chain) = world.chains.get_mut(&id) else {
        return Err(refuse("no such chain"));
    };
    if chain.client_id != client.id {
        return Err(refuse("another app's refresh token"));
    }
    if !chain.pkce && !client.authenticated {
        return Err(Refused::new(
            "invalid_client",
            "Invalid client",
            "no secret, and no PKCE",
        ));
    }
    let scripted = world.rotation_script.front().copied();
    let replace = scripted.unwrap_or_else(|| rotation.rotates());
    let granted = match chain.present(link, now, rotation, replace, seq) {
        Ok(granted) => granted,
        Err(refusal) => {
            if refusal == Refusal::Replayed {
                world.end_access(|access| access.origin.is_some_and(|(chain, _)| chain == id));
            }
            return Err(refused(world, refusal));
        }
    };
    world.rotation_script.pop_front();
    let withdrawn = granted.withdrawn;
    if !withdrawn.is_empty() {
        world.end_access(|access| {
            access
                .origin
                .is_some_and(|(chain, link)| chain == id && withdrawn.contains(&link))
        });
    }
    if let RefreshField::New(token) = &granted.field {
        world
            .refresh_tokens
            .insert(token.clone(), (id, granted.link));
    }
    Ok(issue(world, id, granted.link, granted.field))
}

fn refused(world: &World, refusal: Refusal) -> Refused {
    let description = match (refusal, world.profile.expiry_text) {
        (Refusal::Expired, ExpiryText::Absent) => None,
        (Refusal::Expired, ExpiryText::Expired) => Some("Refresh token expired".to_owned()),
        _ => Some("Refresh token revoked".to_owned()),
    };
    Refused {
        description,
        committed: refusal == Refusal::Replayed,
        ..Refused::new("invalid_grant", "", refusal.as_str())
    }
}

fn client_credentials(world: &mut World, client: &Client) -> Result<Issued, Refused> {
    if !client.authenticated {
        return Err(Refused::new(
            "invalid_client",
            "Invalid client",
            "no secret",
        ));
    }
    let access = world.issue_access(&client.id, None, BTreeSet::new());
    let expires_in = world.profile.access_ttl.as_secs();
    Ok(Issued {
        body: json!({
            "access_token": access, "token_type": "Bearer", "expires_in": expires_in,
        }),
        grant: None,
        refresh: None,
        access,
        outcome: Outcome::GrantedKept,
    })
}

/// Issues an access token for a chain and writes the answer.
fn issue(world: &mut World, id: u64, link: usize, field: RefreshField) -> Issued {
    let (client_id, user, mut scope) = world
        .chains
        .get(&id)
        .map(|chain| {
            (
                chain.client_id.clone(),
                chain.user.clone(),
                chain.scope.clone(),
            )
        })
        .unwrap_or_default();
    // The scope grows to all that the user ever allowed the app, for older refresh tokens too.
    let consent = world.consents.get(&(client_id.clone(), user));
    scope.extend(consent.into_iter().flatten().cloned());
    let scope_text = join_scope(&scope);
    let access = world.issue_access(&client_id, Some((id, link)), scope);
    let mut body = json!({
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": world.profile.access_ttl.as_secs(),
        "scope": scope_text,
    });
    let (member, refresh, outcome) = match field {
        RefreshField::Absent => (None, None, Outcome::GrantedKept),
        RefreshField::Empty => (Some(Value::from("")), None, Outcome::GrantedKept),
        RefreshField::Null => (Some(Value::Null), None, Outcome::GrantedKept),
        RefreshField::Same(token) => (Some(token.into()), None, Outcome::GrantedKept),
        RefreshField::New(token) => (
            Some(token.clone().into()),
            Some(token),
            Outcome::GrantedReplaced,
        ),
    };
    if let (Some(object), Some(member)) = (body.as_object_mut(), member) {
        object.insert("refresh_token".to_owned(), member);
    }
    Issued {
        body,
        grant: Some(id),
        refresh,
        access,
        outcome,
    }
}

/// 43 to 128 of RFC 7636's unreserved characters.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}
