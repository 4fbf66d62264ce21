//! A reqwest client that carries a grant's token.

use std::time::Duration;

use async_trait::async_trait;
use http::{Extensions, HeaderMap};
use reqwest::{Body, Client, Proxy, Request, Response, redirect, retry};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next, Result};

use crate::{
    config,
    handle::Grant,
    middleware::passage::{self, BearerError, Failed, Outgoing, Way},
};

/// Puts a grant's token into each request, repairs a 401 and obeys Spotify's limits, as the
/// [module](crate::middleware) says.
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
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        self.check_origin(&request).map_err(Error::middleware)?;
        let mut chain = Chain { next, extensions };
        let passed = passage::pass(&self.grant, request, &mut chain).await;
        let response = passed.map_err(|failed| match failed {
            Failed::Bearer(error) => Error::middleware(error),
            Failed::Client(error) => error,
        })?;
        Ok(response.map(Body::wrap).into())
    }
}

/// The rest of the client.
struct Chain<'a, 'n> {
    next: Next<'n>,
    extensions: &'a mut Extensions,
}

impl Way for Chain<'_, '_> {
    type Request = Request;
    type Body = Body;
    type Error = Error;

    async fn send(&mut self, request: Request) -> Result<http::Response<Body>> {
        let response = self.next.clone().run(request, self.extensions).await?;
        Ok(response.into())
    }
}

impl Outgoing for Request {
    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn again(&self) -> Option<Self> {
        self.try_clone()
    }
}

impl Grant {
    /// An HTTP client for the API: it carries the token, repairs a 401, sends nothing while Spotify's
    /// limits stand against it, follows no redirect, sends nothing twice by itself and goes through a proxy
    /// only where the configuration says so.
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
