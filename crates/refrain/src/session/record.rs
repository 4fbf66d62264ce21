//! What is kept of a session: everything but what its browser shows.

use std::time::Duration;

use crate::{
    id::GrantName,
    session::{SessionHash, SessionId},
    time::UnixMillis,
};

/// A session as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// The part of its text that names it.
    pub id: SessionId,
    /// What it is recognised by.
    pub hash: SessionHash,
    /// Who is signed in.
    pub whose: Whose,
    /// When it began.
    pub made_at: UnixMillis,
    /// When it was last used, to a minute or so.
    pub seen_at: UnixMillis,
    /// From when on it is over, unless it is used before.
    pub lapses_at: UnixMillis,
    /// From when on it is over in any case.
    pub ends_at: UnixMillis,
}

/// Who is signed in with a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Nobody yet: whoever opens the link that a command has printed.
    SignIn,
    /// Somebody who runs refrain.
    Admin,
    /// A user, who reaches a grant of their own.
    User(GrantName),
    /// Nobody any more: the user of a session that its browser carries has signed out. Kept for as long as
    /// a copy of the cookie could be shown.
    SignedOut,
}

/// How long a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Unused.
    pub idle: Duration,
    /// At most.
    pub most: Duration,
}

/// Of a sign-in link: as long as it takes to get from a terminal to a browser.
pub const SIGN_IN: Life = Life {
    idle: Duration::from_secs(10 * 60),
    most: Duration::from_secs(10 * 60),
};

/// Of somebody who runs refrain: a working day, and not what was left open over lunch.
pub const ADMIN: Life = Life {
    idle: Duration::from_secs(60 * 60),
    most: Duration::from_secs(12 * 60 * 60),
};

/// Of a user: a month unused; half a year at most, as long as a consent.
pub const USER: Life = Life {
    idle: Duration::from_secs(30 * 24 * 60 * 60),
    most: Duration::from_secs(180 * 24 * 60 * 60),
};

/// A use is noted when the last one that was is so long ago.
const NOTED: Duration = Duration::from_secs(60);

impl Whose {
    /// How long such a session lives.
    pub fn life(&self) -> Life {
        match self {
            Self::SignIn => SIGN_IN,
            Self::Admin => ADMIN,
            Self::User(_) | Self::SignedOut => USER,
        }
    }
}

impl SessionRecord {
    /// Whether it is over at an instant.
    pub fn is_over(&self, now: UnixMillis) -> bool {
        self.lapses_at.min(self.ends_at) <= now
    }

    /// When it lapses if it is used now; `None` where that need not be noted.
    pub fn used(&self, now: UnixMillis) -> Option<UnixMillis> {
        let noted = now < self.seen_at.after(NOTED);
        let lapses_at = now.after(self.whose.life().idle).min(self.ends_at);
        (!noted && lapses_at > self.lapses_at).then_some(lapses_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{random::SystemRandom, session::SessionToken};

    fn admin() -> SessionRecord {
        SessionRecord {
            id: SessionToken::random(&SystemRandom).unwrap().id(),
            hash: SessionHash::from_bytes([7; 32]),
            whose: Whose::Admin,
            made_at: UnixMillis(0),
            seen_at: UnixMillis(0),
            lapses_at: UnixMillis(0).after(ADMIN.idle),
            ends_at: UnixMillis(0).after(ADMIN.most),
        }
    }

    #[test]
    fn a_session_is_over_when_it_lapses_or_ends() {
        let session = admin();
        let hour = 60 * 60 * 1000;
        assert!(!session.is_over(UnixMillis(hour - 1)));
        assert!(session.is_over(UnixMillis(hour)));
        let used = SessionRecord {
            lapses_at: UnixMillis(24 * hour),
            ..session
        };
        assert!(!used.is_over(UnixMillis(12 * hour - 1)));
        assert!(used.is_over(UnixMillis(12 * hour)));
    }

    #[test]
    fn a_use_moves_the_lapse_once_a_minute_and_not_beyond_the_end() {
        let session = admin();
        let (minute, hour) = (60 * 1000, 60 * 60 * 1000);
        assert_eq!(session.used(UnixMillis(minute - 1)), None);
        let later = UnixMillis(minute + hour);
        assert_eq!(session.used(UnixMillis(minute)), Some(later));
        let last = UnixMillis(12 * hour - 1);
        assert_eq!(session.used(last), Some(session.ends_at));
        let old = SessionRecord {
            lapses_at: session.ends_at,
            ..session
        };
        assert_eq!(old.used(last), None, "there is nothing to be won");
    }
}
