//! A connect link as the columns of a table: the same for every engine.

use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::{
    connect::{LinkHash, LinkId, LinkRecord},
    store::{StoreError, cause, columns::Columns, record::read_json},
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
    let columns = Columns::of(TABLE, row);
    let (terms, used_at): (String, Option<i64>) = (columns.get("terms")?, columns.get("used_at")?);
    Ok(LinkRecord {
        hash: LinkHash::from_bytes(columns.hash("hash")?),
        terms: read_json(&terms, TABLE, "terms", columns.id())?,
        made_at: UnixMillis(columns.get("made_at")?),
        expires_at: UnixMillis(columns.get("expires_at")?),
        used_at: used_at.map(UnixMillis),
        id: LinkId::parse(columns.id())
            .ok_or_else(|| columns.error("id", cause("not the id of a link")))?,
    })
}
