//! The names that a value goes by: dotted in the file, `REFRAIN_…` in the environment.

use std::fmt;

use crate::{
    id::AppName,
    provider::spotify::{ACCOUNTS_URL, API_URL},
};

use super::source::Source;

/// [`App::REFRESHES_PER_SECOND`](super::App::REFRESHES_PER_SECOND), as it would be written.
pub(super) const DEFAULT_REFRESHES: &str = "20";
pub(super) const DEFAULT_STORE: &str = "sqlite:$XDG_DATA_HOME/refrain/refrain.db";
pub(super) const DEFAULT_KEY_FILE: &str = "$XDG_CONFIG_HOME/refrain/master.key";
pub(super) const DEFAULT_REDIRECT_URI: &str = "http://127.0.0.1:4280/callback";
pub(super) const DEFAULT_LISTEN: &str = "127.0.0.1:4280";

/// The name of one value. The order is the one in which they are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Store,
    SealingKeyFile,
    SealingKeyCredential,
    App(AppName, AppKey),
    SessionsApp,
    SessionsKeep,
    SpotifyAccountsUrl,
    SpotifyApiUrl,
    SpotifyRevocationUrl,
    NetworkProxy,
    ServerListen,
    ServerSocket,
    ServerSocketUids,
    ServerNames,
    ServerTlsCertificateFile,
    ServerTlsKeyFile,
    ServerPlainHttp,
    ServerReturnTo,
    ServerAppDir,
    NoticesWebhooks,
    NoticesWebhookSecretFile,
    NoticesWebhookSecretCredential,
    NoticesCommand,
}

/// How a value is written in the file; in the environment all are texts, and the items of a list are
/// parted by spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Number,
    Flag,
    /// A list of texts, or of numbers, with what to call its items.
    Texts(&'static str),
    Numbers(&'static str),
}

/// The name of one value of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AppKey {
    ClientId,
    ClientSecret,
    ClientSecretFile,
    ClientSecretCredential,
    RedirectUri,
    Scopes,
    Developer,
    RefreshesPerSecond,
}

/// Section, name and key of every value that is not an app's; a section of "" is the top of the file.
const FIXED: [(&str, &str, Key); 22] = [
    ("", "store", Key::Store),
    ("sealing", "key_file", Key::SealingKeyFile),
    ("sealing", "key_credential", Key::SealingKeyCredential),
    ("sessions", "app", Key::SessionsApp),
    ("sessions", "keep", Key::SessionsKeep),
    ("spotify", "accounts_url", Key::SpotifyAccountsUrl),
    ("spotify", "api_url", Key::SpotifyApiUrl),
    ("spotify", "revocation_url", Key::SpotifyRevocationUrl),
    ("network", "proxy", Key::NetworkProxy),
    ("server", "listen", Key::ServerListen),
    ("server", "socket", Key::ServerSocket),
    ("server", "socket_uids", Key::ServerSocketUids),
    ("server", "names", Key::ServerNames),
    (
        "server",
        "tls_certificate_file",
        Key::ServerTlsCertificateFile,
    ),
    ("server", "tls_key_file", Key::ServerTlsKeyFile),
    ("server", "plain_http", Key::ServerPlainHttp),
    ("server", "return_to", Key::ServerReturnTo),
    ("server", "app_dir", Key::ServerAppDir),
    ("notices", "webhooks", Key::NoticesWebhooks),
    (
        "notices",
        "webhook_secret_file",
        Key::NoticesWebhookSecretFile,
    ),
    (
        "notices",
        "webhook_secret_credential",
        Key::NoticesWebhookSecretCredential,
    ),
    ("notices", "command", Key::NoticesCommand),
];

pub(super) const APP_KEYS: [(&str, AppKey); 8] = [
    ("client_id", AppKey::ClientId),
    ("client_secret", AppKey::ClientSecret),
    ("client_secret_file", AppKey::ClientSecretFile),
    ("client_secret_credential", AppKey::ClientSecretCredential),
    ("redirect_uri", AppKey::RedirectUri),
    ("scopes", AppKey::Scopes),
    ("developer", AppKey::Developer),
    ("refreshes_per_second", AppKey::RefreshesPerSecond),
];

/// The sections of the file that hold values of their own.
pub(super) const SECTIONS: [&str; 6] = [
    "sealing", "sessions", "spotify", "network", "server", "notices",
];

impl Key {
    /// The key of a name in a section.
    pub(super) fn in_section(section: &str, name: &str) -> Option<Self> {
        let mut fixed = FIXED.into_iter();
        fixed
            .find(|(s, n, _)| *s == section && *n == name)
            .map(|(_, _, key)| key)
    }

    /// The names that a section knows.
    pub(super) fn names_in(section: &str) -> impl Iterator<Item = &'static str> {
        FIXED
            .into_iter()
            .filter(move |(s, _, _)| *s == section)
            .map(|(_, name, _)| name)
    }

    /// Every key that is not an app's.
    pub(super) fn fixed() -> impl Iterator<Item = Self> {
        FIXED.into_iter().map(|(_, _, key)| key)
    }

    /// The environment variable that overrides it.
    pub(super) fn variable(&self) -> String {
        format!("REFRAIN_{}", variable_part(&self.to_string()))
    }

    /// How a good value is written in the place that `at` tells.
    pub(super) fn example(&self, at: &Source) -> String {
        let value = match self {
            Self::Store => DEFAULT_STORE,
            Self::SealingKeyFile => DEFAULT_KEY_FILE,
            Self::SealingKeyCredential => "refrain-master-key",
            Self::App(_, AppKey::ClientId) => "0123456789abcdef0123456789abcdef",
            Self::App(_, AppKey::ClientSecret) => "…",
            Self::App(_, AppKey::ClientSecretFile) => "$XDG_CONFIG_HOME/refrain/client-secret",
            Self::App(_, AppKey::ClientSecretCredential) => "refrain-client-secret",
            Self::App(_, AppKey::RedirectUri) => DEFAULT_REDIRECT_URI,
            Self::App(_, AppKey::Scopes) => "user-read-email",
            Self::App(_, AppKey::Developer) => "my-account",
            Self::App(_, AppKey::RefreshesPerSecond) => DEFAULT_REFRESHES,
            Self::SessionsApp => "default",
            Self::SessionsKeep => "store",
            Self::SpotifyAccountsUrl => ACCOUNTS_URL,
            Self::SpotifyApiUrl => API_URL,
            Self::SpotifyRevocationUrl => "https://accounts.example/revoke",
            Self::NetworkProxy => "http://proxy.example:3128",
            Self::ServerListen => DEFAULT_LISTEN,
            Self::ServerSocket => "/run/refrain/refrain.sock",
            Self::ServerSocketUids => "1000",
            Self::ServerNames => "refrain.example",
            Self::ServerTlsCertificateFile => "/etc/refrain/certificate.pem",
            Self::ServerTlsKeyFile => "/etc/refrain/key.pem",
            Self::ServerPlainHttp => "true",
            Self::ServerReturnTo => "https://app.example/connected",
            Self::ServerAppDir => "/srv/app/dist",
            Self::NoticesWebhooks => "https://app.example/hooks/refrain",
            Self::NoticesWebhookSecretFile => "$XDG_CONFIG_HOME/refrain/webhook-secret",
            Self::NoticesWebhookSecretCredential => "refrain-webhook-secret",
            Self::NoticesCommand => "/usr/local/bin/tell-me",
        };
        match (at, self, self.form()) {
            (Source::Environment { variable }, ..) => format!("{variable}='{value}'"),
            (_, Self::App(_, AppKey::Scopes), _) => format!("scopes = [\"{value}\"]"),
            (_, _, Form::Texts(_)) => format!("{self} = [\"{value}\"]"),
            (_, _, Form::Numbers(_)) => format!("{self} = [{value}]"),
            (_, _, Form::Number | Form::Flag) => format!("{self} = {value}"),
            (_, _, Form::Text) => format!("{self} = \"{value}\""),
        }
    }

    /// How it is written in the file.
    pub(super) fn form(&self) -> Form {
        match self {
            Self::App(_, AppKey::Scopes) => Form::Texts("a list of scopes, each in quotes"),
            Self::App(_, AppKey::RefreshesPerSecond) => Form::Number,
            Self::ServerSocketUids => Form::Numbers("a list of numbers, without quotes"),
            Self::ServerNames => Form::Texts("a list of names, each in quotes"),
            Self::ServerPlainHttp => Form::Flag,
            Self::ServerReturnTo | Self::NoticesWebhooks => {
                Form::Texts("a list of URLs, each in quotes")
            }
            Self::NoticesCommand => {
                Form::Texts("a list of a program and its arguments, each in quotes")
            }
            _ => Form::Text,
        }
    }

    /// The keys of which one alone may be given: different ways to say the same thing.
    pub(super) fn alternatives(&self) -> Vec<Self> {
        match self {
            Self::SealingKeyFile | Self::SealingKeyCredential => {
                vec![Self::SealingKeyFile, Self::SealingKeyCredential]
            }
            Self::NoticesWebhookSecretFile | Self::NoticesWebhookSecretCredential => vec![
                Self::NoticesWebhookSecretFile,
                Self::NoticesWebhookSecretCredential,
            ],
            Self::App(
                app,
                AppKey::ClientSecret | AppKey::ClientSecretFile | AppKey::ClientSecretCredential,
            ) => [
                AppKey::ClientSecret,
                AppKey::ClientSecretFile,
                AppKey::ClientSecretCredential,
            ]
            .map(|key| Self::App(app.clone(), key))
            .into(),
            Self::App(
                _,
                AppKey::ClientId
                | AppKey::RedirectUri
                | AppKey::Scopes
                | AppKey::Developer
                | AppKey::RefreshesPerSecond,
            )
            | Self::Store
            | Self::SessionsApp
            | Self::SessionsKeep
            | Self::SpotifyAccountsUrl
            | Self::SpotifyApiUrl
            | Self::SpotifyRevocationUrl
            | Self::NetworkProxy
            | Self::ServerListen
            | Self::ServerSocket
            | Self::ServerSocketUids
            | Self::ServerNames
            | Self::ServerTlsCertificateFile
            | Self::ServerTlsKeyFile
            | Self::ServerPlainHttp
            | Self::ServerReturnTo
            | Self::ServerAppDir
            | Self::NoticesWebhooks
            | Self::NoticesCommand => vec![self.clone()],
        }
    }
}

impl AppKey {
    /// The name in the file.
    pub(super) fn name(self) -> &'static str {
        let mut keys = APP_KEYS.into_iter();
        keys.find(|(_, key)| *key == self)
            .map_or("", |(name, _)| name)
    }

    /// The key of a name in an app's section.
    pub(super) fn of(name: &str) -> Option<Self> {
        let mut keys = APP_KEYS.into_iter();
        keys.find(|(n, _)| *n == name).map(|(_, key)| key)
    }
}

/// A dotted name as part of a variable's: `apps.my-app` is `APPS_MY_APP`.
pub(super) fn variable_part(name: &str) -> String {
    name.to_ascii_uppercase()
        .replace(['.', '-'], "_")
        .replace('"', "")
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::App(app, key) = self {
            // An app's name may hold dots, which TOML wants quoted.
            let quote = if app.as_str().contains('.') { "\"" } else { "" };
            return write!(f, "apps.{quote}{app}{quote}.{}", key.name());
        }
        let found = FIXED.into_iter().find(|(_, _, key)| key == self);
        match found {
            Some(("", name, _)) => f.write_str(name),
            Some((section, name, _)) => write!(f, "{section}.{name}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_name_in_the_file_and_one_in_the_environment() {
        let app = |name: &str, key| Key::App(name.parse().unwrap(), key);
        for (key, name, variable) in [
            (Key::Store, "store", "REFRAIN_STORE"),
            (
                Key::SealingKeyFile,
                "sealing.key_file",
                "REFRAIN_SEALING_KEY_FILE",
            ),
            (
                app("my-app", AppKey::ClientId),
                "apps.my-app.client_id",
                "REFRAIN_APPS_MY_APP_CLIENT_ID",
            ),
            (
                app("my.app", AppKey::Scopes),
                "apps.\"my.app\".scopes",
                "REFRAIN_APPS_MY_APP_SCOPES",
            ),
        ] {
            assert_eq!(key.to_string(), name);
            assert_eq!(key.variable(), variable);
        }
    }
}
