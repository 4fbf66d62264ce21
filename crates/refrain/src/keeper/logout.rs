//! Logging out: the tokens here go first, whatever else fails.

use std::sync::Arc;

use crate::{
    failpoint,
    id::GrantName,
    keeper::{Error, Keeper, Problem, contended::Contended, present::chain, sync::spawn},
    lifecycle::{self, GrantRow, Status},
    oauth::token::revocation_request,
    seal::Field,
    secret::RefreshToken,
    store::Written,
    time::UnixMillis,
};

/// What a logout did, and what it could not do.
#[derive(Debug, Clone)]
pub struct LoggedOut {
    /// The grant.
    pub grant: GrantName,
    /// Until when an access token that was handed out earlier still works at Spotify.
    pub access_until: Option<UnixMillis>,
    /// What became of the tokens at the provider.
    pub revocation: Revocation,
}

/// What the provider was asked, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// No revocation endpoint is configured; Spotify documents none.
    NotOffered,
    /// It answered. RFC 7009 §2.2: 200 is also the answer to a token it does not know, so it proves
    /// nothing.
    Answered {
        /// The HTTP status.
        status: u16,
    },
    /// It could not be asked.
    Failed {
        /// In a few words.
        why: String,
    },
}

impl Keeper {
    /// Ends a grant's epoch: destroys its tokens and their key, wins over any refresh in flight, then
    /// asks the provider to revoke where that is possible.
    ///
    /// # Cancel safety
    /// Runs in a task of its own: whoever stops waiting has logged out all the same.
    pub async fn logout(self: &Arc<Self>, name: &GrantName) -> Result<LoggedOut, Error> {
        let (keeper, grant) = (Arc::clone(self), name.clone());
        let ending = async move { keeper.sign_out(&grant).await };
        let task = spawn(self.tasks.track(ending));
        let (grant, what) = (name.clone(), "logout");
        task.await.map_err(|_| Problem::BrokeOff { grant, what })?
    }

    async fn sign_out(&self, name: &GrantName) -> Result<LoggedOut, Error> {
        let cell = self.cell(name);
        let mut contended = Contended::default();
        let (row, token, ended) = loop {
            let seen = self.read(name).await?;
            self.give_way(&mut contended, seen.version).await;
            let row = seen.value;
            if let Status::SignedOut { .. } = row.status {
                return Err(Problem::SignedOut {
                    grant: name.clone(),
                }
                .into());
            }
            // Opened for the revocation alone; a token that does not open is destroyed all the same.
            let token = self.open_quietly(&row);
            let change = lifecycle::sign_out(&row, self.parts.clock.wall());
            if self.parts.store.replace(seen.version, &change).await? != Written::Conflict {
                break (row, token, change.row.epoch);
            }
            contended.on(seen.version);
        };
        failpoint::at!(self.parts.clock, LogoutAfterDurable, broken => Err(broken.into()));
        cell.begin_epoch(ended);
        if let Err(error) = self.parts.store.scrub().await {
            // The rows are gone; what is left in the log is ciphertext whose key is gone with them.
            tracing::warn!(grant = %name, code = error.code(), "old pages could not be scrubbed yet");
        }
        let now = self.parts.clock.now();
        let access = row
            .tokens
            .as_ref()
            .and_then(|tokens| tokens.access.as_ref());
        let access_until = access
            .map(|access| access.expires.remaining(&now))
            .filter(|remaining| !remaining.is_zero())
            .map(|remaining| now.wall.after(remaining));
        let revocation = self.revoke(&row, token).await;
        Ok(LoggedOut {
            grant: name.clone(),
            access_until,
            revocation,
        })
    }

    fn open_quietly(&self, row: &GrantRow) -> Option<RefreshToken> {
        let sealed = &row.tokens.as_ref()?.refresh;
        let text = self
            .data_key(row)
            .ok()?
            .open(Field::RefreshToken, row.generation.0, sealed)
            .ok()?;
        Some(RefreshToken::new(text.as_str()))
    }

    async fn revoke(&self, row: &GrantRow, token: Option<RefreshToken>) -> Revocation {
        let Some(endpoint) = &self.parts.provider.revocation else {
            return Revocation::NotOffered;
        };
        let failed = |why: &str| Revocation::Failed {
            why: why.to_owned(),
        };
        let Some(token) = token else {
            return failed("the token did not open");
        };
        let app = match self.app_of(row) {
            Ok(app) => app,
            Err(error) => return failed(&chain(&error)),
        };
        let connection = match self.parts.transport.connect(&endpoint.origin).await {
            Ok(connection) => connection,
            Err(error) => return failed(&chain(&error)),
        };
        let request = revocation_request(&app.client, &token, &endpoint.path);
        match connection.send(request).await {
            Ok(answer) => Revocation::Answered {
                status: answer.status.as_u16(),
            },
            Err(error) => failed(&chain(&error)),
        }
    }
}
