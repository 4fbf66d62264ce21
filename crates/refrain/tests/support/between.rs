//! A store with somebody between it and the keeper: who fails calls, or does things in between.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use refrain::{
    access::{ApiKeyId, Grants, KeyRecord},
    connect::{LinkId, LinkRecord},
    id::{AppName, GrantId, GrantName, InstanceId},
    lifecycle::{Change, Event, GrantRow, app::AppState},
    limit::{Bucket, Gate},
    notice::{Delivery, Message, Target, TargetId, delivery::Settled},
    seal::{KeyCheck, KeyId},
    session::{Incarnation, SessionId, SessionRecord},
    store::{
        ApiKeys, Changes, Identity, Limits, Links, Liveness, Mark, NewsMark, NewsPage, Noted,
        Notices, Sessions, Store, StoreError, Telling, Unreadable, Version, Versioned, Written,
        attempt::Attempt,
    },
    time::{BoxFuture, StoreInstant, UnixMillis},
};
use tokio::sync::watch;

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Read,
    Write,
    /// Writing down what came of a delivery.
    Settle,
    Count,
    Liveness(InstanceId),
}

/// Who is between.
#[async_trait]
pub trait Between: fmt::Debug + Send + Sync {
    /// Before a call; an error is the answer instead of it.
    async fn before(&self, _: Call) -> Result<(), StoreError> {
        Ok(())
    }

    /// After it was done; an error is the answer instead of what it said.
    async fn after(&self, _: Call) -> Result<(), StoreError> {
        Ok(())
    }

    /// After the feed has asked what has changed; may change what it is told.
    async fn heard(&self, _: &mut Changes) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether the row of a grant makes no sense.
    fn spoils(&self, _: &GrantName) -> bool {
        false
    }

    /// Whether somebody has locked the row that is to be replaced.
    fn locks(&self) -> bool {
        false
    }

    /// When the write of a row is made, if whoever asks for it is told now that the store does not answer.
    fn later(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }
}

/// The store with somebody between.
#[derive(Debug)]
pub struct Watched<B> {
    pub inner: Arc<dyn Store>,
    pub between: B,
}

impl<B: Between> Watched<B> {
    async fn call<T>(
        &self,
        call: Call,
        done: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.between.before(call).await?;
        let done = done.await?;
        self.between.after(call).await?;
        Ok(done)
    }
}

#[async_trait]
impl<B: Between> ApiKeys for Watched<B> {
    async fn insert_api_key(&self, key: &KeyRecord) -> Result<Written, StoreError> {
        self.call(Call::Write, self.inner.insert_api_key(key)).await
    }
    async fn api_key(&self, id: &ApiKeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.call(Call::Read, self.inner.api_key(id)).await
    }
    async fn api_keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.call(Call::Read, self.inner.api_keys()).await
    }
    async fn api_keys_after(
        &self,
        after: Option<&ApiKeyId>,
        most: u32,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        let done = self.inner.api_keys_after(after, most);
        self.call(Call::Read, done).await
    }
    async fn revoke_api_key(&self, id: &ApiKeyId, at: UnixMillis) -> Result<bool, StoreError> {
        self.call(Call::Write, self.inner.revoke_api_key(id, at))
            .await
    }
    async fn note_api_key_use(&self, id: &ApiKeyId, at: UnixMillis) -> Result<(), StoreError> {
        self.call(Call::Write, self.inner.note_api_key_use(id, at))
            .await
    }
}

#[async_trait]
impl<B: Between> Limits for Watched<B> {
    async fn limits(&self) -> Result<Vec<Versioned<Gate>>, StoreError> {
        // As the feed: it asks by itself.
        self.inner.limits().await
    }
    async fn replace_limit(&self, seen: Version, gate: &Gate) -> Result<Written, StoreError> {
        let done = self.inner.replace_limit(seen, gate);
        self.call(Call::Write, done).await
    }
    async fn remove_limit(&self, seen: Version, bucket: &Bucket) -> Result<Written, StoreError> {
        let done = self.inner.remove_limit(seen, bucket);
        self.call(Call::Write, done).await
    }
}

#[async_trait]
impl<B: Between> Sessions for Watched<B> {
    async fn insert_session(&self, session: &SessionRecord) -> Result<Written, StoreError> {
        self.call(Call::Write, self.inner.insert_session(session))
            .await
    }
    async fn session(&self, id: &SessionId) -> Result<Option<SessionRecord>, StoreError> {
        self.call(Call::Read, self.inner.session(id)).await
    }
    async fn note_session(
        &self,
        id: &SessionId,
        seen_at: UnixMillis,
        lapses_at: UnixMillis,
    ) -> Result<(), StoreError> {
        let done = self.inner.note_session(id, seen_at, lapses_at);
        self.call(Call::Write, done).await
    }
    async fn end_session(&self, id: &SessionId) -> Result<bool, StoreError> {
        self.call(Call::Write, self.inner.end_session(id)).await
    }
    async fn admin_sessions(
        &self,
        now: UnixMillis,
        most: u32,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let done = self.inner.admin_sessions(now, most);
        self.call(Call::Read, done).await
    }
    async fn end_admin_sessions(&self) -> Result<u64, StoreError> {
        self.call(Call::Write, self.inner.end_admin_sessions())
            .await
    }
    async fn incarnation(&self) -> Result<Incarnation, StoreError> {
        self.call(Call::Read, self.inner.incarnation()).await
    }
    async fn end_all_sessions(&self, next: Incarnation) -> Result<(), StoreError> {
        self.call(Call::Write, self.inner.end_all_sessions(next))
            .await
    }
    async fn unreached(
        &self,
        prefix: &'static str,
        after: Option<&GrantName>,
        now: UnixMillis,
    ) -> Result<Vec<GrantName>, StoreError> {
        self.call(Call::Read, self.inner.unreached(prefix, after, now))
            .await
    }
    async fn sessions_of(
        &self,
        grant: &GrantName,
        but: Option<&SessionId>,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        self.call(Call::Read, self.inner.sessions_of(grant, but, now))
            .await
    }
}

#[async_trait]
impl<B: Between> Links for Watched<B> {
    async fn insert_link(&self, link: &LinkRecord) -> Result<Written, StoreError> {
        self.call(Call::Write, self.inner.insert_link(link)).await
    }
    async fn link(&self, id: &LinkId) -> Result<Option<LinkRecord>, StoreError> {
        self.call(Call::Read, self.inner.link(id)).await
    }
    async fn use_link(&self, id: &LinkId, at: UnixMillis) -> Result<bool, StoreError> {
        self.call(Call::Write, self.inner.use_link(id, at)).await
    }
}

#[async_trait]
impl<B: Between> Notices for Watched<B> {
    async fn notices_since(&self, now: UnixMillis) -> Result<UnixMillis, StoreError> {
        self.inner.notices_since(now).await
    }
    async fn news(
        &self,
        now: UnixMillis,
        after: Option<&NewsMark>,
        most: u32,
    ) -> Result<NewsPage, StoreError> {
        let NewsPage { grants, last } = self.inner.news(now, after, most).await?;
        let spoils = |noted: Noted| {
            let name = noted.row.name.clone();
            let why = self.between.spoils(&name).then(|| spoilt(&name));
            why.map_or(Ok(noted), |why| Err(Unreadable { name, why }))
        };
        let grants = grants.into_iter().map(|it| it.and_then(spoils)).collect();
        Ok(NewsPage { grants, last })
    }
    async fn look_later(&self, grants: &[GrantName], at: UnixMillis) -> Result<(), StoreError> {
        let done = self.inner.look_later(grants, at);
        self.call(Call::Write, done).await
    }
    async fn tell(&self, tellings: &[Telling], to: &[Target]) -> Result<Vec<bool>, StoreError> {
        self.call(Call::Write, self.inner.tell(tellings, to)).await
    }
    async fn send(&self, message: &Message, to: &[Target]) -> Result<(), StoreError> {
        self.call(Call::Write, self.inner.send(message, to)).await
    }
    async fn claim(
        &self,
        target: &TargetId,
        now: UnixMillis,
        lease: Duration,
        most: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.inner.claim(target, now, lease, most).await
    }
    async fn settle(
        &self,
        claimed: &Delivery,
        outcome: &str,
        at: UnixMillis,
        settled: Settled,
    ) -> Result<bool, StoreError> {
        let done = self.inner.settle(claimed, outcome, at, settled);
        self.call(Call::Settle, done).await
    }
    async fn deliveries(
        &self,
        of: &Grants,
        before: Option<u64>,
        most: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let done = self.inner.deliveries(of, before, most);
        self.call(Call::Read, done).await
    }
    async fn refuse_notices(&self, target: &TargetId, at: UnixMillis) -> Result<(), StoreError> {
        let done = self.inner.refuse_notices(target, at);
        self.call(Call::Write, done).await
    }
    async fn refused_notices(&self) -> Result<Vec<TargetId>, StoreError> {
        self.inner.refused_notices().await
    }
    async fn forgive_notices(&self, except: &[Target]) -> Result<(), StoreError> {
        self.call(Call::Write, self.inner.forgive_notices(except))
            .await
    }
    async fn name_targets(
        &self,
        targets: &[Target],
        now: UnixMillis,
        gone: UnixMillis,
    ) -> Result<u64, StoreError> {
        let done = self.inner.name_targets(targets, now, gone);
        self.call(Call::Write, done).await
    }
    async fn named_targets(&self, since: UnixMillis) -> Result<Vec<Target>, StoreError> {
        self.inner.named_targets(since).await
    }
    async fn forget_notices(&self, made_before: UnixMillis) -> Result<(), StoreError> {
        let done = self.inner.forget_notices(made_before);
        self.call(Call::Write, done).await
    }
}

#[async_trait]
impl<B: Between> Store for Watched<B> {
    fn place(&self) -> String {
        self.inner.place()
    }
    fn poll(&self) -> Duration {
        self.inner.poll()
    }
    fn hints(&self) -> Option<watch::Receiver<u64>> {
        self.inner.hints()
    }
    async fn prepare(&self) -> Result<(), StoreError> {
        self.inner.prepare().await
    }
    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        self.inner.identity().await
    }
    async fn found(&self, identity: Identity) -> Result<Identity, StoreError> {
        self.inner.found(identity).await
    }
    async fn replace_key_check(
        &self,
        seen: &KeyCheck,
        next: &KeyCheck,
    ) -> Result<Written, StoreError> {
        let done = self.inner.replace_key_check(seen, next);
        self.call(Call::Write, done).await
    }
    async fn now(&self) -> Result<StoreInstant, StoreError> {
        self.call(Call::Read, self.inner.now()).await
    }
    async fn grant(&self, name: &GrantName) -> Result<Option<Versioned<GrantRow>>, StoreError> {
        if self.between.spoils(name) {
            return Err(spoilt(name));
        }
        self.call(Call::Read, self.inner.grant(name)).await
    }
    async fn grants(
        &self,
        after: Option<&GrantName>,
        most: u32,
    ) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        self.call(Call::Read, self.inner.grants(after, most)).await
    }
    async fn list(
        &self,
        after: Option<&GrantName>,
        most: u32,
    ) -> Result<Vec<Result<Versioned<GrantRow>, Unreadable>>, StoreError> {
        let rows = self.call(Call::Read, self.inner.list(after, most)).await?;
        let spoils = |row: Versioned<GrantRow>| {
            let name = row.value.name.clone();
            let why = self.between.spoils(&name).then(|| spoilt(&name));
            why.map_or(Ok(row), |why| Err(Unreadable { name, why }))
        };
        Ok(rows.into_iter().map(|row| row.and_then(spoils)).collect())
    }
    async fn armed(&self) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        self.call(Call::Read, self.inner.armed()).await
    }
    async fn sealed_otherwise(
        &self,
        than: KeyId,
        most: u32,
    ) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        let done = self.inner.sealed_otherwise(than, most);
        self.call(Call::Read, done).await
    }
    async fn changes(
        &self,
        since: Option<&Mark>,
        most: u32,
    ) -> Result<(Changes, Mark), StoreError> {
        // The feed runs by itself: whoever counts calls counts those of a refresh.
        let (mut changes, mark) = self.inner.changes(since, most).await?;
        self.between.heard(&mut changes).await?;
        Ok((changes, mark))
    }
    async fn count(&self, app: &AppName, most: u32) -> Result<usize, StoreError> {
        self.call(Call::Count, self.inner.count(app, most)).await
    }
    async fn insert(&self, change: &Change) -> Result<Written, StoreError> {
        self.call(Call::Write, self.inner.insert(change)).await
    }
    async fn replace(&self, seen: Version, change: &Change) -> Result<Written, StoreError> {
        if self.between.locks() {
            return Ok(Written::Conflict);
        }
        if let Some(when) = self.between.later() {
            let (store, change) = (Arc::clone(&self.inner), change.clone());
            tokio::spawn(async move {
                when.await;
                store.replace(seen, &change).await.unwrap();
            });
            return Err(StoreError::Unavailable {
                place: "the test".to_owned(),
                source: refrain::store::cause("it takes its time"),
            });
        }
        self.call(Call::Write, self.inner.replace(seen, change))
            .await
    }
    async fn story(&self, grant: &GrantId, most: u32) -> Result<Vec<Event>, StoreError> {
        self.call(Call::Read, self.inner.story(grant, most)).await
    }
    async fn app_state(&self, app: &AppName) -> Result<Versioned<AppState>, StoreError> {
        self.call(Call::Read, self.inner.app_state(app)).await
    }
    async fn replace_app_state(
        &self,
        app: &AppName,
        seen: Version,
        state: &AppState,
    ) -> Result<Written, StoreError> {
        let done = self.inner.replace_app_state(app, seen, state);
        self.call(Call::Write, done).await
    }
    async fn insert_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        self.call(Call::Write, self.inner.insert_attempt(attempt))
            .await
    }
    async fn take_attempt(&self, id: &str, now: UnixMillis) -> Result<Option<Attempt>, StoreError> {
        self.call(Call::Write, self.inner.take_attempt(id, now))
            .await
    }
    async fn announce(&self, instance: InstanceId) -> Result<(), StoreError> {
        self.call(Call::Write, self.inner.announce(instance)).await
    }
    async fn liveness(&self, instance: InstanceId) -> Result<Liveness, StoreError> {
        let done = self.inner.liveness(instance);
        self.call(Call::Liveness(instance), done).await
    }
    async fn scrub(&self) -> Result<(), StoreError> {
        self.call(Call::Write, self.inner.scrub()).await
    }
}

fn spoilt(name: &GrantName) -> StoreError {
    StoreError::Value {
        table: "grants",
        column: "rest",
        row: name.to_string(),
        source: refrain::store::cause("the test has spoilt it"),
    }
}
