//! Keeps programs connected to Spotify.
//!
//! refrain obtains a user's authorization once, keeps the refresh token sealed, mints access tokens
//! exactly when they are needed, repairs a 401 before the caller notices, makes every rotation durable
//! before anyone uses it, knows the day on which Spotify will stop honouring the authorization, and
//! forgets everything on logout. Any number of tasks and processes may share one store.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use refrain::{Config, Refrain};
//!
//! let refrain = Refrain::open(Config::load()?).await?;
//! let alice = refrain.grant("alice").await?;
//! let token = alice.access_token().await?; // from memory; refreshed when it is due
//! # Ok(()) }
//! ```
//!
//! # The rooms
//!
//! A module uses only the ones above it in this table, and a test holds that. Whoever follows one
//! refresh goes down the list once and comes back up once.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`hex`] [`secret`] [`random`] [`time`] [`id`] | bytes as text; tokens that do not print; randomness, clocks and names as parameters |
//! | [`oauth`] | the words of RFC 6749, 7009 and 7636; no clock, no I/O, no Spotify |
//! | [`provider`] | Spotify's endpoints and quirks as data |
//! | [`config`] | `refrain.toml` and its overrides |
//! | [`lifecycle`] | pure: what may happen to a grant. The promises are read off here |
//! | [`transport`] | real sockets: connect, then send once |
//! | [`seal`] | encryption of one field of one row |
//! | [`access`] | refrain's own API keys: their text, and what they may do; pure |
//! | [`connect`] | links by which a user consents in a browser: their text, and what is kept of them; pure |
//! | [`limit`] | pure: what the Web API's 429s mean, and who may ask it again |
//! | [`notice`] | pure: what is told of a grant without anybody asking, and how it is tried again |
//! | [`store`] | rows by compare-and-set: memory, SQLite and PostgreSQL, one contract suite |
//! | [`keeper`] | the one module that calls the provider and orders the steps |
//! | [`custody`] | key and store as wholes: a new master key, a backup, a restore |
//! | [`json`] | what programs are told of keys, limits and logouts |
//! | [`words`] | what people are told of grants, limits and logouts |
//! | [`Refrain`], [`Grant`] | what a program holds |
//! | [`middleware`] | ways into HTTP clients |
//!
//! # Features
//!
//! `sqlite` (default) is the store in one file. `postgres` is the one for several machines.
//! `reqwest` adds `Grant::http_client`, `tower` a layer for other clients; see [`middleware`]. `contract` is
//! the suite that a store has to pass. A feature adds things and changes none. `failpoints` is for tests, and does not compile without debug assertions.

#[cfg(test)]
extern crate self as refrain; // the name by which fixtures in `tests/support` know it

pub mod access;
pub mod config;
pub mod connect;
pub mod custody;
#[cfg(feature = "failpoints")]
pub mod failpoint;
#[cfg(not(feature = "failpoints"))]
mod failpoint;
mod files;
mod handle;
pub mod hex;
pub mod id;
pub mod json;
pub mod keeper;
pub mod lifecycle;
pub mod limit;
pub mod middleware;
pub mod notice;
pub mod oauth;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod open;
pub mod provider;
pub mod random;
pub mod seal;
pub mod secret;
pub mod session;
pub mod store;
pub mod time;
pub mod transport;
pub mod words;

pub use crate::{
    config::Config,
    handle::{Grant, Next, Refrain, Summary, Why},
    keeper::{Error, Explanation, Kind},
    secret::AccessToken,
};
