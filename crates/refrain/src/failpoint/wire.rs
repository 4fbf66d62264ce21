//! A request that stops half-way on the wire.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body whose sender is told when half of it has gone out, and lets it go on.
#[derive(Debug)]
pub(crate) struct Parted {
    /// The last one goes out first.
    parts: Vec<Bytes>,
    gate: Option<Gate>,
    /// Dropped with the body, which the connection does when it has written it.
    _done: oneshot::Sender<()>,
}

/// What is between the two halves.
#[derive(Debug)]
struct Gate {
    at_half: Option<oneshot::Sender<()>>,
    go_on: oneshot::Receiver<()>,
    flushed: bool,
}

/// The sender's end of a body.
#[derive(Debug)]
pub(crate) struct Written {
    /// Half of it is on the wire.
    pub(crate) half: oneshot::Receiver<()>,
    /// Lets the other half follow; dropped instead, the request is never whole.
    pub(crate) go_on: oneshot::Sender<()>,
    /// Ends when all of it is on the wire.
    pub(crate) done: oneshot::Receiver<()>,
}

impl Parted {
    /// The same body in one piece or in two.
    pub(crate) fn new(body: &Bytes, in_two: bool) -> (Self, Written) {
        let (at_half, half) = oneshot::channel();
        let (go_on, going_on) = oneshot::channel();
        let (done, all) = oneshot::channel();
        let middle = body.len() / 2;
        let parts = if in_two {
            vec![body.slice(middle..), body.slice(..middle)]
        } else {
            vec![body.clone()]
        };
        let gate = in_two.then_some(Gate {
            at_half: Some(at_half),
            go_on: going_on,
            flushed: false,
        });
        let parted = Self {
            parts,
            gate,
            _done: done,
        };
        let written = Written {
            half,
            go_on,
            done: all,
        };
        (parted, written)
    }

    /// A request with such a body.
    pub(crate) async fn of(
        request: http::Request<Full<Bytes>>,
        in_two: bool,
    ) -> (http::Request<Self>, Written) {
        use http_body_util::BodyExt as _;
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await;
        let (body, written) = Self::new(&body.to_bytes(), in_two);
        (http::Request::from_parts(head, body), written)
    }
}

impl Body for Parted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let parted = &mut *self;
        if let (1, Some(gate)) = (parted.parts.len(), &mut parted.gate) {
            if !gate.flushed {
                // The connection writes out what it has when the body is not ready.
                gate.flushed = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(at_half) = gate.at_half.take() {
                at_half.send(()).unwrap_or_default();
            }
            match Pin::new(&mut gate.go_on).poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    return Poll::Ready(Some(Err("the sender is gone".into())));
                }
            }
        }
        Poll::Ready(parted.parts.pop().map(|part| Ok(Frame::data(part))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.parts.iter().map(|part| part.len() as u64).sum())
    }
}
