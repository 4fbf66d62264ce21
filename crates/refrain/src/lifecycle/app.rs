//! What is known about an app as a whole: the provider's rate limit, and the breaker.
//!
//! One refused grant is that user's affair. Many refused within minutes, all long before their time,
//! are far more likely an outage at the provider: in 2022 one deleted most users of a service that
//! believed it. While the breaker is open no grant is condemned, and one grant at a time asks whether
//! the provider has recovered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    id::GrantId,
    time::{Deadline, Moment, UnixMillis},
};

/// Refusals count together when they come within this time.
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// So many early refusals, or one grant in twenty if that is more, open the breaker.
const THRESHOLD: usize = 5;
const SHARE: usize = 20;
/// However many grants there are: so many refusals are enough, and no more are kept.
const MOST: usize = 200;
/// Among more grants than these the share asks for no more refusals: nobody needs to count further.
pub(crate) const COUNTED: usize = MOST * SHARE;
/// While the breaker is open, one grant asks this often; the same one no sooner than this.
const CANARY: Duration = Duration::from_secs(60);
const SAME_CANARY: Duration = Duration::from_secs(10 * 60);
/// No outage that looks like this has lasted a day; after that refusals are judged one by one again.
const LONGEST_INCIDENT: Duration = Duration::from_secs(24 * 3600);

/// What all grants of one app share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppState {
    /// Until when the token endpoint wants to be left alone.
    pub throttled: Option<Deadline>,
    /// The early refusals of the last minutes, one per grant.
    refusals: Vec<(String, UnixMillis)>,
    /// The breaker, while it is open.
    pub breaker: Option<Breaker>,
    /// When the last incident began and ended.
    pub incident: Option<(UnixMillis, UnixMillis)>,
}

/// An open breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// The first refusal that led to it.
    pub since: UnixMillis,
    /// When the next grant may ask.
    pub next_canary: Deadline,
    /// Who asked last, and until when it is the others' turn.
    last_canary: Option<(String, Deadline)>,
}

impl AppState {
    /// Notes an early refusal of one grant among `grants`, which need not be counted further than the share matters.
    #[must_use]
    pub fn refused(&self, grant: &GrantId, grants: usize, now: &Moment) -> Self {
        let mut next = self.clone();
        next.refusals
            .retain(|(other, at)| other != grant.as_str() && now.wall.since(*at) < WINDOW);
        next.refusals.push((grant.as_str().to_owned(), now.wall));
        let excess = next.refusals.len().saturating_sub(MOST);
        next.refusals.drain(..excess);
        let threshold = THRESHOLD.max(grants / SHARE).min(MOST);
        if next.breaker.is_none() && next.refusals.len() >= threshold {
            let since = next
                .refusals
                .iter()
                .map(|(_, at)| *at)
                .min()
                .unwrap_or(now.wall);
            next.breaker = Some(Breaker {
                since,
                next_canary: Deadline::after(now, CANARY),
                last_canary: None,
            });
        }
        next
    }

    /// Notes that a grant was refreshed. Of an open breaker that is the end: the provider answers for
    /// the app again.
    #[must_use]
    pub fn granted(&self, now: &Moment) -> Self {
        let mut next = self.clone();
        if let Some(breaker) = next.breaker.take() {
            next.incident = Some((breaker.since, now.wall));
            next.refusals.clear();
        }
        next
    }

    /// Notes that the token endpoint wants to be left alone; a longer wait is not cut short.
    #[must_use]
    pub fn throttled(&self, wait: Duration, now: &Moment) -> Self {
        let until = Deadline::after(now, wait);
        let longer = self.throttled.filter(|before| before.remaining(now) > wait);
        Self {
            throttled: Some(longer.unwrap_or(until)),
            ..self.clone()
        }
    }

    /// The breaker, while it is open; for a day at most.
    pub fn open_breaker(&self, now: &Moment) -> Option<&Breaker> {
        let breaker = self.breaker.as_ref()?;
        (now.wall.since(breaker.since) < LONGEST_INCIDENT).then_some(breaker)
    }

    /// Claims the canary's turn for a grant, where it is due and another one's turn it is not.
    #[must_use]
    pub fn claim_canary(&self, grant: &GrantId, now: &Moment) -> Option<Self> {
        let breaker = self
            .breaker
            .as_ref()
            .filter(|breaker| breaker.next_canary.passed(now))?;
        let again =
            |(last, until): &(String, Deadline)| last == grant.as_str() && !until.passed(now);
        if breaker.last_canary.as_ref().is_some_and(again) {
            return None;
        }
        let breaker = Breaker {
            since: breaker.since,
            next_canary: Deadline::after(now, CANARY),
            last_canary: Some((grant.as_str().to_owned(), Deadline::after(now, SAME_CANARY))),
        };
        Some(Self {
            breaker: Some(breaker),
            ..self.clone()
        })
    }

    /// Whether a refusal at `since` belongs to an incident that is over, so that it may be verified at
    /// once.
    pub fn explains(&self, since: UnixMillis) -> bool {
        self.incident
            .is_some_and(|(from, to)| from <= since && since <= to)
    }
}
