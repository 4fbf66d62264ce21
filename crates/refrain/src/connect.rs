//! Connect links: how a program has one of its users consent in a browser.
//!
//! A link is made by whoever may manage a grant, and opened by the user, once and soon. Whoever has it can
//! do no more than connect an account of their own under the name that it was made for. The text of a link
//! names a record and proves that it was handed out; the store keeps a keyed hash of it. Nothing here does
//! any I/O.
//!
//! A link is bound to the grant as it was when it was made: a login or a logout meanwhile ends it, so that
//! no link that lies around brings back what was signed out, or puts another user in somebody's place.

mod record;

pub use self::record::{LinkRecord, LinkStanding, LinkTerms};
use crate::access::{Credential, CredentialHash, CredentialId, CredentialKind};

/// What makes a credential a connect link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link;

impl CredentialKind for Link {
    const NAME: &'static str = "ConnectLink";
    const DOMAIN: &'static str = "connect-link";
}

/// A link as its user has it, at the end of its URL.
pub type ConnectLink = Credential<Link>;

/// What names a link in logs and events.
pub type LinkId = CredentialId<Link>;

/// What the store keeps of a link's text.
pub type LinkHash = CredentialHash<Link>;
