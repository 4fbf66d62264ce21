//! What can stand between a caller and a token: each thing once, with a stable code.

use std::sync::Arc;

use crate::{
    config::ConfigError,
    id::{AppName, GrantName, NameError},
    keeper::{
        import::ImportError, keys::KeyError, links::LinkError, login::LoginError,
        sessions::SessionError,
    },
    lifecycle::{GrantRow, Hold, row::Reason},
    random::RandomError,
    seal::{KeyFileError, KeyId, SealError},
    store::StoreError,
    time::UnixMillis,
};

/// Why there is no token. Cheap to clone: every waiter of one refresh gets the same.
#[expect(
    clippy::error_impl_error,
    reason = "the one error of the crate, as in `io::Error`"
)]
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct Error(Arc<Problem>);

/// What the caller has to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Name something that exists.
    Usage,
    /// Have the user log in again.
    Reauthorize,
    /// Get permission, at the provider or from whoever runs refrain.
    NotPermitted,
    /// Come back later.
    TryLater,
    /// Mend the configuration or the key.
    Configuration,
    /// Mend the store.
    Storage,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::Usage,
        Self::Reauthorize,
        Self::NotPermitted,
        Self::TryLater,
        Self::Configuration,
        Self::Storage,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Reauthorize => "reauthorize",
            Self::NotPermitted => "not_permitted",
            Self::TryLater => "try_later",
            Self::Configuration => "configuration",
            Self::Storage => "storage",
        }
    }
}

/// The single things that can be wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The key is not the one that the store was made with.
    #[error("the store needs master key {expected}, and {looked_in} has {found}")]
    WrongKey {
        /// The key that the store names.
        expected: KeyId,
        /// The key that is there.
        found: KeyId,
        /// Where it was looked for.
        looked_in: String,
    },
    /// The store has rows, and the key file is not to be used.
    #[error("the store needs master key {expected}, and the key file is of no use")]
    KeyUnusable {
        /// The key that the store names.
        expected: KeyId,
        /// What is wrong with the file.
        source: KeyFileError,
    },
    /// The store has rows, and the key file is gone.
    #[error("the store needs master key {expected}, and there is none at {looked_in}")]
    KeyMissing {
        /// The key that the store names.
        expected: KeyId,
        /// Where it was looked for.
        looked_in: String,
    },
    /// Something sealed does not open.
    #[error("the {what} of grant {grant} does not open")]
    Sealed {
        /// The grant.
        grant: GrantName,
        /// What does not open.
        what: &'static str,
        /// Why.
        source: SealError,
    },
    /// The store's key check does not open.
    #[error("the key check of the store does not open")]
    KeyCheck(#[source] SealError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The answer came and the store does not take it.
    #[error("a new token is here but cannot be saved yet")]
    NotSaved(#[source] Arc<StoreError>),
    /// The configured store is of a kind that this build has not.
    #[error("this refrain cannot open a {kind} store")]
    NoSuchStore {
        /// The kind.
        kind: &'static str,
    },
    /// There is nothing where the store should be, and it is not to be made by asking.
    #[error("there is no store at {place}")]
    NoStore {
        /// Where it was looked for.
        place: String,
    },
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Not a name.
    #[error(transparent)]
    Name(NameError),
    /// No such grant.
    #[error("there is no grant {name}")]
    UnknownGrant {
        /// The name.
        name: GrantName,
    },
    /// No grant at all, and none was named.
    #[error("nobody has signed in yet")]
    NoGrant,
    /// Several grants, and none was named.
    #[error("there are several grants: {}", listed(names))]
    SeveralGrants {
        /// Their names.
        names: Vec<GrantName>,
    },
    /// No such app.
    #[error("the configuration has no app {name}")]
    UnknownApp {
        /// The name.
        name: AppName,
        /// Those there are.
        configured: Vec<AppName>,
    },
    /// The app now has another client id than the one the grant was given to.
    #[error("grant {grant} belongs to another client id than app {app} has now")]
    ClientChanged {
        /// The grant.
        grant: GrantName,
        /// The app.
        app: AppName,
    },
    /// No token is here.
    #[error("grant {grant} is signed out")]
    SignedOut {
        /// The grant.
        grant: GrantName,
    },
    /// A new consent is needed.
    #[error("grant {grant} needs a new login: {}", reason_text(*reason))]
    Reauthorize {
        /// The grant.
        grant: GrantName,
        /// Why.
        reason: Reason,
        /// Since when.
        since: UnixMillis,
    },
    /// Refused once; being verified.
    #[error("Spotify refused grant {grant} at {since}, earlier than it should; it is asked again")]
    Suspect {
        /// The grant.
        grant: GrantName,
        /// The first refusal.
        since: UnixMillis,
        /// When it is asked again.
        retry_at: UnixMillis,
    },
    /// From a backup, and perhaps replaced since.
    #[error(
        "the token of grant {grant} is from a backup (restored {since}), and Spotify may have replaced it since"
    )]
    Restored {
        /// The grant.
        grant: GrantName,
        /// The restore.
        since: UnixMillis,
    },
    /// From another program, and never accepted here.
    #[error(
        "the token of grant {grant} is from another program (imported {since}), and Spotify has not accepted it here yet"
    )]
    Imported {
        /// The grant.
        grant: GrantName,
        /// The import.
        since: UnixMillis,
    },
    /// Many grants are refused at once.
    #[error("Spotify is refusing many logins of app {app} since {since}")]
    BreakerOpen {
        /// The app.
        app: AppName,
        /// Since when.
        since: UnixMillis,
        /// When one grant asks again.
        retry_at: UnixMillis,
    },
    /// The provider is in trouble.
    #[error("Spotify did not answer properly ({why})")]
    Unavailable {
        /// Since when.
        since: UnixMillis,
        /// The next attempt.
        retry_at: UnixMillis,
        /// The last status.
        http_status: Option<u16>,
        /// In a few words.
        why: String,
    },
    /// No connection came about; nothing was presented.
    #[error("{origin} cannot be reached ({why})")]
    Unreachable {
        /// Where to.
        origin: String,
        /// In a few words.
        why: String,
    },
    /// The provider's rate limit.
    #[error("Spotify wants app {app} to wait until {retry_at}")]
    Throttled {
        /// The app.
        app: AppName,
        /// Its end.
        retry_at: UnixMillis,
    },
    /// A refresh was forced moments ago, and the API rejects its token too.
    #[error("the token of grant {grant} was renewed moments ago and is rejected again")]
    ForcedRecently {
        /// The grant.
        grant: GrantName,
        /// When the next may be forced.
        retry_at: UnixMillis,
    },
    /// The client itself is refused.
    #[error("Spotify refuses app {app} itself: {error}{}", described(description.as_deref()))]
    Misconfigured {
        /// The app.
        app: AppName,
        /// The provider's code.
        error: String,
        /// The provider's words.
        description: Option<String>,
    },
    /// The refresh takes longer than anybody should wait.
    #[error("the refresh of grant {grant} is still going on")]
    StillRefreshing {
        /// The grant.
        grant: GrantName,
    },
    /// No refresh begins any more.
    #[error("this refrain is stopping")]
    Closing,
    /// A mistake in this program.
    #[error("the {what} of grant {grant} broke off, by a mistake in refrain")]
    BrokeOff {
        /// The grant.
        grant: GrantName,
        /// What broke off.
        what: &'static str,
    },
    /// A login.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// An import.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// An API key.
    #[error(transparent)]
    ApiKey(#[from] KeyError),
    /// A connect link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Something about a session.
    #[error(transparent)]
    Session(#[from] SessionError),
}

fn listed(names: &[GrantName]) -> String {
    names
        .iter()
        .map(GrantName::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

fn described(description: Option<&str>) -> String {
    description.map_or_else(String::new, |text| format!(" ({text})"))
}

fn reason_text(reason: Reason) -> &'static str {
    match reason {
        Reason::Expired => "the six months that Spotify grants are over",
        Reason::Revoked => "Spotify has refused it repeatedly",
        Reason::AnswerLost => "Spotify replaced its token and the answer was lost on the way",
        Reason::Scope => "it lacks a permission that is needed now",
        Reason::Restored => "Spotify had replaced its token after the backup that was restored",
        Reason::Imported => "Spotify does not accept the token that was imported",
    }
}

impl<P: Into<Problem>> From<P> for Error {
    fn from(problem: P) -> Self {
        Self(Arc::new(problem.into()))
    }
}

impl Error {
    /// The single thing that is wrong.
    pub fn problem(&self) -> &Problem {
        &self.0
    }

    /// A stable code.
    pub fn code(&self) -> &'static str {
        self.0.code()
    }

    /// What the caller has to do.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }
}

impl Problem {
    pub(super) fn sealed(row: &GrantRow, what: &'static str, source: SealError) -> Self {
        Self::Sealed {
            grant: row.name.clone(),
            what,
            source,
        }
    }

    pub(super) fn reauthorize(row: &GrantRow, reason: Reason, since: UnixMillis) -> Self {
        Self::Reauthorize {
            grant: row.name.clone(),
            reason,
            since,
        }
    }

    /// The error for a hold on a row.
    pub(super) fn held(row: &GrantRow, hold: Hold) -> Self {
        let grant = row.name.clone();
        let app = row.app.clone();
        match hold {
            Hold::Held { .. } => Self::StillRefreshing { grant },
            Hold::SignedOut => Self::SignedOut { grant },
            Hold::Reauthorize { reason, since } => Self::Reauthorize {
                grant,
                reason,
                since,
            },
            Hold::Restored { since } => Self::Restored { grant, since },
            Hold::Imported { since } => Self::Imported { grant, since },
            Hold::Suspect { since, retry } => Self::Suspect {
                grant,
                since,
                retry_at: retry.wall,
            },
            Hold::BackingOff {
                since,
                retry,
                http_status,
            } => {
                let why = match http_status {
                    Some(status) => format!("HTTP {status}"),
                    None => "no answer".to_owned(),
                };
                Self::Unavailable {
                    since,
                    retry_at: retry.wall,
                    http_status,
                    why,
                }
            }
            Hold::Throttled { retry } => Self::Throttled {
                app,
                retry_at: retry.wall,
            },
            Hold::BreakerOpen { since, retry } => Self::BreakerOpen {
                app,
                since,
                retry_at: retry.wall,
            },
            Hold::ForcedRecently { retry } => Self::ForcedRecently {
                grant,
                retry_at: retry.wall,
            },
        }
    }

    /// Whether a token in memory must not be served any more.
    pub(super) fn ends_the_grant(&self) -> bool {
        matches!(self, Self::SignedOut { .. } | Self::UnknownGrant { .. })
    }

    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Config(error) => error.code(),
            Self::KeyFile(error) => error.code(),
            Self::WrongKey { .. } => "key_wrong",
            Self::KeyMissing { .. } => "key_missing",
            Self::KeyUnusable { source, .. } => source.code(),
            Self::Sealed { .. } => "sealed_row",
            Self::KeyCheck(_) => "key_check",
            Self::Store(error) => error.code(),
            Self::NotSaved(_) => "storage_not_saved",
            Self::NoSuchStore { .. } => "storage_kind",
            Self::NoStore { .. } => "no_store",
            Self::Random(_) => "no_randomness",
            Self::Name(_) => "not_a_name",
            Self::UnknownGrant { .. } => "unknown_grant",
            Self::NoGrant => "no_grant",
            Self::SeveralGrants { .. } => "several_grants",
            Self::UnknownApp { .. } => "unknown_app",
            Self::ClientChanged { .. } => "client_changed",
            Self::SignedOut { .. } => "signed_out",
            Self::Reauthorize {
                reason: Reason::Expired,
                ..
            } => "reauthorize_expired",
            Self::Reauthorize {
                reason: Reason::Revoked,
                ..
            } => "reauthorize_revoked",
            Self::Reauthorize {
                reason: Reason::AnswerLost,
                ..
            } => "reauthorize_answer_lost",
            Self::Reauthorize {
                reason: Reason::Scope,
                ..
            } => "reauthorize_scope",
            Self::Reauthorize {
                reason: Reason::Restored,
                ..
            } => "reauthorize_restored",
            Self::Reauthorize {
                reason: Reason::Imported,
                ..
            } => "reauthorize_imported",
            Self::Suspect { .. } => "refused_early",
            Self::Restored { .. } => "restored",
            Self::Imported { .. } => "imported",
            Self::BreakerOpen { .. } => "refusing_many",
            Self::Unavailable { .. } => "provider_unavailable",
            Self::Unreachable { .. } => "provider_unreachable",
            Self::Throttled { .. } => "throttled",
            Self::ForcedRecently { .. } => "rejected_again",
            Self::Misconfigured { .. } => "client_refused",
            Self::StillRefreshing { .. } => "still_refreshing",
            Self::Closing => "closing",
            Self::BrokeOff { .. } => "broke_off",
            Self::Login(error) => error.code(),
            Self::Import(error) => error.code(),
            Self::ApiKey(error) => error.code(),
            Self::Link(error) => error.code(),
            Self::Session(error) => error.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Config(_)
            | Self::KeyFile(_)
            | Self::WrongKey { .. }
            | Self::KeyMissing { .. }
            | Self::KeyUnusable { .. }
            | Self::KeyCheck(_)
            | Self::NoSuchStore { .. }
            | Self::NoStore { .. }
            | Self::UnknownApp { .. }
            | Self::ClientChanged { .. }
            | Self::Misconfigured { .. } => Kind::Configuration,
            Self::Store(_)
            | Self::NotSaved(_)
            | Self::Sealed { .. }
            | Self::Restored { .. }
            | Self::Random(_) => Kind::Storage,
            Self::Name(_) | Self::UnknownGrant { .. } | Self::SeveralGrants { .. } => Kind::Usage,
            Self::NoGrant | Self::SignedOut { .. } | Self::Reauthorize { .. } => Kind::Reauthorize,
            Self::Suspect { .. }
            | Self::Imported { .. }
            | Self::BreakerOpen { .. }
            | Self::Unavailable { .. }
            | Self::Unreachable { .. }
            | Self::Throttled { .. }
            | Self::ForcedRecently { .. }
            | Self::StillRefreshing { .. }
            | Self::Closing
            | Self::BrokeOff { .. } => Kind::TryLater,
            Self::Login(error) => error.kind(),
            Self::Import(error) => error.kind(),
            Self::ApiKey(error) => error.kind(),
            Self::Link(error) => error.kind(),
            Self::Session(_) => SessionError::KIND,
        }
    }
}
