//! Beginning and end of an epoch: consent and logout. Both win over any refresh in flight, because a
//! refresh writes only to the epoch it was armed in.

use crate::{
    id::AppName,
    lifecycle::{
        Change, Event, Origin,
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
    /// When it is written down.
    pub at: UnixMillis,
    /// When, and until when.
    pub consent: Consent,
    /// Where it is from, unless the user has consented here.
    pub origin: Option<Origin>,
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
    let at = consented.at;
    let (imported_from, what) = match consented.origin {
        None => {
            let reauthorize_by = consented.consent.reauthorize_by;
            (None, What::Consented { reauthorize_by })
        }
        Some(Origin { source, token }) => (Some(token), What::imported(source, &consented.consent)),
    };
    let (id, name) = (row.id.clone(), row.name.clone());
    let row = GrantRow {
        epoch,
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
        imported_from,
        ..GrantRow::blank(id, name, consented.app, consented.client_id, at)
    };
    Change {
        row,
        events: vec![Event { at, epoch, what }],
        forgets: false,
    }
}

/// Ends the epoch: no token, no key to one, nothing about the user is left in the row.
pub fn sign_out(row: &GrantRow, now: UnixMillis) -> Change {
    let epoch = row.epoch.next();
    let (id, name) = (row.id.clone(), row.name.clone());
    let row = GrantRow {
        epoch,
        fence: row.fence.next(),
        ..GrantRow::blank(id, name, row.app.clone(), row.client_id.clone(), now)
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
