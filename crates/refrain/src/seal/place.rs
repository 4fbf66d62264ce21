//! Where a ciphertext belongs: the associated data it is bound to.

use crate::{
    id::{Epoch, GrantId, GrantName},
    lifecycle::GrantRow,
    seal::DeploymentId,
};

/// What is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The store's key check.
    KeyCheck,
    /// The data key of an epoch.
    DataKey,
    /// A refresh token; its number is the generation.
    RefreshToken,
    /// An access token; its number is the minting.
    AccessToken,
    /// A late answer's refresh token; its number is the fence.
    Candidate,
    /// A login attempt's verifier.
    Verifier,
    /// What somebody else carries.
    Carried,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::KeyCheck => "key_check",
            Self::DataKey => "data_key",
            Self::RefreshToken => "refresh_token",
            Self::AccessToken => "access_token",
            Self::Candidate => "candidate",
            Self::Verifier => "verifier",
            Self::Carried => "carried",
        }
    }
}

/// Whose data key it is: one login of one grant.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The grant.
    pub id: &'a GrantId,
    /// What callers ask for it by.
    pub name: &'a GrantName,
    /// The login.
    pub epoch: Epoch,
}

impl<'a> Owner<'a> {
    /// The login that a row is about.
    pub fn of(row: &'a GrantRow) -> Self {
        Self {
            id: &row.id,
            name: &row.name,
            epoch: row.epoch,
        }
    }
}

/// One field of one row of one table of one store.
#[derive(Debug, Clone)]
pub struct Place {
    deployment: DeploymentId,
    table: &'static str,
    row: String,
    epoch: Epoch,
    number: u64,
    field: Field,
}

impl Place {
    /// A field of the store itself.
    pub fn of_store(deployment: DeploymentId, field: Field) -> Self {
        Self {
            deployment,
            table: "store",
            row: String::new(),
            epoch: Epoch::default(),
            number: 0,
            field,
        }
    }

    /// A field of a grant.
    pub fn of_grant(
        deployment: DeploymentId,
        grant: &GrantId,
        epoch: Epoch,
        number: u64,
        field: Field,
    ) -> Self {
        Self {
            deployment,
            table: "grants",
            row: grant.as_str().to_owned(),
            epoch,
            number,
            field,
        }
    }

    /// The data key of one login of a grant. The name is part of its place: it is what callers ask by, and
    /// two rows that have changed names must not open for one another's callers.
    pub fn of_data_key(deployment: DeploymentId, owner: &Owner<'_>) -> Self {
        Self {
            deployment,
            table: "grants",
            row: format!("{} {}", owner.id, owner.name),
            epoch: owner.epoch,
            number: 0,
            field: Field::DataKey,
        }
    }

    /// The verifier of a login attempt.
    pub fn of_attempt(deployment: DeploymentId, attempt: &str) -> Self {
        Self {
            deployment,
            table: "attempts",
            row: attempt.to_owned(),
            epoch: Epoch::default(),
            number: 0,
            field: Field::Verifier,
        }
    }

    /// What somebody else carries: `outside` is what it shows in the clear, and where it may be shown.
    pub fn of_carried(deployment: DeploymentId, outside: &str) -> Self {
        Self {
            deployment,
            table: "carried",
            row: outside.to_owned(),
            epoch: Epoch::default(),
            number: 0,
            field: Field::Carried,
        }
    }

    /// The associated data, each part behind its length so that no two places spell the same bytes.
    pub(super) fn associated_data(&self, header: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(160);
        let mut part = |part: &[u8]| {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        };
        part(header);
        part(&self.deployment.0.to_be_bytes());
        part(self.table.as_bytes());
        part(self.row.as_bytes());
        part(&self.epoch.0.to_be_bytes());
        part(&self.number.to_be_bytes());
        part(self.field.name().as_bytes());
        bytes
    }
}
