//! What was told of grants without being asked, and what became of it.

use http::{Response, StatusCode};
use refrain::{
    access::Grants,
    id::GrantName,
    notice::{Delivery, Message},
};
use serde::Serialize;

use super::{
    Asked,
    content::{self, Nothing},
    json,
    page::{self, Page},
    query,
};
use crate::{
    body::{Answer, Sent},
    fault::{Fault, code},
};

#[derive(Debug, Serialize)]
struct NoticesJson<'a> {
    notices: Vec<NoticeJson<'a>>,
    /// Where the next page is.
    next: Option<String>,
}

/// A message and one place that it goes to.
#[derive(Debug, Serialize)]
struct NoticeJson<'a> {
    number: String,
    id: &'a str,
    kind: &'static str,
    grant: Option<&'a str>,
    target: &'a str,
    made_at: String,
    attempts: u32,
    next_at: Option<String>,
    outcome: Option<&'a str>,
    delivered_at: Option<String>,
    given_up_at: Option<String>,
}

impl<'a> NoticeJson<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        let text = |at: refrain::time::UnixMillis| at.to_string();
        Self {
            number: delivery.number.to_string(),
            id: delivery.message.as_str(),
            kind: delivery.kind.word(),
            grant: delivery.grant.as_ref().map(GrantName::as_str),
            target: &delivery.target.place,
            made_at: text(delivery.made_at),
            attempts: delivery.attempts,
            next_at: delivery.next_at.map(text),
            outcome: delivery.outcome.as_deref(),
            delivered_at: delivery.delivered_at.map(text),
            given_up_at: delivery.given_up_at.map(text),
        }
    }
}

#[derive(Debug, Serialize)]
struct TestJson<'a> {
    id: &'a str,
    targets: Vec<String>,
}

/// `GET notices`: those about grants that the caller reaches, the newest first and a page at a time.
pub(super) async fn list(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let page = Page::asked(&asked.head.uri)?;
    let before = page.after().map(|text| query::number(text, 0, u64::MAX));
    let before = before.transpose()?;
    let (of, most) = (asked.caller.grants().clone(), page.and_one());
    let read = asked.ask(|refrain| async move { refrain.deliveries(&of, before, most).await });
    let read = read.await?.map_err(|error| asked.fault(&error))?;
    let mut notices: Vec<NoticeJson<'_>> = read.iter().map(NoticeJson::of).collect();
    let next = page.cut(asked.entry.path(), &mut notices, |it| &it.number);
    let told = NoticesJson { notices, next };
    let answer = json(StatusCode::OK, &told)?;
    Ok(page::linked(answer, told.next.as_deref()))
}

/// `POST notices/test`: a message about nothing, to every place that there is.
pub(super) async fn test(asked: &Asked<'_>, body: Sent) -> Result<Response<Answer>, Fault> {
    let Nothing {} = content::read_or_default(&asked.head.headers, body).await?;
    if !asked.caller.reaches_all_of(&Grants::All) {
        let fix = "use a key made with --all-grants";
        let what = "places are told of all grants, and the key does not reach all";
        return Err(Fault::not_allowed(what, fix));
    }
    let shared = asked.shared();
    let Some(notices) = shared.notices().cloned() else {
        let fix = "set notices.webhooks or notices.command, and start the server anew";
        let what = "nobody is told of grants without asking";
        return Err(Fault::request(
            StatusCode::CONFLICT,
            code::NO_NOTICES,
            what,
            fix,
        ));
    };
    let targets = notices.targets();
    let sending = asked.ask(|refrain| async move {
        let parts = refrain.parts();
        let message = Message::test(parts.clock.wall(), parts.random.as_ref())?;
        notices.send(&refrain, &message).await?;
        Ok(message)
    });
    let message = sending.await?.map_err(|error| asked.fault(&error))?;
    shared.metrics().noticed(message.kind);
    let told = TestJson {
        id: message.id.as_str(),
        targets: targets.into_iter().map(|target| target.place).collect(),
    };
    json(StatusCode::ACCEPTED, &told)
}
