//! How far the server is (`sd_notify(3)`): one datagram for each step, to the socket that the environment names.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::{
        ffi::OsStrExt as _,
        net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

pub(super) const SOCKET: &str = "NOTIFY_SOCKET";
/// A manager that does not read holds nobody up for longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It listens, and can do its work.
    Ready,
    /// It takes no more connections, and ends what is under way.
    Stopping,
}

impl State {
    fn message(self) -> &'static [u8] {
        match self {
            Self::Ready => b"READY=1\n",
            Self::Stopping => b"STOPPING=1\n",
        }
    }
}

/// Whoever wants to know.
#[derive(Debug)]
pub(crate) struct Manager(Option<OsString>);

impl Manager {
    pub(crate) fn from_environment() -> Self {
        Self(env::var_os(SOCKET).filter(|name| !name.is_empty()))
    }

    /// Tells, where somebody wants to know. Nothing is served worse where that fails.
    pub(crate) fn tell(&self, state: State) {
        if let Some(name) = &self.0
            && let Err(error) = send(name, state.message())
        {
            tracing::warn!(%error, ?state, "the service manager could not be told");
        }
    }
}

fn send(name: &OsStr, message: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send_to_addr(message, &address(name)?).map(drop)
}

/// A path, or behind an `@` a name that is in no folder.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name)
        }
        _ => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> Vec<u8> {
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).unwrap();
        bytes[..length].to_vec()
    }

    #[test]
    fn a_manager_is_told_at_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = Manager(Some(path.into()));
        manager.tell(State::Ready);
        manager.tell(State::Stopping);
        assert_eq!(heard(&socket), b"READY=1\n");
        assert_eq!(heard(&socket), b"STOPPING=1\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_manager_is_told_at_a_name_that_is_in_no_folder() {
        let name = format!("@refrain-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&address(name.as_ref()).unwrap()).unwrap();
        Manager(Some(name.into())).tell(State::Ready);
        assert_eq!(heard(&socket), b"READY=1\n");
    }

    #[test]
    fn nobody_is_waited_for_who_is_not_there() {
        Manager(None).tell(State::Ready);
        Manager(Some("/nowhere/notify".into())).tell(State::Ready);
    }
}
