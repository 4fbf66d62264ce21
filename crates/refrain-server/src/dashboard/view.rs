//! What the pages of the dashboard look like: from what the library knows to markup, and nothing asked or
//! done on the way.

pub(super) mod connect;
mod consent;
pub(super) mod files;
pub(super) mod grant;
mod history;
pub(super) mod keys;
pub(super) mod level;
pub(super) mod overview;
pub(super) mod sessions;
pub(super) mod shell;
pub(super) mod sign_out;
mod time;
mod verdict;
