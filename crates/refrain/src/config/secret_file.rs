//! Secrets in files: readable by their owner alone, or refused.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use zeroize::Zeroizing;

/// Larger than any secret; whoever names a log file by mistake learns it at once.
const LARGEST: u64 = 64 * 1024;

/// Why a file does not serve as a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// It is not there.
    #[error("there is no such file")]
    Missing,
    /// It is there and cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
    /// Other users of the machine may read or change it.
    #[error("other users may open the file (its mode is {mode:04o})")]
    Permissions {
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else, who may change it at any time.
    #[error("the file belongs to another user (uid {owner})")]
    Owner {
        /// Whose it is.
        owner: u32,
    },
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It holds several lines, is not text, or is far too long.
    #[error("the file does not hold one line of text")]
    NotOneLine,
}

impl SecretFileError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "secret_file_missing",
            Self::Unreadable(_) => "secret_file_unreadable",
            Self::Permissions { .. } => "secret_file_permissions",
            Self::Owner { .. } => "secret_file_owner",
            Self::Empty => "secret_file_empty",
            Self::NotOneLine => "secret_file_not_one_line",
        }
    }

    /// What to do about it.
    pub fn fix(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Missing | Self::Empty => format!("write the secret to {path}"),
            Self::Unreadable(_) => format!("let the user who runs refrain read {path}"),
            Self::Permissions { .. } => format!("run: chmod 600 '{path}'"),
            Self::Owner { .. } => format!("run: chown \"$(id -un)\" '{path}'"),
            Self::NotOneLine => format!("leave the secret alone, on one line, in {path}"),
        }
    }
}

/// Who guards a file against the other users of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// Its own mode and owner.
    Mode,
    /// The folder of credentials that systemd made for this unit. The files in it may carry an access
    /// list for the unit's user, whose mask looks like a group permission.
    Systemd,
}

/// Reads a secret, without the newline at its end.
pub(super) fn read(path: &Path, guard: Guard) -> Result<Zeroizing<String>, SecretFileError> {
    let text = text(path, guard)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.chars().any(char::is_control) {
        return Err(SecretFileError::NotOneLine);
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// Reads secrets of which each has a line of its own; lines with nothing on them do not count.
pub(super) fn read_lines(
    path: &Path,
    guard: Guard,
) -> Result<Vec<Zeroizing<String>>, SecretFileError> {
    let text = text(path, guard)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Ok(lines.map(|line| Zeroizing::new(line.to_owned())).collect())
}

/// Reads the text of a file that is guarded and has something in it.
fn text(path: &Path, guard: Guard) -> Result<Zeroizing<String>, SecretFileError> {
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SecretFileError::Missing,
        _ => SecretFileError::Unreadable(error),
    })?;
    if guard == Guard::Mode {
        // Asked of the open file: the name could lead elsewhere by now.
        check(&file)?;
    }
    // Sized once, so that no copy of the secret is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024 + 1));
    file.by_ref()
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(SecretFileError::Unreadable)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretFileError::NotOneLine)?;
    if bytes.len() as u64 > LARGEST {
        return Err(SecretFileError::NotOneLine);
    }
    if text.trim().is_empty() {
        return Err(SecretFileError::Empty);
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(unix)]
fn check(file: &File) -> Result<(), SecretFileError> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = file.metadata().map_err(SecretFileError::Unreadable)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::Permissions { mode });
    }
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(SecretFileError::Owner { owner });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check(_: &File) -> Result<(), SecretFileError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn read_with(content: &[u8], mode: u32) -> Result<String, &'static str> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match read(&path, Guard::Mode) {
            Ok(text) => Ok(text.to_string()),
            Err(error) => Err(error.code()),
        }
    }

    #[test]
    fn one_newline_at_the_end_is_not_part_of_the_secret() {
        assert_eq!(read_with(b"s3cret\n", 0o600).unwrap(), "s3cret");
        assert_eq!(read_with(b"s3cret\r\n", 0o400).unwrap(), "s3cret");
        assert_eq!(read_with(b"s3cret", 0o600).unwrap(), "s3cret");
        assert_eq!(read_with(b" s3cret ", 0o600).unwrap(), " s3cret ");
    }

    #[test]
    fn what_is_not_one_line_is_refused() {
        assert_eq!(read_with(b"", 0o600), Err("secret_file_empty"));
        assert_eq!(read_with(b"\n", 0o600), Err("secret_file_empty"));
        assert_eq!(read_with(b"a\nb\n", 0o600), Err("secret_file_not_one_line"));
        assert_eq!(read_with(b"a\n\n", 0o600), Err("secret_file_not_one_line"));
        assert_eq!(read_with(b"\xff", 0o600), Err("secret_file_not_one_line"));
        let long = vec![b'a'; 70_000];
        assert_eq!(read_with(&long, 0o600), Err("secret_file_not_one_line"));
    }

    #[test]
    fn a_file_that_others_may_open_is_refused() {
        for mode in [0o640, 0o604, 0o610, 0o620, 0o666] {
            assert_eq!(
                read_with(b"s3cret", mode),
                Err("secret_file_permissions"),
                "{mode:o}"
            );
        }
        let error = SecretFileError::Permissions { mode: 0o640 };
        assert!(error.to_string().contains("0640"));
        assert_eq!(error.fix(Path::new("/s")), "run: chmod 600 '/s'");
    }

    #[test]
    fn a_missing_file_is_told_from_an_unreadable_one() {
        let folder = tempfile::tempdir().unwrap();
        let missing = read(&folder.path().join("none"), Guard::Mode).unwrap_err();
        assert_eq!(missing.code(), "secret_file_missing");
        let directory = read(folder.path(), Guard::Systemd).unwrap_err();
        assert_eq!(directory.code(), "secret_file_unreadable");
    }
}
