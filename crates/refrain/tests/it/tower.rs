//! The tower layer around a hyper client, on real requests.

use std::{
    future::{Ready, poll_fn, ready},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use refrain::{
    Grant,
    middleware::{
        AnswerBody, BearerError, BearerLayer, BearerService, Limited, SendError, TryClone,
        Unrepaired,
    },
};
use refrain_sim::{Action, EventKind, Fault, Profile, Rotation, Target};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::world::{World, signed_in};

type Hyper<B> = BearerService<Client<HttpConnector, B>>;

fn client(grant: &Grant) -> Hyper<Full<Bytes>> {
    let inner = Client::builder(TokioExecutor::new()).build_http();
    BearerLayer::new(grant.clone()).layer(inner)
}

fn request(world: &World, method: &str, path: &str, body: &'static str) -> Request<Full<Bytes>> {
    let uri = format!("{}{path}", world.sim.api_url());
    let builder = Request::builder().method(method).uri(uri);
    builder.body(Full::new(Bytes::from(body))).unwrap()
}

async fn call<S, B>(service: &mut S, request: Request<B>) -> Result<S::Response, S::Error>
where
    S: Service<Request<B>>,
{
    poll_fn(|context| service.poll_ready(context)).await?;
    service.call(request).await
}

async fn text(response: Response<AnswerBody<Incoming>>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_rejected_token_is_repaired_before_the_caller_notices() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.sim.expire_access_tokens();
    let answer = call(&mut client(&alice), request(&world, "GET", "/v1/me", "")).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(text(answer).await.contains("alice"));
    let counts = world.sim.counts();
    assert_eq!((counts.refreshes, counts.stray_credentials), (1, 0));
}

#[tokio::test]
async fn a_write_is_replayed_with_its_body_and_headers() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.sim.expire_access_tokens();
    let mut write = request(&world, "POST", "/v1/me/playlists", r#"{"name":"refrain"}"#);
    let headers = write.headers_mut();
    headers.insert("content-type", "application/json".parse().unwrap());
    let answer = call(&mut client(&alice), write).await.unwrap();
    assert_eq!(
        answer.status(),
        StatusCode::FORBIDDEN,
        "the scope is missing"
    );
    let arrived: Vec<_> = world
        .sim
        .history()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::ApiCall {
                status,
                headers,
                body,
                body_bytes,
                ..
            } => Some((status, (headers, body, body_bytes))),
            _ => None,
        })
        .rev()
        .take(2)
        .collect();
    assert_eq!((arrived[1].0, arrived[0].0), (401, 403));
    assert_eq!(arrived[0].1, arrived[1].1);
    assert_eq!(arrived[0].1.2, 18);
}

/// A body that streams.
#[derive(Debug)]
struct Once(Full<Bytes>);

impl TryClone for Once {
    fn try_clone(&self) -> Option<Self> {
        None
    }
}

impl Body for Once {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }
}

#[tokio::test]
async fn a_body_that_streams_is_sent_once_and_the_token_renewed_for_the_next() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.sim.expire_access_tokens();
    let inner = Client::builder(TokioExecutor::new()).build_http::<Once>();
    let mut client = BearerLayer::new(alice).layer(inner);
    let calls = world.sim.counts().api_calls;
    for (status, sent) in [(401, 1), (403, 2)] {
        let (head, body) =
            request(&world, "POST", "/v1/me/playlists", "{\"name\":\"x\"}").into_parts();
        let answer = call(&mut client, Request::from_parts(head, Once(body)))
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(world.sim.counts().api_calls - calls, sent);
    }
}

#[tokio::test]
async fn a_second_401_is_passed_on_and_one_that_cannot_be_repaired_says_why() {
    let (world, alice) = signed_in(Profile::rotating(Rotation::Static)).await;
    let mut client = client(&alice);
    world
        .sim
        .script(Fault::times(Target::Api, 2, Action::Spurious401));
    let calls = world.sim.counts().api_calls;
    let get = || request(&world, "GET", "/v1/me", "");
    let answer = world.in_time(call(&mut client, get())).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.extensions().get::<Unrepaired>().is_none());
    assert_eq!(world.sim.counts().api_calls - calls, 2);

    world.pass(Duration::from_secs(60));
    let app = world.sim.default_app().client_id;
    world.sim.revoke_user(&app, "alice");
    world.sim.expire_access_tokens();
    let answer = call(&mut client, get()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.extensions().get::<Unrepaired>().is_some());
}

#[tokio::test]
async fn the_bearer_leaves_for_the_api_alone() {
    let (world, alice) = signed_in(Profile::default()).await;
    let mut client = client(&alice);
    let api = world.sim.api_url();
    let before = world.sim.history().len();
    for elsewhere in [
        format!("{}/v1/me", world.sim.accounts_url()),
        api.replace("http://", "https://"),
        api.replace("127.0.0.1", "127.0.0.2"),
        api.replace("127.0.0.1", "user@127.0.0.1"),
        "https://api.spotify.com/v1/me".to_owned(),
        "/v1/me".to_owned(),
    ] {
        let request = Request::get(&elsewhere).body(Full::default()).unwrap();
        let error = call(&mut client, request).await.unwrap_err();
        assert!(
            matches!(error, SendError::Bearer(BearerError::ForeignOrigin { .. })),
            "{elsewhere}: {error:?}"
        );
        assert!(!error.to_string().contains("user"), "{error}");
    }
    assert_eq!(world.sim.history().len(), before);
}

#[tokio::test]
async fn a_429_is_remembered_and_answered_here_until_its_end() {
    let (world, alice) = signed_in(Profile::default()).await;
    let (mut one, mut another) = (client(&alice), client(&alice));
    let limit = Action::Throttle {
        retry_after: Some("20".to_owned()),
        quota: false,
    };
    world.sim.script(Fault::once(Target::Api, limit));
    let get = || request(&world, "GET", "/v1/me", "");
    let first = call(&mut one, get()).await.unwrap();
    assert_eq!(first.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(first.extensions().get::<Limited>().is_none());
    assert!(
        text(first).await.contains("API rate limit exceeded"),
        "whole"
    );
    let calls = world.sim.counts().api_calls;
    world.pass(Duration::from_millis(500));
    let local = call(&mut another, get()).await.unwrap();
    assert_eq!(local.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(local.headers()["retry-after"], "20");
    assert!(local.extensions().get::<Limited>().is_some());
    let body: serde_json::Value = serde_json::from_str(&text(local).await).unwrap();
    assert_eq!(body["error"]["status"], 429);
    assert_eq!(world.sim.counts().api_calls, calls, "Spotify is left alone");
    world.pass(Duration::from_secs(20));
    for client in [&mut one, &mut another] {
        assert_eq!(call(client, get()).await.unwrap().status(), StatusCode::OK);
    }
}

/// Answers 401 at first, and may be called only after it has said that it is ready; a clone has said nothing.
#[derive(Debug, Default)]
struct Strict {
    asked: bool,
    calls: Arc<AtomicU32>,
    wrong: Arc<AtomicBool>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self {
            asked: false,
            calls: Arc::clone(&self.calls),
            wrong: Arc::clone(&self.wrong),
        }
    }
}

impl Service<Request<String>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.asked = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        if !std::mem::take(&mut self.asked) {
            self.wrong.store(true, Ordering::SeqCst);
        }
        let first = self.calls.fetch_add(1, Ordering::SeqCst) == 0;
        let mut response = Response::new(Full::default());
        if first {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        ready(Ok(response))
    }
}

#[tokio::test]
async fn the_service_inside_is_called_only_when_it_is_ready() {
    let (world, alice) = signed_in(Profile::default()).await;
    let strict = Strict::default();
    let mut service = BearerLayer::new(alice).layer(strict.clone());
    for calls in [2, 3] {
        let uri = format!("{}/v1/me", world.sim.api_url());
        let request = Request::get(uri).body(String::new()).unwrap();
        let answer = call(&mut service, request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(strict.calls.load(Ordering::SeqCst), calls);
    }
    assert!(!strict.wrong.load(Ordering::SeqCst));
}

/// The body of a 429 that does not go on after its beginning.
struct Stalled(Option<Bytes>);

impl Body for Stalled {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.0.take() {
            Some(begun) => Poll::Ready(Some(Ok(Frame::data(begun)))),
            None => Poll::Pending,
        }
    }
}

#[derive(Clone)]
struct Stalls;

impl Service<Request<String>> for Stalls {
    type Response = Response<Stalled>;
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        let mut response = Response::new(Stalled(Some(Bytes::from_static(b"{"))));
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        ready(Ok(response))
    }
}

#[tokio::test]
async fn a_limit_whose_reason_never_comes_holds_nobody_up() {
    let (world, alice) = signed_in(Profile::default()).await;
    let mut service = BearerLayer::new(alice).layer(Stalls);
    let get = || {
        let uri = format!("{}/v1/me", world.sim.api_url());
        Request::get(uri).body(String::new()).unwrap()
    };
    let first = world.in_time(call(&mut service, get()));
    let first = tokio::time::timeout(Duration::from_secs(20), first).await;
    let first = first.expect("the wait for the reason ends").unwrap();
    assert!(first.extensions().get::<Limited>().is_none());
    let begun = first.into_body().frame().await.unwrap().unwrap();
    assert_eq!(begun.into_data().unwrap(), "{", "nothing is lost");
    let next = call(&mut service, get()).await.unwrap();
    assert!(next.extensions().get::<Limited>().is_some(), "known to all");
}
