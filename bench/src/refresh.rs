//! Refreshes with 64 in flight, beside a bare hyper client that posts the same form and parses nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use refrain::{
    Grant,
    store::{Store, memory::MemoryStore, sqlite::SqliteStore},
    time::{Clock, SystemClock},
};
use refrain_sim::Sim;
use tokio::task::JoinSet;

use crate::{line, world};

const IN_FLIGHT: usize = 64;
const EACH: u32 = 20;
const ROUNDS: usize = 9;

pub async fn run() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    beside_bare(
        "refresh, 64 in flight, store in memory",
        Arc::new(MemoryStore::new(Arc::clone(&clock))),
    )
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("refrain.db"), clock)
        .await
        .expect("a store");
    store.prepare().await.expect("a store");
    beside_bare("refresh, 64 in flight, durable in SQLite", Arc::new(store)).await;
}

async fn beside_bare(what: &str, store: Arc<dyn Store>) {
    let sim = world::sim().await;
    let refrain = world::refrain(&sim, store);
    let mut grants = Vec::new();
    for number in 0..IN_FLIGHT {
        grants.push(world::login(&refrain, &sim, &format!("user-{number}")).await);
    }
    let (mut baseline, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        baseline.push(bare(&sim).await);
        ours.push(refreshes(&grants).await);
    }
    let count = u32::try_from(IN_FLIGHT).unwrap_or(1) * EACH;
    line(what, &mut baseline, &mut ours, count);
}

async fn refreshes(grants: &[Grant]) -> Duration {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for grant in grants.iter().cloned() {
        tasks.spawn(async move {
            for _ in 0..EACH {
                grant.refresh().await.expect("a refresh");
            }
        });
    }
    tasks.join_all().await;
    begin.elapsed()
}

async fn bare(sim: &Sim) -> Duration {
    let app = sim.default_app();
    let secret = app.client_secret.expect("confidential");
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let url = format!("{}/api/token", sim.accounts_url());
    let mut bodies = Vec::new();
    for number in 0..IN_FLIGHT {
        let seeded = sim.seed_grant(&app.client_id, "alice", "user-read-private");
        let _ = number;
        bodies.push(Bytes::from(format!(
            "grant_type=refresh_token&refresh_token={}&client_id={}&client_secret={secret}",
            seeded.refresh_token, app.client_id
        )));
    }
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for body in bodies {
        let (client, url) = (client.clone(), url.clone());
        tasks.spawn(async move {
            for _ in 0..EACH {
                let request = Request::post(&url)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(Full::new(body.clone()))
                    .expect("a request");
                let answer = client.request(request).await.expect("an answer");
                assert!(answer.status().is_success());
                answer.into_body().collect().await.expect("a body");
            }
        });
    }
    tasks.join_all().await;
    begin.elapsed()
}
