//! The apps and users that the simulated Spotify knows.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The scopes that Spotify knows in 2026; any other one is an "Illegal scope".
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

/// The registration mode of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppMode {
    /// Development mode: reduced profile fields, allowlist, owner must be Premium, quota.
    Dev,
    /// Extended quota mode.
    Extended,
}

/// One registration in the developer dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct App {
    /// 32 lower-case hex digits.
    pub client_id: String,
    /// 32 lower-case hex digits; `None` for an app that never sends one (PKCE alone).
    pub client_secret: Option<String>,
    /// Shown on the consent page.
    pub name: String,
    /// Compared byte for byte, but a loopback literal without a port matches any port.
    pub redirect_uris: Vec<String>,
    /// The developer account; the development-mode quota is counted per owner.
    pub owner: String,
    /// While false, every API call of a development-mode app answers 403.
    pub owner_premium: bool,
    /// The ids of the users a development-mode app may serve; `None` lets everyone in.
    pub allowlist: Option<Vec<String>>,
    /// Development or extended quota mode.
    pub mode: AppMode,
}

// === impl App ===

impl App {
    /// Makes an app that has no secret and so must use PKCE.
    pub fn public(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: None,
            ..Self::default()
        }
    }

    /// Makes an app with a secret, otherwise like the default one.
    pub fn confidential(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: Some(client_secret.into()),
            ..Self::default()
        }
    }

    /// Replaces the registered redirect URIs.
    #[must_use]
    pub fn with_redirect_uris<S: Into<String>>(
        mut self,
        uris: impl IntoIterator<Item = S>,
    ) -> Self {
        self.redirect_uris = uris.into_iter().map(Into::into).collect();
        self
    }

    pub(crate) fn allows(&self, user: &str) -> bool {
        match (&self.mode, &self.allowlist) {
            (AppMode::Dev, Some(list)) => list.iter().any(|id| id == user),
            _ => true,
        }
    }
}

impl Default for App {
    fn default() -> Self {
        Self {
            client_id: "5e1f0c0ffee04d15a1b2c3d4e5f60718".to_owned(),
            client_secret: Some("c0ffee00feedface1234abcd5678ef90".to_owned()),
            name: "Demo app".to_owned(),
            redirect_uris: vec![
                "http://127.0.0.1:4280/callback".to_owned(),
                "http://127.0.0.1/callback".to_owned(),
            ],
            owner: "developer".to_owned(),
            owner_premium: true,
            allowlist: None,
            mode: AppMode::Dev,
        }
    }
}

/// One listener with a Spotify account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "UserForm")]
pub struct User {
    /// The user name, as in `spotify:user:alice`.
    pub id: String,
    /// The public, immutable account id of May 2026.
    pub account_id: String,
    /// Free text.
    pub display_name: String,
    /// Never shown to a development-mode app.
    pub email: String,
    /// Whether the listener pays; player writes need it.
    pub premium: bool,
}

// === impl User ===

impl User {
    /// Makes a Premium user whose other fields follow from the id.
    pub fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        let mut display_name = id.clone();
        if let Some(first) = display_name.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        Self {
            account_id: crate::mint::account_id(&id),
            display_name,
            email: format!("{id}@example.com"),
            premium: true,
            id,
        }
    }
}

impl Default for User {
    fn default() -> Self {
        Self::new("alice")
    }
}

/// A user as JSON gives it: all but the id may be left out and then follows from it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserForm {
    id: String,
    account_id: Option<String>,
    display_name: Option<String>,
    email: Option<String>,
    premium: Option<bool>,
}

impl From<UserForm> for User {
    fn from(form: UserForm) -> Self {
        let user = Self::new(form.id);
        Self {
            account_id: form.account_id.unwrap_or(user.account_id),
            display_name: form.display_name.unwrap_or(user.display_name),
            email: form.email.unwrap_or(user.email),
            premium: form.premium.unwrap_or(user.premium),
            id: user.id,
        }
    }
}

/// Splits a `scope` parameter, or names the first scope that does not exist.
pub(crate) fn parse_scope(text: &str) -> Result<BTreeSet<String>, String> {
    text.split(' ')
        .filter(|scope| !scope.is_empty())
        .map(|scope| {
            if SCOPES.contains(&scope) {
                Ok(scope.to_owned())
            } else {
                Err(scope.to_owned())
            }
        })
        .collect()
}

/// Writes a scope set the way the token endpoint does.
pub(crate) fn join_scope(scope: &BTreeSet<String>) -> String {
    scope
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_from_json_has_an_account_of_their_own() {
        let bob: User = serde_json::from_str(r#"{"id":"bob","premium":false}"#).unwrap();
        assert_eq!(
            bob,
            User {
                premium: false,
                ..User::new("bob")
            }
        );
        assert_ne!(bob.account_id, User::default().account_id);
        assert!(serde_json::from_str::<User>("{}").is_err());
    }

    #[test]
    fn a_scope_is_one_of_the_nineteen() {
        assert_eq!(
            join_scope(&parse_scope("user-top-read  streaming").unwrap()),
            "streaming user-top-read"
        );
        assert_eq!(parse_scope("streaming openid"), Err("openid".to_owned()));
    }
}
