//! Hints: another node has written. Any of them may be lost.

use std::{sync::Arc, time::Duration};

use sqlx::{Executor as _, PgPool, postgres::PgListener};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::store::postgres::{
    open::pool,
    session::{READ, Sessions},
};

/// What is listened to; the name of a channel is the database's.
const CHANNEL: &str = "refrain";
/// The pause before listening is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// After so much silence the server is asked whether it is still there: a connection that was cut
/// without a word says nothing for ever.
const SILENCE: Duration = Duration::from_secs(20);

/// Listens in a session of its own for as long as somebody wants to know.
pub(super) fn start(sessions: &Arc<Sessions>) -> watch::Receiver<u64> {
    let (hint, hints) = watch::channel(0_u64);
    let options = sessions.pool().connect_options();
    tokio::spawn(async move {
        loop {
            // One of its own each time: whatever a listener leaves behind hanging takes nobody's place.
            let pool = pool(1).connect_lazy_with((*options).clone());
            tokio::select! {
                () = hint.closed() => {}
                // A hint is worth no noise: whoever waits polls all the same.
                _ = listen(&pool, &hint) => {}
            }
            drop(timeout(READ, pool.close()).await);
            tokio::select! {
                () = hint.closed() => return,
                () = sleep(AGAIN) => {}
            }
        }
    });
    hints
}

/// Listens until the session ends.
async fn listen(pool: &PgPool, hint: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
    let lost = |_| sqlx::Error::PoolTimedOut;
    let mut listener = PgListener::connect_with(pool).await?;
    // A session that is found lost begins anew here, and whoever waits is woken.
    listener.eager_reconnect(false);
    timeout(READ, listener.listen(CHANNEL))
        .await
        .map_err(lost)??;
    loop {
        hint.send_modify(|count| *count = count.wrapping_add(1));
        loop {
            match timeout(SILENCE, listener.try_recv()).await {
                Ok(Ok(Some(_))) => break,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let asked = listener.execute("SELECT 1");
                    timeout(READ, asked).await.map_err(lost)??;
                }
            }
        }
    }
}
