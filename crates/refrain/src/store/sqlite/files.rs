//! The files around the database: their modes, and the lock that says a process lives.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    files::private_folder,
    id::InstanceId,
    store::{Liveness, StoreError},
};

/// Makes the database file for its owner alone, before SQLite makes it for everyone.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Refuses network file systems: their locks do not hold, and SQLite would corrupt the file.
pub(super) fn check_place(path: &Path) -> Result<(), StoreError> {
    let mut folder = path;
    while let Some(parent) = folder.parent() {
        folder = parent;
        if folder.exists() {
            break;
        }
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(stat) = rustix::fs::statfs(folder) {
        // linux/magic.h: NFS, SMB, CIFS, SMB2, AFS, Ceph, 9p.
        const NETWORK: [i64; 7] = [
            0x6969,
            0x517b,
            0xff53_4d42,
            0xfe53_4d42,
            0x5346_414f,
            0x00c3_6400,
            0x0102_1997,
        ];
        let kind = stat.f_type & 0xffff_ffff;
        if NETWORK.contains(&kind) {
            return Err(StoreError::Unsuitable {
                place: path.display().to_string(),
                why: "it lies on a network file system, where SQLite's locks do not hold"
                    .to_owned(),
            });
        }
    }
    Ok(())
}

pub(super) fn folder_is_writable(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(Path::new("."));
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Says what a file error means for its user.
pub(super) fn io_error(path: &Path, error: io::Error) -> StoreError {
    let place = path.display().to_string();
    let kind = error.kind();
    let source = Box::new(error);
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full { place, source }
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly { place, source }
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => StoreError::Unsuitable {
            place,
            why: source.to_string(),
        },
        _ => StoreError::Unavailable { place, source },
    }
}

/// A process that has made itself known: it holds a lock on a file of its own as long as it lives, and
/// the kernel lets go of it whatever way it dies. A process id would prove nothing.
#[derive(Debug)]
pub(super) struct Announced {
    path: PathBuf,
    _lock: File,
}

impl Announced {
    pub(super) fn new(database: &Path, instance: InstanceId) -> io::Result<Self> {
        let path = instance_file(database, instance);
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
            sweep(folder)?;
        }
        // Locked before it has its name, so that nobody sees it without its lock.
        let aside = path.with_extension("new");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)?;
        file.try_lock().map_err(io::Error::from)?;
        fs::rename(&aside, &path)?;
        Ok(Self { path, _lock: file })
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        // Left behind it does no harm: it is found unlocked, and swept away a day later.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

/// Whether the process behind an instance runs. Only its own unlocked file proves that it does not: a
/// missing one may have been swept away with the folder.
pub(super) fn liveness(database: &Path, instance: InstanceId) -> io::Result<Liveness> {
    let path = instance_file(database, instance);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Liveness::MayRun),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Liveness::Dead),
        Err(TryLockError::WouldBlock) => Ok(Liveness::MayRun),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes the files of processes that died long ago; their intents have lapsed or been taken over.
fn sweep(folder: &Path) -> io::Result<()> {
    const KEPT: Duration = Duration::from_secs(24 * 3600);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let age = entry
            .metadata()
            .and_then(|it| it.modified())
            .ok()
            .and_then(|it| it.elapsed().ok());
        if age.is_some_and(|age| age > KEPT)
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn instance_file(database: &Path, instance: InstanceId) -> PathBuf {
    let mut folder = database.as_os_str().to_owned();
    folder.push("-instances");
    PathBuf::from(folder).join(instance.to_string())
}
