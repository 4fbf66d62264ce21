//! Group commit: writes that come while another is being made durable are made durable together.
//!
//! Making something durable takes a millisecond whether it is one row or a hundred. So one task writes,
//! and takes with it whatever has queued up meanwhile; nobody waits for company, and each write still
//! is its own compare-and-set with its own answer.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::store::{StoreError, Written, error::cause, record::Write};

/// So many writes in one transaction; the rest waits for the next.
const MOST: usize = 256;
/// What an engine does with writes that are made together.
#[async_trait]
pub(super) trait Batch: Send + Sync + 'static {
    /// What to call the store in a message.
    fn place(&self) -> String;

    /// Carries writes of one kind out, all of them new rows or none, each to its row if that still is the
    /// version that was seen, and answers for each whether it was. All are durable when it returns. With
    /// an error that is transient all or none of them are; with any other, none.
    async fn write(&self, writes: &[Write]) -> Result<Vec<bool>, StoreError>;
}

#[derive(Debug)]
struct Queued {
    write: Write,
    answer: oneshot::Sender<Result<Written, StoreError>>,
}

/// The queue in front of an engine.
#[derive(Debug)]
pub(super) struct Group {
    queue: mpsc::UnboundedSender<Queued>,
    place: String,
    patience: Duration,
}

impl Group {
    /// Starts the task that writes; it ends with the last handle.
    ///
    /// A write is waited for so long, with its time in the queue. That is real time: it measures a disk or
    /// a server that hangs, and decides nothing about any token.
    pub(super) fn start(engine: Arc<dyn Batch>, patience: Duration) -> Self {
        let (queue, queued) = mpsc::unbounded_channel();
        let place = engine.place();
        tokio::spawn(run(engine, queued));
        Self {
            queue,
            place,
            patience,
        }
    }

    /// Makes one write durable, together with others.
    ///
    /// # Cancel safety
    /// The write of a dropped future has happened, will, or will not.
    pub(super) async fn write(&self, write: Write) -> Result<Written, StoreError> {
        let (answer, answered) = oneshot::channel();
        let gone = |why| StoreError::Unavailable {
            place: self.place.clone(),
            source: cause(why),
        };
        let queued = Queued { write, answer };
        self.queue.send(queued).map_err(|_| gone("it is closed"))?;
        let answered = timeout(self.patience, answered).await;
        let answered = answered.map_err(|_| gone("writes before this one are not answered"))?;
        answered.map_err(|_| gone("it is closed"))?
    }
}

async fn run(engine: Arc<dyn Batch>, mut queued: mpsc::UnboundedReceiver<Queued>) {
    let mut batch = Vec::new();
    while queued.recv_many(&mut batch, MOST).await > 0 {
        let (new, others): (Vec<_>, Vec<_>) = batch
            .drain(..)
            .partition(|it: &Queued| it.write.seen.is_none());
        for batch in [new, others] {
            // What nobody waits for any more is not begun: whoever has given up on it has gone on.
            let wanted = batch.into_iter().filter(|it| !it.answer.is_closed());
            let (writes, answers): (Vec<_>, Vec<_>) =
                wanted.map(|it| (it.write, it.answer)).unzip();
            if writes.is_empty() {
                continue;
            }
            let (count, own) = (writes.len(), Arc::clone(&engine));
            // In a task of its own: a mistake in an engine ends these writes, and no later ones.
            let task = tokio::spawn(async move { write(own.as_ref(), &writes).await });
            let results = task.await.unwrap_or_else(|_| {
                let (place, source) = (engine.place(), cause("the write broke off"));
                vec![Err(StoreError::Unavailable { place, source }); count]
            });
            for (result, answer) in results.into_iter().zip(answers) {
                // Whoever asked may have given up; the write counts all the same.
                answer.send(result).unwrap_or_default();
            }
        }
    }
}

async fn write(engine: &dyn Batch, writes: &[Write]) -> Vec<Result<Written, StoreError>> {
    let told = |write: &Write, done: bool| Written::of(done, write.version());
    match engine.write(writes).await {
        Ok(done) => writes
            .iter()
            .zip(done)
            .map(|(write, done)| Ok(told(write, done)))
            .collect(),
        // One that can never be written must not take the others with it.
        Err(error) if !error.is_transient() && writes.len() > 1 => {
            let mut results = Vec::with_capacity(writes.len());
            let mut fault = None;
            for write in writes {
                // A store that is gone by now is not asked for each of the rest.
                if let Some(error) = &fault {
                    results.push(Err(StoreError::clone(error)));
                    continue;
                }
                let alone = engine.write(std::slice::from_ref(write)).await;
                fault = alone.as_ref().err().filter(|it| it.is_transient()).cloned();
                results.push(alone.map(|done| told(write, done.first() == Some(&true))));
            }
            results
        }
        Err(error) => writes.iter().map(|_| Err(error.clone())).collect(),
    }
}

#[cfg(test)]
mod tests;
