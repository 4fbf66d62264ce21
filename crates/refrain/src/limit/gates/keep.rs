//! Keeping step with the store: what it has to hear, and what it says.
//!
//! Whoever does so does one thing after the other: what was heard is never older than what was settled.

use crate::{
    limit::{
        Bucket, Gate,
        gates::{Gates, Held, State},
    },
    time::Moment,
};

/// Something that the store has to hear, with the write that it is to replace; 0 where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unkept {
    /// A gate has closed, or stays closed for longer.
    Closed(u64, Gate),
    /// It is gone.
    Gone(u64, Bucket),
}

impl Gates {
    /// Resolves when there is something that the store has to hear.
    pub(crate) async fn news(&self) {
        self.shared.news.notified().await;
    }

    /// What the store has to hear. It stays so until it is [`settled`](Self::settled), however often
    /// whoever keeps it is interrupted.
    pub(crate) fn unkept(&self) -> Vec<Unkept> {
        let now = self.shared.clock.now();
        let mut state = self.shared.state();
        state.forget(&now);
        self.shared.recount(&state);
        let gone = state.gone.iter();
        let gone = gone.map(|(bucket, kept)| Unkept::Gone(*kept, bucket.clone()));
        let closed = state.held.values().filter(|held| held.unkept);
        let closed = closed.map(|held| Unkept::Closed(held.kept, held.gate.clone()));
        gone.chain(closed).collect()
    }

    /// The store has heard it, by this write.
    pub(crate) fn settled(&self, unkept: &Unkept, write: u64) {
        let mut state = self.shared.state();
        match unkept {
            Unkept::Closed(_, gate) => match state.held.get_mut(&gate.bucket) {
                Some(held) => {
                    held.kept = write;
                    held.unkept &= held.gate != *gate;
                }
                // A probe has come back while it was written.
                None => drop(state.gone.insert(gate.bucket.clone(), write)),
            },
            Unkept::Gone(..) => state.told_gone(unkept),
        }
    }

    /// Somebody else was faster; what the store has by now is [`heard`](Self::heard) next.
    pub(crate) fn superseded(&self, unkept: &Unkept) {
        self.shared.state().told_gone(unkept);
    }

    /// Everything that the store has, each gate with its write.
    pub(crate) fn heard(&self, stored: Vec<(u64, Gate)>) {
        let now = self.shared.clock.now();
        let mut state = self.shared.state();
        let there: Vec<Bucket> = stored.iter().map(|(_, it)| it.bucket.clone()).collect();
        for (write, gate) in stored {
            state.heard(write, gate, &now);
        }
        state.held.retain(|bucket, held| {
            if held.kept > 0 && !there.contains(bucket) {
                // Somebody has come through elsewhere; what has closed here since is still to be told.
                held.kept = 0;
                return held.unkept;
            }
            true
        });
        self.shared.recount(&state);
    }
}

impl State {
    fn heard(&mut self, write: u64, gate: Gate, now: &Moment) {
        let bucket = gate.bucket.clone();
        match self.gone.get(&bucket) {
            // Still to be told that it is gone.
            Some(gone) if *gone == write => return,
            _ => drop(self.gone.remove(&bucket)),
        }
        if gate.is_forgotten(now) && !self.held.contains_key(&bucket) {
            self.gone.insert(bucket, write);
            return;
        }
        let gate = gate.rebased(now);
        let Some(held) = self.held.get_mut(&bucket) else {
            let kept = write;
            self.held.insert(
                bucket,
                Held {
                    kept,
                    ..Held::new(gate)
                },
            );
            return;
        };
        if held.kept == write {
            return;
        }
        held.kept = write;
        let both = held.gate.and(&gate, now);
        if gate.remaining(now) >= held.gate.remaining(now) {
            held.unkept = false;
            if both != held.gate {
                held.close_again(both);
            }
        } else {
            held.gate = both;
            held.unkept = true;
        }
    }

    /// The store has heard that a gate is gone, or has another by now.
    fn told_gone(&mut self, unkept: &Unkept) {
        if let Unkept::Gone(kept, bucket) = unkept
            && self.gone.get(bucket) == Some(kept)
        {
            self.gone.remove(bucket);
        }
    }

    /// A gate is gone, and the store has to hear of it.
    pub(super) fn open(&mut self, bucket: &Bucket) {
        if let Some(held) = self.held.remove(bucket)
            && held.kept > 0
        {
            self.gone.insert(bucket.clone(), held.kept);
        }
    }

    /// Lets go of gates that ended long ago and that nobody has come to.
    fn forget(&mut self, now: &Moment) {
        let forgotten = self.held.values().filter(|it| it.gate.is_forgotten(now));
        let forgotten: Vec<_> = forgotten.map(|it| it.gate.bucket.clone()).collect();
        for bucket in forgotten {
            self.open(&bucket);
        }
    }
}
