//! The body of an answer, of which the beginning may have been read.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};

/// The body of an answer: what was read of it on its way, and the rest as it comes. One of refrain's own
/// has no rest.
#[derive(Debug)]
pub struct AnswerBody<B: Body> {
    begun: Bytes,
    /// What reading it came to, where it failed.
    broke: Option<B::Error>,
    rest: Option<B>,
}

impl<B: Body<Data = Bytes> + Unpin> AnswerBody<B> {
    /// A body of which nothing was read.
    pub(super) fn untouched(body: B) -> Self {
        Self {
            begun: Bytes::new(),
            broke: None,
            rest: Some(body),
        }
    }

    /// A body that refrain has written.
    #[cfg(any(feature = "reqwest", feature = "tower"))]
    pub(super) fn own(text: String) -> Self {
        Self {
            begun: Bytes::from(text),
            broke: None,
            rest: None,
        }
    }

    /// Reads the beginning of a body: so many bytes or a little more, or what has come before patience ends.
    pub(super) async fn begin(
        mut body: B,
        enough: usize,
        patience: impl Future<Output = ()>,
    ) -> Self {
        let mut begun = BytesMut::new();
        let mut broke = None;
        let read = async {
            while begun.len() < enough {
                match body.frame().await {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            begun.extend_from_slice(&data);
                        }
                    }
                    Some(Err(error)) => {
                        broke = Some(error);
                        break;
                    }
                    None => break,
                }
            }
        };
        tokio::select! {
            biased;
            () = read => {}
            () = patience => {}
        }
        Self {
            begun: begun.freeze(),
            rest: broke.is_none().then_some(body),
            broke,
        }
    }

    /// What was read of it.
    pub(super) fn begun(&self) -> &[u8] {
        &self.begun
    }
}

// Nothing in it is pinned in place: the rest is moved like everything else.
impl<B: Body + Unpin> Unpin for AnswerBody<B> {}

impl<B: Body<Data = Bytes> + Unpin> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if !self.begun.is_empty() {
            let begun = std::mem::take(&mut self.begun);
            return Poll::Ready(Some(Ok(Frame::data(begun))));
        }
        if let Some(error) = self.broke.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        let over = self.rest.as_ref().is_none_or(Body::is_end_stream);
        self.begun.is_empty() && self.broke.is_none() && over
    }

    fn size_hint(&self) -> SizeHint {
        let begun = u64::try_from(self.begun.len()).unwrap_or(u64::MAX);
        if self.broke.is_some() {
            let mut hint = SizeHint::new();
            hint.set_lower(begun);
            return hint;
        }
        let mut hint = self
            .rest
            .as_ref()
            .map_or(SizeHint::with_exact(0), Body::size_hint);
        let upper = hint.upper().map(|upper| upper.saturating_add(begun));
        // The upper bound first: the lower one may not exceed it.
        if let Some(upper) = upper {
            hint.set_upper(upper);
        }
        hint.set_lower(hint.lower().saturating_add(begun));
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        future::{pending, ready},
        io,
    };

    use super::*;

    /// Comes in parts.
    #[derive(Debug)]
    struct Parts(VecDeque<Result<&'static str, io::Error>>);

    impl Body for Parts {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            let next = self.0.pop_front();
            Poll::Ready(next.map(|it| it.map(|text| Frame::data(Bytes::from(text)))))
        }
    }

    fn parts(texts: &[&'static str]) -> Parts {
        Parts(texts.iter().map(|text| Ok(*text)).collect())
    }

    #[tokio::test]
    async fn what_was_read_comes_first_and_nothing_is_lost() {
        let body = AnswerBody::begin(parts(&["ab", "cd", "ef"]), 3, pending()).await;
        assert_eq!(body.begun(), b"abcd");
        assert_eq!(body.size_hint().lower(), 4);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abcdef");
        let short = AnswerBody::begin(parts(&["ab"]), 3, pending()).await;
        assert_eq!(short.collect().await.unwrap().to_bytes(), "ab");
    }

    #[tokio::test]
    async fn a_body_that_broke_while_it_was_begun_does_not_end_as_if_it_were_whole() {
        let broken = Parts([Ok("ab"), Err(io::ErrorKind::ConnectionReset.into())].into());
        let mut body = AnswerBody::begin(broken, 100, pending()).await;
        assert!(!body.is_end_stream());
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
    }

    /// Comes to nothing more after its beginning.
    #[derive(Debug)]
    struct Stuck(Option<&'static str>);

    impl Body for Stuck {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            match self.0.take() {
                Some(text) => Poll::Ready(Some(Ok(Frame::data(Bytes::from(text))))),
                None => Poll::Pending,
            }
        }
    }

    #[tokio::test]
    async fn a_body_that_stalls_is_passed_on_as_far_as_it_came() {
        let mut body = AnswerBody::begin(Stuck(Some("ab")), 100, ready(())).await;
        assert_eq!(body.begun(), b"ab");
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "ab");
        assert!(!body.is_end_stream(), "the rest may come");
    }

    #[cfg(any(feature = "reqwest", feature = "tower"))]
    #[test]
    fn a_body_of_refrains_own_tells_its_length() {
        let body = AnswerBody::<Parts>::own("1234".to_owned());
        assert_eq!(body.size_hint().exact(), Some(4));
    }
}
