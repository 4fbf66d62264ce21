//! How a grant stands, at a glance: a word, a drawing and a colour that say the same.

use refrain::{
    Summary,
    lifecycle::Status,
    time::UnixMillis,
    words::{self, standing},
};

use crate::html::{Html, html};

/// So many days before it a consent that ends is somebody's concern.
pub(in crate::dashboard) const SOON: u64 = 7;

/// How much a grant needs somebody, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dashboard) enum Level {
    /// It does not work, and a person has to do something.
    Needs,
    /// It works, and a person has to do something within days.
    Soon,
    /// Something is not as usual, and nobody has to do anything.
    Watched,
    /// It works.
    Well,
    /// Nobody is signed in.
    Off,
}

/// What a glance tells of a grant.
#[derive(Debug, Clone)]
pub(in crate::dashboard) struct Glance {
    pub(in crate::dashboard) level: Level,
    /// The status in one or two words.
    pub(in crate::dashboard) word: &'static str,
    /// Why, where it is not simply well.
    pub(in crate::dashboard) reason: Option<String>,
}

impl Glance {
    pub(in crate::dashboard) fn of(grant: &Summary, now: UnixMillis) -> Self {
        let told = || Some(standing::sentence(&grant.status, grant.trouble.as_ref()));
        let glance = |level, word, reason| Self {
            level,
            word,
            reason,
        };
        match &grant.status {
            Status::Reauthorize { .. } => glance(Level::Needs, "Needs a login", told()),
            Status::Suspect(it) if it.restored => glance(Level::Needs, "Restored", told()),
            Status::Suspect(it) if it.imported => glance(Level::Needs, "Imported", told()),
            Status::SignedOut { .. } => glance(Level::Off, "Signed out", told()),
            Status::Suspect(_) => glance(Level::Watched, "Being checked", told()),
            Status::Active => {
                let due = grant.consent.map(|it| it.reauthorize_by);
                let days = due.map(|due| due.days_since(now));
                match days {
                    Some(days) if days < SOON => {
                        let days = words::count(days, "whole day");
                        let known = grant.consent.is_some_and(|it| it.latest.is_none());
                        let asks = if known {
                            format!("Spotify asks for consent again in {days}")
                        } else {
                            format!(
                                "Spotify asks for consent again at some day from {days} ahead: it was imported, \
                                 and nobody knows which"
                            )
                        };
                        let reason = format!("works; {asks}, and nothing works after that");
                        glance(Level::Soon, "Renew soon", Some(reason))
                    }
                    _ if grant.trouble.is_some() => glance(Level::Watched, "Meets faults", told()),
                    _ => glance(Level::Well, "Connected", None),
                }
            }
        }
    }

    /// One whose row cannot be read.
    pub(in crate::dashboard) fn unreadable() -> Self {
        Self {
            level: Level::Needs,
            word: "Damaged",
            reason: Some(
                "its row in the store cannot be read: it was changed from outside; restore it from a \
                 backup, or have the user connect again"
                    .to_owned(),
            ),
        }
    }

    /// Whether Spotify honours its consent, as far as anybody knows.
    pub(super) fn has_consent(&self) -> bool {
        !matches!(self.level, Level::Needs | Level::Off)
    }

    /// The word with its drawing.
    pub(super) fn chip(&self) -> Html {
        html!(
            "<span class=\"chip ",
            self.level.class(),
            "\">",
            self.level.icon(),
            self.word,
            "</span>"
        )
    }
}

impl Level {
    /// Whether somebody has to do something.
    pub(in crate::dashboard) fn needs_somebody(self) -> bool {
        self <= Self::Soon
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Needs => "needs",
            Self::Soon => "soon",
            Self::Watched => "watched",
            Self::Well => "well",
            Self::Off => "off",
        }
    }

    /// A drawing of its own, which the word beside it says too.
    pub(super) fn icon(self) -> Html {
        let path = match self {
            Self::Needs => "M8 4.2v4.6M8 11.6v.1",
            Self::Soon => "M8 4.4V8l2.6 1.6",
            Self::Watched => "M4.8 8h.1M8 8h.1M11.2 8h.1",
            Self::Well => "M4.8 8.3l2.2 2.2 4.2-4.8",
            Self::Off => "M5 8h6",
        };
        html!(
            "<svg class=\"icon\" viewBox=\"0 0 16 16\" aria-hidden=\"true\"><circle cx=\"8\" cy=\"8\" \
             r=\"6.8\"/><path d=\"",
            path,
            "\"/></svg>"
        )
    }
}

#[cfg(test)]
mod tests {
    use refrain::{
        lifecycle::row::{Consent, Reason},
        oauth::scope::Scope,
    };
    use std::time::Duration;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_000_000_000);

    fn glance(status: Status, days: u64) -> Glance {
        let grant = Summary {
            epoch: refrain::id::Epoch(1),
            name: "alice".parse().unwrap(),
            app: "default".parse().unwrap(),
            account: None,
            scope: Scope::default(),
            consent: Some(Consent {
                authorized_at: NOW,
                reauthorize_by: NOW.after(Duration::from_secs(days * 86_400)),
                latest: None,
            }),
            status,
            trouble: None,
            token_expires_at: None,
        };
        Glance::of(&grant, NOW)
    }

    #[test]
    fn whoever_has_to_do_something_is_told_so() {
        let well = glance(Status::Active, SOON);
        assert_eq!((well.level, well.word), (Level::Well, "Connected"));
        let soon = glance(Status::Active, SOON - 1);
        assert!(soon.level == Level::Soon && soon.level.needs_somebody());
        let (since, reason) = (NOW, Reason::Revoked);
        let ended = glance(Status::Reauthorize { since, reason }, 100);
        assert!(ended.level == Level::Needs && ended.reason.is_some());
        let off = glance(Status::SignedOut { since }, 0);
        assert!(!off.level.needs_somebody());
    }
}
