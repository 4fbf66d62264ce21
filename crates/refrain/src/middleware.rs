//! Ways into HTTP clients: the bearer is put in, a 401 is repaired once, nothing leaves the API's origin.

#[cfg(feature = "reqwest")]
mod reqwest;

#[cfg(feature = "reqwest")]
pub use self::reqwest::{BearerError, BearerMiddleware, Unrepaired};
