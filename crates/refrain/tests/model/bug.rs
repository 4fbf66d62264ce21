//! Deliberate faults of the protocol. Each has to be found, or the promises would prove nothing.

use crate::provider::Mode;

/// What a careless version of the protocol does differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Presents without an intent.
    SkipIntent,
    /// Writes an answer over whatever is there.
    CommitBlindly,
    /// Writes an answer of an ended login.
    IgnoreEpoch,
    /// Judges a refusal by the row as it was armed.
    RefuseUnread,
    /// Believes the first refusal.
    CondemnAtOnce,
    /// Throws late answers away.
    DropLate,
    /// Throws an answer away when the store fails.
    DropUnsaved,
    /// Publishes before the commit.
    PublishEarly,
    /// Publishes what a logout has ended.
    PublishEnded,
    /// Takes over without waiting for the lease.
    TakeOverAtOnce,
    /// Presents without looking at the lease.
    IgnoreLease,
    /// Counts its lease from when the intent was written, not from before.
    CountLate,
    /// Presents without reading the row once more.
    SkipCheck,
    /// Presents the present token although a late answer has superseded it.
    SkipSuccessor,
    /// Does not see, when it reads the row once more, that a late answer has come since it armed.
    OverlookSuccessor,
    /// Never tries a candidate.
    NeverPromote,
    /// Throws the current token away for a late answer's, although another answer is missing.
    ForgetPresented,
    /// Never tries again what was the current token before a candidate was.
    RefuseSetAside,
    /// Tries it at the first refusal.
    SetAsideAtOnce,
    /// Does not look for what another process has done.
    NeverAdopt,
}

impl Bug {
    pub(crate) const ALL: [Self; 20] = [
        Self::SkipIntent,
        Self::CommitBlindly,
        Self::IgnoreEpoch,
        Self::RefuseUnread,
        Self::CondemnAtOnce,
        Self::DropLate,
        Self::DropUnsaved,
        Self::PublishEarly,
        Self::PublishEnded,
        Self::TakeOverAtOnce,
        Self::IgnoreLease,
        Self::CountLate,
        Self::SkipCheck,
        Self::SkipSuccessor,
        Self::OverlookSuccessor,
        Self::NeverPromote,
        Self::ForgetPresented,
        Self::RefuseSetAside,
        Self::SetAsideAtOnce,
        Self::NeverAdopt,
    ];
}

impl Bug {
    /// A provider and a number of mishaps with which it does harm.
    pub(crate) fn found_by(self) -> (Mode, u8) {
        match self {
            Self::SkipIntent | Self::TakeOverAtOnce | Self::IgnoreLease => (Mode::Strict, 0),
            Self::NeverAdopt => (Mode::Static, 0),
            Self::PublishEarly => (Mode::UntilUsed, 0),
            Self::CondemnAtOnce => (Mode::Static, 1),
            Self::SkipCheck | Self::SkipSuccessor | Self::OverlookSuccessor => {
                (Mode::FamilyKill, 1)
            }
            Self::NeverPromote => (Mode::UntilUsed, 1),
            Self::RefuseUnread => (Mode::Strict, 2),
            Self::ForgetPresented | Self::RefuseSetAside => (Mode::UntilUsed, 2),
            Self::SetAsideAtOnce => (Mode::FamilyKill, 2),
            Self::CommitBlindly
            | Self::IgnoreEpoch
            | Self::DropLate
            | Self::DropUnsaved
            | Self::PublishEnded
            | Self::CountLate => (Mode::Strict, 1),
        }
    }
}
