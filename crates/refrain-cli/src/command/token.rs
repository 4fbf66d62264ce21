//! `refrain token`: an access token that works, alone on standard output.

use std::time::Duration;

use refrain::{
    time::{Clock as _, SystemClock},
    words,
};
use serde::Serialize;

use crate::{
    args::{GlobalArgs, TokenArgs},
    output,
    report::{self, Explanation},
};

/// The answer of the token endpoint, with an instant for its `expires_in`.
#[derive(Serialize)]
struct Json<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_at: String,
    scope: String,
}

pub(super) async fn run(global: &GlobalArgs, args: &TokenArgs) -> Result<(), Explanation> {
    let refrain = super::open(global).await?;
    let served = async {
        let grant = super::grant(&refrain, args.grant.as_ref()).await?;
        grant
            .access_token_for(Duration::from_secs(args.min_ttl))
            .await
    }
    .await;
    super::close(&refrain).await;
    let served = served?;
    if let Some(warning) = served.warning {
        report::warning(&warning.into(), global.json);
    }
    let left = served.live.expires_at().since(SystemClock::new().wall());
    // Rounded, because a second has passed since it was made.
    if left.as_secs().saturating_add(5) < args.min_ttl {
        report::notice(&format!(
            "warning: this token works for {} and no longer: Spotify gives none that lives {}",
            words::long(left),
            words::long(Duration::from_secs(args.min_ttl)),
        ));
    }
    let token = served.live.token().expose();
    if !global.json {
        return output::text(&format!("{token}\n"));
    }
    output::json(&Json {
        access_token: token,
        token_type: "Bearer",
        expires_at: served.live.expires_at().to_string(),
        scope: served.live.scope().to_string(),
    })
}
