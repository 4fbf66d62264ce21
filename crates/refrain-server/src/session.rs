//! Who is signed in with a browser: whoever runs refrain, to the dashboard; and users, to a web app that has
//! no back end of its own.
//!
//! ```text
//! GET  /session/login    a page with a button; changes nothing
//! POST /session/login    sends the browser to Spotify; it comes back by /callback
//! GET  /session          who is signed in
//! POST /session/logout   ends the session
//! GET  /sign-in/{link}   a page with a button; changes nothing
//! POST /sign-in/{link}   uses the link up, gives the browser a cookie, sends it to the dashboard
//! ```
//!
//! A cookie comes with every request that a browser makes, whoever has it do so. So a page that it opens has
//! to be asked for by nobody else's, and what changes something has to prove that it comes from a page of ours:
//! the browser says so, and a field of the form has what only such a page can know.

pub(crate) mod admin;
mod cookie;
mod leave;
pub(crate) mod log_in;
mod log_out;
mod sign_in;
pub(crate) mod sweep;
mod told;
pub(crate) mod user;
pub(crate) mod ways;

use http::Response;

pub(crate) use self::{admin::Admin, leave::leave, user::User};
use crate::{body::Answer, fault::Fault, route::table::Route, visit::Visit};

/// Answers a visit.
pub(crate) async fn answer(visit: &Visit<'_>) -> Result<Response<Answer>, Fault> {
    match visit.route() {
        Route::SessionLogin => log_in::answer(visit).await,
        Route::SessionLogout => log_out::answer(visit).await,
        Route::Session => told::answer(visit).await,
        _ => sign_in::answer(visit).await,
    }
}
