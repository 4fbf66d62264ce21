//! A layer for tower's services.

use std::{
    future::{Future, poll_fn},
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{Either, Empty, Full};
use hyper::body::{Body, Buf, Incoming};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    handle::Grant,
    middleware::{
        body::AnswerBody,
        passage::{self, BearerError, Failed, Outgoing, Way},
    },
};

/// Wraps a client in a [`BearerService`].
///
/// What follows redirects belongs outside of it, so that each request is looked at; what sends again by
/// itself belongs there too, so that it obeys Spotify's limits.
///
/// ```no_run
/// # async fn example(alice: refrain::Grant) -> Result<(), Box<dyn std::error::Error>> {
/// use bytes::Bytes;
/// use http_body_util::{BodyExt as _, Empty};
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use refrain::middleware::BearerLayer;
/// use tower_layer::Layer as _;
/// use tower_service::Service as _;
///
/// // A client for https takes a connector of, say, hyper-rustls here.
/// let client = Client::builder(TokioExecutor::new()).build_http();
/// let mut spotify = BearerLayer::new(alice).layer(client);
/// let request = http::Request::get("https://api.spotify.com/v1/me").body(Empty::<Bytes>::new())?;
/// // A hyper client is always ready; of others ask `poll_ready` first, as tower's `ServiceExt::oneshot` does.
/// let answer = spotify.call(request).await?;
/// println!("{}", answer.status());
/// println!("{:?}", answer.into_body().collect().await?.to_bytes());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct BearerLayer {
    grant: Grant,
}

impl BearerLayer {
    /// A layer for one grant.
    pub fn new(grant: Grant) -> Self {
        Self { grant }
    }
}

impl<S> Layer<S> for BearerLayer {
    type Service = BearerService<S>;

    fn layer(&self, inner: S) -> BearerService<S> {
        BearerService {
            grant: self.grant.clone(),
            inner,
        }
    }
}

/// Puts a grant's token into each request, repairs a 401 and obeys Spotify's limits, as the
/// [module](crate::middleware) says. The URI of a request has to be absolute.
#[derive(Debug, Clone)]
pub struct BearerService<S> {
    grant: Grant,
    inner: S,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError<E> {
    /// Nothing was sent.
    #[error(transparent)]
    Bearer(#[from] BearerError),
    /// The client inside has failed.
    #[error("the client has failed")]
    Client(#[source] E),
}

/// A request body that can perhaps be sent twice: a 401 is repaired where it can, and passed on where it
/// cannot. A body that is held in memory gives a copy, one that streams gives none.
///
/// ```
/// use refrain::middleware::TryClone;
///
/// struct Upload(Option<bytes::Bytes>);
///
/// impl TryClone for Upload {
///     fn try_clone(&self) -> Option<Self> {
///         Some(Self(Some(self.0.clone()?)))
///     }
/// }
/// ```
pub trait TryClone: Sized {
    /// The same body once more.
    fn try_clone(&self) -> Option<Self>;
}

impl<D: Buf + Clone> TryClone for Full<D> {
    fn try_clone(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl<D: Buf> TryClone for Empty<D> {
    fn try_clone(&self) -> Option<Self> {
        Some(Self::new())
    }
}

impl<L: TryClone, R: TryClone> TryClone for Either<L, R> {
    fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Left(left) => left.try_clone().map(Self::Left),
            Self::Right(right) => right.try_clone().map(Self::Right),
        }
    }
}

impl TryClone for String {
    fn try_clone(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl TryClone for Incoming {
    fn try_clone(&self) -> Option<Self> {
        None
    }
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<S, B, R> Service<Request<B>> for BearerService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: TryClone + Send + 'static,
    R: Body<Data = Bytes> + Unpin + Send,
    R::Error: Send,
{
    type Response = Response<AnswerBody<R>>;
    type Error = SendError<S::Error>;
    type Future = BoxFuture<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(SendError::Client)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // It is this one that has said that it is ready; a clone would have to be asked again.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        let grant = self.grant.clone();
        Box::pin(async move {
            check_origin(&grant, request.uri())?;
            let mut way = Inner {
                service: ready,
                ready: true,
                sends: PhantomData,
            };
            let passed = passage::pass(&grant, request, &mut way).await;
            passed.map_err(|failed| match failed {
                Failed::Bearer(error) => SendError::Bearer(error),
                Failed::Client(error) => SendError::Client(error),
            })
        })
    }
}

fn check_origin(grant: &Grant, uri: &Uri) -> Result<(), BearerError> {
    let api = grant.api();
    if api.covers_uri(uri) {
        return Ok(());
    }
    // Without what may stand before an `@`.
    let host = uri.host().unwrap_or("no host");
    let port = uri
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    let scheme = uri.scheme_str().unwrap_or("no scheme");
    Err(BearerError::ForeignOrigin {
        to: format!("{scheme}://{host}{port}"),
        api: api.to_string(),
    })
}

/// The client inside.
struct Inner<S, B> {
    service: S,
    /// Whether it has said so and was not called since.
    ready: bool,
    sends: PhantomData<fn(B)>,
}

impl<S, B, R> Way for Inner<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Send,
    S::Future: Send,
    S::Error: Send,
    B: TryClone + Send,
    R: Body<Data = Bytes> + Unpin + Send,
{
    type Request = Request<B>;
    type Body = R;
    type Error = S::Error;

    async fn send(&mut self, request: Request<B>) -> Result<Response<R>, S::Error> {
        if !std::mem::take(&mut self.ready) {
            poll_fn(|context| self.service.poll_ready(context)).await?;
        }
        self.service.call(request).await
    }
}

impl<B: TryClone + Send> Outgoing for Request<B> {
    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn again(&self) -> Option<Self> {
        let mut again = Self::new(self.body().try_clone()?);
        *again.method_mut() = self.method().clone();
        *again.uri_mut() = self.uri().clone();
        *again.version_mut() = self.version();
        *again.headers_mut() = self.headers().clone();
        *again.extensions_mut() = self.extensions().clone();
        Some(again)
    }
}
