//! Where a grant stands, in a sentence.

use super::story;
use crate::{
    lifecycle::row::{Status, Trouble},
    words,
};

/// A status, and the fault that the last attempts met.
pub fn sentence(status: &Status, trouble: Option<&Trouble>) -> String {
    match status {
        Status::Active => match trouble {
            Some(trouble) => format!(
                "active; refreshing has met a fault at Spotify or on the way {} since {}, which \
                 is no verdict",
                words::count(trouble.failures.into(), "time"),
                trouble.since
            ),
            None => "active: refreshes work".to_owned(),
        },
        Status::Suspect(suspicion) if suspicion.restored => format!(
            "suspect: restored from a backup at {}, and Spotify may have replaced its token since; \
             nothing was deleted, and nobody presents it unasked",
            suspicion.since,
        ),
        Status::Suspect(suspicion) if suspicion.imported => format!(
            "suspect: imported from another program at {}, and Spotify has not accepted its token here yet; \
             nobody presents it unasked",
            suspicion.since,
        ),
        Status::Suspect(suspicion) => format!(
            "suspect: Spotify refused it at {}, earlier than it should ({} so far); nothing was \
             deleted, and it is asked again",
            suspicion.since,
            words::count(suspicion.refusals.into(), "refusal"),
        ),
        Status::Reauthorize { reason, since } => format!(
            "needs a new login since {since}: {}",
            story::reason(*reason)
        ),
        Status::SignedOut { since } => {
            format!("signed out since {since}; no token is left here")
        }
    }
}
