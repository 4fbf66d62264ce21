//! `/dashboard/keys`: refrain's own keys.

use std::collections::BTreeSet;

use http::{Response, StatusCode};
use refrain::{access::Grants, id::GrantName};

use super::{
    Desk, flash,
    form::{Form, bad},
    see,
    view::{
        keys as view,
        shell::{Part, Sheet},
    },
};
use crate::{
    body::Answer,
    fault::Fault,
    html::Html,
    manage::{
        grants::name,
        keys::{self, New},
    },
};

/// So many grants can be ticked; where there are more, the command names them.
const OFFERED: u32 = 50;
const DAY: u64 = 24 * 60 * 60;

/// `GET`: which there are, and the form.
pub(super) async fn list(desk: &Desk<'_>) -> Result<Response<Answer>, Fault> {
    let read = desk.errand.read(|refrain| async move {
        let grants = refrain.page(&Grants::All, None, OFFERED).await?;
        Ok((refrain.keys().await?, grants))
    });
    let (keys, grants) = read.await?;
    let grants: Vec<GrantName> = grants.iter().map(|it| name(it).clone()).collect();
    let content = view::content(&keys, &grants, &desk.shell());
    let sheet = Sheet {
        notice: flash::asked(desk.query()),
        ..sheet("Keys".to_owned(), content)
    };
    Ok(desk.page(StatusCode::OK, &sheet))
}

/// `POST`: the key is in the answer and nowhere else.
pub(super) async fn create(desk: &Desk<'_>, form: &Form) -> Result<Response<Answer>, Fault> {
    let (key, record) = keys::make(&desk.errand, new(form)?).await?;
    let title = format!("The key {} is made", record.name);
    let content = view::made(&key, &record);
    Ok(desk.page(StatusCode::CREATED, &sheet(title, content)))
}

/// What the form says about the key.
fn new(form: &Form) -> Result<New, Fault> {
    let fix = "write the name with letters, digits, “.”, “_” and “-”, 64 at most";
    let name = form.text("name").trim().parse();
    let name = name.map_err(|_| bad("that is no name for a key", fix))?;
    let all_grants = form.is_checked("all_grants");
    let mut grants = BTreeSet::new();
    for grant in form.all("grant").filter(|_| !all_grants) {
        let read = grant.parse();
        grants.insert(read.map_err(|_| bad("there is no such grant", "choose some of the form"))?);
    }
    let permissions: Vec<String> = form.all("permission").map(str::to_owned).collect();
    let fix = "choose what it may do, and for which grants";
    if permissions.is_empty() {
        return Err(bad("the key would be allowed nothing", fix));
    }
    let managing = permissions.iter().all(|it| it == "manage");
    if grants.is_empty() && !all_grants && !managing {
        return Err(bad("the key would reach no grant", fix));
    }
    let days = form.text("days");
    let days = view::LIVES
        .iter()
        .map(|(days, _)| *days)
        .find(|it| it.to_string() == days);
    let days = days.ok_or_else(|| bad("that is no life for a key", "choose one of the form"))?;
    Ok(New {
        name,
        grants,
        all_grants,
        permissions,
        rewrite_links: form.is_checked("rewrite_links"),
        expires_in: (days > 0).then_some(days.saturating_mul(DAY)),
    })
}

/// `GET keys/{id}/revoke`: asks once more.
pub(super) async fn ask_revoke(desk: &Desk<'_>) -> Result<Response<Answer>, Fault> {
    let record = keys::record(&desk.errand, desk.parameter()).await?;
    let title = format!("Revoke the key {}?", record.name);
    let content = view::ask_revoke(&record, &desk.shell());
    Ok(desk.page(StatusCode::OK, &sheet(title, content)))
}

/// `POST keys/{id}/revoke`.
pub(super) async fn revoke(desk: &Desk<'_>) -> Result<Response<Answer>, Fault> {
    keys::revoke_now(&desk.errand, desk.parameter()).await?;
    see(&format!("/dashboard/keys?done={}", flash::REVOKED))
}

fn sheet(title: String, content: Html) -> Sheet {
    Sheet {
        part: Part::Keys,
        title,
        notice: None,
        content,
        live: false,
    }
}
