//! `refrain serve`: the server, in the foreground, until it is told to stop.

use std::{net::SocketAddr, time::Duration};

use refrain_server::{Server, StartError};

use super::{Signals, close};
use crate::{
    args::{GlobalArgs, ServeArgs},
    report::{self, Exit, Explanation, with_causes},
};

pub(super) async fn run(global: &GlobalArgs, args: &ServeArgs) -> Result<(), Explanation> {
    let config = super::load(global)?;
    let mut place = config.server.clone();
    if let Some(listen) = args.listen {
        check_plain(listen, &place)?;
        place.listen = Some(listen);
    }
    // A server that cannot listen must not have presented anything by the time it ends.
    let refrain = super::open_idle_with(config).await?;
    let server = Server::bind(&place, refrain.clone()).await;
    let server = match server {
        Ok(server) => server,
        Err(error) => {
            refrain.close(Duration::ZERO).await;
            return Err(failed(&error));
        }
    };
    refrain.take_up_orphans();
    for place in server.places() {
        report::notice(&format!("refrain serves at {place}"));
    }
    let mut signals = Signals::new().map_err(|error| Explanation {
        code: "signals",
        what: format!("signals cannot be caught: {error}"),
        safe: "nothing was served".to_owned(),
        fix: "look at the limits of this user: ulimit -a".to_owned(),
        retry_at: None,
        exit: Exit::TryLater,
    })?;
    let told = async {
        signals.next().await;
        report::notice("stopping: requests under way are answered, refreshes are seen through");
    };
    server.run(told).await;
    close(&refrain).await;
    Ok(())
}

/// Plain HTTP to other machines is asked for in the configuration, where it is thought about.
fn check_plain(listen: SocketAddr, place: &refrain::config::Server) -> Result<(), Explanation> {
    if listen.ip().is_loopback() || place.tls.is_some() || place.plain_http {
        return Ok(());
    }
    Err(Explanation::usage(
        format!(
            "{listen} is reached by other machines, and without TLS they could read keys and tokens"
        ),
        "set server.tls_certificate_file and server.tls_key_file; behind a proxy that ends TLS, \
         server.plain_http = true",
    ))
}

fn failed(error: &StartError) -> Explanation {
    let (fix, exit) = match error {
        StartError::InUse { .. } => (
            "end the other program, or choose another address with --listen",
            Exit::TryLater,
        ),
        StartError::Certificate { .. } => (
            "look at server.tls_certificate_file and server.tls_key_file: PEM, and belonging together",
            Exit::Configuration,
        ),
        StartError::Nowhere => (
            "set server.listen or server.socket in the configuration",
            Exit::Configuration,
        ),
        _ => (
            "choose another place with --listen, or see that this user may use this one",
            Exit::Configuration,
        ),
    };
    Explanation {
        code: error.code(),
        what: with_causes(error),
        safe: "nothing was served, and no token was touched".to_owned(),
        fix: fix.to_owned(),
        retry_at: None,
        exit,
    }
}
