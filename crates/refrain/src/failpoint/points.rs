//! The points, in the order of a refresh. This file is the one list of their names: the code, the tests and
//! the report take them from here.

use std::{fmt, str::FromStr};

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $point:ident = $name:literal,)+) => {
        /// A place at which a test can break things.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Point {
            $($(#[doc = $doc])+ $point,)+
        }

        impl Point {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// Its stable name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }

            /// What has happened when it is reached, in a few words.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$point => concat!($($doc),+),)+
                }
            }
        }
    };
}

points! {
    /// The intent is about to be written.
    ArmBeforeTxn = "arm.before_txn",
    /// The intent is durable; nothing has been sent.
    ArmAfterDurable = "arm.after_durable",
    /// About to connect.
    NetBeforeConnect = "net.before_connect",
    /// Connected; nothing is presented yet.
    NetAfterConnect = "net.after_connect",
    /// The row is about to be read once more, and the lease to be checked.
    CheckLease = "check.lease",
    /// Part of the request is on the wire.
    SendPartial = "send.partial",
    /// All of the request is on the wire.
    SendDone = "send.done",
    /// The head of the answer is here.
    RecvHeaders = "recv.headers",
    /// Half of the answer's body is here.
    RecvPartialBody = "recv.partial_body",
    /// The whole answer is here.
    RecvDone = "recv.done",
    /// The answer is understood; nothing of it is sealed.
    ParseClassified = "parse.classified",
    /// The answer is sealed; nothing of it is written.
    CommitSealed = "commit.sealed",
    /// The answer is about to be written.
    CommitBeforeTxn = "commit.before_txn",
    /// The answer is durable, and the writer is about to be told that the write failed.
    CommitUnknown = "commit.unknown",
    /// The answer is durable; nobody has been told.
    CommitAcked = "commit.acked",
    /// The row that was written is about to be opened and published.
    PublishBefore = "publish.before",
    /// The token is published; the waiters have not been woken.
    PublishAfter = "publish.after",
    /// What others have done is not heard for one round.
    FeedLost = "feed.lost",
    /// The logout is durable; nobody has been told.
    LogoutAfterDurable = "logout.after_durable",
    /// A process that has just begun is about to look for what dead ones have left.
    BootIntentScan = "boot.intent_scan",
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|point| point.name() == name);
        found
            .copied()
            .ok_or_else(|| format!("there is no failpoint {name}"))
    }
}
