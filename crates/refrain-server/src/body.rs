//! The bodies that cross the server: a caller's on its way in, an answer on its way out.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use refrain::middleware::AnswerBody;

use crate::{
    listen::pulse::{Pulse, Running},
    proxy::{links::Links, upstream::Lease},
};

/// Whatever can go wrong in the middle of a body.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body as it comes from the caller.
#[derive(Debug)]
pub(crate) struct Sent {
    /// What was read ahead.
    begun: Option<Bytes>,
    body: Incoming,
    pulse: Arc<Pulse>,
}

impl Sent {
    pub(crate) fn new(body: Incoming, pulse: Arc<Pulse>) -> Self {
        let begun = None;
        Self { begun, body, pulse }
    }

    /// The same body with what has been read of it in front.
    pub(crate) fn behind(mut self, begun: Bytes) -> Self {
        self.begun = Some(begun).filter(|it| !it.is_empty());
        self
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(begun) = self.begun.take() {
            return Poll::Ready(Some(Ok(Frame::data(begun))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let flow = &self.pulse.inward;
        match &polled {
            Poll::Pending => flow.waits(&self.pulse),
            Poll::Ready(Some(Ok(frame))) => {
                flow.moved(frame.data_ref().map_or(0, Bytes::len), &self.pulse);
            }
            Poll::Ready(Some(Err(_)) | None) => flow.ends(),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.begun.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let begun = self.begun.as_ref().map_or(0, |begun| begun.len() as u64);
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(begun));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(begun));
        }
        hint
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.pulse.inward.ends();
    }
}

/// An answer's body. When it is dropped the request is over, however it ended.
#[derive(Debug)]
pub(crate) struct Answer {
    content: Content,
    running: Option<Running>,
}

#[derive(Debug)]
enum Content {
    /// Of refrain's own making; `None` once it has been handed over.
    Own(Option<Bytes>),
    /// The API's, as it comes.
    Relayed(Relayed),
    /// The API's, with its links turned.
    Rewritten(Relayed, Links),
}

/// An answer of the API, and the connection it comes on.
#[derive(Debug)]
pub(crate) struct Relayed {
    body: AnswerBody<Incoming>,
    lease: Option<Lease>,
}

impl Answer {
    /// A body of refrain's own.
    pub(crate) fn own(bytes: impl Into<Bytes>) -> Self {
        Self::of(Content::Own(Some(bytes.into()).filter(|it| !it.is_empty())))
    }

    /// The API's body as it is.
    pub(crate) fn relayed(relayed: Relayed) -> Self {
        Self::of(Content::Relayed(relayed))
    }

    /// The API's body with its links turned.
    pub(crate) fn rewritten(relayed: Relayed, links: Links) -> Self {
        Self::of(Content::Rewritten(relayed, links))
    }

    fn of(content: Content) -> Self {
        let running = None;
        Self { content, running }
    }

    /// Ends the request when it goes.
    pub(crate) fn ends(&mut self, running: Running) {
        self.running = Some(running);
    }
}

impl Relayed {
    pub(crate) fn new(body: AnswerBody<Incoming>, lease: Option<Lease>) -> Self {
        let mut relayed = Self { body, lease };
        // Of a body without bytes nobody asks for the end.
        relayed.release();
        relayed
    }

    /// Gives the connection back once the body has come to its end: then it can be used again.
    fn release(&mut self) {
        if self.body.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            None => drop(self.lease.take().map(Lease::give_back)),
            Some(_) => self.release(),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = self.content.poll(context);
        if let Some(pulse) = self.running.as_ref().map(Running::pulse) {
            match &polled {
                Poll::Pending => pulse.upstream.waits(pulse),
                Poll::Ready(Some(Ok(frame))) => {
                    pulse
                        .upstream
                        .moved(frame.data_ref().map_or(0, Bytes::len), pulse);
                }
                Poll::Ready(Some(Err(_)) | None) => pulse.upstream.ends(),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own(bytes) => bytes.is_none(),
            Content::Relayed(relayed) => relayed.body.is_end_stream(),
            Content::Rewritten(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Relayed(relayed) => relayed.body.size_hint(),
            Content::Rewritten(..) => SizeHint::default(),
        }
    }
}

impl Content {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|it| Ok(Frame::data(it)))),
            Self::Relayed(relayed) => relayed.poll(context),
            Self::Rewritten(relayed, links) => loop {
                match ready!(relayed.poll(context)) {
                    Some(Ok(frame)) => {
                        // Trailers of a body that was changed say nothing about it.
                        let Ok(data) = frame.into_data() else {
                            continue;
                        };
                        let data = links.chunk(&data);
                        if !data.is_empty() {
                            return Poll::Ready(Some(Ok(Frame::data(data))));
                        }
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {
                        let rest = links.rest();
                        let rest = (!rest.is_empty()).then(|| Ok(Frame::data(rest)));
                        return Poll::Ready(rest);
                    }
                }
            },
        }
    }
}
