//! Configuration: `refrain.toml`, overridden value by value by `REFRAIN_…` variables.
//!
//! A value that is not understood is an error with its line, never a default: a mistyped name must not
//! turn into a store in another place. Secrets come from files of their own, from systemd or from the
//! environment; the file that people copy around refuses them. Whether Spotify would accept the values
//! is asked later, by a login and by the doctor.
//!
//! ```toml
//! store = "sqlite:$XDG_DATA_HOME/refrain/refrain.db"
//! [sealing]
//! key_file = "$XDG_CONFIG_HOME/refrain/master.key"
//! [apps.default]
//! client_id = "0123456789abcdef0123456789abcdef"
//! client_secret_file = "client-secret"
//! redirect_uri = "http://127.0.0.1:4280/callback"
//! scopes = ["user-read-recently-played"]
//! developer = "my-account"
//! [server]
//! listen = "127.0.0.1:4280"
//! [notices]
//! webhooks = ["https://app.example/hooks/refrain"]
//! webhook_secret_file = "webhook-secret"
//! ```

mod environment;
mod error;
mod expand;
mod file;
mod key;
mod layer;
mod nearest;
mod network;
mod notices;
mod resolve;
mod return_to;
mod secret_file;
mod server;
mod sessions;
mod source;
mod store;

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf};

use crate::{
    id::{AppName, DeveloperName},
    oauth::{authorization::RedirectUri, client::Client, scope::Scope},
    provider::Provider,
};

pub use self::{
    error::ConfigError,
    network::{Network, Proxy, ProxyUrl},
    notices::{Notices, Webhook, WebhookError},
    return_to::{ReturnRule, ReturnRuleError, ReturnTo, ReturnToError},
    secret_file::SecretFileError,
    server::{HostName, HostNameError, Server, TlsFiles},
    sessions::{SessionAppError, SessionKeep, SessionKeepError, Sessions},
    source::{Setting, Source, Sources},
    store::{PostgresUrl, StoreLocation},
};

/// Everything that refrain has to be told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where grants are kept.
    pub store: StoreLocation,
    /// How secrets are sealed in the store.
    pub sealing: Sealing,
    /// The apps, by the names that the configuration gives them.
    pub apps: BTreeMap<AppName, App>,
    /// Where Spotify is.
    pub provider: Provider,
    /// How connections leave this machine.
    pub network: Network,
    /// How the server is reached.
    pub server: Server,
    /// Who is told of grants without asking.
    pub notices: Notices,
    /// `$XDG_STATE_HOME/refrain`: where the processes of this machine make themselves known to one
    /// another when the store is on another one.
    pub state_folder: Option<PathBuf>,
    settings: Vec<Setting>,
}

/// How secrets are sealed in the store.
#[derive(Debug, Clone)]
pub struct Sealing {
    /// Where the master key is.
    pub key: KeySource,
}

/// Where the master key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file of ours, made on first use of an empty store.
    File(PathBuf),
    /// A credential that systemd passes to this unit; it is read and never written.
    Credential(PathBuf),
}

impl KeySource {
    /// The file that holds it.
    pub fn path(&self) -> &std::path::Path {
        match self {
            Self::File(path) | Self::Credential(path) => path,
        }
    }
}

/// One registration in Spotify's developer dashboard.
#[derive(Debug, Clone)]
pub struct App {
    /// What the configuration calls it.
    pub name: AppName,
    /// Its client id, and its secret where it has one.
    pub client: Client,
    /// Where a consent comes back to.
    pub redirect_uri: RedirectUri,
    /// What a login asks for unless told otherwise.
    pub scopes: Scope,
    /// Whose app it is: the apps of one developer account share its quota. An app of which nothing is
    /// said has a developer of its own name.
    pub developer: DeveloperName,
    /// How many refreshes a second each process starts ahead of expiry; those that somebody waits for
    /// are not held back.
    pub refreshes_per_second: NonZeroU32,
}

impl App {
    /// The pace of refreshes ahead where the configuration says nothing.
    pub const REFRESHES_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();
}

impl Config {
    /// A configuration made by a program, with neither file nor environment. Apps are added to
    /// [`apps`](Self::apps).
    pub fn new(store: StoreLocation, key: KeySource, provider: Provider) -> Self {
        Self {
            store,
            sealing: Sealing { key },
            apps: BTreeMap::new(),
            provider,
            network: Network::default(),
            server: Server::default(),
            notices: Notices::default(),
            state_folder: None,
            settings: Vec::new(),
        }
    }

    /// Reads the file that `REFRAIN_CONFIG` names, or `$XDG_CONFIG_HOME/refrain/refrain.toml` where it
    /// exists, and the environment of this process over it.
    pub fn load() -> Result<Self, ConfigError> {
        Self::load_from(&Sources::from_process())
    }

    /// Reads the configuration from these sources and no others.
    pub fn load_from(sources: &Sources) -> Result<Self, ConfigError> {
        let file = match sources.config_file() {
            Some((path, asked_for)) => file::read(&path, asked_for)?,
            None => layer::Layer::default(),
        };
        let environment = environment::read(sources, &file)?;
        resolve::Resolver::new(sources, file.under(environment)).resolve()
    }

    /// Every value as it was loaded and who said so, in the order of the file; secrets are redacted.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }
}

#[cfg(test)]
mod tests;
