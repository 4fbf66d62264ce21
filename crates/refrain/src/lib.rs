//! Keeps programs connected to Spotify.
