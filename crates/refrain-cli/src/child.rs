//! Processes that this one starts: what is refrain's own in its environment is not for them.

use std::{env, process::Command};

use crate::systemd;

/// Takes out of a command's environment what is refrain's own: secrets may stand in it, and whose service a
/// process is.
pub(crate) fn clean(command: &mut Command) {
    for name in systemd::OWN {
        command.env_remove(name);
    }
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("REFRAIN_") {
            command.env_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_nobodys_service() {
        let mut command = Command::new("true");
        clean(&mut command);
        for name in ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"] {
            let removed = command.get_envs().any(|it| it == (name.as_ref(), None));
            assert!(removed, "{name}");
        }
    }
}
