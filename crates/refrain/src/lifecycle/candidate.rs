//! Refresh tokens that stand by: which of them is tried, and how one becomes the current one.

use crate::{
    lifecycle::{
        Change, Event,
        event::What,
        row::{Candidate, GrantRow, Standing, Status},
    },
    secret::Sealed,
    time::Moment,
};

/// The candidates worth trying, the newest last: successors of the present token and its siblings, and of
/// those that were current since one was last accepted. They stand by until then; see `commit`.
pub(super) fn untried(row: &GrantRow) -> impl DoubleEndedIterator<Item = &Candidate> {
    let was_current = |candidate: &&Candidate| candidate.standing != Standing::Untried;
    let since = row.candidates.iter().filter(was_current);
    let since = since.map(|candidate| candidate.presented).min();
    let near = move |candidate: &&Candidate| {
        candidate.presented.next() >= row.generation
            || since.is_some_and(|since| candidate.presented >= since)
    };
    row.candidates
        .iter()
        .filter(|candidate| candidate.standing == Standing::Untried)
        .filter(near)
}

/// The token that was set aside last. Not the one before it: that one may be what this one was given
/// for, and what is presented after its successor can cost both.
pub(super) fn set_aside(row: &GrantRow) -> Option<&Candidate> {
    row.candidates
        .iter()
        .find(|candidate| candidate.standing == Standing::SetAside)
}

/// The candidate that came for the present token: it is known to be superseded, and must not be
/// presented again. Where the present one was set aside before, any candidate that was not tried: it may
/// have come for what was refused since, and then that was not dead but spent.
pub fn successor(row: &GrantRow) -> Option<&Candidate> {
    let came_back = row.candidates.iter().any(|candidate| {
        candidate.standing == Standing::Refused && candidate.presented.next() == row.generation
    });
    untried(row).rfind(|candidate| came_back || candidate.presented == row.generation)
}

/// A candidate's token, sealed for the place of the current one, and the current one sealed to stand
/// by; no token is thrown away.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The candidate's token, sealed to the next generation.
    pub promoted: Sealed,
    /// The token that was current, sealed as a candidate of the row's fence.
    pub demoted: Sealed,
}

/// Makes a candidate the current refresh token. Whoever asks holds the intent, or nobody does.
///
/// `None` where the row has no such candidate.
pub fn promote(
    row: &GrantRow,
    candidate: &Candidate,
    exchange: &Exchange,
    now: &Moment,
) -> Option<Change> {
    let place = row.candidates.iter().position(|it| it == candidate)?;
    let mut next = row.clone();
    next.candidates.remove(place);
    let standing = match candidate.standing {
        Standing::Untried => Standing::SetAside,
        // What was set aside comes back after the verdict on the one that makes room for it.
        Standing::SetAside | Standing::Refused => Standing::Refused,
    };
    let demoted = Candidate {
        presented: row.generation,
        fence: row.fence,
        sealed: exchange.demoted.clone(),
        standing,
    };
    next.candidates.insert(0, demoted);
    next.tokens.as_mut()?.refresh = exchange.promoted.clone();
    next.generation = row.generation.next();
    if !row.status.is_unproven() {
        next.status = Status::Active;
    }
    next.intent = None;
    next.unanswered = None;
    let what = What::Promoted {
        generation: next.generation,
    };
    Some(Change {
        row: next,
        events: vec![Event {
            at: now.wall,
            epoch: row.epoch,
            what,
        }],
        forgets: false,
    })
}
