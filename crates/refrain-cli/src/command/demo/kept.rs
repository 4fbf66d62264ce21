//! What stays up after the scenes, until Ctrl-C.

use std::path::PathBuf;

use refrain::{Refrain, config, session::Whose};
use refrain_server::Server;
use serde::Serialize;
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    Failure,
    scenes::processes,
    stage::{MINUTE, Stage},
};

/// Where things are, for whoever wants to play on.
#[derive(Serialize)]
pub(super) struct Kept {
    config: PathBuf,
    grant: &'static str,
    accounts_url: String,
    api_url: String,
    control_url: String,
    /// Signs one browser in to the dashboard.
    dashboard_url: String,
}

/// The server of a demo, until it is told to end.
pub(super) struct Served {
    refrain: Refrain,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Served {
    /// Serves the demo's grants at a free port of this machine.
    pub(super) async fn start(stage: &Stage) -> Result<(Self, String), Failure> {
        let refrain = stage.real().await?;
        let mut place = config::Server::default();
        place.listen = Some(([127, 0, 0, 1], 0).into());
        let server = Server::bind(&place, refrain.clone()).await?;
        let address = server.address().ok_or("the server has no address")?;
        let (link, _) = refrain.open_session(Whose::SignIn).await?;
        let url = format!("http://{address}/sign-in/{}", link.expose());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async move { stopped.await.unwrap_or_default() }));
        let started = Self {
            refrain,
            stop,
            running,
        };
        Ok((started, url))
    }

    /// Ends it in good order.
    pub(super) async fn end(self) {
        self.stop.send(()).unwrap_or_default();
        // Its workers end with it, whatever they had under way.
        self.running.await.unwrap_or_default();
        self.refrain.close(MINUTE).await;
    }
}

impl Kept {
    /// Signs Bob in once more: the six months of the demo have ended his authorization too.
    pub(super) async fn of(stage: &Stage, dashboard_url: String) -> Result<Self, Failure> {
        processes::sign_in(stage).await?;
        Ok(Self {
            dashboard_url,
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
            dashboard_url,
            ..
        } = self;
        let config = self.config.display();
        format!(
            "\n The simulated Spotify stays up until Ctrl-C; then all of it is removed.\n   \
             Accounts service   {accounts_url}\n   \
             Web API            {api_url}\n   \
             control surface    {control_url}\n   \
             configuration      {config}\n\n \
             The dashboard, for one browser, within ten minutes:\n   \
             {dashboard_url}\n\n \
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
