//! What one caller's request means for the others.

use std::time::Duration;

use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, sleep, timeout},
};

use super::{Client, PATIENCE};
use crate::{
    place::Place,
    recorder::{Heard, Reply, Step},
    wire::Line,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_takes_its_request_along() {
    let client = Client::new().await;
    let held = Reply::of([Step::UntilGone]);
    client.place.recorder.answers(move |_| held.clone());
    for number in 1..=8 {
        let mut line = Line::to(client.place.address).await;
        let request = client.place.with_body("/v1/slow", &client.key, "hello");
        line.stream.write_all(request.as_bytes()).await.unwrap();
        until(|| client.place.recorder.take().len() == 1).await;
        drop(line);
        until(|| client.place.recorder.gone() == number).await;
    }
    let endless = Reply::of([
        Step::Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
        Step::Endless(b"5\r\nhello\r\n".repeat(100)),
    ]);
    client.place.recorder.answers(move |_| endless.clone());
    let mut line = Line::to(client.place.address).await;
    let request = client.place.plain("/v1/endless", &client.key);
    line.stream.write_all(request.as_bytes()).await.unwrap();
    until(|| client.place.recorder.take().len() == 1).await;
    drop(line);
    client.assert_unharmed().await;
}

async fn until(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never");
        sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_whose_reason_never_comes_holds_nobody_up() {
    let client = Client::new().await;
    let stuck = Reply::of([
        Step::Send(b"HTTP/1.1 429 Slow\r\nRetry-After: 9\r\nContent-Length: 100\r\n\r\n{".to_vec()),
        Step::UntilGone,
    ]);
    client.place.recorder.answers(move |_| stuck.clone());
    let mut line = Line::to(client.place.address).await;
    let request = client.place.plain("/v1/me", &client.key);
    line.stream.write_all(request.as_bytes()).await.unwrap();
    until(|| client.place.recorder.take().len() == 1).await;
    // The limit is known without its reason, and told to whoever asks next.
    let limited = Instant::now();
    loop {
        // The server gives the reason two seconds, by its own clock.
        client.place.clock.advance(Duration::from_millis(500));
        let next = client.get("/v1/me");
        if let Ok(Some(answer)) = timeout(Duration::from_millis(100), next).await {
            assert_eq!(answer.status, 429);
            if answer.header("refrain-error") == Some("rate_limited") {
                break;
            }
        }
        assert!(
            limited.elapsed() < Duration::from_secs(4),
            "the limit is not known"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_answered_early_holds_up_nobody_else() {
    let client = Client::new().await;
    client.place.recorder.answers(|heard| {
        let early = heard.method == "PUT";
        Reply {
            early,
            ..Reply::echo(heard)
        }
    });
    // As many connections as it takes to meet every worker.
    let mut uploads = Vec::new();
    for number in 0..8 {
        let mut line = Line::to(client.place.address).await;
        let head = client
            .place
            .head("PUT", &format!("/v1/up/{number}"), &client.key);
        let begun = format!("{head}Content-Length: 900000\r\n\r\nthe beginning");
        let answer = timeout(PATIENCE, line.ask(&begun))
            .await
            .expect("an answer")
            .unwrap();
        assert_eq!(answer.status, 200);
        uploads.push(line);
    }
    let begun = Instant::now();
    for number in 0..16 {
        let answer = client.get(&format!("/v1/next/{number}")).await.unwrap();
        assert_eq!(answer.status, 200);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_that_share_connections_never_share_a_token() {
    const REQUESTS: usize = 10_200;
    const GRANTS: [&str; 4] = ["alice", "bob", "carol", "dora"];
    let place = Place::new(&GRANTS).await;
    let (mut keys, mut bearers) = (Vec::new(), Vec::new());
    for grant in GRANTS {
        keys.push(place.key(grant).await);
        bearers.push(format!("Bearer {}", place.token(grant).await));
    }
    let mut callers = tokio::task::JoinSet::new();
    let address = place.address;
    for caller in 0..24 {
        let requests: Vec<_> = GRANTS
            .iter()
            .zip(&keys)
            .map(|(grant, key)| (*grant, place.plain(&format!("/v1/{grant}"), key)))
            .collect();
        callers.spawn(async move {
            let mut line = Line::to(address).await;
            for number in 0..REQUESTS / 24 {
                // Another grant each time on the same connection.
                let (grant, request) = &requests[(number * 7 + caller) % GRANTS.len()];
                let answer = line.ask(request).await.unwrap();
                assert_eq!(answer.text(), format!("/v1/{grant}"));
                assert_eq!(answer.header("refrain-grant"), Some(*grant));
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    let heard = place.recorder.take();
    assert_eq!(heard.len(), REQUESTS);
    let right = |it: &Heard| {
        let grant = it.target.trim_start_matches("/v1/");
        let at = GRANTS.iter().position(|it| *it == grant).unwrap();
        it.all("authorization") == [bearers[at].as_str()]
    };
    assert!(heard.iter().all(right));
    let connections = place.recorder.connections();
    assert!(connections < 200, "{connections}: they are shared");
    place.recorder.assert_clean();
}
