//! A connection that is none: it takes any token and ends after a while, as real ones do.

use std::{convert::Infallible, time::Duration};

use refrain::secret::AccessToken;

use crate::{Refused, SpotifyConnection};

/// Ends so long after it was made.
#[derive(Debug)]
pub struct Pretended(pub Duration);

impl SpotifyConnection for Pretended {
    type Error = Infallible;

    async fn connect(&mut self, access_token: &AccessToken) -> Result<(), Refused<Infallible>> {
        // A real one would show it to Spotify; this one looks whether there is one.
        let length = access_token.expose().len();
        tracing::info!("pretends to connect with a token of {length} characters");
        Ok(())
    }

    async fn ended(&mut self) {
        tokio::time::sleep(self.0).await;
    }
}
