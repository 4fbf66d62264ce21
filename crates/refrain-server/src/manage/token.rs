//! Access tokens, for those that may have them. This is the path that is asked most.

use std::time::Duration;

use http::{Response, StatusCode};
use refrain::{
    Grant,
    keeper::{Live, Served},
    oauth::scope::Scope,
    time::UnixMillis,
};
use serde::{Deserialize, Serialize, Serializer};

use super::{Asked, content, json, query};
use crate::{
    audit,
    body::{Answer, Sent},
    fault::{Fault, code},
};

/// Nobody can ask for more: Spotify's tokens live an hour.
const MOST: u64 = 3600;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct How {
    #[serde(default, deserialize_with = "content::whole")]
    min_ttl: Option<u64>,
}

#[derive(Serialize)]
struct Json<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(serialize_with = "displayed")]
    expires_at: UnixMillis,
    #[serde(serialize_with = "displayed")]
    scope: &'a Scope,
    grant: &'a str,
    /// Why it is not a fresh one.
    warning: Option<&'static str>,
}

/// Written where it goes, without a text in between.
fn displayed<S: Serializer>(value: &impl std::fmt::Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// `GET`: a token that works, and lives as long as the query asks.
pub(super) async fn give(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let [min_ttl] = query::read(&asked.head.uri, ["min_ttl"])?;
    let min_ttl = min_ttl.map(|text| query::number(&text, 0, MOST));
    answer(asked, min_ttl.transpose()?).await
}

/// `POST`: the same, with what is asked for in the body.
pub(super) async fn told_how(asked: &Asked<'_>, body: Sent) -> Result<Response<Answer>, Fault> {
    let how: How = content::read_or_default(&asked.head.headers, body).await?;
    if how.min_ttl.is_some_and(|seconds| seconds > MOST) {
        let what = "no access token lives longer than an hour";
        let fix = "ask for a min_ttl of 3600 at most";
        let status = StatusCode::BAD_REQUEST;
        return Err(Fault::request(status, code::BAD_BODY, what, fix));
    }
    answer(asked, how.min_ttl).await
}

async fn answer(asked: &Asked<'_>, min_ttl: Option<u64>) -> Result<Response<Answer>, Fault> {
    let grant = asked.named_grant()?;
    if min_ttl.is_none()
        && let Some(live) = grant.at_hand()
    {
        return told(asked, &grant, &live, None);
    }
    let same = grant.clone();
    let served = asked
        .ask(|_| async move {
            match min_ttl {
                None => same.current().await,
                Some(seconds) => same.access_token_for(Duration::from_secs(seconds)).await,
            }
        })
        .await?;
    let Served { live, warning } = served.map_err(|error| asked.fault(&error))?;
    let warning = warning.as_ref().map(refrain::Error::code);
    told(asked, &grant, &live, warning)
}

fn told(
    asked: &Asked<'_>,
    grant: &Grant,
    live: &Live,
    warning: Option<&'static str>,
) -> Result<Response<Answer>, Fault> {
    audit::token_given(asked.connection, asked.caller, grant, live, asked.id);
    let now = asked.shared().clock().uptime();
    json(
        StatusCode::OK,
        &Json {
            access_token: live.token().expose(),
            token_type: "Bearer",
            expires_in: live.remaining(now).as_secs(),
            expires_at: live.expires_at(),
            scope: live.scope(),
            grant: grant.name().as_str(),
            warning,
        },
    )
}
