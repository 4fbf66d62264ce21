//! An API key as the columns of a table: the same for every engine.

use std::sync::Arc;

use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::{
    access::{ApiKeyId, Grants, KeyHash, KeyRecord},
    id::GrantName,
    store::{
        Cause, StoreError, cause,
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
    macro_rules! parse {
        ($column:literal, $text:expr) => {{
            let text: String = $text;
            text.parse()
                .map_err(|source| error($column, Arc::new(source)))?
        }};
    }
    let hash: Vec<u8> = get!("hash");
    let hash = <[u8; 32]>::try_from(hash.as_slice());
    let grants: Option<String> = get!("grants");
    let grants = match grants {
        None => Grants::All,
        Some(names) => Grants::Only(read_json::<std::collections::BTreeSet<GrantName>>(
            &names, TABLE, "grants", &id,
        )?),
    };
    let instant = |millis: Option<i64>| millis.map(UnixMillis);
    Ok(KeyRecord {
        name: parse!("name", get!("name")),
        hash: KeyHash::from_bytes(hash.map_err(|source| error("hash", Arc::new(source)))?),
        grants,
        permissions: parse!("permissions", get!("permissions")),
        rewrite_links: get!("rewrite_links"),
        created_at: UnixMillis(get!("created_at")),
        expires_at: instant(get!("expires_at")),
        last_used_at: instant(get!("last_used_at")),
        revoked_at: instant(get!("revoked_at")),
        id: ApiKeyId::parse(&id).ok_or_else(|| error("id", cause("not the id of a key")))?,
    })
}
