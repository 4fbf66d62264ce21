//! What a presentation leads to: a commit, a refusal, or neither.

use crate::{
    lifecycle::{
        Change, Event, Ticket,
        arm::note_unanswered,
        event::What,
        row::{Access, Candidate, GrantRow, Reason, Status, Suspicion, Trouble},
        timing,
    },
    oauth::scope::Scope,
    secret::Sealed,
    time::{Deadline, Moment},
};

/// Late answers kept at most; each is one lost race.
const CANDIDATES: usize = 8;

/// What an answer brought, sealed.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The new access token; `None` where only the refresh token could be read.
    pub access: Option<Access>,
    /// The new refresh token, where there is one.
    pub replaced: Option<Replaced>,
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

/// A new refresh token, sealed for both places where it may end up.
#[derive(Debug, Clone)]
pub struct Replaced {
    /// Sealed to the next generation.
    pub current: Sealed,
    /// Sealed as a candidate of this intent.
    pub candidate: Sealed,
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
    // Late, but nobody has presented since: still the newest there is, whatever was concluded meanwhile.
    let newest = (row.generation, row.minting) == (ticket.generation, ticket.minting)
        && row.intent.is_none();
    if !holds(row, ticket) && !newest {
        return Commit::Late(
            minted
                .replaced
                .as_ref()
                .map(|token| keep_late(row, ticket, token, now)),
        );
    }
    let mut next = row.clone();
    let Some(tokens) = &mut next.tokens else {
        return Commit::Closed;
    };
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
    next.intent = None;
    next.unanswered = None;
    next.trouble = None;
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
        next.status = Status::Active;
        events.push(event(What::Recovered));
    }
    Commit::Current(Change {
        row: next,
        events,
        forgets: false,
    })
}

/// Whether the row still waits for this ticket's answer.
fn holds(row: &GrantRow, ticket: &Ticket) -> bool {
    row.epoch == ticket.epoch
        && row.generation == ticket.generation
        && row.fence == ticket.fence
        && row.intent.is_some()
}

fn keep_late(row: &GrantRow, ticket: &Ticket, token: &Replaced, now: &Moment) -> Change {
    let mut next = row.clone();
    next.candidates.push(Candidate {
        presented: ticket.generation,
        fence: ticket.fence,
        sealed: token.candidate.clone(),
        refused: false,
    });
    if next.candidates.len() > CANDIDATES {
        next.candidates.remove(0);
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

/// What the provider said when it refused.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Its words, for people.
    pub description: Option<String>,
    /// Its id of the request.
    pub request_id: Option<String>,
    /// What came of presentations of the same token shortly before.
    pub before: Before,
}

/// What came of the presentations before a refusal, within the same refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// There were none.
    Nothing,
    /// The provider answered with a fault; it may have acted all the same.
    Fault,
    /// No answer came, or half of one.
    Missing,
}

/// What follows from a refusal.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// The refused token is not the durable one any more: no verdict, read the row again.
    Moved,
    /// A late answer's token is there to be tried; see [`promote`].
    Promotable(Box<Candidate>),
    /// The row to write.
    Judged(Box<Change>),
}

/// Judges `invalid_grant` for the generation of this ticket.
///
/// Near its day a refusal is believed. Before that the token is presented again, 15 minutes and 6 hours
/// later, and only then believed; refusals in between count for nothing. Where an answer is known to be
/// missing and this grant's tokens do rotate, the refusal is explained and believed at once. With the
/// breaker open nothing is believed but the end of the six months.
pub fn refuse(
    row: &GrantRow,
    ticket: &Ticket,
    evidence: &Evidence,
    breaker_open: bool,
    now: &Moment,
) -> Refusal {
    if !holds(row, ticket) {
        return Refusal::Moved;
    }
    if let Some(candidate) = untried(row).next_back() {
        return Refusal::Promotable(Box::new(candidate.clone()));
    }
    let mut next = row.clone();
    next.intent = None;
    next.trouble = None;
    let (since, refusals) = match &row.status {
        Status::Active | Status::SignedOut { .. } => (now.wall, 1),
        // Refusals count when time has passed between them, and no incident explains them.
        Status::Suspect(suspicion) if !suspicion.next_probe.passed(now) || breaker_open => {
            (now.wall, suspicion.refusals)
        }
        Status::Suspect(suspicion) => (suspicion.since, suspicion.refusals.saturating_add(1)),
        // A probe that a person asked for confirmed what was known.
        Status::Reauthorize { .. } => {
            return Refusal::Judged(Box::new(Change {
                row: next,
                events: Vec::new(),
                forgets: false,
            }));
        }
    };
    let before = row
        .unanswered
        .as_ref()
        .filter(|it| it.generation == row.generation);
    let missing = evidence.before == Before::Missing || before.is_some_and(|it| it.missing);
    let doubtful = missing || evidence.before == Before::Fault || before.is_some();
    let rotates = row.generation.0 > 0;
    let probes = if doubtful { 1 } else { timing::PROBES.len() };
    let restored = row.status.is_restored();
    let reason = if breaker_open {
        None
    } else if missing && rotates && !restored {
        // Before the date is asked: this is on record, and the wall clock may be wrong.
        Some(Reason::AnswerLost)
    } else if expected(row, now) {
        Some(Reason::Expired)
    } else if restored {
        Some(Reason::Restored)
    } else if refusals as usize > probes {
        Some(if doubtful {
            Reason::AnswerLost
        } else {
            Reason::Revoked
        })
    } else {
        None
    };
    let event = |what| Event {
        at: now.wall,
        epoch: row.epoch,
        what,
    };
    let refused = |next_probe| {
        let (description, request_id) = (evidence.description.clone(), evidence.request_id.clone());
        event(What::Refused {
            generation: row.generation,
            description,
            request_id,
            next_probe,
        })
    };
    let events = if let Some(reason) = reason {
        next.status = Status::Reauthorize {
            reason,
            since: now.wall,
        };
        vec![refused(None), event(What::Condemned { reason })]
    } else {
        let [first, later] = timing::PROBES;
        let next_probe = Deadline::after(now, if refusals <= 1 { first } else { later });
        next.status = Status::Suspect(Suspicion {
            since,
            refusals,
            next_probe,
            restored,
        });
        vec![refused(Some(next_probe.wall))]
    };
    Refusal::Judged(Box::new(Change {
        row: next,
        events,
        forgets: false,
    }))
}

/// Whether a refusal comes no sooner than it must.
pub(crate) fn expected(row: &GrantRow, now: &Moment) -> bool {
    row.consent
        .is_some_and(|consent| now.wall >= consent.reauthorize_by.before(timing::EXPECTED_REFUSAL))
}

/// The candidates worth trying, the newest last: successors of the present token, and its siblings.
fn untried(row: &GrantRow) -> impl DoubleEndedIterator<Item = &Candidate> {
    let near = |candidate: &&Candidate| candidate.presented.next() >= row.generation;
    row.candidates
        .iter()
        .filter(|candidate| !candidate.refused)
        .filter(near)
}

/// The candidate that came for the present token: it is known to be superseded, and must not be
/// presented again.
pub fn successor(row: &GrantRow) -> Option<&Candidate> {
    untried(row).rfind(|candidate| candidate.presented == row.generation)
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
    let demoted = Candidate {
        presented: row.generation,
        fence: row.fence,
        sealed: exchange.demoted.clone(),
        refused: true,
    };
    next.candidates.insert(0, demoted);
    next.tokens.as_mut()?.refresh = exchange.promoted.clone();
    next.generation = row.generation.next();
    if !row.status.is_restored() {
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
    if !holds(row, ticket) {
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
