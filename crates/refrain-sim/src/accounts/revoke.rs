//! The revocation endpoint that Spotify's discovery document names and its manual does not.

use http::StatusCode;

use crate::accounts::{page, token};
use crate::answer::{Answer, Inbound, pairs};
use crate::chain::DeathCause;
use crate::history::EventKind;
use crate::profile::RevokeMode;
use crate::service::Context;
use crate::world::World;

/// Answers `POST /oauth2/revoke/v1`: 404, an honest 200, or a 200 that means nothing.
pub(crate) fn answer(world: &mut World, request: &Inbound, _: &Context) -> Answer {
    let (answer, grant) = match world.profile.revoke {
        RevokeMode::Absent => (
            Answer::html(StatusCode::NOT_FOUND, page::error("Not found")),
            None,
        ),
        RevokeMode::Noop => (token::dressed(Answer::empty(StatusCode::OK)), None),
        RevokeMode::Works => match revoke(world, request) {
            Ok(grant) => (token::dressed(Answer::empty(StatusCode::OK)), grant),
            Err(answer) => (token::dressed(answer), None),
        },
    };
    world.record(EventKind::RevokeCall {
        request: request.number,
        status: answer.status.as_u16(),
        grant,
    });
    answer
}

/// Ends the chain of a refresh token, or one access token. Unknown tokens are no error.
fn revoke(world: &mut World, request: &Inbound) -> Result<Option<u64>, Answer> {
    let client_id = token::authenticated_client(world, request)?;
    let form = pairs(&request.body);
    let Some((_, value)) = form
        .iter()
        .find(|(name, value)| name == "token" && !value.is_empty())
    else {
        let status = StatusCode::BAD_REQUEST;
        return Err(Answer::oauth_error(
            status,
            "invalid_request",
            Some("token must be supplied"),
        ));
    };
    let seq = world.history.next_seq();
    if let Some((id, _)) = world.refresh_tokens.get(value)
        && let Some(chain) = world.chains.get_mut(id)
        && chain.client_id == client_id
    {
        let id = chain.id;
        chain.kill(DeathCause::RevokedByClient, seq);
        world.end_access(|access| access.origin.is_some_and(|(chain, _)| chain == id));
        return Ok(Some(id));
    }
    let now = world.now();
    if let Some(access) = world.access_tokens.get_mut(value)
        && access.client_id == client_id
    {
        access.ends_at = now;
    }
    Ok(None)
}
