//! What a store keeps of sessions.

use async_trait::async_trait;

use crate::{
    id::GrantName,
    session::{Incarnation, SessionId, SessionRecord},
    store::{StoreError, Written},
    time::UnixMillis,
};

/// Keeps sessions, until they are over.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Adds a session; a conflict where its id is taken, and where it is of a user whose grant is not there or
    /// signed out: one that signs out at the same instant takes the session with it, or is seen. Those that were
    /// over when it was made are gone.
    async fn insert_session(&self, session: &SessionRecord) -> Result<Written, StoreError>;

    /// Reads a session by its id.
    async fn session(&self, id: &SessionId) -> Result<Option<SessionRecord>, StoreError>;

    /// Notes that a session was used, and when it lapses now; neither ever moves backwards.
    async fn note_session(
        &self,
        id: &SessionId,
        seen_at: UnixMillis,
        lapses_at: UnixMillis,
    ) -> Result<(), StoreError>;

    /// Takes a session out; of several that try, one is told that it was there.
    async fn end_session(&self, id: &SessionId) -> Result<bool, StoreError>;

    /// Reads the sessions of those who run refrain that are not over at an instant, the newest first, `most` of
    /// them.
    async fn admin_sessions(
        &self,
        now: UnixMillis,
        most: u32,
    ) -> Result<Vec<SessionRecord>, StoreError>;

    /// Takes out the sessions of those who run refrain, and the links by which they would sign in; answers how
    /// many.
    async fn end_admin_sessions(&self) -> Result<u64, StoreError>;

    /// Which of its lives the store is in; what browsers carry is good in that one alone.
    async fn incarnation(&self) -> Result<Incarnation, StoreError>;

    /// Takes out all of them, and begins another life, at one stroke: of what is restored nobody knows who has
    /// signed out since.
    async fn end_all_sessions(&self, next: Incarnation) -> Result<(), StoreError>;

    /// The grants whose names begin so that are not signed out, and that no session reaches at an instant; by
    /// name, some at a time, beginning behind one.
    async fn unreached(
        &self,
        prefix: &'static str,
        after: Option<&GrantName>,
        now: UnixMillis,
    ) -> Result<Vec<GrantName>, StoreError>;

    /// How many sessions reach a grant that are not over at an instant, but for one.
    async fn sessions_of(
        &self,
        grant: &GrantName,
        but: Option<&SessionId>,
        now: UnixMillis,
    ) -> Result<u64, StoreError>;
}
