//! What the judge and its workers say to each other: a JSON object a line.

use serde::{Deserialize, Serialize};

/// What a worker is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// For each grant: a token, then one refresh after the other until one fails.
    Churn { grants: Vec<String> },
    /// So many tasks ask for one grant's token, all at once.
    Ask {
        grant: String,
        tasks: usize,
        min_ttl_ms: u64,
    },
    /// One refresh of each grant, all at once.
    Refresh { grants: Vec<String> },
    /// Asks for each grant's token over and over, with a pause in between, until told to rest.
    Read { grants: Vec<String>, pause_ms: u64 },
    /// Ends what `Churn` and `Read` have begun.
    Rest,
    /// Begins a login.
    Login { grant: String, app: String },
    /// Finishes one.
    Finish { grant: String, query: String },
    /// Ends one.
    Logout { grant: String },
    /// Drains, and ends the process.
    Stop,
}

/// What a worker asked the library for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// The token there is, if it lives at all.
    Token,
    /// A new one.
    Refresh,
}

/// What came of it. Times are microseconds of the machine's monotonic clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Got {
    pub grant: String,
    pub op: Op,
    /// The fingerprint of the token.
    pub token: Option<String>,
    /// Why there is none, or why it is an old one.
    pub code: Option<String>,
    /// Whether that error says to come back later.
    pub later: bool,
    pub began: u64,
    pub ended: u64,
}

/// What came of many tasks that asked at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    pub tokens: Vec<String>,
    pub codes: Vec<String>,
    /// How long each task waited.
    pub micros: Vec<u64>,
    pub first_ended: u64,
}

/// What a worker tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Report {
    /// The store is open.
    Ready { at: u64 },
    /// A call has ended.
    Got(Got),
    /// A round has ended.
    Asked(Asked),
    /// The URL that a login begins with.
    Begun { grant: String, url: String },
    /// It is over.
    LoggedIn {
        grant: String,
        code: Option<String>,
        at: u64,
    },
    /// The logout is acknowledged.
    LoggedOut {
        grant: String,
        code: Option<String>,
        at: u64,
    },
    /// Drained.
    Stopped { drained: bool },
}

/// Microseconds on a clock that all processes of this machine share.
pub fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000 + u64::try_from(time.tv_nsec).unwrap() / 1000
}
