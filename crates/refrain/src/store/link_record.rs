//! A connect link as the columns of a table: the same for every engine.

use std::sync::Arc;

use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::{
    connect::{LinkHash, LinkId, LinkRecord},
    store::{Cause, StoreError, cause, record::read_json},
    time::UnixMillis,
};

const TABLE: &str = "links";

/// Reads a row of either engine; an error names the column.
pub(super) fn read<'r, R>(row: &'r R) -> Result<LinkRecord, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let id: String = row.try_get("id").unwrap_or_default();
    let error = |column, source: Cause| StoreError::Value {
        table: TABLE,
        column,
        row: id.clone(),
        source,
    };
    macro_rules! get {
        ($column:literal) => {
            row.try_get($column)
                .map_err(|source| error($column, Arc::new(source)))?
        };
    }
    let hash: Vec<u8> = get!("hash");
    let hash = <[u8; 32]>::try_from(hash.as_slice());
    let (terms, used_at): (String, Option<i64>) = (get!("terms"), get!("used_at"));
    Ok(LinkRecord {
        hash: LinkHash::from_bytes(hash.map_err(|source| error("hash", Arc::new(source)))?),
        terms: read_json(&terms, TABLE, "terms", &id)?,
        made_at: UnixMillis(get!("made_at")),
        expires_at: UnixMillis(get!("expires_at")),
        used_at: used_at.map(UnixMillis),
        id: LinkId::parse(&id).ok_or_else(|| error("id", cause("not the id of a link")))?,
    })
}
