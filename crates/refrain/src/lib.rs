//! Keeps programs connected to Spotify.

pub mod config;
pub mod id;
pub mod lifecycle;
pub mod oauth;
pub mod provider;
pub mod random;
pub mod seal;
pub mod secret;
pub mod store;
pub mod time;
