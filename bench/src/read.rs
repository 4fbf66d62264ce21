//! Reading a valid token in the process: what happens before every API call.

use std::{hint::black_box, sync::Arc, time::Instant};

use refrain::{
    store::memory::MemoryStore,
    time::{Clock, SystemClock},
};
use rspotify::{AuthCodeSpotify, Config, Credentials, OAuth, Token, clients::BaseClient as _};

use crate::{line, world};

const READS: u32 = 200_000;
const ROUNDS: usize = 21;

pub async fn run() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let sim = world::sim().await;
    let refrain = world::refrain(&sim, Arc::new(MemoryStore::new(clock)));
    let alice = world::login(&refrain, &sim, "alice").await;
    let token = alice.access_token().await.expect("a token");
    let rspotify = rspotify(token.expose());

    let (mut baseline, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for _ in 0..READS {
            black_box(rspotify.auth_headers().await.expect("headers"));
        }
        baseline.push(begin.elapsed());
        let begin = Instant::now();
        for _ in 0..READS {
            black_box(alice.access_token().await.expect("a token"));
        }
        ours.push(begin.elapsed());
    }
    line(
        "in-process read, beside rspotify auth_headers",
        &mut baseline,
        &mut ours,
        READS,
    );
}

/// rspotify holding the same token, good for an hour.
fn rspotify(token: &str) -> AuthCodeSpotify {
    let token = Token {
        access_token: token.to_owned(),
        expires_in: chrono::TimeDelta::hours(1),
        expires_at: Some(chrono::Utc::now() + chrono::TimeDelta::hours(1)),
        refresh_token: None,
        ..Token::default()
    };
    let (credentials, oauth) = (Credentials::default(), OAuth::default());
    AuthCodeSpotify::from_token_with_config(token, credentials, oauth, Config::default())
}
