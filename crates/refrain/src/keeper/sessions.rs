//! Sessions of browsers: made, looked at, ended.

mod error;

pub use self::error::SessionError;
use crate::{
    id::GrantName,
    keeper::{Error, Keeper},
    session::{SessionHash, SessionId, SessionRecord, SessionToken, Whose},
    store::Written,
};

impl Keeper {
    /// Makes a session. Its text is in the answer and nowhere else.
    pub(crate) async fn open_session(
        &self,
        whose: Whose,
    ) -> Result<(SessionToken, SessionRecord), Error> {
        loop {
            let token = SessionToken::random(self.parts.random.as_ref())?;
            let (now, life) = (self.parts.clock.wall(), whose.life());
            let record = SessionRecord {
                id: token.id(),
                hash: SessionHash::of(&token, &self.parts.sealer),
                whose: whose.clone(),
                made_at: now,
                seen_at: now,
                lapses_at: now.after(life.idle),
                ends_at: now.after(life.most),
            };
            // Two ids may be the same by chance.
            if let Written::Durably(_) = self.parts.store.insert_session(&record).await? {
                return Ok((token, record));
            }
        }
    }

    /// The record of a session that is not over, and notes that it was used.
    pub(crate) async fn verify_session(
        &self,
        token: &SessionToken,
    ) -> Result<SessionRecord, Error> {
        let record = self.find_session(token).await?;
        let record = record.filter(|it| it.whose != Whose::SignIn);
        let record = record.ok_or(SessionError::Unknown)?;
        let now = self.parts.clock.wall();
        if let Some(lapses_at) = record.used(now) {
            let noted = self.parts.store.note_session(&record.id, now, lapses_at);
            // Whoever has a session gets in all the same.
            if let Err(error) = noted.await {
                tracing::debug!(session = %record.id, %error, "the use of a session was not noted");
            }
        }
        Ok(record)
    }

    /// Begins the session of somebody who runs refrain, and uses a sign-in link up for it; of several
    /// that try, one gets it.
    pub(crate) async fn sign_in(
        &self,
        link: &SessionToken,
    ) -> Result<(SessionToken, SessionRecord), Error> {
        let record = self.find_session(link).await?;
        let record = record.filter(|it| it.whose == Whose::SignIn);
        let id = record.ok_or(SessionError::SignInUnknown)?.id;
        if !self.parts.store.end_session(&id).await? {
            return Err(SessionError::SignInUnknown.into());
        }
        self.open_session(Whose::Admin).await
    }

    /// What the store has of a session that somebody shows, unless it is over.
    async fn find_session(&self, token: &SessionToken) -> Result<Option<SessionRecord>, Error> {
        let record = self.parts.store.session(&token.id()).await?;
        // Hashed whether there is a record or not: the time tells nobody.
        let shown = SessionHash::of(token, &self.parts.sealer);
        let now = self.parts.clock.wall();
        Ok(record.filter(|it| it.hash == shown && !it.is_over(now)))
    }

    /// Ends a session; answers whether there was one.
    pub(crate) async fn end_session(&self, id: &SessionId) -> Result<bool, Error> {
        Ok(self.parts.store.end_session(id).await?)
    }

    /// Ends all sessions that reach a grant; answers how many.
    pub(crate) async fn end_sessions_of(&self, grant: &GrantName) -> Result<u64, Error> {
        Ok(self.parts.store.end_sessions_of(grant).await?)
    }
}
