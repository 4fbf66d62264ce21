//! The number of a request, made only where somebody may ask for it: where it failed, where it is in the
//! audit log, or where something is done that the log may speak of.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use refrain::random::{Random, RandomError, bytes};
use tracing::Span;

/// The header that tells it.
pub(crate) const HEADER: &str = "refrain-request-id";

/// What makes the numbers of this process differ from those of others and of its last run.
#[derive(Debug)]
pub(crate) struct Ids {
    process: u32,
    next: AtomicU64,
}

impl Ids {
    pub(crate) fn new(random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self {
            process: u32::from_be_bytes(bytes(random)?),
            next: AtomicU64::new(1),
        })
    }

    /// What all numbers of this process begin with.
    pub(crate) fn process(&self) -> String {
        format!("{:08x}", self.process)
    }

    fn draw(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{:08x}-{number:x}", self.process)
    }
}

/// The number of one request; none until somebody asks for it.
#[derive(Debug)]
pub(crate) struct RequestId<'a> {
    ids: &'a Ids,
    made: OnceLock<String>,
}

impl<'a> RequestId<'a> {
    pub(crate) fn new(ids: &'a Ids) -> Self {
        let made = OnceLock::new();
        Self { ids, made }
    }

    /// The number; the same for whoever asks again.
    pub(crate) fn text(&self) -> &str {
        self.made.get_or_init(|| self.ids.draw())
    }

    /// What is logged within it has the number. Not for every request: who is answered from memory says
    /// nothing, and costs nothing.
    pub(crate) fn span(&self) -> Span {
        tracing::error_span!("request", request_id = self.text())
    }

    /// The same where the log is so loud that anything may be said.
    pub(crate) fn loud_span(&self) -> Span {
        tracing::debug_span!("request", request_id = self.text())
    }

    /// The number, if anybody has asked for it.
    pub(crate) fn made(&self) -> Option<&str> {
        self.made.get().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use refrain::random::SystemRandom;

    use super::*;

    #[test]
    fn a_number_is_made_once_and_only_where_it_is_asked_for() {
        let ids = Ids::new(&SystemRandom).unwrap();
        let (one, other) = (RequestId::new(&ids), RequestId::new(&ids));
        assert_eq!(one.made(), None);
        let number = one.text().to_owned();
        assert!(number.starts_with(&ids.process()), "{number}");
        assert_eq!(one.made(), Some(number.as_str()));
        assert_ne!(other.text(), number);
    }
}
