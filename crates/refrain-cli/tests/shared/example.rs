//! An example, run by its own command, in surroundings that it has to leave as it found them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

/// No example runs longer: then it is told to end, which is a failure.
const LONGEST: &str = "120";

/// A running example.
pub(crate) struct Example {
    child: Child,
    stdout: BufReader<ChildStdout>,
    said: String,
    /// Where its temporary folders are.
    folder: TempDir,
}

impl Example {
    /// Starts `examples/NAME/run` with the programs that were built beside this one.
    pub(crate) fn start(name: &str, beside: &str, variables: &[(&str, &Path)]) -> Self {
        let folder = TempDir::new().unwrap();
        // Whoever runs PostgreSQL must be able to reach its folder in it.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder.path(), mode).unwrap();
        let run = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../examples/{name}/run"));
        let binaries = Path::new(beside).parent().unwrap();
        let refrain = binaries.join("refrain");
        assert!(
            refrain.exists(),
            "build the whole workspace first: there is no {}",
            refrain.display()
        );
        let mut child = Command::new("timeout")
            .args(["--foreground", LONGEST])
            .arg(run)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env("EXAMPLE_BIN", binaries)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            said: String::new(),
            folder,
        }
    }

    /// Reads what it says up to a line with this in it.
    pub(crate) fn says(&mut self, what: &str) {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            let read = self.stdout.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "it never said {what:?}: {}", self.said);
            self.said.push_str(&line);
        }
    }

    /// Tells it to end.
    pub(crate) fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("/bin/kill").args(["-INT", &pid]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end; it leaves no file and no process behind. Answers its status and all that it said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        // Whatever it has started has this pipe too, so that its end is theirs.
        self.stdout.read_to_string(&mut self.said).unwrap();
        let status = self.child.wait().unwrap().code();
        let left: Vec<_> = fs::read_dir(self.folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?} {}", self.said);
        (status, std::mem::take(&mut self.said))
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            // It ends what it has started.
            self.interrupt();
            drop(self.child.wait());
        }
    }
}
