//! Whether the process lives, and whether it can do its work. Neither says anything about any user.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::{body::Answer, server::Shared};

/// How long the store may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(3);

/// The process answers, so it lives.
pub(crate) fn alive() -> Response<Answer> {
    told(StatusCode::OK, "text/plain", "ok\n".to_owned())
}

/// Whether requests can be served: the store answers, and nobody has asked the server to stop.
pub(crate) async fn ready(shared: &Shared) -> Response<Answer> {
    let mut reasons: Vec<&'static str> = Vec::new();
    if shared.is_stopping() {
        reasons.push("stopping");
    }
    let store = std::sync::Arc::clone(&shared.refrain().parts().store);
    let clock = std::sync::Arc::clone(shared.clock());
    let looked = shared.at_home(async move {
        tokio::select! {
            identity = store.identity() => identity.map_err(|error| error.code()).err(),
            () = clock.sleep(PATIENCE) => Some("storage_slow"),
        }
    });
    match looked.await {
        Ok(problem) => reasons.extend(problem),
        Err(_) => reasons.push("stopping"),
    }
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({ "ready": reasons.is_empty(), "reasons": reasons });
    told(status, "application/json", body.to_string())
}

fn told(status: StatusCode, kind: &'static str, body: String) -> Response<Answer> {
    let mut answer = Response::new(Answer::own(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
