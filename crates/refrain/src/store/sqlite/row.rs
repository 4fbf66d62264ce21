//! Between a row of the table and [`GrantRow`].

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::{
    Decode, Row as _, Sqlite, Type,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::{
    id::{Epoch, Fence, Generation, GrantId, Minting},
    lifecycle::{
        GrantRow,
        row::{Access, Candidate, Consent, Tokens},
    },
    secret::Sealed,
    store::{BoxError, StoreError, Version, Versioned},
    time::UnixMillis,
};

pub(super) const INSERT: &str = "INSERT OR IGNORE INTO grants (version, name, app, client_id, epoch, \
     generation, minting, fence, status, standing, authorized_at, reauthorize_by, scope, account, \
     data_key, refresh_token, access_token, access_expires, access_life, candidates, intent, \
     unanswered, trouble, forced_until, id) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

pub(super) const REPLACE: &str = "UPDATE grants SET version = ?, name = ?, app = ?, client_id = ?, \
     epoch = ?, generation = ?, minting = ?, fence = ?, status = ?, standing = ?, authorized_at = ?, \
     reauthorize_by = ?, scope = ?, account = ?, data_key = ?, refresh_token = ?, access_token = ?, \
     access_expires = ?, access_life = ?, candidates = ?, intent = ?, unanswered = ?, trouble = ?, \
     forced_until = ? WHERE id = ? AND version = ?";

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Binds all columns in the order of the two statements.
pub(super) fn bind<'q>(query: Bound<'q>, row: &'q GrantRow, version: Version) -> Bound<'q> {
    let tokens = row.tokens.as_ref();
    let access = tokens.and_then(|tokens| tokens.access.as_ref());
    let candidates: Vec<StoredCandidate> =
        row.candidates.iter().map(StoredCandidate::from).collect();
    query
        .bind(integer(version.0))
        .bind(row.name.as_str())
        .bind(row.app.as_str())
        .bind(row.client_id.as_str())
        .bind(integer(row.epoch.0))
        .bind(integer(row.generation.0))
        .bind(integer(row.minting.0))
        .bind(integer(row.fence.0))
        .bind(row.status.word())
        .bind(json(&row.status))
        .bind(row.consent.map(|consent| consent.authorized_at.0))
        .bind(row.consent.map(|consent| consent.reauthorize_by.0))
        .bind(row.scope.to_string())
        .bind(row.account.as_ref().map(json))
        .bind(tokens.map(|tokens| tokens.data_key.as_bytes()))
        .bind(tokens.map(|tokens| tokens.refresh.as_bytes()))
        .bind(access.map(|access| access.sealed.as_bytes()))
        .bind(access.map(|access| json(&access.expires)))
        .bind(access.map(|access| access.life_millis))
        .bind(json(&candidates))
        .bind(row.intent.as_ref().map(json))
        .bind(row.unanswered.as_ref().map(json))
        .bind(row.trouble.as_ref().map(json))
        .bind(row.forced_until.as_ref().map(json))
        .bind(row.id.as_str())
}

/// Reads a row; an error names table, column and row.
pub(super) fn read(row: &SqliteRow) -> Result<Versioned<GrantRow>, StoreError> {
    let from = Reader {
        id: row.try_get("id").unwrap_or_default(),
        row,
    };
    let bytes = |column| -> Result<Option<Sealed>, StoreError> {
        Ok(from.get::<Option<Vec<u8>>>(column)?.map(Sealed::from_bytes))
    };
    let access = match (bytes("access_token")?, from.json("access_expires")?) {
        (Some(sealed), Some(expires)) => {
            let life_millis = from.get("access_life")?;
            Some(Access {
                sealed,
                expires,
                life_millis,
            })
        }
        _ => None,
    };
    let tokens = match (bytes("data_key")?, bytes("refresh_token")?) {
        (Some(data_key), Some(refresh)) => Some(Tokens {
            data_key,
            refresh,
            access,
        }),
        _ => None,
    };
    let consent = match (from.get("authorized_at")?, from.get("reauthorize_by")?) {
        (Some(authorized_at), Some(reauthorize_by)) => Some(Consent {
            authorized_at: UnixMillis(authorized_at),
            reauthorize_by: UnixMillis(reauthorize_by),
        }),
        _ => None,
    };
    let candidates: Vec<StoredCandidate> = from.required("candidates")?;
    let value = GrantRow {
        id: GrantId::parse(&from.id).ok_or_else(|| from.error("id", "not a grant id".into()))?,
        name: from.parsed("name")?,
        app: from.parsed("app")?,
        client_id: from.parsed("client_id")?,
        epoch: Epoch(from.number("epoch")?),
        generation: Generation(from.number("generation")?),
        minting: Minting(from.number("minting")?),
        fence: Fence(from.number("fence")?),
        status: from.required("standing")?,
        consent,
        scope: from.parsed("scope")?,
        account: from.json("account")?,
        tokens,
        candidates: candidates
            .into_iter()
            .map(|candidate| {
                candidate
                    .read()
                    .ok_or_else(|| from.error("candidates", "not base64".into()))
            })
            .collect::<Result<_, _>>()?,
        intent: from.json("intent")?,
        unanswered: from.json("unanswered")?,
        trouble: from.json("trouble")?,
        forced_until: from.json("forced_until")?,
    };
    Ok(Versioned {
        value,
        version: Version(from.number("version")?),
    })
}

struct Reader<'r> {
    id: String,
    row: &'r SqliteRow,
}

impl<'r> Reader<'r> {
    fn error(&self, column: &'static str, source: BoxError) -> StoreError {
        StoreError::Value {
            table: "grants",
            column,
            row: self.id.clone(),
            source,
        }
    }

    fn get<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
    {
        self.row
            .try_get(column)
            .map_err(|source| self.error(column, Box::new(source)))
    }

    fn number(&self, column: &'static str) -> Result<u64, StoreError> {
        u64::try_from(self.get::<i64>(column)?)
            .map_err(|source| self.error(column, Box::new(source)))
    }

    fn parsed<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        let text: &str = self.get(column)?;
        text.parse()
            .map_err(|source| self.error(column, Box::new(source)))
    }

    fn required<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        read_json(self.get(column)?, "grants", column, &self.id)
    }

    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<&str> = self.get(column)?;
        text.map(|text| read_json(text, "grants", column, &self.id))
            .transpose()
    }
}

#[derive(Serialize, Deserialize)]
struct StoredCandidate {
    presented: Generation,
    fence: Fence,
    sealed: String,
    refused: bool,
}

impl From<&Candidate> for StoredCandidate {
    fn from(candidate: &Candidate) -> Self {
        Self {
            presented: candidate.presented,
            fence: candidate.fence,
            sealed: STANDARD.encode(candidate.sealed.as_bytes()),
            refused: candidate.refused,
        }
    }
}

impl StoredCandidate {
    fn read(self) -> Option<Candidate> {
        let sealed = Sealed::from_bytes(STANDARD.decode(self.sealed).ok()?);
        Some(Candidate {
            presented: self.presented,
            fence: self.fence,
            sealed,
            refused: self.refused,
        })
    }
}

/// SQLite's integers are signed; ours count up from zero and never come near the end.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Our own types, whose serialization cannot fail: no map with odd keys, no custom serializer.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn read_json<T: DeserializeOwned>(
    text: &str,
    table: &'static str,
    column: &'static str,
    row: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Value {
        table,
        column,
        row: row.to_owned(),
        source: Box::new(source),
    })
}
