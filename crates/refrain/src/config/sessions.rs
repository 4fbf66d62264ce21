//! Who may sign in with a browser, and where their tokens are.

use std::{fmt, str::FromStr};

use crate::id::AppName;

/// How browser sessions are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// The app whose users may sign in with a browser; nobody may, if it is `None`.
    pub app: Option<AppName>,
    /// Where their refresh tokens are.
    pub keep: SessionKeep,
}

/// Where the refresh token of a browser session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKeep {
    /// In the store; the browser holds a reference.
    Store,
    /// Sealed in the browser's cookie, and nowhere else.
    Cookie,
}

/// The text is neither `store` nor `cookie`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sessions are kept in the \"store\" or in the \"cookie\"")]
pub struct SessionKeepError;

impl FromStr for SessionKeep {
    type Err = SessionKeepError;

    fn from_str(text: &str) -> Result<Self, SessionKeepError> {
        match text {
            "store" => Ok(Self::Store),
            "cookie" => Ok(Self::Cookie),
            _ => Err(SessionKeepError),
        }
    }
}

/// The app of the sessions is not configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no [apps.{name}]")]
pub struct SessionAppError {
    pub(super) name: AppName,
}

impl fmt::Display for SessionKeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store",
            Self::Cookie => "cookie",
        })
    }
}

impl Default for Sessions {
    /// Nobody may.
    fn default() -> Self {
        Self {
            app: None,
            keep: SessionKeep::Store,
        }
    }
}
