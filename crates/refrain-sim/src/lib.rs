//! A simulator of Spotify, for tests.
