//! Keeps a player connected to Spotify's streaming side, with access tokens that come from refrain.
//!
//! A streaming client such as librespot takes an access token once, when it connects; the connection then
//! lives as long as Spotify likes, hours or days, and ends without notice. All that it needs is a token that
//! works at the moment at which it connects again. [`Feeder`] gives it that, waits where a user has to sign
//! in, and never hammers.

use std::{convert::Infallible, fmt, future::Future, sync::Arc, time::Duration};

use refrain::{
    Grant, Kind, Refrain, id::GrantName, keeper::Problem, secret::AccessToken, time::Clock,
};

pub mod pretended;
#[cfg(feature = "librespot")]
pub mod real;

/// A token that is connected with must live this long, so that it does not expire on the way.
const MIN_TTL: Duration = Duration::from_secs(60);
/// The first pause after a failure; each further one is twice as long, up to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));
/// How often it is looked whether a user has signed in. That asks the store, and nobody else.
const LOOK_FOR_LOGIN: Duration = Duration::from_secs(5);

/// The streaming side of Spotify, as far as tokens are concerned.
pub trait SpotifyConnection: Send {
    /// Why there is no connection.
    type Error: fmt::Display + Send;

    /// Connects, in the place of a connection that was there.
    fn connect(
        &mut self,
        access_token: &AccessToken,
    ) -> impl Future<Output = Result<(), Refused<Self::Error>>> + Send;

    /// Resolves when the connection has ended.
    fn ended(&mut self) -> impl Future<Output = ()> + Send;
}

/// Why a connection did not come about.
#[derive(Debug)]
pub enum Refused<E> {
    /// The token itself was refused.
    Token(E),
    /// Something else.
    Other(E),
}

/// Feeds one connection with the tokens of one grant.
#[derive(Debug)]
pub struct Feeder<C> {
    grant: Grant,
    clock: Arc<dyn Clock>,
    connection: C,
    failures: u32,
    said: Option<String>,
}

impl<C: SpotifyConnection> Feeder<C> {
    /// For the grant of this name, which need not exist yet.
    pub fn new(refrain: &Refrain, grant: &GrantName, connection: C) -> Self {
        Self {
            grant: refrain.grant_named(grant),
            clock: Arc::clone(&refrain.parts().clock),
            connection,
            failures: 0,
            said: None,
        }
    }

    /// Keeps the connection for ever; dropping the future stops it.
    pub async fn run(&mut self) -> Infallible {
        loop {
            if let Err(pause) = self.connect().await {
                self.clock.sleep(pause).await;
                continue;
            }
            self.connection.ended().await;
            tracing::info!("the connection has ended");
        }
    }

    /// Connects once, with a token that works; else says why not, and how long to wait.
    async fn connect(&mut self) -> Result<(), Duration> {
        let token = match self.grant.access_token_for(MIN_TTL).await {
            Ok(served) => served.live.token().clone(),
            Err(error) => return Err(self.no_token(&error)),
        };
        let refused = match self.connection.connect(&token).await {
            Ok(()) => {
                (self.failures, self.said) = (0, None);
                tracing::info!("connected");
                return Ok(());
            }
            Err(refused) => refused,
        };
        match refused {
            Refused::Token(error) => {
                self.say(format!("Spotify refuses the token: {error}"));
                // Renewed once, however many are refused; where that does not help, the pause grows.
                if let Err(error) = self.grant.report_rejected(&token).await {
                    return Err(self.no_token(&error));
                }
            }
            Refused::Other(error) => self.say(format!("no connection: {error}")),
        }
        Err(self.longer())
    }

    fn no_token(&mut self, error: &refrain::Error) -> Duration {
        let unknown = matches!(error.problem(), Problem::UnknownGrant { .. });
        if unknown || error.kind() == Kind::Reauthorize {
            let name = self.grant.name();
            self.say(format!(
                "{error}. It goes on by itself after: refrain login {name} --scope streaming"
            ));
            return LOOK_FOR_LOGIN;
        }
        let explained = error.explain();
        self.say(format!("{error}. {}", explained.fix));
        match explained.retry_at {
            Some(at) => at.since(self.clock.wall()).max(PAUSES.0),
            None => self.longer(),
        }
    }

    fn longer(&mut self) -> Duration {
        let pause = PAUSES.0.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        pause.min(PAUSES.1)
    }

    /// Says what is in the way, once.
    fn say(&mut self, text: String) {
        if self.said.as_ref() != Some(&text) {
            tracing::warn!("{text}");
            self.said = Some(text);
        }
    }
}
