//! Two servers never read two different requests out of the same bytes: what arrives at the API is what
//! refrain has answered for, request by request.

mod corpus;

use tokio::task::JoinSet;

use self::corpus::{Attempt, corpus};
use crate::{
    dice::{Dice, count_panics, panics},
    place::Place,
    recorder::{Heard, Reply},
    wire::{self, Line, Response, responses},
};

const AT_ONCE: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_is_what_was_answered_for() {
    count_panics();
    let before = panics();
    let place = Place::new(&["alice"]).await;
    let key = place.key("alice").await;
    let attempts = corpus(place.address, &key, &mut Dice::new());
    assert!(attempts.len() >= 2_000, "{}", attempts.len());
    let talker = place.talker(&key);
    let mut served = 0;
    for some in attempts.chunks(AT_ONCE) {
        let mut asked = JoinSet::new();
        for attempt in some.iter().cloned() {
            let talker = talker.clone();
            asked.spawn(async move { (talker.say(&attempt.bytes).await, attempt) });
        }
        let asked = asked.join_all().await;
        let heard = place.recorder.take();
        for (said, attempt) in asked {
            let shown = attempt.shown();
            let (answers, rest) = responses(&said.bytes).expect(&shown);
            assert_eq!(rest, 0, "half an answer: {shown}");
            assert!(said.took < wire::HANG, "{:?}: {shown}", said.took);
            served += judge(&attempt, &answers, &heard);
        }
        let alive = Line::to(place.address)
            .await
            .ask(&place.plain("/v1/alive", &key))
            .await;
        assert_eq!(alive.map(|it| it.status), Some(200), "the server lives on");
        place.recorder.take();
    }
    assert!(served >= 100, "{served}: some of it is right");
    place.recorder.assert_clean();
    assert_eq!(panics(), before);
}

/// Compares what was answered with what has arrived; how many requests were served.
fn judge(attempt: &Attempt, answers: &[Response], heard: &[Heard]) -> usize {
    let shown = attempt.shown();
    let mine = format!("/v1/{}/", attempt.number);
    let came: Vec<&str> = heard
        .iter()
        .filter(|it| it.target.starts_with(&mine))
        .map(|it| it.target.as_str())
        .collect();
    let served: Vec<String> = answers
        .iter()
        .filter(|it| it.succeeded())
        .map(Response::text)
        .collect();
    assert_eq!(came, served, "{shown}: {answers:#?}");
    assert!(
        answers.iter().all(|it| it.succeeded() || it.status >= 400),
        "{shown}: {answers:#?}"
    );
    // A request that was refused for how it is written is the last one on its connection.
    let broken = answers
        .iter()
        .position(|it| it.status == 400 && it.body.is_empty());
    assert!(broken.is_none_or(|at| at + 1 == answers.len()), "{shown}");
    assert!(
        came.len() <= attempt.most,
        "{} at most, and {came:?}: {shown}",
        attempt.most
    );
    if let Some(exactly) = attempt.exactly {
        assert_eq!(came.len(), exactly, "{shown}: {answers:#?}");
    }
    assert!(
        !came.iter().any(|it| it.contains("smuggled")) || attempt.pipelined,
        "{shown}"
    );
    came.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_a_pipeline_are_answered_in_their_order() {
    let place = Place::new(&["alice"]).await;
    let key = place.key("alice").await;
    // The first ones take longest: whoever answers as it comes answers in the wrong order.
    place.recorder.answers(|heard| {
        let number: u64 = heard.target.rsplit('/').next().unwrap().parse().unwrap();
        let mut reply = Reply::echo(heard);
        let wait = std::time::Duration::from_millis(20_u64.saturating_sub(number));
        reply.steps.insert(0, crate::recorder::Step::Wait(wait));
        reply
    });
    for split in [1, 7, 1_000_000] {
        let mut line = Line::to(place.address).await;
        let mut all = String::new();
        for number in 0..50 {
            all.push_str(&match number % 3 {
                0 => place.plain(&format!("/v1/p/{number}"), &key),
                1 => place.with_body(&format!("/v1/p/{number}"), &key, "hello"),
                _ => place.chunked(
                    &format!("/v1/p/{number}"),
                    &key,
                    &["GET /v1/x HTTP/1.1\r\n\r\n"],
                ),
            });
        }
        let (mut read, mut write) = line.stream.split();
        let writes = async {
            for piece in all.as_bytes().chunks(split) {
                tokio::io::AsyncWriteExt::write_all(&mut write, piece)
                    .await
                    .unwrap();
            }
        };
        let reads = async {
            let mut bytes = Vec::new();
            loop {
                tokio::io::AsyncReadExt::read_buf(&mut read, &mut bytes)
                    .await
                    .unwrap();
                let (answers, rest) = responses(&bytes).unwrap();
                if answers.len() == 50 && rest == 0 {
                    return answers;
                }
            }
        };
        let ((), answers) = tokio::join!(writes, reads);
        for (number, answer) in answers.iter().enumerate() {
            assert_eq!(
                (answer.status, answer.text()),
                (200, format!("/v1/p/{number}"))
            );
        }
        let heard = place.recorder.take();
        assert_eq!(heard.len(), 50);
    }
    place.recorder.assert_clean();
}

/// One request whose length is written twice, with another behind it.
struct Twice {
    lengths: &'static str,
    body: &'static str,
    /// What is answered, request by request.
    answered: &'static [u16],
    /// How long the body is that arrives.
    arrives: usize,
}

const CHUNKS: &str = "5\r\nhello\r\n0\r\n\r\n";

const TWICE: [Twice; 9] = [
    // Chunks go first, whatever else is said, and nothing behind them counts (RFC 9112 §6.1).
    Twice {
        lengths: "Content-Length: 5\r\nTransfer-Encoding: chunked",
        body: CHUNKS,
        answered: &[200],
        arrives: 5,
    },
    Twice {
        lengths: "Transfer-Encoding: chunked\r\nContent-Length: 5",
        body: CHUNKS,
        answered: &[200],
        arrives: 5,
    },
    Twice {
        lengths: "Transfer-Encoding: chunked\r\nContent-Length: x",
        body: CHUNKS,
        answered: &[200],
        arrives: 5,
    },
    // The same length twice is that length (§6.3), and what is behind it is another request.
    Twice {
        lengths: "Content-Length: 5\r\nContent-Length: 5",
        body: "hello",
        answered: &[200, 200],
        arrives: 5,
    },
    Twice {
        lengths: "Content-Length: 5\r\nContent-Length: 6",
        body: "hello!",
        answered: &[400],
        arrives: 0,
    },
    Twice {
        lengths: "Content-Length: 5, 5",
        body: "hello",
        answered: &[400],
        arrives: 0,
    },
    Twice {
        lengths: "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        body: CHUNKS,
        answered: &[400],
        arrives: 0,
    },
    Twice {
        lengths: "Transfer-Encoding: gzip, chunked",
        body: CHUNKS,
        answered: &[400],
        arrives: 0,
    },
    Twice {
        lengths: "Content-Length: 5\r\nTransfer-Encoding: identity",
        body: "hello",
        answered: &[400],
        arrives: 0,
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_length_that_is_written_twice_is_read_one_way_or_not_at_all() {
    let place = Place::new(&["alice"]).await;
    let key = place.key("alice").await;
    let talker = place.talker(&key);
    for twice in &TWICE {
        let (head, lengths) = (place.head("POST", "/v1/first", &key), twice.lengths);
        let behind = place.plain("/v1/smuggled", &key);
        let bytes = format!("{head}{lengths}\r\n\r\n{}{behind}", twice.body);
        let said = talker.say(bytes.as_bytes()).await;
        let (answers, rest) = responses(&said.bytes).unwrap();
        assert_eq!(rest, 0, "{lengths}");
        let answered: Vec<_> = answers.iter().map(|it| it.status).collect();
        assert_eq!(answered, twice.answered, "{lengths}");
        if let [only] = &answers[..] {
            assert_eq!(only.header("connection"), Some("close"), "{lengths}");
        }
        let came = place.recorder.take();
        let served = answered.iter().filter(|it| **it == 200).count();
        assert_eq!(came.len(), served, "{lengths}");
        if let Some(first) = came.first() {
            assert_eq!((&*first.target, first.body), ("/v1/first", twice.arrives));
            // Written anew: what was said about the length has not gone on.
            assert_eq!(first.all("content-length"), ["5"], "{lengths}");
            assert!(first.all("transfer-encoding").is_empty(), "{lengths}");
        }
    }
    place.recorder.assert_clean();
}
