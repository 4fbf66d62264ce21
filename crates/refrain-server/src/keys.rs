//! The keys that callers show: checked against the store, and remembered for seconds.
//!
//! A key that was good two seconds ago is taken as it was, while one task asks the store again; after three
//! seconds nobody goes on without an answer. So a key that is revoked anywhere is refused here within five
//! seconds, and a request costs no read. A store that gives no answer says nothing about a key: what was
//! known before goes on.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use refrain::{
    Error, Grant, Refrain,
    access::{ApiKey, ApiKeyId, Grants, KeyHash, KeyRecord, Standing},
    keeper::{Problem, keys::KeyError},
    time::Uptime,
};

/// A key that was checked longer ago than this is checked again, behind the callers' backs.
const FRESH: Duration = Duration::from_secs(2);
/// And than this, before it is used.
const STALE: Duration = Duration::from_secs(3);
const _: () = assert!(
    STALE.as_secs() < 5,
    "a revoked key is refused within five seconds"
);
/// And with what is known from before this nobody is let in: no token that was at hand then lives any longer.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// So many are remembered; more than that are not in use at once.
const MOST: usize = 10_000;

/// The keys that were shown lately.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    known: RwLock<HashMap<ApiKeyId, Arc<Known>>>,
}

/// A key that the store knows.
#[derive(Debug)]
pub(crate) struct Known {
    record: KeyRecord,
    /// The grant that it reaches, where it is the only one.
    only: Option<Grant>,
    checked: AtomicI64,
    checking: AtomicBool,
}

impl Known {
    /// What the store has of it.
    pub(crate) fn record(&self) -> &KeyRecord {
        &self.record
    }

    /// The grant that it reaches, where it is the only one.
    pub(crate) fn only(&self) -> Option<&Grant> {
        self.only.as_ref()
    }

    fn age(&self, now: Uptime) -> Duration {
        now.since(Uptime(self.checked.load(Ordering::Relaxed)))
    }

    /// Whether it may be used without another look.
    pub(crate) fn is_fresh(&self, now: Uptime) -> bool {
        self.age(now) < FRESH
    }

    /// Whether it is time to check it again, and nobody is at it; whoever is told so does it.
    pub(crate) fn is_due(&self, now: Uptime) -> bool {
        !self.is_fresh(now) && !self.checking.swap(true, Ordering::AcqRel)
    }
}

impl Keys {
    /// What is known about a key that was checked moments ago; no I/O.
    pub(crate) fn at_hand(&self, key: &ApiKey, refrain: &Refrain) -> Option<Arc<Known>> {
        let parts = refrain.parts();
        let known = self.known(&key.id())?;
        let young = known.age(parts.clock.uptime()) < STALE;
        let same = || known.record.hash == KeyHash::of(key, &parts.sealer);
        (young && same()).then_some(known)
    }

    /// What the store knows about a key that somebody shows.
    ///
    /// # Errors
    /// [`KeyError::Refused`] where it is not valid; anything else is a fault, and then what was known
    /// before is answered, for an hour and not beyond the key's own end.
    pub(crate) async fn check(&self, key: &ApiKey, refrain: &Refrain) -> Result<Arc<Known>, Error> {
        let sealer = &refrain.parts().sealer;
        let before = self.known(&key.id());
        let now = refrain.parts().clock.now();
        let before = before.filter(|it| {
            it.record.hash == KeyHash::of(key, sealer)
                && it.record.standing(now.wall) == Standing::Valid
                && it.age(now.uptime) < FORGOTTEN
        });
        self.ask(key, refrain).await.or_else(|error| {
            let verdict = matches!(error.problem(), Problem::ApiKey(KeyError::Refused { .. }));
            before.filter(|_| !verdict).ok_or(error)
        })
    }

    /// Checks a key again that is in use meanwhile, once for everybody who uses it.
    pub(crate) async fn check_again(&self, key: ApiKey, known: Arc<Known>, refrain: Refrain) {
        if let Err(error) = self.ask(&key, &refrain).await {
            tracing::debug!(key = %key.id(), code = error.code(), "a key could not be checked again");
        }
        known.checking.store(false, Ordering::Release);
    }

    /// Asks the store, and remembers what it says.
    async fn ask(&self, key: &ApiKey, refrain: &Refrain) -> Result<Arc<Known>, Error> {
        let asked = refrain.parts().clock.uptime();
        let verified = refrain.verify_key(key).await;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let record = match verified {
            Ok(record) => record,
            Err(error) => {
                if matches!(error.problem(), Problem::ApiKey(KeyError::Refused { .. })) {
                    // Of another secret under a known id nothing follows for the known one.
                    let same = |it: &Arc<Known>| {
                        it.record.hash == KeyHash::of(key, &refrain.parts().sealer)
                    };
                    if known.get(&key.id()).is_some_and(same) {
                        known.remove(&key.id());
                    }
                }
                return Err(error);
            }
        };
        let only = match &record.grants {
            Grants::Only(names) if names.len() == 1 => names.first(),
            Grants::Only(_) | Grants::All => None,
        };
        let entry = Arc::new(Known {
            only: only.map(|name| refrain.grant_named(name)),
            record,
            checked: AtomicI64::new(asked.0),
            checking: AtomicBool::new(false),
        });
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key.id(), Arc::clone(&entry));
        Ok(entry)
    }

    /// Forgets a key that was revoked here: nobody has to wait for that to come around.
    pub(crate) fn forget(&self, id: &ApiKeyId) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.remove(id) {
            // Connections that remember it look again.
            known.checked.store(i64::MIN / 2, Ordering::Relaxed);
        }
    }

    fn known(&self, id: &ApiKeyId) -> Option<Arc<Known>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(id).map(Arc::clone)
    }
}
