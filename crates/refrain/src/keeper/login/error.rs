//! Why a login came to nothing, and what to do.

use crate::{
    id::GrantName, keeper::Kind, oauth::authorization::CallbackError,
    provider::spotify::RedirectProblem,
};

/// Why a login came to nothing. An existing grant is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Spotify would not take the redirect URI.
    #[error("the redirect URI {uri} will not work: {problem}")]
    Redirect {
        /// As configured.
        uri: String,
        /// Why.
        problem: RedirectProblem,
    },
    /// Not an answer to an authorization request.
    #[error("this is no answer of Spotify")]
    Callback(#[from] CallbackError),
    /// No attempt has this state: used, too old, or not ours.
    #[error(
        "this login is over: it was used already, took more than ten minutes, or began elsewhere"
    )]
    NoAttempt,
    /// The user pressed Cancel.
    #[error("the user did not consent")]
    Denied,
    /// Spotify reports another error.
    #[error("Spotify reports {error:?}")]
    Reported {
        /// Its code.
        error: String,
    },
    /// The code was not accepted.
    #[error("Spotify did not accept the code{}", described(description.as_deref()))]
    CodeRefused {
        /// Its words.
        description: Option<String>,
    },
    /// A success without a refresh token: no grant could be kept.
    #[error("Spotify's answer has no refresh token")]
    NoRefreshToken,
    /// The exchange got no proper answer.
    #[error("the login could not be finished ({why})")]
    Interrupted {
        /// In a few words.
        why: String,
    },
    /// The app's development mode does not list this user.
    #[error("this Spotify account is not among the users of the app")]
    NotAllowlisted,
    /// The app's owner has no Premium.
    #[error("the owner of the app has no Spotify Premium, so Spotify refuses the whole app")]
    OwnerNotPremium,
    /// The API refuses the account for another reason.
    #[error("Spotify's API refuses this account (HTTP 403)")]
    Forbidden,
    /// Another account than the one the grant is pinned to.
    #[error("grant {grant} belongs to another Spotify account")]
    OtherAccount {
        /// The grant.
        grant: GrantName,
    },
    /// Somebody logged in or out while it was not known whether this login was in the store.
    #[error("grant {grant} was signed in or out by somebody else meanwhile")]
    Overtaken {
        /// The grant.
        grant: GrantName,
    },
    /// The API did not say whose account it is, and an existing grant is pinned.
    #[error("Spotify's API does not say whose account this is ({why})")]
    AccountUnknown {
        /// In a few words.
        why: String,
    },
    /// The user has signed out before, and was not asked for consent anew.
    #[error("you have signed out before, so that your consent is needed again")]
    NotAsked,
}

fn described(description: Option<&str>) -> String {
    description.map_or_else(String::new, |text| format!(": {text}"))
}

impl LoginError {
    pub(in crate::keeper) fn code(&self) -> &'static str {
        match self {
            Self::Redirect { problem, .. } => problem.code(),
            Self::Callback(_) => "login_callback",
            Self::NoAttempt => "login_over",
            Self::Denied => "login_denied",
            Self::Reported { .. } => "login_reported",
            Self::CodeRefused { .. } => "login_code_refused",
            Self::NoRefreshToken => "login_no_refresh_token",
            Self::Interrupted { .. } => "login_interrupted",
            Self::NotAllowlisted => "login_not_allowlisted",
            Self::OwnerNotPremium => "login_owner_not_premium",
            Self::Forbidden => "login_forbidden",
            Self::OtherAccount { .. } => "login_other_account",
            Self::Overtaken { .. } => "login_overtaken",
            Self::AccountUnknown { .. } => "login_account_unknown",
            Self::NotAsked => "login_not_asked",
        }
    }

    pub(in crate::keeper) fn kind(&self) -> Kind {
        match self {
            Self::Redirect { .. } | Self::NoRefreshToken => Kind::Configuration,
            Self::Callback(_) => Kind::Usage,
            Self::NoAttempt | Self::CodeRefused { .. } => Kind::Reauthorize,
            Self::Reported { .. }
            | Self::Interrupted { .. }
            | Self::Overtaken { .. }
            | Self::AccountUnknown { .. }
            | Self::NotAsked => Kind::TryLater,
            Self::Denied
            | Self::NotAllowlisted
            | Self::OwnerNotPremium
            | Self::Forbidden
            | Self::OtherAccount { .. } => Kind::NotPermitted,
        }
    }

    /// The same for all of them: a login writes nothing before it has succeeded.
    pub(in crate::keeper) const SAFE: &'static str =
        "nothing was saved; a grant that was there before is as it was";

    pub(in crate::keeper) fn fix(&self) -> String {
        match self {
            Self::Redirect { .. } => {
                "set redirect_uri to http://127.0.0.1:4280/callback, there and in Spotify's dashboard"
            }
            Self::Callback(_) => "paste the whole address that the browser ended on",
            Self::NoAttempt | Self::CodeRefused { .. } => "run `refrain login` again",
            Self::Denied => "run `refrain login` again and choose Agree",
            Self::Reported { .. } | Self::Interrupted { .. } | Self::AccountUnknown { .. } => {
                "run `refrain login` again in a minute"
            }
            Self::NotAsked => "sign in again, and agree",
            Self::Overtaken { .. } => {
                "see what `refrain why` tells of the grant; if it is not signed in, log in again"
            }
            Self::NoRefreshToken => "check that accounts_url is an authorization server with refresh",
            Self::NotAllowlisted => {
                "add the account's e-mail address under User Management in Spotify's dashboard (five \
                 users at most), then log in again"
            }
            Self::OwnerNotPremium => {
                "renew the owner's Premium; it can take a few hours until Spotify takes notice"
            }
            Self::Forbidden => "see the app's page in Spotify's dashboard",
            Self::OtherAccount { .. } => {
                "sign out at spotify.com and log in with the right account, or say --other-account"
            }
        }
        .to_owned()
    }
}
