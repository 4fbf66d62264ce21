//! Says what each value means, and keeps the list of who said it.

mod notices;
mod server;

use std::{collections::BTreeMap, error::Error, fmt, path::PathBuf};

use crate::{
    id::AppName,
    oauth::{
        client::{Client, ClientAuth},
        origin::Origin,
    },
    provider::{
        Provider, RevocationEndpoint,
        spotify::{ACCOUNTS_URL, API_URL},
    },
    secret::ClientSecret,
};

use super::{
    App, Config, KeySource, Sealing,
    error::ConfigError,
    expand,
    key::{AppKey, DEFAULT_KEY_FILE, DEFAULT_REDIRECT_URI, DEFAULT_REFRESHES, DEFAULT_STORE, Key},
    layer::{Given, Layer},
    network::{Network, Proxy},
    secret_file::{self, Guard},
    sessions::{SessionAppError, SessionKeep, Sessions},
    source::{Setting, Source, Sources},
    store::{StoreLocation, WrittenStore},
};

/// Turns the values of a layer into a configuration, key by key.
pub(super) struct Resolver<'a> {
    sources: &'a Sources,
    layer: Layer,
    settings: Vec<Setting>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(sources: &'a Sources, layer: Layer) -> Self {
        Self {
            sources,
            layer,
            settings: Vec::new(),
        }
    }

    pub(super) fn resolve(mut self) -> Result<Config, ConfigError> {
        self.layer.check_conflicts()?;
        let store = self.store()?;
        let key = self.sealing_key()?;
        let apps = std::mem::take(&mut self.layer.apps)
            .into_iter()
            .map(|(name, at)| self.app(&name, at).map(|app| (name, app)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        let sessions = self.sessions(&apps)?;
        let provider = self.provider()?;
        let proxy = self.value(&Key::NetworkProxy, "", Proxy::parse)?;
        let server = self.server(sessions)?;
        let notices = self.notices()?;
        Ok(Config {
            store,
            sealing: Sealing { key },
            apps,
            provider,
            network: Network { proxy },
            server,
            notices,
            state_folder: self
                .sources
                .folder("XDG_STATE_HOME")
                .map(|it| it.join("refrain")),
            settings: self.settings,
        })
    }

    fn sessions(&mut self, apps: &BTreeMap<AppName, App>) -> Result<Sessions, ConfigError> {
        let key = Key::SessionsApp;
        let given = self.take(&key, "");
        let app = match given.text.as_str() {
            "" => None,
            text => {
                let name: AppName = text.parse().map_err(|e| invalid(&key, &given.source, e))?;
                if !apps.contains_key(&name) {
                    return Err(invalid(&key, &given.source, SessionAppError { name }));
                }
                Some(name)
            }
        };
        self.record(&key, &*given.text, given.source);
        let keep = self.value(&Key::SessionsKeep, "store", str::parse::<SessionKeep>)?;
        Ok(Sessions { app, keep })
    }

    fn store(&mut self) -> Result<StoreLocation, ConfigError> {
        let key = Key::Store;
        let given = self.take(&key, DEFAULT_STORE);
        let at = given.source.clone();
        let store = match WrittenStore::parse(&given.text).map_err(|e| invalid(&key, &at, e))? {
            WrittenStore::Postgres(url) => StoreLocation::Postgres(url),
            WrittenStore::Sqlite(text) => {
                StoreLocation::Sqlite(expand::path(self.sources, &key, text, &at)?)
            }
        };
        self.record(&key, &store, at);
        Ok(store)
    }

    fn sealing_key(&mut self) -> Result<KeySource, ConfigError> {
        let key = Key::SealingKeyCredential;
        if let Some(given) = self.layer.values.remove(&key) {
            let path = self.credential(&key, &given)?;
            self.record(&key, &*given.text, given.source);
            return Ok(KeySource::Credential(path));
        }
        let key = Key::SealingKeyFile;
        let given = self.take(&key, DEFAULT_KEY_FILE);
        let path = expand::path(self.sources, &key, &given.text, &given.source)?;
        self.record(&key, path.display(), given.source);
        Ok(KeySource::File(path))
    }

    fn app(&mut self, name: &AppName, at: Source) -> Result<App, ConfigError> {
        let key = |key| Key::App(name.clone(), key);
        if !self.layer.values.contains_key(&key(AppKey::ClientId)) {
            return Err(ConfigError::NoClientId {
                at,
                app: name.to_string(),
            });
        }
        Ok(App {
            name: name.clone(),
            client: Client {
                id: self.value(&key(AppKey::ClientId), "", str::parse)?,
                auth: self.client_auth(name)?,
            },
            redirect_uri: self.value(
                &key(AppKey::RedirectUri),
                DEFAULT_REDIRECT_URI,
                str::parse,
            )?,
            scopes: self.value(&key(AppKey::Scopes), "", str::parse)?,
            developer: self.value(&key(AppKey::Developer), name.as_str(), str::parse)?,
            refreshes_per_second: self.value(
                &key(AppKey::RefreshesPerSecond),
                DEFAULT_REFRESHES,
                str::parse,
            )?,
        })
    }

    fn client_auth(&mut self, app: &AppName) -> Result<ClientAuth, ConfigError> {
        let key = Key::App(app.clone(), AppKey::ClientSecret);
        if let Some(given) = self.layer.values.remove(&key) {
            if given.text.trim().is_empty() {
                return Err(invalid(&key, &given.source, "it is empty"));
            }
            self.record(&key, "(redacted)", given.source);
            return Ok(secret_basic(&given.text));
        }
        let key = Key::App(app.clone(), AppKey::ClientSecretFile);
        if let Some(given) = self.layer.values.remove(&key) {
            let path = expand::path(self.sources, &key, &given.text, &given.source)?;
            self.record(&key, path.display(), given.source.clone());
            return read_secret(&key, given.source, path, Guard::Mode);
        }
        let key = Key::App(app.clone(), AppKey::ClientSecretCredential);
        if let Some(given) = self.layer.values.remove(&key) {
            let path = self.credential(&key, &given)?;
            self.record(&key, &*given.text, given.source.clone());
            return read_secret(&key, given.source, path, Guard::Systemd);
        }
        Ok(ClientAuth::None)
    }

    fn provider(&mut self) -> Result<Provider, ConfigError> {
        let accounts: Origin = self.value(&Key::SpotifyAccountsUrl, ACCOUNTS_URL, str::parse)?;
        let api: Origin = self.value(&Key::SpotifyApiUrl, API_URL, str::parse)?;
        let key = Key::SpotifyRevocationUrl;
        let given = self.take(&key, "");
        let revocation = if given.text.is_empty() {
            None
        } else {
            let endpoint = RevocationEndpoint::parse(&given.text).ok_or_else(|| {
                let problem = "it is not an https URL without query (http only to this machine)";
                invalid(&key, &given.source, problem)
            })?;
            Some(endpoint)
        };
        let shown = revocation.as_ref().map(|e| e.origin.join(&e.path));
        self.record(&key, shown.unwrap_or_default(), given.source);
        Ok(Provider {
            accounts,
            api,
            revocation,
        })
    }

    /// The path of a systemd credential (systemd.exec(5), `LoadCredential=`).
    fn credential(&self, key: &Key, given: &Given) -> Result<PathBuf, ConfigError> {
        let name = given.text.as_str();
        if name.is_empty() || name.starts_with('.') || name.contains('/') {
            let problem = "a credential is named by a plain file name";
            return Err(invalid(key, &given.source, problem));
        }
        let folder = self.sources.variable("CREDENTIALS_DIRECTORY");
        let folder = folder.ok_or_else(|| ConfigError::NoCredentials {
            at: given.source.clone(),
            key: key.to_string(),
        })?;
        Ok(PathBuf::from(folder).join(name))
    }

    /// A value that can be shown to anyone.
    fn value<T, E>(
        &mut self,
        key: &Key,
        default: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError>
    where
        T: fmt::Display,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let given = self.take(key, default);
        let value = parse(&given.text).map_err(|error| invalid(key, &given.source, error))?;
        self.record(key, &value, given.source);
        Ok(value)
    }

    fn take(&mut self, key: &Key, default: &str) -> Given {
        let given = self.layer.values.remove(key);
        given.unwrap_or_else(|| Given::new(default, Source::Default))
    }

    fn record(&mut self, key: &Key, value: impl fmt::Display, source: Source) {
        self.settings.push(Setting {
            key: key.to_string(),
            value: value.to_string(),
            source,
        });
    }
}

fn read_secret(
    key: &Key,
    at: Source,
    path: PathBuf,
    guard: Guard,
) -> Result<ClientAuth, ConfigError> {
    match secret_file::read(&path, guard) {
        Ok(text) => Ok(secret_basic(&text)),
        Err(source) => Err(ConfigError::SecretFile {
            at,
            key: key.to_string(),
            path,
            source,
        }),
    }
}

fn secret_basic(text: &str) -> ClientAuth {
    ClientAuth::SecretBasic(ClientSecret::new(text))
}

fn invalid(key: &Key, at: &Source, error: impl Into<Box<dyn Error + Send + Sync>>) -> ConfigError {
    ConfigError::Invalid {
        at: at.clone(),
        key: key.to_string(),
        example: key.example(at),
        source: error.into(),
    }
}
