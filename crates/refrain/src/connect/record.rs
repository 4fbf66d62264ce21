//! What is kept of a link: everything but the link.

use serde::{Deserialize, Serialize};

use crate::{
    config::ReturnTo,
    connect::{LinkHash, LinkId},
    id::{AppName, Epoch, GrantName},
    oauth::scope::Scope,
    time::UnixMillis,
};

/// A link as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRecord {
    /// The part of its text that names it.
    pub id: LinkId,
    /// What it is recognised by.
    pub hash: LinkHash,
    /// What it asks for.
    pub terms: LinkTerms,
    /// When it was made.
    pub made_at: UnixMillis,
    /// From when on it is over.
    pub expires_at: UnixMillis,
    /// When a browser began with it.
    pub used_at: Option<UnixMillis>,
}

/// What a link asks its user for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkTerms {
    /// The grant to be, or to be renewed.
    pub grant: GrantName,
    /// The app that asks.
    pub app: AppName,
    /// What it asks for.
    pub scope: Scope,
    /// Where the user goes afterwards; a page of refrain's own where it is `None`.
    pub return_to: Option<ReturnTo>,
    /// The epoch that the grant had when the link was made; `None` where it was not there.
    pub epoch: Option<Epoch>,
    /// Whether somebody was signed in under the name, whose account it has to be again.
    pub reconnect: bool,
}

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkStanding {
    /// It waits for its user.
    Open,
    /// A browser has begun with it.
    Used,
    /// Its time is over.
    Expired,
}

impl LinkRecord {
    /// Where it stands at an instant.
    pub fn standing(&self, now: UnixMillis) -> LinkStanding {
        if self.used_at.is_some() {
            LinkStanding::Used
        } else if self.expires_at <= now {
            LinkStanding::Expired
        } else {
            LinkStanding::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{connect::ConnectLink, random::SystemRandom};

    #[test]
    fn a_link_is_open_until_its_time_is_over_or_a_browser_begins() {
        let link = ConnectLink::random(&SystemRandom).unwrap();
        let mut record = LinkRecord {
            id: link.id(),
            hash: LinkHash::from_bytes([7; 32]),
            terms: LinkTerms {
                grant: "alice".parse().unwrap(),
                app: "default".parse().unwrap(),
                scope: Scope::default(),
                return_to: None,
                epoch: None,
                reconnect: false,
            },
            made_at: UnixMillis(0),
            expires_at: UnixMillis(100),
            used_at: None,
        };
        assert_eq!(record.standing(UnixMillis(99)), LinkStanding::Open);
        assert_eq!(record.standing(UnixMillis(100)), LinkStanding::Expired);
        record.used_at = Some(UnixMillis(5));
        for millis in [0, 99, 100] {
            assert_eq!(record.standing(UnixMillis(millis)), LinkStanding::Used);
        }
    }
}
