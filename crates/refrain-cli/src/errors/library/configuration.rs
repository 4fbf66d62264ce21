//! What may be wrong with a configuration.

use refrain::config::{ConfigError, SecretFileError, Source};

use super::{broken, path};

pub(super) fn all() -> impl Iterator<Item = ConfigError> {
    let of_files = secret_files().map(|source| ConfigError::SecretFile {
        at: at(),
        key: "apps.default.client_secret_file".to_owned(),
        path: path("client-secret"),
        source,
    });
    values().chain(of_files)
}

fn at() -> Source {
    Source::File {
        path: path("refrain.toml"),
        line: 4,
    }
}

fn values() -> impl Iterator<Item = ConfigError> {
    let text = str::to_owned;
    [
        ConfigError::NotFound {
            path: path("refrain.toml"),
        },
        ConfigError::Unreadable {
            path: path("refrain.toml"),
            source: broken(),
        },
        ConfigError::Syntax {
            at: at(),
            message: text("expected `=`"),
        },
        ConfigError::UnknownField {
            at: at(),
            field: text("client_idd"),
            nearest: Some(text("client_id")),
            known: Vec::new(),
        },
        ConfigError::UnknownVariable {
            variable: text("REFRAIN_STOER"),
            nearest: Some(text("REFRAIN_STORE")),
        },
        ConfigError::AmbiguousApp {
            variable: text("REFRAIN_APPS_A_B_CLIENT_ID"),
            first: text("a-b"),
            second: text("a_b"),
        },
        ConfigError::WrongType {
            at: at(),
            key: text("apps.default.scopes"),
            expected: "an array of strings",
        },
        ConfigError::InlineSecret {
            at: at(),
            key: text("apps.default.client_secret"),
        },
        ConfigError::Invalid {
            at: at(),
            key: text("server.listen"),
            example: text("127.0.0.1:4280"),
            source: "invalid socket address syntax".into(),
        },
        ConfigError::UnknownPathVariable {
            at: at(),
            key: text("store"),
            variable: text("FOO"),
        },
        ConfigError::NoHome {
            at: at(),
            key: text("store"),
            variable: text("XDG_DATA_HOME"),
        },
        ConfigError::Conflict {
            first: text("client_secret_file"),
            first_at: at(),
            second: text("client_secret_credential"),
            second_at: at(),
        },
        ConfigError::NoClientId {
            at: at(),
            app: text("default"),
        },
        ConfigError::Incomplete {
            at: at(),
            given: text("server.tls_key_file"),
            missing: text("server.tls_certificate_file"),
        },
        ConfigError::PlainHttp {
            at: at(),
            listen: ([0, 0, 0, 0], 4280).into(),
        },
        ConfigError::NoCredentials {
            at: at(),
            key: text("apps.default.client_secret_credential"),
        },
    ]
    .into_iter()
}

fn secret_files() -> impl Iterator<Item = SecretFileError> {
    [
        SecretFileError::Missing,
        SecretFileError::Unreadable(broken()),
        SecretFileError::Permissions { mode: 0o644 },
        SecretFileError::Owner { owner: 1001 },
        SecretFileError::Empty,
        SecretFileError::NotOneLine,
    ]
    .into_iter()
}
