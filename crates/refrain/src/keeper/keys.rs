//! API keys: made, listed, revoked, and checked when somebody presents one.
//!
//! The check reads the store each time, so that a revoked key is refused at once by every process. Only
//! the note of when a key was used last is left for later: it is made behind the caller's back, once a
//! minute for each key.

mod error;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub use self::error::KeyError;
use crate::{
    access::{ApiKey, ApiKeyId, Grants, KeyHash, KeyRecord, Permissions, Refused, check},
    id::{ApiKeyName, GrantName},
    keeper::{Error, Keeper, sync::spawn},
    store::Written,
    time::UnixMillis,
};

/// How exactly it is known when a key was used last.
const NOTED: Duration = Duration::from_secs(60);
/// So many grants are named to somebody who has named others.
const NAMED: u32 = 20;

/// A key that is to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What people call it.
    pub name: ApiKeyName,
    /// Which grants it reaches; they have to be there.
    pub grants: Grants,
    /// What it may do.
    pub permissions: Permissions,
    /// Whether links in the API's answers are to lead to refrain.
    pub rewrite_links: bool,
    /// For how long it is valid; `None` is until it is revoked.
    pub lifetime: Option<Duration>,
}

/// A key that is revoked now.
#[derive(Debug, Clone)]
pub struct RevokedKey {
    /// The key.
    pub key: KeyRecord,
    /// Whether it was not before.
    pub news: bool,
}

/// When this process has noted a use of each key.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<BTreeMap<ApiKeyId, UnixMillis>>);

impl Uses {
    /// Whether a use at this instant is worth a note; the next one within a minute is not.
    fn is_due(&self, key: &KeyRecord, now: UnixMillis) -> bool {
        let recent = |at: UnixMillis| now.since(at) < NOTED;
        if key.last_used_at.is_some_and(recent) {
            return false;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&key.id).copied().is_some_and(recent) {
            return false;
        }
        noted.insert(key.id.clone(), now);
        true
    }
}

impl Keeper {
    pub(crate) async fn create_key(&self, new: NewKey) -> Result<(ApiKey, KeyRecord), Error> {
        if new.permissions.is_empty() {
            return Err(KeyError::WithoutPermission.into());
        }
        if new.permissions.use_grants() && new.grants.is_empty() {
            return Err(KeyError::WithoutGrant.into());
        }
        self.know(&new.grants).await?;
        let store = &self.parts.store;
        loop {
            let key = ApiKey::random(self.parts.random.as_ref())?;
            let record = self.record(&key, &new);
            if let Written::Durably(_) = store.insert_api_key(&record).await? {
                return Ok((key, record));
            }
            let keys = store.api_keys().await?;
            let holder = keys.into_iter().find(|it| is_named(it, new.name.as_str()));
            if let Some(KeyRecord { name, id, .. }) = holder {
                return Err(KeyError::NameTaken { name, id }.into());
            }
            // The holder has been revoked meanwhile, or two ids are the same by chance.
        }
    }

    pub(crate) async fn revoke_key(&self, given: &str) -> Result<RevokedKey, Error> {
        let store = &self.parts.store;
        let keys = store.api_keys().await?;
        let Some(mut key) = find(keys, given) else {
            return Err(KeyError::unknown(given).into());
        };
        let now = self.parts.clock.wall();
        let news = store.revoke_api_key(&key.id, now).await?;
        if let Some(read) = store.api_key(&key.id).await? {
            key = read;
        }
        Ok(RevokedKey { key, news })
    }

    pub(crate) async fn verify_key(self: &Arc<Self>, key: &ApiKey) -> Result<KeyRecord, Error> {
        let record = self.parts.store.api_key(&key.id()).await?;
        // Hashed whether there is a record or not: the time tells nobody.
        let presented = KeyHash::of(key, &self.parts.sealer);
        let now = self.parts.clock.wall();
        let checked = check(record.as_ref(), &presented, now);
        let record = checked.and_then(|()| record.ok_or(Refused::Unknown));
        let record = record.map_err(|why| KeyError::Refused { why })?;
        if self.uses.is_due(&record, now) {
            self.note_use(record.id.clone(), now);
        }
        Ok(record)
    }

    fn note_use(self: &Arc<Self>, id: ApiKeyId, now: UnixMillis) {
        let keeper = Arc::clone(self);
        spawn(self.tasks.track(async move {
            let noted = keeper.parts.store.note_api_key_use(&id, now).await;
            if let Err(error) = noted {
                tracing::debug!(key = %id, code = error.code(), "its use could not be noted");
            }
        }));
    }

    /// Makes sure that the grants of a new key are there: a typo would make a key that does nothing, or
    /// one that waits for somebody to sign in under that name.
    async fn know(&self, grants: &Grants) -> Result<(), Error> {
        let Grants::Only(names) = grants else {
            return Ok(());
        };
        let mut unknown = Vec::new();
        for name in names {
            if self.parts.store.grant(name).await?.is_none() {
                unknown.push(name.clone());
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let known = self.parts.store.grants(None, NAMED).await?;
        let known: Vec<GrantName> = known.into_iter().map(|row| row.value.name).collect();
        Err(KeyError::UnknownGrants { unknown, known }.into())
    }

    fn record(&self, key: &ApiKey, new: &NewKey) -> KeyRecord {
        let now = self.parts.clock.wall();
        KeyRecord {
            id: key.id(),
            name: new.name.clone(),
            hash: KeyHash::of(key, &self.parts.sealer),
            grants: new.grants.clone(),
            permissions: new.permissions,
            rewrite_links: new.rewrite_links,
            created_at: now,
            expires_at: new.lifetime.map(|lifetime| now.after(lifetime)),
            last_used_at: None,
            revoked_at: None,
        }
    }
}

/// Finds the key that somebody means: by its id, by its name, or, where it has leaked, by itself. Of
/// several revoked ones of a name it is the newest.
fn find(mut keys: Vec<KeyRecord>, given: &str) -> Option<KeyRecord> {
    let leaked = ApiKey::parse(given).ok().map(|key| key.id());
    let by_id = |key: &KeyRecord| key.id.as_str() == given || Some(&key.id) == leaked.as_ref();
    let found = keys
        .iter()
        .position(by_id)
        .or_else(|| keys.iter().position(|key| is_named(key, given)))
        .or_else(|| keys.iter().rposition(|key| key.name.as_str() == given));
    found.map(|found| keys.swap_remove(found))
}

/// Whether a key has a name that nobody else can have meanwhile.
fn is_named(key: &KeyRecord, name: &str) -> bool {
    key.revoked_at.is_none() && key.name.as_str() == name
}
