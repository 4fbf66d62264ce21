//! `POST /api/token`: the token endpoint for programs that insist on refreshing by themselves.
//!
//! Such a program presents its refresh token and expects an access token (RFC 6749 §6). Here the refresh
//! token is a key of refrain's with the permission `token`; client id and secret may be anything. The answer
//! has no refresh token, so the program keeps the one that it has.

use http::{HeaderValue, Request, Response, StatusCode, header};
use refrain::access::{ApiKey, Permission};
use serde_json::json;
use tracing::Instrument as _;
use zeroize::Zeroizing;

use crate::{
    audit,
    body::{Answer, Sent},
    caller,
    connection::Connection,
    fault::{Fault, code},
    proxy::held::Held,
    request_id::RequestId,
};

/// A form with a key in it is no longer than this. It is read before anybody knows whose it is, so that no
/// more of it is held than it takes.
const MOST: usize = 16 * 1024;

/// Answers a token request.
pub(crate) async fn answer(
    request: Request<Sent>,
    connection: &Connection,
    id: &RequestId<'_>,
) -> Result<Response<Answer>, Fault> {
    let (head, body) = request.into_parts();
    let form = head.headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let essence = value.as_bytes().split(|byte| *byte == b';').next();
        essence.is_some_and(|it| {
            it.trim_ascii()
                .eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        })
    });
    if !form {
        return Err(invalid("the body is not application/x-www-form-urlencoded"));
    }
    let Held::Whole(body) = Held::read(body, MOST).await? else {
        return Err(invalid("the body is too long").closing());
    };
    let key = presented(&body)?;
    let caller = caller::by_key(&key, connection, connection.shared()).await?;
    if !caller.may(Permission::Token) {
        let what = "the key may not get access tokens: it lacks token";
        return Err(Fault::not_allowed(
            what,
            "use a key made with --allow token",
        ));
    }
    let shared = connection.shared();
    let grant = caller.grant(&head.headers, shared).await?;
    let asked = grant.clone();
    let asking = async move { asked.current().await }.instrument(id.span());
    let served = shared.at_home(asking).await?;
    let served = served.map_err(|error| shared.fault(&error))?;
    audit::token_given(connection, &caller, &grant, &served.live, id);
    let now = shared.clock().uptime();
    let body = json!({
        "access_token": served.live.token().expose(),
        "token_type": "Bearer",
        "expires_in": served.live.remaining(now).as_secs(),
        "scope": served.live.scope().to_string(),
    });
    let mut answer = Response::new(Answer::own(body.to_string()));
    let headers = answer.headers_mut();
    // RFC 6749 §5.1.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(answer)
}

/// The key that a request presents as its refresh token.
fn presented(body: &[u8]) -> Result<ApiKey, Fault> {
    let mut grant_type = None;
    let mut key: Option<Zeroizing<String>> = None;
    for (name, value) in url::form_urlencoded::parse(body) {
        let slot = match &*name {
            "grant_type" if grant_type.is_none() => {
                grant_type = Some(value.into_owned());
                continue;
            }
            "refresh_token" if key.is_none() => &mut key,
            // RFC 6749 §3.2: no parameter more than once.
            "grant_type" | "refresh_token" => return Err(invalid("a parameter is there twice")),
            _ => continue,
        };
        *slot = Some(Zeroizing::new(value.into_owned()));
    }
    match grant_type.as_deref() {
        Some("refresh_token") => {}
        Some(_) => {
            let what = "only grant_type=refresh_token is answered here";
            let status = StatusCode::BAD_REQUEST;
            let fault = Fault::request(
                status,
                code::UNSUPPORTED_GRANT_TYPE,
                what,
                "users sign in with refrain",
            );
            return Err(fault.told("unsupported_grant_type"));
        }
        None => return Err(invalid("grant_type is missing")),
    }
    let key = key.ok_or_else(|| invalid("refresh_token is missing"))?;
    let parsed = ApiKey::parse(&key);
    parsed.map_err(|_| Fault::unauthenticated("the refresh token is no key of refrain's"))
}

fn invalid(what: &str) -> Fault {
    let fix = "send grant_type=refresh_token and a key of refrain's as refresh_token";
    Fault::request(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, what, fix)
}
