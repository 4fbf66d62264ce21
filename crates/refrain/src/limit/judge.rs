//! Reading a 429.

use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;

use crate::{
    limit::{Kind, Limit},
    oauth::answer::RetryAfter,
    time::UnixMillis,
};

/// So much of a body is looked at; Spotify's own are a hundred bytes long.
pub const BODY_PREFIX: usize = 4096;

/// The window is 30 seconds, and the waits that have been seen begin at one. If five are too few, one
/// probe finds out; if they are too many, everybody has waited for nothing.
const UNSAID_RATE: Duration = Duration::from_secs(5);
/// Quotas take hours to come back, and a probe may count against the next one: at one in ten minutes a
/// day's probes are a small part of the smallest quota that has been measured (some 600 requests).
const UNSAID_QUOTA: Duration = Duration::from_secs(600);

/// Says what a 429 of the Web API means, from its headers and the beginning of its body.
///
/// Only a JSON body with the reason `QUOTA_EXCEEDED` is about the quota; what a message says to people is
/// not looked at. Everything else is the app's rate: the milder reading, and the waiting time that the
/// answer gives holds in either.
pub fn judge(headers: &HeaderMap, body: &[u8], now: UnixMillis) -> Limit {
    let kind = if is_quota(body) {
        Kind::Quota
    } else {
        Kind::Rate
    };
    let longest = RetryAfter::all(headers).max_by_key(|it| it.told(now));
    Limit {
        kind,
        wait: longest.map_or_else(|| unsaid(kind), |it| it.wait(now)),
        told: longest.map(|it| it.told(now)),
    }
}

fn unsaid(kind: Kind) -> Duration {
    match kind {
        Kind::Rate => UNSAID_RATE,
        Kind::Quota => UNSAID_QUOTA,
    }
}

fn is_quota(body: &[u8]) -> bool {
    let prefix = body.get(..BODY_PREFIX).unwrap_or(body);
    let Ok(Value::Object(body)) = serde_json::from_slice(prefix) else {
        return false;
    };
    let reason = body.get("error").and_then(|it| it.get("reason"));
    let reason = reason.or_else(|| body.get("reason"));
    reason.and_then(Value::as_str) == Some("QUOTA_EXCEEDED")
}
