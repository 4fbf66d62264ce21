//! Gates in SQLite.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;

use crate::{
    limit::{Bucket, Gate},
    store::{
        Limits, StoreError, Version, Versioned, Written,
        record::{integer, json, read_json},
        sqlite::{Bound, SqliteStore},
    },
};

#[async_trait]
impl Limits for SqliteStore {
    async fn limits(&self) -> Result<Vec<Versioned<Gate>>, StoreError> {
        let query = sqlx::query("SELECT bucket, version, gate FROM limits WHERE gate IS NOT NULL");
        let read = |pool| async move { query.fetch_all(&pool).await };
        let rows = self.connections.read(read).await?;
        rows.iter().map(|row| self.gate(row)).collect()
    }

    async fn replace_limit(&self, seen: Version, gate: &Gate) -> Result<Written, StoreError> {
        let (bucket, text) = (gate.bucket.to_string(), json(gate));
        let query = if seen == Version(0) {
            sqlx::query(
                "INSERT INTO limits (bucket, version, gate) VALUES (?1, 1, ?2)
                 ON CONFLICT (bucket) DO UPDATE SET version = version + 1, gate = excluded.gate
                 WHERE gate IS NULL RETURNING version",
            )
            .bind(bucket)
            .bind(text)
        } else {
            sqlx::query(
                "UPDATE limits SET version = version + 1, gate = ?2
                 WHERE bucket = ?1 AND version = ?3 AND gate IS NOT NULL RETURNING version",
            )
            .bind(bucket)
            .bind(text)
            .bind(integer(seen.0))
        };
        self.put_limit(query).await
    }

    async fn remove_limit(&self, seen: Version, bucket: &Bucket) -> Result<Written, StoreError> {
        let query = sqlx::query(
            "UPDATE limits SET version = version + 1, gate = NULL
             WHERE bucket = ? AND version = ? AND gate IS NOT NULL RETURNING version",
        )
        .bind(bucket.to_string())
        .bind(integer(seen.0));
        self.put_limit(query).await
    }
}

impl SqliteStore {
    /// Writes; the version of the row that was written, where one was.
    async fn put_limit(&self, query: Bound<'_>) -> Result<Written, StoreError> {
        // All rows: a statement is over, and durable, when it has been read to its end.
        let rows = query.fetch_all(self.connections.writer().await?).await;
        let rows = rows.map_err(|error| self.error(error))?;
        let Some(row) = rows.first() else {
            return Ok(Written::Conflict);
        };
        let version: i64 = self.column(row, "version")?;
        Ok(Written::Durably(Version(version.unsigned_abs())))
    }

    fn gate(&self, row: &SqliteRow) -> Result<Versioned<Gate>, StoreError> {
        let bucket: &str = self.column(row, "bucket")?;
        let version: i64 = self.column(row, "version")?;
        Ok(Versioned {
            value: read_json(self.column(row, "gate")?, "limits", "gate", bucket)?,
            version: Version(version.unsigned_abs()),
        })
    }
}
