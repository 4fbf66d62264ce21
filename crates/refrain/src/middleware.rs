//! Ways into HTTP clients: the bearer is put in, a 401 is repaired once, nothing leaves the API's origin,
//! and no request is sent that Spotify's limits would only refuse.
//!
//! `reqwest` brings `Grant::http_client` and `BearerMiddleware`, `tower` the
//! `BearerLayer` for any `tower_service::Service` over [`http::Request`]. Both do the same:
//!
//! - The status decides, never the text. A rejected token is exchanged for a newer one (one refresh for
//!   however many requests were rejected) and the request sent once more, if its body can be sent again: a
//!   401 means that it was not executed. A token that was renewed moments ago is not renewed again; it is
//!   tried once more after a second. A second 401 is passed on, and so is one that cannot be repaired, with
//!   `Unrepaired` among its extensions.
//! - The [gates](crate::limit) are asked before, and told of each 429. Where one is closed, nothing is sent:
//!   the caller gets a 429 as Spotify's, with `Retry-After`, and `Limited` among its extensions. Whoever
//!   knows how to treat Spotify's own treats this one as well.
//!
//! Whoever carries requests by other means tells the gates of an answer by [`note_limit`].

mod body;
mod limits;
#[cfg(any(feature = "reqwest", feature = "tower"))]
mod passage;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "reqwest")]
pub use self::reqwest::BearerMiddleware;
#[cfg(feature = "tower")]
pub use self::tower::{BearerLayer, BearerService, SendError, TryClone};
pub use self::{body::AnswerBody, limits::note_limit};
#[cfg(any(feature = "reqwest", feature = "tower"))]
pub use self::{
    limits::Limited,
    passage::{BearerError, Unrepaired},
};
