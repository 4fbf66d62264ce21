//! Grants that others carry, as a server handles them.

use crate::{
    handle::{Grant, Refrain},
    keeper::{
        Error, Keeper, Parts,
        carried::{Carried, Step},
    },
    session::{Incarnation, SessionId},
    time::UnixMillis,
};

impl Refrain {
    /// Starts on parts whose store is in memory, for grants that others carry. Nothing is refreshed behind
    /// anybody's back: whoever carries a grant is to get what came of it with the answer that needed it.
    pub fn carrying(parts: Parts) -> Result<Self, Error> {
        Ok(Self {
            keeper: Keeper::carrying(parts)?,
        })
    }

    /// Takes in what somebody shows; what is here already and has come as far stays.
    ///
    /// # Errors
    /// [`SessionError::Unknown`](crate::keeper::sessions::SessionError::Unknown) where another session has the
    /// same name.
    pub async fn take_in(&self, carried: &Carried) -> Result<Grant, Error> {
        let name = self.keeper.take_in(carried).await?;
        Ok(self.grant_named(&name))
    }

    /// How far a session has come here; `None` where it is unknown, or signed out.
    pub async fn step_of(&self, session: &SessionId) -> Result<Option<Step>, Error> {
        self.keeper.step(session).await
    }

    /// A session to be carried; `None` where it is unknown, or signed out.
    pub async fn carried(&self, session: &SessionId) -> Result<Option<Carried>, Error> {
        self.keeper.carried(session).await
    }

    /// Lets the token in memory go of a session whose row was forgotten.
    pub fn let_session_go(&self, session: &SessionId) {
        self.keeper.let_session_go(session);
    }

    /// Notes in the store that a session that somebody carries is over, for as long as a copy of it could be
    /// shown.
    pub async fn sign_session_out(
        &self,
        session: &SessionId,
        ends_at: UnixMillis,
    ) -> Result<(), Error> {
        self.keeper.sign_session_out(session, ends_at).await
    }

    /// Which of its lives the store is in: what somebody carries is good in the one in which it began.
    pub async fn incarnation(&self) -> Result<Incarnation, Error> {
        self.keeper.incarnation().await
    }

    /// Lets a session pass of which that is not noted, and that began in the present life of the store.
    ///
    /// # Errors
    /// [`SessionError::Unknown`](crate::keeper::sessions::SessionError::Unknown) where it is over.
    pub async fn check_session_goes_on(
        &self,
        session: &SessionId,
        began_in: Incarnation,
    ) -> Result<(), Error> {
        self.keeper.check_session_goes_on(session, began_in).await
    }
}
