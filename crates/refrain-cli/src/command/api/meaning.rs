//! What an error status of the Web API means, for a person.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use refrain::{
    id::GrantName,
    provider::spotify::{AccountProblem, DASHBOARD_URL},
    time::UnixMillis,
    words,
};

use crate::report::{Exit, Explanation};

pub(super) fn of(
    grant: &GrantName,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: UnixMillis,
) -> Explanation {
    let (meaning, fix, wait) = match status.as_u16() {
        401 => (
            "Spotify rejects the token, also after a refresh",
            format!("run `refrain why {grant}`"),
            None,
        ),
        403 => {
            let (meaning, fix) = forbidden(grant, body);
            (meaning, fix, None)
        }
        429 => {
            let wait = retry_after(headers);
            let (meaning, fix) = too_many(body, wait);
            (meaning, fix, wait)
        }
        _ => ("", String::new(), None),
    };
    let reason = status.canonical_reason().unwrap_or("(no name)");
    let separator = if meaning.is_empty() { "" } else { ": " };
    Explanation {
        code: "api_status",
        what: format!("HTTP {} {reason}{separator}{meaning}", status.as_u16()),
        safe: String::new(),
        fix,
        retry_at: wait.map(|wait| now.after(wait)),
        exit: Exit::Api,
    }
}

fn forbidden(grant: &GrantName, body: &[u8]) -> (&'static str, String) {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    match AccountProblem::from_body(body) {
        AccountProblem::NotAllowlisted => (
            "this user is not among the users of the app, which is in development mode",
            format!("add the user's e-mail address under User Management at {DASHBOARD_URL}"),
        ),
        AccountProblem::OwnerNotPremium => (
            "the owner of the app has no Premium, so Spotify refuses the whole app",
            "renew the owner's Premium; it can take a few hours until Spotify takes notice"
                .to_owned(),
        ),
        AccountProblem::Other if text.contains("insufficient client scope") => (
            "the grant lacks a scope that this call needs",
            format!(
                "see which in Spotify's reference, and run `refrain login {grant} --scope '…'`"
            ),
        ),
        AccountProblem::Other if text.contains("premium") => (
            "the listener has no Premium, which this call needs",
            "use a Premium account".to_owned(),
        ),
        AccountProblem::Other => (
            "Spotify refuses this call to this app or user; logging in again does not help",
            "see whether the endpoint is open to apps in development mode".to_owned(),
        ),
    }
}

fn too_many(body: &[u8], wait: Option<Duration>) -> (&'static str, String) {
    let wait = wait.map_or_else(
        || "wait at least half a minute".to_owned(),
        |wait| format!("wait {}", words::long(wait)),
    );
    if String::from_utf8_lossy(body).contains("QUOTA_EXCEEDED") {
        (
            "the quota of the developer account is used up, for all its apps in development mode",
            wait,
        )
    } else {
        ("too many calls of this app", wait)
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, wait: Option<&str>, body: &str) -> Explanation {
        let mut headers = HeaderMap::new();
        if let Some(wait) = wait {
            headers.insert(header::RETRY_AFTER, wait.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let now = UnixMillis(1_795_000_000_000);
        of(
            &"alice".parse().unwrap(),
            status,
            &headers,
            body.as_bytes(),
            now,
        )
    }

    #[test]
    fn the_kinds_of_403_are_told_apart() {
        for (body, part) in [
            (
                r#"{"error":{"message":"Insufficient client scope"}}"#,
                "lacks a scope",
            ),
            (
                "User not registered in the Developer Dashboard",
                "not among the users",
            ),
            (
                "Active premium subscription required for the owner of the app.",
                "owner of the app",
            ),
            (
                r#"{"error":{"reason":"PREMIUM_REQUIRED"}}"#,
                "listener has no Premium",
            ),
            (
                r#"{"error":{"message":"Forbidden"}}"#,
                "logging in again does not help",
            ),
        ] {
            let told = told(403, None, body);
            assert!(
                told.what.starts_with("HTTP 403 Forbidden: "),
                "{}",
                told.what
            );
            assert!(told.what.contains(part), "{}", told.what);
        }
    }

    #[test]
    fn a_pause_is_told_in_words_and_as_an_instant() {
        let quota = told(429, Some("48925"), r#"{"reason":"QUOTA_EXCEEDED"}"#);
        assert_eq!(quota.fix, "wait 13 hours");
        assert!(quota.what.contains("developer account"));
        assert_eq!(quota.retry_at, Some(UnixMillis(1_795_048_925_000)));
        assert_eq!(told(429, Some("soon"), "").retry_at, None);
    }

    #[test]
    fn other_statuses_speak_for_themselves() {
        let told = told(404, None, "{}");
        assert_eq!(
            (told.what.as_str(), told.exit),
            ("HTTP 404 Not Found", Exit::Api)
        );
    }
}
