//! A reqwest client that carries a grant's token.

use std::time::Duration;

use async_trait::async_trait;
use http::{Extensions, HeaderValue, StatusCode, header};
use reqwest::{Client, Proxy, Request, Response, redirect, retry};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next, Result};
use zeroize::Zeroizing;

use crate::{config, handle::Grant, secret::AccessToken};

/// The pause before the replay, where the API rejects a token that was renewed moments ago.
/// Spotify's player endpoints have been seen to reject good tokens for about as long.
const SECOND_THOUGHT: Duration = Duration::from_secs(1);

/// Why a request was not sent.
#[derive(Debug, thiserror::Error)]
pub enum BearerError {
    /// The URL leads elsewhere than to the configured API.
    #[error("the request leads to {to}, and the token is for {api} alone")]
    ForeignOrigin {
        /// Scheme, host and port of the request.
        to: String,
        /// The API's origin.
        api: String,
    },
    /// There is no token.
    #[error(transparent)]
    Refrain(#[from] crate::keeper::Error),
    /// The token cannot stand in a header.
    #[error("the access token is not a legal header value")]
    Header,
}

/// Why a 401 was not repaired; stands among the extensions of such an answer.
#[derive(Debug, Clone)]
pub struct Unrepaired(pub crate::keeper::Error);

/// Puts a grant's token into each request, and repairs a 401.
///
/// The status decides, never the text. The rejected token is exchanged for a newer one (one refresh for
/// however many requests were rejected) and the request sent once more, if its body can be sent again:
/// a 401 means that it was not executed. A token that was renewed moments ago is not renewed again; it
/// is tried once more after a second. A second 401 is passed on.
#[derive(Debug, Clone)]
pub struct BearerMiddleware {
    grant: Grant,
}

impl BearerMiddleware {
    /// A middleware for one grant.
    pub fn new(grant: Grant) -> Self {
        Self { grant }
    }

    fn check_origin(&self, request: &Request) -> std::result::Result<(), BearerError> {
        let (url, api) = (request.url(), self.grant.api());
        if api.covers(url) {
            return Ok(());
        }
        let to = url.origin().ascii_serialization();
        Err(BearerError::ForeignOrigin {
            to,
            api: api.to_string(),
        })
    }
}

#[async_trait]
impl Middleware for BearerMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        self.check_origin(&request).map_err(Error::middleware)?;
        let token = self.grant.access_token().await;
        let token = token.map_err(|error| Error::middleware(BearerError::from(error)))?;
        let replay = request.try_clone();
        bear(&mut request, &token).map_err(Error::middleware)?;
        let response = next.clone().run(request, extensions).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let newer = match self.grant.report_rejected(&token).await {
            Ok(newer) => newer,
            // The caller asked the API, and the API answered 401: that is his answer, and why it could not
            // be repaired goes with it.
            Err(error) => {
                tracing::warn!(
                    code = error.code(),
                    "a rejected access token could not be renewed"
                );
                let mut response = response;
                response.extensions_mut().insert(Unrepaired(error));
                return Ok(response);
            }
        };
        let Some(mut replay) = replay else {
            return Ok(response);
        };
        if newer.ct_eq(&token) {
            self.grant.pause(SECOND_THOUGHT).await;
        }
        bear(&mut replay, &newer).map_err(Error::middleware)?;
        next.run(replay, extensions).await
    }
}

fn bear(request: &mut Request, token: &AccessToken) -> std::result::Result<(), BearerError> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| BearerError::Header)?;
    value.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, value);
    Ok(())
}

impl Grant {
    /// An HTTP client for the API: it carries the token, repairs a 401, follows no redirect, sends
    /// nothing twice by itself and goes through a proxy only where the configuration says so.
    ///
    /// # Errors
    /// Where the system's TLS certificates cannot be read.
    pub fn http_client(&self) -> std::result::Result<ClientWithMiddleware, reqwest::Error> {
        let builder = Client::builder();
        // Plain http is loopback alone; through a proxy the bearer would leave this machine in the clear.
        let direct = !self.api().is_https();
        let builder = match self.network().proxy {
            _ if direct => builder.no_proxy(),
            config::Proxy::None => builder.no_proxy(),
            config::Proxy::Environment => builder,
            config::Proxy::Url(ref url) => builder.proxy(Proxy::https(url.expose().as_str())?),
        };
        let client = builder
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("refrain/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(ClientBuilder::new(client)
            .with(BearerMiddleware::new(self.clone()))
            .build())
    }
}
