//! The proxy that one writes in an afternoon: axum in front, reqwest behind, a bearer in between.

use axum::{Router, body::Body, extract::State, http::header, response::Response};

/// In a process of its own.
pub async fn serve(port: u16, upstream: String) {
    let client = reqwest::Client::builder()
        .danger_accept_invalid_certs(true)
        .build();
    let state = (client.expect("a client"), upstream);
    let app = Router::new().fallback(pass).with_state(state);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("a port");
    axum::serve(listener, app).await.expect("a server");
}

async fn pass(
    State((client, upstream)): State<(reqwest::Client, String)>,
    request: axum::extract::Request,
) -> Response {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |it| it.as_str());
    let url = format!("{upstream}{path}");
    head.headers.remove(header::HOST);
    let bearer = super::rivals::BEARER.parse().expect("a header");
    head.headers.insert(header::AUTHORIZATION, bearer);
    let body = reqwest::Body::wrap_stream(body.into_data_stream());
    let sent = client
        .request(head.method, url)
        .headers(head.headers)
        .body(body)
        .send();
    let answer = sent.await.expect("an answer");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = Body::from_stream(answer.bytes_stream());
    response
}
