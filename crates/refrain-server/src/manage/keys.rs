//! refrain's own API keys, for whoever reaches everything that they reach.

use std::{collections::BTreeSet, time::Duration};

use http::{Response, StatusCode};
use refrain::{
    Error,
    access::{ApiKey, ApiKeyId, Grants, KeyRecord, Permission},
    id::{ApiKeyName, GrantName},
    json::KeyJson,
    keeper::{
        Problem,
        keys::{KeyError, NewKey, RevokedKey},
    },
};
use serde::{Deserialize, Serialize};

use super::{
    Asked, content, json,
    page::{self, Page},
    query,
};
use crate::{
    audit::{Action, Subject},
    body::{Answer, Sent},
    errand::Errand,
    fault::{Fault, code},
};

/// So many are read at once, where the caller may not see them all.
const READ: u32 = 500;
/// A hundred years.
const LONGEST: u64 = 100 * 365 * 24 * 60 * 60;

/// What a caller says about a key that is to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    pub(crate) name: ApiKeyName,
    #[serde(default)]
    pub(crate) grants: BTreeSet<GrantName>,
    #[serde(default)]
    pub(crate) all_grants: bool,
    #[serde(default = "reading")]
    pub(crate) permissions: Vec<String>,
    #[serde(default)]
    pub(crate) rewrite_links: bool,
    /// In seconds.
    #[serde(default, deserialize_with = "content::whole")]
    pub(crate) expires_in: Option<u64>,
}

/// What a key may do of which nothing is said.
fn reading() -> Vec<String> {
    vec![Permission::ProxyRead.as_str().to_owned()]
}

#[derive(Debug, Serialize)]
struct KeysJson<'a> {
    keys: Vec<KeyJson<'a>>,
    /// Where the next page is.
    next: Option<String>,
}

/// The only answer with a key in it.
#[derive(Serialize)]
struct CreatedJson<'a> {
    key: &'a str,
    #[serde(flatten)]
    record: KeyJson<'a>,
}

#[derive(Debug, Serialize)]
struct RevokedJson<'a> {
    was_revoked: bool,
    #[serde(flatten)]
    record: KeyJson<'a>,
}

/// `GET keys`: those that the caller may see, the oldest first and a page at a time. Those that are revoked
/// stay, so that there are ever more of them.
pub(super) async fn list(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let page = Page::asked(&asked.head.uri)?;
    let after = match page.after() {
        Some(id) => Some(seen(asked, id).await?),
        None => None,
    };
    let mut keys = visible(asked, after, page.and_one()).await?;
    let next = page.cut(asked.entry.path(), &mut keys, |key| key.id.as_str());
    let now = asked.shared().clock().wall();
    let keys = keys.iter().map(|key| KeyJson::of(key, now)).collect();
    let told = KeysJson { keys, next };
    let answer = json(StatusCode::OK, &told)?;
    Ok(page::linked(answer, told.next.as_deref()))
}

/// A key behind which a page begins: one that the caller may see, so that he learns of no other.
async fn seen(asked: &Asked<'_>, id: &str) -> Result<ApiKeyId, Fault> {
    let bad = || query::bad("after is no id of a key");
    let id = ApiKeyId::parse(id).ok_or_else(bad)?;
    let named = id.clone();
    let read = asked.ask(|refrain| async move { refrain.key(&named).await });
    let found = read.await?.map_err(|error| asked.fault(&error))?;
    let found = found.filter(|key| asked.caller.reaches_all_of(&key.grants));
    found.map(|_| id).ok_or_else(bad)
}

/// The keys behind one that the caller may see, so many at least, if there are as many.
async fn visible(
    asked: &Asked<'_>,
    mut after: Option<ApiKeyId>,
    enough: u32,
) -> Result<Vec<KeyRecord>, Fault> {
    let most = enough.max(READ);
    let mut keys = Vec::new();
    loop {
        let read = asked
            .ask(|refrain| async move { refrain.keys_after(after.as_ref(), most).await })
            .await?;
        let read = read.map_err(|error| asked.fault(&error))?;
        let all = read.len() < most as usize;
        after = read.last().map(|key| key.id.clone());
        let seen = |key: &KeyRecord| asked.caller.reaches_all_of(&key.grants);
        keys.extend(read.into_iter().filter(seen));
        if all || keys.len() >= enough as usize {
            return Ok(keys);
        }
    }
}

/// `POST keys`: the key is in the answer and nowhere else.
pub(super) async fn create(asked: &Asked<'_>, body: Sent) -> Result<Response<Answer>, Fault> {
    let new: New = content::read(&asked.head.headers, body).await?;
    let (key, record) = make(asked, new).await?;
    let now = asked.shared().clock().wall();
    json(
        StatusCode::CREATED,
        &CreatedJson {
            key: key.expose(),
            record: KeyJson::of(&record, now),
        },
    )
}

/// `DELETE keys/{id}`: for ever.
pub(super) async fn revoke(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let revoked = revoke_now(asked, asked.parameter()).await?;
    let now = asked.shared().clock().wall();
    json(
        StatusCode::OK,
        &RevokedJson {
            was_revoked: !revoked.news,
            record: KeyJson::of(&revoked.key, now),
        },
    )
}

/// Makes a key within what the caller reaches, and notes it.
pub(crate) async fn make(errand: &Errand<'_>, new: New) -> Result<(ApiKey, KeyRecord), Fault> {
    let new = new.checked()?;
    if !errand.caller.reaches_all_of(&new.grants) {
        let what = "the key does not reach every grant that the new one would";
        let fix = "name grants that it reaches, or use a key made with --all-grants";
        return Err(Fault::not_allowed(what, fix));
    }
    let created = errand
        .ask(|refrain| async move { refrain.create_key(new).await })
        .await?;
    let (key, record) = created.map_err(|error| refused(errand, &error))?;
    errand.note(Action::KeyCreated, Subject::key(&record), &Ok(()));
    Ok((key, record))
}

/// The record of a key that the caller may see.
pub(crate) async fn record(errand: &Errand<'_>, id: &str) -> Result<KeyRecord, Fault> {
    let everything = errand.caller.reaches_all_of(&Grants::All);
    let missing = || {
        if everything {
            let (what, fix) = ("there is no API key of this id", "GET /refrain/v1/keys");
            Fault::request(StatusCode::NOT_FOUND, code::UNKNOWN_API_KEY, what, fix)
        } else {
            // The same whether there is such a key or not.
            let what = "the key does not reach this one";
            Fault::not_allowed(what, "use a key that reaches all of its grants")
        }
    };
    let id = ApiKeyId::parse(id).ok_or_else(missing)?;
    let found = errand
        .read(|refrain| async move { refrain.key(&id).await })
        .await?;
    found
        .filter(|record| errand.caller.reaches_all_of(&record.grants))
        .ok_or_else(missing)
}

/// Revokes a key that the caller may see, and notes it.
pub(crate) async fn revoke_now(errand: &Errand<'_>, id: &str) -> Result<RevokedKey, Fault> {
    let record = record(errand, id).await?;
    let id = record.id.clone();
    let revoked = errand
        .ask(|refrain| async move { refrain.revoke_key(id.as_str()).await })
        .await?;
    errand.note(Action::KeyRevoked, Subject::key(&record), &revoked);
    let revoked = revoked.map_err(|error| errand.fault(&error))?;
    errand.shared().keys().forget(&record.id);
    Ok(revoked)
}

impl New {
    fn checked(self) -> Result<NewKey, Fault> {
        let bad = |what: String, fix: &str| {
            Fault::request(StatusCode::BAD_REQUEST, code::BAD_BODY, what, fix)
        };
        if self.all_grants && !self.grants.is_empty() {
            let what = "the key is to reach all grants, and some are named";
            return Err(bad(what.to_owned(), "say grants or all_grants"));
        }
        let permissions = self.permissions.iter().map(|word| word.parse());
        let permissions = permissions
            .collect::<Result<_, _>>()
            .map_err(|error| bad(format!("{error}"), "look at /refrain/v1/openapi.json"))?;
        if self
            .expires_in
            .is_some_and(|it| !(1..=LONGEST).contains(&it))
        {
            let what = "a key lives between a second and a hundred years";
            return Err(bad(what.to_owned(), "leave expires_in out for no end"));
        }
        Ok(NewKey {
            name: self.name,
            grants: if self.all_grants {
                Grants::All
            } else {
                Grants::Only(self.grants)
            },
            permissions,
            rewrite_links: self.rewrite_links,
            lifetime: self.expires_in.map(Duration::from_secs),
        })
    }
}

/// What stands in the way of a key. Grants and keys that the caller may know nothing of are not named.
fn refused(errand: &Errand<'_>, error: &Error) -> Fault {
    let conflict = |code, what, fix: &str| Fault::request(StatusCode::CONFLICT, code, what, fix);
    match error.problem() {
        Problem::ApiKey(KeyError::NameTaken { .. }) => {
            let what = "another API key that is not revoked has this name";
            conflict(code::KEY_NAME_TAKEN, what, "choose another name")
        }
        Problem::ApiKey(KeyError::UnknownGrants { .. }) => {
            let what = "a grant that is named is not there";
            conflict(
                code::UNKNOWN_GRANT,
                what,
                "GET /refrain/v1/grants lists them",
            )
        }
        _ => errand.fault(error),
    }
}
