//! What the Web API's 429s mean, and when an app may ask again.
//!
//! There are two kinds, told apart by the body. Too many requests within Spotify's rolling 30 seconds are
//! one app's affair, and over in seconds. A quota that is used up is the developer account's, over all of
//! its apps, and takes hours. Asking on regardless is said to lengthen both. So an answer closes a
//! **gate**, and until it opens nobody gets through: [`judge`] reads the answer, [`Gate`] is what is
//! remembered, durably and for every node, and [`Gates`] is what a process asks before each request.
//!
//! The token endpoint has limits of its own; those are in `lifecycle::app`.

mod gate;
mod gates;
mod judge;

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::{
    gate::Gate,
    gates::{Closed, Entered, Gates, Outcome, Probe},
    judge::{BODY_PREFIX, judge},
};
use crate::id::{AppName, DeveloperName};
pub(crate) use gates::Unkept;

/// Which limit a 429 is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Too many requests within 30 seconds, by one app.
    Rate,
    /// The quota of a developer account is used up.
    Quota,
}

impl Kind {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Quota => "quota",
        }
    }
}

/// What a 429 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Which limit.
    pub kind: Kind,
    /// How long to ask nothing, between a second and seven days.
    pub wait: Duration,
    /// What the answer itself said, where it did; longer than `wait` where that is not believed.
    pub told: Option<Duration>,
}

/// Who has to wait: whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Bucket {
    /// One app.
    App(AppName),
    /// All apps of one developer account.
    Developer(DeveloperName),
}

impl Bucket {
    /// The bucket that a limit of an app is about.
    pub fn of(kind: Kind, app: &AppName, developer: &DeveloperName) -> Self {
        match kind {
            Kind::Rate => Self::App(app.clone()),
            Kind::Quota => Self::Developer(developer.clone()),
        }
    }

    /// The limit that fills it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::App(_) => Kind::Rate,
            Self::Developer(_) => Kind::Quota,
        }
    }

    /// Whether an app's requests are counted in it.
    pub fn holds(&self, app: &AppName, developer: &DeveloperName) -> bool {
        match self {
            Self::App(name) => name == app,
            Self::Developer(name) => name == developer,
        }
    }
}

impl fmt::Display for Bucket {
    /// `app:default`, as it is stored.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(name) => write!(f, "app:{name}"),
            Self::Developer(name) => write!(f, "developer:{name}"),
        }
    }
}

/// The text is neither `app:NAME` nor `developer:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("neither app:NAME nor developer:NAME")]
pub struct BucketError;

impl FromStr for Bucket {
    type Err = BucketError;

    fn from_str(text: &str) -> Result<Self, BucketError> {
        let read = match text.split_once(':') {
            Some(("app", name)) => name.parse().map(Self::App),
            Some(("developer", name)) => name.parse().map(Self::Developer),
            _ => return Err(BucketError),
        };
        read.map_err(|_| BucketError)
    }
}

impl TryFrom<String> for Bucket {
    type Error = BucketError;

    fn try_from(text: String) -> Result<Self, BucketError> {
        text.parse()
    }
}

impl From<Bucket> for String {
    fn from(bucket: Bucket) -> Self {
        bucket.to_string()
    }
}

#[cfg(test)]
mod tests;
