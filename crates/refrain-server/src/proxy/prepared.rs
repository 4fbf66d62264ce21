//! What goes with a token on every request, made once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderValue;
use refrain::{
    Grant,
    id::{Epoch, Generation},
    keeper::Live,
    secret::AccessToken,
};

use crate::fault::{Fault, code};

/// A token as a header, and what is said about it in the answer.
#[derive(Debug)]
pub(crate) struct Prepared {
    live: Arc<Live>,
    /// `Authorization` for the API.
    pub(crate) bearer: HeaderValue,
    /// `Refrain-Grant` for the caller.
    pub(crate) grant: Option<HeaderValue>,
    /// `Refrain-Generation` for the caller.
    pub(crate) line: Option<HeaderValue>,
}

impl Prepared {
    pub(crate) fn new(live: &Arc<Live>, grant: &Grant) -> Result<Self, Fault> {
        Ok(Self {
            bearer: bearer(live.token())?,
            grant: HeaderValue::from_str(grant.name().as_str()).ok(),
            line: line(live.line()),
            live: Arc::clone(live),
        })
    }

    /// Whether it is of this very token.
    pub(crate) fn is_of(&self, live: &Arc<Live>) -> bool {
        Arc::ptr_eq(&self.live, live)
    }

    /// The token.
    pub(crate) fn live(&self) -> &Live {
        &self.live
    }
}

/// The header with a token in it.
pub(crate) fn bearer(token: &AccessToken) -> Result<HeaderValue, Fault> {
    let text = [b"Bearer ", token.expose().as_bytes()].concat();
    let value = HeaderValue::from_maybe_shared(Bytes::from(text));
    let mut value = value.map_err(|_| {
        let (code, what) = (
            code::TOKEN_ILLEGAL,
            "Spotify's token cannot stand in a header",
        );
        Fault::later(code, what, Duration::from_secs(60))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Login and generation, as they are told.
pub(crate) fn line((epoch, generation): (Epoch, Generation)) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{}.{}", epoch.0, generation.0)).ok()
}
