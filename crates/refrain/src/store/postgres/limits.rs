//! Gates in PostgreSQL.

use async_trait::async_trait;

use crate::{
    limit::{Bucket, Gate},
    store::{
        Limits, StoreError, Version, Versioned, Written,
        postgres::{
            PostgresStore,
            session::{ask, tell},
        },
        record::{integer, json, read_json},
    },
};

/// Two nodes that close the same gate at the same time: one waits for the other's row, and finds it taken.
const INSERT: &str = "WITH done AS (INSERT INTO refrain.limits AS l (bucket, version, gate) \
     VALUES ($1, 1, $2) ON CONFLICT (bucket) DO UPDATE SET version = l.version + 1, \
     gate = excluded.gate WHERE l.gate IS NULL AND $3::bigint = 0 RETURNING version) \
     SELECT version, pg_notify('refrain', '') FROM done";

const REPLACE: &str = "WITH done AS (UPDATE refrain.limits SET version = version + 1, gate = $2 \
     WHERE bucket = $1 AND version = $3 AND gate IS NOT NULL RETURNING version) \
     SELECT version, pg_notify('refrain', '') FROM done";

#[async_trait]
impl Limits for PostgresStore {
    async fn limits(&self) -> Result<Vec<Versioned<Gate>>, StoreError> {
        let query = self
            .sessions
            .statement("SELECT bucket, version, gate FROM refrain.limits WHERE gate IS NOT NULL");
        let rows = ask!(self, |c| query.columns().fetch_all(c));
        let rows: Vec<(String, i64, String)> = rows.await?;
        let gates = rows.into_iter().map(|(bucket, version, gate)| {
            Ok(Versioned {
                value: read_json(&gate, "limits", "gate", &bucket)?,
                version: Version(version.unsigned_abs()),
            })
        });
        gates.collect()
    }

    async fn replace_limit(&self, seen: Version, gate: &Gate) -> Result<Written, StoreError> {
        let statement = if seen == Version(0) { INSERT } else { REPLACE };
        self.put_limit(statement, seen, &gate.bucket, Some(gate))
            .await
    }

    async fn remove_limit(&self, seen: Version, bucket: &Bucket) -> Result<Written, StoreError> {
        self.put_limit(REPLACE, seen, bucket, None).await
    }
}

impl PostgresStore {
    async fn put_limit(
        &self,
        statement: &'static str,
        seen: Version,
        bucket: &Bucket,
        gate: Option<&Gate>,
    ) -> Result<Written, StoreError> {
        let query = self.sessions.statement(statement);
        let (bucket, gate, seen) = (bucket.to_string(), gate.map(json), integer(seen.0));
        let version = tell!(self, |c| {
            query
                .scalar()
                .bind(bucket.clone())
                .bind(gate.clone())
                .bind(seen)
                .fetch_optional(c)
        });
        let version: Option<i64> = version.await?;
        Ok(version.map_or(Written::Conflict, |version| {
            Written::Durably(Version(version.unsigned_abs()))
        }))
    }
}
