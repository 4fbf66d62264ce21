//! Reading a file of another program: as it is, and no more than it can be.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use refrain::time::UnixMillis;
use zeroize::Zeroizing;

use super::fault;
use crate::report::Explanation;

/// Larger than any of these files: a export of ten thousand users has less.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What is in a file.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) path: PathBuf,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// When it was written last: what is in it is no younger.
    pub(super) written: Option<UnixMillis>,
    /// Its permission bits.
    pub(super) mode: u32,
}

pub(super) fn read(path: &Path) -> Result<Content, Explanation> {
    let unreadable = |error: &io::Error| fault::unreadable(path, error);
    // Asked before it is opened: nobody may ever write into a pipe.
    let kind = fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !kind.is_file() {
        return Err(fault::no_file(path));
    }
    let mut file = File::open(path).map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if metadata.len() > LARGEST {
        return Err(fault::too_large(path));
    }
    // Sized once, so that no copy of a secret is left behind by growing.
    let size = usize::try_from(metadata.len()).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.saturating_add(1)));
    let read = file.by_ref().take(metadata.len()).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(&error))?;
    Ok(Content {
        path: path.to_owned(),
        bytes,
        written: written(&metadata),
        mode: metadata.mode() & 0o777,
    })
}

fn written(metadata: &fs::Metadata) -> Option<UnixMillis> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(UnixMillis)
}

/// A file in the folder of this user's caches.
pub(super) fn in_caches(file: &str) -> Result<PathBuf, Explanation> {
    let absolute = |name| {
        let folder = std::env::var_os(name).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|folder| folder.join(file))
        .ok_or_else(|| Explanation::usage("no file is named", "name the file"))
}
