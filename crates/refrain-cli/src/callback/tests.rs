use std::pin::pin;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::*;

const PATIENCE: Duration = Duration::from_mins(5);
const CANARY: &str = "canary-5f3a91";

async fn listen() -> (Callbacks, SocketAddr) {
    let uri = "http://127.0.0.1/callback".parse().unwrap();
    let listener = CallbackListener::bind(&uri).await.unwrap();
    let address = listener.socket.local_addr().unwrap();
    (listener.start(PATIENCE), address)
}

async fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(address: SocketAddr, target: &str, host: &str) -> String {
    send(
        address,
        &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    )
    .await
}

fn page(title: &str) -> Page {
    Page {
        title: title.to_owned(),
        text: "text".to_owned(),
        next: "next".to_owned(),
    }
}

#[tokio::test]
async fn a_callback_is_handed_over_and_answered_with_the_page() {
    let (mut callbacks, address) = listen().await;
    let target = format!("/callback?code={CANARY}&state=a%20b");
    let browser = tokio::spawn(async move { get(address, &target, &address.to_string()).await });
    let callback = callbacks.next().await.unwrap();
    assert_eq!(callback.query(), format!("code={CANARY}&state=a%20b"));
    assert!(!format!("{callback:?}").contains(CANARY));
    callback.accept(page("Done, <alice>"));
    callbacks.finish().await;
    let answer = browser.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("<h1>Done, &lt;alice&gt;</h1>"), "{answer}");
    assert!(!answer.contains(CANARY), "{answer}");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn every_answer_forbids_whatever_a_page_could_do() {
    let (mut callbacks, address) = listen().await;
    let host = address.to_string();
    let favicon = get(address, "/favicon.ico", &host).await;
    let browser = tokio::spawn(async move { get(address, "/callback?x", &host).await });
    callbacks.next().await.unwrap().refuse(page("Problem"));
    let refused = browser.await.unwrap();
    for answer in [favicon, refused] {
        for header in [
            "content-security-policy: default-src 'none'; style-src 'sha256-",
            "cache-control: no-store",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
            "connection: close",
        ] {
            assert!(answer.contains(header), "{header}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_refused_callback_leaves_the_door_open_for_the_right_one() {
    let (mut callbacks, address) = listen().await;
    let host = address.to_string();
    for accepted in [false, false, true] {
        let host = host.clone();
        let browser = tokio::spawn(async move { get(address, "/callback?a", &host).await });
        let callback = callbacks.next().await.unwrap();
        if accepted {
            callback.accept(page("Done"));
        } else {
            callback.refuse(page("Not this one"));
        }
        let status = if accepted { "200" } else { "400" };
        let answer = browser.await.unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    assert!(callbacks.next().await.is_none());
}

#[tokio::test]
async fn other_hosts_paths_and_methods_are_turned_away() {
    let (mut callbacks, address) = listen().await;
    let host = address.to_string();
    for (request, status) in [
        (
            "GET /callback?code=1 HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
            "421",
        ),
        (
            format!(
                "GET /callback HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
                address.port()
            ),
            "421",
        ),
        ("GET /callback HTTP/1.1\r\n\r\n".to_owned(), "421"),
        (
            "GET /callback HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(),
            "421",
        ),
        (
            format!("GET /callback HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n"),
            "4",
        ),
        (
            format!("GET http://evil.example/callback HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "421",
        ),
        (
            format!("GET /callback/ HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "404",
        ),
        (
            format!("GET /Callback HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "404",
        ),
        (
            format!("POST /callback HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"),
            "405",
        ),
        (
            format!(
                "GET /callback?{} HTTP/1.1\r\nHost: {host}\r\n\r\n",
                "a".repeat(20_000)
            ),
            "4",
        ),
    ] {
        let answer = send(address, &request).await;
        let expected = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&expected), "{request:.80}: {answer:.80}");
    }
    assert!(callbacks.arrivals.try_recv().is_err());
}

#[tokio::test]
async fn after_an_accepted_callback_a_second_one_learns_that_it_is_over() {
    let (mut callbacks, address) = listen().await;
    let host = address.to_string();
    let (first, second) = (host.clone(), host);
    let first = tokio::spawn(async move { get(address, "/callback?1", &first).await });
    let callback = callbacks.next().await.unwrap();
    let second = tokio::spawn(async move { get(address, "/callback?2", &second).await });
    let waiting = callbacks.next().await.unwrap();
    callback.accept(page("Done"));
    drop(waiting);
    callbacks.finish().await;
    assert!(first.await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(second.await.unwrap().contains("already over"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_after_five_seconds() {
    let (_callbacks, address) = listen().await;
    let mut silent = pin!(send(address, "GET /callback HTTP/1.1\r\nHo"));
    let early = timeout(Duration::from_millis(4_900), &mut silent).await;
    assert!(early.is_err(), "{early:?}");
    let answer = timeout(Duration::from_secs(1), silent).await.unwrap();
    assert!(!answer.contains("200"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn silent_connections_do_not_keep_the_browser_out_for_long() {
    let (mut callbacks, address) = listen().await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let host = address.to_string();
    let browser = tokio::spawn(async move { get(address, "/callback?a", &host).await });
    callbacks.next().await.unwrap().accept(page("Done"));
    assert!(browser.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_after_five_minutes() {
    let (mut callbacks, address) = listen().await;
    let almost = PATIENCE * 99 / 100;
    assert!(timeout(almost, callbacks.next()).await.is_err());
    let end = timeout(PATIENCE / 50, callbacks.next()).await;
    assert!(matches!(end, Ok(None)), "{end:?}");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_port_of_the_redirect_uri_is_taken_or_found() {
    let parse = |text: &str| text.parse::<RedirectUri>().unwrap();
    let listener = CallbackListener::bind(&parse("http://127.0.0.1/cb"))
        .await
        .unwrap();
    let found = listener.redirect_uri().clone();
    let port = listener.socket.local_addr().unwrap().port();
    assert_eq!(found.as_str(), format!("http://127.0.0.1:{port}/cb"));
    let taken = CallbackListener::bind(&found).await.unwrap_err();
    assert!(matches!(taken, BindError::InUse { .. }), "{taken:?}");
    drop(listener);
    let again = CallbackListener::bind(&found).await.unwrap();
    assert_eq!(again.redirect_uri(), &found);
}

#[tokio::test]
async fn a_callback_elsewhere_cannot_be_waited_for() {
    for uri in [
        "https://127.0.0.1:1/cb",
        "http://localhost:1/cb",
        "http://192.168.1.2:1/cb",
        "http://0.0.0.0:1/cb",
        "https://music.example/cb",
        "app:callback",
    ] {
        let error = CallbackListener::bind(&uri.parse().unwrap())
            .await
            .unwrap_err();
        assert!(matches!(error, BindError::NotHere { .. }), "{uri}");
    }
}
