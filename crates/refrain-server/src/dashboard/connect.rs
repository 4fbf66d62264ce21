//! `/dashboard/connect`: a user is connected, in this browser or by a link.

use http::{Response, StatusCode};
use refrain::{
    Error,
    config::ReturnTo,
    connect::{ConnectLink, LinkRecord},
    id::{AppName, GrantName},
    keeper::{
        Problem,
        links::{LONGEST_LIFE, NewLink, USUAL_LIFE},
    },
    lifecycle::GrantRow,
    oauth::scope::Scope,
};

use super::{
    Desk,
    form::{Form, bad},
    view::{
        connect::{self as view, Asked},
        shell::{Part, Sheet},
    },
};
use crate::{
    authority,
    body::Answer,
    connect::cookie,
    fault::{Fault, code},
    html::Html,
    manage::links::{self, Place},
};

/// `GET`: the form; for a grant that is named and there, the one that renews it.
pub(super) async fn show(desk: &Desk<'_>) -> Result<Response<Answer>, Fault> {
    let mut named = desk.query().filter(|(name, _)| name == "grant");
    let named: Option<GrantName> = named.find_map(|(_, name)| name.parse().ok());
    let known = match named {
        Some(name) => there(desk, name).await?,
        None => None,
    };
    let apps: Vec<_> = desk
        .errand
        .shared()
        .refrain()
        .parts()
        .apps
        .values()
        .collect();
    let asked = Asked {
        known: known.as_ref(),
    };
    let title = known.as_ref().map_or_else(
        || "Connect an account".to_owned(),
        |row| format!("Reconnect {}", row.name),
    );
    let content = view::content(&asked, &apps, &desk.shell());
    Ok(desk.page(StatusCode::OK, &sheet(title, content)))
}

/// A grant, if it is there.
async fn there(desk: &Desk<'_>, name: GrantName) -> Result<Option<GrantRow>, Fault> {
    let row = desk
        .errand
        .ask(|refrain| async move { refrain.grant_named(&name).row().await })
        .await?;
    match row {
        Ok(row) => Ok(Some(row)),
        Err(error) if is_unknown(&error) => Ok(None),
        Err(error) => Err(desk.errand.fault(&error)),
    }
}

fn is_unknown(error: &Error) -> bool {
    matches!(error.problem(), Problem::UnknownGrant { .. })
}

/// `POST`: makes a link, and shows it or opens it here.
pub(super) async fn begin(desk: &Desk<'_>, form: &Form) -> Result<Response<Answer>, Fault> {
    let name = "write the name with letters, digits, “.”, “_” and “-”, 64 at most";
    let grant: GrantName = form
        .text("grant")
        .trim()
        .parse()
        .map_err(|_| bad("that is no name for a grant", name))?;
    let app = Some(form.text("app")).filter(|it| !it.is_empty());
    let app: Option<AppName> = app
        .map(|app| {
            app.parse()
                .map_err(|_| bad("there is no such app", "choose one of the form"))
        })
        .transpose()?;
    let place = links::place(&desk.errand, &grant, app).await?;
    // Whoever fills in a name does not mean somebody who is there; whoever comes from a grant does.
    let known = form.is_checked("known");
    let here = form.text("way") == "here";
    let home = if known {
        format!("{}/dashboard/grants/{grant}", place.origin)
    } else {
        format!("{}/dashboard", place.origin)
    };
    let return_to: Option<ReturnTo> = home.parse().ok().filter(|_| here);
    if here {
        check_origin(desk, &place)?;
    }
    let scope = if known {
        wanted(desk, &grant, &place.app).await?
    } else {
        None
    };
    let new = NewLink {
        grant,
        app: Some(place.app),
        scope,
        return_to,
        reconnect: (!known).then_some(false),
        lifetime: if here { USUAL_LIFE } else { LONGEST_LIFE },
    };
    let (link, record) = links::make(&desk.errand, new).await?;
    if here {
        return open(desk, link).await;
    }
    Ok(show_link(desk, &links::url(&place.origin, &link), &record))
}

/// What is asked for once more: what was granted, and what the app wants by now.
async fn wanted(desk: &Desk<'_>, grant: &GrantName, app: &AppName) -> Result<Option<Scope>, Fault> {
    let row = there(desk, grant.clone()).await?;
    let apps = &desk.errand.shared().refrain().parts().apps;
    let usual = apps.get(app).map(|app| &app.scopes);
    Ok(row.zip(usual).map(|(row, usual)| usual.union(&row.scope)))
}

/// The cookie of the login has to come back, so it has to begin where it ends.
fn check_origin(desk: &Desk<'_>, place: &Place) -> Result<(), Fault> {
    let authority = authority::of_origin(&place.origin);
    if authority.eq_ignore_ascii_case(desk.visit.host()?) {
        return Ok(());
    }
    let what = format!(
        "users of this app consent at {}, and this is another address",
        place.origin
    );
    let fix = "make a link instead and open it in this browser, or open the dashboard there";
    Err(Fault::request(
        StatusCode::MISDIRECTED_REQUEST,
        code::WRONG_HOST,
        what,
        fix,
    ))
}

/// Goes on to Spotify at once, as if somebody had opened the link here and pressed its button.
async fn open(desk: &Desk<'_>, link: ConnectLink) -> Result<Response<Answer>, Fault> {
    let port = desk.errand.shared().front().port();
    let begun = desk
        .errand
        .read(|refrain| async move { refrain.begin_link(&link, port).await })
        .await?;
    cookie::sent_on(&begun, desk.visit.host()?)
}

/// The only page with a link in it.
fn show_link(desk: &Desk<'_>, url: &str, record: &LinkRecord) -> Response<Answer> {
    let title = format!("A link to connect {}", record.terms.grant);
    let content = view::made(url, record, desk.now());
    desk.page(StatusCode::CREATED, &sheet(title, content))
}

fn sheet(title: String, content: Html) -> Sheet {
    Sheet {
        part: Part::Connect,
        title,
        notice: None,
        content,
        live: false,
    }
}
