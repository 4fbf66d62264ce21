//! A database file takes the place of another: at every instant one of them is there, whole.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    custody::backup::same_file,
    files::{private_folder, remove},
    store::sqlite::SqliteStore,
    time::Clock,
};

/// A database's own file, and those of what it has not taken over yet.
const WHOLE: [&str; 3] = ["", "-wal", "-journal"];

/// A path with something behind its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// Where a database is, or will be: one name for one file, whatever links lead to it.
pub(super) fn settle(database: &Path) -> io::Result<PathBuf> {
    if database.exists() {
        return database.canonicalize();
    }
    let folder = match database.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    private_folder(folder)?;
    let name = database.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(folder.canonicalize()?.join(name))
}

/// A file beside the database that is to take its place; gone, with what SQLite puts beside it, when it
/// is dropped before it has.
#[derive(Debug)]
pub(super) struct Successor {
    pub(super) path: PathBuf,
    database: PathBuf,
}

impl Successor {
    /// Copies a file, for its owner alone. One that is there was left by a run that was killed.
    pub(super) fn copy_of(file: &Path, database: &Path) -> io::Result<Self> {
        let successor = Self {
            path: beside(database, ".incoming"),
            database: database.to_owned(),
        };
        successor.remove();
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        let mut to = options.open(&successor.path)?;
        io::copy(&mut File::open(file)?, &mut to)?;
        to.sync_all()?;
        Ok(successor)
    }

    /// Takes the database's place; answers under which name the old one is kept. Nobody may have the
    /// database open.
    pub(super) async fn take_place(&self, clock: Arc<dyn Clock>) -> io::Result<Option<PathBuf>> {
        if beside(&self.path, "-wal").exists() {
            return Err(io::Error::other("part of it is still in its log"));
        }
        File::open(&self.path)?.sync_all()?;
        // Nothing of the old store may stay in its log: it would be taken for the new one's.
        fold_log(&self.database, clock).await;
        let kept = keep(&self.database)?;
        for ending in ["-wal", "-shm", "-journal"] {
            remove(&beside(&self.database, ending))?;
        }
        fs::rename(&self.path, &self.database)?;
        sync_folder(&self.database)?;
        Ok(kept)
    }

    fn remove(&self) {
        for ending in ["", "-wal", "-shm", "-journal"] {
            remove(&beside(&self.path, ending)).unwrap_or_default();
        }
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Lets SQLite write the log into the database. Of a damaged one it cannot, and then the log is kept
/// beside it.
async fn fold_log(database: &Path, clock: Arc<dyn Clock>) {
    if !database.exists() || !beside(database, "-wal").exists() {
        return;
    }
    match SqliteStore::open_alone(database, clock).await {
        Ok(store) => store.close().await,
        Err(error) => tracing::debug!(code = error.code(), "the old store does not open"),
    }
}

/// Gives the database, and a log that is left, another name besides their own.
fn keep(database: &Path) -> io::Result<Option<PathBuf>> {
    let log = beside(database, "-wal");
    if !database.exists() && !log.exists() {
        return Ok(None);
    }
    let names = (1_u32..).map(|number| match number {
        1 => beside(database, ".before-restore"),
        _ => beside(database, &format!(".before-restore.{number}")),
    });
    // What an earlier restore has kept is not overwritten: it may be the one that is wanted. Nor is it
    // completed: a log beside another database than its own is written into that.
    let free = |name: &PathBuf| {
        WHOLE.iter().all(|ending| {
            let (kept, own) = (beside(name, ending), beside(database, ending));
            // A link that leads nowhere is taken too: it may lead somewhere later.
            kept.symlink_metadata().is_err() || same_file(&kept, &own)
        })
    };
    let Some(name) = names.into_iter().find(free) else {
        return Ok(None);
    };
    for ending in WHOLE {
        link(&beside(database, ending), &beside(&name, ending))?;
    }
    sync_folder(database)?;
    Ok(Some(name))
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without links.
        Err(_) => {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()
        }
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, what: &str) {
        fs::write(path, what).unwrap();
    }

    #[test]
    fn what_is_kept_never_gets_the_log_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("refrain.db");
        let kept = |number: &str| beside(&database, &format!(".before-restore{number}"));
        write(&database, "now");
        // Of the first only the log is left, of the second a link that leads nowhere.
        write(&beside(&kept(""), "-wal"), "of another");
        std::os::unix::fs::symlink("/nowhere", beside(&kept(".2"), "-journal")).unwrap();
        assert_eq!(keep(&database).unwrap(), Some(kept(".3")));
        // One that was broken off is gone on with, as long as it is the same.
        write(&beside(&database, "-wal"), "of now");
        assert_eq!(keep(&database).unwrap(), Some(kept(".3")));
        let log = fs::read_to_string(beside(&kept(".3"), "-wal")).unwrap();
        assert_eq!(log, "of now");
        fs::remove_file(beside(&database, "-wal")).unwrap();
        assert_eq!(keep(&database).unwrap(), Some(kept(".4")));
        assert_eq!(
            fs::read_to_string(beside(&kept(""), "-wal")).unwrap(),
            "of another"
        );
    }
}
