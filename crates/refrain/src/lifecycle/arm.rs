//! Arming: may this process present the refresh token now?

use std::time::Duration;

use crate::{
    id::{Epoch, Fence, Generation, InstanceId, Minting},
    lifecycle::{
        Change, Event,
        app::AppState,
        event::What,
        row::{GrantRow, Intent, Reason, Status, Unanswered},
        timing,
    },
    time::{Deadline, Moment, StoreInstant, UnixMillis},
};

/// Why a refresh is wanted; some causes may do what others may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The access token is due, or gone.
    Due,
    /// The API rejected the access token.
    Rejected,
    /// A person asked: also where refrain itself would wait, or has given up.
    Asked,
}

/// Who wants to present, and when.
#[derive(Debug)]
pub struct Ask<'a> {
    /// Why.
    pub cause: Cause,
    /// The process that asks.
    pub instance: InstanceId,
    /// How often it has asked so far.
    pub attempt: u64,
    /// Its clocks.
    pub now: &'a Moment,
    /// The store's clock.
    pub store_now: StoreInstant,
    /// A process that is known to be dead. Who that is matters: by now a living one may hold the intent.
    pub dead: Option<InstanceId>,
    /// What is known about the app.
    pub app: &'a AppState,
    /// Whether this grant asks for all while the breaker is open; see [`AppState::claim_canary`].
    pub canary: bool,
}

/// The right to present one generation, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The login it is for.
    pub epoch: Epoch,
    /// The generation to present.
    pub generation: Generation,
    /// The newest access token when it was written.
    pub minting: Minting,
    /// Its number.
    pub fence: Fence,
    /// Whose it is.
    pub owner: InstanceId,
    /// Which of its tries it was.
    pub attempt: u64,
    /// When it lapses, by the store's clock.
    pub deadline: StoreInstant,
}

impl Ticket {
    /// The ticket of the intent that a row holds.
    pub fn of(row: &GrantRow) -> Option<Self> {
        let intent = row.intent.as_ref()?;
        Some(Self {
            epoch: row.epoch,
            generation: row.generation,
            minting: row.minting,
            fence: intent.fence,
            owner: intent.owner,
            attempt: intent.attempt,
            deadline: intent.deadline,
        })
    }

    /// Whether the row still waits for this ticket's answer.
    pub fn holds(&self, row: &GrantRow) -> bool {
        // The number alone would not do: where a write did not come about, the next one has it.
        let own = |intent: &Intent| (intent.owner, intent.attempt) == (self.owner, self.attempt);
        row.epoch == self.epoch
            && row.generation == self.generation
            && row.fence == self.fence
            && row.intent.as_ref().is_some_and(own)
    }
}

/// Why not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Another process is at it; read the row again soon.
    Held {
        /// Which.
        by: InstanceId,
        /// How long its lease still runs.
        remaining: Duration,
    },
    /// No token is here.
    SignedOut,
    /// The user has to log in again.
    Reauthorize {
        /// Why.
        reason: Reason,
        /// Since when.
        since: UnixMillis,
    },
    /// From a backup, and perhaps replaced since: for a person to present.
    Restored {
        /// The restore.
        since: UnixMillis,
    },
    /// From another program, and never accepted here: for a person to present.
    Imported {
        /// The import.
        since: UnixMillis,
    },
    /// Refused once; asked again at a time of its own.
    Suspect {
        /// The first refusal.
        since: UnixMillis,
        /// When it is asked again.
        retry: Deadline,
    },
    /// The provider is in trouble.
    BackingOff {
        /// Since when.
        since: UnixMillis,
        /// The next attempt.
        retry: Deadline,
        /// The last HTTP status.
        http_status: Option<u16>,
    },
    /// The provider's rate limit.
    Throttled {
        /// Its end.
        retry: Deadline,
    },
    /// The provider refuses many grants of this app at once.
    BreakerOpen {
        /// Since when.
        since: UnixMillis,
        /// When one grant asks again.
        retry: Deadline,
    },
    /// The API rejects a token that is younger than the last forced refresh: another would not help.
    ForcedRecently {
        /// When the next may be forced.
        retry: Deadline,
    },
}

/// Writes the intent to present, or says why not.
pub fn arm(row: &GrantRow, ask: &Ask<'_>) -> Result<(Change, Ticket), Hold> {
    if row.tokens.is_none() {
        return Err(Hold::SignedOut);
    }
    let own = row
        .intent
        .as_ref()
        .is_some_and(|intent| intent.owner == ask.instance);
    if let Some(intent) = row
        .intent
        .as_ref()
        .filter(|intent| !own && ask.dead != Some(intent.owner))
    {
        // Before all else: what another process brings may be what is wanted here. An intent of another
        // era cannot be timed; it holds until its owner is known to be dead, which after a restart of
        // the machine he is.
        let remaining = intent.lease_left(ask.store_now).unwrap_or(timing::LEASE);
        if !remaining.is_zero() {
            return Err(Hold::Held {
                by: intent.owner,
                remaining,
            });
        }
    }
    may_present(row, ask)?;
    let mut next = row.clone();
    let mut events = Vec::new();
    if let Some(intent) = &row.intent {
        // Whoever held it may have presented: from here on a refusal can be the echo of that.
        note_unanswered(&mut next, intent.armed_at, true);
        if !own {
            let what = What::TookOver {
                from: intent.owner,
                fence: intent.fence,
            };
            events.push(Event {
                at: ask.now.wall,
                epoch: row.epoch,
                what,
            });
        }
    }
    let fence = row.fence.next();
    let deadline = ask.store_now.after(timing::LEASE);
    next.fence = fence;
    next.intent = Some(Intent {
        fence,
        owner: ask.instance,
        attempt: ask.attempt,
        armed_at: ask.now.wall,
        deadline,
    });
    if ask.cause == Cause::Rejected {
        next.forced_until = Some(Deadline::after(ask.now, timing::FORCED_APART));
    }
    let ticket = Ticket {
        epoch: row.epoch,
        generation: row.generation,
        minting: row.minting,
        fence,
        owner: ask.instance,
        attempt: ask.attempt,
        deadline,
    };
    Ok((
        Change {
            row: next,
            events,
            forgets: false,
        },
        ticket,
    ))
}

/// Gives an intent that cannot be timed a deadline that can: from then on it lapses like any other.
///
/// Its deadline is of another era (the machine was started anew, and whose it was cannot be found out), or
/// further off than any lease (the store's clock was set back). Nobody presents under it for longer than
/// a lease by his own uptime, so one more lease from now is enough. `None` where there is nothing to do.
pub fn retime(row: &GrantRow, store_now: StoreInstant) -> Option<Change> {
    let intent = row.intent.as_ref()?;
    let same_era = intent.deadline.era == store_now.era;
    if same_era && intent.deadline.remaining(store_now) <= timing::LEASE {
        return None;
    }
    let mut next = row.clone();
    let deadline = store_now.after(timing::LEASE);
    next.intent = Some(Intent {
        deadline,
        ..intent.clone()
    });
    Some(Change {
        row: next,
        events: Vec::new(),
        forgets: false,
    })
}

/// Everything but the intent: where the grant and its app stand.
fn may_present(row: &GrantRow, ask: &Ask<'_>) -> Result<(), Hold> {
    let now = ask.now;
    let asked = ask.cause == Cause::Asked;
    if let Some(retry) = ask.app.throttled.filter(|until| !until.passed(now)) {
        return Err(Hold::Throttled { retry });
    }
    match &row.status {
        Status::SignedOut { .. } => return Err(Hold::SignedOut),
        Status::Reauthorize { reason, since } => {
            if !asked {
                return Err(Hold::Reauthorize {
                    reason: *reason,
                    since: *since,
                });
            }
        }
        // Before the breaker: its canary must not present it either.
        Status::Suspect(suspicion) if suspicion.restored && !asked => {
            return Err(Hold::Restored {
                since: suspicion.since,
            });
        }
        Status::Suspect(suspicion) if suspicion.imported && !asked => {
            return Err(Hold::Imported {
                since: suspicion.since,
            });
        }
        Status::Active | Status::Suspect(_) => {}
    }
    if let (Some(breaker), false, false) = (ask.app.open_breaker(now), asked, ask.canary) {
        let (since, retry) = (breaker.since, breaker.next_canary);
        return Err(Hold::BreakerOpen { since, retry });
    }
    if let Status::Suspect(suspicion) = &row.status {
        let may = asked || ask.canary || ask.app.explains(suspicion.since);
        if !may && !suspicion.next_probe.passed(now) {
            let (since, retry) = (suspicion.since, suspicion.next_probe);
            return Err(Hold::Suspect { since, retry });
        }
    }
    if let Some(trouble) = &row.trouble
        && !asked
        && !trouble.retry.passed(now)
    {
        let http_status = trouble.http_status;
        return Err(Hold::BackingOff {
            since: trouble.since,
            retry: trouble.retry,
            http_status,
        });
    }
    if let Some(retry) = row.forced_until
        && ask.cause == Cause::Rejected
        && !retry.passed(now)
    {
        return Err(Hold::ForcedRecently { retry });
    }
    Ok(())
}

/// Notes a presentation whose answer never came.
pub(super) fn note_unanswered(row: &mut GrantRow, at: UnixMillis, missing: bool) {
    let generation = row.generation;
    let before = row
        .unanswered
        .take()
        .filter(|unanswered| unanswered.generation == generation);
    row.unanswered = Some(match before {
        Some(before) => Unanswered {
            presentations: before.presentations.saturating_add(1),
            missing: before.missing || missing,
            ..before
        },
        None => Unanswered {
            generation,
            since: at,
            presentations: 1,
            missing,
        },
    });
}
