//! What to do, for somebody who has a browser and nothing else.

use crate::keeper::{Error, Kind, Problem, login::LoginError};

const OPERATOR: &str = "tell whoever runs the app that sent you here";
const AGAIN: &str = "begin again where you came from, in a minute or two";

impl Error {
    /// What happened, to somebody whose login in a browser has come to nothing: of himself it speaks to him.
    pub fn what_for_visitor(&self) -> String {
        let what = match self.problem() {
            Problem::Login(LoginError::Denied) => "at Spotify you pressed Cancel".to_owned(),
            Problem::Login(LoginError::OtherAccount { .. }) => {
                "this is another Spotify account than the one that was connected before".to_owned()
            }
            _ => self.explain().what,
        };
        format!("{what}; nothing was saved, and what was connected before still is")
    }

    /// What somebody can do whose login in a browser has come to nothing: he runs neither refrain nor the
    /// app, so that [`explain`](Self::explain) would tell him of things that are not his.
    pub fn fix_for_visitor(&self) -> &'static str {
        match self.problem() {
            Problem::Login(error) => of_login(error),
            Problem::Link(_) => "get a new link where this one came from",
            _ => match self.kind() {
                Kind::TryLater | Kind::Storage => AGAIN,
                Kind::Usage | Kind::Reauthorize | Kind::NotPermitted | Kind::Configuration => {
                    OPERATOR
                }
            },
        }
    }
}

fn of_login(error: &LoginError) -> &'static str {
    match error {
        LoginError::Denied => {
            "if you did not mean to, begin again where you came from, and choose Agree at Spotify"
        }
        LoginError::NotAllowlisted => {
            "ask whoever runs the app to add the e-mail address of your Spotify account to its users, then \
             begin again where you came from"
        }
        LoginError::OwnerNotPremium => {
            "nothing is wrong with your account: tell whoever runs the app that its owner's Spotify Premium \
             has ended"
        }
        LoginError::OtherAccount { .. } => {
            "sign out at spotify.com, begin again where you came from, and sign in with the account that \
             was connected before"
        }
        LoginError::NoAttempt | LoginError::Callback(_) => {
            "begin again where you came from, and stay in one browser"
        }
        LoginError::CodeRefused { .. }
        | LoginError::Reported { .. }
        | LoginError::Interrupted { .. }
        | LoginError::Overtaken { .. }
        | LoginError::AccountUnknown { .. }
        | LoginError::NotAsked => AGAIN,
        LoginError::Redirect { .. } | LoginError::NoRefreshToken | LoginError::Forbidden => {
            OPERATOR
        }
    }
}
