//! Reads and judges the bearer token of a Web API call.

use http::StatusCode;

use super::Caller;
use crate::answer::{Answer, Inbound};
use crate::profile::Api401;
use crate::world::World;

/// What is wrong with a token.
#[derive(Clone, Copy)]
enum Fault {
    Missing,
    Unknown,
    Expired,
}

/// The access token that a request carries, if it carries one in the right form.
pub(crate) fn token_of(request: &Inbound) -> Option<&str> {
    let mut values = request.headers.get_all("authorization").iter();
    let (scheme, token) = values.next()?.to_str().ok()?.split_once(' ')?;
    if values.next().is_some() {
        // Two of them, say one appended by a proxy that should have replaced the other.
        return None;
    }
    let token = token.trim();
    let well_formed = scheme.eq_ignore_ascii_case("bearer")
        && !token.is_empty()
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
    well_formed.then_some(token)
}

/// Finds the caller, or gives the 400 or 401 that refuses the request.
///
/// A known token proves that the client received it; one that is accepted also counts as used.
pub(super) fn check(world: &mut World, request: &Inbound) -> Result<Caller, Answer> {
    let wording = world.profile.api401;
    let Some(header) = request.headers.get("authorization") else {
        return Err(unauthorized(wording, Fault::Missing));
    };
    let Some(token) = token_of(request) else {
        let empty = header
            .to_str()
            .is_ok_and(|text| text.trim().eq_ignore_ascii_case("bearer"));
        if empty && wording == Api401::Today {
            return Err(unauthorized(wording, Fault::Missing));
        }
        let text = "Only valid bearer authentication supported";
        return Err(Answer::api_error(StatusCode::BAD_REQUEST, text, None));
    };
    let now = world.now();
    let Some(access) = world.access_tokens.get(token) else {
        return Err(unauthorized(wording, Fault::Unknown));
    };
    let live = now < access.ends_at;
    let (client_id, scope, origin) = (
        access.client_id.clone(),
        access.scope.clone(),
        access.origin,
    );
    let chain = origin.and_then(|(id, link)| Some((world.chains.get_mut(&id)?, link)));
    let user = chain.map(|(chain, link)| {
        chain.prove(link);
        if live {
            chain.acknowledge(link);
        }
        chain.user.clone()
    });
    if !live {
        return Err(unauthorized(wording, Fault::Expired));
    }
    Ok(Caller {
        client_id,
        user,
        scope,
    })
}

/// The 401 of today, for a token that is good.
pub(crate) fn spurious(wording: Api401) -> Answer {
    unauthorized(wording, Fault::Expired)
}

fn unauthorized(wording: Api401, fault: Fault) -> Answer {
    let text = match (wording, fault) {
        (Api401::Today, _) => "Missing/invalid/expired access token",
        (Api401::Legacy, Fault::Missing) => "No token provided",
        (Api401::Legacy, Fault::Unknown) => "Invalid access token",
        (Api401::Legacy, Fault::Expired) => "The access token expired",
    };
    let challenge = match fault {
        Fault::Missing => r#"Bearer realm="spotify""#.to_owned(),
        Fault::Unknown | Fault::Expired => {
            format!(r#"Bearer realm="spotify", error="invalid_token", error_description="{text}""#)
        }
    };
    Answer::api_error(StatusCode::UNAUTHORIZED, text, None).with("www-authenticate", &challenge)
}
