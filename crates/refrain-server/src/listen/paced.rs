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
}

impl<S> Paced<S> {
    pub(crate) fn new(socket: S, pulse: Arc<Pulse>) -> Self {
        Self { socket, pulse }
    }

    /// What a poll comes to: whoever is left waiting is woken when the connection is given up.
    fn unless_cut<T>(
        &self,
        polled: Poll<io::Result<T>>,
        context: &Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_pending() {
            self.pulse.wakes(context.waker());
            if self.pulse.is_cut() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
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
            Poll::Ready(Ok(bytes)) => self.pulse.outward.moved(*bytes),
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
        if into.filled().len() > before {
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
        self.unless_cut(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
