//! Hints: another node has written. Any of them may be lost.

use std::{sync::Arc, time::Duration};

use sqlx::postgres::PgListener;
use tokio::sync::watch;

use crate::store::postgres::session::Sessions;

/// What is listened to; the name of a channel is the database's.
pub(super) const CHANNEL: &str = "refrain";
/// The pause before listening is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Listens in a session of its own for as long as somebody wants to know.
pub(super) fn start(sessions: &Arc<Sessions>) -> watch::Receiver<u64> {
    let (hint, hints) = watch::channel(0_u64);
    let pool = sessions.pool().clone();
    tokio::spawn(async move {
        let listening = async {
            loop {
                // A hint is worth no noise: whoever waits polls all the same.
                if let Ok(mut listener) = PgListener::connect_with(&pool).await
                    && listener.listen(CHANNEL).await.is_ok()
                {
                    while listener.recv().await.is_ok() {
                        hint.send_modify(|count| *count = count.wrapping_add(1));
                    }
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = hint.closed() => {}
            () = listening => {}
        }
    });
    hints
}
