//! A simulator and a refrain that is signed in at it.

use std::sync::Arc;

use refrain::{
    Refrain,
    store::Store,
    time::{Clock, SystemClock},
};
use refrain_sim::{Profile, Rotation, Sim};

#[path = "../../crates/refrain/tests/support/assembled.rs"]
mod assembled;
use assembled::Owner;

pub async fn sim() -> Sim {
    let profile = Profile {
        record_api: false,
        ..Profile::rotating(Rotation::Omit)
    };
    Sim::start(profile).await.expect("a free port")
}

pub fn refrain(sim: &Sim, store: Arc<dyn Store>) -> Refrain {
    refrain_on(sim, Arc::new(SystemClock::new()), store)
}

pub fn refrain_on(sim: &Sim, clock: Arc<dyn Clock>, store: Arc<dyn Store>) -> Refrain {
    Owner::new().process(sim, clock, store)
}

pub async fn login(refrain: &Refrain, sim: &Sim, name: &str) -> refrain::Grant {
    assembled::login(refrain, sim, name).await.expect("a login")
}
