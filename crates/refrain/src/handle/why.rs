//! Why a grant is as it is, and what happens next: what `refrain why` tells, and the server's story.

use std::time::Duration;

use super::{Grant, Summary};
use crate::{
    keeper::Error,
    lifecycle::{Event, GrantRow, Status, app::AppState, timing},
    limit::Gate,
    time::{Deadline, Moment, UnixMillis},
};

/// A grant with its story, as stored at one instant.
#[derive(Debug, Clone)]
pub struct Why {
    /// The grant; the secrets in it are sealed.
    pub row: GrantRow,
    /// What happened to it, oldest first.
    pub events: Vec<Event>,
    /// What is known about its app.
    pub app: AppState,
    /// The limit of the Web API that holds its requests up.
    pub limit: Option<Gate>,
    /// The instant.
    pub now: Moment,
}

/// What happens next to a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// What, in words that an instant can follow.
    pub what: String,
    /// When, where it is known.
    pub at: Option<UnixMillis>,
}

impl Grant {
    /// Everything that explains how it stands.
    pub async fn why(&self) -> Result<Why, Error> {
        let row = self.row().await?;
        let parts = self.keeper.parts();
        let app = parts.store.app_state(&row.app).await?.value;
        let gates = parts.store.limits().await?;
        let gates: Vec<Gate> = gates.into_iter().map(|gate| gate.value).collect();
        let now = parts.clock.now();
        let limit = Gate::holding(&gates, &row.app, &parts.developer(&row.app), &now).cloned();
        Ok(Why {
            events: self.story().await?,
            app,
            limit,
            now,
            row,
        })
    }
}

impl Why {
    /// The grant as it stands in the list of all.
    pub fn summary(&self) -> Summary {
        Summary::of(self.row.clone(), &self.now)
    }

    /// When the newest access token expires, or expired.
    pub fn token_end(&self) -> Option<UnixMillis> {
        let access = self.row.tokens.as_ref()?.access.as_ref()?;
        let remaining = access.expires.remaining(&self.now);
        Some(if remaining.is_zero() {
            access.expires.wall.min(self.now.wall)
        } else {
            self.now.wall.after(remaining)
        })
    }

    /// What happens next, and when.
    pub fn next(&self) -> Next {
        let row = &self.row;
        let login = || format!("nothing, until somebody runs `refrain login {}`", row.name);
        match &row.status {
            Status::SignedOut { .. } | Status::Reauthorize { .. } => return next(login(), None),
            Status::Suspect(_) if row.status.is_unproven() => {
                let name = &row.name;
                let what = format!(
                    "nothing, until somebody tries the token (`refrain refresh {name}`) or the user signs in \
                     again"
                );
                return next(what, None);
            }
            Status::Active | Status::Suspect(_) => {}
        }
        self.attempt().unwrap_or_else(|| self.ahead())
    }

    /// What is in the way of the next refresh, or at it.
    fn attempt(&self) -> Option<Next> {
        let row = &self.row;
        let at = |deadline: &Deadline| Some(self.now.wall.after(deadline.remaining(&self.now)));
        let ahead = |it: &&Deadline| !it.passed(&self.now);
        if let Some(intent) = &row.intent {
            let what = format!(
                "process {} is refreshing it (since {}), or was interrupted and its work is taken over",
                intent.owner, intent.armed_at
            );
            return Some(next(what, None));
        }
        if let Some(throttled) = self.app.throttled.as_ref().filter(ahead) {
            let what = "Spotify wants this app to wait; no refresh before";
            return Some(next(what, at(throttled)));
        }
        if let Status::Suspect(suspicion) = &row.status {
            let what = "the same token is presented again, when a token is asked for, from";
            return Some(next(what, at(&suspicion.next_probe)));
        }
        if let Some(breaker) = &self.app.breaker {
            let what = "Spotify is refusing many logins; one grant asks whether it is over, from";
            return Some(next(what, at(&breaker.next_canary)));
        }
        let trouble = row.trouble.as_ref().map(|trouble| &trouble.retry);
        let retry = trouble.filter(ahead)?;
        let what = "the refresh is tried again, when a token is asked for, from";
        Some(next(what, at(retry)))
    }

    /// Where nothing is in the way: the refresh ahead of the token's end.
    fn ahead(&self) -> Next {
        let tokens = self.row.tokens.as_ref();
        let due = tokens
            .and_then(|tokens| tokens.access.as_ref())
            .and_then(|access| {
                let life = Duration::from_millis(access.life_millis.unsigned_abs());
                let left = access.expires.remaining(&self.now);
                let until_due = left.saturating_sub(timing::ahead(life));
                (!until_due.is_zero()).then(|| self.now.wall.after(until_due))
            });
        let what = match due {
            Some(_) => {
                "the access token is served from here; it is refreshed, when asked for, from"
            }
            None => "it is refreshed as soon as a token is asked for",
        };
        next(what, due)
    }
}

fn next(what: impl Into<String>, at: Option<UnixMillis>) -> Next {
    let what = what.into();
    Next { what, at }
}
