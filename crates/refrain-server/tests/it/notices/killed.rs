//! A server that dies over a delivery, between taking it and writing down what came of it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use refrain::{
    config,
    notice::delivery::LEASE,
    store::{Store, StoreError},
};
use refrain_sim::Profile;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{looked, manager, outcome, settings, test, told};
use crate::{
    between::{Between, Call, Watched},
    receiver::{Heard, Receiver},
    world::World,
};

/// A store that does not get to write down what came of a delivery, for as long as it is on.
#[derive(Debug, Clone, Default)]
struct Stuck(Arc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    on: AtomicBool,
    reached: Notify,
}

#[async_trait]
impl Between for Stuck {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        if call == Call::Settle && self.0.on.load(Ordering::SeqCst) {
            self.0.reached.notify_one();
            return std::future::pending().await;
        }
        Ok(())
    }
}

/// The next server hears nothing of it before the lease is over, and then delivers the same once more.
async fn delivered_again(
    world: &mut World,
    receiver: &mut Receiver,
    settings: &config::Notices,
    first: &Heard,
) {
    world.serve_again(settings).await;
    world.pass(LEASE / 2);
    looked(world).await;
    assert!(receiver.rest().is_empty(), "somebody may be at it");
    let again = world.in_time(receiver.next()).await;
    assert_eq!((again.id(), &again.body), (first.id(), &first.body));
    let key = manager(world).await;
    let notices = told(world, &key, |it| outcome(it).is_some()).await;
    let [notice] = notices.as_slice() else {
        panic!("{notices:?}");
    };
    assert_eq!(
        (&notice["id"], &notice["attempts"], &notice["outcome"]),
        (&json!(first.id()), &json!(2), &json!("http 204"))
    );
    assert_eq!(notice["given_up_at"], Value::Null);
    world.pass(LEASE * 2);
    looked(world).await;
    assert!(receiver.rest().is_empty(), "now that is written down");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_while_the_receiver_has_not_answered_loses_nothing() {
    let mut receiver = Receiver::new([None]).await;
    let settings = settings([&receiver]);
    let mut world = World::telling(&settings).await;
    let key = manager(&world).await;
    let id = test(&world, &key).await;
    let first = world.in_time(receiver.next()).await;
    assert_eq!(first.id(), id);
    world.kill().await;
    delivered_again(&mut world, &mut receiver, &settings, &first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_when_it_has_arrived_and_nobody_has_noted_it_says_it_twice_by_one_name() {
    let mut receiver = Receiver::new([]).await;
    let settings = settings([&receiver]);
    let stuck = Stuck::default();
    let between = stuck.clone();
    let watched = |inner| Arc::new(Watched { inner, between }) as Arc<dyn Store>;
    let mut world = World::behind(Profile::default(), watched).await;
    world.stop().await;
    world.serve_again(&settings).await;
    // The first look: alice was there before.
    looked(&world).await;
    stuck.0.on.store(true, Ordering::SeqCst);
    world.sign_in("bob").await;
    let first = world.in_time(receiver.next()).await;
    assert_eq!(first.kind(), "grant.connected");
    world.in_time(stuck.0.reached.notified()).await;
    world.kill().await;
    stuck.0.on.store(false, Ordering::SeqCst);
    delivered_again(&mut world, &mut receiver, &settings, &first).await;
}
