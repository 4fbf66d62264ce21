//! Who runs where: whoever is measured has the last processor, and all else the others.
//!
//! nginx and HAProxy have one thread here, and refrain and tokio as many as there are processors that they may
//! use. Bound to one, all have one.

use std::{path::Path, process::Command};

use rustix::thread::{CpuSet, sched_setaffinity};

fn number() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// That of whoever is measured.
pub fn last() -> Vec<usize> {
    vec![number() - 1]
}

/// Those of client and upstream; with one processor, the same.
pub fn others() -> Vec<usize> {
    (0..(number() - 1).max(1)).collect()
}

/// A command whose process stays on some of them.
pub fn bound(to: &[usize], program: &Path) -> Command {
    let list: Vec<_> = to.iter().map(ToString::to_string).collect();
    let mut command = Command::new("taskset");
    command.arg("-c").arg(list.join(",")).arg(program);
    command
}

/// Keeps this thread with the client's.
pub fn bind_client() {
    let mut set = CpuSet::new();
    for processor in others() {
        set.set(processor);
    }
    sched_setaffinity(None, &set).expect("a processor");
}
