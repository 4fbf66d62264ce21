//! A session as the columns of a table: the same for every engine.

use std::sync::Arc;

use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::{
    id::GrantName,
    session::{SessionHash, SessionId, SessionRecord, Whose},
    store::{StoreError, cause, columns::Columns},
    time::UnixMillis,
};

const TABLE: &str = "sessions";

/// Who is signed in, as two columns: a word, and the grant that is reached.
pub(super) fn whose(whose: &Whose) -> (&'static str, Option<String>) {
    match whose {
        Whose::SignIn => ("sign_in", None),
        Whose::Admin => ("admin", None),
        Whose::User(grant) => ("user", Some(grant.as_str().to_owned())),
        Whose::SignedOut => ("signed_out", None),
    }
}

/// Reads the name of a grant.
pub(super) fn name(text: String) -> Result<GrantName, StoreError> {
    text.parse().map_err(|source| StoreError::Value {
        table: "grants",
        column: "name",
        row: text,
        source: Arc::new(source),
    })
}

/// Reads a row of either engine; an error names the column.
pub(super) fn read<'r, R>(row: &'r R) -> Result<SessionRecord, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let columns = Columns::of(TABLE, row);
    let (word, grant): (String, Option<String>) =
        (columns.get("whose")?, columns.get("grant_name")?);
    let grant = grant.map(|grant| grant.parse::<GrantName>());
    let grant = grant
        .transpose()
        .map_err(|source| columns.error("grant_name", Arc::new(source)))?;
    let whose = match (word.as_str(), grant) {
        ("sign_in", None) => Whose::SignIn,
        ("admin", None) => Whose::Admin,
        ("user", Some(grant)) => Whose::User(grant),
        ("signed_out", None) => Whose::SignedOut,
        _ => return Err(columns.error("whose", cause("not known here"))),
    };
    Ok(SessionRecord {
        hash: SessionHash::from_bytes(columns.hash("hash")?),
        whose,
        made_at: UnixMillis(columns.get("made_at")?),
        seen_at: UnixMillis(columns.get("seen_at")?),
        lapses_at: UnixMillis(columns.get("lapses_at")?),
        ends_at: UnixMillis(columns.get("ends_at")?),
        id: SessionId::parse(columns.id())
            .ok_or_else(|| columns.error("id", cause("not the id of a session")))?,
    })
}
