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
/// While the breaker is open, one grant asks this often.
const CANARY: Duration = Duration::from_secs(60);

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
}

impl AppState {
    /// Notes an early refusal of one grant among `grants`.
    #[must_use]
    pub fn refused(&self, grant: &GrantId, grants: usize, now: &Moment) -> Self {
        let mut next = self.clone();
        next.refusals
            .retain(|(other, at)| other != grant.as_str() && now.wall.since(*at) < WINDOW);
        next.refusals.push((grant.as_str().to_owned(), now.wall));
        let threshold = THRESHOLD.max(grants / SHARE);
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

    /// Notes that the token endpoint wants to be left alone.
    #[must_use]
    pub fn throttled(&self, wait: Duration, now: &Moment) -> Self {
        Self {
            throttled: Some(Deadline::after(now, wait)),
            ..self.clone()
        }
    }

    /// Claims the canary's turn, where it is due.
    #[must_use]
    pub fn claim_canary(&self, now: &Moment) -> Option<Self> {
        let breaker = self
            .breaker
            .as_ref()
            .filter(|breaker| breaker.next_canary.passed(now))?;
        let breaker = Breaker {
            next_canary: Deadline::after(now, CANARY),
            ..breaker.clone()
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
