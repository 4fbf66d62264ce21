//! A row of a table whose rows are named by an id: an error names table, column and row.

use std::sync::Arc;

use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::store::{Cause, StoreError};

/// A row as it was read, of either engine.
pub(super) struct Columns<'r, R> {
    row: &'r R,
    table: &'static str,
    id: String,
}

impl<'r, R: Row> Columns<'r, R>
where
    &'static str: ColumnIndex<R>,
{
    pub(super) fn of(table: &'static str, row: &'r R) -> Self
    where
        String: Decode<'r, R::Database> + Type<R::Database>,
    {
        let id = row.try_get("id").unwrap_or_default();
        Self { row, table, id }
    }

    /// What names the row.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn get<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: Decode<'r, R::Database> + Type<R::Database>,
    {
        let read = self.row.try_get(column);
        read.map_err(|source| self.error(column, Arc::new(source)))
    }

    /// A keyed hash.
    pub(super) fn hash(&self, column: &'static str) -> Result<[u8; 32], StoreError>
    where
        Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    {
        let bytes: Vec<u8> = self.get(column)?;
        let bytes = <[u8; 32]>::try_from(bytes.as_slice());
        bytes.map_err(|source| self.error(column, Arc::new(source)))
    }

    pub(super) fn error(&self, column: &'static str, source: Cause) -> StoreError {
        StoreError::Value {
            table: self.table,
            column,
            row: self.id.clone(),
            source,
        }
    }
}
