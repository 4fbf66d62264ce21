//! refrain's own API keys, as a program handles them.

use crate::{
    access::{ApiKey, ApiKeyId, KeyRecord},
    handle::Refrain,
    keeper::{
        Error,
        keys::{NewKey, RevokedKey},
    },
};

impl Refrain {
    /// Makes an API key. The key itself is in the answer and nowhere else, so it can be shown this once.
    ///
    /// # Errors
    /// Where another key has the name, or a grant is not there; see
    /// [`KeyError`](crate::keeper::keys::KeyError).
    pub async fn create_key(&self, new: NewKey) -> Result<(ApiKey, KeyRecord), Error> {
        self.keeper.create_key(new).await
    }

    /// All API keys, the oldest first; also those that are revoked.
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, Error> {
        Ok(self.keeper.parts().store.api_keys().await?)
    }

    /// One API key.
    pub async fn key(&self, id: &ApiKeyId) -> Result<Option<KeyRecord>, Error> {
        Ok(self.keeper.parts().store.api_key(id).await?)
    }

    /// Revokes the API key of this name or id, for ever. Every process on this store refuses it from then
    /// on.
    pub async fn revoke_key(&self, name_or_id: &str) -> Result<RevokedKey, Error> {
        self.keeper.revoke_key(name_or_id).await
    }

    /// The record of a key that somebody presents, if it is valid; and notes, to a minute, that it was
    /// used. What it may do is for the caller to ask: see
    /// [`allows`](crate::access::Permissions::allows) and [`reach`](crate::access::Grants::reach).
    ///
    /// # Errors
    /// [`KeyError::Refused`](crate::keeper::keys::KeyError::Refused) where it is not valid, for a reason
    /// that is meant for the log alone; anything else is a fault, and says nothing about the key.
    pub async fn verify_key(&self, key: &ApiKey) -> Result<KeyRecord, Error> {
        self.keeper.verify_key(key).await
    }
}
