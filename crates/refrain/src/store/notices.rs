//! What was told of each grant, and the messages that are on their way.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    access::Grants,
    id::{Epoch, GrantId, GrantName},
    lifecycle::{GrantRow, Status},
    notice::{Delivery, Due, Message, Target, TargetId, Told, delivery::Settled},
    store::{StoreError, Unreadable, Version, Versioned},
    time::UnixMillis,
};

/// A grant, and what was told of it last.
#[derive(Debug, Clone)]
pub struct Noted {
    /// The grant.
    pub row: GrantRow,
    /// What was told; `None` where it has never been looked at.
    pub told: Option<Versioned<Told>>,
}

/// Grants of which there may be something to tell.
#[derive(Debug, Clone)]
pub struct NewsPage {
    /// Those that were waited for the longest come first.
    pub grants: Vec<Result<Noted, Unreadable>>,
    /// The last of them; `None` where there is none.
    pub last: Option<NewsMark>,
}

/// A grant's place among the news: since when it is waited for, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewsMark(pub UnixMillis, pub GrantName);

/// What is written when something is told: all of it, or nothing.
#[derive(Debug, Clone)]
pub struct Telling {
    /// The grant that was looked at.
    pub grant: GrantId,
    /// Its epoch as it was read.
    pub epoch: Epoch,
    /// The word of its status as it was read.
    pub status: &'static str,
    /// What was told before, as it was read; `None` for nothing.
    pub seen: Option<Version>,
    /// What has been told from now on.
    pub told: Told,
    /// When to look again although nothing changes.
    pub next_at: Option<UnixMillis>,
    /// Whether what is on its way about this grant is not to arrive any more.
    pub drops: bool,
    /// What is told.
    pub messages: Vec<Message>,
}

impl Telling {
    /// Of a grant that was looked at.
    pub fn of(noted: &Noted, due: &Due, messages: Vec<Message>) -> Self {
        Self {
            grant: noted.row.id.clone(),
            epoch: noted.row.epoch,
            status: noted.row.status.word(),
            seen: noted.told.as_ref().map(|told| told.version),
            told: due.told,
            next_at: due.next_at,
            drops: matches!(noted.row.status, Status::SignedOut { .. }),
            messages,
        }
    }
}

/// Keeps what was told, and deliveries until a month after they were made.
///
/// A grant is news from its first row on, and again with each change of its epoch or status, until somebody
/// has [told](Self::tell) of it as it is then. That is part of the write which changes it, whoever writes.
#[async_trait]
pub trait Notices: Send + Sync {
    /// Since when anybody tells of grants: `now`, where nobody has asked before.
    async fn notices_since(&self, now: UnixMillis) -> Result<UnixMillis, StoreError>;

    /// Reads grants of which there may be something to tell, `most` of them, beginning behind a mark: those that
    /// are news, and those whose time to be looked at again has come.
    async fn news(
        &self,
        now: UnixMillis,
        after: Option<&NewsMark>,
        most: u32,
    ) -> Result<NewsPage, StoreError>;

    /// Looks at these grants again at this time, or when they change.
    async fn look_later(&self, grants: &[GrantName], at: UnixMillis) -> Result<(), StoreError>;

    /// Tells of grants, to these places: for each, if what was told still is what was read, writes what is
    /// told from now on and its messages, and it is news no more unless it has changed meanwhile. Answers for
    /// each whether it was written; of several nodes that tell the same, one is.
    async fn tell(&self, tellings: &[Telling], to: &[Target]) -> Result<Vec<bool>, StoreError>;

    /// Sends a message about no grant to these places.
    async fn send(&self, message: &Message, to: &[Target]) -> Result<(), StoreError>;

    /// Takes deliveries to one place that are due, `most` of them, so that nobody else has them for as long as
    /// the lease, by the store's own clock. Each counts as one more attempt. There are none to a place that
    /// wants no more.
    async fn claim(
        &self,
        target: &TargetId,
        now: UnixMillis,
        lease: Duration,
        most: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Writes what has come of a delivery that was claimed, unless somebody else has claimed it since; answers
    /// whether it was written.
    async fn settle(
        &self,
        claimed: &Delivery,
        outcome: &str,
        at: UnixMillis,
        settled: Settled,
    ) -> Result<bool, StoreError>;

    /// Reads deliveries about these grants, the newest first, `most` of them, beginning behind a number. Those
    /// about no grant are among those about all.
    async fn deliveries(
        &self,
        of: &Grants,
        before: Option<u64>,
        most: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Notes that a place wants no more; what is on its way to it is given up.
    async fn refuse_notices(&self, target: &TargetId, at: UnixMillis) -> Result<(), StoreError>;

    /// The places that want no more.
    async fn refused_notices(&self) -> Result<Vec<TargetId>, StoreError>;

    /// Forgets of every other place than these that it wanted no more.
    async fn forgive_notices(&self, except: &[Target]) -> Result<(), StoreError>;

    /// Notes that a server sends to these places, and forgets those that none has named since `gone`, with what
    /// has been on its way there since before. Answers how many deliveries were dropped.
    async fn name_targets(
        &self,
        targets: &[Target],
        now: UnixMillis,
        gone: UnixMillis,
    ) -> Result<u64, StoreError>;

    /// The places that a server has named at this time or later.
    async fn named_targets(&self, since: UnixMillis) -> Result<Vec<Target>, StoreError>;

    /// Forgets deliveries that were made before an instant.
    async fn forget_notices(&self, made_before: UnixMillis) -> Result<(), StoreError>;
}
