//! A store beside a model of it that fits on a page: any sequence of calls on two handles, some with stale
//! versions and some after a restart, leaves both in the same state.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]

#[path = "../support/postgres.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod cluster;
mod model;

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc};

use model::{Answer, Call, Model};
use proptest::test_runner::Config;
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use refrain::{
    config::PostgresUrl,
    id::{Epoch, GrantName, Minting},
    lifecycle::GrantRow,
    store::{
        Changes, Mark, Store, Versioned, Written, postgres::PostgresStore, sqlite::SqliteStore,
    },
    time::SystemClock,
};
use tokio::runtime::Runtime;

/// More changes than there are.
const MOST: u32 = 1000;

/// Where an engine keeps one store, and how it is opened.
trait Engine {
    type Place: std::fmt::Debug;
    fn place() -> Self::Place;
    async fn open(place: &Self::Place) -> Arc<dyn Store>;
}

#[derive(Debug)]
struct Sqlite;
#[derive(Debug)]
struct Postgres;

impl Engine for Sqlite {
    type Place = tempfile::TempDir;

    fn place() -> Self::Place {
        tempfile::tempdir().unwrap()
    }

    async fn open(place: &Self::Place) -> Arc<dyn Store> {
        let path = place.path().join("refrain.db");
        let store = SqliteStore::open(&path, Arc::new(SystemClock::new())).await;
        let store = store.unwrap();
        store.prepare().await.unwrap();
        Arc::new(store)
    }
}

impl Engine for Postgres {
    type Place = (Arc<cluster::Cluster>, PostgresUrl);

    fn place() -> Self::Place {
        let cluster = cluster::Cluster::shared();
        let url = PostgresUrl::parse(&cluster.database()).unwrap();
        (cluster, url)
    }

    async fn open((_, url): &Self::Place) -> Arc<dyn Store> {
        let store = PostgresStore::open(url, &SystemClock::new(), None)
            .await
            .unwrap();
        store.prepare().await.unwrap();
        Arc::new(store)
    }
}

/// A store, opened twice.
struct Real<E: Engine> {
    runtime: Runtime,
    place: E::Place,
    handles: [Arc<dyn Store>; 2],
    /// What a reader of the feed has heard of, on each handle.
    heard: [Heard; 2],
}

type Heard = (Mark, BTreeMap<GrantName, (Epoch, Minting)>);

struct Beside<E>(PhantomData<E>);

impl<E: Engine> StateMachineTest for Beside<E> {
    type SystemUnderTest = Real<E>;
    type Reference = Model;

    fn init_test(_: &Model) -> Real<E> {
        let runtime = Runtime::new().unwrap();
        let place = E::place();
        let (one, other) =
            runtime.block_on(async { (E::open(&place).await, E::open(&place).await) });
        let begin = |store: &Arc<dyn Store>| {
            let (told, mark) = runtime.block_on(store.changes(None, MOST)).unwrap();
            assert_eq!(told, Changes::These(vec![]));
            (mark, BTreeMap::new())
        };
        let heard = [begin(&one), begin(&other)];
        Real {
            place,
            handles: [one, other],
            heard,
            runtime,
        }
    }

    fn apply(mut real: Real<E>, model: &Model, call: Call) -> Real<E> {
        let answer = real.carry_out(&call);
        assert_eq!(Some(&answer), model.answer.as_ref(), "{call:?}");
        real
    }

    fn check_invariants(real: &Real<E>, model: &Model) {
        for store in &real.handles {
            let rows = real.runtime.block_on(store.grants(None, 100)).unwrap();
            let expected: Vec<&Versioned<GrantRow>> = model.rows.values().map(|it| &it.0).collect();
            assert_eq!(rows.iter().collect::<Vec<_>>(), expected);
        }
        for (row, story) in model.rows.values() {
            let told = real.handles[0].story(&row.value.id, 1000);
            let told = real.runtime.block_on(told).unwrap();
            assert_eq!(&told, story);
        }
    }
}

impl<E: Engine> Real<E> {
    fn carry_out(&mut self, call: &Call) -> Answer {
        match call {
            Call::Insert { handle, change } => self.written(*handle, |store| store.insert(change)),
            Call::Replace {
                handle,
                seen,
                change,
            } => self.written(*handle, |store| store.replace(*seen, change)),
            Call::Reopen { handle } => {
                self.handles[*handle] = self.runtime.block_on(E::open(&self.place));
                Answer::Done
            }
            Call::Listen { handle } => self.listen(*handle),
            Call::KeepApp {
                handle,
                app,
                seen,
                state,
            } => self.written(*handle, |store| store.replace_app_state(app, *seen, state)),
        }
    }

    fn written<'a, F>(&'a self, handle: usize, call: impl FnOnce(&'a dyn Store) -> F) -> Answer
    where
        F: Future<Output = Result<Written, refrain::store::StoreError>>,
    {
        Answer::Written(
            self.runtime
                .block_on(call(self.handles[handle].as_ref()))
                .unwrap(),
        )
    }

    /// Hears what is new, until it is quiet; answers everything that it has heard of by now.
    fn listen(&mut self, handle: usize) -> Answer {
        let (mark, known) = &mut self.heard[handle];
        let (told, next) = self
            .runtime
            .block_on(self.handles[handle].changes(Some(mark), MOST))
            .unwrap();
        *mark = next;
        let Changes::These(told) = told else {
            panic!("there were fewer");
        };
        for it in told {
            let newest = known.entry(it.name).or_default();
            *newest = (it.epoch, it.minting).max(*newest);
        }
        Answer::Heard(known.clone())
    }
}

fn cases(cases: u32) -> Config {
    let asked = std::env::var("REFRAIN_REFERENCE").ok();
    let cases = asked.map_or(cases, |it| {
        it.parse().expect("REFRAIN_REFERENCE is a number")
    });
    Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    }
}

prop_state_machine! {
    #![proptest_config(cases(16))]
    #[test]
    fn sqlite_does_what_the_model_does(sequential 1..40 => Beside<Sqlite>);
}

prop_state_machine! {
    #![proptest_config(cases(8))]
    #[test]
    fn postgres_does_what_the_model_does(sequential 1..40 => Beside<Postgres>);
}
