//! Sessions in memory.

use async_trait::async_trait;

use crate::{
    id::GrantName,
    lifecycle::Status,
    session::{Incarnation, SessionId, SessionRecord, Whose},
    store::{Sessions, StoreError, Version, Written, memory::MemoryStore},
    time::UnixMillis,
};

/// So many are told at a time.
const UNREACHED: usize = 200;

#[async_trait]
impl Sessions for MemoryStore {
    async fn insert_session(&self, session: &SessionRecord) -> Result<Written, StoreError> {
        let mut tables = self.tables();
        tables.sessions.retain(|_, it| !it.is_over(session.made_at));
        let signed_in = |name: &GrantName| {
            let row = tables.grants.get(name).map(|row| &row.value);
            row.is_some_and(|row| !matches!(row.status, Status::SignedOut { .. }))
        };
        let reaches = match &session.whose {
            Whose::User(name) => signed_in(name),
            Whose::SignIn | Whose::Admin | Whose::SignedOut => true,
        };
        let free = reaches && !tables.sessions.contains_key(&session.id);
        if free {
            tables.sessions.insert(session.id.clone(), session.clone());
        }
        Ok(Written::of(free, Version(0)))
    }

    async fn session(&self, id: &SessionId) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.tables().sessions.get(id).cloned())
    }

    async fn note_session(
        &self,
        id: &SessionId,
        seen_at: UnixMillis,
        lapses_at: UnixMillis,
    ) -> Result<(), StoreError> {
        if let Some(session) = self.tables().sessions.get_mut(id) {
            session.seen_at = session.seen_at.max(seen_at);
            session.lapses_at = session.lapses_at.max(lapses_at);
        }
        Ok(())
    }

    async fn end_session(&self, id: &SessionId) -> Result<bool, StoreError> {
        Ok(self.tables().sessions.remove(id).is_some())
    }

    async fn admin_sessions(
        &self,
        now: UnixMillis,
        most: u32,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let tables = self.tables();
        let all = tables.sessions.values();
        let admins = all.filter(|it| it.whose == Whose::Admin && !it.is_over(now));
        let mut admins: Vec<_> = admins.cloned().collect();
        admins.sort_by_key(|it| std::cmp::Reverse(it.made_at));
        admins.truncate(most as usize);
        Ok(admins)
    }

    async fn end_admin_sessions(&self) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let before = tables.sessions.len();
        tables
            .sessions
            .retain(|_, it| !matches!(it.whose, Whose::Admin | Whose::SignIn));
        Ok((before - tables.sessions.len()) as u64)
    }

    async fn incarnation(&self) -> Result<Incarnation, StoreError> {
        Ok(self.tables().incarnation)
    }

    async fn end_all_sessions(&self, next: Incarnation) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.sessions.clear();
        tables.incarnation = next;
        Ok(())
    }

    async fn unreached(
        &self,
        prefix: &'static str,
        after: Option<&GrantName>,
        now: UnixMillis,
    ) -> Result<Vec<GrantName>, StoreError> {
        let tables = self.tables();
        let reached = |name: &GrantName| {
            let mut live = tables.sessions.values().filter(|it| !it.is_over(now));
            live.any(|it| reaches(it, name))
        };
        let grants = tables.grants.values().map(|it| &it.value);
        let grants = grants.filter(|it| !matches!(it.status, Status::SignedOut { .. }));
        let names = grants
            .map(|it| &it.name)
            .filter(|it| it.as_str().starts_with(prefix) && it.as_str() != prefix);
        let names = names.filter(|it| after.is_none_or(|after| *it > after) && !reached(it));
        Ok(names.take(UNREACHED).cloned().collect())
    }

    async fn sessions_of(
        &self,
        grant: &GrantName,
        but: Option<&SessionId>,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        let tables = self.tables();
        let live = tables.sessions.values().filter(|it| !it.is_over(now));
        let others = live.filter(|it| reaches(it, grant) && but != Some(&it.id));
        Ok(others.count() as u64)
    }
}

pub(super) fn reaches(session: &SessionRecord, grant: &GrantName) -> bool {
    matches!(&session.whose, Whose::User(name) if name == grant)
}
