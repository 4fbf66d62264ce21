//! How an error is told: what happened, what is safe, what to do, and when refrain tries again by itself.

use crate::{
    id::AppName,
    keeper::{
        Error, Problem, keys::KeyError, links::LinkError, login::LoginError, present::chain,
        sessions::SessionError,
    },
    seal::SealError,
    store::StoreError,
    time::UnixMillis,
};

/// An error in the words that a person gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// A stable code.
    pub code: &'static str,
    /// What happened.
    pub what: String,
    /// What is safe.
    pub safe: &'static str,
    /// What to do.
    pub fix: String,
    /// When it is tried again without anybody doing anything.
    pub retry_at: Option<UnixMillis>,
}

const NOTHING_TOUCHED: &str = "nothing was changed; every grant is as it was";
const TOKEN_KEPT: &str = "the grant is kept; an access token that still works is still served";

impl Error {
    /// The words for a person.
    pub fn explain(&self) -> Explanation {
        Explanation {
            code: self.code(),
            what: chain(self.problem()),
            safe: self.problem().safe(),
            fix: self.problem().fix(),
            retry_at: self.problem().retry_at(),
        }
    }
}

impl Problem {
    fn safe(&self) -> &'static str {
        match self {
            Self::NotSaved(_) => {
                "the new token is held in memory, is used by nobody, and is written as soon as possible"
            }
            Self::Restored { .. } => {
                "nothing was deleted, and the token was not presented: that could end the authorization"
            }
            Self::Imported { .. } => {
                "nothing was deleted, and the token was not presented: another program may still use it"
            }
            Self::Suspect { .. } | Self::BreakerOpen { .. } => {
                "nothing was deleted: the sealed token is kept and will be presented again"
            }
            Self::Reauthorize { .. } => {
                "the grant, its name and its history are kept; other grants are not affected"
            }
            Self::SignedOut { .. } => "no token of this user is left here",
            Self::Unavailable { .. }
            | Self::Throttled { .. }
            | Self::ForcedRecently { .. }
            | Self::StillRefreshing { .. }
            | Self::Closing
            | Self::BrokeOff { .. } => TOKEN_KEPT,
            Self::Sealed { .. } => "the row was not touched; other grants are not affected",
            Self::Store(_) => "no token was presented or thrown away because of this",
            Self::Login(_) => LoginError::SAFE,
            Self::Import(error) => error.safe(),
            Self::ApiKey(_) => KeyError::SAFE,
            Self::Link(_) => LinkError::SAFE,
            Self::Session(_) => SessionError::SAFE,
            Self::Config(_)
            | Self::KeyFile(_)
            | Self::WrongKey { .. }
            | Self::KeyMissing { .. }
            | Self::KeyUnusable { .. }
            | Self::KeyCheck(_)
            | Self::NoSuchStore { .. }
            | Self::NoStore { .. }
            | Self::Random(_)
            | Self::Name(_)
            | Self::UnknownGrant { .. }
            | Self::NoGrant
            | Self::SeveralGrants { .. }
            | Self::UnknownApp { .. }
            | Self::ClientChanged { .. }
            | Self::Unreachable { .. }
            | Self::Misconfigured { .. } => NOTHING_TOUCHED,
        }
    }

    fn fix(&self) -> String {
        let own = |text: &str| text.to_owned();
        match self {
            Self::Config(error) => error.fix(),
            Self::KeyFile(error) => error.fix(),
            Self::WrongKey { expected, .. } | Self::KeyMissing { expected, .. } => format!(
                "put the file with key {expected} back, or point sealing.key_file at it; if it is lost \
                 for good, move the store away and log in again"
            ),
            Self::KeyUnusable { source, .. } => source.fix(),
            Self::Sealed {
                source: SealError::UnknownKey { expected },
                ..
            } => format!(
                "key {expected} is missing in this machine's key file: where the master key was replaced \
                 on another machine, copy the key file from there; nothing has to be started anew"
            ),
            Self::Sealed { grant, .. } => format!(
                "the row was changed from outside, or copied here: restore the store from a backup, or \
                 run `refrain login {grant}`"
            ),
            Self::KeyCheck(_) => {
                own("the store was changed from outside: restore it from a backup")
            }
            Self::Store(error) => store_fix(error),
            Self::NotSaved(error) => store_fix(error),
            Self::NoSuchStore { .. } => own("use a store of the form sqlite:PATH"),
            Self::NoStore { .. } => own(
                "`refrain init`, `refrain login` and `refrain serve` make one; where one should be there, \
                 correct `store`",
            ),
            Self::Random(_) => {
                own("the operating system's random generator fails; restart the machine")
            }
            Self::Name(_) => own("choose a plain name such as alice"),
            Self::UnknownGrant { name } => {
                format!("`refrain list` shows what there is; `refrain login {name}` adds it")
            }
            Self::NoGrant => own("run `refrain login`"),
            Self::SeveralGrants { .. } => own("say which one"),
            Self::UnknownApp { name, configured } => match configured.as_slice() {
                [] => own("run `refrain init`, or add [apps.default] to the configuration"),
                apps => {
                    let apps: Vec<_> = apps.iter().map(AppName::as_str).collect();
                    format!(
                        "add [apps.{name}] to the configuration, or use one of: {}",
                        apps.join(", ")
                    )
                }
            },
            Self::ClientChanged { grant, .. } => format!(
                "put the old client id back, or log in with the new one: `refrain login {grant}`"
            ),
            Self::SignedOut { grant } | Self::Reauthorize { grant, .. } => {
                format!("run `refrain login {grant}`")
            }
            Self::Restored { grant, .. } | Self::Imported { grant, .. } => format!(
                "run `refrain refresh {grant}`, which presents the token; if Spotify refuses it, run \
                 `refrain login {grant}`"
            ),
            Self::Suspect { grant, .. } => format!(
                "wait, or ask now with `refrain refresh {grant}`; if you removed the app at Spotify or \
                 changed your password, run `refrain login {grant}`"
            ),
            Self::BreakerOpen { .. } => {
                own("wait: this looks like an outage at Spotify; nobody has to log in again")
            }
            Self::Unavailable { .. } | Self::Throttled { .. } => own("wait"),
            Self::Unreachable { .. } => {
                own("check the network, DNS and proxy settings; `refrain doctor` helps")
            }
            Self::ForcedRecently { .. } => own(
                "wait half a minute; if it goes on, Spotify's API rejects good tokens at the moment",
            ),
            Self::Misconfigured { app, .. } => format!(
                "check client_id and client secret of [apps.{app}] against Spotify's dashboard \
                 (https://developer.spotify.com/dashboard), then run `refrain doctor`"
            ),
            Self::StillRefreshing { .. } | Self::Closing => own("try again in a moment"),
            Self::BrokeOff { .. } => {
                own("try again; if it goes on, report it with what standard error says")
            }
            Self::Login(error) => error.fix(),
            Self::Import(error) => error.fix(),
            Self::ApiKey(error) => error.fix(),
            Self::Link(error) => error.fix(),
            Self::Session(error) => error.fix(),
        }
    }

    fn retry_at(&self) -> Option<UnixMillis> {
        match self {
            Self::Suspect { retry_at, .. }
            | Self::BreakerOpen { retry_at, .. }
            | Self::Unavailable { retry_at, .. }
            | Self::Throttled { retry_at, .. }
            | Self::ForcedRecently { retry_at, .. } => Some(*retry_at),
            _ => None,
        }
    }
}

fn store_fix(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable { .. } => "see why the store cannot be reached, and try again",
        StoreError::Full { .. } => "make room on that disk (1 MiB is plenty) and try again",
        StoreError::ReadOnly { .. } => "make the file and its folder writable for this user",
        StoreError::Damaged { .. } => {
            "restore the file from a backup; if it is not refrain's, point `store` elsewhere"
        }
        StoreError::Value { .. } => "the row was changed from outside: restore it from a backup",
        StoreError::Newer { .. } => "use the newer refrain, or restore the backup from before it",
        StoreError::Refused { .. } => {
            "check the user, the password and the rights of the database that `store` names"
        }
        StoreError::Unsuitable { .. } => "put the store on a local disk",
    }
    .to_owned()
}
