//! Opening: the configured store, its master key, and the order that writes nothing under a wrong one.

use std::{path::Path, sync::Arc};

use crate::{
    config::{Config, KeySource, StoreLocation},
    custody,
    handle::Refrain,
    keeper::{Error, Parts, Problem},
    random::{Random, SystemRandom},
    seal::{DeploymentId, KeyFileError, Keyring, Sealer},
    store::{Identity, Store},
    time::{Clock, SystemClock},
    transport::HyperTransport,
};

#[cfg(feature = "postgres")]
use crate::store::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
use crate::store::sqlite::SqliteStore;

impl Refrain {
    /// Opens the configured store with its master key; makes both where there is neither. Refreshes that
    /// a process died over are taken up at once, in the background.
    ///
    /// # Errors
    /// A wrong or missing key is found before anything is written or sent.
    pub async fn open(config: Config) -> Result<Self, Error> {
        let refrain = Self::open_idle(config).await?;
        refrain.take_up_orphans();
        Ok(refrain)
    }

    /// The same without taking anything up: nothing is sent before the caller asks for it.
    pub async fn open_idle(config: Config) -> Result<Self, Error> {
        Self::open_or(config, Absent::Made).await
    }

    /// As [`open_idle`](Self::open_idle), for whoever only asks: where there is no store, none is made, and
    /// no key, so that a mistyped place is told and not taken for an empty one.
    ///
    /// # Errors
    /// [`Problem::NoStore`] where there is none.
    pub async fn open_existing(config: Config) -> Result<Self, Error> {
        Self::open_or(config, Absent::Told).await
    }

    async fn open_or(config: Config, absent: Absent) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let (store, sealer) = open_store(&config, &clock, random.as_ref(), absent).await?;
        let transport = HyperTransport::new(config.network.clone(), Arc::clone(&clock));
        Self::from_parts(Parts {
            store,
            sealer,
            transport: Arc::new(transport),
            clock,
            random,
            provider: config.provider,
            apps: config.apps,
            network: config.network,
        })
    }
}

/// What becomes of a store that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// It is made, and its key.
    Made,
    /// It is told.
    Told,
}

/// Opens the store and proves the key, in the order that writes nothing under a wrong one.
async fn open_store(
    config: &Config,
    clock: &Arc<dyn Clock>,
    random: &dyn Random,
    absent: Absent,
) -> Result<(Arc<dyn Store>, Sealer), Error> {
    if absent == Absent::Told && (is_new(config) || is_empty(config)) {
        let place = config.store.to_string();
        return Err(Problem::NoStore { place }.into());
    }
    let looked_in = config.sealing.key.path();
    let keyring = match Keyring::read(looked_in) {
        Err(error) if is_new(config) && !matches!(error, KeyFileError::Missing { .. }) => {
            return Err(error.into());
        }
        keyring => keyring,
    };
    let store = engine(config, clock).await?;
    if let Some(identity) = store.identity().await? {
        let sealer = custody::prove(keyring, looked_in, &identity)?;
        store.prepare().await?;
        return Ok((store, sealer));
    }
    if absent == Absent::Told {
        let place = config.store.to_string();
        return Err(Problem::NoStore { place }.into());
    }
    let keyring = match (keyring, &config.sealing.key) {
        (Ok(keyring), _) => keyring,
        (Err(KeyFileError::Missing { .. }), KeySource::File(path)) => make_key(path, random)?,
        (Err(error), _) => return Err(error.into()),
    };
    store.prepare().await?;
    let deployment = DeploymentId::random(random)?;
    let founded = Sealer::found(keyring.clone(), deployment, random);
    let (_, key_check) = founded.map_err(Problem::KeyCheck)?;
    // Of several first users one founds the store; the rest open what he has founded.
    let identity = store
        .found(Identity {
            deployment,
            key_check,
        })
        .await?;
    let sealer = Sealer::open(keyring, identity.deployment, &identity.key_check);
    let sealer = sealer.map_err(Problem::KeyCheck)?;
    Ok((store, sealer.reading(looked_in.to_owned())))
}

/// Whether there is no store yet that a key could be expected by.
fn is_new(config: &Config) -> bool {
    matches!(&config.store, StoreLocation::Sqlite(path) if !path.exists())
}

/// Whether there is a file with nothing in it: opening it would make a database of it.
fn is_empty(config: &Config) -> bool {
    let StoreLocation::Sqlite(path) = &config.store else {
        return false;
    };
    path.metadata().is_ok_and(|it| it.len() == 0)
}

/// Makes the key file; where another process has just made it, that one counts.
fn make_key(path: &Path, random: &dyn Random) -> Result<Keyring, Error> {
    match Keyring::create(path, random) {
        Ok(keyring) => Ok(keyring),
        Err(error) => Keyring::read(path).map_err(|_| error.into()),
    }
}

async fn engine(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Store>, Error> {
    match &config.store {
        #[cfg(feature = "sqlite")]
        StoreLocation::Sqlite(path) => {
            let store = SqliteStore::open(path, Arc::clone(clock)).await?;
            Ok(Arc::new(store))
        }
        #[cfg(feature = "postgres")]
        StoreLocation::Postgres(url) => {
            let instances = config.state_folder.as_ref().map(|it| it.join("instances"));
            let store = PostgresStore::open(url, clock.as_ref(), instances).await?;
            Ok(Arc::new(store))
        }
        #[cfg(not(feature = "sqlite"))]
        StoreLocation::Sqlite(_) => Err(Problem::NoSuchStore { kind: "SQLite" }.into()),
        #[cfg(not(feature = "postgres"))]
        StoreLocation::Postgres(_) => Err(Problem::NoSuchStore { kind: "PostgreSQL" }.into()),
    }
}
