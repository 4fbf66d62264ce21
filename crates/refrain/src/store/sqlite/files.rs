//! The file and its folder: modes, and where a database may lie.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{files::private_folder, store::StoreError};

/// Where the processes on a database make themselves known.
pub(super) fn instances(database: &Path) -> PathBuf {
    let mut folder = database.as_os_str().to_owned();
    folder.push("-instances");
    PathBuf::from(folder)
}

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
pub(crate) fn check_place(path: &Path) -> Result<(), StoreError> {
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
    let source = Arc::new(error);
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
