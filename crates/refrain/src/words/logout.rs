//! What a logout did, and what it could not do.

use crate::{
    keeper::logout::{LoggedOut, Revocation},
    time::UnixMillis,
    words,
};

/// What became of the tokens at Spotify, and no more than is known of it.
pub fn revocation(revocation: &Revocation) -> String {
    match revocation {
        Revocation::NotOffered => {
            "Spotify was not asked to revoke anything: it documents no way to do that.".to_owned()
        }
        Revocation::Answered { status: 200 } => {
            "The revocation endpoint was asked and answered HTTP 200. That is also the answer to a \
             token it does not know (RFC 7009), so it proves nothing."
                .to_owned()
        }
        Revocation::Answered { status } => format!(
            "The revocation endpoint was asked and answered HTTP {status}: nothing was revoked there."
        ),
        Revocation::Failed { why } => {
            format!(
                "The revocation endpoint could not be asked ({why}): nothing was revoked there."
            )
        }
    }
}

/// Until when an access token works that was given out before.
pub fn access(done: &LoggedOut, now: UnixMillis) -> String {
    match done.access_until {
        Some(until) => {
            let minutes = until.since(now).as_secs().div_ceil(60);
            let minutes = words::count(minutes, "minute");
            format!(
                "An access token that was handed out before still works at Spotify until {until} ({minutes})."
            )
        }
        None => "No access token that was handed out before still works.".to_owned(),
    }
}
