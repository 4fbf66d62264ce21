//! Group commit: writes that come while another is being made durable are made durable together.
//!
//! Making something durable takes a millisecond whether it is one row or a hundred. So one task writes,
//! and takes with it whatever has queued up meanwhile; nobody waits for company, and each write still
//! is its own compare-and-set with its own answer.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::store::{StoreError, Written, error::cause, record::Write};

/// So many writes in one transaction; the rest waits for the next.
const MOST: usize = 256;

/// What an engine does with writes that are made together.
#[async_trait]
pub(super) trait Batch: Send + Sync + 'static {
    /// What to call the store in a message.
    fn place(&self) -> String;

    /// Carries the writes out, each to its row if that still is the version that was seen, and answers
    /// for each whether it was. All are durable when it returns; with an error, none or any are.
    async fn write(&self, writes: &[Write]) -> Result<Vec<bool>, StoreError>;
}

struct Queued {
    write: Write,
    answer: oneshot::Sender<Result<Written, StoreError>>,
}

/// The queue in front of an engine.
#[derive(Debug)]
pub(super) struct Group {
    queue: mpsc::UnboundedSender<Queued>,
    place: String,
}

impl Group {
    /// Starts the task that writes; it ends with the last handle.
    pub(super) fn start(engine: Arc<dyn Batch>) -> Self {
        let (queue, queued) = mpsc::unbounded_channel();
        let place = engine.place();
        tokio::spawn(run(engine, queued));
        Self { queue, place }
    }

    /// Makes one write durable, together with others.
    ///
    /// # Cancel safety
    /// A dropped future leaves the write in the queue: it has happened or it has not.
    pub(super) async fn write(&self, write: Write) -> Result<Written, StoreError> {
        let (answer, answered) = oneshot::channel();
        let gone = || StoreError::Unavailable {
            place: self.place.clone(),
            source: cause("it is closed"),
        };
        let queued = Queued { write, answer };
        self.queue.send(queued).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

async fn run(engine: Arc<dyn Batch>, mut queued: mpsc::UnboundedReceiver<Queued>) {
    let mut batch = Vec::new();
    while queued.recv_many(&mut batch, MOST).await > 0 {
        let (writes, answers): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|it| (it.write, it.answer)).unzip();
        let results = write(engine.as_ref(), &writes).await;
        for (result, answer) in results.into_iter().zip(answers) {
            // Whoever asked may have given up; the write counts all the same.
            answer.send(result).unwrap_or_default();
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
            for write in writes {
                let alone = engine.write(std::slice::from_ref(write)).await;
                results.push(alone.map(|done| told(write, done.first() == Some(&true))));
            }
            results
        }
        Err(error) => writes.iter().map(|_| Err(error.clone())).collect(),
    }
}
