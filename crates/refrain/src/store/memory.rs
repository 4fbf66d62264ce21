//! A store in memory: for tests, for what others carry while it is in use, and the contract in its shortest
//! form.

mod api_keys;
mod limits;
mod links;
mod notices;
mod sessions;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    access::KeyRecord,
    connect::{LinkId, LinkRecord},
    id::{AppName, GrantId, GrantName, InstanceId},
    lifecycle::{Change, Event, GrantRow, Status, app::AppState},
    limit::{Bucket, Gate},
    notice::{Target, TargetId, Told},
    seal::{self, KeyCheck, KeyId},
    session::{Incarnation, SessionId, SessionRecord},
    store::{
        Changed, Changes, Identity, Liveness, Mark, Store, StoreError, Version, Versioned, Written,
        attempt::Attempt, memory::notices::DeliveryRow,
    },
    time::{Clock, StoreInstant, UnixMillis},
};

/// So many changes are told one by one; whoever has heard of none of them looks for himself.
const CHANGES: usize = 10_000;
/// So long a story is kept.
const STORY: usize = 1000;

/// Everything in one locked struct; nothing survives the process.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    identity: Option<Identity>,
    grants: BTreeMap<GrantName, Versioned<GrantRow>>,
    events: HashMap<GrantId, Vec<Event>>,
    apps: HashMap<AppName, Versioned<AppState>>,
    attempts: HashMap<String, Attempt>,
    api_keys: Vec<KeyRecord>,
    dead: HashSet<InstanceId>,
    changes: VecDeque<Changed>,
    /// How many changes there were before those.
    changed_before: i64,
    limits: BTreeMap<Bucket, (Version, Option<Gate>)>,
    links: BTreeMap<LinkId, LinkRecord>,
    sessions: BTreeMap<SessionId, SessionRecord>,
    incarnation: Incarnation,
    /// When to look whether there is something to tell of a grant.
    news: BTreeMap<GrantName, UnixMillis>,
    told: HashMap<GrantId, Versioned<Told>>,
    notices: Vec<DeliveryRow>,
    /// How many deliveries there have been.
    numbers: u64,
    notices_refused: BTreeSet<TargetId>,
    /// Places, and when a server has named them last.
    notices_targets: BTreeMap<TargetId, (Target, UnixMillis)>,
    notices_since: Option<UnixMillis>,
}

impl MemoryStore {
    /// An empty store on a clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            tables: Mutex::default(),
        }
    }

    /// Declares a process dead.
    pub fn bury(&self, instance: InstanceId) {
        self.tables().dead.insert(instance);
    }

    /// Forgets a grant, as though it had never been; not one that is being refreshed, whose answer would have
    /// nowhere to go. Answers whether it is gone.
    pub fn forget(&self, name: &GrantName, may: impl FnOnce(&GrantRow) -> bool) -> bool {
        let mut tables = self.tables();
        let row = tables.grants.get(name).map(|row| &row.value);
        let Some(row) = row else { return true };
        if row.intent.is_some() || !may(row) {
            return false;
        }
        let id = row.id.clone();
        tables.grants.remove(name);
        tables.events.remove(&id);
        tables.told.remove(&id);
        tables.news.remove(name);
        true
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn put(&mut self, change: &Change, version: Version) -> Written {
        let standing = |row: &GrantRow| (row.epoch, row.minting);
        let before = self.grants.get(&change.row.name);
        if before.is_none_or(|before| standing(&before.value) != standing(&change.row)) {
            self.changes.push_back(Changed {
                name: change.row.name.clone(),
                epoch: change.row.epoch,
                minting: change.row.minting,
            });
            if self.changes.len() > CHANGES {
                self.changes.pop_front();
                self.changed_before += 1;
            }
        }
        let told = |row: &GrantRow| (row.epoch, row.status.word());
        if before.is_none_or(|before| told(&before.value) != told(&change.row)) {
            self.news.insert(change.row.name.clone(), UnixMillis(0));
        }
        let row = Versioned {
            value: change.row.clone(),
            version,
        };
        self.grants.insert(change.row.name.clone(), row);
        let story = self.events.entry(change.row.id.clone()).or_default();
        if change.forgets {
            story.clear();
        }
        story.extend(change.events.iter().cloned());
        story.drain(..story.len().saturating_sub(STORY));
        if let Status::SignedOut { .. } = change.row.status {
            let name = &change.row.name;
            self.sessions.retain(|_, it| !sessions::reaches(it, name));
            self.notices.retain(|it| !it.is_about(name));
        }
        Written::Durably(version)
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn now(&self) -> Result<StoreInstant, StoreError> {
        let now = self.clock.now();
        Ok(StoreInstant {
            era: now.boot.0,
            millis: now.uptime.0,
        })
    }

    async fn prepare(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        Ok(self.tables().identity.clone())
    }

    async fn found(&self, identity: Identity) -> Result<Identity, StoreError> {
        Ok(self.tables().identity.get_or_insert(identity).clone())
    }

    async fn grant(&self, name: &GrantName) -> Result<Option<Versioned<GrantRow>>, StoreError> {
        Ok(self.tables().grants.get(name).cloned())
    }

    async fn replace_key_check(
        &self,
        seen: &KeyCheck,
        next: &KeyCheck,
    ) -> Result<Written, StoreError> {
        match &mut self.tables().identity {
            Some(identity) if identity.key_check == *seen => {
                identity.key_check = next.clone();
                Ok(Written::Durably(Version(0)))
            }
            _ => Ok(Written::Conflict),
        }
    }

    async fn grants(
        &self,
        after: Option<&GrantName>,
        most: u32,
    ) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tables = self.tables();
        let rows = tables.grants.range((from, Bound::Unbounded));
        Ok(rows
            .take(most as usize)
            .map(|(_, row)| row.clone())
            .collect())
    }

    async fn sealed_otherwise(
        &self,
        than: KeyId,
        most: u32,
    ) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        let otherwise = |row: &&Versioned<GrantRow>| {
            let tokens = row.value.tokens.as_ref();
            tokens.is_some_and(|it| !matches!(seal::key_of(&it.data_key), Ok(id) if id == than))
        };
        let tables = self.tables();
        let rows = tables.grants.values().filter(otherwise);
        Ok(rows.take(most as usize).cloned().collect())
    }

    async fn changes(
        &self,
        since: Option<&Mark>,
        most: u32,
    ) -> Result<(Changes, Mark), StoreError> {
        let tables = self.tables();
        let count = i64::try_from(tables.changes.len()).unwrap_or(i64::MAX);
        let newest = Mark::at(tables.changed_before.saturating_add(count));
        let from = since.unwrap_or(&newest).upto - tables.changed_before;
        let Ok(from) = usize::try_from(from) else {
            return Ok((Changes::Any, newest));
        };
        let told: Vec<Changed> = tables.changes.iter().skip(from).cloned().collect();
        if told.len() > most as usize {
            return Ok((Changes::Any, newest));
        }
        Ok((Changes::These(told), newest))
    }

    async fn armed(&self) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        let tables = self.tables();
        let armed = tables
            .grants
            .values()
            .filter(|row| row.value.intent.is_some());
        Ok(armed.cloned().collect())
    }

    async fn count(&self, app: &AppName, most: u32) -> Result<usize, StoreError> {
        let tables = self.tables();
        let of_app =
            |row: &&Versioned<GrantRow>| row.value.app == *app && row.value.tokens.is_some();
        let counted = tables.grants.values().filter(of_app).take(most as usize);
        Ok(counted.count())
    }

    async fn insert(&self, change: &Change) -> Result<Written, StoreError> {
        let mut tables = self.tables();
        if tables.grants.contains_key(&change.row.name) {
            return Ok(Written::Conflict);
        }
        Ok(tables.put(change, Version(1)))
    }

    async fn replace(&self, seen: Version, change: &Change) -> Result<Written, StoreError> {
        let mut tables = self.tables();
        match tables.grants.get(&change.row.name) {
            Some(row) if row.version == seen => Ok(tables.put(change, Version(seen.0 + 1))),
            Some(_) | None => Ok(Written::Conflict),
        }
    }

    async fn story(&self, grant: &GrantId, most: u32) -> Result<Vec<Event>, StoreError> {
        let story = self.tables().events.get(grant).cloned().unwrap_or_default();
        let skip = story.len().saturating_sub(most as usize);
        Ok(story.into_iter().skip(skip).collect())
    }

    async fn app_state(&self, app: &AppName) -> Result<Versioned<AppState>, StoreError> {
        let unknown = Versioned {
            value: AppState::default(),
            version: Version(0),
        };
        Ok(self.tables().apps.get(app).cloned().unwrap_or(unknown))
    }

    async fn replace_app_state(
        &self,
        app: &AppName,
        seen: Version,
        state: &AppState,
    ) -> Result<Written, StoreError> {
        let mut tables = self.tables();
        if tables.apps.get(app).map_or(Version(0), |row| row.version) != seen {
            return Ok(Written::Conflict);
        }
        let version = Version(seen.0 + 1);
        tables.apps.insert(
            app.clone(),
            Versioned {
                value: state.clone(),
                version,
            },
        );
        Ok(Written::Durably(version))
    }

    async fn insert_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let begun = attempt.begun_at();
        tables.attempts.retain(|_, it| begun < it.expires_at);
        tables.attempts.insert(attempt.id.clone(), attempt.clone());
        Ok(())
    }

    async fn take_attempt(&self, id: &str, now: UnixMillis) -> Result<Option<Attempt>, StoreError> {
        let mut tables = self.tables();
        tables
            .attempts
            .retain(|_, attempt| now < attempt.expires_at);
        Ok(tables.attempts.remove(id))
    }

    async fn announce(&self, instance: InstanceId) -> Result<(), StoreError> {
        self.tables().dead.remove(&instance);
        Ok(())
    }

    async fn liveness(&self, instance: InstanceId) -> Result<Liveness, StoreError> {
        let dead = self.tables().dead.contains(&instance);
        Ok(if dead {
            Liveness::Dead
        } else {
            Liveness::MayRun
        })
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lifecycle::row::Intent, store::contract, time::SystemClock};

    fn store() -> MemoryStore {
        MemoryStore::new(Arc::new(SystemClock::new()))
    }

    fn alice() -> GrantRow {
        let id = GrantId::parse(&format!("grt_{}", "0".repeat(32))).unwrap();
        let (name, app) = ("alice".parse().unwrap(), "default".parse().unwrap());
        GrantRow::blank(id, name, app, "client".parse().unwrap(), UnixMillis(0))
    }

    fn change(row: GrantRow) -> Change {
        Change {
            row,
            events: Vec::new(),
            forgets: false,
        }
    }

    #[tokio::test]
    async fn a_grant_is_forgotten_unless_it_is_being_refreshed() {
        let (store, row) = (store(), alice());
        let is_there = async || store.grant(&row.name).await.unwrap().is_some();
        assert!(store.forget(&row.name, |_| false), "it is not there");
        store.insert(&change(row.clone())).await.unwrap();
        assert!(!store.forget(&row.name, |_| false) && is_there().await);
        let armed = GrantRow {
            intent: Some(Intent {
                fence: row.fence.next(),
                owner: InstanceId(1),
                attempt: 0,
                armed_at: UnixMillis(0),
                deadline: store.now().await.unwrap(),
            }),
            ..row.clone()
        };
        store.replace(Version(1), &change(armed)).await.unwrap();
        assert!(!store.forget(&row.name, |_| true) && is_there().await);
        store
            .replace(Version(2), &change(row.clone()))
            .await
            .unwrap();
        assert!(store.forget(&row.name, |_| true) && !is_there().await);
    }

    #[tokio::test]
    async fn what_changes_for_ever_is_told_from_a_list_that_ends() {
        let (store, mut row) = (store(), alice());
        store.insert(&change(row.clone())).await.unwrap();
        let (_, early) = store.changes(None, 10).await.unwrap();
        for version in 1..=CHANGES as u64 + 5 {
            row.minting = row.minting.next();
            let next = change(row.clone());
            let written = store.replace(Version(version), &next).await;
            assert_ne!(written.unwrap(), Written::Conflict);
        }
        assert_eq!(store.tables().changes.len(), CHANGES);
        let (told, late) = store.changes(Some(&early), u32::MAX).await.unwrap();
        assert_eq!(told, Changes::Any, "the first of them are told no more");
        let (told, _) = store.changes(Some(&late), 10).await.unwrap();
        assert_eq!(told, Changes::These(Vec::new()));
        row.minting = row.minting.next();
        let version = Version(CHANGES as u64 + 6);
        store.replace(version, &change(row)).await.unwrap();
        let (told, _) = store.changes(Some(&late), 10).await.unwrap();
        assert!(matches!(told, Changes::These(told) if told.len() == 1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_keeps_the_contract() {
        contract::run(|| async {
            let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(SystemClock::new())));
            (Arc::clone(&store), store)
        })
        .await;
    }
}
