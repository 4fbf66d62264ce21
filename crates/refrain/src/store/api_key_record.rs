//! An API key as the columns of a table: the same for every engine.

use std::sync::Arc;

use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::{
    access::{ApiKeyId, Grants, KeyHash, KeyRecord},
    id::GrantName,
    store::{
        StoreError, cause,
        columns::Columns,
        record::{json, read_json},
    },
    time::UnixMillis,
};

const TABLE: &str = "api_keys";

/// The names of the grants, as JSON; `None` for all.
pub(super) fn grants(key: &KeyRecord) -> Option<String> {
    match &key.grants {
        Grants::All => None,
        Grants::Only(names) => Some(json(names)),
    }
}

/// Reads a row of either engine; an error names the column.
pub(super) fn read<'r, R>(row: &'r R) -> Result<KeyRecord, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let columns = Columns::of(TABLE, row);
    macro_rules! parse {
        ($column:literal, $text:expr) => {{
            let text: String = $text;
            text.parse()
                .map_err(|source| columns.error($column, Arc::new(source)))?
        }};
    }
    let grants: Option<String> = columns.get("grants")?;
    let grants = match grants {
        None => Grants::All,
        Some(names) => Grants::Only(read_json::<std::collections::BTreeSet<GrantName>>(
            &names,
            TABLE,
            "grants",
            columns.id(),
        )?),
    };
    let instant = |millis: Option<i64>| millis.map(UnixMillis);
    Ok(KeyRecord {
        name: parse!("name", columns.get("name")?),
        hash: KeyHash::from_bytes(columns.hash("hash")?),
        grants,
        permissions: parse!("permissions", columns.get("permissions")?),
        rewrite_links: columns.get("rewrite_links")?,
        created_at: UnixMillis(columns.get("created_at")?),
        expires_at: instant(columns.get("expires_at")?),
        last_used_at: instant(columns.get("last_used_at")?),
        revoked_at: instant(columns.get("revoked_at")?),
        id: ApiKeyId::parse(columns.id())
            .ok_or_else(|| columns.error("id", cause("not the id of a key")))?,
    })
}
