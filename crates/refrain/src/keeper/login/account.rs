//! Whose token it is: what `/v1/me` says right after a login.

use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{
    keeper::{Error, Keeper, login::LoginError, present::chain},
    lifecycle::{row::Account, timing},
    oauth::{answer::printable, transport::Request},
    provider::{ME_PATH, SEARCH_PATH, spotify::AccountProblem},
    secret::AccessToken,
};

impl Keeper {
    /// Asks whose token it is; up to three times, because a consent is precious. `Err(why)` where the
    /// API does not say.
    pub(in crate::keeper) async fn account(
        &self,
        token: &AccessToken,
    ) -> Result<Result<Account, String>, Error> {
        let mut why = String::new();
        for attempt in 0..timing::ATTEMPTS {
            if attempt > 0 {
                self.parts
                    .clock
                    .sleep(timing::FIRST_PAUSE.saturating_mul(attempt))
                    .await;
            }
            let answer = match self.parts.transport.connect(&self.parts.provider.api).await {
                Err(error) => Err(chain(&error)),
                Ok(connection) => {
                    let answer = connection.send(request(ME_PATH, token)).await;
                    answer.map_err(|error| chain(&error))
                }
            };
            match answer {
                Err(error) => why = error,
                Ok(answer) if answer.status.as_u16() == 403 => {
                    return Err(match AccountProblem::from_body(&answer.body) {
                        AccountProblem::NotAllowlisted => LoginError::NotAllowlisted,
                        AccountProblem::OwnerNotPremium => LoginError::OwnerNotPremium,
                        AccountProblem::Other => LoginError::Forbidden,
                    }
                    .into());
                }
                Ok(answer) => match read_account(&answer.body) {
                    Some(account) if answer.status.is_success() => return Ok(Ok(account)),
                    _ => why = format!("HTTP {}", answer.status.as_u16()),
                },
            }
        }
        Ok(Err(why))
    }

    /// Whether the API says that the app's owner has no Premium.
    pub(super) async fn refuses_owner(&self, token: &AccessToken) -> bool {
        let connection = self.parts.transport.connect(&self.parts.provider.api).await;
        let Ok(connection) = connection else {
            return false;
        };
        let answer = connection.send(request(SEARCH_PATH, token)).await;
        answer.is_ok_and(|answer| {
            answer.status.as_u16() == 403
                && AccountProblem::from_body(&answer.body) == AccountProblem::OwnerNotPremium
        })
    }
}

fn request(path: &str, token: &AccessToken) -> Request {
    let mut headers = HeaderMap::new();
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    // A token is printable ASCII, checked when it was read.
    if let Ok(mut value) = HeaderValue::from_str(&text) {
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    let body = Zeroizing::new(Vec::new());
    Request {
        method: Method::GET,
        path: path.to_owned(),
        headers,
        body,
    }
}

/// Spotify's `account_id`, which never changes; `id` where an older API has no other.
fn read_account(body: &[u8]) -> Option<Account> {
    let profile: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| {
        let text = profile.get(name)?.as_str()?;
        Some(printable(text, 200)).filter(|text| !text.is_empty())
    };
    let id = text("account_id").or_else(|| text("id"))?;
    Some(Account {
        id,
        display_name: text("display_name"),
    })
}
