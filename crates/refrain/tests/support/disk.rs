//! A disk of one's own with little room, which can be filled and freed.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A file system in memory; unmounted at the end.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
    _around: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where this user may not mount.
    pub fn mount(kilobytes: u32) -> Option<Self> {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("disk");
        fs::create_dir(&folder).unwrap();
        let options = format!("size={kilobytes}k,mode=755");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(&folder);
        let mounted = mount.stderr(Stdio::null()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self {
                folder,
                _around: around,
            })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes all the room there is.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.ballast()).unwrap();
        for size in [4096, 1] {
            while file.write(&vec![1; size]).is_ok_and(|written| written > 0) {}
        }
    }

    /// Takes all but so many pages.
    pub fn fill_but(&self, pages: u64) {
        self.fill();
        let file = fs::OpenOptions::new().write(true).open(self.ballast());
        let file = file.unwrap();
        let taken = file.metadata().unwrap().len();
        // What ends within a page keeps all of it.
        let left = (taken / 4096).saturating_sub(pages);
        file.set_len(left * 4096).unwrap();
    }

    /// Gives it back.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever still runs there after a failed test must not keep it.
        drop(Command::new("umount").arg("-l").arg(&self.folder).status());
    }
}
