//! The rules of the lifecycle on the abstract row. Written anew from the documentation, so that a slip
//! in the code shows as a difference; `real` compares each answer with the function of the library.

use crate::row::{Candidate, Doubt, Intent, Reason, Row, Standing, Status, Token};

/// Ticks after which an intent may be taken over: a tick is 14 s, lease and skew are 32 s.
pub(crate) const LAPSED: u8 = 3;
/// Ticks on the holder's own clock after which it must not present any more: 16 s of 30 must be left.
pub(crate) const TOO_LATE: u8 = 2;
/// Refusals believed: the first, and one for each probe.
const PROBES: u8 = 2;

/// Who wants to present; `knows_dead`: that the owner of the intent is dead, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ask {
    pub(crate) node: u8,
    pub(crate) asked: bool,
    pub(crate) knows_dead: bool,
}

/// The right to present. `current`: no intent was written after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket {
    pub(crate) epoch: u8,
    pub(crate) generation: u8,
    pub(crate) minting: u8,
    pub(crate) current: bool,
}

/// Why not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Held,
    SignedOut,
    Reauthorize,
    Suspect,
    BackingOff,
}

/// What an answer brought. `link`: the token that the access token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Minted {
    pub(crate) access: bool,
    pub(crate) link: Token,
    pub(crate) replaced: Option<Token>,
    /// What came of the tries before, under the same intent.
    pub(crate) before: Doubt,
}

/// Where an answer ends up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    Current(Row),
    Late(Option<Row>),
    Closed,
}

/// What follows from a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Moved,
    Promotable(usize),
    Judged(Row),
}

/// How a presentation ended that was neither granted nor refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Resolution {
    Untouched,
    Unknown { missing: bool, pause: bool },
}

pub(crate) fn arm(row: &Row, ask: Ask) -> Result<Row, Hold> {
    if row.status == Status::SignedOut {
        return Err(Hold::SignedOut);
    }
    if let Some(intent) = row.intent {
        let own = intent.owner == ask.node && !intent.dead;
        let free = own || intent.dead && ask.knows_dead || intent.age >= LAPSED;
        if !free {
            return Err(Hold::Held);
        }
    }
    match row.status {
        Status::Reauthorize(_) if !ask.asked => return Err(Hold::Reauthorize),
        Status::Suspect { due: false, .. } if !ask.asked => return Err(Hold::Suspect),
        _ => {}
    }
    if row.backing_off && !ask.asked {
        return Err(Hold::BackingOff);
    }
    let mut next = *row;
    if row.intent.is_some() {
        next.unanswered = Doubt::Missing;
    }
    next.intent = Some(Intent {
        owner: ask.node,
        dead: false,
        age: 0,
    });
    Ok(next)
}

/// Whether the row still waits for this ticket's answer.
pub(crate) fn holds(row: &Row, ticket: Ticket) -> bool {
    let same = (row.epoch, row.generation) == (ticket.epoch, ticket.generation);
    same && ticket.current && row.intent.is_some()
}

pub(crate) fn commit(row: &Row, ticket: Ticket, minted: Minted) -> Commit {
    if row.epoch != ticket.epoch {
        return Commit::Closed;
    }
    let newest = (row.generation, row.minting) == (ticket.generation, ticket.minting)
        && row.intent.is_none();
    let mut next = *row;
    if !holds(row, ticket) && !newest {
        return Commit::Late(minted.replaced.map(|token| {
            let late = Candidate {
                presented: ticket.generation,
                token,
                standing: Standing::Untried,
            };
            next.candidates = row.candidates.changed(|list| list.push(late));
            next
        }));
    }
    if minted.access {
        next.access = minted.link;
        next.minting += 1;
    }
    if let Some(token) = minted.replaced {
        next.refresh = token;
        next.resealed = false;
        next.generation += 1;
    }
    // Another presentation of the same token was not answered: the provider may have acted on that last.
    let other = row.unanswered.max(minted.before) != Doubt::Nothing;
    next.candidates = row.candidates.changed(|list| {
        list.retain(|it| it.presented >= ticket.generation);
        if minted.replaced.is_some() && other {
            list.insert(0, was_current(row, Standing::SetAside));
        }
    });
    next.intent = None;
    next.unanswered = Doubt::Nothing;
    next.backing_off = false;
    next.status = Status::Active;
    Commit::Current(next)
}

/// The current token, as one that stands by.
fn was_current(row: &Row, standing: Standing) -> Candidate {
    Candidate {
        presented: row.generation,
        token: row.refresh,
        standing,
    }
}

/// Whether it is tried at the first refusal of the current one.
pub(crate) fn worth_trying(row: &Row, candidate: Candidate) -> bool {
    let mut was_current = row
        .candidates
        .iter()
        .filter(|it| it.standing != Standing::Untried);
    // It came for the one before at the earliest, or for one since which none was accepted.
    let recent = candidate.presented + 1 >= row.generation
        || was_current.any(|it| it.presented <= candidate.presented);
    candidate.standing == Standing::Untried && recent
}

/// Of those that were set aside, the one that was current last.
pub(crate) fn set_aside(row: &Row) -> Option<usize> {
    let mut late = row.candidates.iter();
    late.position(|it| it.standing == Standing::SetAside)
}

pub(crate) fn refuse(row: &Row, ticket: Ticket, before: Doubt) -> Refusal {
    if !holds(row, ticket) {
        return Refusal::Moved;
    }
    let late: Vec<_> = row.candidates.iter().collect();
    if let Some(place) = late.iter().rposition(|it| worth_trying(row, **it)) {
        return Refusal::Promotable(place);
    }
    let mut next = *row;
    next.intent = None;
    next.backing_off = false;
    let refusals = match row.status {
        Status::Active | Status::SignedOut => 1,
        Status::Suspect { refusals, due } => refusals + u8::from(due),
        Status::Reauthorize(_) => return Refusal::Judged(next),
    };
    let doubt = before.max(row.unanswered);
    let probes = if doubt == Doubt::Nothing { PROBES } else { 1 };
    let (verified, aside) = (refusals > probes, set_aside(row));
    if let (true, Some(place)) = (verified, aside) {
        return Refusal::Promotable(place);
    }
    let explained = doubt == Doubt::Missing && row.generation > 0;
    next.status = if explained && aside.is_none() {
        Status::Reauthorize(Reason::AnswerLost)
    } else if verified && doubt == Doubt::Nothing {
        Status::Reauthorize(Reason::Revoked)
    } else if verified {
        Status::Reauthorize(Reason::AnswerLost)
    } else {
        Status::Suspect {
            refusals,
            due: false,
        }
    };
    Refusal::Judged(next)
}

/// The candidate that comes before the present token: one that came for it, or any where it came back.
pub(crate) fn successor(row: &Row) -> Option<usize> {
    let late: Vec<_> = row.candidates.iter().collect();
    let came_back = late
        .iter()
        .any(|it| it.standing == Standing::Refused && it.presented + 1 == row.generation);
    late.iter()
        .rposition(|it| worth_trying(row, **it) && (came_back || it.presented == row.generation))
}

pub(crate) fn promote(row: &Row, place: usize) -> Row {
    let mut next = *row;
    next.candidates = row.candidates.changed(|list| {
        let promoted = list.remove(place);
        next.refresh = promoted.token;
        let standing = match promoted.standing {
            Standing::Untried => Standing::SetAside,
            _ => Standing::Refused,
        };
        list.insert(0, was_current(row, standing));
    });
    next.resealed = true;
    next.generation += 1;
    next.status = Status::Active;
    next.intent = None;
    next.unanswered = Doubt::Nothing;
    next
}

pub(crate) fn resolve(row: &Row, ticket: Ticket, resolution: Resolution) -> Option<Row> {
    if !holds(row, ticket) {
        return None;
    }
    let mut next = *row;
    next.intent = None;
    if let Resolution::Unknown { missing, pause } = resolution {
        let doubt = if missing {
            Doubt::Missing
        } else {
            Doubt::Fault
        };
        next.unanswered = row.unanswered.max(doubt);
        next.backing_off = pause;
    }
    Some(next)
}

pub(crate) fn sign_out(row: &Row) -> Row {
    Row::signed_out(row.epoch + 1)
}

pub(crate) fn consent(row: &Row) -> Row {
    Row::logged_in(row.epoch + 1)
}
