//! The cookie of a session that carries its tokens itself.
//!
//! ```text
//! 1.<session>.<epoch>.<generation>.<minting>.<base64url of what is sealed>
//! ```
//! What stands in front is part of what the rest is sealed to, and so are the cookie's name and the origin
//! that it is for: nothing of it can be changed, and it opens nowhere else. How long it is good for is said
//! inside, because a browser can be told anything. What is sealed names its key.

mod plain;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use refrain::{
    id::{Epoch, Generation, Minting},
    keeper::carried::{Carried, Step},
    random::Random,
    seal::{SealError, Sealer},
    secret::Sealed,
    session::{Incarnation, SessionId, USER},
    time::UnixMillis,
};

const VERSION: &str = "1";

/// What browsers keep of a cookie, name and value together (RFC 6265bis §5.6).
const MOST: usize = 4096;

/// Where a cookie belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Belongs {
    /// What it is called.
    pub(super) name: String,
    /// The origin in the browser's address bar.
    pub(super) origin: String,
    /// Whether it is for https alone.
    pub(super) secure: bool,
}

/// How long a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// When this cookie was made.
    pub(super) issued: UnixMillis,
    /// From when on it is over, unless it is used before.
    pub(super) lapses: UnixMillis,
    /// From when on it is over in any case.
    pub(super) ends: UnixMillis,
    /// In which life of the store it began; it does not outlive that.
    pub(super) began_in: Incarnation,
}

impl Times {
    /// Of a session that begins.
    pub(super) fn beginning(now: UnixMillis, began_in: Incarnation) -> Self {
        let ends = now.after(USER.most);
        Self {
            issued: now,
            lapses: now.after(USER.idle).min(ends),
            ends,
            began_in,
        }
    }

    /// Of one that goes on: where it began and ends stays.
    pub(super) fn used(&self, now: UnixMillis) -> Self {
        Self {
            issued: now,
            lapses: now.after(USER.idle).min(self.ends),
            ..*self
        }
    }

    /// Whether it is over at an instant.
    pub(super) fn is_over(&self, now: UnixMillis) -> bool {
        self.lapses.min(self.ends) <= now
    }
}

/// Why there is no cookie.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealingError {
    /// No browser would keep it.
    #[error("what is to be carried does not fit in a cookie: {0} bytes, and browsers keep 4096")]
    TooLarge(usize),
    /// It could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The value of a cookie. An access token that does not fit stays behind: the next one is asked for when it is
/// needed.
pub(super) fn seal(
    carried: &Carried,
    times: &Times,
    belongs: &Belongs,
    (sealer, random): (&Sealer, &dyn Random),
) -> Result<String, SealingError> {
    let whole = seal_as_is(carried, times, belongs, (sealer, random));
    match whole {
        Err(SealingError::TooLarge(_)) if carried.access.is_some() => {
            let without = Carried {
                access: None,
                ..carried.clone()
            };
            seal_as_is(&without, times, belongs, (sealer, random))
        }
        whole => whole,
    }
}

fn seal_as_is(
    carried: &Carried,
    times: &Times,
    belongs: &Belongs,
    (sealer, random): (&Sealer, &dyn Random),
) -> Result<String, SealingError> {
    let head = head(&carried.session, &carried.step);
    let plain = plain::write(carried, times)?;
    let blob = sealer.seal_carried(&outside(&head, belongs), &plain, random)?;
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(blob.as_bytes()));
    let size = belongs.name.len() + 1 + text.len();
    if size > MOST {
        return Err(SealingError::TooLarge(size));
    }
    Ok(text)
}

/// Opens a cookie; `None` for whatever was not sealed here, and for this place.
pub(super) fn open(text: &str, belongs: &Belongs, sealer: &Sealer) -> Option<(Carried, Times)> {
    if text.len() > MOST {
        return None;
    }
    let (head, body) = text.rsplit_once('.')?;
    let (session, step) = read_head(head)?;
    let blob = Sealed::from_bytes(URL_SAFE_NO_PAD.decode(body).ok()?);
    let plain = sealer.open_carried(&outside(head, belongs), &blob).ok()?;
    plain::read(&plain, session, step)
}

fn head(session: &SessionId, step: &Step) -> String {
    let Step {
        epoch,
        generation,
        minting,
    } = step;
    format!("{VERSION}.{session}.{epoch}.{generation}.{minting}")
}

fn read_head(head: &str) -> Option<(SessionId, Step)> {
    let parts: Vec<&str> = head.split('.').collect();
    let [VERSION, session, epoch, generation, minting] = *parts.as_slice() else {
        return None;
    };
    let step = Step {
        epoch: Epoch(epoch.parse().ok()?),
        generation: Generation(generation.parse().ok()?),
        minting: Minting(minting.parse().ok()?),
    };
    Some((SessionId::parse(session)?, step))
}

/// What it is bound to besides itself. No part has a space in it.
fn outside(head: &str, belongs: &Belongs) -> String {
    format!("{head} {} {}", belongs.name, belongs.origin)
}

#[cfg(test)]
mod tests;
