//! A login that has begun: what the callback will need, whichever process it reaches.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    id::{AppName, GrantName},
    oauth::scope::Scope,
    secret::Sealed,
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

/// What a login attempt asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The grant to be.
    pub grant: GrantName,
    /// The app.
    pub app: AppName,
    /// The redirect as it was sent, byte for byte.
    pub redirect_uri: String,
    /// The scope that was asked for.
    pub scope: Scope,
    /// Whether another account than the present one may take the grant over.
    pub other_account: bool,
}
