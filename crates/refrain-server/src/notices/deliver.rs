//! Carrying out the deliveries to one place.

use std::sync::Arc;

use refrain::{
    notice::{
        Delivery,
        delivery::{LEASE, Settled, pause},
    },
    random,
    store::StoreError,
};
use tokio::task::JoinSet;

use super::{LOOK, Place, Tried};
use crate::{metrics::Sent, server::Shared};

/// So many are carried out at a time.
const ABREAST: u32 = 8;

pub(super) async fn run(place: Arc<Place>, shared: Arc<Shared>) {
    let mut stop = shared.stopping();
    while !shared.is_stopping() {
        match round(&place, &shared).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => {
                let code = error.code();
                tracing::debug!(code, place = %place.target, "no deliveries can be read");
            }
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = place.news.notified() => {}
            () = shared.clock().sleep(LOOK) => {}
        }
    }
}

/// Carries out some that are due; how many.
async fn round(place: &Arc<Place>, shared: &Arc<Shared>) -> Result<usize, StoreError> {
    let (store, now) = (&shared.refrain().parts().store, shared.clock().wall());
    let claimed = store.claim(&place.target.id, now, LEASE, ABREAST).await?;
    let count = claimed.len();
    let mut under_way = JoinSet::new();
    for delivery in claimed {
        let (place, shared) = (Arc::clone(place), Arc::clone(shared));
        under_way.spawn(async move {
            let tried = place.tell(&delivery, shared.clock().as_ref()).await;
            settle(&delivery, tried, &shared).await;
        });
    }
    under_way.join_all().await;
    Ok(count)
}

/// Writes down what came of a try. Where that fails the delivery is tried again when its lease is over.
async fn settle(delivery: &Delivery, tried: Tried, shared: &Shared) {
    let parts = shared.refrain().parts();
    let (store, now) = (&parts.store, parts.clock.wall());
    let (outcome, settled) = match &tried {
        Tried::Arrived(outcome) => (outcome, Settled::Delivered),
        Tried::Refused(outcome) => (outcome, Settled::GivenUp),
        Tried::Failed(outcome, asked) => {
            let [jitter] = random::bytes::<1>(parts.random.as_ref()).unwrap_or([128]);
            let pause = pause(delivery.attempts, *asked, jitter);
            let again = pause.map(|pause| Settled::Again(now.after(pause)));
            (outcome, again.unwrap_or(Settled::GivenUp))
        }
    };
    let (kind, place, message) = (delivery.kind.word(), &delivery.target, &delivery.message);
    let written = store.settle(delivery, outcome, now, settled).await;
    if let Err(error) = written {
        let code = error.code();
        tracing::warn!(code, kind, %place, %message, "what came of a delivery cannot be stored");
        return;
    }
    match settled {
        Settled::Delivered => tracing::debug!(kind, %place, %message, "delivered"),
        Settled::Again(at) => {
            tracing::info!(kind, %place, %message, outcome, again_at = %at, "not delivered yet");
        }
        Settled::GivenUp => tracing::warn!(kind, %place, %message, outcome, "given up"),
    }
    shared.metrics().sent(match settled {
        Settled::Delivered => Sent::Delivered,
        Settled::Again(_) => Sent::Failed,
        Settled::GivenUp => Sent::GivenUp,
    });
    if matches!(tried, Tried::Refused(_)) {
        let refused = store.refuse_notices(&delivery.target.id, now).await;
        let code = refused.err().map(|error| error.code());
        let what = "wants no more: nothing is sent there until the configuration is another one";
        tracing::warn!(%place, code, "{what}");
    }
}
