//! What a store can fail with. None of it says anything about any user's authorization.

#[cfg(feature = "sqlite")]
use std::path::Path;
use std::{error::Error, sync::Arc};

/// The cause of an error, whatever library it comes from; shared, because writes that are made together
/// fail together.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// A cause in words.
pub fn cause(text: &str) -> Cause {
    Arc::from(Box::<dyn Error + Send + Sync>::from(text))
}

/// Storage failed. It says nothing about any user's authorization.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Busy, gone or hanging; likely to pass.
    #[error("the store {place} cannot be reached")]
    Unavailable {
        /// The store.
        place: String,
        /// Why.
        source: Cause,
    },
    /// No space left.
    #[error("the disk under {place} is full")]
    Full {
        /// The store.
        place: String,
        /// Why.
        source: Cause,
    },
    /// It cannot be written: a file without permission, a database that only follows another.
    #[error("{place} cannot be written")]
    ReadOnly {
        /// The store.
        place: String,
        /// Why.
        source: Cause,
    },
    /// It does not let this user in.
    #[error("{place} refuses this user")]
    Refused {
        /// The store.
        place: String,
        /// Why.
        source: Cause,
    },
    /// The file is not a store, or part of it is destroyed.
    #[error("{place} is damaged")]
    Damaged {
        /// The store.
        place: String,
        /// Why.
        source: Cause,
    },
    /// One value makes no sense.
    #[error("{table}.{column} of {row} cannot be read")]
    Value {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        row: String,
        /// Why.
        source: Cause,
    },
    /// A newer refrain has changed the layout.
    #[error("{place} was written by a newer refrain (layout {found}, this one knows {known})")]
    Newer {
        /// The store.
        place: String,
        /// Its layout.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The place is not fit for a store.
    #[error("{place} cannot hold a store: {why}")]
    Unsuitable {
        /// The store.
        place: String,
        /// In a few words.
        why: String,
    },
}

impl StoreError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "storage_unavailable",
            Self::Full { .. } => "storage_full",
            Self::ReadOnly { .. } => "storage_read_only",
            Self::Refused { .. } => "storage_refused",
            Self::Damaged { .. } => "storage_damaged",
            Self::Value { .. } => "storage_value",
            Self::Newer { .. } => "storage_newer",
            Self::Unsuitable { .. } => "storage_unsuitable",
        }
    }

    /// Whether a store of this layout is to be brought up to date.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn outdated(place: String, found: i64, known: i64) -> Result<bool, Self> {
        if found > known {
            return Err(Self::Newer {
                place,
                found,
                known,
            });
        }
        Ok(found < known)
    }

    /// The same error about another file than the one it was met at: a copy stands for its original.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub(crate) fn at(&self, copy: &Path, file: &Path) -> Self {
        let mut error = self.clone();
        let (Self::Unavailable { place, .. }
        | Self::Full { place, .. }
        | Self::ReadOnly { place, .. }
        | Self::Refused { place, .. }
        | Self::Damaged { place, .. }
        | Self::Newer { place, .. }
        | Self::Unsuitable { place, .. }) = &mut error
        else {
            return error;
        };
        *place = place.replace(&copy.display().to_string(), &file.display().to_string());
        error
    }

    /// Whether trying again, with nobody doing anything, may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Full { .. } | Self::ReadOnly { .. } => true,
            Self::Refused { .. }
            | Self::Damaged { .. }
            | Self::Value { .. }
            | Self::Newer { .. }
            | Self::Unsuitable { .. } => false,
        }
    }
}
