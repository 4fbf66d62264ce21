//! The one request that finds out whether a gate may open.

use std::sync::Arc;

use crate::limit::{Bucket, gates::Shared};

/// The right to be the one who tries. Dropped without a word (the client has gone, the connection broke),
/// it lets another request try.
#[derive(Debug)]
#[must_use = "dropped, it lets another request try"]
pub struct Probe {
    shared: Arc<Shared>,
    number: u64,
    /// The gates that it passes, and the round that each was in.
    rounds: Vec<(Bucket, u64)>,
}

impl Probe {
    pub(super) fn new(shared: &Arc<Shared>, number: u64, rounds: Vec<(Bucket, u64)>) -> Self {
        Self {
            shared: Arc::clone(shared),
            number,
            rounds,
        }
    }

    /// Its answer was no 429: the gates are gone, unless they have closed again since it set out.
    pub(super) fn passed(mut self) {
        let mut state = self.shared.state();
        for (bucket, round) in std::mem::take(&mut self.rounds) {
            if state.held.get(&bucket).is_some_and(|it| it.round == round) {
                tracing::info!(%bucket, "Spotify's Web API answers again");
                state.open(&bucket);
            }
        }
        self.shared.recount(&state);
        drop(state);
        self.shared.news.notify_one();
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        for (bucket, _) in &self.rounds {
            if let Some(held) = state.held.get_mut(bucket)
                && held.probe.is_some_and(|(number, _)| number == self.number)
            {
                held.probe = None;
            }
        }
    }
}
