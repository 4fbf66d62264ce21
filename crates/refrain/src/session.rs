//! Sessions of browsers: who is signed in, and for how long.
//!
//! A browser shows a credential in a cookie; what is kept is a keyed hash of it. Somebody who runs refrain
//! gets in by a sign-in link, which a command prints and which is good once; whoever signs in gets a session
//! of a new name, so that nobody can be given one beforehand. Nothing here does any I/O.

mod incarnation;
mod path;
mod record;

pub use self::incarnation::Incarnation;
pub use self::path::{LocalPath, LocalPathError};
pub use self::record::{ADMIN, Life, SIGN_IN, SessionRecord, USER, Whose};
use crate::access::{Credential, CredentialHash, CredentialId, CredentialKind};

/// What makes a credential a session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session;

impl CredentialKind for Session {
    const NAME: &'static str = "SessionToken";
    const DOMAIN: &'static str = "session";
}

/// A session as its browser has it.
pub type SessionToken = Credential<Session>;

/// What names a session in logs and events.
pub type SessionId = CredentialId<Session>;

/// What the store keeps of a session's text.
pub type SessionHash = CredentialHash<Session>;
