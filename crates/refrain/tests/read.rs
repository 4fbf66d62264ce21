//! Reading a valid token takes no allocation. Counted, not timed; in a binary of its own, because the
//! counter counts for everybody.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::sync::Arc;

use refrain::{
    store::memory::MemoryStore,
    time::{Clock, SystemClock},
};
use refrain_sim::{Profile, Sim};

#[path = "support/assembled.rs"]
#[expect(unreachable_pub, reason = "shared with tests in other places")]
mod assembled;
use assembled::Owner;

#[global_allocator]
static COUNTER: dhat::Alloc = dhat::Alloc;

async fn signed_in(sim: &Sim) -> refrain::Grant {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store = Arc::new(MemoryStore::new(Arc::clone(&clock)));
    let refrain = Owner::new().process(sim, clock, store);
    assembled::login(&refrain, sim, "alice").await.unwrap()
}

#[test]
fn reading_a_valid_token_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // The simulator lives elsewhere and is silent while the tokens are read.
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let sim = elsewhere.block_on(Sim::start(Profile::default())).unwrap();
    let alice = runtime.block_on(signed_in(&sim));
    runtime.block_on(async {
        let first = alice.access_token().await.unwrap();
        // Until the feed of other processes' doings has begun, each read looks at the row.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        alice.access_token().await.unwrap();
        let _profiler = dhat::Profiler::builder().testing().build();
        let before = dhat::HeapStats::get();
        for _ in 0..10_000 {
            assert!(alice.access_token().await.unwrap().ct_eq(&first));
        }
        let after = dhat::HeapStats::get();
        assert_eq!(after.total_blocks, before.total_blocks);
    });
}
