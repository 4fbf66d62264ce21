//! Where rows are kept, and the contract that every engine keeps.
//!
//! A store knows nothing of the protocol. It reads rows, and replaces one only if it still is the
//! version that was read; whoever loses that race reads again and asks `lifecycle` anew. A write that
//! was acknowledged is durable. The contract is a test suite (`store::contract`, feature `contract`),
//! and an engine is whatever passes it.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod api_key_record;
mod api_keys;
pub mod attempt;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod columns;
#[cfg(any(test, feature = "contract"))]
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a suite of tests, for whoever writes an engine"
)]
pub mod contract;
mod error;
mod feed;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod group;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod instances;
mod limits;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod link_record;
mod links;
pub mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod notice_record;
mod notices;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod record;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod session_record;
mod sessions;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod unreadable;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use tokio::sync::watch;

pub use self::{
    api_keys::ApiKeys,
    error::{Cause, StoreError, cause},
    feed::{Changed, Changes, Mark},
    limits::Limits,
    links::Links,
    notices::{NewsMark, NewsPage, Noted, Notices, Telling},
    sessions::Sessions,
    unreadable::Unreadable,
};
use crate::{
    id::{AppName, GrantId, GrantName, InstanceId},
    lifecycle::{Change, Event, GrantRow, app::AppState},
    seal::{DeploymentId, KeyCheck, KeyId},
    store::attempt::Attempt,
    time::{StoreInstant, UnixMillis},
};

/// Counts the writes to one row; what a compare-and-set compares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64);

/// A value as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Which write of it.
    pub version: Version,
}

/// What became of a compare-and-set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Done, and durable.
    Durably(Version),
    /// Somebody else was faster: read again.
    Conflict,
}

impl Written {
    /// What a compare-and-set answers that did or did not find the version it was for.
    pub fn of(done: bool, version: Version) -> Self {
        if done {
            Self::Durably(version)
        } else {
            Self::Conflict
        }
    }
}

/// The process behind an instance id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs, or it cannot be known that it does not.
    MayRun,
    /// It is gone for certain.
    Dead,
}

/// Who a store is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its own name.
    pub deployment: DeploymentId,
    /// What its key is recognised by.
    pub key_check: KeyCheck,
}

/// Keeps grants. Every method is safe with several processes on one store, and cancel safe: a dropped
/// write has happened or it has not.
#[async_trait]
pub trait Store: ApiKeys + Limits + Links + Notices + Sessions + Send + Sync + fmt::Debug {
    /// What to call it in a message; no secret.
    fn place(&self) -> String;

    /// The store's own clock, which leases are counted on.
    async fn now(&self) -> Result<StoreInstant, StoreError>;

    /// Brings the layout up to date. Nothing but [`identity`](Self::identity) is asked before.
    async fn prepare(&self) -> Result<(), StoreError>;

    /// Whether [`prepare`](Self::prepare) would change the layout; an error where a newer refrain has. Writes
    /// nothing.
    async fn is_outdated(&self) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Who it is; `None` for an empty store. Writes nothing, so that a wrong key is found first.
    async fn identity(&self) -> Result<Option<Identity>, StoreError>;

    /// Gives an empty store its identity; answers the one that is there, whoever was first.
    async fn found(&self, identity: Identity) -> Result<Identity, StoreError>;

    /// Replaces the value that the key is recognised by, if it still is the one that was read.
    async fn replace_key_check(
        &self,
        seen: &KeyCheck,
        next: &KeyCheck,
    ) -> Result<Written, StoreError>;

    /// Reads a grant by its name.
    async fn grant(&self, name: &GrantName) -> Result<Option<Versioned<GrantRow>>, StoreError>;

    /// Reads grants by name, `most` of them, beginning behind a name.
    async fn grants(
        &self,
        after: Option<&GrantName>,
        most: u32,
    ) -> Result<Vec<Versioned<GrantRow>>, StoreError>;

    /// As [`grants`](Self::grants), where one that cannot be read is told among the others: whoever lists
    /// them lists the rest.
    async fn list(
        &self,
        after: Option<&GrantName>,
        most: u32,
    ) -> Result<Vec<Result<Versioned<GrantRow>, Unreadable>>, StoreError> {
        let rows = self.grants(after, most).await?;
        Ok(rows.into_iter().map(Ok).collect())
    }

    /// Reads the grants that have an intent: the ones that somebody refreshes, or died over.
    async fn armed(&self) -> Result<Vec<Versioned<GrantRow>>, StoreError>;

    /// Reads some grants whose data key another master key seals; empty when there is none left.
    async fn sealed_otherwise(
        &self,
        than: KeyId,
        most: u32,
    ) -> Result<Vec<Versioned<GrantRow>>, StoreError>;

    /// Tells which grants have changed since a mark was given, and gives the next one. The first answer
    /// tells none. A grant may be told twice, and is never left out; where there are more than `most`,
    /// none is told, and any may be among them.
    async fn changes(&self, since: Option<&Mark>, most: u32)
    -> Result<(Changes, Mark), StoreError>;

    /// How many grants of an app have not signed out; the counting stops at `most`.
    async fn count(&self, app: &AppName, most: u32) -> Result<usize, StoreError>;

    /// Adds a grant; a conflict where the name is taken.
    async fn insert(&self, change: &Change) -> Result<Written, StoreError>;

    /// Replaces a grant, and adds to its story, if it still is the version that was read. With a grant that
    /// signs out go the sessions that reach it, and what was told of it.
    async fn replace(&self, seen: Version, change: &Change) -> Result<Written, StoreError>;

    /// The last events of a grant, oldest first.
    async fn story(&self, grant: &GrantId, most: u32) -> Result<Vec<Event>, StoreError>;

    /// What is known about an app; version 0 and the default where nothing is.
    async fn app_state(&self, app: &AppName) -> Result<Versioned<AppState>, StoreError>;

    /// Replaces it, if it still is the version that was read.
    async fn replace_app_state(
        &self,
        app: &AppName,
        seen: Version,
        state: &AppState,
    ) -> Result<Written, StoreError>;

    /// Keeps a login attempt until it is taken or expires. Those that had expired when it began are gone.
    async fn insert_attempt(&self, attempt: &Attempt) -> Result<(), StoreError>;

    /// Takes a login attempt out; of several that try, one gets it. Expired ones are gone.
    async fn take_attempt(&self, id: &str, now: UnixMillis) -> Result<Option<Attempt>, StoreError>;

    /// Until when something may still be written that was sealed before now, by a login that has begun or
    /// a process that works with what it read earlier; `None` where nothing can.
    async fn unsettled(&self, now: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        Ok(Some(now.after(attempt::LIFE)))
    }

    /// Makes this process known before it writes its first intent.
    async fn announce(&self, instance: InstanceId) -> Result<(), StoreError>;

    /// Whether another process still runs.
    async fn liveness(&self, instance: InstanceId) -> Result<Liveness, StoreError>;

    /// The processes that have made themselves known and run, as far as this machine can tell; `None` where
    /// the engine keeps no list of them.
    async fn running(&self) -> Result<Option<Vec<InstanceId>>, StoreError> {
        Ok(None)
    }

    /// How long to wait before looking again whether another process has written.
    fn poll(&self) -> Duration {
        Duration::from_millis(25)
    }

    /// Changes when another process may have written, where the engine can tell. A hint and no more: one
    /// may be missed, and whoever waits polls all the same.
    fn hints(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// Makes sure that what was deleted is nowhere on the disk any more, as far as the engine can.
    async fn scrub(&self) -> Result<(), StoreError>;
}
