//! A grant as the columns of a table: the same for every engine.
//!
//! What is compared, counted or looked for has a column of its own, and so has each sealed secret. The
//! rest is one JSON value: no query asks about it.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::{
    id::{Epoch, Fence, Generation, GrantId, GrantName, Minting},
    lifecycle::{
        Change, GrantRow, Status,
        row::{Access, Account, Candidate, Consent, Intent, Standing, Tokens, Trouble, Unanswered},
    },
    oauth::{client::ClientId, scope::Scope},
    seal,
    secret::Sealed,
    store::{Cause, StoreError, Version, Versioned, cause},
    time::{Deadline, UnixMillis},
};

/// So many writes back, a grant's story is forgotten; a refresh is two writes and one event.
const STORY: i64 = 600;

/// The word for a grant that nobody reaches.
#[cfg(feature = "sqlite")]
pub(super) const SIGNED_OUT: &str = "signed_out";

/// One row of the table `grants`.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) app: String,
    pub(super) epoch: i64,
    pub(super) generation: i64,
    pub(super) minting: i64,
    pub(super) fence: i64,
    /// The word, for people and queries.
    pub(super) status: String,
    pub(super) reauthorize_by: Option<i64>,
    /// Whether there is an intent.
    pub(super) armed: bool,
    /// Which master key seals the data key.
    pub(super) master_key: Option<String>,
    pub(super) data_key: Option<Vec<u8>>,
    pub(super) refresh_token: Option<Vec<u8>>,
    pub(super) access_token: Option<Vec<u8>>,
    /// JSON.
    pub(super) rest: String,
}

/// What no query asks about.
#[derive(Serialize, Deserialize)]
struct Rest {
    client_id: ClientId,
    status: Status,
    authorized_at: Option<UnixMillis>,
    /// Until when the consent may have been, where nobody knows the instant.
    #[serde(default)]
    authorized_at_latest: Option<UnixMillis>,
    scope: Scope,
    account: Option<Account>,
    access: Option<AccessLife>,
    candidates: Vec<StoredCandidate>,
    intent: Option<Intent>,
    unanswered: Option<Unanswered>,
    trouble: Option<Trouble>,
    forced_until: Option<Deadline>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    imported_from: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct AccessLife {
    expires: Deadline,
    life_millis: i64,
}

#[derive(Serialize, Deserialize)]
struct StoredCandidate {
    presented: Generation,
    fence: Fence,
    sealed: String,
    standing: Standing,
}

impl Record {
    pub(super) fn of(row: &GrantRow, version: Version) -> Self {
        let tokens = row.tokens.as_ref();
        let access = tokens.and_then(|tokens| tokens.access.as_ref());
        let bytes = |sealed: &Sealed| sealed.as_bytes().to_vec();
        let rest = Rest {
            client_id: row.client_id.clone(),
            status: row.status.clone(),
            authorized_at: row.consent.map(|consent| consent.authorized_at),
            authorized_at_latest: row.consent.and_then(|consent| consent.latest),
            scope: row.scope.clone(),
            account: row.account.clone(),
            access: access.map(|access| AccessLife {
                expires: access.expires,
                life_millis: access.life_millis,
            }),
            candidates: row.candidates.iter().map(StoredCandidate::of).collect(),
            intent: row.intent.clone(),
            unanswered: row.unanswered.clone(),
            trouble: row.trouble.clone(),
            forced_until: row.forced_until,
            imported_from: row.imported_from.clone(),
        };
        Self {
            id: row.id.as_str().to_owned(),
            version: integer(version.0),
            name: row.name.as_str().to_owned(),
            app: row.app.as_str().to_owned(),
            epoch: integer(row.epoch.0),
            generation: integer(row.generation.0),
            minting: integer(row.minting.0),
            fence: integer(row.fence.0),
            status: row.status.word().to_owned(),
            reauthorize_by: row.consent.map(|consent| consent.reauthorize_by.0),
            armed: row.intent.is_some(),
            master_key: tokens.map(|tokens| master_key(&tokens.data_key)),
            data_key: tokens.map(|tokens| bytes(&tokens.data_key)),
            refresh_token: tokens.map(|tokens| bytes(&tokens.refresh)),
            access_token: access.map(|access| bytes(&access.sealed)),
            rest: json(&rest),
        }
    }

    /// Takes the columns out of a row of either engine; an error names the column.
    pub(super) fn fetch<'r, R>(row: &'r R) -> Result<Self, StoreError>
    where
        R: Row,
        &'static str: ColumnIndex<R>,
        bool: Decode<'r, R::Database> + Type<R::Database>,
        i64: Decode<'r, R::Database> + Type<R::Database>,
        String: Decode<'r, R::Database> + Type<R::Database>,
        Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    {
        let id: String = row.try_get("id").unwrap_or_default();
        macro_rules! get {
            ($column:literal) => {
                row.try_get($column)
                    .map_err(|source| value_error($column, &id, Arc::new(source)))?
            };
        }
        Ok(Self {
            version: get!("version"),
            name: get!("name"),
            app: get!("app"),
            epoch: get!("epoch"),
            generation: get!("generation"),
            minting: get!("minting"),
            fence: get!("fence"),
            status: get!("status"),
            reauthorize_by: get!("reauthorize_by"),
            armed: get!("armed"),
            master_key: get!("master_key"),
            data_key: get!("data_key"),
            refresh_token: get!("refresh_token"),
            access_token: get!("access_token"),
            rest: get!("rest"),
            id,
        })
    }

    pub(super) fn read(self) -> Result<Versioned<GrantRow>, StoreError> {
        let error = |column, source| value_error(column, &self.id, source);
        let number = |column, number: i64| {
            u64::try_from(number).map_err(|source| error(column, Arc::new(source)))
        };
        let rest: Rest = read_json(&self.rest, "grants", "rest", &self.id)?;
        let candidates = rest.candidates.into_iter().map(|candidate| {
            let read = candidate.read();
            read.map_err(|source| error("rest", Arc::new(source)))
        });
        let access = match (self.access_token, rest.access) {
            (Some(sealed), Some(life)) => Some(Access {
                sealed: Sealed::from_bytes(sealed),
                expires: life.expires,
                life_millis: life.life_millis,
            }),
            _ => None,
        };
        let tokens = match (self.data_key, self.refresh_token) {
            (Some(data_key), Some(refresh)) => Some(Tokens {
                data_key: Sealed::from_bytes(data_key),
                refresh: Sealed::from_bytes(refresh),
                access,
            }),
            _ => None,
        };
        let consent = match (rest.authorized_at, self.reauthorize_by) {
            (Some(authorized_at), Some(by)) => Some(Consent {
                authorized_at,
                reauthorize_by: UnixMillis(by),
                latest: rest.authorized_at_latest,
            }),
            _ => None,
        };
        let id = GrantId::parse(&self.id).ok_or_else(|| error("id", cause("not a grant id")))?;
        let value = GrantRow {
            id,
            name: self
                .name
                .parse()
                .map_err(|source| error("name", Arc::new(source)))?,
            app: self
                .app
                .parse()
                .map_err(|source| error("app", Arc::new(source)))?,
            client_id: rest.client_id,
            epoch: Epoch(number("epoch", self.epoch)?),
            generation: Generation(number("generation", self.generation)?),
            minting: Minting(number("minting", self.minting)?),
            fence: Fence(number("fence", self.fence)?),
            status: rest.status,
            consent,
            scope: rest.scope,
            account: rest.account,
            tokens,
            candidates: candidates.collect::<Result<_, _>>()?,
            intent: rest.intent,
            unanswered: rest.unanswered,
            trouble: rest.trouble,
            forced_until: rest.forced_until,
            imported_from: rest.imported_from,
        };
        let version = Version(number("version", self.version)?);
        Ok(Versioned { value, version })
    }
}

impl StoredCandidate {
    fn of(candidate: &Candidate) -> Self {
        Self {
            presented: candidate.presented,
            fence: candidate.fence,
            sealed: STANDARD.encode(candidate.sealed.as_bytes()),
            standing: candidate.standing,
        }
    }

    fn read(self) -> Result<Candidate, base64::DecodeError> {
        Ok(Candidate {
            presented: self.presented,
            fence: self.fence,
            sealed: Sealed::from_bytes(STANDARD.decode(self.sealed)?),
            standing: self.standing,
        })
    }
}

/// One write as an engine carries it out: to the row if it still is the version that was seen.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) record: Record,
    /// `None` for a row that is not there yet.
    pub(super) seen: Option<i64>,
    /// The story's next events, as JSON.
    pub(super) events: Vec<String>,
    /// Up to which version the story goes, where it does.
    pub(super) forget: Option<i64>,
}

impl Write {
    pub(super) fn insert(change: &Change) -> Self {
        Self::new(change, None, Version(1))
    }

    pub(super) fn replace(seen: Version, change: &Change) -> Self {
        Self::new(
            change,
            Some(integer(seen.0)),
            Version(seen.0.saturating_add(1)),
        )
    }

    fn new(change: &Change, seen: Option<i64>, version: Version) -> Self {
        let record = Record::of(&change.row, version);
        let forget = match (change.forgets, change.events.is_empty()) {
            (true, _) => Some(record.version.saturating_sub(1)),
            (false, false) => Some(record.version.saturating_sub(STORY)),
            (false, true) => None,
        };
        Self {
            forget,
            events: change.events.iter().map(json).collect(),
            seen,
            record,
        }
    }

    pub(super) fn version(&self) -> Version {
        Version(self.record.version.unsigned_abs())
    }
}

/// The row that was found by a name, if it is that name's: a damaged index leads to another user's.
pub(super) fn of_name(
    row: Versioned<GrantRow>,
    name: &GrantName,
) -> Result<Versioned<GrantRow>, StoreError> {
    if row.value.name == *name {
        return Ok(row);
    }
    let why = format!("it was found as {name}, and is {}", row.value.name);
    Err(value_error("name", row.value.id.as_str(), cause(&why)))
}

/// The name of the key in a sealed data key; a damaged one has none, and is found when it is opened.
fn master_key(data_key: &Sealed) -> String {
    seal::key_of(data_key).map_or_else(|_| String::new(), |id| id.to_string())
}

fn value_error(column: &'static str, row: &str, source: Cause) -> StoreError {
    StoreError::Value {
        table: "grants",
        column,
        row: row.to_owned(),
        source,
    }
}

/// SQL's integers are signed; ours count up from zero and never come near the end.
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
        source: Arc::new(source),
    })
}
