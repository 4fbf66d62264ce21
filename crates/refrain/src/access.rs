//! Access: refrain's own API keys, what they look like, what they may do, and whether one is valid.
//!
//! A key is for programs that ask a refrain on another machine, or on this one under another user. Its
//! text is shown once, when it is made; what is kept is a keyed hash of it, which no one can turn back.
//! Nothing in here reads a store or a clock.

pub(crate) mod base62;
mod check;
mod credential;
mod grants;
mod key;
mod permission;
mod record;

pub use self::{
    check::{Refused, check},
    credential::{Credential, CredentialHash, CredentialId, CredentialKind},
    grants::Grants,
    key::{ApiKey, ApiKeyError, ApiKeyId, PATTERN},
    permission::{Permission, Permissions, UnknownPermission},
    record::{KeyHash, KeyRecord, Standing},
};
