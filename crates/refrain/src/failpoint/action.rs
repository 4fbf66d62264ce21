//! What a point does.

use std::{str::FromStr, time::Duration};

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The step fails with the error that is natural to it.
    Error,
    /// The task panics.
    Panic,
    /// The process aborts.
    Abort,
    /// The process stops, and goes on when somebody sends it SIGCONT.
    Stop,
    /// The refresh is dropped where it stands, like a task whose runtime ends.
    Drop,
    /// Waits until the test lets it go on; see [`Failpoints::release`](super::Failpoints::release).
    Hold,
    /// Lets real time pass.
    Sleep(Duration),
    /// The wall clock jumps by so many milliseconds.
    Jump(i64),
}

impl FromStr for Action {
    type Err = String;

    /// `error`, `panic`, `abort`, `stop`, `drop`, `hold`, `sleep(MILLIS)` or `jump(MILLIS)`.
    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("there is no action {text}");
        let (word, argument) = match text.split_once('(') {
            Some((word, rest)) => (word, Some(rest.strip_suffix(')').ok_or_else(unknown)?)),
            None => (text, None),
        };
        let number = |text: &str| text.parse::<i64>().map_err(|_| unknown());
        Ok(match (word, argument) {
            ("error", None) => Self::Error,
            ("panic", None) => Self::Panic,
            ("abort", None) => Self::Abort,
            ("stop", None) => Self::Stop,
            ("drop", None) => Self::Drop,
            ("hold", None) => Self::Hold,
            ("sleep", Some(millis)) => {
                Self::Sleep(Duration::from_millis(number(millis)?.unsigned_abs()))
            }
            ("jump", Some(millis)) => Self::Jump(number(millis)?),
            _ => return Err(unknown()),
        })
    }
}
