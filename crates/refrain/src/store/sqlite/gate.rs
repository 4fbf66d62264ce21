//! Who has the database open: each process holds a shared lock on one file beside it, and whoever
//! replaces the database holds it alone. The file lies in the folder of the instances, so that it is
//! there when the database is missing or damaged.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

use crate::{
    files::private_folder,
    store::sqlite::{AGAIN, OPENING, files},
    time::Clock,
};

/// Held for as long as the database is open.
#[derive(Debug)]
pub(super) struct Gate(File);

/// Held while the database is replaced: nobody has it open, and whoever comes waits.
#[derive(Debug)]
pub(crate) struct Closed(#[expect(dead_code, reason = "the lock is what it is for")] File);

impl Gate {
    /// Comes in; waits a while for somebody who replaces the database.
    pub(super) async fn enter(database: &Path, clock: &dyn Clock) -> io::Result<Self> {
        let file = file(database)?;
        let begin = clock.uptime();
        loop {
            match file.try_lock_shared() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if clock.uptime().since(begin) > OPENING => {
                    return Err(io::Error::other("another process is restoring it"));
                }
                Err(TryLockError::WouldBlock) => clock.sleep(AGAIN).await,
            }
        }
    }

    /// Whether nobody else has the database open now.
    pub(super) fn alone(&self) -> io::Result<bool> {
        // Another process's shared lock stands in the way of an exclusive one; afterwards it is shared
        // again. In between nobody replaces the database: that takes the lock of the key file too.
        let alone = match flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => true,
            Err(rustix::io::Errno::WOULDBLOCK) => false,
            Err(error) => return Err(error.into()),
        };
        flock(&self.0, FlockOperation::LockShared)?;
        Ok(alone)
    }
}

impl Closed {
    /// Closes the gate; `None` where somebody stays inside.
    pub(crate) async fn close(database: &Path, clock: &dyn Clock) -> io::Result<Option<Self>> {
        const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);
        let file = file(database)?;
        let begin = clock.uptime();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::Error(error)) => return Err(error),
                // A short command may just be at work.
                Err(TryLockError::WouldBlock) if clock.uptime().since(begin) > PATIENCE => {
                    return Ok(None);
                }
                Err(TryLockError::WouldBlock) => clock.sleep(AGAIN).await,
            }
        }
    }
}

fn file(database: &Path) -> io::Result<File> {
    let folder = files::instances(database);
    let path = folder.join("open");
    // Read and not written: also where the disk is full, or lets nobody write.
    match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    private_folder(&folder)?;
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).open(path)
}
