//! A grant whose row makes no sense, among others that do.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::{id::GrantName, store::StoreError};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::{
    lifecycle::GrantRow,
    store::{Versioned, record::Record},
};

/// A grant that is there and cannot be read.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// Which.
    pub name: GrantName,
    /// Why.
    pub why: StoreError,
}

/// Reads a row of either engine. A row of which not even the name can be read fails with all the others:
/// there is nothing to call it by.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) fn or_row<'r, R>(
    row: &'r R,
) -> Result<Result<Versioned<GrantRow>, Unreadable>, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let why = match Record::fetch(row).and_then(Record::read) {
        Ok(row) => return Ok(Ok(row)),
        Err(why) => why,
    };
    let name: Option<String> = row.try_get("name").ok();
    match name.and_then(|name| name.parse().ok()) {
        Some(name) => Ok(Err(Unreadable { name, why })),
        None => Err(why),
    }
}
