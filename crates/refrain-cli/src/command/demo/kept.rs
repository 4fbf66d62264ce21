//! What stays up after the scenes, until Ctrl-C.

use std::path::PathBuf;

use serde::Serialize;

use super::{Failure, scenes::processes, stage::Stage};

/// Where things are, for whoever wants to play on.
#[derive(Serialize)]
pub(super) struct Kept {
    config: PathBuf,
    grant: &'static str,
    accounts_url: String,
    api_url: String,
    control_url: String,
}

impl Kept {
    /// Signs Bob in once more: the six months of the demo have ended his authorization too.
    pub(super) async fn of(stage: &Stage) -> Result<Self, Failure> {
        processes::sign_in(stage).await?;
        Ok(Self {
            config: stage.config.clone(),
            grant: "bob",
            accounts_url: stage.place.accounts_url.clone(),
            api_url: stage.place.api_url.clone(),
            control_url: stage.place.control_url.clone(),
        })
    }

    pub(super) fn tell(&self) -> String {
        let Self {
            grant,
            accounts_url,
            api_url,
            control_url,
            ..
        } = self;
        let config = self.config.display();
        format!(
            "\n The simulated Spotify stays up until Ctrl-C; then all of it is removed.\n   \
             Accounts service   {accounts_url}\n   \
             Web API            {api_url}\n   \
             control surface    {control_url}\n   \
             configuration      {config}\n\n \
             Try, in another terminal:\n   \
             export REFRAIN_CONFIG={config}\n   \
             refrain list\n   \
             refrain token {grant}\n   \
             curl -H \"Authorization: Bearer $(refrain token {grant})\" {api_url}/v1/me\n   \
             curl -X POST {control_url}expire   # ends all access tokens\n   \
             refrain api -g {grant} /v1/me      # meets a 401, and repairs it\n   \
             refrain why {grant}\n\n"
        )
    }
}
