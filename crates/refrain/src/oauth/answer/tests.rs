//! The table of answers, and the odd cases behind it.

use http::{HeaderMap, HeaderValue, StatusCode};
use zeroize::Zeroizing;

use super::*;

fn answer(status: u16, content_type: &str, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert("content-type", HeaderValue::from_str(content_type).unwrap());
    }
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Zeroizing::new(body.as_bytes().to_vec()),
        complete: true,
    }
}

fn nothing() -> Withheld {
    Withheld::new([])
}

/// A short name for an outcome, so that the table stays a table.
fn name(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Granted(granted) => match &granted.refresh_token {
            Some(token) => format!("granted+{}", token.expose()),
            None => "granted".into(),
        },
        Outcome::Salvaged(token) => format!("salvaged+{}", token.expose()),
        Outcome::Refused(_) => "refused".into(),
        Outcome::Misconfigured(error) => format!("misconfigured {}", error.code),
        Outcome::Throttled { .. } => "throttled".into(),
        Outcome::Unavailable { .. } => "unavailable".into(),
        Outcome::Unintelligible { .. } => "unintelligible".into(),
    }
}

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const ENVOY: &str = "upstream connect error or disconnect/reset before headers. reset reason: \
                     connection termination";

#[test]
#[expect(clippy::too_many_lines, reason = "one table, one row an answer")]
fn every_answer_has_its_meaning() {
    let table: &[(u16, &str, &str, &str)] = &[
        // Success: every form in which a refresh token can be there or not.
        (
            200,
            JSON,
            r#"{"access_token":"BQ","token_type":"Bearer","expires_in":3600}"#,
            "granted",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","refresh_token":"AQ"}"#,
            "granted+AQ",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","refresh_token":""}"#,
            "granted",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","refresh_token":null}"#,
            "granted",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","refresh_token":7}"#,
            "granted",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","refresh_token":["AQ"]}"#,
            "granted",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","refresh_token":"A Q"}"#,
            "granted+A Q",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","token_type":"bearer"}"#,
            "granted",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","token_type":"BEARER"}"#,
            "granted",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","expires_in":"3600"}"#,
            "granted",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","expires_in":3600.5}"#,
            "granted",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","expires_in":null,"scope":null}"#,
            "granted",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","unknown":{"a":[1]}}"#,
            "granted",
        ),
        (
            200,
            "application/json;charset=UTF-8",
            r#"{"access_token":"BQ"}"#,
            "granted",
        ),
        (200, "", r#"{"access_token":"BQ"}"#, "granted"),
        // A wrong content type must not cost a rotation.
        (
            200,
            "text/plain",
            r#"{"access_token":"BQ","refresh_token":"AQ"}"#,
            "granted+AQ",
        ),
        (201, JSON, r#"{"access_token":"BQ"}"#, "granted"),
        // Success that is not one.
        (
            200,
            JSON,
            r#"{"access_token":"","token_type":"Bearer"}"#,
            "unintelligible",
        ),
        (200, JSON, r#"{"access_token":null}"#, "unintelligible"),
        (200, JSON, r#"{"access_token":12}"#, "unintelligible"),
        (200, JSON, r#"{"refresh_token":"AQ"}"#, "salvaged+AQ"),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","token_type":"mac","refresh_token":"AQ"}"#,
            "salvaged+AQ",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","token_type":"mac"}"#,
            "unintelligible",
        ),
        (
            200,
            JSON,
            r#"{"token_type":"Bearer","refresh_token":"AQ","access_to"#,
            "salvaged+AQ",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"BQ","refresh_token":"AQ"#,
            "unintelligible",
        ),
        (200, JSON, r#"{"access_token":"BQ"#, "unintelligible"),
        (200, JSON, "", "unintelligible"),
        (200, JSON, "null", "unintelligible"),
        (200, JSON, r#"["BQ"]"#, "unintelligible"),
        (200, HTML, "<html>It works!</html>", "unintelligible"),
        (200, JSON, r#"{"error":"invalid_grant"}"#, "unintelligible"),
        (204, "", "", "unintelligible"),
        // A verdict on the presented token, in every wording.
        (
            400,
            JSON,
            r#"{"error":"invalid_grant","error_description":"Invalid refresh token"}"#,
            "refused",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_grant","error_description":"Refresh token revoked"}"#,
            "refused",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_grant","error_description":"Refresh token expired"}"#,
            "refused",
        ),
        (400, JSON, r#"{"error":"invalid_grant"}"#, "refused"),
        (
            400,
            JSON,
            r#"{"error":"invalid_grant","error_description":null}"#,
            "refused",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_grant","error_description":"Invalid authorization code"}"#,
            "refused",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_grant","error_description":"Authorization code expired"}"#,
            "refused",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_grant","error_description":"Invalid redirect URI"}"#,
            "refused",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_grant","error_description":"code_verifier was incorrect"}"#,
            "refused",
        ),
        (401, JSON, r#"{"error":"invalid_grant"}"#, "refused"),
        (
            403,
            "application/problem+json",
            r#"{"error":"invalid_grant"}"#,
            "refused",
        ),
        (400, "", r#"{"error":"invalid_grant"}"#, "refused"),
        // No verdict: not an OAuth error, or not from the endpoint itself.
        (400, HTML, r#"{"error":"invalid_grant"}"#, "unintelligible"),
        (400, "text/plain", "invalid_grant", "unintelligible"),
        (
            400,
            JSON,
            r#"{"error":{"status":400,"message":"invalid_grant"}}"#,
            "unintelligible",
        ),
        (
            400,
            JSON,
            r#"{"message":"invalid_grant"}"#,
            "unintelligible",
        ),
        (400, JSON, "", "unintelligible"),
        (400, HTML, "<h1>Bad Request</h1>", "unintelligible"),
        (500, JSON, r#"{"error":"invalid_grant"}"#, "unavailable"),
        (401, "", "", "unintelligible"),
        (403, HTML, "<html>blocked by proxy</html>", "unintelligible"),
        (404, HTML, "<html>Not found</html>", "unintelligible"),
        // The operator's business.
        (
            400,
            JSON,
            r#"{"error":"invalid_client","error_description":"Invalid client"}"#,
            "misconfigured invalid_client",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_client","error_description":"Invalid client secret"}"#,
            "misconfigured invalid_client",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_client","error_description":"Failed to get client"}"#,
            "misconfigured invalid_client",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_client"}"#,
            "misconfigured invalid_client",
        ),
        (
            401,
            JSON,
            r#"{"error":"invalid_client"}"#,
            "misconfigured invalid_client",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_request","error_description":"refresh_token must be supplied"}"#,
            "misconfigured invalid_request",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_request","error_description":"code_verifier required"}"#,
            "misconfigured invalid_request",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_request","error_description":"Invalid client secret"}"#,
            "misconfigured invalid_request",
        ),
        (
            400,
            JSON,
            r#"{"error":"unsupported_grant_type","error_description":"grant_type parameter is missing"}"#,
            "misconfigured unsupported_grant_type",
        ),
        (
            400,
            JSON,
            r#"{"error":"unauthorized_client"}"#,
            "misconfigured unauthorized_client",
        ),
        (
            400,
            JSON,
            r#"{"error":"invalid_scope"}"#,
            "misconfigured invalid_scope",
        ),
        // Trouble on the way.
        (429, JSON, r#"{"error":"invalid_grant"}"#, "throttled"),
        (429, "text/plain", "Too many requests", "throttled"),
        (500, JSON, r#"{"error":"server_error"}"#, "unavailable"),
        (400, JSON, r#"{"error":"server_error"}"#, "unavailable"),
        (
            400,
            JSON,
            r#"{"error":"temporarily_unavailable"}"#,
            "unavailable",
        ),
        (503, "text/plain", ENVOY, "unavailable"),
        (
            503,
            HTML,
            "No server is available to handle this request.",
            "unavailable",
        ),
        (502, HTML, "<html>Bad Gateway</html>", "unavailable"),
        (504, "", "", "unavailable"),
        (
            500,
            JSON,
            r#"{"access_token":"BQ","refresh_token":"AQ"}"#,
            "unavailable",
        ),
        (408, "", "", "unavailable"),
        (425, "", "", "unavailable"),
        (302, HTML, "", "unavailable"),
        (307, JSON, r#"{"error":"invalid_grant"}"#, "unavailable"),
    ];
    assert!(table.len() >= 60, "{} rows", table.len());
    for (status, content_type, body, expected) in table {
        let reply = classify(&answer(*status, content_type, body), &nothing());
        assert_eq!(
            name(&reply.outcome),
            *expected,
            "{status} {content_type} {body}"
        );
        assert_eq!(reply.status.as_u16(), *status);
    }
}

#[test]
fn an_answer_cut_short_is_no_success_even_when_it_parses() {
    let mut cut = answer(200, JSON, r#"{"access_token":"BQ","refresh_token":"AQ"}"#);
    cut.complete = false;
    assert_eq!(name(&classify(&cut, &nothing()).outcome), "salvaged+AQ");
    let mut cut = answer(400, JSON, r#"{"error":"invalid_grant"}"#);
    cut.complete = false;
    assert_eq!(name(&classify(&cut, &nothing()).outcome), "unintelligible");
}

#[test]
fn lifetimes_are_read_liberally_and_kept_sane() {
    for (json, seconds) in [
        ("3600", 3600),
        ("\"3600\"", 3600),
        ("60.0", 60),
        ("null", 3600),
        ("\"soon\"", 3600),
        ("0", 1),
        ("-5", 1),
        ("1e300", 30 * 24 * 3600),
    ] {
        let value = serde_json::from_str(json).unwrap();
        assert_eq!(
            expires_in(Some(&value)),
            Duration::from_secs(seconds),
            "{json}"
        );
    }
    assert_eq!(expires_in(None), DEFAULT_LIFE);
}

#[test]
fn retry_after_is_believed_within_reason() {
    let now = UnixMillis(0);
    let day = Duration::from_secs(24 * 3600);
    for (values, wait) in [
        (&["30"][..], Some(Duration::from_secs(30))),
        (&["0"], Some(Duration::from_secs(1))),
        (&["80000"], Some(Duration::from_secs(80_000))),
        (&["1000000000"], Some(7 * day)),
        (&["99999999999999999999999"], Some(7 * day)),
        (&["-5"], None),
        (&["soon"], None),
        (&[""], None),
        (
            &["Thu, 01 Jan 1970 00:01:00 GMT"],
            Some(Duration::from_secs(60)),
        ),
        (&["5", "60"], Some(Duration::from_secs(60))),
        (&[], None),
    ] {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("retry-after", HeaderValue::from_str(value).unwrap());
        }
        let read = RetryAfter::from_headers(&headers).map(|retry| retry.wait(now));
        assert_eq!(read, wait, "{values:?}");
    }
}

#[test]
fn the_same_token_back_is_no_rotation() {
    let old = RefreshToken::new("AQ1");
    assert!(matches!(
        Rotation::of(&old, Some(RefreshToken::new("AQ1"))),
        Rotation::Kept
    ));
    assert!(matches!(Rotation::of(&old, None), Rotation::Kept));
    assert!(matches!(
        Rotation::of(&old, Some(RefreshToken::new("AQ2"))),
        Rotation::Replaced(_)
    ));
}

#[test]
fn what_a_provider_says_is_shown_on_one_line() {
    let body = "{\"error\":\"invalid_client\",\"error_description\":\"a\\nb\\u001b[31mc\"}";
    let Outcome::Misconfigured(error) = classify(&answer(400, JSON, body), &nothing()).outcome
    else {
        panic!()
    };
    assert_eq!(error.description.as_deref(), Some("ab[31mc"));
}

#[test]
fn what_a_provider_repeats_of_a_secret_is_not_shown_and_decides_nothing() {
    let token = "AQDx5f3a-canary-of-a-refresh-token";
    let withheld = Withheld::new([token, "invalid_grant"]);
    let long = format!("{}{token}", ".".repeat(190));
    let cases = [
        (token.to_owned(), "hm".to_owned()),
        (
            "invalid_request".to_owned(),
            format!("no such token: {token}"),
        ),
        ("invalid_request".to_owned(), long.clone()),
        ("invalid_grant".to_owned(), long),
    ];
    for (error, description) in cases {
        let body = serde_json::json!({ "error": error, "error_description": description });
        let mut answer = answer(400, JSON, &body.to_string());
        let id = HeaderValue::from_str(token).unwrap();
        answer.headers.insert("x-request-id", id);
        let reply = classify(&answer, &withheld);
        assert!(!format!("{reply:?}").contains("AQD"), "{reply:?}");
        let refused = matches!(reply.outcome, Outcome::Refused(_));
        assert_eq!(refused, error == "invalid_grant");
    }
}
