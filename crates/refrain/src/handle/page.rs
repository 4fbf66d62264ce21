//! Grants, API keys and deliveries a page at a time, for whoever lists more than fit into one answer.

use std::ops::Bound;

use crate::{
    access::{ApiKeyId, Grants, KeyRecord},
    handle::{Refrain, Summary},
    id::GrantName,
    keeper::Error,
    lifecycle::GrantRow,
    notice::Delivery,
    store::{StoreError, Unreadable, Versioned},
};

impl Refrain {
    /// Some of these grants by name, `most` of them, beginning behind a name. One that cannot be read is
    /// told among the others; names under which there is no grant are passed over.
    ///
    /// # Errors
    /// Where the store does not answer, or not even the name of a grant can be read.
    pub async fn page(
        &self,
        of: &Grants,
        after: Option<&GrantName>,
        most: u32,
    ) -> Result<Vec<Result<Summary, Unreadable>>, Error> {
        let rows = match of {
            Grants::All => self.keeper.parts().store.list(after, most).await?,
            // They are few beside all that there are.
            Grants::Only(names) => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let names = names.range((from, Bound::Unbounded));
                self.named(names, most).await?
            }
        };
        let now = self.keeper.parts().clock.now();
        let summary = |row: Versioned<GrantRow>| Summary::of(row.value, &now);
        Ok(rows.into_iter().map(|row| row.map(summary)).collect())
    }

    async fn named(
        &self,
        names: impl Iterator<Item = &GrantName>,
        most: u32,
    ) -> Result<Vec<Result<Versioned<GrantRow>, Unreadable>>, Error> {
        let mut rows = Vec::new();
        for name in names {
            if rows.len() >= most as usize {
                break;
            }
            match self.keeper.parts().store.grant(name).await {
                Ok(row) => rows.extend(row.map(Ok)),
                Err(why @ StoreError::Value { .. }) => {
                    let name = name.clone();
                    rows.push(Err(Unreadable { name, why }));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(rows)
    }

    /// Some of the API keys, the oldest first, `most` of them, beginning behind one; none where there is
    /// none of that id.
    ///
    /// # Errors
    /// Where the store does not answer, or a key cannot be read.
    pub async fn keys_after(
        &self,
        after: Option<&ApiKeyId>,
        most: u32,
    ) -> Result<Vec<KeyRecord>, Error> {
        let store = &self.keeper.parts().store;
        Ok(store.api_keys_after(after, most).await?)
    }

    /// Some of what was told about these grants without anybody asking, the newest first, `most` of them,
    /// beginning behind a number.
    ///
    /// # Errors
    /// Where the store does not answer, or a delivery cannot be read.
    pub async fn deliveries(
        &self,
        of: &Grants,
        before: Option<u64>,
        most: u32,
    ) -> Result<Vec<Delivery>, Error> {
        let store = &self.keeper.parts().store;
        Ok(store.deliveries(of, before, most).await?)
    }
}
