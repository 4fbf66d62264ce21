//! Keeps programs connected to Spotify.

pub mod config;
mod handle;
pub mod id;
pub mod keeper;
pub mod lifecycle;
pub mod middleware;
pub mod oauth;
pub mod provider;
pub mod random;
pub mod seal;
pub mod secret;
pub mod store;
pub mod time;
pub mod transport;

pub use crate::{
    config::Config,
    handle::{Grant, Refrain, Summary},
    keeper::{Error, Explanation, Kind},
    secret::AccessToken,
};
