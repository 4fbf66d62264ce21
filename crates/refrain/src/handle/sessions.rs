//! Sessions of browsers, as a server handles them.

use crate::{
    handle::Refrain,
    id::GrantName,
    keeper::{Error, links::LinkBegun, logout::LoggedOut, sessions::NewSession},
    session::{SessionId, SessionRecord, SessionToken, Whose},
};

impl Refrain {
    /// Begins the login of a user whose session is to begin with it. Their grant is named after the account
    /// that they sign in with, so that it is the same in every browser; the login is finished by
    /// [`finish_link`](Self::finish_link).
    ///
    /// # Errors
    /// Where the app is not configured, or Spotify would not take its redirect URI.
    pub async fn begin_session(&self, new: NewSession) -> Result<LinkBegun, Error> {
        self.keeper.begin_session(new).await
    }

    /// How many sessions reach a grant.
    pub async fn sessions_of(&self, grant: &GrantName) -> Result<u64, Error> {
        self.keeper.sessions_of(grant).await
    }

    /// Makes a session. Its text is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`LoginError::NotAsked`](crate::keeper::login::LoginError::NotAsked) where it is of a user who has signed
    /// out meanwhile.
    pub async fn open_session(&self, whose: Whose) -> Result<(SessionToken, SessionRecord), Error> {
        self.keeper.open_session(whose).await
    }

    /// The record of a session that is not over; notes, once a minute, that it was used.
    ///
    /// # Errors
    /// [`SessionError::Unknown`](crate::keeper::sessions::SessionError::Unknown) where there is none.
    pub async fn verify_session(&self, token: &SessionToken) -> Result<SessionRecord, Error> {
        self.keeper.verify_session(token).await
    }

    /// Begins the session of somebody who runs refrain by a sign-in link, and uses that up.
    ///
    /// # Errors
    /// [`SessionError::SignInUnknown`](crate::keeper::sessions::SessionError::SignInUnknown) where there is
    /// none, also where another browser was faster.
    pub async fn sign_in(
        &self,
        link: &SessionToken,
    ) -> Result<(SessionToken, SessionRecord), Error> {
        self.keeper.sign_in(link).await
    }

    /// Ends a session of a user; with the last one, or where all are to go, what is kept of them goes too.
    /// Answers how many sessions are left, and what the logout did.
    ///
    /// # Errors
    /// Where the store fails; then the session is there still.
    pub async fn leave(
        &self,
        id: &SessionId,
        grant: &GrantName,
        everywhere: bool,
    ) -> Result<(u64, Option<LoggedOut>), Error> {
        self.keeper.leave(id, grant, everywhere).await
    }

    /// Signs out the grants of users who have no session any more; for a server to do now and then. Answers how
    /// many.
    pub async fn sign_out_unreached(&self) -> Result<u64, Error> {
        self.keeper.sign_out_unreached().await
    }

    /// The sessions of those who run refrain, the newest first; a hundred at most.
    pub async fn admin_sessions(&self) -> Result<Vec<SessionRecord>, Error> {
        self.keeper.admin_sessions().await
    }

    /// Ends all sessions of those who run refrain, and the links by which they would sign in; answers how many.
    pub async fn end_admin_sessions(&self) -> Result<u64, Error> {
        self.keeper.end_admin_sessions().await
    }

    /// Ends a session; answers whether there was one.
    pub async fn end_session(&self, id: &SessionId) -> Result<bool, Error> {
        self.keeper.end_session(id).await
    }
}
