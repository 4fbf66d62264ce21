//! The last instant at which a request may begin.
//!
//! A process can be stopped between its decision to present a token and the first byte of it, and go on
//! when another has presented the same token. Asked here, as late as a program can ask, that is left to a
//! stop between the reading of a clock and the system call after it. It stands above TLS: a record that is
//! made and finds the socket full is not asked about again.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};

use crate::time::{Clock, Uptime};

const WHENEVER: i64 = i64::MAX;

/// By when the next request of a connection must begin.
#[derive(Debug)]
pub(super) struct Begin {
    clock: Arc<dyn Clock>,
    /// By the machine's uptime, in milliseconds; [`WHENEVER`] once it has begun.
    by: AtomicI64,
    refused: AtomicBool,
}

impl Begin {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let (by, refused) = (AtomicI64::new(WHENEVER), AtomicBool::new(false));
        Arc::new(Self { clock, by, refused })
    }

    /// Lets the next request begin until then, and no later.
    pub(super) fn by(&self, last: Uptime) {
        self.by.store(last.0, Ordering::Release);
    }

    /// Whether a request came too late, so that no byte of it was written.
    pub(super) fn refused(&self) -> bool {
        self.refused.load(Ordering::Acquire)
    }

    fn in_time(&self) -> io::Result<()> {
        let by = self.by.load(Ordering::Acquire);
        if by == WHENEVER || self.clock.uptime().0 <= by {
            return Ok(());
        }
        self.refused.store(true, Ordering::Release);
        Err(io::Error::from(io::ErrorKind::TimedOut))
    }

    fn wrote(&self, bytes: usize) {
        if bytes > 0 {
            self.by.store(WHENEVER, Ordering::Release);
        }
    }
}

/// A connection that asks before the first byte of each request.
pub(super) struct Timely<I> {
    io: I,
    begin: Arc<Begin>,
}

impl<I> Timely<I> {
    pub(super) fn new(io: I, begin: Arc<Begin>) -> Self {
        Self { io, begin }
    }
}

impl<I: Read + Unpin> Read for Timely<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<I: Write + Unpin> Write for Timely<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.begin.in_time()?;
        let bytes = ready!(Pin::new(&mut self.io).poll_write(context, buffer))?;
        self.begin.wrote(bytes);
        Poll::Ready(Ok(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.begin.in_time()?;
        let bytes = ready!(Pin::new(&mut self.io).poll_write_vectored(context, buffers))?;
        self.begin.wrote(bytes);
        Poll::Ready(Ok(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::time::{ManualClock, UnixMillis};

    /// Takes bytes once it is ready.
    #[derive(Default)]
    struct Wire {
        ready: bool,
        written: Vec<u8>,
    }

    impl Write for Wire {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &[u8],
        ) -> Poll<io::Result<usize>> {
            if !self.ready {
                return Poll::Pending;
            }
            self.written.extend_from_slice(buffer);
            Poll::Ready(Ok(buffer.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    struct Room {
        clock: Arc<ManualClock>,
        begin: Arc<Begin>,
        timely: Timely<Wire>,
    }

    fn room() -> Room {
        let clock = Arc::new(ManualClock::starting_at(UnixMillis(0)));
        let begin = Begin::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let timely = Timely::new(Wire::default(), Arc::clone(&begin));
        begin.by(clock.uptime().after(Duration::from_secs(5)));
        Room {
            clock,
            begin,
            timely,
        }
    }

    impl Room {
        fn write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let mut context = Context::from_waker(std::task::Waker::noop());
            Pin::new(&mut self.timely).poll_write(&mut context, bytes)
        }
    }

    #[test]
    fn a_request_that_has_begun_in_time_goes_on_whenever_it_can() {
        let mut room = room();
        room.timely.io.ready = true;
        assert!(room.write(b"POST ").is_ready());
        room.clock.advance(Duration::from_secs(60));
        assert!(matches!(room.write(b"/"), Poll::Ready(Ok(1))));
        assert_eq!(room.timely.io.written, b"POST /");
        assert!(!room.begin.refused());
    }

    #[test]
    fn one_that_would_begin_too_late_is_not_begun() {
        let mut room = room();
        // The socket is full at first: nothing has begun by that.
        assert!(room.write(b"POST ").is_pending());
        room.clock.advance(Duration::from_secs(6));
        room.timely.io.ready = true;
        assert!(matches!(room.write(b"POST "), Poll::Ready(Err(_))));
        assert_eq!(room.timely.io.written, b"");
        assert!(room.begin.refused());
    }
}
