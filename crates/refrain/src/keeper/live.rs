//! The access token in memory: read without a lock, an allocation or a decryption.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;

use crate::{
    id::{Epoch, GrantId, GrantName, Minting},
    keeper::{BLIND, Error, Keeper, Problem, WATCH, flight::Slot},
    lifecycle::{GrantRow, Status, timing},
    oauth::scope::Scope,
    seal::{DataKey, Field},
    secret::AccessToken,
    time::{Moment, UnixMillis, Uptime},
};

/// What a process holds of one grant.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) name: GrantName,
    pub(super) live: ArcSwapOption<Live>,
    /// The newest login or logout known here; taken by whoever changes `live`, never by readers.
    newest: Mutex<Epoch>,
    pub(super) slot: Slot,
    watched: AtomicBool,
    /// Until which uptime `live` may be served without another look at the row.
    looked_until: AtomicI64,
}

impl Cell {
    pub(super) fn new(name: GrantName) -> Self {
        Self {
            name,
            live: ArcSwapOption::empty(),
            newest: Mutex::default(),
            slot: Slot::default(),
            watched: AtomicBool::new(false),
            looked_until: AtomicI64::new(i64::MIN),
        }
    }

    /// Ends all tokens of logins before this epoch: from the moment this returns none is served.
    pub(super) fn begin_epoch(&self, epoch: Epoch) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = epoch.max(*newest);
        if self
            .live
            .load()
            .as_ref()
            .is_some_and(|live| live.epoch < *newest)
        {
            self.live.store(None);
        }
    }

    /// Takes a token over, unless it is of a login that has ended or older than the one that is here;
    /// a slow reader must not undo what a faster one has seen. Answers what is here now.
    fn offer(&self, live: Live) -> Option<Arc<Live>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.live.load_full();
        let older = |held: &Arc<Live>| {
            held.grant == live.grant && (live.epoch, live.minting) <= (held.epoch, held.minting)
        };
        if live.epoch < *newest || held.as_ref().is_some_and(older) {
            return held;
        }
        let live = Arc::new(live);
        self.live.store(Some(Arc::clone(&live)));
        Some(live)
    }

    fn is_over(&self, epoch: Epoch) -> bool {
        epoch < *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a look at the row, or that the store does not let anybody look.
    fn looked(&self, now: Uptime) {
        self.looked_until
            .store(now.after(BLIND).0, Ordering::Relaxed);
    }

    /// Whether the row was looked at lately; the watcher sees to that where the runtime lets it run.
    pub(super) fn seen_lately(&self, now: Uptime) -> bool {
        now.0 < self.looked_until.load(Ordering::Relaxed)
    }

    /// The token, if it is not due: two atomic loads and two comparisons.
    pub(crate) fn fresh(&self, now: Uptime) -> Option<AccessToken> {
        if !self.seen_lately(now) {
            return None;
        }
        let live = self.live.load();
        let live = live.as_ref()?;
        (now < live.due).then(|| live.token.clone())
    }
}

/// An access token that is durable in the store, and how long it lives.
#[derive(Debug, Clone)]
pub struct Live {
    token: AccessToken,
    pub(super) grant: GrantId,
    pub(super) epoch: Epoch,
    pub(super) minting: Minting,
    due: Uptime,
    end: Uptime,
    life: Duration,
    expires_at: UnixMillis,
    scope: Scope,
}

impl Live {
    /// The token.
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    /// When it expires, by the wall clock.
    pub fn expires_at(&self) -> UnixMillis {
        self.expires_at
    }

    /// What it was granted for.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// How long it still lives.
    pub(crate) fn remaining(&self, now: Uptime) -> Duration {
        self.end.since(now)
    }

    /// Whether it lives at all.
    pub(super) fn lives(&self, now: Uptime) -> bool {
        now < self.end
    }

    /// Whether it lives long enough: `min_ttl`, though never more than nine tenths of what the provider
    /// gives; without one, whether it is not due.
    pub(super) fn lasts(&self, min_ttl: Option<Duration>, now: Uptime) -> bool {
        match min_ttl {
            None => now < self.due,
            Some(min_ttl) => {
                let needed = min_ttl.min(self.life * 9 / 10);
                self.lives(now) && self.remaining(now) >= needed
            }
        }
    }
}

/// A token, and what stands in the way of the next one.
#[derive(Debug, Clone)]
pub struct Served {
    /// The token.
    pub live: Arc<Live>,
    /// Why it is not a fresh one.
    pub warning: Option<Error>,
}

impl Keeper {
    /// Reads the row and publishes its access token, whoever minted it; `None` where it has none.
    pub(super) async fn reload(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
    ) -> Result<Option<Arc<Live>>, Error> {
        let row = match self.read(&cell.name).await {
            Ok(row) => row.value,
            Err(error) => {
                // The grant is gone: so is its token. Of a store that fails nothing is known.
                if matches!(error.problem(), Problem::UnknownGrant { .. }) {
                    cell.live.store(None);
                } else {
                    cell.looked(self.parts.clock.uptime());
                }
                return Err(error);
            }
        };
        self.publish(cell, &row)
    }

    /// Publishes the access token of a row that was read from, or written to, the store. This is the
    /// only way to a token in memory: durable before used.
    pub(super) fn publish(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        row: &GrantRow,
    ) -> Result<Option<Arc<Live>>, Error> {
        cell.looked(self.parts.clock.uptime());
        if cell.is_over(row.epoch) {
            return Ok(cell.live.load_full());
        }
        cell.begin_epoch(row.epoch);
        if let Status::SignedOut { .. } = row.status {
            let grant = row.name.clone();
            return Err(Problem::SignedOut { grant }.into());
        }
        let held = cell.live.load_full();
        if held
            .as_ref()
            .is_some_and(|held| (held.epoch, held.minting) == (row.epoch, row.minting))
        {
            return Ok(held);
        }
        let Some(live) = self.open_live(row)? else {
            return Ok(held);
        };
        self.watch(cell);
        Ok(cell.offer(live))
    }

    fn open_live(&self, row: &GrantRow) -> Result<Option<Live>, Error> {
        let Some(access) = row
            .tokens
            .as_ref()
            .and_then(|tokens| tokens.access.as_ref())
        else {
            return Ok(None);
        };
        let text = self
            .data_key(row)?
            .open(Field::AccessToken, row.minting.0, &access.sealed)
            .map_err(|source| Problem::sealed(row, "access token", source))?;
        let now: Moment = self.parts.clock.now();
        let life = Duration::from_millis(access.life_millis.unsigned_abs());
        let remaining = access.expires.remaining(&now).min(life);
        let end = now.uptime.after(remaining);
        let ahead = timing::ahead(life) + timing::jitter(life, row.id.as_str());
        let due = now.uptime.after(remaining.saturating_sub(ahead));
        Ok(Some(Live {
            token: AccessToken::new(text.as_str()),
            grant: row.id.clone(),
            epoch: row.epoch,
            minting: row.minting,
            due,
            end,
            life,
            expires_at: now.wall.after(remaining),
            scope: row.scope.clone(),
        }))
    }

    /// The key of a row's secrets.
    pub(super) fn data_key(&self, row: &GrantRow) -> Result<DataKey, Error> {
        let tokens = row.tokens.as_ref().ok_or_else(|| Problem::SignedOut {
            grant: row.name.clone(),
        })?;
        let key = self
            .parts
            .sealer
            .open_data_key(&row.id, row.epoch, &tokens.data_key);
        key.map_err(|source| Problem::sealed(row, "data key", source).into())
    }

    /// Sees to it that a logout or a renewal by another process reaches this cell: looks at the row
    /// every two seconds for as long as the keeper lives.
    fn watch(self: &Arc<Self>, cell: &Arc<Cell>) {
        if cell.watched.swap(true, Ordering::Relaxed) {
            return;
        }
        let (keeper, cell) = (Arc::downgrade(self), Arc::downgrade(cell));
        tokio::spawn(watch(keeper, cell));
    }
}

async fn watch(keeper: Weak<Keeper>, cell: Weak<Cell>) {
    loop {
        let Some(nap) = keeper
            .upgrade()
            .map(|keeper| keeper.parts.clock.sleep(WATCH))
        else {
            return;
        };
        nap.await;
        let (Some(keeper), Some(cell)) = (keeper.upgrade(), cell.upgrade()) else {
            return;
        };
        if let Err(error) = keeper.reload(&cell).await
            && error.problem().ends_the_grant()
        {
            cell.live.store(None);
        }
    }
}
