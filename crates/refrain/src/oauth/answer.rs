//! What an answer of the token endpoint means (RFC 6749 §5.1 and §5.2).
//!
//! The distinction that matters is not success or failure but what has become of the refresh token that
//! was presented. Only [`Outcome::Refused`] speaks about that token; everything else is somebody's
//! fault, and a fault is never a verdict.

use std::time::Duration;

use http::{StatusCode, header};
use serde_json::Value;

use crate::{
    oauth::{scope::Scope, transport::Answer, withheld::Withheld},
    secret::{AccessToken, RefreshToken},
    time::UnixMillis,
};

/// An access token whose answer does not say how long it lives: the hour that Spotify documents.
const DEFAULT_LIFE: Duration = Duration::from_secs(3600);
/// No provider issues access tokens for longer; a larger number is a mistake.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longest accepted token text; Spotify's access tokens have been seen at 582 characters.
const LONGEST_TOKEN: usize = 32 * 1024;

/// An answer, classified, with what helps to find it again at the provider.
#[derive(Debug)]
pub struct Reply {
    /// What it means.
    pub outcome: Outcome,
    /// The HTTP status.
    pub status: StatusCode,
    /// `x-request-id`, else `sp-trace-id`: not secret, and what support asks for.
    pub request_id: Option<String>,
}

/// The meaning of an answer.
#[derive(Debug)]
pub enum Outcome {
    /// A new access token.
    Granted(Granted),
    /// A refresh token could be read, but no access token: the provider has rotated and the answer is
    /// damaged. It is kept, and the access token is minted with it.
    Salvaged(RefreshToken),
    /// `invalid_grant`: the provider rejects exactly the token or code that was presented.
    Refused(ErrorResponse),
    /// The request or the client is at fault (`invalid_client`, …): for the operator, not the user.
    Misconfigured(ErrorResponse),
    /// Too many requests; the presented token was not looked at.
    Throttled {
        /// When to come back, where the provider says.
        retry_after: Option<RetryAfter>,
    },
    /// The provider is in trouble; it may or may not have acted.
    Unavailable {
        /// When to come back, where the provider says.
        retry_after: Option<RetryAfter>,
    },
    /// No answer of a token endpoint; it may or may not have acted.
    Unintelligible {
        /// What is wrong with it.
        why: &'static str,
    },
}

/// A successful answer (RFC 6749 §5.1).
#[derive(Debug)]
pub struct Granted {
    /// The new access token.
    pub access_token: AccessToken,
    /// How long it lives from now.
    pub expires_in: Duration,
    /// The scope it has, where the answer says.
    pub scope: Option<Scope>,
    /// A refresh token, where the answer has one that is not empty.
    pub refresh_token: Option<RefreshToken>,
}

/// What became of the refresh token; the answer decides, never the configuration.
#[derive(Debug)]
pub enum Rotation {
    /// The answer has another one: the old one may be dead already.
    Replaced(RefreshToken),
    /// Absent, null, empty or the same: the old one goes on.
    Kept,
}

impl Rotation {
    /// Compares what was presented with what came back.
    pub fn of(presented: &RefreshToken, returned: Option<RefreshToken>) -> Self {
        match returned {
            Some(token) if !token.ct_eq(presented) => Self::Replaced(token),
            Some(_) | None => Self::Kept,
        }
    }
}

/// The `error` of an answer (RFC 6749 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The code, as far as it may be shown.
    pub code: String,
    /// The description, likewise; for people, never for decisions.
    pub description: Option<String>,
}

/// A Retry-After header (RFC 9110 §10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// So much later.
    In(Duration),
    /// At a date.
    At(UnixMillis),
}

impl RetryAfter {
    /// Longest wait that is believed; the rest is shown, not obeyed.
    const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
    /// Zero has been seen, and obeying it would be a tight loop.
    const SHORTEST: Duration = Duration::from_secs(1);

    /// The wait from `now`, between one second and seven days.
    pub fn wait(self, now: UnixMillis) -> Duration {
        self.told(now).clamp(Self::SHORTEST, Self::LONGEST)
    }

    /// Reads the header; of several the longest counts, and one that cannot be read counts as absent.
    pub fn from_headers(headers: &http::HeaderMap) -> Option<Self> {
        Self::all(headers)
            // A number of seconds needs no clock to be right, so it goes before a date.
            .max_by_key(|retry| match retry {
                Self::In(wait) => (true, i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
                Self::At(date) => (false, date.0),
            })
    }

    /// Every value of the header that can be read.
    pub fn all(headers: &http::HeaderMap) -> impl Iterator<Item = Self> {
        let values = headers.get_all(header::RETRY_AFTER).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| match Self::parse(text.trim()) {
                Some(one) => vec![one],
                // Somebody on the way may have made one line of two.
                None => text
                    .split(',')
                    .filter_map(|it| Self::parse(it.trim()))
                    .collect(),
            })
    }

    /// The wait from `now` as it was said, however short or long.
    pub fn told(self, now: UnixMillis) -> Duration {
        match self {
            Self::In(wait) => wait,
            Self::At(date) => date.since(now),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return Some(Self::In(Duration::from_secs(
                text.parse().unwrap_or(u64::MAX / 2000),
            )));
        }
        http_date(text).map(Self::At)
    }
}

fn http_date(text: &str) -> Option<UnixMillis> {
    let zoned = jiff::fmt::rfc2822::parse(&text.replace("GMT", "+0000")).ok()?;
    Some(UnixMillis(zoned.timestamp().as_millisecond()))
}

/// Classifies an answer of the token endpoint, and keeps of its words what may be shown.
pub fn classify(answer: &Answer, withheld: &Withheld) -> Reply {
    let id = answer
        .header("x-request-id")
        .or_else(|| answer.header("sp-trace-id"));
    Reply {
        outcome: outcome(answer, withheld),
        status: answer.status,
        request_id: id.map(|id| withheld.shown(id, 100)),
    }
}

fn outcome(answer: &Answer, withheld: &Withheld) -> Outcome {
    let retry_after = RetryAfter::from_headers(&answer.headers);
    match answer.status.as_u16() {
        200..=299 => success(answer),
        429 => Outcome::Throttled { retry_after },
        // A gateway's page, whatever it quotes; also a redirect, which is never followed.
        300..=399 | 408 | 425 | 500..=599 => Outcome::Unavailable { retry_after },
        _ => failure(answer, withheld),
    }
}

fn success(answer: &Answer) -> Outcome {
    let Some(body) = object(answer) else {
        return match salvage(&answer.body) {
            Some(token) => Outcome::Salvaged(token),
            None => Outcome::Unintelligible {
                why: "the success answer is not a JSON object",
            },
        };
    };
    let refresh_token = token_text(&body, "refresh_token").map(RefreshToken::new);
    let bearer = match body.get("token_type") {
        None | Some(Value::Null) => true,
        Some(Value::String(kind)) => kind.eq_ignore_ascii_case("bearer"),
        Some(_) => false,
    };
    let access_token = token_text(&body, "access_token")
        .filter(|_| bearer)
        .map(AccessToken::new);
    match (access_token, refresh_token) {
        (Some(access_token), refresh_token) => Outcome::Granted(Granted {
            access_token,
            expires_in: expires_in(body.get("expires_in")),
            // A blank scope has been seen on refreshes; it says nothing about what was granted.
            scope: body
                .get("scope")
                .and_then(Value::as_str)
                .and_then(|scope| scope.parse().ok())
                .filter(|scope: &Scope| !scope.is_empty()),
            refresh_token,
        }),
        (None, Some(refresh_token)) => Outcome::Salvaged(refresh_token),
        (None, None) => Outcome::Unintelligible {
            why: "the success answer has no bearer token",
        },
    }
}

fn failure(answer: &Answer, withheld: &Withheld) -> Outcome {
    let body = object(answer).filter(|_| answer.may_be_json());
    let text = |name| body.as_ref().and_then(|body| body.get(name)?.as_str());
    let Some(code) = text("error") else {
        return Outcome::Unintelligible {
            why: "the refusal is not an OAuth error object",
        };
    };
    let error = ErrorResponse {
        code: withheld.shown(code, 64),
        description: text("error_description").map(|text| withheld.shown(text, 200)),
    };
    // The field matters more than the status: providers have sent it with 400, 401 and 403. What may be
    // shown of it decides nothing.
    match printable(code, 64).as_str() {
        "invalid_grant" => Outcome::Refused(error),
        "temporarily_unavailable" | "server_error" => Outcome::Unavailable { retry_after: None },
        _ => Outcome::Misconfigured(error),
    }
}

fn object(answer: &Answer) -> Option<serde_json::Map<String, Value>> {
    if !answer.complete {
        return None;
    }
    serde_json::from_slice(&answer.body).ok()
}

fn token_text(body: &serde_json::Map<String, Value>, name: &str) -> Option<Box<str>> {
    let text = body.get(name)?.as_str()?;
    is_token(text).then(|| text.into())
}

fn is_token(text: &str) -> bool {
    // RFC 6749 appendix A.12 and A.17: visible characters and the space.
    (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|b| matches!(b, 0x20..=0x7e))
}

/// Finds a whole `"refresh_token": "…"` in an answer that was cut or mangled: it may be the only copy
/// of a token that the provider now insists on.
fn salvage(body: &[u8]) -> Option<RefreshToken> {
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once("\"refresh_token\"")?;
    let rest = rest
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?;
    let (token, _) = rest.split_once('"')?;
    (is_token(token) && !token.contains('\\')).then(|| RefreshToken::new(token))
}

/// Seconds as a number or a text, whole or not; never zero, so that nothing spins on it.
fn expires_in(value: Option<&Value>) -> Duration {
    let seconds = match value {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    match seconds {
        Some(seconds) if seconds.is_finite() => {
            Duration::from_secs_f64(seconds.clamp(1.0, LONGEST_LIFE.as_secs_f64()))
        }
        _ => DEFAULT_LIFE,
    }
}

/// The provider's text made safe to show: one line, no control characters, not endless.
pub fn printable(text: &str, most: usize) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(most)
        .collect()
}

#[cfg(test)]
mod tests;
