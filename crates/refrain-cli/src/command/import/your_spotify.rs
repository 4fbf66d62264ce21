//! `your_spotify` keeps its users in a database; `mongoexport` writes them as JSON, a line or an array element each.

use std::time::Duration;

use refrain::{lifecycle::row::Bounds, time::UnixMillis};
use serde::Deserialize;

use super::{
    Found, earlier, fault,
    file::Content,
    read::{TokenText, millis},
};
use crate::report::Explanation;

const EXPECTED: &str = "what `mongoexport --collection=users` writes: an object for each user, with username, \
     spotifyId and refreshToken";
/// A user is written down when their consent comes back; clocks may differ.
const SLACK: Duration = Duration::from_secs(60 * 60);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    #[serde(rename = "_id", default)]
    id: Option<ObjectId>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    spotify_id: Option<String>,
    /// When the access token ends, in milliseconds since 1970.
    #[serde(default)]
    expires_in: Option<Number>,
    #[serde(default)]
    refresh_token: Option<TokenText>,
}

/// The id of a document; its first four bytes are when it was made.
#[derive(Deserialize)]
struct ObjectId {
    #[serde(rename = "$oid")]
    hex: String,
}

/// A number, plain or as Extended JSON has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(f64),
    Long {
        #[serde(rename = "$numberLong")]
        text: String,
    },
    Double {
        #[serde(rename = "$numberDouble")]
        text: String,
    },
}

impl Number {
    fn value(&self) -> Option<f64> {
        match self {
            Self::Plain(number) => Some(*number),
            Self::Long { text } | Self::Double { text } => text.parse().ok(),
        }
    }
}

impl User {
    fn is(&self, wanted: &str) -> bool {
        let is = |name: &Option<String>| name.as_deref() == Some(wanted);
        is(&self.username) || is(&self.spotify_id)
    }

    fn shown(&self) -> String {
        let text = |it: &Option<String>| it.clone().unwrap_or_else(|| "?".to_owned());
        format!("{} ({})", text(&self.username), text(&self.spotify_id))
    }

    fn made_at(&self) -> Option<UnixMillis> {
        let seconds = self.id.as_ref()?.hex.get(..8)?;
        let seconds = u32::from_str_radix(seconds, 16).ok()?;
        Some(UnixMillis(i64::from(seconds) * 1000))
    }
}

pub(super) fn found(content: &Content, wanted: Option<&str>) -> Result<Found, Explanation> {
    let users = users(content)?;
    let place = content.path.display().to_string();
    let has = |user: &&User| user.refresh_token.as_ref().is_some_and(|it| !it.is_empty());
    let chosen: Vec<&User> = users
        .iter()
        .filter(|user| wanted.is_none_or(|wanted| user.is(wanted)))
        .filter(has)
        .collect();
    let user = match chosen.as_slice() {
        [user] => *user,
        [] => {
            let names: Vec<_> = users.iter().filter(has).map(User::shown).collect();
            return Err(match wanted {
                Some(wanted) if !names.is_empty() => fault::several(
                    &format!("{place} has no user {wanted} with a token; there are"),
                    &names,
                    "say which one with --user",
                ),
                _ => fault::no_token(
                    &place,
                    "a user has none before they have signed in to Spotify; name them with --user",
                ),
            });
        }
        several => {
            let names: Vec<_> = several.iter().map(|user| user.shown()).collect();
            let what = format!("{place} has several users");
            return Err(fault::several(
                &what,
                &names,
                "say which one with --user, by Spotify id",
            ));
        }
    };
    let token = user.refresh_token.as_ref().map(|it| it.token(&place));
    let refresh_token = token.unwrap_or_else(|| Err(fault::no_token(&place, "see --user")))?;
    let ends = user.expires_in.as_ref().and_then(Number::value);
    Ok(Found {
        refresh_token,
        // It is in the server's environment alone.
        client_id: None,
        scope: None,
        consent: Bounds {
            // The first of their consents; the present one came then or later.
            after: user.made_at().map(|at| at.before(SLACK)),
            before: earlier(ends.and_then(millis), content.written),
        },
    })
}

/// One object after the other, or one array of them.
fn users(content: &Content) -> Result<Vec<User>, Explanation> {
    let error = |error| fault::not_json(&content.path, &error, EXPECTED);
    let first = content.bytes.iter().find(|it| !it.is_ascii_whitespace());
    let users: Vec<User> = if first == Some(&b'[') {
        serde_json::from_slice(&content.bytes).map_err(error)?
    } else {
        let stream = serde_json::Deserializer::from_slice(&content.bytes).into_iter();
        stream.collect::<Result<_, _>>().map_err(error)?
    };
    let known = |user: &User| user.spotify_id.is_some() || user.username.is_some();
    if users.iter().any(known) {
        Ok(users)
    } else {
        Err(fault::not_understood(
            &content.path,
            "holds no users",
            EXPECTED,
        ))
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    const LINES: &str = concat!(
        r#"{"_id":{"$oid":"6900a1b02f1d3c0012ab34cd"},"username":"alice","admin":true,"spotifyId":"alice01","#,
        r#""expiresIn":{"$numberLong":"1794000000000"},"accessToken":"BQC1","refreshToken":"AQD1","#,
        r#""lastTimestamp":1793000000000,"settings":{"historyLine":true},"lastImport":null}"#,
        "\n",
        r#"{"_id":{"$oid":"6900a1b02f1d3c0012ab34ce"},"username":"bob","spotifyId":"bob02","#,
        r#""expiresIn":1794000000000.0,"accessToken":"BQC2","refreshToken":"AQD2"}"#,
        "\n",
        r#"{"username":"carol","spotifyId":"carol03","expiresIn":0,"accessToken":null,"refreshToken":null}"#,
        "\n",
    );

    fn content(text: &str) -> Content {
        Content {
            path: "users.json".into(),
            bytes: Zeroizing::new(text.as_bytes().to_vec()),
            written: Some(UnixMillis(1_795_000_000_000)),
            mode: 0o600,
        }
    }

    #[test]
    fn a_user_is_found_by_name_or_id() {
        for (wanted, token) in [("alice", "AQD1"), ("alice01", "AQD1"), ("bob02", "AQD2")] {
            let found = found(&content(LINES), Some(wanted)).unwrap();
            assert_eq!(found.refresh_token.expose(), token);
            assert_eq!(found.consent.before, Some(UnixMillis(1_794_000_000_000)));
            let after = i64::from(0x6900_a1b0_u32) * 1000 - 3_600_000;
            assert_eq!(found.consent.after, Some(UnixMillis(after)));
        }
    }

    #[test]
    fn an_array_is_read_like_lines() {
        let array = format!("[{}]", LINES.trim_end().replace('\n', ","));
        let found = found(&content(&array), Some("bob")).unwrap();
        assert_eq!(found.refresh_token.expose(), "AQD2");
    }

    #[test]
    fn the_only_one_with_a_token_need_not_be_named() {
        let lines: String = LINES.lines().skip(1).collect();
        assert_eq!(
            found(&content(&lines), None)
                .unwrap()
                .refresh_token
                .expose(),
            "AQD2"
        );
    }

    #[test]
    fn of_several_the_names_are_told_and_nothing_else() {
        let error = found(&content(LINES), None).unwrap_err();
        assert_eq!(error.code, "import_several");
        assert!(
            error.what.ends_with("alice (alice01), bob (bob02)"),
            "{error:?}"
        );
        let error = found(&content(LINES), Some("carol")).unwrap_err();
        assert_eq!(error.code, "import_several");
        assert!(!format!("{error:?}").contains("AQD"), "{error:?}");
    }

    #[test]
    fn what_is_no_dump_is_told() {
        for text in [
            "",
            "\u{1f}\u{8b}dump",
            "{\"username\": AQDcanary",
            "{}",
            "[]",
        ] {
            let error = found(&content(text), None).unwrap_err();
            assert_eq!(error.code, "import_not_understood", "{text}");
            assert!(error.fix.contains("mongoexport"), "{error:?}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }
}
