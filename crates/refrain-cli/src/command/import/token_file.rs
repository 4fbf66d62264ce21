//! Files that hold one token as JSON: the caches of spotipy, of rspotify, and of what is built on them.
//!
//! They differ in how they write an instant and a scope, and either way is understood: versions and forks
//! mix them. None says which client the token was issued to; the refresh finds out.

use std::time::Duration;

use refrain::lifecycle::row::Bounds;
use serde::Deserialize;

use super::{
    Found, earlier, fault,
    file::Content,
    read::{InstantText, ScopeText, TokenText},
};
use crate::report::Explanation;

/// What all of them write.
#[derive(Deserialize)]
struct TokenFile {
    #[serde(default)]
    refresh_token: Option<TokenText>,
    #[serde(default, alias = "scopes")]
    scope: ScopeText,
    /// When the access token ends.
    #[serde(default)]
    expires_at: Option<InstantText>,
    /// How long it lives.
    #[serde(default)]
    expires_in: Option<f64>,
    /// What librespot writes instead.
    #[serde(default)]
    auth_type: Option<serde::de::IgnoredAny>,
    /// Whether it is a token at all.
    #[serde(default)]
    access_token: Option<serde::de::IgnoredAny>,
}

pub(super) fn spotipy(content: &Content) -> Result<Found, Explanation> {
    found(
        content,
        "spotipy's cache: one JSON object with access_token, expires_at and refresh_token",
        "a cache of SpotifyClientCredentials has none, and needs none: such an app reads public data \
         without a user; that of SpotifyOAuth or SpotifyPKCE has one, and is usually called .cache or \
         .cache-USER",
    )
}

pub(super) fn rspotify(content: &Content) -> Result<Found, Explanation> {
    found(
        content,
        "rspotify's cache: one JSON object with access_token, expires_at and refresh_token",
        "a cache of ClientCredsSpotify has none, and AuthCodePkceSpotify has lost it where Spotify's answer \
         to a refresh had none; run `refrain login`",
    )
}

pub(super) fn spotify_player(content: &Content) -> Result<Found, Explanation> {
    found(
        content,
        "spotify_player's user_client_token.json: one JSON object with access_token, expires_at and \
         refresh_token",
        "versions before 0.24.1 have lost it where Spotify's answer to a refresh had none; run `refrain login`",
    )
}

fn found(content: &Content, expected: &str, without: &str) -> Result<Found, Explanation> {
    let file: TokenFile = serde_json::from_slice(&content.bytes)
        .map_err(|error| fault::not_json(&content.path, &error, expected))?;
    if file.auth_type.is_some() {
        return Err(fault::librespot());
    }
    let place = content.path.display().to_string();
    let Some(token) = file.refresh_token.filter(|token| !token.is_empty()) else {
        return Err(match file.access_token {
            Some(_) => fault::no_token(&place, without),
            None => fault::not_understood(&content.path, "holds no token", expected),
        });
    };
    // The answer that was written down came after the consent.
    let life = file
        .expires_in
        .filter(|life| (0.0..=86_400.0).contains(life));
    let expires_at = file.expires_at.and_then(|at| at.instant());
    let issued = expires_at.map(|at| at.before(Duration::from_secs_f64(life.unwrap_or_default())));
    Ok(Found {
        refresh_token: token.token(&place)?,
        client_id: None,
        scope: file.scope.scope(),
        consent: Bounds {
            after: None,
            before: earlier(issued, content.written),
        },
    })
}

#[cfg(test)]
mod tests {
    use refrain::time::UnixMillis;
    use zeroize::Zeroizing;

    use super::*;

    const WRITTEN: UnixMillis = UnixMillis(1_795_000_000_000);

    fn content(text: &str) -> Content {
        Content {
            path: "token".into(),
            bytes: Zeroizing::new(text.as_bytes().to_vec()),
            written: Some(WRITTEN),
            mode: 0o600,
        }
    }

    #[test]
    fn spotipys_cache_is_read() {
        let text = r#"{"access_token": "BQC1", "token_type": "Bearer", "expires_in": 3600,
            "scope": "user-read-private streaming", "expires_at": 1794000000, "refresh_token": "AQD1"}"#;
        let found = spotipy(&content(text)).unwrap();
        assert_eq!(found.refresh_token.expose(), "AQD1");
        assert_eq!(found.scope.unwrap().iter().count(), 2);
        // An hour before the access token ends.
        assert_eq!(found.consent.before, Some(UnixMillis(1_793_996_400_000)));
        assert_eq!(found.consent.after, None);
    }

    #[test]
    fn rspotifys_cache_is_read() {
        let text = r#"{"access_token":"BQC1","expires_in":3600,
            "expires_at":"2026-11-06T21:20:00.123456789Z","refresh_token":"AQD1",
            "scope":"user-read-private"}"#;
        let found = rspotify(&content(text)).unwrap();
        assert_eq!(found.refresh_token.expose(), "AQD1");
        assert_eq!(found.consent.before, Some(UnixMillis(1_793_996_400_123)));
        // Without a life and an end the file's own time is what is left.
        let text =
            r#"{"access_token":"BQC1","expires_in":0,"expires_at":null,"refresh_token":"AQD1"}"#;
        let found = rspotify(&content(text)).unwrap();
        assert_eq!(found.consent.before, Some(WRITTEN));
    }

    #[test]
    fn the_earlier_of_file_and_answer_counts() {
        // A clock that ran ahead.
        let text = r#"{"access_token": "B", "expires_in": 3600, "expires_at": 1796000000, "refresh_token": "A"}"#;
        assert_eq!(
            spotipy(&content(text)).unwrap().consent.before,
            Some(WRITTEN)
        );
    }

    #[test]
    fn without_a_refresh_token_it_is_told_why() {
        for text in [
            r#"{"access_token":"B","expires_in":3600,"expires_at":1,"token_type":"Bearer"}"#,
            r#"{"access_token":"B","refresh_token":null}"#,
            r#"{"access_token":"B","refresh_token":""}"#,
        ] {
            let error = spotipy(&content(text)).unwrap_err();
            assert_eq!(error.code, "import_no_token", "{text}");
            assert!(error.fix.contains("SpotifyClientCredentials"), "{error:?}");
        }
    }

    #[test]
    fn another_file_is_told_without_what_is_in_it() {
        for text in [
            "",
            "AQDcanary",
            "{\"refresh_token\": \"AQDcanary",
            "[1]",
            "{}",
            "null",
            "{\"refresh_token\": [\"AQDcanary\"]}",
            "{\"refresh_token\": 17}",
            "\u{0}\u{1}",
        ] {
            let error = spotipy(&content(text)).unwrap_err();
            assert_eq!(error.code, "import_not_understood", "{text}");
            assert!(error.fix.contains("spotipy's cache"), "{error:?}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn librespots_credentials_are_no_token() {
        let text = r#"{"username":"alice","auth_type":1,"auth_data":"c2VjcmV0"}"#;
        let error = spotify_player(&content(text)).unwrap_err();
        assert_eq!(error.code, "import_not_possible");
    }
}
