//! One grant as it is stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    id::{AppName, Epoch, Fence, Generation, GrantId, GrantName, InstanceId, Minting},
    lifecycle::timing,
    oauth::{client::ClientId, scope::Scope},
    provider::spotify,
    secret::Sealed,
    time::{Deadline, StoreInstant, UnixMillis},
};

/// One user's authorization of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Its identity; part of what every sealed field is bound to.
    pub id: GrantId,
    /// What people call it.
    pub name: GrantName,
    /// The app of the configuration that it belongs to.
    pub app: AppName,
    /// The client that the tokens were issued to; a changed configuration must not present them.
    pub client_id: ClientId,
    /// Counts consents and logouts.
    pub epoch: Epoch,
    /// Counts refresh tokens within the epoch.
    pub generation: Generation,
    /// Counts access tokens within the epoch.
    pub minting: Minting,
    /// Counts intents; never reset.
    pub fence: Fence,
    /// Where the grant stands.
    pub status: Status,
    /// When the user consented, and how long that lasts. Moved by consent alone.
    pub consent: Option<Consent>,
    /// What was granted, by the provider's last word.
    pub scope: Scope,
    /// Whose grant it is.
    pub account: Option<Account>,
    /// The sealed tokens; `None` once signed out.
    pub tokens: Option<Tokens>,
    /// Refresh tokens that stand by: those that were current, the last of them first, then those of late
    /// answers, oldest first.
    pub candidates: Vec<Candidate>,
    /// The presentation that may be going on.
    pub intent: Option<Intent>,
    /// A presentation of this generation whose answer never came.
    pub unanswered: Option<Unanswered>,
    /// The fault that the last attempts met.
    pub trouble: Option<Trouble>,
    /// Until when no 401 may force another refresh.
    pub forced_until: Option<Deadline>,
    /// What the token that this epoch began with is recognised by, where another program had it: a keyed hash.
    pub imported_from: Option<String>,
}

impl GrantRow {
    /// A grant without a token: before its first login, and after a logout.
    pub fn blank(
        id: GrantId,
        name: GrantName,
        app: AppName,
        client_id: ClientId,
        since: UnixMillis,
    ) -> Self {
        Self {
            id,
            name,
            app,
            client_id,
            epoch: Epoch::default(),
            generation: Generation::default(),
            minting: Minting::default(),
            fence: Fence::default(),
            status: Status::SignedOut { since },
            consent: None,
            scope: Scope::default(),
            account: None,
            tokens: None,
            candidates: Vec::new(),
            intent: None,
            unanswered: None,
            trouble: None,
            forced_until: None,
            imported_from: None,
        }
    }
}

/// Where a grant stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Status {
    /// Refreshes work, as far as anyone knows.
    Active,
    /// Refused once, well before its time, and to be asked again; or from a backup, or from another program
    /// and not accepted yet. Nothing was erased.
    Suspect(Suspicion),
    /// The user has to log in again.
    Reauthorize {
        /// Why.
        reason: Reason,
        /// Since when.
        since: UnixMillis,
    },
    /// Signed out here; no token is left.
    SignedOut {
        /// Since when.
        since: UnixMillis,
    },
}

impl Status {
    /// Whether the refresh token comes from a backup and has not been accepted since.
    pub fn is_restored(&self) -> bool {
        matches!(self, Self::Suspect(suspicion) if suspicion.restored)
    }

    /// Whether the refresh token comes from another program and has not been accepted since.
    pub fn is_imported(&self) -> bool {
        matches!(self, Self::Suspect(suspicion) if suspicion.imported)
    }

    /// Whether a person alone presents the refresh token: nobody knows what became of it elsewhere.
    pub fn is_unproven(&self) -> bool {
        self.is_restored() || self.is_imported()
    }

    /// Why a new consent is needed, where one is.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Reauthorize { reason, .. } => Some(*reason),
            Self::Active | Self::Suspect(_) | Self::SignedOut { .. } => None,
        }
    }

    /// Since when it has been so; nobody has noted since when it is active.
    pub fn since(&self) -> Option<UnixMillis> {
        match self {
            Self::Active => None,
            Self::Suspect(suspicion) => Some(suspicion.since),
            Self::Reauthorize { since, .. } | Self::SignedOut { since } => Some(*since),
        }
    }

    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspect(_) => "suspect",
            Self::Reauthorize { .. } => "reauthorize",
            Self::SignedOut { .. } => "signed_out",
        }
    }
}

/// A refusal that is being verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// The first refusal.
    pub since: UnixMillis,
    /// How many refusals in a row.
    pub refusals: u32,
    /// When the same token is presented again.
    pub next_probe: Deadline,
    /// Whether the doubt is about the store and not the provider: it was restored from a backup, and the
    /// token may have been replaced since. Then nobody but a person presents it.
    #[serde(default)]
    pub restored: bool,
    /// Whether the token was taken over from another program, and the provider has not accepted it here
    /// yet. Then too nobody but a person presents it.
    #[serde(default)]
    pub imported: bool,
}

/// Why a new consent is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Six months have passed.
    Expired,
    /// Refused again and again before that: removed by the user, a new password, or the like.
    Revoked,
    /// The provider rotated the token and its answer was lost on the way.
    AnswerLost,
    /// The grant lacks a scope that is now needed.
    Scope,
    /// The store was restored, and the provider had replaced the token since the backup.
    Restored,
    /// The token was taken over from another program, and the provider has never accepted it here.
    Imported,
}

impl Reason {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::AnswerLost => "answer_lost",
            Self::Scope => "scope",
            Self::Restored => "restored",
            Self::Imported => "imported",
        }
    }
}

/// When the user consented.
///
/// Of a token that another program has obtained nobody here knows it, and no answer of the provider tells.
/// Then it lies between two instants, and so does its end. Whoever has to act in time goes by the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Consent {
    /// The consent, or the first instant at which it may have been.
    pub authorized_at: UnixMillis,
    /// When the provider stops honouring it, whatever is done, or may do so at the earliest.
    pub reauthorize_by: UnixMillis,
    /// The last instant at which it may have been; `None` where it is known.
    pub latest: Option<UnixMillis>,
}

impl Consent {
    /// The consent of somebody who has agreed just now.
    pub fn given(authorized_at: UnixMillis) -> Self {
        Self {
            authorized_at,
            reauthorize_by: spotify::reauthorize_by(authorized_at),
            latest: None,
        }
    }

    /// A consent of which is known what `bounds` say, and that the provider has not let go of yet.
    pub fn between(bounds: Bounds, now: UnixMillis) -> Self {
        let latest = bounds.before.map_or(now, |before| before.min(now));
        let oldest = spotify::authorized_after(now);
        let earliest = bounds.after.map_or(oldest, |after| after.max(oldest));
        // A file that is older than any token can be: it is tried all the same, and its clock may be wrong.
        let authorized_at = earliest.min(latest);
        let by = spotify::reauthorize_by(authorized_at);
        Self {
            authorized_at,
            reauthorize_by: if earliest > latest { by } else { by.max(now) },
            latest: Some(latest),
        }
    }

    /// When the provider stops honouring it at the latest, where nobody knows the instant.
    pub fn reauthorize_by_latest(&self) -> Option<UnixMillis> {
        self.latest.map(spotify::reauthorize_by)
    }

    /// When it is over for certain.
    pub fn end(&self) -> UnixMillis {
        self.reauthorize_by_latest().unwrap_or(self.reauthorize_by)
    }
}

/// What somebody knows of the instant of a consent who was not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// It was not before.
    pub after: Option<UnixMillis>,
    /// It was not after.
    pub before: Option<UnixMillis>,
}

/// A user at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Spotify's public, immutable `account_id`, or the user `id` where it is absent.
    pub id: String,
    /// What the user calls themselves.
    pub display_name: Option<String>,
}

/// The sealed secrets of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The key that seals the fields below, itself sealed by the master key; one per epoch.
    pub data_key: Sealed,
    /// The refresh token of the current generation.
    pub refresh: Sealed,
    /// The newest access token.
    pub access: Option<Access>,
}

/// A sealed access token and its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The token.
    pub sealed: Sealed,
    /// When it expires.
    pub expires: Deadline,
    /// Its whole life from minting, in milliseconds.
    pub life_millis: i64,
}

/// A refresh token that stands by: from an answer that came too late, or once the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The generation that was presented for it, or that it was.
    pub presented: Generation,
    /// The intent it came or went under; part of what it is sealed to.
    pub fence: Fence,
    /// The token.
    pub sealed: Sealed,
    /// What is known of it.
    pub standing: Standing,
}

/// What is known of a token that stands by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Never presented.
    Untried,
    /// It was the current one, and made room for another without anybody knowing that the provider
    /// accepts that: tried again when the other has had its verdict, before anybody is told to log in.
    SetAside,
    /// It was the current one, and the verdict on it was a refusal; kept, and not tried again by itself.
    Refused,
}

/// "I am about to present this generation": the lease and the write-ahead record in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its number.
    pub fence: Fence,
    /// The process that holds it.
    pub owner: InstanceId,
    /// Which of its tries to write an intent this one was: a write that was given up may still be made, and
    /// the number is free until it is.
    #[serde(default)]
    pub attempt: u64,
    /// When it was made, for the story.
    pub armed_at: UnixMillis,
    /// When it lapses, by the store's clock.
    pub deadline: StoreInstant,
}

impl Intent {
    /// Whether its owner presents under it no more, whatever clock he goes by. One of another era cannot be
    /// timed; see [`retime`](crate::lifecycle::retime).
    pub fn has_lapsed(&self, now: StoreInstant) -> bool {
        self.lease_left(now).is_some_and(|left| left.is_zero())
    }

    /// How long others have to wait for it; `None` where it cannot be timed.
    pub(super) fn lease_left(&self, now: StoreInstant) -> Option<Duration> {
        let same_era = self.deadline.era == now.era;
        same_era.then(|| self.deadline.after(timing::SKEW).remaining(now))
    }
}

/// The provider may have acted on a presentation, and we do not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    /// The generation that was presented.
    pub generation: Generation,
    /// The first such presentation.
    pub since: UnixMillis,
    /// How many there were.
    pub presentations: u32,
    /// Whether an answer is missing or damaged, and not just a fault that was answered.
    pub missing: bool,
}

/// A fault, and when to try again; never a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The first failure in a row.
    pub since: UnixMillis,
    /// How many in a row.
    pub failures: u32,
    /// When the next attempt is due.
    pub retry: Deadline,
    /// The last HTTP status, where there was an answer.
    pub http_status: Option<u16>,
}
