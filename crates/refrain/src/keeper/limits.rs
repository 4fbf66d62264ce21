//! The gates of this process, kept in step with the store: the feed does so beside its own questions.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::{Mutex, OnceCell};

use crate::{
    config::App,
    id::AppName,
    keeper::{Error, Keeper},
    limit::{Gates, Unkept},
    store::{StoreError, Version, Written},
    time::Clock,
};

/// So often a write is tried again at once that another node has been faster with.
const ROUNDS: usize = 3;

/// What this process knows of the Web API's limits.
#[derive(Debug)]
pub(super) struct Limits {
    gates: Gates,
    /// Whether what the store had was read.
    loaded: OnceCell<()>,
    /// Held by whoever keeps step.
    step: Mutex<()>,
}

impl Limits {
    pub(super) fn new(apps: &BTreeMap<AppName, App>, clock: Arc<dyn Clock>) -> Self {
        let developers = apps.values();
        let developers = developers.map(|app| (app.name.clone(), app.developer.clone()));
        Self {
            gates: Gates::new(clock, developers.collect()),
            loaded: OnceCell::new(),
            step: Mutex::default(),
        }
    }

    /// The gates, of which something may have to be kept.
    pub(super) fn gates(&self) -> &Gates {
        &self.gates
    }
}

impl Keeper {
    /// The gates of this process, once those of the store are among them: nothing is sent by somebody who
    /// does not know them yet.
    pub(crate) async fn gates(self: &Arc<Self>) -> Result<Gates, Error> {
        let load = || async {
            let _alone = self.limits.step.lock().await;
            self.hear_gates().await
        };
        self.limits.loaded.get_or_try_init(load).await?;
        self.listen();
        Ok(self.limits.gates.clone())
    }

    /// Tells the store what it has to hear, and hears what it has. What it does not take is told again the
    /// next time.
    pub(super) async fn keep_gates(&self) {
        if !self.limits.loaded.initialized() {
            return;
        }
        let _alone = self.limits.step.lock().await;
        for _ in 0..ROUNDS {
            if let Err(error) = self.keep_step().await {
                tracing::debug!(
                    code = error.code(),
                    "the Web API's limits are known here alone, for now"
                );
                return;
            }
            if self.limits.gates.unkept().is_empty() {
                return;
            }
        }
    }

    async fn keep_step(&self) -> Result<(), StoreError> {
        let mut told = Ok(());
        for unkept in self.limits.gates.unkept() {
            // What cannot be written does not keep anybody from reading.
            if let Err(error) = self.tell_store(&unkept).await {
                told = Err(error);
            }
        }
        self.hear_gates().await?;
        told
    }

    async fn tell_store(&self, unkept: &Unkept) -> Result<(), StoreError> {
        let store = &self.parts.store;
        let written = match unkept {
            Unkept::Closed(seen, gate) => store.replace_limit(Version(*seen), gate).await?,
            Unkept::Gone(seen, bucket) => store.remove_limit(Version(*seen), bucket).await?,
        };
        match written {
            Written::Durably(version) => self.limits.gates.settled(unkept, version.0),
            Written::Conflict => self.limits.gates.superseded(unkept),
        }
        Ok(())
    }

    async fn hear_gates(&self) -> Result<(), StoreError> {
        let stored = self.parts.store.limits().await?;
        let stored = stored.into_iter().map(|it| (it.version.0, it.value));
        self.limits.gates.heard(stored.collect());
        Ok(())
    }
}
