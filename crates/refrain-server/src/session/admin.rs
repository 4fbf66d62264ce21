//! Somebody who runs refrain, signed in with a browser.

use http::{Method, StatusCode};
use refrain::{
    hex,
    keeper::{Problem, sessions::SessionError},
    session::{SessionId, SessionToken, Whose},
};
use subtle::ConstantTimeEq as _;

use super::cookie as own_cookie;
use crate::{
    cookie,
    fault::{Fault, code},
    visit::Visit,
};

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admin {
    session: SessionId,
    /// What every form of theirs has to bring.
    csrf: Box<str>,
}

impl Admin {
    /// The session, for the log.
    pub(crate) fn session(&self) -> &SessionId {
        &self.session
    }

    /// What forms of theirs bring in a hidden field: it is known to pages of ours alone, and proves nothing
    /// to anybody but this session.
    pub(crate) fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Takes a form that brings what its page was given.
    ///
    /// # Errors
    /// 403 for any other.
    pub(crate) fn check_csrf(&self, brought: Option<&str>) -> Result<(), Fault> {
        let same = brought.is_some_and(|it| it.as_bytes().ct_eq(self.csrf.as_bytes()).into());
        if same {
            return Ok(());
        }
        Err(Fault::request(
            StatusCode::FORBIDDEN,
            code::FORM_TOO_OLD,
            "the form is not one of this session",
            "open the page again, and send it from there; nothing was changed",
        ))
    }
}

/// Finds out who is signed in with the browser that asks.
///
/// # Errors
/// 401 where nobody is; 403 where another page has the browser ask, or nothing says that it does not.
pub(crate) async fn identify(visit: &Visit<'_>) -> Result<Admin, Fault> {
    let held = cookie::held(visit.headers(), &own_cookie::admin(visit.host()?));
    let token = held.and_then(SessionToken::parse).ok_or_else(nobody)?;
    if !matches!(*visit.method(), Method::GET | Method::HEAD) {
        visit.check_proven_page()?;
    }
    let shared = visit.shared();
    let (refrain, asked) = (shared.refrain().clone(), token.clone());
    let verified = shared
        .at_home(async move { refrain.verify_session(&asked).await })
        .await?;
    let record = verified.map_err(|error| match error.problem() {
        Problem::Session(SessionError::Unknown) => nobody(),
        _ => shared.fault(&error),
    })?;
    if record.whose != Whose::Admin {
        return Err(nobody());
    }
    let sealer = &shared.refrain().parts().sealer;
    let hash = sealer.fingerprint("form", token.expose());
    let csrf = hex::text(&hash);
    Ok(Admin {
        session: record.id,
        csrf: csrf.into(),
    })
}

fn nobody() -> Fault {
    Fault::request(
        StatusCode::UNAUTHORIZED,
        code::SIGN_IN_NEEDED,
        "nobody is signed in here",
        "run `refrain dashboard` where refrain runs, and open the link that it prints",
    )
}
