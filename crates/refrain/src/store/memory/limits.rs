//! Gates in memory.

use async_trait::async_trait;

use crate::{
    limit::{Bucket, Gate},
    store::{Limits, StoreError, Version, Versioned, Written, memory::MemoryStore},
};

#[async_trait]
impl Limits for MemoryStore {
    async fn limits(&self) -> Result<Vec<Versioned<Gate>>, StoreError> {
        let tables = self.tables();
        let rows = tables.limits.values();
        let closed = rows.filter_map(|(version, gate)| {
            let (value, version) = (gate.clone()?, *version);
            Some(Versioned { value, version })
        });
        Ok(closed.collect())
    }

    async fn replace_limit(&self, seen: Version, gate: &Gate) -> Result<Written, StoreError> {
        Ok(self.put_limit(seen, &gate.bucket, Some(gate)))
    }

    async fn remove_limit(&self, seen: Version, bucket: &Bucket) -> Result<Written, StoreError> {
        Ok(self.put_limit(seen, bucket, None))
    }
}

impl MemoryStore {
    fn put_limit(&self, seen: Version, bucket: &Bucket, gate: Option<&Gate>) -> Written {
        let mut tables = self.tables();
        let none = || (Version(0), None);
        let (version, held) = tables.limits.entry(bucket.clone()).or_insert_with(none);
        let is_seen = match held {
            Some(_) => *version == seen,
            None => seen == Version(0) && gate.is_some(),
        };
        if is_seen {
            *version = Version(version.0 + 1);
            *held = gate.cloned();
        }
        Written::of(is_seen, *version)
    }
}
