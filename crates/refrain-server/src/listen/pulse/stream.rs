//! One request on a connection that is shared (HTTP/2): given up alone when it is stuck.
//!
//! hyper runs each request in a task that it hands to an executor. Ours gives the task a pulse, which what
//! happens in it finds by [`current`], and drops the task when the pulse is cut; then the stream is reset, and
//! the connection goes on.

use std::{
    pin::{Pin, pin},
    sync::{Arc, PoisonError, atomic::Ordering},
    task::{Context, Poll},
};

use hyper::rt::Executor;

use super::{Found, Phase, Pulse, Whose};

/// From so many on, those that are gone are not left to the next second: thousands may come in one.
const CROWD: usize = 256;

tokio::task_local! {
    static STREAM: Arc<Pulse>;
}

/// The pulse of the stream whose task this is.
pub(super) fn current() -> Option<Arc<Pulse>> {
    STREAM.try_with(Arc::clone).ok()
}

/// Runs the requests of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Streams(pub(crate) Arc<Pulse>);

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let stream = self.0.stream();
        let kept = unless_cut(Arc::clone(&stream), task);
        tokio::spawn(STREAM.scope(stream, kept));
    }
}

/// Carries a task out, until its stream is given up.
async fn unless_cut(stream: Arc<Pulse>, task: impl Future<Output = ()>) {
    let mut task = pin!(task);
    std::future::poll_fn(|context| poll(&stream, task.as_mut(), context)).await;
}

fn poll(
    stream: &Pulse,
    task: Pin<&mut impl Future<Output = ()>>,
    context: &mut Context<'_>,
) -> Poll<()> {
    if stream.is_cut() {
        return Poll::Ready(());
    }
    let polled = task.poll(context);
    if polled.is_pending() {
        stream.wakes(context.waker());
    }
    polled
}

impl Pulse {
    /// Whether it is that of one request among several.
    pub(crate) fn is_stream(&self) -> bool {
        self.belongs_to(Whose::Stream)
    }

    /// The pulse of a request that has come on this connection.
    pub(super) fn stream(&self) -> Arc<Self> {
        let stream = Self::new(&self.seconds);
        stream.kind.store(Whose::Stream as u8, Ordering::Relaxed);
        stream.enter(Phase::Busy);
        let stream = Arc::new(stream);
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() >= CROWD {
            streams.retain(|stream| stream.strong_count() > 0);
        }
        streams.push(Arc::downgrade(&stream));
        stream
    }

    /// A part of the answer has been handed over: more is asked for when the client takes it.
    pub(crate) fn hands_over(&self) {
        self.outward.waits(self);
        self.beside.waits(self);
    }

    /// More is asked for, so that so many bytes have been taken.
    pub(crate) fn is_taken(&self, bytes: usize) {
        self.outward.moved(bytes, self);
        self.beside.moved(bytes, self);
    }

    /// The answer is over; the request's body may be under way still.
    pub(super) fn answer_ends(&self) {
        self.outward.ends();
        self.beside.ends();
        self.upstream.ends();
        self.answer.ends();
    }

    /// Looks at the requests on this connection. While the socket takes nothing, nobody knows which of their
    /// answers the client would take.
    pub(super) fn look_at_streams(&self, now: u32, found: &mut Found) {
        let full = self.outward.is_waiting();
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| {
            let Some(stream) = stream.upgrade() else {
                return false;
            };
            if full {
                stream.outward.is_excused(now);
            }
            found.look_at(stream, now);
            true
        });
    }
}
