//! An API that errs or means ill: its answers pass as they are, and nobody else suffers from them.

mod others;

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::{
    dice::{Dice, count_panics, panics},
    place::Place,
    recorder::{Reply, Step},
    wire::{Line, Response},
};

/// Nothing in here takes longer.
const PATIENCE: Duration = Duration::from_secs(8);

struct Client {
    place: Place,
    key: String,
}

impl Client {
    async fn new() -> Self {
        let place = Place::new(&["alice"]).await;
        let key = place.key("alice").await;
        Self { place, key }
    }

    /// A request on a connection of its own; `None` where its answer breaks off.
    async fn ask(&self, request: &str) -> Option<Response> {
        let mut line = Line::to(self.place.address).await;
        let asked = timeout(PATIENCE, line.ask(request)).await;
        asked.unwrap_or_else(|_| unreachable!("no answer: {request}"))
    }

    async fn get(&self, path: &str) -> Option<Response> {
        self.ask(&self.place.plain(path, &self.key)).await
    }

    async fn post(&self, path: &str) -> Option<Response> {
        self.ask(&self.place.with_body(path, &self.key, "hello"))
            .await
    }

    fn answers(&self, raw: impl AsRef<[u8]>) {
        let reply = Reply::raw(raw);
        self.place.recorder.answers(move |_| reply.clone());
    }

    /// Everything is as it should be for whoever comes next, on every worker.
    async fn assert_unharmed(&self) {
        self.place.recorder.take();
        self.place.recorder.answers(Reply::echo);
        for number in 0..12 {
            let path = format!("/v1/next/{number}");
            let answer = self.get(&path).await.expect("an answer");
            assert_eq!((answer.status, answer.text()), (200, path));
        }
        self.place.recorder.take();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_is_sent_once_more_where_the_connection_broke_and_a_write_never() {
    let client = Client::new().await;
    client.place.recorder.answers(|_| Reply::of([Step::Close]));
    let answer = client.get("/v1/me").await.unwrap();
    assert_eq!(answer.status, 502);
    assert_eq!(client.place.recorder.take().len(), 2);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let head = client.place.head(method, "/v1/me", &client.key);
        let answer = client
            .ask(&format!("{head}Content-Length: 2\r\n\r\nhi"))
            .await;
        assert_eq!(answer.unwrap().status, 502, "{method}");
        assert_eq!(client.place.recorder.take().len(), 1, "{method}");
    }
    client.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_closes_between_two_requests_doubles_no_write() {
    let client = Client::new().await;
    let mut dice = Dice::new();
    client.place.recorder.answers(|heard| {
        let mut reply = Reply::echo(heard);
        reply.steps.push(Step::Close);
        reply
    });
    let mut line = Line::to(client.place.address).await;
    let mut failed = 0;
    for number in 0..400 {
        let write = dice.one_in(2);
        let path = format!("/v1/{number}");
        let request = if write {
            client.place.with_body(&path, &client.key, "hello")
        } else {
            client.place.plain(&path, &client.key)
        };
        let answer = line.ask(&request).await.unwrap();
        let heard = client.place.recorder.take().len();
        if write {
            assert!(heard <= 1, "{heard} times");
            assert!([200, 502].contains(&answer.status));
            failed += usize::from(answer.status == 502);
        } else {
            assert_eq!(answer.status, 200);
            assert!((1..=2).contains(&heard), "{heard} times");
        }
        if dice.one_in(2) {
            sleep(Duration::from_millis(1)).await;
        }
    }
    assert!(
        failed < 200,
        "{failed}: a closed connection is mostly seen to be closed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_answer_is_seen_to_be_half_an_answer() {
    let client = Client::new().await;
    for half in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        "HTTP/1.1 429 Slow\r\nContent-Length: 100\r\n\r\n{\"error\":",
    ] {
        let steps = [Step::Send(half.as_bytes().to_vec()), Step::Close];
        let reply = Reply::of(steps);
        client.place.recorder.answers(move |_| reply.clone());
        let answer = client.get("/v1/me").await;
        assert!(answer.is_none(), "{half:?}: {answer:?}");
        client.place.clock.advance(Duration::from_secs(3600));
        client.place.sim.advance(Duration::from_secs(3600));
    }
    client.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_in_an_answer_is_in_no_other_answer() {
    let client = Client::new().await;
    let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    for head in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison",
        "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        client.answers(format!("{head}{poison}"));
        for _ in 0..8 {
            let answer = client.post("/v1/me").await.unwrap();
            assert!(!answer.text().contains("poison"), "{head:?}: {answer:?}");
        }
        client.assert_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_in_the_place_of_an_answer_is_a_bad_gateway() {
    count_panics();
    let before = panics();
    let client = Client::new().await;
    let storm = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(2_000);
    let lengths = "Content-Length: 2\r\nContent-Length: 3\r\n";
    for (raw, status) in [
        (
            format!("{storm}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
            200,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
                .to_owned(),
            502,
        ),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(), 502),
        ("SSH-2.0-OpenSSH_9.9\r\n".to_owned(), 502),
        ("HTTP/2.0 200 OK\r\n\r\n".to_owned(), 502),
        ("\0\0\0\0\0\0".to_owned(), 502),
        (format!("HTTP/1.1 200 OK\r\n{lengths}\r\nok"), 502),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_owned(),
            502,
        ),
        ("HTTP/1.1 200 OK\r\nX\r\n\r\n".to_owned(), 502),
        ("HTTP/1.1 99999 OK\r\n\r\n".to_owned(), 502),
        (
            format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(5_000)),
            502,
        ),
        (
            format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(1_000_000)),
            502,
        ),
    ] {
        let steps = [
            Step::Send(raw.clone().into_bytes()),
            Step::Wait(Duration::from_millis(20)),
            Step::Close,
        ];
        let reply = Reply::of(steps);
        client.place.recorder.answers(move |_| reply.clone());
        let shown = raw.get(..60).unwrap_or(&raw);
        let answer = client
            .post("/v1/me")
            .await
            .unwrap_or_else(|| unreachable!("{shown:?}"));
        assert_eq!(answer.status, status, "{shown:?}");
        assert_eq!(client.place.recorder.take().len(), 1, "{shown:?}");
        // The connection closes, and is seen to close.
        sleep(Duration::from_millis(50)).await;
    }
    let endless = Reply::of([
        Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Step::Endless(b"X-More: and more of it\r\n".to_vec()),
    ]);
    client.place.recorder.answers(move |_| endless.clone());
    assert_eq!(client.get("/v1/me").await.unwrap().status, 502);
    client.assert_unharmed().await;
    assert_eq!(panics(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_spotifys_own_clients_is_cleaned() {
    let client = Client::new().await;
    client.answers(
        "HTTP/1.1 200 OK\r\nSet-Cookie: decoy=1\r\nSet-Cookie: b=decoy\r\nAlt-Svc: h3=\"decoy:443\"\r\n\
         Strict-Transport-Security: max-age=1; decoy\r\nAccess-Control-Allow-Origin: decoy\r\n\
         Access-Control-Allow-Credentials: decoy\r\nRefrain-Grant: decoy\r\nRefrain-Repaired: decoy\r\n\
         Refrain-Error: decoy\r\nWWW-Authenticate: Bearer realm=\"decoy\"\r\nProxy-Authenticate: decoy\r\n\
         Clear-Site-Data: \"decoy\"\r\nConnection: X-Hop, close\r\nX-Hop: decoy\r\nKeep-Alive: decoy\r\n\
         NEL: {\"decoy\":1}\r\nReport-To: decoy\r\nServer: decoy\r\nVia: decoy\r\nTrailer: decoy\r\n\
         ETag: \"kept\"\r\nCache-Control: private\r\nContent-Length: 2\r\n\r\nok",
    );
    let answer = client.get("/v1/me").await.unwrap();
    for (name, value) in &answer.headers {
        assert!(!value.contains("decoy"), "{name}: {value}");
    }
    assert_eq!(answer.header("etag"), Some("\"kept\""));
    assert_eq!(answer.header("refrain-grant"), Some("alice"));
    assert_eq!(answer.text(), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_answer_passes_as_it_is() {
    let client = Client::new().await;
    let gzip = [
        &b"\x1f\x8b\x08\x00"[..],
        &[0xff, 0x00, 0x80, 0x0d, 0x0a],
        &[7; 300],
    ]
    .concat();
    for (status, headers, body) in [
        (
            304,
            "ETag: \"a\"\r\nLast-Modified: Tue, 24 Nov 2026 07:00:00 GMT\r\n",
            &b""[..],
        ),
        (204, "", b""),
        (500, "Content-Type: text/html\r\n", b"<h1>oops</h1>"),
        (502, "", b"bad"),
        (503, "Retry-After: 7\r\n", b"busy"),
        (403, "Content-Type: application/json\r\n", b"{\"error\":{}}"),
        (
            200,
            "Content-Encoding: gzip\r\nContent-Type: application/json\r\n",
            &gzip,
        ),
    ] {
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let head = format!("HTTP/1.1 {status} X\r\n{headers}{length}\r\n");
        client.answers([head.as_bytes(), body].concat());
        let answer = client.get("/v1/me").await.unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.body, body, "{status}");
        for line in headers.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            assert_eq!(answer.header(name), Some(value), "{status}");
        }
    }
}
