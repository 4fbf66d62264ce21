//! A socket that notes in its connection's pulse what moves, and ends when the connection is given up.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listen::pulse::Pulse;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Paced<S> {
    socket: S,
    pulse: Arc<Pulse>,
    /// Whether what comes between two requests is the head of the next. With HTTP/2 it may be anything: a
    /// window that opens, a ping.
    heads: bool,
}

impl<S> Paced<S> {
    pub(crate) fn new(socket: S, pulse: Arc<Pulse>, heads: bool) -> Self {
        Self {
            socket,
            pulse,
            heads,
        }
    }

    /// What a poll comes to: whoever is left waiting is woken when the connection is given up, and then
    /// nothing goes on, not even what could. Else a connection would stay that does nothing but flush.
    fn unless_cut<T>(
        &self,
        polled: Poll<io::Result<T>>,
        context: &Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_pending() {
            self.pulse.wakes(context.waker());
        }
        if self.pulse.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }

    fn written(
        &self,
        polled: Poll<io::Result<usize>>,
        context: &Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Pending => self.pulse.outward.waits(&self.pulse),
            Poll::Ready(Ok(bytes)) => self.pulse.outward.moved(*bytes, &self.pulse),
            Poll::Ready(Err(_)) => {}
        }
        self.unless_cut(polled, context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(context, into);
        if self.heads && into.filled().len() > before {
            self.pulse.bytes_come();
        }
        self.unless_cut(polled, context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.written(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(context, bytes);
        self.written(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_flush(context);
        match &polled {
            // What TLS has sealed and the client does not take waits here.
            Poll::Pending => self.pulse.outward.waits(&self.pulse),
            // The client has taken all that there was.
            Poll::Ready(_) => self.pulse.outward.ends(),
        }
        self.unless_cut(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_shutdown(context);
        if polled.is_pending() {
            // With TLS, the last word waits for the client as every other.
            self.pulse.outward.waits(&self.pulse);
        }
        self.unless_cut(polled, context)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::listen::pulse::Sweep;

    /// The other end takes nothing, not even leave.
    struct Deaf;

    impl AsyncRead for Deaf {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Deaf {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[test]
    fn whoever_does_not_take_the_last_word_is_left_without_it() {
        let sweep = Sweep::new();
        let mut paced = Paced::new(Deaf, sweep.pulse(), true);
        drop(paced.pulse.begin());
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..10 {
            assert!(
                Pin::new(&mut paced)
                    .poll_shutdown(&mut context)
                    .is_pending()
            );
            sweep.tick();
        }
        let polled = Pin::new(&mut paced).poll_shutdown(&mut context);
        assert!(matches!(polled, Poll::Ready(Err(_))));
    }

    #[test]
    fn a_connection_that_is_given_up_does_not_even_flush() {
        let sweep = Sweep::new();
        let mut paced = Paced::new(Deaf, sweep.pulse(), true);
        let _running = paced.pulse.begin();
        paced.pulse.inward.waits(&paced.pulse);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..10 {
            let polled = Pin::new(&mut paced).poll_flush(&mut context);
            assert!(matches!(polled, Poll::Ready(Ok(()))));
            sweep.tick();
        }
        let polled = Pin::new(&mut paced).poll_flush(&mut context);
        assert!(matches!(polled, Poll::Ready(Err(_))));
    }

    /// Whether a connection that hears something every second between two requests is cut after ten.
    fn is_cut_by_bytes(heads: bool) -> bool {
        let sweep = Sweep::new();
        let mut paced = Paced::new(&b"a ping, or a head that drips"[..], sweep.pulse(), heads);
        drop(paced.pulse.begin());
        let mut context = Context::from_waker(Waker::noop());
        (0..12).any(|_| {
            let mut bytes = [0; 1];
            let mut into = ReadBuf::new(&mut bytes);
            let polled = Pin::new(&mut paced).poll_read(&mut context, &mut into);
            assert_eq!(into.filled().len(), 1);
            sweep.tick();
            matches!(polled, Poll::Ready(Err(_)))
        })
    }

    #[test]
    fn what_comes_on_an_idle_connection_is_a_head_with_http_1_alone() {
        assert!(is_cut_by_bytes(true));
        assert!(!is_cut_by_bytes(false));
    }
}
