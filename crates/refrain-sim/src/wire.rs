//! The sockets: listeners, and a stream that a fault can cut, reset or slow down.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How the answer being written is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Disturbance {
    /// Closes after this many bytes.
    pub(crate) cut_after: Option<u64>,
    /// Closes with a TCP reset.
    pub(crate) reset: bool,
    /// Waits this long before each byte.
    pub(crate) drip: Option<Duration>,
}

/// What became of an answer.
pub(crate) type OnSent = Box<dyn FnOnce(/* complete */ bool, /* bytes */ u64) + Send>;

#[derive(Default)]
struct Writing {
    disturbance: Disturbance,
    written: u64,
    at_least: u64,
    on_sent: Option<OnSent>,
}

/// The handle by which the service tells its connection how to write the next answer.
#[derive(Clone, Default)]
pub(crate) struct ConnectionHandle(Arc<Mutex<Writing>>);

// === impl ConnectionHandle ===

impl ConnectionHandle {
    /// A request has arrived: whom to tell when its answer is out, or never will be.
    pub(crate) fn arrived(&self, on_sent: Option<OnSent>) {
        *self.lock() = Writing {
            at_least: u64::MAX,
            on_sent,
            ..Writing::default()
        };
    }

    /// The answer follows: more than `body_len` bytes, to be written like this.
    pub(crate) fn answering(&self, disturbance: Disturbance, body_len: u64) {
        let mut writing = self.lock();
        writing.disturbance = disturbance;
        // An interim answer to `Expect: 100-continue` is not part of it.
        writing.written = 0;
        writing.at_least = body_len;
    }

    fn lock(&self) -> MutexGuard<'_, Writing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, complete: bool) {
        let (on_sent, written) = {
            let mut writing = self.lock();
            (writing.on_sent.take(), writing.written)
        };
        if let Some(on_sent) = on_sent {
            on_sent(complete, written);
        }
    }
}

/// A TCP stream whose writing side obeys a [`ConnectionHandle`].
pub(crate) struct FaultyStream {
    stream: TcpStream,
    handle: ConnectionHandle,
    pause: Option<Pin<Box<Sleep>>>,
    cut: bool,
}

// === impl FaultyStream ===

impl FaultyStream {
    pub(crate) fn new(stream: TcpStream, handle: ConnectionHandle) -> Self {
        Self {
            stream,
            handle,
            pause: None,
            cut: false,
        }
    }

    fn close(&mut self, reset: bool) -> io::Error {
        self.cut = true;
        if reset {
            // Failing to arrange the reset leaves an orderly end, which is a cut all the same.
            self.stream.set_zero_linger().ok();
        }
        self.handle.finish(false);
        io::Error::new(io::ErrorKind::ConnectionAborted, "cut by a scripted fault")
    }
}

impl AsyncRead for FaultyStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for FaultyStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let (
            Disturbance {
                cut_after,
                reset,
                drip,
            },
            written,
        ) = {
            let writing = this.handle.lock();
            (writing.disturbance, writing.written)
        };
        let mut allowed = buf.len();
        if let Some(limit) = cut_after {
            let left = limit.saturating_sub(written);
            if left == 0 {
                return Poll::Ready(Err(this.close(reset)));
            }
            allowed = allowed.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        if let Some(pause) = drip {
            let sleep = this
                .pause
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            std::task::ready!(sleep.as_mut().poll(cx));
            allowed = allowed.min(1);
        }
        let part = buf.get(..allowed).unwrap_or(buf);
        let count = std::task::ready!(Pin::new(&mut this.stream).poll_write(cx, part))?;
        this.pause = None;
        this.handle.lock().written += u64::try_from(count).unwrap_or_default();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // hyper flushes only when its own buffer is empty, so what was written is all there is.
        let complete = {
            let writing = this.handle.lock();
            writing.written > 0 && writing.written >= writing.at_least
        };
        if complete && !this.cut {
            this.handle.finish(true);
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.cut {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl Drop for FaultyStream {
    fn drop(&mut self) {
        self.handle.finish(false);
    }
}
