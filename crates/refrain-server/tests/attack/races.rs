//! What changes while requests are under way: keys, grants, the server itself, the store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

use crate::{
    place::Place,
    recorder::{Reply, Step},
    wire::{Line, Response},
};

const CALLERS: usize = 16;

/// Callers who ask again and again, each on connections of his own.
struct Load {
    callers: JoinSet<Vec<Response>>,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Load {
    fn on(place: &Place, key: &str) -> Self {
        let (stop, asked) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let request = place.plain(&format!("/v1/load/{caller}"), key);
            let (address, stop, asked) = (place.address, Arc::clone(&stop), Arc::clone(&asked));
            callers.spawn(async move {
                let mut line = Line::to(address).await;
                let mut answers = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    match line.ask(&request).await {
                        Some(answer) => answers.push(answer),
                        None => line = Line::to(address).await,
                    }
                    asked.fetch_add(1, Ordering::SeqCst);
                    sleep(Duration::from_millis(1)).await;
                }
                answers
            });
        }
        Self {
            callers,
            stop,
            asked,
        }
    }

    /// Waits until everybody has asked some more.
    async fn go_on(&self) {
        let until = self.asked.load(Ordering::SeqCst) + CALLERS * 4;
        while self.asked.load(Ordering::SeqCst) < until {
            sleep(Duration::from_millis(2)).await;
        }
    }

    async fn end(self) -> Vec<Vec<Response>> {
        self.stop.store(true, Ordering::SeqCst);
        self.callers.join_all().await
    }
}

/// Nobody is served any more who was once refused.
#[track_caller]
fn assert_refused_for_good(answers: &[Vec<Response>], status: u16) {
    for answers in answers {
        let statuses: Vec<u16> = answers.iter().map(|it| it.status).collect();
        assert!(
            statuses.first() == Some(&200) && statuses.last() == Some(&status),
            "{statuses:?}"
        );
        let last = statuses.iter().rposition(|it| *it == 200).unwrap();
        let first = statuses.iter().position(|it| *it == status).unwrap();
        assert!(last < first, "{statuses:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_under_load_is_refused_within_five_seconds() {
    let place = Place::new(&["alice"]).await;
    let key = place.key("alice").await;
    let load = Load::on(&place, &key);
    load.go_on().await;
    // Another node revokes it: this process hears of it from the store alone.
    place.other.revoke_key("key-of-alice").await.unwrap();
    place.recorder.take();
    for _ in 0..10 {
        place.clock.advance(Duration::from_millis(490));
        load.go_on().await;
    }
    place.recorder.take();
    load.go_on().await;
    assert!(
        place.recorder.take().is_empty(),
        "not one arrives after 4.9 s"
    );
    let answers = load.end().await;
    for answers in &answers {
        assert!(
            answers
                .iter()
                .all(|it| [200, 401, 429].contains(&it.status))
        );
        let refused = answers
            .iter()
            .position(|it| it.status != 200)
            .expect("refused");
        assert!(answers[refused..].iter().all(|it| it.status != 200));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_is_logged_out_under_load_serves_nobody_any_more() {
    let place = Place::new(&["alice"]).await;
    let key = place.key("alice").await;
    let load = Load::on(&place, &key);
    load.go_on().await;
    place
        .refrain
        .grant("alice")
        .await
        .unwrap()
        .logout()
        .await
        .unwrap();
    // Those that were on their way may still arrive.
    load.go_on().await;
    place.recorder.take();
    load.go_on().await;
    assert!(place.recorder.take().is_empty());
    let answers = load.end().await;
    assert_refused_for_good(&answers, answers[0].last().unwrap().status);
    for answer in answers.iter().flatten().filter(|it| it.status != 200) {
        assert!([401, 404].contains(&answer.status), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_answers_what_is_under_way_and_nothing_else() {
    let mut place = Place::new(&["alice"]).await;
    let key = place.key("alice").await;
    place.recorder.answers(|heard| {
        let mut reply = Reply::echo(heard);
        reply
            .steps
            .insert(0, Step::Wait(Duration::from_millis(700)));
        reply
    });
    let mut lines = Vec::new();
    for number in 0..20 {
        let mut line = Line::to(place.address).await;
        let request = place.with_body(&format!("/v1/{number}"), &key, "hello");
        line.write(request.as_bytes()).await;
        lines.push(line);
    }
    let idle = Line::to(place.address).await;
    while place.recorder.heard() < 20 {
        sleep(Duration::from_millis(5)).await;
    }
    let (address, next) = (place.address, place.plain("/v1/next", &key));
    let answered = tokio::spawn(async move {
        for (number, line) in lines.iter_mut().enumerate() {
            let answer = line.read().await.expect("an answer");
            assert_eq!(
                (answer.status, answer.text()),
                (200, format!("/v1/{number}"))
            );
            assert!(line.ask(&next).await.is_none(), "the connection has ended");
        }
    });
    tokio::time::timeout(Duration::from_secs(5), place.stop())
        .await
        .expect("it stops");
    answered.await.unwrap();
    drop(idle);
    assert!(
        tokio::net::TcpStream::connect(address).await.is_err(),
        "nobody listens"
    );
    assert_eq!(place.recorder.take().len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_live_tokens_serve_and_others_are_told_to_come_back() {
    let place = Place::new(&["alice", "bob"]).await;
    let (alice, bob) = (place.key("alice").await, place.key("bob").await);
    for key in [&alice, &bob] {
        let answer = Line::to(place.address)
            .await
            .ask(&place.plain("/v1/me", key))
            .await;
        assert_eq!(answer.unwrap().status, 200);
    }
    let never = place.named_key("never-shown", "alice").await;
    place.store.away(true);
    for seconds in [0, 1, 3, 3, 30, 300] {
        place.clock.advance(Duration::from_secs(seconds));
        place.sim.advance(Duration::from_secs(seconds));
        let answer = Line::to(place.address)
            .await
            .ask(&place.plain("/v1/me", &alice))
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "after {seconds} s more: {answer:?}");
        assert_is_later(&place, &never).await;
    }
    // Its token ends, and no other can be had.
    place.clock.advance(Duration::from_secs(3600));
    place.sim.advance(Duration::from_secs(3600));
    assert_is_later(&place, &bob).await;
    place.store.away(false);
    place.clock.advance(Duration::from_secs(60));
    place.sim.advance(Duration::from_secs(60));
    let answer = Line::to(place.address)
        .await
        .ask(&place.plain("/v1/me", &bob))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn assert_is_later(place: &Place, key: &str) {
    let answer = Line::to(place.address)
        .await
        .ask(&place.plain("/v1/me", key))
        .await
        .unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(wait >= 1);
}
