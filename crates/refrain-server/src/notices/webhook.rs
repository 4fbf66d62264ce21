//! A message by HTTP, as [Standard Webhooks](https://www.standardwebhooks.com) has it.
//!
//! Each goes out on a connection of its own: they are few. No redirect is followed, because what is signed is
//! meant for one place.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http1};
use refrain::{
    config::Webhook,
    notice::{Delivery, sign},
    oauth::answer::RetryAfter,
    secret::WebhookSecret,
    time::{Clock, UnixMillis},
    transport::dial::Dialer,
};
use url::Position;

use super::Tried;
use crate::body::BoxError;

/// How long a try may take, from the first packet to the head of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
const AGENT: &str = concat!("refrain/", env!("CARGO_PKG_VERSION"));

/// A URL that messages are sent to.
pub(super) struct Hook {
    url: Webhook,
    secrets: Vec<WebhookSecret>,
    dialer: Arc<Dialer>,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hook({})", self.url)
    }
}

impl Hook {
    pub(super) fn new(url: Webhook, secrets: &[WebhookSecret], dialer: Arc<Dialer>) -> Self {
        let secrets = secrets.to_vec();
        Self {
            url,
            secrets,
            dialer,
        }
    }

    /// Sends a message, once.
    pub(super) async fn post(&self, delivery: &Delivery, clock: &dyn Clock) -> Tried {
        let sending = async {
            let request = self
                .request(delivery, clock.wall())
                .map_err(|_| "unsendable")?;
            self.send(request).await
        };
        let answer = tokio::select! {
            biased;
            answer = sending => answer,
            () = clock.sleep(PATIENCE) => Err("timed out"),
        };
        match answer {
            Ok(answer) => read(&answer, clock.wall()),
            Err(outcome) => Tried::Failed(outcome.to_owned(), None),
        }
    }

    fn request(
        &self,
        delivery: &Delivery,
        now: UnixMillis,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let (url, seconds) = (self.url.expose(), now.0.div_euclid(1000));
        let signed = sign::signatures(&self.secrets, &delivery.message, seconds, &delivery.body);
        Request::post(&url[Position::BeforePath..Position::AfterQuery])
            .header(header::HOST, self.url.origin().authority())
            .header(header::USER_AGENT, HeaderValue::from_static(AGENT))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close")
            .header(sign::ID, delivery.message.as_str())
            .header(sign::TIMESTAMP, seconds)
            .header(sign::SIGNATURE, signed)
            .body(Full::from(delivery.body.clone()))
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, &'static str> {
        let connected: Result<_, BoxError> = async {
            let io = self.dialer.dial(self.url.origin()).await?;
            Ok(http1::handshake(io).await?)
        }
        .await;
        let (mut sender, connection) = connected.map_err(|_| "unreachable")?;
        let mut answer = pin!(sender.send_request(request));
        let answer = tokio::select! {
            biased;
            answer = &mut answer => answer,
            // Its answer may have been the last thing on it.
            _ = connection => answer.await,
        };
        answer.map_err(|_| "broken off")
    }
}

/// What an answer means; its body is nobody's business.
fn read(answer: &Response<Incoming>, now: UnixMillis) -> Tried {
    let status = answer.status();
    let outcome = format!("http {}", status.as_u16());
    if status.is_success() {
        return Tried::Arrived(outcome);
    }
    if status == StatusCode::GONE {
        return Tried::Refused(outcome);
    }
    let asked = RetryAfter::from_headers(answer.headers());
    Tried::Failed(outcome, asked.map(|asked| asked.told(now)))
}
