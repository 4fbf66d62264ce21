//! How the simulated Spotify behaves: everything a test may choose before or while it runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{self, UnixMs};
use crate::model::{App, User};

/// What happens to a refresh token when it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rotation {
    /// One refresh token for the life of the authorization, never in a refresh answer
    /// (what confidential clients have always seen).
    Static,
    /// The answer leaves `refresh_token` out and the old one stays valid (PKCE since mid-2026).
    Omit,
    /// The answer has `"refresh_token":""` and the old one stays valid.
    Empty,
    /// The answer has `"refresh_token":null` and the old one stays valid.
    Null,
    /// The answer repeats the presented token.
    Echo,
    /// A new token each time. The immediately previous one is accepted for some seconds after its
    /// first rotation, each retry giving a further successor; anything older, or later, kills the
    /// chain.
    Grace {
        /// The length of the window.
        seconds: u64,
    },
    /// A new token each time; an old one is simply refused.
    Strict,
    /// A new token each time; presenting an old one kills the whole chain, the newest refresh
    /// token and the access tokens included.
    #[default]
    FamilyKill,
    /// A new token each time. The old one works until the new one, or the access token that came
    /// with it, has been used; a retry withdraws the unused successor.
    UntilUsed,
}

// === impl Rotation ===

impl Rotation {
    /// Whether a refresh makes a new refresh token.
    pub fn rotates(self) -> bool {
        matches!(
            self,
            Self::Grace { .. } | Self::Strict | Self::FamilyKill | Self::UntilUsed
        )
    }
}

/// The `error_description` of a refresh token past its six months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpiryText {
    /// `Refresh token revoked`: most reports.
    #[default]
    Revoked,
    /// `Refresh token expired`: one report.
    Expired,
    /// No description at all.
    Absent,
}

/// The wording of the Web API's 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api401 {
    /// One text for every cause, since July 2026.
    #[default]
    Today,
    /// The older texts, one per cause.
    Legacy,
}

/// What `/oauth2/revoke/v1` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevokeMode {
    /// There is no such endpoint: 404.
    #[default]
    Absent,
    /// Answers 200 and revokes.
    Works,
    /// Answers 200 and does nothing.
    Noop,
}

/// How the simulated Spotify behaves. The defaults are the strictest that Spotify might be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Profile {
    /// The registered apps; the first one is the default app.
    pub apps: Vec<App>,
    /// The users; the first one is signed in.
    pub users: Vec<User>,
    /// Serves the Web API on a port of its own, as Spotify does on a host of its own.
    pub separate_api: bool,
    /// Approves every valid authorization request at once, without a page.
    pub auto_consent: bool,
    /// What happens to a refresh token when it is used.
    pub rotation: Rotation,
    /// Scripts the next refreshes one by one: true replaces the refresh token, false keeps it.
    /// When it is used up, `rotation` decides again.
    pub rotation_sequence: Vec<bool>,
    /// The life of an access token.
    #[serde(with = "seconds")]
    pub access_ttl: Duration,
    /// The life of a refresh token from the user's consent; `None` is six calendar months.
    #[serde(with = "optional_seconds")]
    pub refresh_ttl: Option<Duration>,
    /// The life of an authorization code.
    #[serde(with = "seconds")]
    pub code_ttl: Duration,
    /// How a refresh token past its life is refused.
    pub expiry_text: ExpiryText,
    /// The wording of the Web API's 401.
    pub api401: Api401,
    /// Every n-th call to `/v1/me/player…` answers 401 `Access token missing`; 0 is never.
    pub player_flap: u32,
    /// How often the listeners play a track to its end; `None` is once, long ago.
    #[serde(with = "optional_seconds")]
    pub play_every: Option<Duration>,
    /// What the revocation endpoint does.
    pub revoke: RevokeMode,
    /// Web API calls per app in a rolling 30 s window; `None` is no limit.
    pub rate_limit: Option<u32>,
    /// Web API calls per app owner in rolling 24 h, for development-mode apps; `None` is no limit.
    pub quota: Option<u32>,
    /// Refuses token requests with parameters that are not part of them.
    pub strict_parameters: bool,
    /// Writes Web API calls to the history; switch it off for load tests.
    pub record_api: bool,
}

// === impl Profile ===

impl Profile {
    /// A profile with another rotation mode.
    pub fn rotating(rotation: Rotation) -> Self {
        Self {
            rotation,
            ..Self::default()
        }
    }

    /// When a refresh token of a consent given at `consented_at` ends.
    pub(crate) fn refresh_end(&self, consented_at: UnixMs) -> UnixMs {
        match self.refresh_ttl {
            Some(ttl) => consented_at.saturating_add(clock::millis(ttl)),
            None => clock::six_months_after(consented_at),
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            apps: vec![App::default()],
            users: vec![User::default()],
            separate_api: true,
            auto_consent: false,
            rotation: Rotation::default(),
            rotation_sequence: Vec::new(),
            access_ttl: Duration::from_hours(1),
            refresh_ttl: None,
            code_ttl: Duration::from_mins(10),
            expiry_text: ExpiryText::default(),
            api401: Api401::default(),
            player_flap: 0,
            play_every: None,
            revoke: RevokeMode::default(),
            rate_limit: None,
            quota: None,
            strict_parameters: true,
            record_api: true,
        }
    }
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(duration) => to.serialize_some(&duration.as_secs_f64()),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<f64>::deserialize(from)?
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(serde::de::Error::custom)
    }
}
