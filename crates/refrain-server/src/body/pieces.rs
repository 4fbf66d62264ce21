//! An answer on HTTP/2, handed over bit by bit.
//!
//! hyper asks for the next piece when there is room in the client's window, so that how long it does not ask
//! tells whether the client takes anything. The last byte goes alone: whoever does not take what is before it
//! keeps a request waiting, which has a limit, and not a buffer, which has none.

use std::{
    mem,
    task::{Poll, ready},
};

use bytes::Bytes;
use http_body::Frame;

use super::BoxError;
use crate::listen::pulse::Pulse;

/// No piece is longer.
const PIECE: usize = 16 * 1024;

type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// What is left of the chunk that came last.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    rest: Bytes,
    handed: usize,
}

impl Pieces {
    /// How much is left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next piece, of the next chunk where nothing is left.
    pub(super) fn next(&mut self, pulse: &Pulse, chunk: impl FnOnce() -> Polled) -> Polled {
        if self.handed > 0 {
            pulse.is_taken(mem::take(&mut self.handed));
        }
        if self.rest.is_empty() {
            match ready!(chunk()) {
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                other => return Poll::Ready(other),
            }
        }
        let piece = match self.rest.len() {
            whole @ (0 | 1) => self.rest.split_to(whole),
            long => self.rest.split_to(PIECE.min(long.saturating_sub(1))),
        };
        self.handed = piece.len();
        if self.handed > 0 {
            pulse.hands_over();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::pulse::Sweep;

    #[test]
    fn the_last_byte_goes_alone() {
        let pulse = Sweep::new().pulse();
        for (whole, expected) in [
            (0, vec![0]),
            (1, vec![1]),
            (2, vec![1, 1]),
            (PIECE, vec![PIECE - 1, 1]),
            (PIECE + 1, vec![PIECE, 1]),
            (PIECE * 2 + 9, vec![PIECE, PIECE, 8, 1]),
        ] {
            let mut pieces = Pieces::default();
            let mut chunk = Some(Bytes::from(vec![0; whole]));
            let mut lengths = Vec::new();
            loop {
                let next = pieces.next(&pulse, || {
                    Poll::Ready(chunk.take().map(|bytes| Ok(Frame::data(bytes))))
                });
                let Poll::Ready(Some(Ok(frame))) = next else {
                    break;
                };
                lengths.push(frame.into_data().unwrap().len());
            }
            assert_eq!(lengths, expected, "{whole}");
        }
    }
}
