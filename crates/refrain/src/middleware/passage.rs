//! One request on its way, whatever client carries it.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::body::Body;
use zeroize::Zeroizing;

use crate::{
    handle::Grant,
    limit::Entered,
    middleware::{body::AnswerBody, limits},
    secret::AccessToken,
};

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

/// Why there is no answer.
pub(super) enum Failed<E> {
    /// Nothing was sent.
    Bearer(BearerError),
    /// The client has failed.
    Client(E),
}

/// A request that a token can be put into.
pub(super) trait Outgoing: Sized + Send {
    /// Its headers.
    fn headers_mut(&mut self) -> &mut HeaderMap;
    /// The same once more, if its body can be sent again.
    fn again(&self) -> Option<Self>;
}

/// A client that sends a request once.
pub(super) trait Way: Send {
    /// What it sends.
    type Request: Outgoing;
    /// The body of what it gets.
    type Body: Body<Data = Bytes> + Unpin + Send;
    /// How it fails.
    type Error: Send;

    fn send(
        &mut self,
        request: Self::Request,
    ) -> impl Future<Output = Result<Response<Self::Body>, Self::Error>> + Send;
}

/// Sends a request whose origin was checked, as the [module above](super) says.
///
/// # Cancel safety
/// Dropping the future gives the request up; a refresh that it has begun goes on.
pub(super) async fn pass<W: Way>(
    grant: &Grant,
    request: W::Request,
    way: &mut W,
) -> Result<Response<AnswerBody<W::Body>>, Failed<W::Error>> {
    let live = match grant.at_hand() {
        Some(live) => live,
        None => grant.current().await?.live,
    };
    let gates = grant.gates().await?;
    let probe = match gates.enter(live.app()) {
        Entered::Open => None,
        Entered::Probe(probe) => Some(probe),
        Entered::Closed(closed) => return Ok(limits::refused(closed)),
    };
    let response = send(grant, request, live.token(), way).await?;
    let clock = grant.clock().as_ref();
    Ok(limits::note_limit(response, &gates, clock, live.app(), probe).await)
}

/// Sends, and repairs a 401.
async fn send<W: Way>(
    grant: &Grant,
    mut request: W::Request,
    token: &AccessToken,
    way: &mut W,
) -> Result<Response<W::Body>, Failed<W::Error>> {
    let replay = request.again();
    bear(request.headers_mut(), token)?;
    let mut response = way.send(request).await.map_err(Failed::Client)?;
    if response.status() != StatusCode::UNAUTHORIZED {
        return Ok(response);
    }
    let newer = match grant.report_rejected(token).await {
        Ok(newer) => newer,
        // The caller asked the API, and the API answered 401: that is his answer, and why it could not
        // be repaired goes with it.
        Err(error) => {
            let code = error.code();
            tracing::warn!(code, "a rejected access token could not be renewed");
            response.extensions_mut().insert(Unrepaired(error));
            return Ok(response);
        }
    };
    let Some(mut replay) = replay else {
        return Ok(response);
    };
    if newer.ct_eq(token) {
        grant.clock().sleep(SECOND_THOUGHT).await;
    }
    bear(replay.headers_mut(), &newer)?;
    way.send(replay).await.map_err(Failed::Client)
}

fn bear(headers: &mut HeaderMap, token: &AccessToken) -> Result<(), BearerError> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| BearerError::Header)?;
    value.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, value);
    Ok(())
}

impl<E> From<BearerError> for Failed<E> {
    fn from(error: BearerError) -> Self {
        Self::Bearer(error)
    }
}

impl<E> From<crate::keeper::Error> for Failed<E> {
    fn from(error: crate::keeper::Error) -> Self {
        Self::Bearer(error.into())
    }
}
