//! What a refusal proves.

use crate::{
    lifecycle::{
        Change, Event, Ticket,
        candidate::{set_aside, untried},
        event::What,
        row::{Candidate, GrantRow, Reason, Status, Suspicion},
        timing,
    },
    time::{Deadline, Moment, UnixMillis},
};

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
    /// Another token is there to be tried, of a late answer or set aside; see
    /// [`promote`](crate::lifecycle::promote).
    Promotable(Box<Candidate>),
    /// The row to write.
    Judged(Box<Change>),
}

/// Judges `invalid_grant` for the generation of this ticket.
///
/// Near its day a refusal is believed, and so is that of a token of another program that was never accepted
/// here. Before that the token is presented again, 15 minutes and 6 hours
/// later, and only then believed; refusals in between count for nothing. Where an answer is known to be
/// missing and this grant's tokens do rotate, the refusal is explained and believed at once. With the
/// breaker open nothing is believed.
///
/// A late answer's token is tried at the first refusal: nobody has superseded it. One that was set aside
/// was superseded, as far as anyone knows, and presenting it can end the authorization. So it is tried
/// when its successor has been refused for good, which time has verified: then there is nothing to lose.
pub fn refuse(
    row: &GrantRow,
    ticket: &Ticket,
    evidence: &Evidence,
    breaker_open: bool,
    now: &Moment,
) -> Refusal {
    if !ticket.holds(row) {
        return Refusal::Moved;
    }
    if let Some(candidate) = untried(row).next_back() {
        return Refusal::Promotable(Box::new(candidate.clone()));
    }
    let Some(count) = count(row, breaker_open, now) else {
        // A probe that a person asked for confirmed what was known.
        return Refusal::Judged(Box::new(Change {
            row: given_back(row),
            events: Vec::new(),
            forgets: false,
        }));
    };
    let reason = if breaker_open {
        None
    } else {
        believed(row, evidence, count, now)
    };
    if matches!(reason, Some(Reason::AnswerLost | Reason::Revoked))
        && let Some(candidate) = set_aside(row)
    {
        return Refusal::Promotable(Box::new(candidate.clone()));
    }
    Refusal::Judged(Box::new(judged(row, evidence, reason, count, now)))
}

/// The refusals in a row, with the present one.
#[derive(Debug, Clone, Copy)]
struct Count {
    /// The first of them.
    since: UnixMillis,
    refusals: u32,
}

/// Counts the present refusal; `None` where the verdict is out already.
fn count(row: &GrantRow, breaker_open: bool, now: &Moment) -> Option<Count> {
    let (since, refusals) = match &row.status {
        Status::Active | Status::SignedOut { .. } => (now.wall, 1),
        // Refusals count when time has passed between them, and no incident explains them.
        Status::Suspect(suspicion) if !suspicion.next_probe.passed(now) || breaker_open => {
            (now.wall, suspicion.refusals)
        }
        Status::Suspect(suspicion) => (suspicion.since, suspicion.refusals.saturating_add(1)),
        Status::Reauthorize { .. } => return None,
    };
    Some(Count { since, refusals })
}

/// The verdict, if it is time for one.
fn believed(row: &GrantRow, evidence: &Evidence, count: Count, now: &Moment) -> Option<Reason> {
    let before = row
        .unanswered
        .as_ref()
        .filter(|it| it.generation == row.generation);
    let missing = evidence.before == Before::Missing || before.is_some_and(|it| it.missing);
    let doubtful = missing || evidence.before == Before::Fault || before.is_some();
    let rotates = row.generation.0 > 0;
    let probes = if doubtful { 1 } else { timing::PROBES.len() };
    let restored = row.status.is_restored();
    let explained = missing && rotates && !restored;
    if explained && set_aside(row).is_none() {
        // Before the date is asked: this is on record, and the wall clock may be wrong.
        Some(Reason::AnswerLost)
    } else if !explained && expected(row, now) {
        Some(Reason::Expired)
    } else if restored {
        Some(Reason::Restored)
    } else if row.status.is_imported() {
        // It never worked here, and no incident explains it: there is nothing to wait for.
        Some(if missing {
            Reason::AnswerLost
        } else {
            Reason::Imported
        })
    } else if count.refusals as usize > probes {
        Some(if doubtful {
            Reason::AnswerLost
        } else if may_be_over(row, now) {
            Reason::Expired
        } else {
            Reason::Revoked
        })
    } else {
        None
    }
}

/// The row after a refusal, with its verdict or with none yet.
fn judged(
    row: &GrantRow,
    evidence: &Evidence,
    reason: Option<Reason>,
    Count { since, refusals }: Count,
    now: &Moment,
) -> Change {
    let mut next = given_back(row);
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
            restored: row.status.is_restored(),
            imported: row.status.is_imported(),
        });
        vec![refused(Some(next_probe.wall))]
    };
    Change {
        row: next,
        events,
        forgets: false,
    }
}

/// The row without the intent: the provider has answered.
fn given_back(row: &GrantRow) -> GrantRow {
    GrantRow {
        intent: None,
        trouble: None,
        ..row.clone()
    }
}

/// Whether a refusal comes no sooner than it must. Where nobody knows the day, it may come sooner, and is
/// verified like any other that does.
pub(crate) fn expected(row: &GrantRow, now: &Moment) -> bool {
    row.consent
        .is_some_and(|consent| now.wall >= consent.end().before(timing::EXPECTED_REFUSAL))
}

/// Whether a refusal may be the end of the six months: where nobody knows the day, on any of those on which
/// it may be.
pub(crate) fn may_be_over(row: &GrantRow, now: &Moment) -> bool {
    row.consent
        .is_some_and(|consent| now.wall >= consent.reauthorize_by.before(timing::EXPECTED_REFUSAL))
}
