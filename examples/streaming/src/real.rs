//! The connection of librespot. What plays over it, `librespot-playback` and `librespot-connect`, is given
//! [`Librespot::session`].

use std::time::Duration;

use librespot_core::{
    Error, Session, SessionConfig, authentication::Credentials, error::ErrorKind,
};
use refrain::secret::AccessToken;

use crate::{Refused, SpotifyConnection};

/// A session does not tell that it has ended; it is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A session of librespot's, or none yet.
#[derive(Default)]
pub struct Librespot {
    session: Option<Session>,
}

impl Librespot {
    /// What plays is given this, after each connect anew: a session is not connected twice.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }
}

impl SpotifyConnection for Librespot {
    type Error = Error;

    async fn connect(&mut self, access_token: &AccessToken) -> Result<(), Refused<Error>> {
        let session = Session::new(SessionConfig::default(), None);
        let credentials = Credentials::with_access_token(access_token.expose());
        // Not stored: what librespot would keep outlives a logout at refrain.
        let connected = session.connect(credentials, false).await;
        connected.map_err(|error| match error.kind {
            ErrorKind::PermissionDenied | ErrorKind::Unauthenticated => Refused::Token(error),
            _ => Refused::Other(error),
        })?;
        // What plays needs a second login, which says no where the first one has said yes; a new token does
        // not help against that.
        session
            .login5()
            .auth_token()
            .await
            .map_err(Refused::Other)?;
        self.session = Some(session);
        Ok(())
    }

    async fn ended(&mut self) {
        while self.session.as_ref().is_some_and(|it| !it.is_invalid()) {
            tokio::time::sleep(LOOK).await;
        }
    }
}
