//! What is particular to Spotify, each with its source.

mod scopes;

use url::Host;

use crate::{
    oauth::{authorization::RedirectUri, origin::is_loopback},
    time::UnixMillis,
};

pub use self::scopes::scope_words;

/// Spotify's authorization server.
pub const ACCOUNTS_URL: &str = "https://accounts.spotify.com";
/// Spotify's Web API.
pub const API_URL: &str = "https://api.spotify.com";
/// Where a user sees and removes the apps with access (Spotify's news of 2016-07-25).
pub const USER_APPS_URL: &str = "https://www.spotify.com/account/apps/";
/// Where a developer registers apps and redirect URIs.
pub const DASHBOARD_URL: &str = "https://developer.spotify.com/dashboard";

/// The scopes of Spotify's own OpenAPI document.
pub const SCOPES: [&str; 19] = [
    "app-remote-control",
    "playlist-modify-private",
    "playlist-modify-public",
    "playlist-read-collaborative",
    "playlist-read-private",
    "streaming",
    "ugc-image-upload",
    "user-follow-modify",
    "user-follow-read",
    "user-library-modify",
    "user-library-read",
    "user-modify-playback-state",
    "user-read-currently-playing",
    "user-read-email",
    "user-read-playback-position",
    "user-read-playback-state",
    "user-read-private",
    "user-read-recently-played",
    "user-top-read",
];

/// The instant six calendar months after consent, from which on Spotify refuses the refresh token.
///
/// The clock starts at the user's consent and no refresh moves it (Spotify's developer blog,
/// 2026-06-18). Spotify does not say what six months are in days; calendar months in UTC, the last day of
/// a shorter month standing in for a missing one.
pub fn reauthorize_by(authorized_at: UnixMillis) -> UnixMillis {
    let half_a_year = std::time::Duration::from_secs(182 * 24 * 3600);
    let by_calendar = || {
        let consent = jiff::Timestamp::from_millisecond(authorized_at.0).ok()?;
        let due = consent
            .to_zoned(jiff::tz::TimeZone::UTC)
            .checked_add(jiff::Span::new().months(6));
        Some(UnixMillis(due.ok()?.timestamp().as_millisecond()))
    };
    by_calendar().unwrap_or_else(|| authorized_at.after(half_a_year))
}

/// The instant after which the consent must have been of a token that is honoured now.
pub fn authorized_after(now: UnixMillis) -> UnixMillis {
    let half_a_year = std::time::Duration::from_secs(184 * 24 * 3600);
    let by_calendar = || {
        let now = jiff::Timestamp::from_millisecond(now.0).ok()?;
        let before = now
            .to_zoned(jiff::tz::TimeZone::UTC)
            .checked_sub(jiff::Span::new().months(6));
        Some(UnixMillis(before.ok()?.timestamp().as_millisecond()))
    };
    by_calendar().unwrap_or_else(|| now.before(half_a_year))
}

/// Why Spotify would not take a redirect URI (its page on redirect URIs, and what was observed).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectProblem {
    /// `localhost`, refused since 2025-11-27.
    #[error("Spotify refuses `localhost`: register and configure http://127.0.0.1 instead")]
    Localhost,
    /// http to anything but a loopback address literal.
    #[error(
        "Spotify takes plain http for 127.0.0.1 and [::1] alone: use https, or a loopback address"
    )]
    Insecure,
    /// https to a loopback address, where nobody has a certificate.
    #[error(
        "https on a loopback address needs a certificate that browsers trust: use plain http there"
    )]
    HttpsLoopback,
    /// A fragment never reaches a server.
    #[error("a redirect URI has no fragment (RFC 6749 §3.1.2)")]
    Fragment,
    /// Another scheme; the callback could not reach this program.
    #[error("the scheme {0} does not lead back to this program: use http://127.0.0.1 or https")]
    Scheme(String),
}

impl RedirectProblem {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Localhost => "redirect_localhost",
            Self::Insecure => "redirect_insecure",
            Self::HttpsLoopback => "redirect_https_loopback",
            Self::Fragment => "redirect_fragment",
            Self::Scheme(_) => "redirect_scheme",
        }
    }
}

/// Checks a redirect URI by Spotify's rules before anyone is sent there.
pub fn check_redirect(uri: &RedirectUri) -> Result<(), RedirectProblem> {
    let url = uri.url();
    let Some(host) = url.host() else {
        return Err(RedirectProblem::Scheme(url.scheme().into()));
    };
    if matches!(host, Host::Domain(name) if name.trim_end_matches('.').eq_ignore_ascii_case("localhost"))
    {
        return Err(RedirectProblem::Localhost);
    }
    if url.fragment().is_some() {
        return Err(RedirectProblem::Fragment);
    }
    match (url.scheme(), is_loopback(&host)) {
        ("http", true) | ("https", false) => Ok(()),
        ("http", false) => Err(RedirectProblem::Insecure),
        ("https", true) => Err(RedirectProblem::HttpsLoopback),
        (scheme, _) => Err(RedirectProblem::Scheme(scheme.into())),
    }
}

/// Whether Spotify is known to reject this redirect although its rules allow it: a loopback path with
/// a hyphen (n8n's issue 25805, still reported in February 2026).
pub fn has_hyphen_bug(uri: &RedirectUri) -> bool {
    uri.url().host().is_some_and(|host| is_loopback(&host)) && uri.url().path().contains('-')
}

/// What a 403 of the Web API says about the account, right after a successful login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountProblem {
    /// The app is in development mode and this user is not among its (at most five) users.
    NotAllowlisted,
    /// The app's owner has no Premium, so the whole app is refused.
    OwnerNotPremium,
    /// Something else.
    Other,
}

impl AccountProblem {
    /// Reads the body of a 403; Spotify sends plain text here as often as JSON.
    pub fn from_body(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body).to_ascii_lowercase();
        let says = |part: &str| text.contains(part);
        if says("premium subscription required for the owner") {
            Self::OwnerNotPremium
        } else if says("not registered in the developer dashboard")
            || says("user may not be registered")
        {
            Self::NotAllowlisted
        } else {
            Self::Other
        }
    }
}

/// What Spotify shows on its own page, without ever calling back, and what it means.
pub const PAGE_ERRORS: [(&str, &str); 6] = [
    (
        "INVALID_CLIENT: Invalid redirect URI",
        "the redirect URI is not registered for this app, byte for byte",
    ),
    (
        "INVALID_CLIENT: Insecure redirect URI",
        "plain http to another host than 127.0.0.1 or [::1], or `localhost`",
    ),
    (
        "INVALID_CLIENT: Failed to get client",
        "no app has this client id",
    ),
    (
        "redirect_uri: Not matching configuration",
        "as the first, in newer words",
    ),
    (
        "Illegal scope",
        "a scope that does not exist, or that this app may not ask for",
    ),
    (
        "Oops! Something went wrong",
        "a fault at Spotify: try again in a minute",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMillis {
        UnixMillis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn six_months_are_calendar_months() {
        assert_eq!(
            reauthorize_by(at("2026-06-18T10:00:00Z")),
            at("2026-12-18T10:00:00Z")
        );
        assert_eq!(
            reauthorize_by(at("2026-08-31T10:00:00Z")),
            at("2027-02-28T10:00:00Z")
        );
        assert_eq!(
            reauthorize_by(at("2027-08-31T00:00:00Z")),
            at("2028-02-29T00:00:00Z")
        );
    }

    #[test]
    fn redirects_are_judged_as_spotify_does() {
        let check = |text: &str| check_redirect(&text.parse().unwrap());
        for good in [
            "http://127.0.0.1:4280/callback",
            "http://127.0.0.1/callback",
            "http://[::1]:4280/callback",
            "https://music.example/callback",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "http://localhost:4280/callback",
            "https://LOCALHOST/cb",
            "http://localhost./",
        ] {
            assert_eq!(check(bad), Err(RedirectProblem::Localhost), "{bad}");
        }
        for bad in [
            "http://192.168.0.2/callback",
            "http://nas.local/callback",
            "http://0.0.0.0/",
        ] {
            assert_eq!(check(bad), Err(RedirectProblem::Insecure), "{bad}");
        }
        assert_eq!(
            check("https://127.0.0.1/callback"),
            Err(RedirectProblem::HttpsLoopback)
        );
        assert_eq!(
            check("https://a.example/c#x"),
            Err(RedirectProblem::Fragment)
        );
        assert_eq!(
            check("myapp://host/cb"),
            Err(RedirectProblem::Scheme("myapp".into()))
        );
        assert!(has_hyphen_bug(
            &"http://127.0.0.1/call-back".parse().unwrap()
        ));
        assert!(!has_hyphen_bug(
            &"https://a.example/call-back".parse().unwrap()
        ));
    }

    #[test]
    fn a_403_is_told_apart() {
        let read = |text: &str| AccountProblem::from_body(text.as_bytes());
        assert_eq!(
            read("User not registered in the Developer Dashboard"),
            AccountProblem::NotAllowlisted
        );
        assert_eq!(
            read("Active premium subscription required for the owner of the app. When …"),
            AccountProblem::OwnerNotPremium
        );
        assert_eq!(
            read(
                "Check settings on developer.spotify.com/dashboard, the user may not be registered."
            ),
            AccountProblem::NotAllowlisted
        );
        assert_eq!(
            read(r#"{"error":{"status":403,"message":"Forbidden"}}"#),
            AccountProblem::Other
        );
    }
}
