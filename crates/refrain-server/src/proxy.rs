//! The proxy: a request for the Web API goes out with a token that works, and its answer comes back.
//!
//! The way of one request: path judged → grant found → rate limit asked → token taken → body held, if it is
//! small → headers cleaned, bearer put in last → sent → a 401 repaired → headers cleaned → passed on as it
//! comes. Nothing here decides by the text of an answer.
//!
//! A 401 is repaired by the token that was rejected ([`Grant::report_rejected`]): one refresh for however
//! many were rejected with it. The request goes out once more, if its body is held; a token that was renewed
//! moments ago is tried once more after a second, because Spotify's player endpoints have been seen to reject
//! good ones for about as long. Then the 401 is passed on.

pub(crate) mod headers;
pub(crate) mod held;
mod limits;
pub(crate) mod links;
pub(crate) mod prepared;
pub(crate) mod target;
pub(crate) mod upstream;

use std::{sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, request, response,
    uri::PathAndQuery,
};
use hyper::body::Incoming;
use refrain::{Grant, keeper::Live, secret::AccessToken};
use tracing::Instrument as _;

use self::{
    held::Held,
    links::Links,
    prepared::Prepared,
    upstream::{Lease, UpstreamError},
};
use crate::{
    body::{Answer, Relayed, Sent},
    caller::Caller,
    connection::Connection,
    fault::Fault,
    listen::pulse::Pulse,
    request_id::RequestId,
    server::Shared,
};

/// The pause before a token that was renewed moments ago is tried again.
const SECOND_THOUGHT: Duration = Duration::from_secs(1);
/// So often a request is sent again at most: with the newer token, and after a second thought.
const REPLAYS: u8 = 2;

/// A request that is on its way through.
struct Passage<'a> {
    shared: &'a Shared,
    connection: &'a Connection,
    pulse: &'a Pulse,
    id: &'a RequestId<'a>,
    grant: Grant,
    prepared: Arc<Prepared>,
    method: Method,
    target: PathAndQuery,
    headers: HeaderMap,
    body: Held,
}

/// What the API has answered, and what it took to get there.
struct Answered {
    response: Response<Incoming>,
    lease: Option<Lease>,
    repaired: bool,
}

/// Relays a request of a caller who may make it.
///
/// # Errors
/// What refrain has to say itself; whatever the API answers is no error here.
pub(crate) async fn relay(
    request: Request<Sent>,
    caller: &Caller,
    (connection, pulse): (&Connection, &Pulse),
    id: &RequestId<'_>,
) -> Result<Response<Answer>, Fault> {
    let shared = connection.shared();
    let begun = shared.clock().uptime();
    let (mut head, body) = request.into_parts();
    let target = head.uri.path_and_query().cloned();
    let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
    target::check(&target)?;
    let grant = caller.grant(&head.headers, shared).await?;
    let live = token(&grant, shared, id).await?;
    let gates = shared.gates();
    let rewritten = caller
        .rewrites_links()
        .then(|| own_origin(&head, connection))
        .flatten();
    headers::strip_request(&mut head.headers);
    if rewritten.is_some() {
        // A body that is compressed cannot be read on its way.
        let identity = HeaderValue::from_static("identity");
        head.headers.insert(header::ACCEPT_ENCODING, identity);
    }
    let body = Held::read(body, held::MOST).await?;
    // After what may take its time: a gate can close meanwhile, and the one that tries before all does not
    // keep the others waiting for its body.
    let probe = limits::enter(gates, live.app()).map_err(|closed| {
        shared.metrics().limited(closed.kind);
        limits::refused(&closed)
    })?;
    let mut passage = Passage {
        shared,
        connection,
        pulse,
        id,
        prepared: connection.prepared(&live, &grant)?,
        grant,
        method: head.method,
        target,
        headers: head.headers,
        body,
    };
    let Answered {
        response,
        lease,
        repaired,
    } = passage.send().await?;
    let response = limits::note(response, shared, live.app(), probe, id).await;
    if repaired {
        shared.metrics().repaired();
    }
    let took = shared.clock().uptime().since(begun);
    shared.metrics().proxied(took);
    let response = response.map(|body| Relayed::new(body, lease));
    Ok(passage.finish(response, repaired, rewritten.as_deref()))
}

/// A token that works; what may take long runs where it outlives this worker's connections.
async fn token(grant: &Grant, shared: &Shared, id: &RequestId<'_>) -> Result<Arc<Live>, Fault> {
    if let Some(live) = grant.at_hand() {
        return Ok(live);
    }
    let asked = grant.clone();
    let asking = async move { asked.current().await }.instrument(id.span());
    let served = shared.at_home(asking).await?;
    let served = served.map_err(|error| shared.fault(&error))?;
    Ok(served.live)
}

impl Passage<'_> {
    /// Sends, and repairs a 401.
    async fn send(&mut self) -> Result<Answered, Fault> {
        let mut token = self.prepared.live().token().clone();
        let mut bearer = self.prepared.bearer.clone();
        let mut again = false;
        let mut replays = 0;
        loop {
            let (response, lease) = self.send_once(&bearer).await?;
            let answered = Answered {
                response,
                lease,
                repaired: replays > 0,
            };
            let rejected = answered.response.status() == StatusCode::UNAUTHORIZED;
            if !rejected || replays == REPLAYS {
                return Ok(answered);
            }
            let newer = self.newer(&token).await;
            // Where the body is gone, the next request has the newer one.
            let Some(newer) = newer.filter(|_| self.body.repeats()) else {
                return Ok(answered);
            };
            if newer.ct_eq(&token) {
                if again {
                    return Ok(answered);
                }
                again = true;
                self.shared.clock().sleep(SECOND_THOUGHT).await;
            }
            bearer = prepared::bearer(&newer)?;
            token = newer;
            replays = replays.saturating_add(1);
        }
    }

    /// The token to use in the place of a rejected one; `None` where there is none, and the 401 stands.
    async fn newer(&self, rejected: &AccessToken) -> Option<AccessToken> {
        let (grant, rejected) = (self.grant.clone(), rejected.clone());
        let asking = async move { grant.report_rejected(&rejected).await };
        let asking = asking.instrument(self.id.span());
        match self.shared.at_home(asking).await {
            Ok(Ok(newer)) => Some(newer),
            Ok(Err(error)) => {
                let (grant, code, request_id) = (self.grant.name(), error.code(), self.id.text());
                tracing::warn!(%grant, code, request_id, "a rejected access token could not be renewed");
                None
            }
            Err(_) => None,
        }
    }

    async fn send_once(
        &mut self,
        bearer: &HeaderValue,
    ) -> Result<(Response<Incoming>, Option<Lease>), Fault> {
        let sent = self.send_counted(bearer).await;
        let reads = self.method == Method::GET || self.method == Method::HEAD;
        match sent {
            // An idle connection that the other side has just closed looks like this; what only reads may
            // be sent again.
            Err(UpstreamError::Broken { .. }) if reads && self.body.repeats() => {
                Ok(self.send_counted(bearer).await?)
            }
            sent => Ok(sent?),
        }
    }

    async fn send_counted(
        &mut self,
        bearer: &HeaderValue,
    ) -> Result<(Response<Incoming>, Option<Lease>), UpstreamError> {
        let request = self.request(bearer);
        let (clock, metrics) = (self.shared.clock(), self.shared.metrics());
        let begun = clock.uptime();
        let sent = self.connection.upstream().send(request, self.pulse).await;
        match &sent {
            Ok(_) => metrics.upstream(clock.uptime().since(begun)),
            Err(error) => metrics.unanswered(error),
        }
        sent
    }

    fn request(&mut self, bearer: &HeaderValue) -> Request<upstream::Outgoing> {
        let writes = [Method::POST, Method::PUT, Method::PATCH].contains(&self.method);
        let empty = self.body.is_empty();
        let mut request = Request::new(self.body.outgoing());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::from(self.target.clone());
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        if writes && empty {
            // Spotify answers 411 without it.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        headers.insert(header::AUTHORIZATION, bearer.clone());
        request
    }

    /// The answer as the caller gets it.
    fn finish(
        &self,
        response: Response<Relayed>,
        repaired: bool,
        own_origin: Option<&str>,
    ) -> Response<Answer> {
        let (mut head, relayed) = response.into_parts();
        headers::strip_response(&mut head.headers);
        head.version = http::Version::HTTP_11;
        head.extensions.clear();
        self.mark(&mut head.headers, repaired);
        let body = match own_origin.filter(|_| has_links(&head)) {
            None => Answer::relayed(relayed),
            Some(own) => {
                for name in [header::CONTENT_LENGTH, header::ETAG, header::ACCEPT_RANGES] {
                    head.headers.remove(name);
                }
                Answer::rewritten(relayed, Links::new(&self.shared.api_origin(), own))
            }
        };
        Response::from_parts(head, body)
    }

    /// Says whose token it was, of which login and generation, and whether a 401 was repaired.
    fn mark(&self, headers: &mut HeaderMap, repaired: bool) {
        let line = if repaired {
            let live = self.grant.at_hand();
            live.and_then(|live| prepared::line(live.line()))
        } else {
            self.prepared.line.clone()
        };
        if let Some(grant) = &self.prepared.grant {
            headers.insert("refrain-grant", grant.clone());
        }
        if let Some(line) = line {
            headers.insert("refrain-generation", line);
        }
        if repaired {
            headers.insert("refrain-repaired", HeaderValue::from_static("1"));
        }
    }
}

/// Where the caller has reached refrain, as links are to lead there again.
fn own_origin(head: &request::Parts, connection: &Connection) -> Option<String> {
    let named = head
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = named.or_else(|| head.uri.authority().map(http::uri::Authority::as_str))?;
    Some(connection.authorities().origin(host))
}

/// Whether an answer can have links in it: JSON, as it is.
fn has_links(head: &response::Parts) -> bool {
    let json = |value: &HeaderValue| {
        let value = value.as_bytes();
        value.starts_with(b"application/json")
    };
    let plain = !head.headers.contains_key(header::CONTENT_ENCODING);
    plain && head.headers.get(header::CONTENT_TYPE).is_some_and(json)
}
