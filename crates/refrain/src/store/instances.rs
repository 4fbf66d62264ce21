//! Which processes live: each holds a lock on a file of its own as long as it lives, and the kernel lets
//! go of it whatever way it dies. A process id would prove nothing.
//!
//! The file's name begins with the machine's boot. On a store that lives on this machine alone a file of
//! another boot proves that its process is dead; in a folder that several machines may share (a home on a
//! network) it proves nothing.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    files::{private_folder, remove},
    id::InstanceId,
    store::Liveness,
    time::BootId,
};

/// The folder in which the processes of one machine make themselves known.
#[derive(Debug)]
pub(super) struct Instances {
    folder: PathBuf,
    boot: BootId,
    /// Whether no other machine's processes can be known in the same folder.
    alone: bool,
    own: Mutex<Vec<Announced>>,
}

/// A process that has made itself known.
#[derive(Debug)]
struct Announced {
    path: PathBuf,
    _lock: File,
}

impl Instances {
    pub(super) fn new(folder: PathBuf, boot: BootId, alone: bool) -> Self {
        Self {
            folder,
            boot,
            alone,
            own: Mutex::default(),
        }
    }

    /// Makes a process known until this is dropped.
    pub(super) fn announce(&self, instance: InstanceId) -> io::Result<()> {
        private_folder(&self.folder)?;
        sweep(&self.folder)?;
        let path = self.file(instance);
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
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.push(Announced { path, _lock: file });
        Ok(())
    }

    /// Whether the process behind an instance runs. Only its own file proves that it does not, unlocked or
    /// of another boot: a missing one may have been swept away with the folder, or is another machine's.
    pub(super) fn liveness(&self, instance: InstanceId) -> io::Result<Liveness> {
        let file = match File::open(self.file(instance)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let dead = self.alone && self.is_of_another_boot(instance)?;
                return Ok(if dead {
                    Liveness::Dead
                } else {
                    Liveness::MayRun
                });
            }
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => Ok(Liveness::Dead),
            Err(TryLockError::WouldBlock) => Ok(Liveness::MayRun),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The processes of this boot that hold their files.
    pub(super) fn running(&self) -> io::Result<Vec<InstanceId>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let prefix = format!("{:032x}-", self.boot.0);
        let mut running = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.strip_prefix(&prefix));
            let id = id.and_then(|id| u128::from_str_radix(id, 16).ok());
            let Some(id) = id.map(InstanceId) else {
                continue;
            };
            // One that has gone meanwhile may be told as running; nothing is decided by this.
            let gone = File::open(self.file(id)).is_ok_and(|file| file.try_lock().is_ok());
            if !gone {
                running.push(id);
            }
        }
        Ok(running)
    }

    fn is_of_another_boot(&self, instance: InstanceId) -> io::Result<bool> {
        let suffix = format!("-{instance}");
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        for entry in entries {
            if entry?.file_name().to_string_lossy().ends_with(&suffix) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn file(&self, instance: InstanceId) -> PathBuf {
        self.folder.join(format!("{:032x}-{instance}", self.boot.0))
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        // Left behind it does no harm: it is found unlocked, and swept away a day later.
        fs::remove_file(&self.path).unwrap_or_default();
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
            // Or another process has, that sweeps too.
            remove(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, time::SystemTime};

    use super::*;

    const GONE: InstanceId = InstanceId(7);

    #[test]
    fn a_restart_of_the_machine_proves_death_where_no_other_machine_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instances");
        let at = |boot, alone| Instances::new(path.clone(), BootId(boot), alone);
        let before = at(1, true);
        before.announce(GONE).unwrap();
        assert_eq!(before.liveness(GONE).unwrap(), Liveness::MayRun);
        assert_eq!(at(1, true).running().unwrap(), [GONE]);
        assert_eq!(at(2, true).running().unwrap(), []);
        // A power cut: the file stays, and nobody holds it.
        let file = before.file(GONE);
        drop(before);
        fs::write(&file, "").unwrap();
        assert_eq!(at(1, true).running().unwrap(), []);
        let dead = |boot, alone| at(boot, alone).liveness(GONE).unwrap();
        assert_eq!(dead(1, true), Liveness::Dead);
        assert_eq!(dead(2, true), Liveness::Dead);
        assert_eq!(dead(2, false), Liveness::MayRun);
        let unknown = at(2, true).liveness(InstanceId(8));
        assert_eq!(unknown.unwrap(), Liveness::MayRun);
    }

    #[test]
    fn several_may_sweep_at_once() {
        let old = SystemTime::UNIX_EPOCH;
        let together = Barrier::new(8);
        for _ in 0..10 {
            let folder = tempfile::tempdir().unwrap();
            for number in 0..500 {
                let file = File::create(folder.path().join(number.to_string())).unwrap();
                file.set_modified(old).unwrap();
            }
            std::thread::scope(|scope| {
                let sweeps = [(); 8].map(|()| {
                    scope.spawn(|| {
                        together.wait();
                        sweep(folder.path())
                    })
                });
                for swept in sweeps {
                    swept.join().unwrap().unwrap();
                }
            });
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
