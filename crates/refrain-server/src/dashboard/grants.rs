//! `/dashboard/grants/{name}` and what is done there.

use http::{Response, StatusCode};

use super::{
    Desk, flash, see,
    view::{
        grant,
        shell::{Part, Sheet},
        sign_out,
    },
};
use crate::{body::Answer, fault::Fault, html::Html, manage::grants as manage};

/// `GET`: its story.
pub(super) async fn show(desk: &Desk<'_>) -> Result<Response<Answer>, Fault> {
    let grant = desk.grant()?;
    let why = desk.errand.read(|_| async move { grant.why().await });
    let why = why.await?;
    let content = grant::content(&why, &desk.shell());
    let sheet = Sheet {
        notice: flash::asked(desk.query()),
        live: true,
        ..sheet(why.row.name.to_string(), content)
    };
    Ok(desk.page(StatusCode::OK, &sheet))
}

/// `POST …/refresh`.
pub(super) async fn refresh(desk: &Desk<'_>) -> Result<Response<Answer>, Fault> {
    let grant = desk.grant()?;
    let place = format!(
        "/dashboard/grants/{}?done={}",
        grant.name(),
        flash::REFRESHED
    );
    manage::refresh_now(&desk.errand, grant).await?;
    see(&place)
}

/// `GET …/sign-out`: asks once more.
pub(super) async fn ask_sign_out(desk: &Desk<'_>) -> Result<Response<Answer>, Fault> {
    let grant = desk.grant()?;
    let row = desk.errand.read(|_| async move { grant.row().await });
    let name = row.await?.name;
    let content = sign_out::ask(&name, &desk.shell());
    let sheet = sheet(format!("Sign {name} out?"), content);
    Ok(desk.page(StatusCode::OK, &sheet))
}

/// `POST …/sign-out`: what came of it is known now and is kept nowhere, so that the answer itself tells it.
pub(super) async fn sign_out(desk: &Desk<'_>) -> Result<Response<Answer>, Fault> {
    let done = manage::log_out_now(&desk.errand, desk.grant()?).await?;
    let content = sign_out::done(&done, desk.now());
    let sheet = sheet(format!("{} is signed out", done.grant), content);
    Ok(desk.page(StatusCode::OK, &sheet))
}

fn sheet(title: String, content: Html) -> Sheet {
    Sheet {
        part: Part::Grants,
        title,
        notice: None,
        content,
        live: false,
    }
}
