//! Taking over a refresh token that another program has obtained.
//!
//! Nobody here knows what became of it there: it may have been replaced, ended, or belong to another app. So
//! it begins an epoch in doubt, and a person alone presents it until the provider has accepted it once. It is
//! in the row before it is presented, like any other: an answer that is lost costs no more than elsewhere.

use std::time::Duration;

use crate::{
    id::AppName,
    lifecycle::{
        Change, Event,
        event::What,
        row::{Consent, GrantRow, Status, Suspicion, Tokens},
    },
    oauth::{client::ClientId, scope::Scope},
    secret::Sealed,
    time::{Deadline, Moment},
};

/// Where a token was, and what it is recognised by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The program, or whatever had it.
    pub source: String,
    /// A keyed hash of the token: what is imported twice is known again, also after it was replaced.
    pub token: String,
}

/// What an import brings.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The app.
    pub app: AppName,
    /// The client that the token is said to be of.
    pub client_id: ClientId,
    /// Where it is from.
    pub origin: Origin,
    /// What is known of the consent.
    pub consent: Consent,
    /// What is said to be granted.
    pub scope: Scope,
    /// The new data key, sealed.
    pub data_key: Sealed,
    /// The refresh token, sealed to the new epoch and generation 0.
    pub refresh: Sealed,
}

/// Begins the next epoch of a grant with a token that is to be verified.
pub fn import(row: &GrantRow, imported: Imported, now: &Moment) -> Change {
    let epoch = row.epoch.next();
    let (id, name) = (row.id.clone(), row.name.clone());
    let Origin { source, token } = imported.origin;
    let row = GrantRow {
        epoch,
        fence: row.fence.next(),
        status: Status::Suspect(Suspicion {
            since: now.wall,
            refusals: 0,
            next_probe: Deadline::after(now, Duration::ZERO),
            restored: false,
            imported: true,
        }),
        consent: Some(imported.consent),
        scope: imported.scope,
        tokens: Some(Tokens {
            data_key: imported.data_key,
            refresh: imported.refresh,
            access: None,
        }),
        imported_from: Some(token),
        ..GrantRow::blank(id, name, imported.app, imported.client_id, now.wall)
    };
    let what = What::imported(source, &imported.consent);
    Change {
        row,
        events: vec![Event {
            at: now.wall,
            epoch,
            what,
        }],
        forgets: false,
    }
}
