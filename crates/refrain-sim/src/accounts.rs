//! The Accounts service: authorization page, token endpoint, revocation endpoint.

pub(crate) mod authorize;
pub(crate) mod page;
mod revoke;
pub(crate) mod token;

use http::{Method, StatusCode};

use crate::answer::{Answer, Inbound};
use crate::service::Context;
use crate::world::World;

/// The path of the token endpoint.
pub(crate) const TOKEN_PATH: &str = "/api/token";
/// The path of the revocation endpoint.
pub(crate) const REVOKE_PATH: &str = "/oauth2/revoke/v1";

/// Answers a request to the Accounts service.
pub(crate) fn answer(world: &mut World, request: &Inbound, context: &Context) -> Answer {
    match (&request.method, request.path.as_str()) {
        (&Method::GET, "/authorize") => authorize::show(world, &request.query),
        (&Method::POST, "/authorize/decide") => authorize::decide(world, &request.body),
        (&Method::POST, TOKEN_PATH) => token::answer(world, request, context),
        (&Method::POST, REVOKE_PATH) => revoke::answer(world, request, context),
        (&Method::GET, "/") => Answer::html(StatusCode::OK, page::front(&world.accounts_url)),
        (_, "/authorize" | "/authorize/decide" | TOKEN_PATH) => {
            Answer::empty(StatusCode::METHOD_NOT_ALLOWED)
        }
        _ => Answer::html(StatusCode::NOT_FOUND, page::error("Not found")),
    }
}
