//! The values that were given, each with its source, before anyone asks what they mean.

use std::{collections::BTreeMap, fmt};

use zeroize::Zeroizing;

use crate::id::AppName;

use super::{error::ConfigError, key::Key, source::Source};

/// One value as it was written.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) text: Zeroizing<String>,
    pub(super) source: Source,
}

impl Given {
    pub(super) fn new(text: impl Into<String>, source: Source) -> Self {
        let text = Zeroizing::new(text.into());
        Self { text, source }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Given(redacted, {})", self.source)
    }
}

/// Everything that one place says.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) values: BTreeMap<Key, Given>,
    /// The apps, each with its first mention: one may be named without a single value.
    pub(super) apps: BTreeMap<AppName, Source>,
}

impl Layer {
    pub(super) fn insert(&mut self, key: Key, given: Given) {
        if let Key::App(app, _) = &key {
            self.mention(app.clone(), &given.source);
        }
        self.values.insert(key, given);
    }

    pub(super) fn mention(&mut self, app: AppName, at: &Source) {
        self.apps.entry(app).or_insert_with(|| at.clone());
    }

    /// Puts another layer on top: it wins, also over other ways to say the same thing.
    #[must_use]
    pub(super) fn under(mut self, top: Self) -> Self {
        for key in top.values.keys() {
            for other in key.alternatives() {
                self.values.remove(&other);
            }
        }
        self.values.extend(top.values);
        for (app, at) in top.apps {
            self.mention(app, &at);
        }
        self
    }

    /// Refuses a file and a credential for the same secret.
    pub(super) fn check_conflicts(&self) -> Result<(), ConfigError> {
        for (key, given) in &self.values {
            let other = key
                .alternatives()
                .into_iter()
                .filter(|other| other != key)
                .find_map(|other| self.values.get_key_value(&other));
            if let Some((other, other_given)) = other {
                return Err(ConfigError::Conflict {
                    first: key.to_string(),
                    first_at: given.source.clone(),
                    second: other.to_string(),
                    second_at: other_given.source.clone(),
                });
            }
        }
        Ok(())
    }
}
