//! A copy of a SQLite store, of one instant, while others go on writing.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    custody::{CustodyError, replacement::beside},
    store::{
        Store as _,
        sqlite::{SqliteStore, inspect},
    },
    time::Clock,
};

/// What was copied.
#[derive(Debug, Clone)]
pub struct BackedUp {
    /// Where to.
    pub path: PathBuf,
    /// How many grants.
    pub grants: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// Copies a store into a new file, or over an old one where `force` says so. The copy appears under its
/// name when it is whole and has been looked through.
pub async fn backup(
    database: &Path,
    to: &Path,
    force: bool,
    clock: Arc<dyn Clock>,
) -> Result<BackedUp, CustodyError> {
    if !database.exists() {
        let path = database.to_owned();
        return Err(CustodyError::Missing { path });
    }
    let folder = match to.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let path = folder.to_owned();
        return Err(CustodyError::NoFolder { path });
    }
    let exists = fs::symlink_metadata(to).is_ok();
    let same = exists && same_file(database, to);
    if same || to.is_dir() || (exists && !force) {
        let path = to.to_owned();
        return Err(CustodyError::Exists { path });
    }
    let aside = Aside::new(beside(to, ".incomplete"))?;
    let store = SqliteStore::open(database, clock).await?;
    if store.identity().await?.is_none() {
        let path = database.to_owned();
        return Err(CustodyError::Empty { path });
    }
    let before = store.contents().await?;
    store.copy_to(&aside.0).await?;
    let after = store.contents().await?;
    store.close().await;
    let copy = inspect(&aside.0).await?;
    // Grants are added and never taken away.
    let whole = copy.deployment == before.deployment
        && (before.grants..=after.grants).contains(&copy.grants);
    if !whole {
        let path = to.to_owned();
        let why = "its identity or its number of grants differs";
        return Err(CustodyError::BadCopy { path, why });
    }
    let bytes = aside.finish(to, folder, force)?;
    Ok(BackedUp {
        path: to.to_owned(),
        grants: copy.grants.unsigned_abs(),
        bytes,
    })
}

/// The copy under its other name; gone when it is dropped.
struct Aside(PathBuf);

impl Aside {
    /// Makes it for its owner alone, before SQLite makes it for everyone. One that is there was left by
    /// a run that was killed.
    fn new(path: PathBuf) -> Result<Self, CustodyError> {
        let aside = Self(path);
        aside.remove();
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        let made = options.open(&aside.0);
        made.map_err(CustodyError::file(&aside.0, "written"))?;
        Ok(aside)
    }

    /// Gives it its name; answers its size.
    fn finish(&self, to: &Path, folder: &Path, force: bool) -> Result<u64, CustodyError> {
        let named = || -> io::Result<u64> {
            let file = File::open(&self.0)?;
            file.sync_all()?;
            // Unlike a rename, a link does not take the place of a file that came meanwhile; not every
            // file system has links.
            match fs::hard_link(&self.0, to) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !force => {
                    return Err(error);
                }
                Err(_) => fs::rename(&self.0, to)?,
            }
            File::open(folder)?.sync_all()?;
            Ok(file.metadata()?.len())
        };
        named().map_err(CustodyError::file(to, "written"))
    }

    fn remove(&self) {
        for path in [self.0.clone(), beside(&self.0, "-journal")] {
            fs::remove_file(path).unwrap_or_default();
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Whether two paths lead to one file.
pub(super) fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |path| fs::metadata(path).map(|it| (it.dev(), it.ino())).ok();
    identity(one).is_some_and(|it| identity(other) == Some(it))
}
