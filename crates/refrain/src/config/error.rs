//! What can be wrong with a configuration, where it is, and what to write instead.

use std::{io, net::SocketAddr, path::PathBuf};

use super::{secret_file::SecretFileError, source::Source};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a configuration does not hold. No text in here repeats a value that could be a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file that was asked for is not there.
    #[error("there is no configuration file {}", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file is there and cannot be read.
    #[error("the configuration file {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{at}: not TOML: {message}")]
    Syntax {
        /// Where.
        at: Source,
        /// What the parser says; it quotes nothing from the file.
        message: String,
    },
    /// A field that means nothing, usually a mistyped one.
    #[error("{at}: there is no field {field:?} here")]
    UnknownField {
        /// Where.
        at: Source,
        /// What stands there.
        field: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// What could stand there.
        known: Vec<&'static str>,
    },
    /// A `REFRAIN_…` variable that means nothing, usually a mistyped one.
    #[error("the environment variable {variable} means nothing to refrain")]
    UnknownVariable {
        /// The variable.
        variable: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A variable that could belong to either of two apps.
    #[error("the environment variable {variable} could mean the app {first} or the app {second}")]
    AmbiguousApp {
        /// The variable.
        variable: String,
        /// One app.
        first: String,
        /// The other app.
        second: String,
    },
    /// A value of another type, such as a number where text is wanted.
    #[error("{at}: {key} must be {expected}")]
    WrongType {
        /// Where.
        at: Source,
        /// The name of the value.
        key: String,
        /// What is wanted.
        expected: &'static str,
    },
    /// A client secret in the file, where backups, editors and colleagues would read it.
    #[error("{at}: {key} does not belong in the configuration file")]
    InlineSecret {
        /// Where.
        at: Source,
        /// The name of the value.
        key: String,
    },
    /// A value that does not mean what it has to mean.
    #[error("{at}: {key} is not valid")]
    Invalid {
        /// Where.
        at: Source,
        /// The name of the value.
        key: String,
        /// One that would do.
        example: String,
        /// What is wrong with it.
        source: BoxError,
    },
    /// A path that begins with a variable other than the four that are known.
    #[error("{at}: {key} names the variable ${variable}")]
    UnknownPathVariable {
        /// Where.
        at: Source,
        /// The name of the value.
        key: String,
        /// The variable.
        variable: String,
    },
    /// A path under the home folder of a user who has none.
    #[error("{at}: {key} lies under ${variable}, and there is no home folder")]
    NoHome {
        /// Where.
        at: Source,
        /// The name of the value.
        key: String,
        /// The variable.
        variable: String,
    },
    /// Two values that say the same thing in different ways.
    #[error("{first} ({first_at}) and {second} ({second_at}) cannot both be given")]
    Conflict {
        /// One value.
        first: String,
        /// Where it is.
        first_at: Source,
        /// The other value.
        second: String,
        /// Where it is.
        second_at: Source,
    },
    /// An app without a client id.
    #[error("{at}: the app {app} has no client_id")]
    NoClientId {
        /// Where the app is mentioned.
        at: Source,
        /// The app.
        app: String,
    },
    /// A file that should hold a secret does not serve.
    #[error("{at}: {key}: {}", path.display())]
    SecretFile {
        /// Where it is named.
        at: Source,
        /// The name of the value.
        key: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: SecretFileError,
    },
    /// Of two values that make sense together alone, one is there.
    #[error("{at}: {given} is given, and {missing} is not")]
    Incomplete {
        /// Where the one is.
        at: Source,
        /// The one.
        given: String,
        /// The other.
        missing: String,
    },
    /// The server would be reached from other machines without encryption: whoever is on the way could
    /// read the keys and the tokens that go through it.
    #[error("{at}: at {listen} the server would be reached from other machines without encryption")]
    PlainHttp {
        /// Where the address is given.
        at: Source,
        /// The address.
        listen: SocketAddr,
    },
    /// A systemd credential is named, and systemd passed none.
    #[error("{at}: {key} names a systemd credential, and $CREDENTIALS_DIRECTORY is not set")]
    NoCredentials {
        /// Where.
        at: Source,
        /// The name of the value.
        key: String,
    },
}

impl ConfigError {
    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "config_not_found",
            Self::Unreadable { .. } => "config_unreadable",
            Self::Syntax { .. } => "config_syntax",
            Self::UnknownField { .. } => "config_unknown_field",
            Self::UnknownVariable { .. } => "config_unknown_variable",
            Self::AmbiguousApp { .. } => "config_ambiguous_app",
            Self::WrongType { .. } => "config_wrong_type",
            Self::InlineSecret { .. } => "config_inline_secret",
            Self::Invalid { .. } => "config_invalid_value",
            Self::UnknownPathVariable { .. } => "config_unknown_path_variable",
            Self::NoHome { .. } => "config_no_home",
            Self::Conflict { .. } => "config_conflict",
            Self::NoClientId { .. } => "config_no_client_id",
            Self::SecretFile { source, .. } => source.code(),
            Self::Incomplete { .. } => "config_incomplete",
            Self::PlainHttp { .. } => "config_plain_http",
            Self::NoCredentials { .. } => "config_no_credentials",
        }
    }

    /// What to do about it, in one line.
    pub fn fix(&self) -> String {
        match self {
            Self::NotFound { .. } => {
                "correct the path given by --config or REFRAIN_CONFIG, or make the file with: refrain init"
                    .to_owned()
            }
            Self::Unreadable { path, .. } => {
                format!("let the user who runs refrain read {}", path.display())
            }
            Self::Syntax { at, .. } => format!("correct the file at {at}"),
            Self::UnknownField {
                nearest: Some(nearest),
                ..
            }
            | Self::UnknownVariable {
                nearest: Some(nearest),
                ..
            } => format!("did you mean {nearest}?"),
            Self::UnknownField { known, .. } => {
                format!("remove it; known here: {}", known.join(", "))
            }
            Self::UnknownVariable { variable, .. } => {
                format!("remove it: unset {variable}")
            }
            Self::AmbiguousApp { .. } => {
                "rename one of the apps, or set the value in the configuration file".to_owned()
            }
            Self::WrongType { key, expected, .. } => format!("write {key} as {expected}"),
            Self::InlineSecret { .. } => {
                "move it to a file that you alone can read (chmod 600) and name that file: client_secret_file = \"…\""
                    .to_owned()
            }
            Self::Invalid { example, .. } => format!("for example: {example}"),
            Self::UnknownPathVariable { .. } => {
                "use $HOME, $XDG_CONFIG_HOME, $XDG_DATA_HOME or $XDG_STATE_HOME, or write the path out"
                    .to_owned()
            }
            Self::NoHome { variable, .. } => {
                format!("set {variable} to an absolute path, or write the path out")
            }
            Self::Conflict { first, second, .. } => {
                format!("remove one of {first} and {second}")
            }
            Self::NoClientId { app, .. } => {
                format!("add client_id to [apps.{app}]; Spotify's developer dashboard shows it")
            }
            Self::SecretFile { path, source, .. } => source.fix(path),
            Self::Incomplete { given, missing, .. } => {
                format!("give {missing} too, or remove {given}")
            }
            Self::PlainHttp { .. } => {
                "give it a certificate (server.tls_certificate_file and server.tls_key_file), let it \
                 listen at 127.0.0.1 alone, or say server.plain_http = true where a proxy in front of \
                 it ends the encryption"
                    .to_owned()
            }
            Self::NoCredentials { .. } => {
                "pass it in the unit with LoadCredential=, or name a file instead".to_owned()
            }
        }
    }
}
