//! A backup takes the store's place: looked through before anything is replaced, and with a mark on
//! every grant whose refresh token may have been replaced since.
//!
//! Under a provider that replaces refresh tokens, a backup's one may be long dead, and presenting a dead
//! one can end the whole authorization. So nobody but a person presents it.

use std::collections::BTreeMap;

use crate::{
    custody::CustodyError,
    id::{ApiKeyName, AppName, GrantName},
    keeper::Error,
    lifecycle::{self, GrantRow, Habit, Status},
    random::Random,
    session::Incarnation,
    store::{Store, Versioned, Written},
    time::Clock,
};

#[cfg(feature = "sqlite")]
pub use from_file::{Restoration, Restored};

const PAGE: u32 = 256;

/// What came with a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Grants that work as before.
    pub usable: Vec<GrantName>,
    /// Grants whose refresh token may have been replaced since: for a person to present.
    pub doubtful: Vec<GrantName>,
    /// Grants without a token, or that needed a login when the backup was made.
    pub others: Vec<GrantName>,
    /// API keys that are not revoked in it: those that were revoked since are valid again.
    pub keys: Vec<ApiKeyName>,
}

/// Takes every grant of a store over from a backup. Nobody may work with the store meanwhile.
pub async fn take_over(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Taken, CustodyError> {
    let habits = habits(store).await?;
    let mut taken = Taken::default();
    let mut after = None;
    while let Some(page) = page(store, after.as_ref()).await? {
        for row in page {
            after = Some(row.value.name.clone());
            let doubtful = is_doubtful(&row.value, &habits);
            let list = match row.value.status {
                Status::Active | Status::Suspect(_) if doubtful => &mut taken.doubtful,
                Status::Active | Status::Suspect(_) => &mut taken.usable,
                Status::Reauthorize { .. } | Status::SignedOut { .. } => &mut taken.others,
            };
            list.push(row.value.name.clone());
            mark(store, row, doubtful, clock).await?;
        }
    }
    // Who has signed out since the backup stays signed out, also where their browser carries its tokens.
    let next = Incarnation::random(random).map_err(Error::from)?;
    store.end_all_sessions(next).await?;
    let keys = store.api_keys().await?.into_iter();
    let live = keys.filter(|key| key.revoked_at.is_none());
    taken.keys = live.map(|key| key.name).collect();
    Ok(taken)
}

async fn mark(
    store: &dyn Store,
    mut row: Versioned<GrantRow>,
    doubtful: bool,
    clock: &dyn Clock,
) -> Result<(), CustodyError> {
    while let Some(change) = lifecycle::restored(&row.value, doubtful, &clock.now()) {
        if let Written::Durably(_) = store.replace(row.version, &change).await? {
            break;
        }
        match store.grant(&row.value.name).await? {
            Some(newer) => row = newer,
            None => break,
        }
    }
    Ok(())
}

/// What the grants of each app have seen of the provider, taken together.
async fn habits(store: &dyn Store) -> Result<BTreeMap<AppName, Habit>, CustodyError> {
    let mut habits = BTreeMap::new();
    let mut after = None;
    while let Some(page) = page(store, after.as_ref()).await? {
        for row in page {
            after = Some(row.value.name.clone());
            let seen = lifecycle::habit(&row.value);
            let habit = habits.entry(row.value.app).or_insert(Habit::Unknown);
            *habit = match (*habit, seen) {
                (Habit::Replaces, _) | (_, Habit::Replaces) => Habit::Replaces,
                (Habit::Keeps, _) | (_, Habit::Keeps) => Habit::Keeps,
                (Habit::Unknown, Habit::Unknown) => Habit::Unknown,
            };
        }
    }
    Ok(habits)
}

/// A grant that was never refreshed is judged by the others of its app, and doubted where there are none.
fn is_doubtful(row: &GrantRow, habits: &BTreeMap<AppName, Habit>) -> bool {
    match lifecycle::habit(row) {
        Habit::Replaces => true,
        Habit::Keeps => false,
        Habit::Unknown => habits.get(&row.app) != Some(&Habit::Keeps),
    }
}

async fn page(
    store: &dyn Store,
    after: Option<&GrantName>,
) -> Result<Option<Vec<Versioned<GrantRow>>>, CustodyError> {
    let page = store.grants(after, PAGE).await?;
    Ok((!page.is_empty()).then_some(page))
}

#[cfg(feature = "sqlite")]
mod from_file {
    use std::{
        path::{Path, PathBuf},
        sync::Arc,
    };

    use super::{Taken, page, take_over};
    use crate::{
        config::KeySource,
        custody::{
            CustodyError,
            backup::same_file,
            prove,
            replacement::{Successor, beside, settle},
        },
        id::GrantName,
        lifecycle::GrantRow,
        random::SystemRandom,
        seal::{Field, KeyFileLock, Keyring, Owner, SealError, Sealer},
        store::{
            Store as _,
            sqlite::{Closed, SqliteStore, check_place, inspect},
        },
        time::Clock,
    };

    /// A backup that has been looked through and waits to take the store's place; dropped before that,
    /// it leaves nothing.
    #[derive(Debug)]
    pub struct Restoration {
        successor: Successor,
        database: PathBuf,
        taken: Taken,
        clock: Arc<dyn Clock>,
        /// Nobody replaces the key meanwhile.
        _key: Option<KeyFileLock>,
    }

    /// What was done.
    #[derive(Debug, Clone)]
    pub struct Restored {
        /// The grants.
        pub taken: Taken,
        /// Where the store before is kept; `None` where there was none.
        pub kept: Option<PathBuf>,
    }

    impl Restoration {
        /// Copies a backup beside the database, and looks through it: it has to be a sound store of a
        /// layout that is known, and everything in it has to open with the present key. Nothing is
        /// replaced.
        pub async fn prepare(
            file: &Path,
            database: &Path,
            key: &KeySource,
            clock: Arc<dyn Clock>,
        ) -> Result<Self, CustodyError> {
            check_place(database)?;
            check_file(file, database)?;
            let key_lock = match key {
                // Where it cannot be locked, it cannot be replaced either.
                KeySource::File(path) => match KeyFileLock::take(path) {
                    Ok(lock) => Some(lock.ok_or(CustodyError::Busy)?),
                    Err(_) => None,
                },
                KeySource::Credential(_) => None,
            };
            let database = settle(database).map_err(CustodyError::file(database, "written"))?;
            let nobody = nobody_inside(&database, clock.as_ref()).await?;
            let successor = Successor::copy_of(file, &database).map_err(CustodyError::file(
                &beside(&database, ".incoming"),
                "written",
            ))?;
            drop(nobody);
            let named = |error| rename(error, &successor.path, file);
            inspect(&successor.path)
                .await
                .map_err(|error| named(error.into()))?;
            let looked = Self::look_through(&successor, key, &clock).await;
            let taken = looked.map_err(named)?;
            Ok(Self {
                successor,
                database,
                taken,
                clock,
                _key: key_lock,
            })
        }

        async fn look_through(
            successor: &Successor,
            key: &KeySource,
            clock: &Arc<dyn Clock>,
        ) -> Result<Taken, CustodyError> {
            let store = SqliteStore::open_alone(&successor.path, Arc::clone(clock)).await?;
            let taken = async {
                let path = key.path();
                let Some(identity) = store.identity().await? else {
                    return Ok(Taken::default());
                };
                let sealer = prove(Keyring::read(path), path, &identity)?;
                store.prepare().await?;
                all_open(&store, &sealer, &successor.path).await?;
                take_over(&store, clock.as_ref(), &SystemRandom).await
            }
            .await;
            store.close().await;
            taken
        }

        /// What will be there.
        pub fn taken(&self) -> &Taken {
            &self.taken
        }

        /// The store that is replaced, where there is one.
        pub fn replaces(&self) -> Option<&Path> {
            self.database.exists().then_some(&self.database)
        }

        /// Replaces the store.
        ///
        /// # Errors
        /// Where a process has the store open.
        pub async fn carry_out(self) -> Result<Restored, CustodyError> {
            let _nobody = nobody_inside(&self.database, self.clock.as_ref()).await?;
            let kept = self.successor.take_place(Arc::clone(&self.clock)).await;
            let kept = kept.map_err(CustodyError::file(&self.database, "replaced"))?;
            Ok(Restored {
                taken: self.taken,
                kept,
            })
        }
    }

    async fn nobody_inside(database: &Path, clock: &dyn Clock) -> Result<Closed, CustodyError> {
        let closed = Closed::close(database, clock).await;
        let closed = closed.map_err(CustodyError::file(database, "locked"))?;
        closed.ok_or_else(|| CustodyError::InUse {
            path: database.to_owned(),
        })
    }

    fn check_file(file: &Path, database: &Path) -> Result<(), CustodyError> {
        let path = file.to_owned();
        if !file.exists() {
            return Err(CustodyError::Missing { path });
        }
        let why = if !file.is_file() {
            "it is no file"
        } else if same_file(file, database) {
            "it is the store itself"
        } else if beside(file, "-wal")
            .metadata()
            .is_ok_and(|log| log.len() > 0)
        {
            "a log lies beside it, so it is a store that is in use or was copied by hand"
        } else {
            return Ok(());
        };
        Err(CustodyError::NoBackup { path, why })
    }

    /// Everything that is sealed has to open: whatever would be missed later is named now.
    async fn all_open(
        store: &SqliteStore,
        sealer: &Sealer,
        path: &Path,
    ) -> Result<(), CustodyError> {
        let mut grants = Vec::new();
        let mut after: Option<GrantName> = None;
        while let Some(page) = page(store, after.as_ref()).await? {
            for row in page {
                if let Err(error) = opens(&row.value, sealer) {
                    grants.push((row.value.name.clone(), error.to_string()));
                }
                after = Some(row.value.name);
            }
        }
        let path = path.to_owned();
        if grants.is_empty() {
            return Ok(());
        }
        Err(CustodyError::Damaged { path, grants })
    }

    fn opens(row: &GrantRow, sealer: &Sealer) -> Result<(), SealError> {
        let Some(tokens) = &row.tokens else {
            return Ok(());
        };
        let key = sealer.open_data_key(&Owner::of(row), &tokens.data_key)?;
        key.open(Field::RefreshToken, row.generation.0, &tokens.refresh)?;
        if let Some(access) = &tokens.access {
            key.open(Field::AccessToken, row.minting.0, &access.sealed)?;
        }
        for candidate in &row.candidates {
            key.open(Field::Candidate, candidate.fence.0, &candidate.sealed)?;
        }
        Ok(())
    }

    /// An error about the copy, as one about the file that the user knows.
    fn rename(error: CustodyError, copy: &Path, file: &Path) -> CustodyError {
        match error {
            CustodyError::Damaged { grants, .. } => CustodyError::Damaged {
                path: file.to_owned(),
                grants,
            },
            CustodyError::Refrain(error) => match error.problem() {
                crate::keeper::Problem::Store(store) => store.at(copy, file).into(),
                _ => error.into(),
            },
            other => other,
        }
    }
}
