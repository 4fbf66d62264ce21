//! Where rows are kept, and the contract that every engine keeps.
//!
//! A store knows nothing of the protocol. It reads rows, and replaces one only if it still is the
//! version that was read; whoever loses that race reads again and asks `lifecycle` anew. A write that
//! was acknowledged is durable. The contract is a test suite (`store::contract`), and an
//! engine is whatever passes it.

pub mod attempt;
#[cfg(test)]
pub mod contract;
pub mod memory;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::fmt;

use async_trait::async_trait;

use crate::{
    id::{AppName, GrantId, GrantName, InstanceId},
    lifecycle::{Change, Event, GrantRow, app::AppState},
    seal::{DeploymentId, KeyCheck},
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

/// Storage failed. It says nothing about any user's authorization.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Busy, gone or hanging; likely to pass.
    #[error("the store {place} cannot be reached")]
    Unavailable {
        /// The store.
        place: String,
        /// Why.
        source: BoxError,
    },
    /// No space left.
    #[error("the disk under {place} is full")]
    Full {
        /// The store.
        place: String,
        /// Why.
        source: BoxError,
    },
    /// The file or folder cannot be written.
    #[error("{place} cannot be written")]
    ReadOnly {
        /// The store.
        place: String,
        /// Why.
        source: BoxError,
    },
    /// The file is not a store, or part of it is destroyed.
    #[error("{place} is damaged")]
    Damaged {
        /// The store.
        place: String,
        /// Why.
        source: BoxError,
    },
    /// One value makes no sense.
    #[error("{table}.{column} of {row} cannot be read")]
    Value {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        row: String,
        /// Why.
        source: BoxError,
    },
    /// A newer refrain has changed the layout.
    #[error("{place} was written by a newer refrain (layout {found}, this one knows {known})")]
    Newer {
        /// The store.
        place: String,
        /// Its layout.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The place is not fit for a store.
    #[error("{place} cannot hold a store: {why}")]
    Unsuitable {
        /// The store.
        place: String,
        /// In a few words.
        why: String,
    },
}

/// The cause of an error, whatever library it comes from.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl StoreError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "storage_unavailable",
            Self::Full { .. } => "storage_full",
            Self::ReadOnly { .. } => "storage_read_only",
            Self::Damaged { .. } => "storage_damaged",
            Self::Value { .. } => "storage_value",
            Self::Newer { .. } => "storage_newer",
            Self::Unsuitable { .. } => "storage_unsuitable",
        }
    }

    /// Whether trying again, with nobody doing anything, may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Full { .. } | Self::ReadOnly { .. } => true,
            Self::Damaged { .. }
            | Self::Value { .. }
            | Self::Newer { .. }
            | Self::Unsuitable { .. } => false,
        }
    }
}

/// Keeps grants. Every method is safe with several processes on one store, and cancel safe: a dropped
/// write has happened or it has not.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// What to call it in a message; no secret.
    fn place(&self) -> String;

    /// The store's own clock, which leases are counted on.
    async fn now(&self) -> Result<StoreInstant, StoreError>;

    /// Brings the layout up to date. Nothing but [`identity`](Self::identity) is asked before.
    async fn prepare(&self) -> Result<(), StoreError>;

    /// Who it is; `None` for an empty store. Writes nothing, so that a wrong key is found first.
    async fn identity(&self) -> Result<Option<Identity>, StoreError>;

    /// Gives an empty store its identity; answers the one that is there, whoever was first.
    async fn found(&self, identity: Identity) -> Result<Identity, StoreError>;

    /// Reads a grant by its name.
    async fn grant(&self, name: &GrantName) -> Result<Option<Versioned<GrantRow>>, StoreError>;

    /// Reads all grants, by name.
    async fn grants(&self) -> Result<Vec<Versioned<GrantRow>>, StoreError>;

    /// Reads the grants that have an intent: the ones that somebody refreshes, or died over.
    async fn armed(&self) -> Result<Vec<Versioned<GrantRow>>, StoreError>;

    /// How many grants of an app have not signed out.
    async fn count(&self, app: &AppName) -> Result<usize, StoreError>;

    /// Adds a grant; a conflict where the name is taken.
    async fn insert(&self, change: &Change) -> Result<Written, StoreError>;

    /// Replaces a grant, and adds to its story, if it still is the version that was read.
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

    /// Keeps a login attempt until it is taken or expires.
    async fn insert_attempt(&self, attempt: &Attempt) -> Result<(), StoreError>;

    /// Takes a login attempt out; of several that try, one gets it. Expired ones are gone.
    async fn take_attempt(&self, id: &str, now: UnixMillis) -> Result<Option<Attempt>, StoreError>;

    /// Makes this process known before it writes its first intent.
    async fn announce(&self, instance: InstanceId) -> Result<(), StoreError>;

    /// Whether another process still runs.
    async fn liveness(&self, instance: InstanceId) -> Result<Liveness, StoreError>;

    /// Makes sure that what was deleted is nowhere on the disk any more, as far as the engine can.
    async fn scrub(&self) -> Result<(), StoreError>;
}
