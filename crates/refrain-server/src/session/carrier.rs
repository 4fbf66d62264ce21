//! Sessions whose browsers carry their tokens themselves, while they are in use.
//!
//! What a browser shows is taken into a store in memory, and served by a refrain of its own on that: of fifty
//! requests with one old cookie one refreshes, and all fifty are answered with the same successor. What is in
//! memory is what the newest cookie has. So an old one takes nothing back, and an answer that does not arrive
//! loses nothing while this process lives. A cookie is only ever replaced by a newer one, and taken away by
//! nothing but a logout.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::HeaderValue;
use refrain::{
    Error, Grant, Refrain,
    id::GrantName,
    keeper::{
        Parts, Problem,
        carried::{Carried, Step},
        sessions::SessionError,
    },
    random::RandomError,
    seal::{DeploymentId, Keyring, SealError, Sealer},
    session::{Incarnation, SessionId},
    store::memory::MemoryStore,
    time::{UnixMillis, Uptime},
};

use super::sealed::{self, Belongs, SealingError, Times};
use crate::{
    cookie,
    shown::{Remembered, Shown},
};

/// A session that is not used for so long is forgotten, once its browser has shown the newest cookie.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// And where it has not: the answer with that may have been lost.
const UNSEEN: Duration = Duration::from_secs(24 * 60 * 60);
/// So often those are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// A cookie is made anew when it is so old, so that its session lives while it is used.
const SLIDE: Duration = Duration::from_secs(24 * 60 * 60);

/// A session as its browser shows it.
#[derive(Debug, Clone)]
pub(crate) struct Opened(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    carried: Carried,
    times: Times,
    belongs: Belongs,
}

impl Opened {
    pub(super) fn session(&self) -> &SessionId {
        &self.0.carried.session
    }

    pub(super) fn carried(&self) -> &Carried {
        &self.0.carried
    }

    pub(super) fn times(&self) -> &Times {
        &self.0.times
    }
}

/// What the store has of it: nothing, unless it is signed out; and whether it still is in the same life.
impl Shown for Opened {
    type Id = SessionId;
    type Record = Times;

    fn id(&self) -> SessionId {
        self.session().clone()
    }

    fn is_of(&self, _: &Times, _: &Sealer) -> bool {
        true
    }

    fn is_valid(times: &Times, now: UnixMillis) -> bool {
        now < times.ends
    }

    fn only(_: &Times) -> Option<&GrantName> {
        None
    }

    fn is_verdict(problem: &Problem) -> bool {
        matches!(problem, Problem::Session(SessionError::Unknown))
    }

    async fn verify(&self, refrain: &Refrain) -> Result<Times, Error> {
        let times = self.times();
        let going_on = refrain.check_session_goes_on(self.session(), times.began_in);
        going_on.await?;
        Ok(*times)
    }
}

/// What is known of a session in use.
#[derive(Debug)]
struct InUse {
    /// When it was shown last.
    at: Uptime,
    /// The newest step that was shown.
    seen: Step,
    /// The newest cookie that was made here.
    newest: Option<Newest>,
}

#[derive(Debug, Clone)]
struct Newest {
    step: Step,
    issued_at: UnixMillis,
    belongs: Belongs,
    header: HeaderValue,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Carrier {
    refrain: Refrain,
    store: Arc<MemoryStore>,
    /// What seals the cookies: the store's own, which outlives this process.
    cookies: Refrain,
    going_on: Arc<Remembered<Opened>>,
    in_use: Mutex<HashMap<SessionId, InUse>>,
    swept: Mutex<Uptime>,
}

impl Carrier {
    /// Begins beside a refrain, which it shares all with but its store.
    pub(crate) fn new(beside: &Refrain) -> Result<Self, Error> {
        let parts = beside.parts();
        let store = Arc::new(MemoryStore::new(Arc::clone(&parts.clock)));
        let sealer = ephemeral(parts).map_err(Problem::KeyCheck)?;
        let refrain = Refrain::carrying(Parts {
            store: Arc::clone(&store) as _,
            sealer,
            transport: Arc::clone(&parts.transport),
            clock: Arc::clone(&parts.clock),
            random: Arc::clone(&parts.random),
            provider: parts.provider.clone(),
            apps: parts.apps.clone(),
            network: parts.network.clone(),
        })?;
        Ok(Self {
            refrain,
            store,
            cookies: beside.clone(),
            going_on: Arc::default(),
            in_use: Mutex::default(),
            swept: Mutex::new(parts.clock.uptime()),
        })
    }

    /// What keeps the sessions that are in use.
    pub(crate) fn refrain(&self) -> &Refrain {
        &self.refrain
    }

    /// Which sessions are known to go on.
    pub(super) fn going_on(&self) -> &Arc<Remembered<Opened>> {
        &self.going_on
    }

    /// Opens a cookie; `None` where it is none of ours, or over.
    pub(super) fn open(&self, text: &str, belongs: Belongs) -> Option<Opened> {
        let parts = self.cookies.parts();
        let (carried, times) = sealed::open(text, &belongs, &parts.sealer)?;
        let inside = Inside {
            carried,
            times,
            belongs,
        };
        (!times.is_over(parts.clock.wall())).then(|| Opened(Arc::new(inside)))
    }

    /// The grant of a session that goes on.
    pub(super) async fn take_in(&self, opened: &Opened) -> Result<Grant, Error> {
        // Noted first: what is in use is not forgotten.
        self.note(opened);
        self.refrain.take_in(opened.carried()).await
    }

    fn note(&self, opened: &Opened) {
        let (at, step) = (self.cookies.parts().clock.uptime(), opened.carried().step);
        let mut in_use = self.in_use();
        let entry = in_use
            .entry(opened.session().clone())
            .or_insert_with(|| InUse {
                at,
                seen: step,
                newest: None,
            });
        entry.at = at;
        entry.seen = entry.seen.max(step);
    }

    /// The first cookie of a session.
    pub(super) fn begin(
        &self,
        carried: &Carried,
        began_in: Incarnation,
        belongs: &Belongs,
    ) -> Result<Option<HeaderValue>, SealingError> {
        let now = self.cookies.parts().clock.wall();
        self.make(carried, &Times::beginning(now, began_in), belongs)
    }

    /// The cookie that is to take the place of the one that was shown; `None` where that is as new as any,
    /// or none can be made.
    pub(super) async fn successor(&self, opened: &Opened) -> Option<HeaderValue> {
        let session = opened.session();
        let step = self.refrain.step_of(session).await.ok().flatten()?;
        let now = self.cookies.parts().clock.wall();
        let shown = opened.times();
        let old = |issued_at: UnixMillis| now.since(issued_at) >= SLIDE;
        if step <= opened.carried().step && !old(shown.issued) {
            return None;
        }
        let carried = self.refrain.carried(session).await.ok().flatten()?;
        let mut in_use = self.in_use();
        let entry = in_use.get_mut(session)?;
        let good = |it: &&Newest| {
            it.step >= carried.step && it.belongs == opened.0.belongs && !old(it.issued_at)
        };
        if let Some(newest) = entry.newest.as_ref().filter(good) {
            return Some(newest.header.clone());
        }
        let times = shown.used(now);
        let made = self.make(&carried, &times, &opened.0.belongs);
        let header = made.unwrap_or_else(|error| {
            // It goes on from memory.
            tracing::warn!(%session, %error, "a session could not be given its new cookie");
            None
        })?;
        entry.newest = Some(Newest {
            step: carried.step,
            issued_at: now,
            belongs: opened.0.belongs.clone(),
            header: header.clone(),
        });
        Some(header)
    }

    fn make(
        &self,
        carried: &Carried,
        times: &Times,
        belongs: &Belongs,
    ) -> Result<Option<HeaderValue>, SealingError> {
        let parts = self.cookies.parts();
        let by = (&parts.sealer, parts.random.as_ref());
        let text = sealed::seal(carried, times, belongs, by)?;
        let life = times.ends.since(times.issued).as_secs();
        Ok(cookie::set(&belongs.name, &text, belongs.secure, life))
    }

    /// Forgets a session that is over.
    pub(super) fn abandon(&self, session: &SessionId) {
        self.going_on.forget(session);
        let mut in_use = self.in_use();
        if let Ok(name) = Carried::grant_of(session)
            && self.store.forget(&name, |_| true)
        {
            in_use.remove(session);
            self.refrain.let_session_go(session);
        }
    }

    /// Whether it is time to look for sessions that are not in use any more; whoever is told so does it.
    pub(super) fn is_to_sweep(&self) -> bool {
        let now = self.cookies.parts().clock.uptime();
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let due = now.since(*swept) >= SWEEP;
        if due {
            *swept = now;
        }
        due
    }

    /// Forgets them.
    pub(super) fn sweep(&self) {
        let now = self.cookies.parts().clock.uptime();
        // Held all the while: whoever comes back meanwhile finds the session whole, or not at all.
        self.in_use().retain(|session, it| {
            let idle = now.since(it.at);
            if idle < IDLE {
                return true;
            }
            let Ok(name) = Carried::grant_of(session) else {
                return false;
            };
            let gone = self.store.forget(&name, |row| {
                idle >= UNSEEN || row.tokens.is_none() || Step::of(row) <= it.seen
            });
            if gone {
                self.refrain.let_session_go(session);
            }
            !gone
        });
    }

    fn in_use(&self) -> MutexGuard<'_, HashMap<SessionId, InUse>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sealer for this process alone.
fn ephemeral(parts: &Parts) -> Result<Sealer, SealError> {
    let random = parts.random.as_ref();
    let made = || -> Result<_, RandomError> {
        Ok((Keyring::random(random)?, DeploymentId::random(random)?))
    };
    let (keyring, deployment) = made()?;
    let (sealer, _) = Sealer::found(keyring, deployment, random)?;
    Ok(sealer)
}

#[cfg(test)]
mod tests;
