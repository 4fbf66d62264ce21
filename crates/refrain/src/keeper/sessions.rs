//! Sessions of browsers: made, looked at, ended.

mod error;

use std::sync::Arc;

pub use self::error::SessionError;
use crate::{
    config::App,
    hex,
    id::{AppName, GrantName},
    keeper::{
        Error, Keeper, Problem,
        links::LinkBegun,
        login::{ATTEMPT_LIFE, LoginError, LoginRequest, Way},
        logout::LoggedOut,
    },
    lifecycle::row::{Account, Status},
    oauth::pkce,
    session::{Incarnation, LocalPath, SessionHash, SessionId, SessionRecord, SessionToken, Whose},
    store::Written,
    time::UnixMillis,
};

/// The name of a grant while nobody knows whose it will be.
const NOBODY: &str = "web-nobody-yet";

/// How the names of users' grants begin; twenty digits follow.
const PREFIX: &str = "web-";

fn is_of_a_session(name: &GrantName) -> bool {
    let digits = name.as_str().strip_prefix(PREFIX);
    let hex = |it: &str| it.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    digits.is_some_and(|it| it.len() == 20 && hex(it))
}

/// The domain of the hash in a record that no text is shown for.
const OVER: &str = "session that is over";

/// So many sessions of those who run refrain are listed.
const ADMINS: u32 = 100;

/// A session that is to begin with a login.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The app that asks, for its own scopes.
    pub app: AppName,
    /// Where the user goes afterwards.
    pub return_to: LocalPath,
    /// The port of the listener, for a redirect URI that was registered without one.
    pub port: Option<u16>,
    /// Whether the user is to see what they agree to, also where they have agreed to it before.
    pub asks_anew: bool,
    /// Whether its browser is to carry the tokens, so that no row is made of them.
    pub carries: bool,
}

impl Keeper {
    /// Begins the login of a user whose grant is named after the account that they sign in with.
    pub(crate) async fn begin_session(&self, new: NewSession) -> Result<LinkBegun, Error> {
        let browser = pkce::browser_secret(self.parts.random.as_ref())?;
        let request = LoginRequest {
            grant: NOBODY.parse().map_err(Problem::Name)?,
            app: new.app,
            scope: None,
            port: new.port,
            other_account: false,
            browser: Some(browser.clone()),
        };
        let way = Way {
            session: Some(new.return_to),
            carries: new.carries,
            asks_anew: new.asks_anew,
            ..Way::default()
        };
        let login = self.begin(request, way).await?;
        Ok(LinkBegun { login, browser })
    }

    /// The grant of an account that signs in with a browser: the same whenever it does, in every browser, and
    /// its name tells nobody who it is.
    pub(super) fn grant_of_session(
        &self,
        app: &App,
        account: Result<&Account, &String>,
    ) -> Result<GrantName, Error> {
        let account = account.map_err(|why| LoginError::AccountUnknown { why: why.clone() })?;
        let whose = format!("{} {}", app.client.id, account.id);
        let hash = self.parts.sealer.fingerprint("grant of a session", &whose);
        let (start, _) = hash.split_at(10);
        let name = format!("{PREFIX}{}", hex::text(start));
        Ok(name.parse().map_err(Problem::Name)?)
    }

    /// Refuses to put an account under the name that belongs to another one's sessions.
    pub(super) fn fits(
        &self,
        app: &App,
        name: &GrantName,
        account: Result<&Account, &String>,
    ) -> Result<(), Error> {
        if !is_of_a_session(name) || self.grant_of_session(app, account)? == *name {
            return Ok(());
        }
        let grant = name.clone();
        Err(LoginError::OtherAccount { grant }.into())
    }

    /// Makes a session. Its text is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`LoginError::NotAsked`] where its user has signed out, with another browser, since their login was saved:
    /// there is nothing that it could reach.
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
            if let Written::Durably(_) = self.parts.store.insert_session(&record).await? {
                return Ok((token, record));
            }
            // Else two ids are the same by chance.
            if let Whose::User(grant) = &whose
                && self.is_gone(grant).await?
            {
                return Err(LoginError::NotAsked.into());
            }
        }
    }

    async fn is_gone(&self, grant: &GrantName) -> Result<bool, Error> {
        let row = self.parts.store.grant(grant).await?;
        Ok(row.is_none_or(|row| matches!(row.value.status, Status::SignedOut { .. })))
    }

    /// The record of a session that is not over, and notes that it was used.
    pub(crate) async fn verify_session(
        &self,
        token: &SessionToken,
    ) -> Result<SessionRecord, Error> {
        let record = self.find_session(token).await?;
        let record = record.filter(|it| !matches!(it.whose, Whose::SignIn | Whose::SignedOut));
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

    /// Ends a session of a user; with the last one, or where all are to go, what is kept of them goes too.
    /// Answers how many are left, and what the logout did.
    ///
    /// The tokens go first: where something fails in between, the session is there still, and whoever has it
    /// tries again.
    pub(crate) async fn leave(
        self: &Arc<Self>,
        id: &SessionId,
        grant: &GrantName,
        everywhere: bool,
    ) -> Result<(u64, Option<LoggedOut>), Error> {
        // The others, and not all but one: this one may have been ended already.
        if everywhere || self.others_of(grant, id).await? == 0 {
            return self.leave_for_good(id, grant).await;
        }
        self.end_session(id).await?;
        match self.others_of(grant, id).await? {
            // Two browsers that leave at once are each the last but one.
            0 => self.leave_for_good(id, grant).await,
            left => Ok((left, None)),
        }
    }

    async fn others_of(&self, grant: &GrantName, but: &SessionId) -> Result<u64, Error> {
        let now = self.parts.clock.wall();
        Ok(self.parts.store.sessions_of(grant, Some(but), now).await?)
    }

    async fn leave_for_good(
        self: &Arc<Self>,
        id: &SessionId,
        grant: &GrantName,
    ) -> Result<(u64, Option<LoggedOut>), Error> {
        let done = match self.logout(grant).await {
            Ok(done) => Some(done),
            // Somebody else was faster, or it was never there: there is nothing left to end.
            Err(error) => match error.problem() {
                Problem::SignedOut { .. } | Problem::UnknownGrant { .. } => None,
                _ => return Err(error),
            },
        };
        self.end_session(id).await?;
        Ok((0, done))
    }

    /// Signs out the grants of users who have no session any more: each went to its end unused, or its
    /// browser signed somebody else in. Answers how many.
    pub(crate) async fn sign_out_unreached(self: &Arc<Self>) -> Result<u64, Error> {
        let (mut after, mut count) = (None, 0);
        loop {
            // A login that is about to begin its session has not long.
            let now = self.parts.clock.wall();
            let store = &self.parts.store;
            let names = store.unreached(PREFIX, after.as_ref(), now).await?;
            let Some(last) = names.last() else {
                return Ok(count);
            };
            after = Some(last.clone());
            for name in names {
                if !is_of_a_session(&name) || self.is_young(&name).await? {
                    continue;
                }
                match self.logout(&name).await {
                    Ok(_) => count += 1,
                    Err(error) => match error.problem() {
                        Problem::SignedOut { .. } | Problem::UnknownGrant { .. } => {}
                        _ => return Err(error),
                    },
                }
            }
        }
    }

    /// Whether its user has consented so lately that their session may be about to begin.
    async fn is_young(&self, name: &GrantName) -> Result<bool, Error> {
        let row = self.parts.store.grant(name).await?;
        let consent = row.and_then(|row| row.value.consent);
        let now = self.parts.clock.wall();
        Ok(consent.is_some_and(|it| now.since(it.authorized_at) < ATTEMPT_LIFE))
    }

    /// The sessions of those who run refrain, the newest first.
    pub(crate) async fn admin_sessions(&self) -> Result<Vec<SessionRecord>, Error> {
        let now = self.parts.clock.wall();
        Ok(self.parts.store.admin_sessions(now, ADMINS).await?)
    }

    /// Ends them all, and the sign-in links with them; answers how many.
    pub(crate) async fn end_admin_sessions(&self) -> Result<u64, Error> {
        Ok(self.parts.store.end_admin_sessions().await?)
    }

    /// Ends a session; answers whether there was one.
    pub(crate) async fn end_session(&self, id: &SessionId) -> Result<bool, Error> {
        Ok(self.parts.store.end_session(id).await?)
    }

    /// Notes that a session that its browser carries is over, until no copy of it could be shown any more.
    pub(crate) async fn sign_session_out(
        &self,
        session: &SessionId,
        ends_at: UnixMillis,
    ) -> Result<(), Error> {
        let now = self.parts.clock.wall();
        let hash = self.parts.sealer.fingerprint(OVER, session.as_str());
        // There already: somebody else was faster.
        self.parts
            .store
            .insert_session(&SessionRecord {
                id: session.clone(),
                hash: SessionHash::from_bytes(hash),
                whose: Whose::SignedOut,
                made_at: now,
                seen_at: now,
                lapses_at: ends_at,
                ends_at,
            })
            .await?;
        Ok(())
    }

    /// Which of its lives the store is in.
    pub(crate) async fn incarnation(&self) -> Result<Incarnation, Error> {
        Ok(self.parts.store.incarnation().await?)
    }

    /// Lets a session pass of which that is not noted, and that did not begin before the store was brought back
    /// from a backup: that does not know what was noted since it was made.
    pub(crate) async fn check_session_goes_on(
        &self,
        session: &SessionId,
        began_in: Incarnation,
    ) -> Result<(), Error> {
        if self.incarnation().await? != began_in {
            return Err(SessionError::Unknown.into());
        }
        let record = self.parts.store.session(session).await?;
        match record.map(|it| it.whose) {
            Some(Whose::SignedOut) => Err(SessionError::Unknown.into()),
            _ => Ok(()),
        }
    }

    /// How many sessions reach a grant.
    pub(crate) async fn sessions_of(&self, grant: &GrantName) -> Result<u64, Error> {
        let now = self.parts.clock.wall();
        Ok(self.parts.store.sessions_of(grant, None, now).await?)
    }
}
