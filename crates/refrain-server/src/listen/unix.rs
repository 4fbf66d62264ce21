//! A Unix socket: for this machine, and for the users that the kernel vouches for.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net as std_unix,
    },
    path::{Path, PathBuf},
};

use tokio::net::UnixListener;

use super::refused;
use crate::server::StartError;

/// An open socket.
#[derive(Debug)]
pub(crate) struct UnixSocket {
    /// Its file, where it has made it; removed before the socket is closed.
    _file: Option<File>,
    listener: UnixListener,
    place: String,
    uids: Vec<u32>,
}

/// A socket's file, which goes with it.
#[derive(Debug)]
struct File {
    path: PathBuf,
    /// Which one it is: another under its name is not its own to remove.
    inode: u64,
}

impl UnixSocket {
    /// Opens the socket. A file of a server that has died is replaced; one that is answered at, or is no
    /// socket, is left alone.
    pub(crate) fn open(path: &Path, further: &[u32]) -> Result<Self, StartError> {
        let failed = |source| refused(path.display().to_string(), source);
        make_way(path).map_err(failed)?;
        let (listener, inode) = bind(path, further.is_empty()).map_err(failed)?;
        Ok(Self {
            _file: Some(File {
                path: path.to_owned(),
                inode,
            }),
            listener,
            place: path.display().to_string(),
            uids: uids(further),
        })
    }

    /// Takes a socket over that somebody else has opened. Its file is theirs, and stays.
    pub(crate) fn adopt(
        listener: std_unix::UnixListener,
        place: String,
        further: &[u32],
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            _file: None,
            listener: UnixListener::from_std(listener)?,
            place,
            uids: uids(further),
        })
    }

    /// Where it is, for people.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The next connection and its user; `None` for a user that is not let in.
    pub(crate) async fn accept(&self) -> io::Result<Option<(std_unix::UnixStream, u32)>> {
        let (stream, _) = self.listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        if !self.uids.contains(&uid) {
            tracing::info!(uid, "a user was turned away at the socket");
            return Ok(None);
        }
        Ok(Some((stream.into_std()?, uid)))
    }
}

/// Who may come: root, the user that this process runs as, and those that the settings name.
fn uids(further: &[u32]) -> Vec<u32> {
    let mut uids = vec![0, rustix::process::geteuid().as_raw()];
    uids.extend(further);
    uids
}

/// Removes what a dead server has left.
fn make_way(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is something else than a socket",
        ));
    }
    match std_unix::UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// Binds beside the name and moves it into place, so that nobody can connect before the mode is right.
fn bind(path: &Path, alone: bool) -> io::Result<(UnixListener, u64)> {
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    let listener = std_unix::UnixListener::bind(&aside)?;
    let placed = (|| -> io::Result<u64> {
        // Further users are let in by their credentials; the folder says who gets that far.
        let mode = if alone { 0o600 } else { 0o666 };
        fs::set_permissions(&aside, fs::Permissions::from_mode(mode))?;
        let inode = fs::symlink_metadata(&aside)?.ino();
        fs::hard_link(&aside, path)?;
        Ok(inode)
    })();
    let removed = fs::remove_file(&aside);
    let inode = placed?;
    removed?;
    listener.set_nonblocking(true)?;
    Ok((UnixListener::from_std(listener)?, inode))
}

impl Drop for File {
    fn drop(&mut self) {
        let own = fs::symlink_metadata(&self.path).is_ok_and(|it| it.ino() == self.inode);
        if own && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the socket's file stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_servers_file_is_replaced_and_a_living_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refrain.sock");
        drop(std_unix::UnixListener::bind(&path).unwrap());
        let socket = UnixSocket::open(&path, &[]).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let taken = UnixSocket::open(&path, &[]).unwrap_err();
        assert_eq!(taken.code(), "address_in_use");
        drop(socket);
        assert!(!path.exists(), "its file goes with it");
    }

    #[tokio::test]
    async fn no_file_and_no_link_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            assert_eq!(
                UnixSocket::open(path, &[]).unwrap_err().code(),
                "cannot_listen"
            );
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_successors_file_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refrain.sock");
        let first = UnixSocket::open(&path, &[]).unwrap();
        fs::remove_file(&path).unwrap();
        let _second = UnixSocket::open(&path, &[]).unwrap();
        drop(first);
        assert!(path.exists());
    }
}
