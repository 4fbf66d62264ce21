//! Beginning and end of an epoch: consent and logout. Both win over any refresh in flight, because a
//! refresh writes only to the epoch it was armed in.

use crate::{
    id::{AppName, Generation, Minting},
    lifecycle::{
        Change, Event,
        event::What,
        row::{Access, Account, Consent, GrantRow, Status, Tokens},
    },
    oauth::{client::ClientId, scope::Scope},
    secret::Sealed,
    time::UnixMillis,
};

/// What a completed login brings.
#[derive(Debug, Clone)]
pub struct Consented {
    /// The app.
    pub app: AppName,
    /// The client that the tokens were issued to.
    pub client_id: ClientId,
    /// When, and until when.
    pub consent: Consent,
    /// What was granted.
    pub scope: Scope,
    /// Whose grant it is.
    pub account: Option<Account>,
    /// The new data key, sealed.
    pub data_key: Sealed,
    /// The first refresh token, sealed to the new epoch and generation 0.
    pub refresh: Sealed,
    /// The first access token, sealed to the new epoch and minting 0.
    pub access: Access,
}

/// Begins the next epoch of a grant.
pub fn consent(row: &GrantRow, consented: Consented) -> Change {
    let epoch = row.epoch.next();
    let what = What::Consented {
        reauthorize_by: consented.consent.reauthorize_by,
    };
    let row = GrantRow {
        id: row.id.clone(),
        name: row.name.clone(),
        app: consented.app,
        client_id: consented.client_id,
        epoch,
        generation: Generation::default(),
        minting: Minting::default(),
        fence: row.fence.next(),
        status: Status::Active,
        consent: Some(consented.consent),
        scope: consented.scope,
        account: consented.account,
        tokens: Some(Tokens {
            data_key: consented.data_key,
            refresh: consented.refresh,
            access: Some(consented.access),
        }),
        candidates: Vec::new(),
        intent: None,
        unanswered: None,
        trouble: None,
        forced_until: None,
    };
    Change {
        row,
        events: vec![Event {
            at: consented.consent.authorized_at,
            epoch,
            what,
        }],
        forgets: false,
    }
}

/// Ends the epoch: no token, no key to one, nothing about the user is left in the row.
pub fn sign_out(row: &GrantRow, now: UnixMillis) -> Change {
    let epoch = row.epoch.next();
    let row = GrantRow {
        epoch,
        generation: Generation::default(),
        minting: Minting::default(),
        fence: row.fence.next(),
        status: Status::SignedOut { since: now },
        consent: None,
        scope: Scope::default(),
        account: None,
        tokens: None,
        candidates: Vec::new(),
        intent: None,
        unanswered: None,
        trouble: None,
        forced_until: None,
        ..row.clone()
    };
    Change {
        row,
        events: vec![Event {
            at: now,
            epoch,
            what: What::SignedOut,
        }],
        forgets: true,
    }
}
