//! How refreshes ended, counted for whoever watches over this process; nothing is decided by it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::keeper::{Error, Kind};

/// How many refreshes ended in which way, since the process began.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    renewed: AtomicU64,
    failed: [AtomicU64; Kind::ALL.len()],
}

impl Outcomes {
    pub(super) fn note<T>(&self, result: &Result<T, Error>) {
        let counted = match result {
            Ok(_) => Some(&self.renewed),
            Err(error) => {
                let of_kind = Kind::ALL.into_iter().zip(&self.failed);
                let mut of_kind = of_kind.filter(|(kind, _)| *kind == error.kind());
                of_kind.next().map(|(_, counted)| counted)
            }
        };
        if let Some(counted) = counted {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each outcome in a word, and how often there was it: `renewed`, or what has to be done about a
    /// failure.
    pub(super) fn told(&self) -> Vec<(&'static str, u64)> {
        let read = |counted: &AtomicU64| counted.load(Ordering::Relaxed);
        let failed = Kind::ALL.into_iter().zip(&self.failed);
        let failed = failed.map(|(kind, counted)| (kind.word(), read(counted)));
        [("renewed", read(&self.renewed))]
            .into_iter()
            .chain(failed)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keeper::Problem;

    #[test]
    fn each_outcome_is_counted_under_its_own_word() {
        let outcomes = Outcomes::default();
        outcomes.note(&Ok(()));
        outcomes.note::<()>(&Err(Problem::NoGrant.into()));
        outcomes.note::<()>(&Err(Problem::NoGrant.into()));
        let told: Vec<_> = outcomes.told().into_iter().filter(|it| it.1 > 0).collect();
        assert_eq!(told, [("renewed", 1), ("reauthorize", 2)]);
    }
}
