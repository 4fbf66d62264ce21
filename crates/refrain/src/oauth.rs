//! The protocol in the words of its standards: RFC 6749 (OAuth 2.0), 6750 (bearer), 7009 (revocation)
//! and 7636 (PKCE).
//!
//! Nothing in here reads a clock, opens a connection or knows Spotify. Requests are built, answers are
//! classified, and [`transport`] is the border that bytes cross.

pub mod answer;
pub mod authorization;
pub mod client;
pub mod origin;
pub mod pkce;
pub mod scope;
pub mod token;
pub mod transport;
pub mod withheld;
