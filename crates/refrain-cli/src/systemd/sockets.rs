//! Sockets that this process was started with (`sd_listen_fds(3)`).

use std::{env, io, process};

use listenfd::ListenFd;
use refrain_server::Inherited;

use crate::report::{Exit, Explanation, with_causes};

/// No unit hands over more.
const MOST: usize = 64;

/// Why what was handed over is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketsError {
    /// It is not said how many there are.
    #[error(
        "LISTEN_FDS says how many sockets are handed over, and is {given:?}: no number up to {MOST}"
    )]
    Number { given: String },
    /// It is neither kind of socket that connections come to.
    #[error("number {number} of what was handed over is no stream socket of TCP or Unix")]
    Kind { number: usize, source: io::Error },
}

impl From<SocketsError> for Explanation {
    fn from(error: SocketsError) -> Self {
        let (code, fix) = match error {
            SocketsError::Number { .. } => (
                "listen_fds",
                "let systemd set LISTEN_FDS, or unset it and LISTEN_PID",
            ),
            SocketsError::Kind { .. } => (
                "inherited_socket",
                "let the socket unit have ListenStream= alone",
            ),
        };
        Self {
            code,
            what: with_causes(&error),
            safe: "nothing was served, and no token was touched".to_owned(),
            fix: fix.to_owned(),
            retry_at: None,
            exit: Exit::Configuration,
        }
    }
}

/// Takes them, and what tells of them out of the environment. The environment may be changed while there is
/// one thread alone, so this comes before any runtime.
///
/// # Errors
/// Where their number or kind does not fit.
pub(crate) fn take() -> Result<Vec<Inherited>, SocketsError> {
    let read = |name| env::var_os(name).map(|it| it.to_string_lossy().into_owned());
    let number = number(read("LISTEN_PID"), read("LISTEN_FDS"), process::id())?;
    if number == 0 {
        return Ok(Vec::new());
    }
    let mut handed = ListenFd::from_env();
    (0..number).map(|at| one(&mut handed, at)).collect()
}

/// How many are meant for this process.
fn number(meant: Option<String>, number: Option<String>, own: u32) -> Result<usize, SocketsError> {
    let meant = meant.and_then(|it| it.parse::<u32>().ok());
    // Without its own number it is somebody else's, who has started this process and not tidied up.
    let Some(given) = number.filter(|_| meant == Some(own)) else {
        return Ok(0);
    };
    let number = given.parse().ok().filter(|number| *number <= MOST);
    number.ok_or(SocketsError::Number { given })
}

fn one(handed: &mut ListenFd, at: usize) -> Result<Inherited, SocketsError> {
    if let Ok(Some(socket)) = handed.take_unix_listener(at) {
        return Ok(Inherited::Unix(socket));
    }
    let socket = handed.take_tcp_listener(at);
    let socket = socket.and_then(|it| it.ok_or_else(|| io::ErrorKind::NotFound.into()));
    socket.map(Inherited::Tcp).map_err(|source| {
        let number = at.saturating_add(1);
        SocketsError::Kind { number, source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_this_process_is_counted() {
        let own = 4280;
        let counted = |meant: Option<&str>, given: Option<&str>| {
            number(meant.map(str::to_owned), given.map(str::to_owned), own).ok()
        };
        assert_eq!(counted(Some("4280"), Some("2")), Some(2));
        assert_eq!(counted(Some("4280"), None), Some(0));
        for meant in [None, Some(""), Some("1"), Some("own")] {
            for given in ["2", "many"] {
                assert_eq!(counted(meant, Some(given)), Some(0), "{meant:?}");
            }
        }
        for given in ["", "-1", "65", "4294967297", "many"] {
            assert_eq!(counted(Some("4280"), Some(given)), None, "{given}");
        }
    }
}
