//! rspotify on tokens of refrain's, in the same process.
//!
//! rspotify's own refreshing is not made for a provider that replaces refresh tokens: its client for apps
//! with a secret overwrites the new one with the old, and its PKCE client forgets the old one where an
//! answer brings none. Here it never holds a refresh token: [`Keeping`] implements the trait by which all
//! of rspotify's endpoints get their token, and asks the [`Grant`] before every request, which costs
//! nothing while the token in memory is good. A token that Spotify rejects is exchanged, and the request
//! sent once more.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use refrain::{Config, Refrain};
//! use refrain_rspotify::Keeping;
//! use rspotify::prelude::*;
//!
//! let refrain = Refrain::open(Config::load()?).await?;
//! let spotify = Keeping::new(refrain.grant("alice").await?);
//! println!("{:?}", spotify.me().await?.display_name);
//! # Ok(()) }
//! ```

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use refrain::{Grant, secret::AccessToken};
use reqwest::{Request, Response, StatusCode, header};
use reqwest_middleware::Next;
use rspotify::{
    ClientError, ClientResult, Config, Credentials, OAuth, Token,
    clients::{BaseClient, OAuthClient},
    http::{HttpClient, HttpClientBuilder, Middleware},
    sync::Mutex,
};

/// A client of rspotify's whose tokens are a grant's.
#[derive(Clone, Default)]
pub struct Keeping {
    /// `None` in a default one alone, which rspotify wants to exist.
    grant: Option<Grant>,
    http: HttpClient,
    config: Config,
    credentials: Credentials,
    oauth: OAuth,
    token: Arc<Mutex<Option<Token>>>,
}

impl Keeping {
    /// A client for one grant.
    pub fn new(grant: Grant) -> Self {
        let config = Config {
            api_base_url: grant.api().join("/v1/"),
            // Whether to ask `refetch_token`, which is ours.
            token_refreshing: true,
            ..Config::default()
        };
        let repair = Repair(grant.clone());
        Self {
            grant: Some(grant),
            http: HttpClientBuilder::default().with(repair).build(),
            config,
            token: Arc::new(Mutex::new(Some(Token::default()))),
            ..Self::default()
        }
    }
}

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keeping").field(&self.grant).finish()
    }
}

#[async_trait]
impl BaseClient for Keeping {
    fn get_config(&self) -> &Config {
        &self.config
    }

    fn get_http(&self) -> &HttpClient {
        &self.http
    }

    fn get_creds(&self) -> &Credentials {
        &self.credentials
    }

    fn get_token(&self) -> Arc<Mutex<Option<Token>>> {
        Arc::clone(&self.token)
    }

    async fn refetch_token(&self) -> ClientResult<Option<Token>> {
        let grant = self.grant.as_ref().ok_or(ClientError::InvalidToken)?;
        let token = grant.access_token().await;
        // rspotify has no variant for what others have to say; io::Error carries it whole.
        let token = token.map_err(|error| ClientError::Io(std::io::Error::other(error)))?;
        Ok(Some(Token {
            access_token: token.expose().to_owned(),
            // To rspotify a token without an end is always due, so it asks again before the next request.
            expires_at: None,
            ..Token::default()
        }))
    }
}

#[async_trait]
impl OAuthClient for Keeping {
    fn get_oauth(&self) -> &OAuth {
        &self.oauth
    }

    /// Users sign in with refrain.
    async fn request_token(&self, _: &str) -> ClientResult<()> {
        Err(ClientError::InvalidToken)
    }
}

/// Repairs a 401. refrain's own middleware is for a newer reqwest than rspotify has.
struct Repair(Grant);

#[async_trait]
impl Middleware for Repair {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let again = request.try_clone();
        let rejected = bearer(&request);
        let response = next.clone().run(request, extensions).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let (Some(mut again), Some(rejected)) = (again, rejected) else {
            return Ok(response);
        };
        let Ok(newer) = self.0.report_rejected(&rejected).await else {
            return Ok(response);
        };
        let Ok(mut value) = header::HeaderValue::from_str(&format!("Bearer {}", newer.expose()))
        else {
            return Ok(response);
        };
        value.set_sensitive(true);
        again.headers_mut().insert(header::AUTHORIZATION, value);
        next.run(again, extensions).await
    }
}

/// The token that a request carries.
fn bearer(request: &Request) -> Option<AccessToken> {
    let value = request.headers().get(header::AUTHORIZATION)?;
    Some(AccessToken::new(
        value.to_str().ok()?.strip_prefix("Bearer ")?,
    ))
}
