//! `refrain dashboard`: a link that signs whoever runs refrain in, once.

use std::{net::TcpStream, time::Duration};

use refrain::{Refrain, config, session::Whose, words};
use serde::Serialize;

use crate::{
    args::{DashboardArgs, GlobalArgs},
    output,
    report::{self, Exit, Explanation},
};

/// A server on this machine answers at once, or there is none.
const SOON: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Printed<'a> {
    url: &'a str,
    expires_at: String,
}

#[derive(Serialize)]
struct SignedOut {
    ended: u64,
}

pub(super) async fn run(global: &GlobalArgs, args: &DashboardArgs) -> Result<(), Explanation> {
    let config = super::load(global)?;
    if args.sign_out_all {
        let refrain = super::remember(Refrain::open_existing(config).await?);
        let told = sign_out_all(global, &refrain).await;
        super::close(&refrain).await;
        return told;
    }
    let server = config.server.clone();
    let refrain = super::remember(Refrain::open_existing(config).await?);
    let port = server.listen.map(|it| it.port());
    let app = server.sessions.app.as_ref();
    let app = app.and_then(|app| refrain.redirect_uri(app, port).ok());
    let origin = refrain_server::dashboard_origin(&server, app.as_ref());
    let origin = origin.ok_or_else(|| nowhere(app.is_some()))?;
    let printed = print(global, &refrain, &origin).await;
    super::close(&refrain).await;
    printed?;
    if !listens(&server) {
        report::notice("nothing listens there yet: start the server with `refrain serve`");
    }
    Ok(())
}

async fn sign_out_all(global: &GlobalArgs, refrain: &Refrain) -> Result<(), Explanation> {
    let ended = refrain.end_admin_sessions().await?;
    if global.json {
        return output::json(&SignedOut { ended });
    }
    let ended = words::count(ended, "session or link");
    output::text(&format!(
        "nobody is signed in to the dashboard any more: {ended} ended\n"
    ))
}

async fn print(global: &GlobalArgs, refrain: &Refrain, origin: &str) -> Result<(), Explanation> {
    let (link, record) = refrain.open_session(Whose::SignIn).await?;
    let url = format!("{origin}/sign-in/{}", link.expose());
    if global.json {
        let expires_at = record.ends_at.to_string();
        return output::json(&Printed {
            url: &url,
            expires_at,
        });
    }
    let life = words::long(record.ends_at.since(record.made_at));
    report::notice(&format!("it works once, and for {life}"));
    output::text(&format!("{url}\n"))
}

/// Whether somebody listens where the server would.
fn listens(server: &config::Server) -> bool {
    let address = server.listen;
    address.is_some_and(|it| TcpStream::connect_timeout(&it, SOON).is_ok())
}

fn nowhere(is_taken: bool) -> Explanation {
    let (what, fix) = if is_taken {
        (
            "the server has no address but that of the web app, which the dashboard does not share",
            "add a second name to server.names in the configuration",
        )
    } else {
        (
            "the server listens at no address for browsers",
            "set server.listen in the configuration",
        )
    };
    Explanation {
        code: "listens_nowhere",
        what: what.to_owned(),
        safe: "nothing was changed".to_owned(),
        fix: fix.to_owned(),
        retry_at: None,
        exit: Exit::Configuration,
    }
}
