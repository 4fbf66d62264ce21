//! The section of notices.

use super::{Resolver, invalid};
use crate::{
    config::{
        error::ConfigError,
        expand,
        key::Key,
        notices::{Notices, Webhook, command, word},
        secret_file::{self, Guard},
        source::Source,
    },
    secret::WebhookSecret,
};

impl Resolver<'_> {
    pub(super) fn notices(&mut self) -> Result<Notices, ConfigError> {
        let (webhooks, program) = (Key::NoticesWebhooks, Key::NoticesCommand);
        let of = |key| self.layer.values.get(key).map(|given| given.source.clone());
        let (webhooks_at, command_at) = (of(&webhooks), of(&program));
        let webhooks = self.list(&webhooks, str::parse::<Webhook>)?;
        let secrets = self.webhook_secrets()?;
        let words = self.list(&program, word)?;
        let command = command(words).map_err(|error| {
            let at = command_at.unwrap_or(Source::Default);
            invalid(&program, &at, error)
        })?;
        match webhooks_at {
            Some(at) if !webhooks.is_empty() && secrets.is_empty() => {
                Err(ConfigError::Incomplete {
                    at,
                    given: Key::NoticesWebhooks.to_string(),
                    missing: Key::NoticesWebhookSecretFile.to_string(),
                })
            }
            _ => Ok(Notices {
                webhooks,
                secrets,
                command,
            }),
        }
    }

    fn webhook_secrets(&mut self) -> Result<Vec<WebhookSecret>, ConfigError> {
        let key = Key::NoticesWebhookSecretCredential;
        let (key, given, path, guard) = if let Some(given) = self.layer.values.remove(&key) {
            let path = self.credential(&key, &given)?;
            self.record(&key, &*given.text, given.source.clone());
            (key, given, path, Guard::Systemd)
        } else {
            let key = Key::NoticesWebhookSecretFile;
            let given = self.take(&key, "");
            if given.text.is_empty() {
                self.record(&key, "", given.source);
                return Ok(Vec::new());
            }
            let path = expand::path(self.sources, &key, &given.text, &given.source)?;
            self.record(&key, path.display(), given.source.clone());
            (key, given, path, Guard::Mode)
        };
        let lines = secret_file::read_lines(&path, guard);
        let lines = lines.map_err(|source| ConfigError::SecretFile {
            at: given.source.clone(),
            key: key.to_string(),
            path,
            source,
        })?;
        let secrets = lines.iter().map(|line| WebhookSecret::parse(line));
        let secrets = secrets.collect::<Result<_, _>>();
        // The example is how to name a file; the error says what has to be in it.
        secrets.map_err(|error| invalid(&key, &given.source, error))
    }
}
