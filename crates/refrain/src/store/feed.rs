//! What has changed since somebody asked last: how a process hears of the others.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::id::{Epoch, GrantName, Minting};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::store::StoreError;

/// Up to where a process has heard of changes; each engine counts in its own way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// Of everything before this number.
    pub upto: i64,
    /// But for these: they had not ended yet.
    pub open: Vec<i64>,
}

impl Mark {
    /// For an engine whose changes end in the order of their numbers.
    pub fn at(upto: i64) -> Self {
        let open = Vec::new();
        Self { upto, open }
    }
}

/// A grant that has a new token, a new login, or none any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub name: GrantName,
    /// Its epoch now.
    pub epoch: Epoch,
    /// Its minting now.
    pub minting: Minting,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// These grants, and no others.
    These(Vec<Changed>),
    /// More than were asked for, or nobody knows which: any may have.
    Any,
}

/// Takes the grants out of the answer to a question for one more than `most`.
///
/// A row whose name cannot be read is passed over: it is nobody's here, and must not keep the others from
/// being heard of.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) fn told<'r, R>(
    rows: &'r [R],
    most: u32,
    error: impl Fn(sqlx::Error) -> StoreError,
) -> Result<Changes, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let mut these = Vec::new();
    let mut count = 0;
    for row in rows {
        let number = |column| -> Result<Option<u64>, StoreError> {
            let number: Option<i64> = row.try_get(column).map_err(&error)?;
            Ok(number.map(i64::unsigned_abs))
        };
        // The mark has a row of its own, or one that holds nothing else.
        let (Some(epoch), Some(minting)) = (number("epoch")?, number("minting")?) else {
            continue;
        };
        count += 1;
        let name: Result<String, _> = row.try_get("name");
        let Some(name) = name.ok().and_then(|name| name.parse().ok()) else {
            let id: String = row.try_get("id").unwrap_or_default();
            tracing::warn!(row = id, "a grant's name in the store cannot be read");
            continue;
        };
        let (epoch, minting) = (Epoch(epoch), Minting(minting));
        these.push(Changed {
            name,
            epoch,
            minting,
        });
    }
    Ok(if count > most {
        Changes::Any
    } else {
        Changes::These(these)
    })
}
