//! The access token in memory: read without a lock, an allocation or a decryption.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use crate::{
    id::{AppName, Epoch, Generation, GrantName, Minting},
    keeper::{
        Error, Keeper, Problem,
        ahead::Pace,
        flight::Slot,
        release::Unsettled,
        sync::{ArcSwapOption, AtomicBool, AtomicI64, Mutex},
    },
    lifecycle::{GrantRow, Status, timing},
    oauth::scope::Scope,
    seal::{DataKey, Field, Owner},
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
    /// What of this process may stand in the row without anybody at it.
    pub(super) unsettled: Unsettled,
    /// The round of the feed in which the row was read last; in that one it tells of changes to it.
    pub(super) covered: AtomicI64,
    /// Whether `live` was asked for since it came.
    used: AtomicBool,
}

impl Cell {
    pub(super) fn new(name: GrantName) -> Self {
        Self {
            name,
            live: ArcSwapOption::empty(),
            newest: Mutex::default(),
            slot: Slot::default(),
            unsettled: Unsettled::default(),
            covered: AtomicI64::new(0),
            used: AtomicBool::new(false),
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
        let older = |held: &Arc<Live>| (live.epoch, live.minting) <= (held.epoch, held.minting);
        if live.epoch < *newest || held.as_ref().is_some_and(older) {
            return held;
        }
        let live = Arc::new(live);
        self.live.store(Some(Arc::clone(&live)));
        self.used.store(false, Ordering::Relaxed);
        Some(live)
    }

    /// The newest login or logout known here.
    pub(super) fn newest(&self) -> Epoch {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a login or logout after this epoch is known here.
    pub(super) fn is_over(&self, epoch: Epoch) -> bool {
        epoch < self.newest()
    }

    /// Whether the token was asked for since it came.
    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn note_use(&self) {
        // Looked at before it is written to: readers on several cores share the line otherwise.
        if !self.is_used() {
            self.used.store(true, Ordering::Relaxed);
        }
    }
}

/// An access token that is durable in the store, and how long it lives. There may be a million of them.
#[derive(Debug, Clone)]
pub struct Live {
    token: AccessToken,
    pub(super) epoch: Epoch,
    pub(super) minting: Minting,
    generation: Generation,
    due: Uptime,
    end: Uptime,
    expires_at: UnixMillis,
    life_millis: u32,
    pub(super) about: Arc<About>,
}

/// What most tokens of an app have in common.
#[derive(Debug)]
pub(super) struct About {
    pub(super) app: AppName,
    scope: Scope,
    /// At which pace the app refreshes ahead; `None` where it is not configured any more.
    pub(super) pace: Option<Arc<Pace>>,
}

/// What tokens have in common, each kept once for as long as there are few.
#[derive(Debug, Default)]
pub(super) struct Abouts(Mutex<Vec<Arc<About>>>);

impl Abouts {
    fn of(&self, row: &GrantRow, paces: &BTreeMap<AppName, Arc<Pace>>) -> Arc<About> {
        const FEW: usize = 64;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |about: &&Arc<About>| about.app == row.app && about.scope == row.scope;
        if let Some(about) = known.iter().find(same) {
            return Arc::clone(about);
        }
        let about = Arc::new(About {
            app: row.app.clone(),
            scope: row.scope.clone(),
            pace: paces.get(&row.app).cloned(),
        });
        if known.len() < FEW {
            known.push(Arc::clone(&about));
        }
        about
    }
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

    /// The app that it was issued to.
    pub fn app(&self) -> &AppName {
        &self.about.app
    }

    /// The login that it belongs to, and how many refresh tokens that had when it came.
    pub fn line(&self) -> (Epoch, Generation) {
        (self.epoch, self.generation)
    }

    /// What it was granted for.
    pub fn scope(&self) -> &Scope {
        &self.about.scope
    }

    /// How long it still lives.
    pub fn remaining(&self, now: Uptime) -> Duration {
        self.end.since(now)
    }

    /// Whether it lives at all.
    pub(super) fn lives(&self, now: Uptime) -> bool {
        now < self.end
    }

    /// Whether it is time for the next one, and not too late for that.
    pub(super) fn is_due(&self, now: Uptime) -> bool {
        self.due <= now && self.lives(now)
    }

    /// Whether it lives long enough: `min_ttl`, though never more than nine tenths of what the provider
    /// gives; without one, whether it is not due.
    pub(super) fn lasts(&self, min_ttl: Option<Duration>, now: Uptime) -> bool {
        match min_ttl {
            None => now < self.due,
            Some(min_ttl) => {
                let life = Duration::from_millis(self.life_millis.into());
                let needed = min_ttl.min(life * 9 / 10);
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
    /// The token, if it is not due and the feed vouches for it.
    pub(crate) fn fresh(&self, cell: &Cell) -> Option<AccessToken> {
        self.fresh_live(cell, |live| live.token.clone())
    }

    /// The same with what is known about it.
    pub(crate) fn fresh_live<T>(
        &self,
        cell: &Cell,
        take: impl FnOnce(&Arc<Live>) -> T,
    ) -> Option<T> {
        let now = self.parts.clock.uptime();
        if !self.vouched(cell, now) {
            return None;
        }
        let live = cell.live.load();
        let live = live.as_ref().filter(|live| now < live.due)?;
        cell.note_use();
        Some(take(live))
    }

    /// Whether a change to the cell's row would have been heard of by now.
    pub(super) fn vouched(&self, cell: &Cell, now: Uptime) -> bool {
        // In this order: an answer that begins a round does so before it counts.
        if !self.feed.is_heard(now) {
            return false;
        }
        let covered = cell.covered.load(Ordering::Acquire);
        covered != 0 && covered == self.feed.round()
    }

    /// Publishes the access token of a row that was read from, or written to, the store. This is the
    /// only way to a token in memory: durable before used.
    pub(super) fn publish(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        row: &GrantRow,
    ) -> Result<Option<Arc<Live>>, Error> {
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
            self.listen();
            self.refresh_ahead();
            return Ok(held);
        }
        let Some(live) = self.open_live(row)? else {
            return Ok(held);
        };
        let live = cell.offer(live);
        self.listen();
        self.refresh_ahead();
        Ok(live)
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
            epoch: row.epoch,
            minting: row.minting,
            generation: row.generation,
            due,
            end,
            expires_at: now.wall.after(remaining),
            life_millis: u32::try_from(life.as_millis()).unwrap_or(u32::MAX),
            about: self.abouts.of(row, &self.paces),
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
            .open_data_key(&Owner::of(row), &tokens.data_key);
        key.map_err(|source| Problem::sealed(row, "data key", source).into())
    }
}
