//! What callers show, a key or a session: checked against the store, and remembered for seconds.
//!
//! One that was good two seconds ago is taken as it was, while one task asks the store again; after three
//! seconds nobody goes on without an answer. So what is revoked or signed out anywhere is refused here within
//! five seconds, and a request costs no read. A store that gives no answer says nothing about it: what was
//! known before goes on.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use refrain::{
    Error, Grant, Refrain,
    access::{ApiKey, ApiKeyId, Grants, KeyHash, KeyRecord, Standing},
    id::GrantName,
    keeper::{Problem, keys::KeyError, sessions::SessionError},
    seal::Sealer,
    session::{SessionHash, SessionId, SessionRecord, SessionToken, Whose},
    time::{UnixMillis, Uptime},
};

/// What was checked longer ago than this is checked again, behind the callers' backs.
const FRESH: Duration = Duration::from_secs(2);
/// And than this, before it is used.
const STALE: Duration = Duration::from_secs(3);
const _: () = assert!(
    STALE.as_secs() < 5,
    "a revoked key is refused within five seconds"
);
/// And with what is known from before this nobody is let in: no token that was at hand then lives any longer.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// So many are remembered.
const MOST: usize = 100_000;

/// What a caller shows.
pub(crate) trait Shown: Clone + Send + Sync + 'static {
    type Id: Clone + Eq + Hash + Debug + Send + Sync;
    type Record: Debug + Send + Sync;

    /// What names it; no secret.
    fn id(&self) -> Self::Id;

    /// Whether a record is of this one, and not of another with the same name.
    fn is_of(&self, record: &Self::Record, sealer: &Sealer) -> bool;

    /// Whether it is good as far as its record says.
    fn is_valid(record: &Self::Record, now: UnixMillis) -> bool;

    /// The grant that it reaches, where it is the only one.
    fn only(record: &Self::Record) -> Option<&GrantName>;

    /// Whether an error says that it is not good; any other says nothing about it.
    fn is_verdict(problem: &Problem) -> bool;

    /// Asks the store.
    fn verify(&self, refrain: &Refrain)
    -> impl Future<Output = Result<Self::Record, Error>> + Send;
}

impl Shown for ApiKey {
    type Id = ApiKeyId;
    type Record = KeyRecord;

    fn id(&self) -> ApiKeyId {
        Self::id(self)
    }

    fn is_of(&self, record: &KeyRecord, sealer: &Sealer) -> bool {
        record.hash == KeyHash::of(self, sealer)
    }

    fn is_valid(record: &KeyRecord, now: UnixMillis) -> bool {
        record.standing(now) == Standing::Valid
    }

    fn only(record: &KeyRecord) -> Option<&GrantName> {
        match &record.grants {
            Grants::Only(names) if names.len() == 1 => names.first(),
            Grants::Only(_) | Grants::All => None,
        }
    }

    fn is_verdict(problem: &Problem) -> bool {
        matches!(problem, Problem::ApiKey(KeyError::Refused { .. }))
    }

    async fn verify(&self, refrain: &Refrain) -> Result<KeyRecord, Error> {
        refrain.verify_key(self).await
    }
}

impl Shown for SessionToken {
    type Id = SessionId;
    type Record = SessionRecord;

    fn id(&self) -> SessionId {
        Self::id(self)
    }

    fn is_of(&self, record: &SessionRecord, sealer: &Sealer) -> bool {
        record.hash == SessionHash::of(self, sealer)
    }

    fn is_valid(record: &SessionRecord, now: UnixMillis) -> bool {
        !record.is_over(now)
    }

    fn only(record: &SessionRecord) -> Option<&GrantName> {
        match &record.whose {
            Whose::User(grant) => Some(grant),
            Whose::SignIn | Whose::Admin | Whose::SignedOut => None,
        }
    }

    fn is_verdict(problem: &Problem) -> bool {
        matches!(problem, Problem::Session(SessionError::Unknown))
    }

    async fn verify(&self, refrain: &Refrain) -> Result<SessionRecord, Error> {
        refrain.verify_session(self).await
    }
}

/// What was shown lately.
#[derive(Debug)]
pub(crate) struct Remembered<S: Shown> {
    known: RwLock<HashMap<S::Id, Arc<Known<S>>>>,
}

impl<S: Shown> Default for Remembered<S> {
    fn default() -> Self {
        let known = RwLock::default();
        Self { known }
    }
}

/// One that the store knows.
#[derive(Debug)]
pub(crate) struct Known<S: Shown> {
    record: S::Record,
    /// The grant that it reaches, where it is the only one.
    only: Option<Grant>,
    checked: AtomicI64,
    checking: AtomicBool,
}

impl<S: Shown> Known<S> {
    /// What the store has of it.
    pub(crate) fn record(&self) -> &S::Record {
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

impl<S: Shown> Remembered<S> {
    /// What is known about one that was checked moments ago; no I/O.
    pub(crate) fn at_hand(&self, shown: &S, refrain: &Refrain) -> Option<Arc<Known<S>>> {
        let parts = refrain.parts();
        let known = self.known(&shown.id())?;
        let young = known.age(parts.clock.uptime()) < STALE;
        (young && shown.is_of(&known.record, &parts.sealer)).then_some(known)
    }

    /// Whether this very one was good when it was last checked, however long ago.
    pub(crate) fn hold(&self, shown: &S, refrain: &Refrain) -> bool {
        let known = self.known(&shown.id());
        known.is_some_and(|known| shown.is_of(&known.record, &refrain.parts().sealer))
    }

    /// What the store knows about one that somebody shows.
    ///
    /// # Errors
    /// That it is not good; anything else is a fault, and then what was known before is answered, for an hour
    /// and not beyond its own end.
    pub(crate) async fn check(&self, shown: &S, refrain: &Refrain) -> Result<Arc<Known<S>>, Error> {
        let before = self.known(&shown.id());
        let now = refrain.parts().clock.now();
        let before = before.filter(|it| {
            shown.is_of(&it.record, &refrain.parts().sealer)
                && S::is_valid(&it.record, now.wall)
                && it.age(now.uptime) < FORGOTTEN
        });
        self.ask(shown, refrain).await.or_else(|error| {
            let verdict = S::is_verdict(error.problem());
            before.filter(|_| !verdict).ok_or(error)
        })
    }

    /// Checks one again that is in use meanwhile, once for everybody who uses it.
    pub(crate) async fn check_again(&self, shown: S, known: Arc<Known<S>>, refrain: Refrain) {
        if let Err(error) = self.ask(&shown, &refrain).await {
            let (id, code) = (shown.id(), error.code());
            tracing::debug!(?id, code, "what was shown could not be checked again");
        }
        known.checking.store(false, Ordering::Release);
    }

    /// Asks the store, and remembers what it says.
    async fn ask(&self, shown: &S, refrain: &Refrain) -> Result<Arc<Known<S>>, Error> {
        let asked = refrain.parts().clock.uptime();
        let verified = shown.verify(refrain).await;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let record = match verified {
            Ok(record) => record,
            Err(error) => {
                if S::is_verdict(error.problem()) {
                    // Of another secret under a known id nothing follows for the known one.
                    let sealer = &refrain.parts().sealer;
                    let same = |it: &Arc<Known<S>>| shown.is_of(&it.record, sealer);
                    if known.get(&shown.id()).is_some_and(same) {
                        known.remove(&shown.id());
                    }
                }
                return Err(error);
            }
        };
        let entry = Arc::new(Known {
            only: S::only(&record).map(|name| refrain.grant_named(name)),
            record,
            checked: AtomicI64::new(asked.0),
            checking: AtomicBool::new(false),
        });
        if known.len() >= MOST {
            // Of those that nobody shows just now nothing is lost but a read.
            known.retain(|_, it| it.is_fresh(asked));
            if known.len() >= MOST {
                known.clear();
            }
        }
        known.insert(shown.id(), Arc::clone(&entry));
        Ok(entry)
    }

    /// Forgets one that was revoked here: nobody has to wait for that to come around.
    pub(crate) fn forget(&self, id: &S::Id) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.remove(id) {
            // Connections that remember it look again.
            known.checked.store(i64::MIN / 2, Ordering::Relaxed);
        }
    }

    fn known(&self, id: &S::Id) -> Option<Arc<Known<S>>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(id).map(Arc::clone)
    }
}
