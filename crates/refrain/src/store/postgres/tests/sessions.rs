//! Sessions that die, hang or are given up: what it costs, and that each of their places comes free.

use std::time::Instant;

use sqlx::Executor as _;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::*;
use crate::{id::GrantName, store::postgres::session::Effect};

fn alice() -> GrantName {
    "alice".parse().unwrap()
}

/// How long something takes.
#[expect(clippy::disallowed_methods, reason = "what is measured is real")]
async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let done = work.await;
    (done, begun.elapsed())
}

/// So many outages; more of them where somebody asks for it.
fn outages() -> u32 {
    let wanted = std::env::var("REFRAIN_OUTAGES").ok();
    wanted.map_or(2, |wanted| wanted.parse().unwrap())
}

async fn query(store: &PostgresStore, query: &'static str) -> Result<(), StoreError> {
    ask!(store, |c| c.execute(query)).await.map(drop)
}

/// All places are free: six may work at the same time, and none has to wait for another.
async fn assert_all_free(store: &Arc<PostgresStore>) {
    let mut all = JoinSet::new();
    for _ in 0..6 {
        let store = Arc::clone(store);
        all.spawn(async move { query(&store, "SELECT pg_sleep(0.4)").await.unwrap() });
    }
    let (_, took) = timed(all.join_all()).await;
    assert!(
        took < Duration::from_millis(780),
        "they waited for one another: {took:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_anew_costs_a_read_nothing() {
    let cluster = Cluster::start();
    let store = Arc::new(open(&cluster.database()).await);
    store.insert(&change("alice")).await.unwrap();
    for mode in ["fast", "immediate"] {
        // As many sessions as there may be, all of them idle and about to die.
        assert_all_free(&store).await;
        cluster.stop(mode);
        let (read, waited) = timed(store.grant(&alice())).await;
        assert_eq!(read.unwrap_err().code(), "storage_unavailable");
        assert!(waited < Duration::from_millis(2300), "{waited:?}");
        cluster.resume();
        assert!(store.grant(&alice()).await.unwrap().is_some());
    }
    assert_all_free(&store).await;
    cluster.end_sessions();
    assert!(store.grant(&alice()).await.unwrap().is_some());
    // A write is not done again: whoever asked for it reads back. On a busy machine the end of its session may
    // have been noticed before it.
    for number in 0..20 {
        let bob = change(&format!("bob-{number}"));
        cluster.end_sessions();
        if let Err(error) = store.insert(&bob).await {
            assert_eq!(error.code(), "storage_unavailable");
            store.insert(&bob).await.unwrap();
            return;
        }
    }
    panic!("no write has met a session that was gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_keeps_nobody_and_is_used_again_at_once() {
    let cluster = Cluster::start();
    let store = Arc::new(open(&cluster.database()).await);
    store.insert(&change("alice")).await.unwrap();
    for _ in 0..outages() {
        assert_all_free(&store).await;
        cluster.hang();
        let mut all = JoinSet::new();
        for number in 0..40 {
            let store = Arc::clone(&store);
            all.spawn(timed(async move {
                if number % 2 == 0 {
                    let error = store.grant(&alice()).await.unwrap_err();
                    return (error, Duration::from_secs(2));
                }
                sleep(Duration::from_millis(20 * number)).await;
                let error = store
                    .insert(&change(&format!("new-{number}")))
                    .await
                    .unwrap_err();
                (
                    error,
                    Duration::from_secs(6) + Duration::from_millis(20 * number),
                )
            }));
        }
        while let Some(ended) = all.join_next().await {
            let ((error, most), took) = ended.unwrap();
            assert_eq!(error.code(), "storage_unavailable");
            assert!(took < most + Duration::from_millis(400), "{took:?}");
        }
        cluster.go_on();
        let (read, took) = timed(store.grant(&alice())).await;
        assert!(read.unwrap().is_some());
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert_all_free(&store).await;
    }
}

/// A way to a cluster that can be cut without a word: connections stay, and nothing comes through.
struct Wire {
    address: std::net::SocketAddr,
    open: Arc<watch::Sender<bool>>,
}

impl Wire {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(watch::channel(true).0);
        let state = open.subscribe();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut state = state.clone();
                tokio::spawn(async move {
                    state.wait_for(|open| *open).await.unwrap();
                    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => return,
                        _ = state.wait_for(|open| !*open) => {}
                    }
                    // As through a router that has forgotten it: never again a byte, nor an end.
                    std::future::pending::<()>().await;
                });
            }
        });
        Self { address, open }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_cut_without_a_word_take_up_no_place() {
    let cluster = Cluster::start_on_tcp(&[]);
    let wire = Wire::to(cluster.port()).await;
    let through = cluster.tcp_url("refrain", "postgres");
    let through = through.replace(
        &format!("127.0.0.1:{}", cluster.port()),
        &wire.address.to_string(),
    );
    let store = Arc::new(open(&through).await);
    for _ in 0..outages() {
        assert_all_free(&store).await;
        wire.open.send_replace(false);
        let mut all = JoinSet::new();
        for _ in 0..12 {
            let store = Arc::clone(&store);
            all.spawn(timed(async move { query(&store, "SELECT 1").await }));
        }
        while let Some(ended) = all.join_next().await {
            let (done, took) = ended.unwrap();
            assert_eq!(done.unwrap_err().code(), "storage_unavailable");
            assert!(took < Duration::from_millis(2300), "{took:?}");
        }
        wire.open.send_replace(true);
        assert_all_free(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_deaths_and_callers_who_give_up_leave_no_place_taken() {
    let cluster = Cluster::start();
    let address = cluster.database();
    let store = Arc::new(open(&address).await);
    store.insert(&change("alice")).await.unwrap();
    let mut number = 0;
    for _ in 0..100 {
        let mut all = JoinSet::new();
        for _ in 0..8 {
            number += 1;
            let (name, one, two) = (
                format!("grant-{number}"),
                Arc::clone(&store),
                Arc::clone(&store),
            );
            all.spawn(async move { query(&one, "SELECT pg_sleep(0.02)").await });
            all.spawn(async move {
                let change = change(&name);
                let given_up = timeout(Duration::from_micros(700), two.insert(&change)).await;
                given_up.map_or(Ok(()), |done| done.map(drop))
            });
        }
        cluster.end_sessions();
        // Of those that are dropped nobody hears; their sessions are in the middle of an answer.
        drop(all.join_next().await.unwrap().unwrap());
        drop(all);
    }
    assert!(store.grant(&alice()).await.unwrap().is_some());
    assert_all_free(&store).await;
    // Six, one that listens, and nobody whom we have forgotten.
    assert!(cluster.sessions(database(&address)) <= 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_ends_at_the_server_too() {
    let cluster = Cluster::start();
    let address = cluster.database();
    let store = Arc::new(open(&address).await);
    store.insert(&change("alice")).await.unwrap();
    let database = database(&address).to_owned();
    let lock = "BEGIN; LOCK TABLE refrain.grants; SELECT pg_sleep(11)";
    let ((), waiting) = std::thread::scope(|scope| {
        scope.spawn(|| cluster.sql(&database, lock));
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                sleep(Duration::from_millis(500)).await;
                for _ in 0..4 {
                    let (read, took) = timed(store.grant(&alice())).await;
                    assert_eq!(read.unwrap_err().code(), "storage_unavailable");
                    assert!(took < Duration::from_millis(2300), "{took:?}");
                }
                ((), cluster.sessions(&database))
            })
        })
    });
    assert!(waiting <= 6, "{waiting} sessions wait for a lock");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_dropped_leaves_no_session() {
    let cluster = Cluster::start();
    let address = cluster.database();
    let store = Arc::new(open(&address).await);
    assert_all_free(&store).await;
    assert!(cluster.sessions(database(&address)) >= 6);
    drop(store);
    let gone = async {
        while cluster.sessions(database(&address)) > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.unwrap();
}

#[tokio::test]
async fn a_write_is_not_done_twice_and_a_read_may_be() {
    let cluster = Cluster::shared();
    let store = Arc::new(open(&cluster.database()).await);
    for (effect, times) in [(Effect::None, 2), (Effect::Some, 1)] {
        let done = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = Arc::clone(&done);
        let work = store.sessions.run(
            Duration::from_secs(5),
            effect,
            Box::new(move |connection| {
                counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                Box::pin(connection.execute("SELECT pg_terminate_backend(pg_backend_pid())"))
            }),
        );
        assert_eq!(work.await.unwrap_err().code(), "storage_unavailable");
        assert_eq!(done.load(std::sync::atomic::Ordering::SeqCst), times);
    }
}
