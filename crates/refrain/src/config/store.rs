//! Where grants are kept.

use std::{fmt, path::PathBuf};

use url::Url;
use zeroize::Zeroizing;

/// Where grants are kept.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StoreLocation {
    /// One file on this machine.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(PostgresUrl),
}

/// The address of a PostgreSQL database; a secret, because it usually holds a password.
#[derive(Clone)]
pub struct PostgresUrl(Zeroizing<Box<str>>);

impl PostgresUrl {
    /// Reveals the address to whoever connects.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Reads a `postgres://` or `postgresql://` URL; `None` where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let url: Url = text.parse().ok()?;
        let postgres = matches!(url.scheme(), "postgres" | "postgresql");
        postgres.then(|| Self(Zeroizing::new(text.into())))
    }
}

impl fmt::Display for PostgresUrl {
    /// Host, port and database, and nothing of the user, the password or the options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(url) = self.0.parse::<Url>() else {
            return f.write_str("postgres:(redacted)");
        };
        let secret = !url.username().is_empty() || url.password().is_some();
        let user = if secret { "(redacted)@" } else { "" };
        write!(f, "postgres://{user}{}", url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())?;
        f.write_str(url.query().map_or("", |_| "?(redacted)"))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl(redacted)")
    }
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// Why a text is not the place of a store. It quotes nothing: a password could be in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StoreLocationError {
    #[error("a store begins with sqlite: or postgres://")]
    Scheme,
    #[error("sqlite: is followed by the path of a file, without options")]
    SqlitePath,
    #[error("it is not a postgres:// URL")]
    Postgres,
}

/// A store as it was written, before the variables in its path are put in.
pub(super) enum WrittenStore<'a> {
    Sqlite(&'a str),
    Postgres(PostgresUrl),
}

impl<'a> WrittenStore<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, StoreLocationError> {
        let Some(path) = text.strip_prefix("sqlite:") else {
            let scheme = text.split_once("://").map(|(scheme, _)| scheme);
            return match scheme {
                Some("postgres" | "postgresql") => PostgresUrl::parse(text)
                    .map(Self::Postgres)
                    .ok_or(StoreLocationError::Postgres),
                _ => Err(StoreLocationError::Scheme),
            };
        };
        // Other tools write sqlite:///var/lib/x.db for the same file.
        let path = path.strip_prefix("//").unwrap_or(path);
        // A store in memory would lose a rotated refresh token with the process.
        if path.is_empty() || path.starts_with(':') || path.contains('?') {
            return Err(StoreLocationError::SqlitePath);
        }
        Ok(Self::Sqlite(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postgres_address_shows_where_it_leads_and_no_more() {
        for (url, shown) in [
            (
                "postgres://u:canary@db.example:5433/refrain?sslpassword=canary",
                "postgres://(redacted)@db.example:5433/refrain?(redacted)",
            ),
            ("postgresql://db/refrain", "postgres://db/refrain"),
            (
                "postgres:///refrain?host=/run/postgresql",
                "postgres:///refrain?(redacted)",
            ),
        ] {
            let url = PostgresUrl::parse(url).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("canary"));
        }
    }

    #[test]
    fn a_store_is_a_file_or_a_postgres_database() {
        let sqlite = |text: &'static str| match WrittenStore::parse(text) {
            Ok(WrittenStore::Sqlite(path)) => Ok(path),
            Ok(WrittenStore::Postgres(_)) => Ok("postgres"),
            Err(error) => Err(error),
        };
        assert_eq!(sqlite("sqlite:/a/b.db"), Ok("/a/b.db"));
        assert_eq!(sqlite("sqlite:///a/b.db"), Ok("/a/b.db"));
        assert_eq!(sqlite("postgres://u:p@h/d"), Ok("postgres"));
        for text in ["sqlite:", "sqlite::memory:", "sqlite:a.db?mode=rwc"] {
            assert_eq!(sqlite(text), Err(StoreLocationError::SqlitePath), "{text}");
        }
        assert_eq!(sqlite("postgres://["), Err(StoreLocationError::Postgres));
        for text in ["", "/a/b.db", "mysql://h/d"] {
            assert_eq!(sqlite(text), Err(StoreLocationError::Scheme), "{text}");
        }
    }
}
