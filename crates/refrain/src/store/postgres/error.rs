//! What PostgreSQL's errors mean.

use std::{borrow::Cow, sync::Arc};

use crate::store::{StoreError, cause};

/// Says what a database error means for its user.
pub(super) fn store_error(place: &str, error: sqlx::Error) -> StoreError {
    let place = place.to_owned();
    if let Some(why) = unsuitable(&error) {
        return StoreError::Unsuitable { place, why };
    }
    // The driver's own words for this blame the program.
    if matches!(error, sqlx::Error::PoolTimedOut) {
        let source = cause("no connection to it came about in time");
        return StoreError::Unavailable { place, source };
    }
    let state = state(&error);
    let stranger = is_stranger(&error);
    let source = Arc::new(error);
    // Appendix A of PostgreSQL's documentation: two characters of class, three of condition.
    match (state.get(..2).unwrap_or_default(), state.as_str()) {
        (_, "53100") => StoreError::Full { place, source },
        (_, "25006") => StoreError::ReadOnly { place, source },
        (_, "42501" | "3D000") | ("28", _) => StoreError::Refused { place, source },
        // Nor does refrain let itself in where the server does not prove who it is.
        _ if stranger => StoreError::Refused { place, source },
        // Not the tables, the columns or the values that refrain has made.
        (_, "XX001" | "XX002" | "58P01") | ("22" | "23" | "3F" | "42", _) => {
            StoreError::Damaged { place, source }
        }
        _ => StoreError::Unavailable { place, source },
    }
}

/// Whether the server has not proven who it is, or cannot: encryption is asked for, and it has none.
fn is_stranger(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => {
            let inner = error.get_ref().and_then(|it| it.downcast_ref());
            matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
        }
        _ => false,
    }
}

/// Why this can never work, where that is known.
fn unsuitable(error: &sqlx::Error) -> Option<String> {
    match (error, state(error).as_str()) {
        // Prepared in one session and used in another, or refused before there was one.
        (_, "26000" | "42P05") => Some(POOLER.to_owned()),
        (sqlx::Error::Database(words), "08P01")
            if words.message().contains("unsupported startup parameter") =>
        {
            Some(POOLER.to_owned())
        }
        (_, state) if state.starts_with("54") || state.starts_with("0A") => Some(error.to_string()),
        // A file of the address, as a certificate, cannot be used; the words name no value of it.
        (sqlx::Error::Configuration(_), _) => Some(error.to_string()),
        _ => None,
    }
}

const POOLER: &str = "there is a pooler in between: its address needs ?statement-cache-capacity=0";

/// Whether a session has come to its end: nothing will be answered in it any more, or not by the server
/// that the address means by now.
pub(super) fn is_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // Shut down, crashed, starting; a connection failure as a pooler tells it; a server that used to
        // take writes and now follows another.
        sqlx::Error::Database(_) => {
            let state = state(error);
            matches!(state.get(..2), Some("08"))
                || matches!(&*state, "25006" | "57P01" | "57P02" | "57P03" | "57P05")
        }
        _ => false,
    }
}

/// Whether the server has undone the work, and doing it again may go better: two transactions were in
/// each other's way.
pub(super) fn is_undone(error: &sqlx::Error) -> bool {
    matches!(state(error).as_str(), "40001" | "40P01")
}

fn state(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => database.code().map(Cow::into_owned),
        _ => None,
    }
    .unwrap_or_default()
}
