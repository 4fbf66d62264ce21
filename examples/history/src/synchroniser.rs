//! The loop: look, add, wait.

use std::{convert::Infallible, sync::Arc, time::Duration};

use refrain::{Grant, Kind, Refrain, id::GrantName, keeper::Problem, time::Clock};

use crate::{
    history::{Gap, History},
    spotify::{REMEMBERED, Spotify, Trouble},
};

/// Asks again for what was played in so long before the newest play: devices report late now and then, and
/// where Spotify still has the newest play there is no gap behind it. In milliseconds.
const OVERLAP: i64 = 30 * 60 * 1000;
/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// How often it is looked whether a user has signed in. That asks the store, and nobody else.
const LOOK_FOR_LOGIN: Duration = Duration::from_secs(5);

/// Keeps one user's history.
#[derive(Debug)]
pub struct Synchroniser {
    grant: Grant,
    spotify: Spotify,
    history: History,
    clock: Arc<dyn Clock>,
    every: Duration,
    failures: u32,
    /// What was said last about what is in the way, so that it is said once.
    said: Option<String>,
}

impl Synchroniser {
    /// For the grant of this name, which need not exist yet; it is asked for so often.
    ///
    /// # Errors
    /// Where the system's TLS certificates cannot be read.
    pub fn new(
        refrain: &Refrain,
        grant: &GrantName,
        history: History,
        every: Duration,
    ) -> Result<Self, reqwest::Error> {
        let grant = refrain.grant_named(grant);
        Ok(Self {
            spotify: Spotify::new(&grant)?,
            grant,
            history,
            clock: Arc::clone(&refrain.parts().clock),
            every,
            failures: 0,
            said: None,
        })
    }

    /// Goes on for ever. Dropping the future stops it, at any place: what is not in the file yet is
    /// asked for again.
    pub async fn run(&mut self) -> Infallible {
        loop {
            let pause = self.step().await;
            self.clock.sleep(pause).await;
        }
    }

    /// Looks once, and answers how long to wait before the next time.
    pub async fn step(&mut self) -> Duration {
        match self.catch_up().await {
            Ok(new) => {
                if self.said.take().is_some() {
                    tracing::info!("it goes on");
                }
                if new > 0 {
                    tracing::info!("{new} new plays");
                }
                self.failures = 0;
                self.every
            }
            Err(trouble) => {
                let pause = self.pause(&trouble);
                self.say(&trouble);
                pause
            }
        }
    }

    /// Adds what has been played since the newest play in the file.
    async fn catch_up(&mut self) -> Result<u64, Trouble> {
        let known = self.history.newest().await?;
        let from = known.map(|newest| newest - OVERLAP);
        let mut plays = self.spotify.after(from).await?;
        let mut full = plays.len() >= REMEMBERED;
        // A full page may have left out older ones; they are asked for until one is known.
        while full
            && let Some(oldest) = plays.last().map(|play| play.played_at)
            && known.is_none_or(|known| oldest > known)
        {
            let older = self.spotify.before(oldest).await?;
            full = older.len() >= REMEMBERED;
            plays.extend(older);
        }
        let gap = gap(known, plays.last().map(|play| play.played_at), plays.len());
        let new = self.history.add(&plays, gap).await?;
        if let Some(Gap { after, before }) = gap {
            let minutes = (before - after) / 60_000;
            tracing::warn!("Spotify has forgotten plays of {minutes} minutes; the gap is noted");
        }
        Ok(new)
    }

    fn pause(&mut self, trouble: &Trouble) -> Duration {
        match trouble {
            Trouble::Limited { wait } => return *wait,
            Trouble::Token(error) if needs_login(error) => return LOOK_FOR_LOGIN,
            Trouble::Token(error) => {
                if let Some(at) = error.explain().retry_at {
                    return at.since(self.clock.wall()).max(FIRST_PAUSE);
                }
            }
            _ => {}
        }
        let longer = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        longer.min(self.every)
    }

    /// Says what is in the way, once, and what to do about it.
    fn say(&mut self, trouble: &Trouble) {
        let name = self.grant.name();
        let text = match trouble {
            Trouble::Token(error) if needs_login(error) => {
                format!("{error}. It goes on by itself after: refrain login {name}")
            }
            Trouble::Token(error) => format!("{error}. {}", error.explain().fix),
            Trouble::Refused { status, .. } if status.as_u16() == 403 => {
                let scope = "user-read-recently-played";
                format!("{trouble}. Perhaps: refrain login {name} --scope {scope}")
            }
            other => other.to_string(),
        };
        if self.said.as_ref() != Some(&text) {
            tracing::warn!("{text}");
            self.said = Some(text);
        }
    }
}

/// Whether only the user can help, by a login.
fn needs_login(error: &refrain::Error) -> bool {
    error.kind() == Kind::Reauthorize || matches!(error.problem(), Problem::UnknownGrant { .. })
}

/// More was played than is remembered, where all of that is newer than what is known.
fn gap(known: Option<i64>, oldest: Option<i64>, count: usize) -> Option<Gap> {
    let (after, before) = (known?, oldest?);
    (count >= REMEMBERED && before > after).then_some(Gap { after, before })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_where_all_that_is_remembered_is_newer() {
        let gap_is = Some(Gap {
            after: 5,
            before: 9,
        });
        assert_eq!(gap(Some(5), Some(9), REMEMBERED), gap_is);
        assert_eq!(gap(Some(5), Some(5), REMEMBERED), None, "it was reached");
        assert_eq!(gap(Some(5), Some(9), 1), None, "Spotify had no more");
        assert_eq!(gap(None, Some(9), REMEMBERED), None, "the beginning");
    }
}
