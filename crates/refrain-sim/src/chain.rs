//! One consent and the refresh tokens that came from it: which of them is accepted, and when.
//!
//! Every refresh token is a link. A new link is one deeper than the token it was given for; two
//! links of one depth are siblings, made by a retry. The deepest ones are the chain's current
//! tokens and always accepted. What happens to a shallower one is the [`Rotation`] mode:
//!
//! | mode | the token just superseded | older ones |
//! |---|---|---|
//! | static, omit, empty, null, echo | nothing is superseded | – |
//! | grace | accepted for N s after its first rotation, then kills the chain | kill the chain |
//! | strict | refused | refused |
//! | family-kill | kills the chain | kill the chain |
//! | until-used | accepted until a successor was used; its retry withdraws the unused one | refused |
//!
//! The mode is asked at each presentation, so it may change while the simulator runs; tokens that
//! an earlier mode superseded stay superseded.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;
use crate::mint;
use crate::profile::Rotation;

/// Why a chain can never be refreshed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeathCause {
    /// The user removed the app, or a test said so.
    RevokedByUser,
    /// The client called the revocation endpoint.
    RevokedByClient,
    /// A superseded refresh token was presented.
    Replay,
    /// The life of the authorization is over.
    Expired,
}

/// The end of a chain and the event that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// What ended it.
    pub why: DeathCause,
    /// The number of the history event that ended it; `None` for expiry, which is no event.
    pub seq: Option<u64>,
}

/// Why a known refresh token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The chain was dead before.
    Dead(DeathCause),
    /// Six months are over.
    Expired,
    /// A newer token took its place.
    Superseded,
    /// A retry took back this token, which nobody had used.
    Withdrawn,
    /// This presentation is a replay and has just killed the chain.
    Replayed,
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dead(DeathCause::Replay) => "chain killed by an earlier replay",
            Self::Dead(_) => "revoked",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Replayed => "replayed, chain killed",
        }
    }
}

/// The `refresh_token` member of a refresh answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RefreshField {
    Absent,
    Empty,
    Null,
    Same(String),
    New(String),
}

/// What an accepted presentation gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    /// The link that the new access token belongs to: whoever uses the token holds this link.
    pub(crate) link: usize,
    pub(crate) field: RefreshField,
    /// Links that were taken back; their access tokens die with them.
    pub(crate) withdrawn: Vec<usize>,
}

enum Standing {
    Accepted,
    Refused(Refusal),
}

#[derive(Debug)]
struct Link {
    value: String,
    parent: Option<usize>,
    depth: u32,
    rotated_at: Option<UnixMs>,
    withdrawn: bool,
    used: bool,
    proven: bool,
}

/// One consent of one user to one app.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) id: u64,
    pub(crate) client_id: String,
    pub(crate) user: String,
    pub(crate) scope: BTreeSet<String>,
    /// Whether the code was obtained with a challenge, so that no secret is needed.
    pub(crate) pkce: bool,
    ends_at: UnixMs,
    links: Vec<Link>,
    depth: u32,
    death: Option<Death>,
}

// === impl Chain ===

impl Chain {
    pub(crate) fn new(id: u64, client_id: &str, user: &str, ends_at: UnixMs) -> Self {
        Self {
            id,
            client_id: client_id.to_owned(),
            user: user.to_owned(),
            scope: BTreeSet::new(),
            pkce: false,
            ends_at,
            links: vec![],
            depth: 0,
            death: None,
        }
    }

    /// Issues the first refresh token, in the code exchange.
    pub(crate) fn open(&mut self, delivered: bool) -> (usize, String) {
        let link = self.push(None, 0);
        if delivered {
            self.prove(link);
        }
        (link, self.value(link).to_owned())
    }

    /// Presents a refresh token, which proves that the client holds it.
    ///
    /// `seq` is the number of the event that will record this presentation.
    pub(crate) fn present(
        &mut self,
        link: usize,
        now: UnixMs,
        rotation: Rotation,
        replace: bool,
        seq: u64,
    ) -> Result<Granted, Refusal> {
        self.prove(link);
        match self.standing(link, now, rotation) {
            Standing::Accepted => {}
            Standing::Refused(refusal) => {
                if refusal == Refusal::Replayed {
                    self.kill(DeathCause::Replay, seq);
                }
                return Err(refusal);
            }
        }
        self.acknowledge(link);
        let presented = self.value(link).to_owned();
        if !replace {
            let field = match rotation {
                Rotation::Empty => RefreshField::Empty,
                Rotation::Null => RefreshField::Null,
                Rotation::Echo => RefreshField::Same(presented),
                _ => RefreshField::Absent,
            };
            return Ok(Granted {
                link,
                field,
                withdrawn: vec![],
            });
        }
        let withdrawn = if rotation == Rotation::UntilUsed {
            self.withdraw_children(link)
        } else {
            vec![]
        };
        let depth = self.links.get(link).map_or(0, |l| l.depth) + 1;
        if let Some(old) = self.links.get_mut(link) {
            old.rotated_at.get_or_insert(now);
        }
        let successor = self.push(Some(link), depth);
        Ok(Granted {
            link: successor,
            field: RefreshField::New(self.value(successor).to_owned()),
            withdrawn,
        })
    }

    /// Notes that the client holds this link.
    pub(crate) fn prove(&mut self, link: usize) {
        if let Some(link) = self.links.get_mut(link) {
            link.proven = true;
        }
    }

    /// Notes that this link, or an access token that came with it, was used with success.
    pub(crate) fn acknowledge(&mut self, link: usize) {
        if let Some(link) = self.links.get_mut(link) {
            link.used = true;
        }
    }

    /// Ends the chain; the first cause stays.
    pub(crate) fn kill(&mut self, why: DeathCause, seq: u64) {
        self.death.get_or_insert(Death {
            why,
            seq: Some(seq),
        });
    }

    /// How the chain ended, if it did.
    pub(crate) fn death(&self, now: UnixMs) -> Option<Death> {
        let expired = (now >= self.ends_at).then_some(Death {
            why: DeathCause::Expired,
            seq: None,
        });
        self.death.or(expired)
    }

    /// The fingerprints of the tokens that would be accepted now, and whether the client has
    /// proved to hold one of them.
    pub(crate) fn usable(&self, now: UnixMs, rotation: Rotation) -> (Vec<String>, bool) {
        let mut proven = false;
        let usable = self
            .links
            .iter()
            .enumerate()
            .filter(|(at, _)| matches!(self.standing(*at, now, rotation), Standing::Accepted))
            .map(|(_, link)| {
                proven |= link.proven;
                mint::fingerprint(&link.value)
            })
            .collect();
        (usable, proven)
    }

    fn standing(&self, at: usize, now: UnixMs, rotation: Rotation) -> Standing {
        if let Some(death) = self.death {
            return Standing::Refused(Refusal::Dead(death.why));
        }
        if now >= self.ends_at {
            return Standing::Refused(Refusal::Expired);
        }
        let Some(link) = self.links.get(at) else {
            return Standing::Refused(Refusal::Superseded);
        };
        if link.withdrawn {
            return Standing::Refused(Refusal::Withdrawn);
        }
        if link.depth == self.depth {
            return Standing::Accepted;
        }
        // Siblings of the parent have no `rotated_at`: only the parent itself is "previous".
        let rotated_at = link.rotated_at.filter(|_| link.depth + 1 == self.depth);
        match (rotation, rotated_at) {
            (Rotation::Grace { seconds }, Some(rotated_at))
                if now < rotated_at.saturating_add_unsigned(seconds.saturating_mul(1000)) =>
            {
                Standing::Accepted
            }
            (Rotation::UntilUsed, Some(_)) if !self.children(at).any(|child| child.used) => {
                Standing::Accepted
            }
            (Rotation::Grace { .. } | Rotation::FamilyKill, _) => {
                Standing::Refused(Refusal::Replayed)
            }
            _ => Standing::Refused(Refusal::Superseded),
        }
    }

    fn children(&self, at: usize) -> impl Iterator<Item = &Link> {
        self.links
            .iter()
            .skip(at + 1)
            .filter(move |link| link.parent == Some(at))
    }

    fn withdraw_children(&mut self, at: usize) -> Vec<usize> {
        let mut withdrawn = vec![];
        for (index, link) in self.links.iter_mut().enumerate().skip(at + 1) {
            if link.parent == Some(at) && !link.withdrawn {
                link.withdrawn = true;
                withdrawn.push(index);
            }
        }
        withdrawn
    }

    fn push(&mut self, parent: Option<usize>, depth: u32) -> usize {
        self.links.push(Link {
            value: mint::refresh_token(),
            parent,
            depth,
            rotated_at: None,
            withdrawn: false,
            used: false,
            proven: false,
        });
        self.depth = self.depth.max(depth);
        self.links.len() - 1
    }

    fn value(&self, link: usize) -> &str {
        self.links.get(link).map_or("", |link| &link.value)
    }
}

#[cfg(test)]
mod tests;
