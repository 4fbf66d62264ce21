//! Who is signed in with a browser: whoever runs refrain, to the dashboard.
//!
//! ```text
//! GET  /sign-in/{link}   a page with a button; changes nothing
//! POST /sign-in/{link}   uses the link up, gives the browser a cookie, sends it to the dashboard
//! ```
//!
//! A cookie comes with every request that a browser makes, whoever has it do so. So a page that it opens has
//! to be asked for by nobody else's, and what changes something has to prove that it comes from a page of ours:
//! the browser says so, and a field of the form has what only such a page can know.

pub(crate) mod admin;
mod cookie;
mod sign_in;

pub(crate) use self::{admin::Admin, sign_in::answer};
