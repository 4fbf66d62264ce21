//! What a presentation leads to that was not refused: a commit, or the intent given back.

use crate::{
    lifecycle::{
        Before, Change, Event, Ticket,
        arm::note_unanswered,
        event::What,
        row::{Access, Candidate, GrantRow, Standing, Status, Trouble},
    },
    oauth::scope::Scope,
    secret::Sealed,
    time::{Deadline, Moment},
};

/// Late answers kept at most; each is one lost race.
pub(super) const CANDIDATES: usize = 8;

/// What an answer brought, sealed.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The new access token; `None` where only the refresh token could be read.
    pub access: Option<Access>,
    /// The new refresh token, where there is one.
    pub replaced: Option<Replaced>,
    /// What came of the presentations before it, within the same refresh.
    pub before: Before,
    /// The scope, where the answer says.
    pub scope: Option<Scope>,
    /// The provider's id of the request.
    pub request_id: Option<String>,
}

impl Minted {
    /// Whether a row holds this very answer.
    pub fn is_in(&self, row: &GrantRow) -> bool {
        let Some(tokens) = &row.tokens else {
            return false;
        };
        let access = |access: &Access| {
            tokens
                .access
                .as_ref()
                .is_some_and(|held| held.sealed == access.sealed)
        };
        let refresh = |replaced: &Replaced| {
            let late = row
                .candidates
                .iter()
                .any(|it| it.sealed == replaced.candidate);
            tokens.refresh == replaced.current || late
        };
        self.access.as_ref().is_some_and(access) || self.replaced.as_ref().is_some_and(refresh)
    }
}

/// A new refresh token, sealed for both places where it may end up, and the one it was given for.
#[derive(Debug, Clone)]
pub struct Replaced {
    /// Sealed to the next generation.
    pub current: Sealed,
    /// Sealed as a candidate of this intent.
    pub candidate: Sealed,
    /// The token that was presented for it, sealed as a candidate of this intent.
    pub presented: Sealed,
}

/// Where an answer ends up.
#[derive(Debug, Clone)]
pub enum Commit {
    /// The row still is what was presented: the answer becomes current.
    Current(Change),
    /// The row went on meanwhile: the refresh token is kept as a candidate, where there is one.
    Late(Option<Change>),
    /// The user logged out or in again: the answer is void.
    Closed,
}

/// Applies an answer. Compare-and-set on (epoch, generation, fence); `reauthorize_by` is not touched.
pub fn commit(row: &GrantRow, ticket: &Ticket, minted: &Minted, now: &Moment) -> Commit {
    if row.epoch != ticket.epoch {
        return Commit::Closed;
    }
    // Late, but nothing has come since: still the newest there is, whatever was concluded meanwhile.
    let newest = (row.generation, row.minting) == (ticket.generation, ticket.minting)
        && row.intent.is_none();
    if !ticket.holds(row) && !newest {
        return Commit::Late(
            minted
                .replaced
                .as_ref()
                .map(|token| keep_late(row, ticket, token, now)),
        );
    }
    let Some(next) = with_answer(row, ticket, minted) else {
        return Commit::Closed;
    };
    let event = |what| Event {
        at: now.wall,
        epoch: row.epoch,
        what,
    };
    let mut events = vec![event(What::Refreshed {
        by: ticket.owner,
        fence: ticket.fence,
        generation: next.generation,
        rotated: minted.replaced.is_some(),
        request_id: minted.request_id.clone(),
    })];
    if row.status != Status::Active {
        events.push(event(What::Recovered));
    }
    Commit::Current(Change {
        row: next,
        events,
        forgets: false,
    })
}

/// The row with an answer in it; `None` where it has no tokens.
fn with_answer(row: &GrantRow, ticket: &Ticket, minted: &Minted) -> Option<GrantRow> {
    let mut next = GrantRow {
        status: Status::Active,
        intent: None,
        unanswered: None,
        trouble: None,
        ..row.clone()
    };
    let tokens = next.tokens.as_mut()?;
    if let Some(access) = &minted.access {
        tokens.access = Some(access.clone());
        next.minting = row.minting.next();
    }
    if let Some(replaced) = &minted.replaced {
        tokens.refresh = replaced.current.clone();
        next.generation = row.generation.next();
    }
    if let Some(scope) = &minted.scope {
        next.scope = scope.clone();
    }
    // The generation just accepted proves its line; an older intent's leftovers can go.
    next.candidates
        .retain(|candidate| candidate.presented >= ticket.generation);
    if let Some(presented) = doubted(row, ticket, minted) {
        next.candidates.insert(0, presented);
    }
    Some(next)
}

/// The token that an answer replaces, where it was presented another time and that was not answered
/// properly. The provider may have acted on that last: then it has withdrawn what this answer brings, and
/// perhaps still accepts what was.
fn doubted(row: &GrantRow, ticket: &Ticket, minted: &Minted) -> Option<Candidate> {
    let doubt = minted.before != Before::Nothing || row.unanswered.is_some();
    let replaced = minted.replaced.as_ref().filter(|_| doubt)?;
    Some(Candidate {
        presented: row.generation,
        fence: ticket.fence,
        sealed: replaced.presented.clone(),
        standing: Standing::SetAside,
    })
}

fn keep_late(row: &GrantRow, ticket: &Ticket, token: &Replaced, now: &Moment) -> Change {
    let mut next = row.clone();
    next.candidates.push(Candidate {
        presented: ticket.generation,
        fence: ticket.fence,
        sealed: token.candidate.clone(),
        standing: Standing::Untried,
    });
    if next.candidates.len() > CANDIDATES {
        next.candidates.remove(least(&next.candidates));
    }
    let what = What::CameLate {
        fence: ticket.fence,
    };
    Change {
        row: next,
        events: vec![Event {
            at: now.wall,
            epoch: row.epoch,
            what,
        }],
        forgets: false,
    }
}

/// Which candidate goes where there is one too many: one that had its verdict, else the oldest late answer,
/// and never the last one, which has just come. What was set aside may be the only one that still works.
fn least(candidates: &[Candidate]) -> usize {
    let older = candidates
        .split_last()
        .map_or(candidates, |(_, older)| older);
    let is = |standing| move |it: &Candidate| it.standing == standing;
    let refused = older.iter().position(is(Standing::Refused));
    let untried = || older.iter().position(is(Standing::Untried));
    // Of those that were set aside the last comes first.
    refused
        .or_else(untried)
        .unwrap_or(older.len().saturating_sub(1))
}

/// How a presentation ended that was neither granted nor refused.
#[derive(Debug, Clone)]
pub enum Resolution {
    /// The token was not looked at: never sent, throttled, or the client itself was refused.
    Untouched,
    /// The provider may have acted.
    Unknown {
        /// The status, where there was an answer.
        http_status: Option<u16>,
        /// In a few words.
        why: String,
        /// Whether an answer is missing or damaged, and not just a fault that was answered.
        missing: bool,
        /// How long to leave the provider alone, with jitter applied.
        pause: std::time::Duration,
    },
}

/// Gives an intent back. A fault moves no grant: the status stays as it is.
///
/// `None` where the row went on meanwhile.
pub fn resolve(
    row: &GrantRow,
    ticket: &Ticket,
    resolution: &Resolution,
    now: &Moment,
) -> Option<Change> {
    if !ticket.holds(row) {
        return None;
    }
    let mut next = row.clone();
    let mut events = Vec::new();
    next.intent = None;
    if let Resolution::Unknown {
        http_status,
        why,
        missing,
        pause,
    } = resolution
    {
        let armed_at = row
            .intent
            .as_ref()
            .map_or(now.wall, |intent| intent.armed_at);
        note_unanswered(&mut next, armed_at, *missing);
        let before = row.trouble.as_ref();
        next.trouble = Some(Trouble {
            since: before.map_or(now.wall, |trouble| trouble.since),
            failures: before
                .map_or(0, |trouble| trouble.failures)
                .saturating_add(1),
            retry: Deadline::after(now, *pause),
            http_status: *http_status,
        });
        let what = What::Faulted {
            presented: true,
            http_status: *http_status,
            why: why.clone(),
        };
        events.push(Event {
            at: now.wall,
            epoch: row.epoch,
            what,
        });
    }
    Some(Change {
        row: next,
        events,
        forgets: false,
    })
}
