//! Who calls: somebody with a key of refrain's, or a process of this machine behind the Unix socket.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, StatusCode, header};
use refrain::{
    Error, Grant,
    access::{ApiKey, ApiKeyError, Grants, Permission},
    id::GrantName,
    keeper::{Problem, keys::KeyError},
};
use zeroize::Zeroizing;

use crate::{
    connection::Connection,
    fault::{Fault, code},
    server::Shared,
    session::{Admin, User},
    shown::{Known, Remembered, Shown},
};

/// The header by which a caller who reaches several grants says which one is meant.
const GRANT: &str = "refrain-grant";

/// A caller who is known.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// Whoever holds this key.
    Key(Arc<Known<ApiKey>>),
    /// A process of the user that refrain runs as, or of one that the configuration names: it could read
    /// the store and its key itself.
    Peer {
        /// Its user.
        uid: u32,
    },
    /// Somebody who runs refrain, signed in with a browser.
    Admin(Admin),
    /// A user, signed in with a browser.
    User(User),
}

impl Caller {
    /// Whether it may do something.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        match self {
            Self::Key(known) => known.record().permissions.allows(permission),
            // A browser gets no token, whoever asks with it.
            Self::User(_) => matches!(permission, Permission::Proxy | Permission::ProxyRead),
            Self::Peer { .. } | Self::Admin(_) => true,
        }
    }

    /// Whether it reaches a grant.
    pub(crate) fn reaches(&self, grant: &GrantName) -> bool {
        match self {
            Self::Key(known) => known.record().grants.reach(grant),
            Self::User(user) => user.grant().name() == grant,
            Self::Peer { .. } | Self::Admin(_) => true,
        }
    }

    /// The grants that it reaches.
    pub(crate) fn grants(&self) -> &Grants {
        match self {
            Self::Key(known) => &known.record().grants,
            Self::User(user) => user.grants(),
            Self::Peer { .. } | Self::Admin(_) => &Grants::All,
        }
    }

    /// Whether it reaches whatever these are.
    pub(crate) fn reaches_all_of(&self, grants: &Grants) -> bool {
        match (self, grants) {
            (Self::Peer { .. } | Self::Admin(_), _) => true,
            (Self::Key(known), Grants::All) => known.record().grants == Grants::All,
            (Self::User(_), Grants::All) => false,
            (Self::Key(_) | Self::User(_), Grants::Only(names)) => {
                names.iter().all(|name| self.reaches(name))
            }
        }
    }

    /// Whether links in the API's answers are to lead to refrain.
    pub(crate) fn rewrites_links(&self) -> bool {
        matches!(self, Self::Key(known) if known.record().rewrite_links)
    }

    /// Who it is, for the log.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Key(known) => format!("key:{}", known.record().id),
            Self::Peer { uid } => format!("uid:{uid}"),
            Self::Admin(admin) => format!("admin:{}", admin.session()),
            Self::User(user) => format!("session:{}", user.session()),
        }
    }

    /// What tells it from others within this process.
    pub(crate) fn mark(&self) -> (Option<&str>, u32) {
        match self {
            Self::Key(known) => (Some(known.record().id.as_str()), 0),
            Self::Peer { uid } => (None, *uid),
            Self::Admin(admin) => (Some(admin.session().as_str()), 1),
            Self::User(user) => (Some(user.session().as_str()), 2),
        }
    }

    /// The grant that a request is about: the one that its header names, or the only one.
    pub(crate) async fn grant(&self, headers: &HeaderMap, shared: &Shared) -> Result<Grant, Fault> {
        let Some(named) = headers.get(GRANT) else {
            return self.only_grant(shared).await;
        };
        if headers.get_all(GRANT).iter().count() > 1 {
            return Err(several("the request names several grants"));
        }
        let name: GrantName = named
            .to_str()
            .ok()
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| several("Refrain-Grant is no name of a grant"))?;
        self.reached(&name, shared)
    }

    /// A grant by name, if the caller reaches it.
    pub(crate) fn reached(&self, name: &GrantName, shared: &Shared) -> Result<Grant, Fault> {
        match self {
            Self::User(user) if user.grant().name() == name => Ok(user.grant().clone()),
            _ if self.reaches(name) => Ok(shared.refrain().grant_named(name)),
            _ => Err(out_of_reach()),
        }
    }

    /// The grant that a path names, if the caller reaches it.
    pub(crate) fn grant_in_path(&self, name: &str, shared: &Shared) -> Result<Grant, Fault> {
        // Most keys reach one grant, whose handle is at hand.
        if let Self::Key(known) = self
            && let Some(only) = known.only()
            && only.name().as_str() == name
        {
            return Ok(only.clone());
        }
        match name.parse() {
            Ok(name) => self.reached(&name, shared),
            Err(_) if self.reaches_all_of(&Grants::All) => {
                let what = "the path names no grant";
                let fix = "/refrain/v1/grants lists those that there are";
                let status = StatusCode::NOT_FOUND;
                Err(Fault::request(status, code::UNKNOWN_GRANT, what, fix))
            }
            Err(_) => Err(out_of_reach()),
        }
    }

    async fn only_grant(&self, shared: &Shared) -> Result<Grant, Fault> {
        let known = match self {
            Self::Key(known) => known,
            Self::Peer { .. } | Self::Admin(_) => return only_of_all(shared).await,
            Self::User(user) => return Ok(user.grant().clone()),
        };
        if let Some(grant) = known.only() {
            return Ok(grant.clone());
        }
        match &known.record().grants {
            Grants::All => only_of_all(shared).await,
            Grants::Only(names) if names.is_empty() => Err(Fault::not_allowed(
                "the key reaches no grant",
                "make one with -g GRANT: `refrain key create`",
            )),
            Grants::Only(names) => {
                let names: Vec<&str> = names.iter().map(GrantName::as_str).collect();
                Err(several(&format!(
                    "the key reaches several grants: {}",
                    names.join(", ")
                )))
            }
        }
    }
}

/// The same whether there is such a grant or not.
fn out_of_reach() -> Fault {
    let fix = "use a key that does; `refrain key list` shows which";
    Fault::not_allowed("the key does not reach this grant", fix)
}

async fn only_of_all(shared: &Shared) -> Result<Grant, Fault> {
    let refrain = shared.refrain().clone();
    let only = shared
        .at_home(async move { refrain.only_grant().await })
        .await?;
    only.map_err(|error| shared.fault(&error))
}

fn several(what: &str) -> Fault {
    let fix = "say which grant is meant: Refrain-Grant: NAME";
    Fault::request(StatusCode::BAD_REQUEST, code::WHICH_GRANT, what, fix)
}

/// Finds out who calls.
///
/// # Errors
/// 401 where nothing is shown that refrain knows; 429 where one peer shows too much of that.
pub(crate) async fn identify(
    headers: &HeaderMap,
    connection: &Connection,
    shared: &Shared,
) -> Result<Caller, Fault> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let Some(first) = shown.next() else {
        if passed_on(headers) {
            return Err(Fault::unauthenticated(
                "the request shows no key, and was passed on by a proxy",
            ));
        }
        return connection
            .peer_uid()
            .map(|uid| Caller::Peer { uid })
            .ok_or_else(|| Fault::unauthenticated("the request shows no key"));
    };
    if shown.next().is_some() {
        return Err(Fault::unauthenticated(
            "the request shows several credentials",
        ));
    }
    let key = first.to_str().ok().and_then(bearer);
    let Some(key) = key else {
        return Err(Fault::unauthenticated(
            "the request shows something else than a bearer",
        ));
    };
    by_text(key, connection, shared).await
}

/// The same where the key may also be the password of a user of any name (RFC 7617).
///
/// # Errors
/// As [`identify`].
pub(crate) async fn identify_also_by_password(
    headers: &HeaderMap,
    connection: &Connection,
    shared: &Shared,
) -> Result<Caller, Fault> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let password = match (shown.next(), shown.next()) {
        (Some(only), None) => only.to_str().ok().and_then(password),
        _ => None,
    };
    match password {
        Some(password) => by_text(&password, connection, shared).await,
        None => identify(headers, connection, shared).await,
    }
}

/// Who holds the key that this text is.
async fn by_text(key: &str, connection: &Connection, shared: &Shared) -> Result<Caller, Fault> {
    if let Some(known) = connection.remembered(key, shared.clock().uptime()) {
        return Ok(Caller::Key(known));
    }
    match ApiKey::parse(key) {
        Ok(key) => by_key(&key, connection, shared).await,
        Err(error) => Err(refused(connection, shared, &words(error))),
    }
}

/// Whether a proxy says that it speaks for somebody else: its own user proves nothing of him.
fn passed_on(headers: &HeaderMap) -> bool {
    let by = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];
    by.iter().any(|name| headers.contains_key(*name))
}

/// Who holds a key.
pub(crate) async fn by_key(
    key: &ApiKey,
    connection: &Connection,
    shared: &Shared,
) -> Result<Caller, Fault> {
    if !shared.keys().hold(key, shared.refrain())
        && let Err(wait) = shared
            .doors()
            .ask(connection.peer(), shared.clock().uptime())
    {
        return Err(too_many(wait));
    }
    match look_up(key, shared.keys(), shared).await? {
        Ok(known) => {
            connection.remember(key, &known);
            Ok(Caller::Key(known))
        }
        Err(error) => {
            let Problem::ApiKey(KeyError::Refused { why }) = error.problem() else {
                return Err(shared.fault(&error));
            };
            let fault = refused(connection, shared, "the key is not valid");
            // Whoever tries too many does not fill the log either.
            if fault.code() != code::TOO_MANY_KEYS.as_str() {
                tracing::info!(key = %key.id(), why = why.word(), peer = %connection.peer(), "a key was refused");
            }
            Err(fault)
        }
    }
}

/// What is known about something that a caller shows: what was known moments ago, while it is checked again
/// behind his back, or what the store says now.
pub(crate) async fn look_up<S: Shown>(
    shown: &S,
    remembered: &Arc<Remembered<S>>,
    shared: &Shared,
) -> Result<Result<Arc<Known<S>>, Error>, Fault> {
    let refrain = shared.refrain().clone();
    let (remembered, shown) = (Arc::clone(remembered), shown.clone());
    if let Some(known) = remembered.at_hand(&shown, &refrain) {
        if known.is_due(shared.clock().uptime()) {
            let known = Arc::clone(&known);
            shared.behind(async move { remembered.check_again(shown, known, refrain).await });
        }
        return Ok(Ok(known));
    }
    shared
        .at_home(async move { remembered.check(&shown, &refrain).await })
        .await
}

fn refused(connection: &Connection, shared: &Shared, what: &str) -> Fault {
    match shared
        .doors()
        .failed(connection.peer(), shared.clock().uptime())
    {
        None => Fault::unauthenticated(what),
        Some(wait) => too_many(wait),
    }
}

fn too_many(wait: Duration) -> Fault {
    let fix = "wait, and use a key that is valid";
    let what = "too many keys were tried from there";
    Fault::request(
        StatusCode::TOO_MANY_REQUESTS,
        code::TOO_MANY_KEYS,
        what,
        fix,
    )
    .after(wait)
}

fn words(error: ApiKeyError) -> String {
    match error {
        ApiKeyError::Prefix => "what the request shows is no key of refrain's".to_owned(),
        error => error.to_string(),
    }
}

/// The token of `Bearer TOKEN` (RFC 6750 §2.1); the scheme's case does not matter.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The password of `Basic BASE64`; whose it is said to be does not matter.
fn password(value: &str) -> Option<Zeroizing<String>> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    // As long as it may become: what grows leaves copies behind.
    let mut pair = Zeroizing::new(Vec::with_capacity(encoded.len()));
    STANDARD.decode_vec(encoded.trim(), &mut pair).ok()?;
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(Zeroizing::new(password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_what_stands_behind_the_first_colon() {
        let of = |pair: &str| password(&format!("Basic {}", STANDARD.encode(pair)));
        let read = |pair| of(pair).map(|it| it.to_string());
        assert_eq!(read("me:rfk_x").as_deref(), Some("rfk_x"));
        assert_eq!(read(":rfk_x:y").as_deref(), Some("rfk_x:y"));
        assert_eq!(read("rfk_x"), None);
        assert_eq!(password("Bearer bWU6cmZr"), None);
        assert_eq!(password("basic bWU6cmZr").unwrap().as_str(), "rfk");
        assert_eq!(password("Basic %"), None);
    }

    #[test]
    fn a_proxy_is_known_by_what_it_adds() {
        let of = |name: &'static str| {
            HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static("192.0.2.1"),
            )])
        };
        for name in ["forwarded", "via", "x-forwarded-for", "x-real-ip"] {
            assert!(passed_on(&of(name)), "{name}");
        }
        assert!(!passed_on(&of("accept")));
    }
}
