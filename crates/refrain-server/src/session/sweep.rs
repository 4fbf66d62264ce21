//! Users who have no session any more: what is kept of them goes.
//!
//! A session ends by a logout, and then the grant goes with the last one at once. It also ends unused, or with a
//! browser that has signed somebody else in, and then nobody is there who would look.

use std::{sync::Arc, time::Duration};

use crate::server::Shared;

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(60 * 60);

/// Looks now and then, until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut stopping = shared.stopping();
    loop {
        match shared.refrain().sign_out_unreached().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "users without a session were signed out"),
            Err(error) => {
                let code = error.code();
                tracing::warn!(code, "users without a session could not be looked for");
            }
        }
        tokio::select! {
            () = shared.clock().sleep(PAUSE) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}
