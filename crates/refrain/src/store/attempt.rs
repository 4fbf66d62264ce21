//! A login that has begun: what the callback will need, whichever process it reaches.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    config::ReturnTo,
    connect::LinkId,
    id::{AppName, Epoch, GrantName},
    oauth::scope::Scope,
    secret::Sealed,
    session::LocalPath,
    time::UnixMillis,
};

/// How long a login attempt lives.
pub const LIFE: Duration = Duration::from_secs(10 * 60);

/// A login attempt: single use, ten minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Keyed hash of the `state` parameter, and of the browser's secret where it has one, so that the
    /// store holds nothing to answer with.
    pub id: String,
    /// When it lapses.
    pub expires_at: UnixMillis,
    /// What was asked for.
    pub terms: Terms,
    /// The sealed PKCE verifier.
    pub verifier: Sealed,
}

impl Attempt {
    /// When it was made: those that had lapsed by then are gone.
    pub fn begun_at(&self) -> UnixMillis {
        let life = i64::try_from(LIFE.as_millis()).unwrap_or(i64::MAX);
        UnixMillis(self.expires_at.0.saturating_sub(life))
    }
}

/// What a login attempt asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The grant to be. That of a browser's session is found by its account, and has another name here.
    pub grant: GrantName,
    /// The app.
    pub app: AppName,
    /// The redirect as it was sent, byte for byte.
    pub redirect_uri: String,
    /// The scope that was asked for.
    pub scope: Scope,
    /// Whether another account than the present one may take the grant over.
    pub other_account: bool,
    /// The link that it began with, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<FromLink>,
    /// Where the user goes afterwards, if a session is to begin with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<LocalPath>,
    /// Whether the user was asked for consent also where they had given it before.
    #[serde(default)]
    pub asked_anew: bool,
}

/// What a login keeps of the connect link that it began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FromLink {
    /// Which link.
    pub id: LinkId,
    /// Where the user goes afterwards.
    pub return_to: Option<ReturnTo>,
    /// The epoch that the grant is to have still; `None` where it is not to be there.
    pub epoch: Option<Epoch>,
}
