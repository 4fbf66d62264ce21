//! `/dashboard`: the pages for whoever runs refrain.
//!
//! They show what the library knows and do what the management API does, by the same functions. Each action
//! is a form that works without a script; what a form has to prove is looked at in one place ([`form`]).
//! No page has a token in it, and one alone a key: the answer to the form that made it.

mod connect;
mod flash;
mod form;
mod grants;
mod keys;
mod overview;
mod sessions;
mod survey;
mod view;

use http::{Method, Response, StatusCode};
use refrain::{Grant, time::UnixMillis};

pub(crate) use self::survey::Lookout;
use self::{
    form::Form,
    view::{
        files,
        shell::{Sheet, Shell},
    },
};
use crate::{
    body::{Answer, Sent},
    cookie,
    errand::Errand,
    fault::{Fault, code},
    page::see_other,
    session::{self, Admin},
    visit::Visit,
};

/// Which page it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// All grants.
    Overview,
    /// One of them.
    Grant,
    /// A refresh of it.
    Refresh,
    /// Its end.
    SignOut,
    /// A user is connected.
    Connect,
    /// refrain's own keys.
    Keys,
    /// The end of one.
    Revoke,
    /// Who is signed in here.
    Sessions,
    /// The end of another session.
    EndSession,
    /// The end of the session.
    Leave,
}

/// What the pages load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum File {
    Style,
    Script,
}

/// Somebody who runs refrain, at a page.
#[derive(Debug)]
pub(crate) struct Desk<'a> {
    visit: Visit<'a>,
    admin: &'a Admin,
    errand: Errand<'a>,
}

/// Answers a page, or a form.
pub(crate) async fn answer(
    page: Page,
    desk: &Desk<'_>,
    body: Sent,
) -> Result<Response<Answer>, Fault> {
    if *desk.visit.method() == Method::POST {
        let form = Form::read(&desk.visit, desk.admin, body).await?;
        return act(page, desk, &form).await;
    }
    match page {
        Page::Overview => overview::show(desk).await,
        Page::Grant => grants::show(desk).await,
        Page::SignOut => grants::ask_sign_out(desk).await,
        Page::Connect => connect::show(desk).await,
        Page::Keys => keys::list(desk).await,
        Page::Revoke => keys::ask_revoke(desk).await,
        Page::Sessions => sessions::list(desk).await,
        Page::Refresh | Page::EndSession | Page::Leave => Err(nothing_here()),
    }
}

async fn act(page: Page, desk: &Desk<'_>, form: &Form) -> Result<Response<Answer>, Fault> {
    match page {
        Page::Refresh => grants::refresh(desk).await,
        Page::SignOut => grants::sign_out(desk).await,
        Page::Connect => connect::begin(desk, form).await,
        Page::Keys => keys::create(desk, form).await,
        Page::Revoke => keys::revoke(desk).await,
        Page::Leave => session::leave(&desk.visit, desk.admin).await,
        Page::EndSession => sessions::end(desk).await,
        Page::Overview | Page::Grant | Page::Sessions => Err(nothing_here()),
    }
}

/// The style or the script.
pub(crate) fn file(file: File) -> Response<Answer> {
    let file = match file {
        File::Style => &files::STYLE,
        File::Script => &files::SCRIPT,
    };
    file.answer().map(Answer::own)
}

/// Goes to a page, by GET whatever has brought one here.
pub(crate) fn see(place: &str) -> Result<Response<Answer>, Fault> {
    let answer = see_other(place).ok_or_else(cookie::unwritable)?;
    Ok(answer.map(Answer::own))
}

fn nothing_here() -> Fault {
    let fix = "the dashboard begins at /dashboard";
    let what = "there is no such page";
    Fault::request(StatusCode::NOT_FOUND, code::NO_SUCH_PATH, what, fix)
}

impl<'a> Desk<'a> {
    pub(crate) fn new(visit: Visit<'a>, admin: &'a Admin, errand: Errand<'a>) -> Self {
        Self {
            visit,
            admin,
            errand,
        }
    }

    /// What the path has in the place of its parameter.
    fn parameter(&self) -> &'a str {
        self.visit.parameter().unwrap_or_default()
    }

    /// The grant that the path names.
    fn grant(&self) -> Result<Grant, Fault> {
        self.errand.grant(self.parameter())
    }

    /// What stands behind the question mark. Whatever is not known there is nobody's concern: people come
    /// here from anywhere.
    fn query(&self) -> impl Iterator<Item = (String, String)> {
        url::form_urlencoded::parse(self.visit.query().as_bytes()).into_owned()
    }

    fn now(&self) -> UnixMillis {
        self.errand.shared().clock().wall()
    }

    fn shell(&self) -> Shell<'_> {
        let parts = self.errand.shared().refrain().parts();
        Shell {
            csrf: self.admin.csrf(),
            accounts: parts.provider.accounts.to_string(),
            now: self.now(),
        }
    }

    fn page(&self, status: StatusCode, sheet: &Sheet) -> Response<Answer> {
        self.shell().answer(status, sheet).map(Answer::own)
    }
}
