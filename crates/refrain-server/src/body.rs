//! The bodies that cross the server: a caller's on its way in, an answer on its way out.

mod pieces;
pub(crate) mod whole;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use refrain::middleware::AnswerBody;

use self::pieces::Pieces;
use crate::{
    listen::pulse::{Pulse, Running},
    proxy::{links::Links, upstream::Lease},
};

/// Whatever can go wrong in the middle of a body.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body as it comes from the caller, without trailers: nobody has looked at what is in those, and
/// with HTTP/1.1 they would not get far.
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
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(begun) = self.begun.take() {
            return Poll::Ready(Some(Ok(Frame::data(begun))));
        }
        if self.pulse.is_stream() && self.pulse.is_cut() {
            let error = io::Error::from(io::ErrorKind::TimedOut);
            return Poll::Ready(Some(Err(error.into())));
        }
        let mut polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(&polled, Poll::Ready(Some(Ok(frame))) if frame.is_trailers()) {
            polled = Poll::Ready(None);
        }
        let flow = &self.pulse.inward;
        match &polled {
            Poll::Pending => {
                flow.waits(&self.pulse);
                if self.pulse.is_stream() {
                    // Its request may have been answered, so that its task is gone.
                    self.pulse.wakes(context.waker());
                }
            }
            Poll::Ready(Some(Ok(frame))) => {
                flow.moved(frame.data_ref().map_or(0, Bytes::len), &self.pulse);
            }
            Poll::Ready(Some(Err(_)) | None) => flow.ends(),
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.begun.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let begun = self.begun.as_ref().map_or(0, Bytes::len);
        behind(begun, &self.body.size_hint())
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.pulse.inward.ends();
    }
}

/// How long a body is that has so much in front.
fn behind(begun: usize, rest: &SizeHint) -> SizeHint {
    let begun = begun as u64;
    let mut hint = SizeHint::new();
    hint.set_lower(rest.lower().saturating_add(begun));
    if let Some(upper) = rest.upper() {
        hint.set_upper(upper.saturating_add(begun));
    }
    hint
}

/// An answer's body. When it is dropped the request is over, however it ended.
#[derive(Debug)]
pub(crate) struct Answer {
    content: Content,
    running: Option<Running>,
    pieces: Pieces,
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
        Self {
            content,
            running: None,
            pieces: Pieces::default(),
        }
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

    /// Trailers stay behind: their names have not been looked at, and HTTP/1.1 would drop them.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            match &frame {
                None => drop(self.lease.take().map(Lease::give_back)),
                Some(_) => self.release(),
            }
            if !matches!(&frame, Some(Ok(frame)) if frame.is_trailers()) {
                return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
            }
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self {
            content,
            running,
            pieces,
        } = &mut *self;
        match running.as_ref().map(Running::pulse) {
            None => content.poll(context),
            Some(pulse) if pulse.is_stream() => pieces.next(pulse, || content.next(pulse, context)),
            Some(pulse) => content.next(pulse, context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.left() == 0 && self.content.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own(bytes) => {
                let own = bytes.as_ref().map_or(0, Bytes::len);
                behind(self.pieces.left(), &SizeHint::with_exact(own as u64))
            }
            Content::Relayed(relayed) => behind(self.pieces.left(), &relayed.body.size_hint()),
            Content::Rewritten(..) => SizeHint::default(),
        }
    }
}

impl Content {
    /// The next frame, and a note of who kept whom waiting.
    fn next(
        &mut self,
        pulse: &Pulse,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = self.poll(context);
        match &polled {
            Poll::Pending => pulse.upstream.waits(pulse),
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                pulse.upstream.moved(bytes, pulse);
            }
            Poll::Ready(Some(Err(_)) | None) => pulse.upstream.ends(),
        }
        polled
    }

    fn is_end(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Relayed(relayed) => relayed.body.is_end_stream(),
            Self::Rewritten(..) => false,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|it| Ok(Frame::data(it)))),
            Self::Relayed(relayed) => relayed.poll(context),
            Self::Rewritten(relayed, links) => loop {
                match ready!(relayed.poll(context)) {
                    Some(Ok(frame)) => {
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
