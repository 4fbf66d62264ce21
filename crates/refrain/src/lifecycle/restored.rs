//! A row out of a backup: what may have happened since is not in it.

use crate::{
    lifecycle::{
        Change, Event,
        arm::note_unanswered,
        event::What,
        row::{GrantRow, Status, Suspicion},
    },
    time::{Deadline, Moment},
};

/// What a row tells about the provider's handling of its refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// It has replaced this grant's token before.
    Replaces,
    /// It has answered this grant, and kept the token each time.
    Keeps,
    /// It has never been asked.
    Unknown,
}

/// What a row tells about the provider's handling of its refresh tokens.
pub fn habit(row: &GrantRow) -> Habit {
    if row.generation.0 > 0 || !row.candidates.is_empty() {
        Habit::Replaces
    } else if row.minting.0 > 0 {
        Habit::Keeps
    } else {
        Habit::Unknown
    }
}

/// Takes a row over from a backup. Where the provider may have replaced its refresh token since, the
/// backup's one is kept for a person to present: presented by itself it could end the authorization.
///
/// `None` where there is nothing to change.
pub fn restored(row: &GrantRow, doubtful: bool, now: &Moment) -> Option<Change> {
    if !matches!(row.status, Status::Active | Status::Suspect(_)) {
        return None;
    }
    let mut next = row.clone();
    if let Some(intent) = next.intent.take() {
        // Whoever held it was alive when the backup was made, and may have presented.
        note_unanswered(&mut next, intent.armed_at, true);
    }
    next.trouble = None;
    next.forced_until = None;
    if doubtful {
        next.status = Status::Suspect(Suspicion {
            since: now.wall,
            refusals: 0,
            next_probe: Deadline::after(now, std::time::Duration::ZERO),
            restored: true,
            imported: false,
        });
    }
    let what = What::Restored { doubtful };
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
