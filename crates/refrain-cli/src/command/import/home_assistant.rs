//! Home Assistant keeps its integrations in `.storage/core.config_entries`, and the apps that its user has
//! registered in `.storage/application_credentials`.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use refrain::{lifecycle::row::Bounds, oauth::client::ClientId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Found, earlier, fault,
    file::{self, Content},
    read::{InstantText, ScopeText, TokenText},
};
use crate::report::Explanation;

const ENTRIES: &str = "core.config_entries";
const CREDENTIALS: &str = "application_credentials";
const DOMAIN: &str = "spotify";
/// The user is signed in by the app of Home Assistant's cloud.
const CLOUD: &str = "cloud";
const EXPECTED: &str =
    "Home Assistant's .storage/core.config_entries: a JSON object with data.entries";
/// An entry is written down when the consent comes back; clocks may differ.
const SLACK: Duration = Duration::from_secs(60 * 60);

#[derive(Deserialize)]
struct Storage<T> {
    data: T,
}

#[derive(Deserialize)]
struct Entries<'a> {
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    domain: String,
    #[serde(default)]
    title: Option<String>,
    /// Since Home Assistant 2024.8.
    #[serde(default)]
    created_at: Option<InstantText>,
    /// Each integration has its own, with secrets of its own: read where it stands, and no other's at all.
    #[serde(borrow)]
    data: &'a RawValue,
}

/// What the Spotify integration keeps.
#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    auth_implementation: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    token: Option<Token>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(rename = "refresh_token", default)]
    refresh: Option<TokenText>,
    #[serde(default)]
    scope: ScopeText,
    #[serde(default)]
    expires_at: Option<InstantText>,
    #[serde(default)]
    expires_in: Option<f64>,
}

#[derive(Deserialize)]
struct Credentials {
    items: Vec<Credential>,
}

#[derive(Deserialize)]
struct Credential {
    domain: String,
    client_id: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    auth_domain: Option<String>,
}

/// One user of the integration.
struct User<'a> {
    entry: Entry<'a>,
    data: Data,
}

impl User<'_> {
    fn is(&self, wanted: &str) -> bool {
        [&self.data.id, &self.data.name, &self.entry.title]
            .into_iter()
            .any(|name| name.as_deref() == Some(wanted))
    }

    fn shown(&self) -> String {
        let name = self.data.name.as_ref().or(self.entry.title.as_ref());
        let text = |it: Option<&String>| it.cloned().unwrap_or_else(|| "?".to_owned());
        format!("{} ({})", text(name), text(self.data.id.as_ref()))
    }
}

/// The file with the integrations, where the folder may be named.
pub(super) fn entries_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(ENTRIES)
    } else {
        path.to_owned()
    }
}

/// The file with the apps, where it lies beside the other.
pub(super) fn credentials_beside(entries: &Path) -> Result<Option<Content>, Explanation> {
    let path = entries.with_file_name(CREDENTIALS);
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => file::read(&path).map(Some),
    }
}

pub(super) fn found(
    content: &Content,
    credentials: Option<&Content>,
    wanted: Option<&str>,
) -> Result<Found, Explanation> {
    let users = users(content)?;
    let place = content.path.display().to_string();
    let chosen: Vec<&User<'_>> = users
        .iter()
        .filter(|user| wanted.is_none_or(|wanted| user.is(wanted)))
        .collect();
    let names = |users: &[&User<'_>]| users.iter().map(|user| user.shown()).collect::<Vec<_>>();
    let user = match chosen.as_slice() {
        [user] => *user,
        [] if users.is_empty() => {
            let why = "the Spotify integration is not set up there";
            return Err(fault::no_token(&place, why));
        }
        [] => {
            let all: Vec<_> = users.iter().collect();
            let what = format!("{place} has no such user; there are");
            return Err(fault::several(
                &what,
                &names(&all),
                "say which one with --user",
            ));
        }
        several => {
            let what = format!("{place} has several users");
            let fix = "say which one with --user, by Spotify id";
            return Err(fault::several(&what, &names(several), fix));
        }
    };
    take(user, content, credentials, &place)
}

fn take(
    user: &User<'_>,
    content: &Content,
    credentials: Option<&Content>,
    place: &str,
) -> Result<Found, Explanation> {
    let implementation = user.data.auth_implementation.as_deref();
    if implementation == Some(CLOUD) {
        return Err(fault::nabu_casa());
    }
    let token = user.data.token.as_ref();
    let text = token.and_then(|token| token.refresh.as_ref());
    let Some((token, text)) = token.zip(text.filter(|text| !text.is_empty())) else {
        let why = "sign in to the Spotify integration there first, or run `refrain login`";
        return Err(fault::no_token(place, why));
    };
    let life = token
        .expires_in
        .filter(|life| (0.0..=86_400.0).contains(life));
    let ends = token.expires_at.as_ref().and_then(InstantText::instant);
    let issued = ends.map(|at| at.before(Duration::from_secs_f64(life.unwrap_or_default())));
    let made_at = user
        .entry
        .created_at
        .as_ref()
        .and_then(InstantText::instant);
    Ok(Found {
        refresh_token: text.token(place)?,
        client_id: client(implementation, credentials)?,
        scope: token.scope.scope(),
        consent: Bounds {
            // The first of their consents; the present one came then or later.
            after: made_at.map(|at| at.before(SLACK)),
            before: earlier(issued, content.written),
        },
    })
}

fn users(content: &Content) -> Result<Vec<User<'_>>, Explanation> {
    let error = |error| fault::not_json(&content.path, &error, EXPECTED);
    let storage: Storage<Entries<'_>> = serde_json::from_slice(&content.bytes).map_err(error)?;
    let spotify = storage.data.entries.into_iter();
    spotify
        .filter(|entry| entry.domain == DOMAIN)
        .map(|entry| {
            let data = serde_json::from_str(entry.data.get()).map_err(error)?;
            Ok(User { entry, data })
        })
        .collect()
}

/// The client of an entry: by the list of apps, or by the name that Home Assistant makes of domain and
/// client id.
fn client(
    implementation: Option<&str>,
    credentials: Option<&Content>,
) -> Result<Option<ClientId>, Explanation> {
    let Some(implementation) = implementation else {
        return Ok(None);
    };
    if let Some(content) = credentials {
        let expected = "Home Assistant's .storage/application_credentials";
        let storage: Storage<Credentials> = serde_json::from_slice(&content.bytes)
            .map_err(|error| fault::not_json(&content.path, &error, expected))?;
        let ours = storage.data.items.iter().find(|item| {
            let names = [item.auth_domain.as_deref(), item.id.as_deref()];
            item.domain == DOMAIN && names.contains(&Some(implementation))
        });
        if let Some(item) = ours {
            return Ok(item.client_id.trim().parse().ok());
        }
    }
    let id = implementation.strip_prefix("spotify_");
    let id = id.filter(|id| id.len() == 32 && id.bytes().all(|it| it.is_ascii_hexdigit()));
    Ok(id.and_then(|id| id.parse().ok()))
}

#[cfg(test)]
mod tests {
    use refrain::time::UnixMillis;
    use serde_json::{Value, json};
    use zeroize::Zeroizing;

    use super::*;

    const CLIENT: &str = "0123456789abcdef0123456789abcdef";

    fn content(json: &Value) -> Content {
        Content {
            path: "core.config_entries".into(),
            bytes: Zeroizing::new(json.to_string().into_bytes()),
            written: Some(UnixMillis(1_795_000_000_000)),
            mode: 0o600,
        }
    }

    fn entry(name: &str, implementation: &str) -> Value {
        json!({
            "created_at": "2026-10-01T10:00:00.123456+00:00", "disabled_by": null, "domain": "spotify",
            "entry_id": "01J5TX5A0FF6G5V0QJX6HBC94T", "minor_version": 1, "modified_at": "2026-11-01T10:00:00+00:00",
            "options": {}, "pref_disable_polling": false, "source": "user", "title": name, "unique_id": format!("{name}01"),
            "version": 1,
            "data": {
                "auth_implementation": implementation, "id": format!("{name}01"), "name": name,
                "token": {
                    "access_token": "BQC1", "token_type": "Bearer", "expires_in": 3600,
                    "refresh_token": format!("AQD{name}"), "scope": "user-read-private user-top-read",
                    "expires_at": 1_794_000_000.5,
                },
            },
        })
    }

    fn entries(all: &[Value]) -> Content {
        let other = json!({"domain": "sun", "data": {}, "title": "Sun", "version": 1});
        let mut all = all.to_vec();
        all.push(other);
        content(&json!({
            "version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": all},
        }))
    }

    #[test]
    fn an_entry_is_read_with_its_client_and_its_bounds() {
        let content = entries(&[entry("alice", &format!("spotify_{CLIENT}"))]);
        let found = found(&content, None, None).unwrap();
        assert_eq!(found.refresh_token.expose(), "AQDalice");
        assert_eq!(found.client_id.unwrap().to_string(), CLIENT);
        assert_eq!(found.scope.unwrap().iter().count(), 2);
        assert_eq!(
            found.consent.after.unwrap().to_string(),
            "2026-10-01T09:00:00Z"
        );
        assert_eq!(found.consent.before, Some(UnixMillis(1_793_996_400_500)));
    }

    #[test]
    fn the_list_of_apps_names_the_client() {
        let credentials = content(&json!({
            "version": 1, "key": "application_credentials", "data": {"items": [
                {"domain": "spotify", "client_id": "another", "client_secret": "s", "id": "spotify_another"},
                {"domain": "spotify", "client_id": CLIENT, "client_secret": "s", "id": "x",
                 "auth_domain": "spotify", "name": "Import from configuration.yaml"},
            ]},
        }));
        let entries = entries(&[entry("alice", "spotify")]);
        let found = found(&entries, Some(&credentials), None).unwrap();
        assert_eq!(found.client_id.unwrap().to_string(), CLIENT);
    }

    #[test]
    fn several_users_are_told_apart() {
        let entries = entries(&[entry("alice", "spotify"), entry("bob", "spotify")]);
        let error = found(&entries, None, None).unwrap_err();
        assert_eq!(error.code, "import_several");
        assert!(
            error.what.ends_with("alice (alice01), bob (bob01)"),
            "{error:?}"
        );
        for wanted in ["bob", "bob01"] {
            let found = found(&entries, None, Some(wanted)).unwrap();
            assert_eq!(found.refresh_token.expose(), "AQDbob");
        }
        let error = found(&entries, None, Some("carol")).unwrap_err();
        assert_eq!(error.code, "import_several");
        assert!(!format!("{error:?}").contains("AQD"), "{error:?}");
    }

    #[test]
    fn the_token_of_the_cloud_is_another_apps() {
        let error = found(&entries(&[entry("alice", "cloud")]), None, None).unwrap_err();
        assert_eq!(error.code, "import_not_possible");
    }

    #[test]
    fn nothing_to_take_is_told() {
        let none = found(&entries(&[]), None, None).unwrap_err();
        assert_eq!(none.code, "import_no_token");
        let mut bare = entry("alice", "spotify");
        bare["data"] = json!({"auth_implementation": "spotify"});
        let none = found(&entries(&[bare]), None, None).unwrap_err();
        assert_eq!(none.code, "import_no_token");
        let odd = found(&content(&json!({"refresh_token": "AQDcanary"})), None, None).unwrap_err();
        assert_eq!(odd.code, "import_not_understood");
        assert!(!format!("{odd:?}").contains("canary"), "{odd:?}");
    }
}
