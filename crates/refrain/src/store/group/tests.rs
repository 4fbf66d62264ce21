//! What comes of writes that are made together when one of them, or the store, fails.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::{
    lifecycle::Change,
    store::{Version, contract::full_row},
};

/// An engine that refuses one name for good, and breaks, hangs or panics when told to.
#[derive(Default)]
struct Engine {
    calls: AtomicUsize,
    breaks_at: Option<usize>,
    hangs: AtomicBool,
    panics: AtomicBool,
}

#[async_trait]
impl Batch for Engine {
    fn place(&self) -> String {
        "the test".to_owned()
    }

    async fn write(&self, writes: &[Write]) -> Result<Vec<bool>, StoreError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let place = self.place();
        assert!(!self.panics.load(Ordering::SeqCst), "as it is to");
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.breaks_at.is_some_and(|at| call >= at) {
            let source = cause("gone");
            return Err(StoreError::Unavailable { place, source });
        }
        if writes.iter().any(|it| it.record.name == "poison") {
            let source = cause("never");
            return Err(StoreError::Damaged { place, source });
        }
        Ok(writes.iter().map(|_| true).collect())
    }
}

fn writes(names: &[&str]) -> Vec<Write> {
    let change = |name: &&str| Change {
        row: full_row(name),
        events: vec![],
        forgets: false,
    };
    names
        .iter()
        .map(|name| Write::insert(&change(name)))
        .collect()
}

fn codes(results: &[Result<Written, StoreError>]) -> Vec<&'static str> {
    let code = |result: &Result<Written, StoreError>| match result {
        Ok(Written::Durably(Version(1))) => "done",
        Ok(_) => "conflict",
        Err(error) => error.code(),
    };
    results.iter().map(code).collect()
}

#[tokio::test]
async fn one_that_can_never_be_written_fails_alone() {
    let engine = Engine::default();
    let results = write(&engine, &writes(&["alice", "poison", "bob"])).await;
    assert_eq!(codes(&results), ["done", "storage_damaged", "done"]);
}

#[tokio::test]
async fn a_store_that_goes_away_meanwhile_is_not_asked_for_each_of_the_rest() {
    let engine = Engine {
        breaks_at: Some(2),
        ..Engine::default()
    };
    let results = write(
        &engine,
        &writes(&["alice", "poison", "bob", "carol", "dave"]),
    )
    .await;
    let gone = "storage_unavailable";
    assert_eq!(codes(&results), ["done", gone, gone, gone, gone]);
    assert_eq!(engine.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn nobody_waits_for_ever_and_what_was_given_up_in_the_queue_is_not_begun() {
    let engine = Arc::new(Engine::default());
    engine.hangs.store(true, Ordering::SeqCst);
    let group = Group::start(
        Arc::clone(&engine) as Arc<dyn Batch>,
        Duration::from_millis(300),
    );
    let mut all = writes(&["alice", "bob"]).into_iter();
    let (one, two) = (all.next().unwrap(), all.next().unwrap());
    let (one, two) = tokio::join!(group.write(one), async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        group.write(two).await
    });
    assert_eq!(codes(&[one, two]), ["storage_unavailable"; 2]);
    assert_eq!(engine.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_engine_that_panics_fails_its_writes_and_no_later_ones() {
    let engine = Arc::new(Engine::default());
    engine.panics.store(true, Ordering::SeqCst);
    let group = Group::start(
        Arc::clone(&engine) as Arc<dyn Batch>,
        Duration::from_secs(10),
    );
    let mut all = writes(&["alice", "bob"]).into_iter();
    let failed = group.write(all.next().unwrap()).await.unwrap_err();
    assert!(failed.is_transient(), "its outcome is unknown: {failed}");
    engine.panics.store(false, Ordering::SeqCst);
    let written = group.write(all.next().unwrap()).await;
    assert_eq!(codes(&[written]), ["done"]);
}
