//! Keeps programs connected to Spotify.

pub mod config;
pub mod id;
pub mod oauth;
pub mod provider;
pub mod random;
pub mod secret;
pub mod time;
