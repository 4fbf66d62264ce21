//! `refrain serve`: the server, in the foreground, until it is told to stop.

use std::{net::SocketAddr, time::Duration};

use refrain::{
    Refrain,
    config::{self, SessionKeep, StoreLocation},
};
use refrain_server::{Inherited, Server, StartError};

use super::{Signals, close};
use crate::{
    args::{GlobalArgs, ServeArgs},
    report::{self, Exit, Explanation, with_causes},
    systemd::notify::{Manager, State},
};

pub(super) async fn run(
    global: &GlobalArgs,
    args: &ServeArgs,
    inherited: Vec<Inherited>,
) -> Result<(), Explanation> {
    let config = super::load(global)?;
    let shared = matches!(config.store, StoreLocation::Postgres { .. });
    let (mut place, notices) = (config.server.clone(), config.notices.clone());
    if let Some(listen) = args.listen {
        check_alone(listen, &inherited)?;
        check_plain(listen, &place)?;
        place.listen = Some(listen);
    }
    if args.app_dir.is_some() {
        place.app_dir.clone_from(&args.app_dir);
    }
    // A server that cannot listen must not have presented anything by the time it ends.
    let refrain = super::remember(Refrain::open_idle(config).await?);
    let started = start(inherited, &place, &refrain).await;
    let server = match started.and_then(|server| server.telling(&notices)) {
        Ok(server) => server,
        Err(error) => {
            refrain.close(Duration::ZERO).await;
            return Err(failed(&error));
        }
    };
    refrain.take_up_orphans();
    // Whoever hears where it serves may tell it to stop.
    let mut signals = Signals::new().map_err(|error| deaf(&error))?;
    for path in server.hidden() {
        report::warning(&hidden(path), false);
    }
    if shared && place.sessions.app.is_some() && place.sessions.keep == SessionKeep::Cookie {
        report::warning(&several(), false);
    }
    for place in server.places() {
        report::notice(&format!("refrain serves at {place}"));
    }
    let manager = Manager::from_environment();
    manager.tell(State::Ready);
    let told = async {
        signals.next().await;
        manager.tell(State::Stopping);
        report::notice("stopping: requests under way are answered, refreshes are seen through");
    };
    server.run(told).await;
    close(&refrain).await;
    Ok(())
}

/// At the sockets that were handed over, or else where the settings say.
async fn start(
    inherited: Vec<Inherited>,
    place: &config::Server,
    refrain: &Refrain,
) -> Result<Server, StartError> {
    if inherited.is_empty() {
        return Server::bind(place, refrain.clone()).await;
    }
    Server::adopt(inherited, place, refrain.clone()).await
}

/// Something of the web app that nobody will ever see.
fn hidden(path: &str) -> Explanation {
    Explanation {
        code: "app_path_hidden",
        what: format!(
            "{path} of the web app is never served: paths that begin so are this server's own"
        ),
        safe: "the rest of the app is served".to_owned(),
        fix: "give it another name in the app".to_owned(),
        retry_at: None,
        exit: Exit::Configuration,
    }
}

/// Several servers may share this store, and one cookie must not come to two of them.
fn several() -> Explanation {
    Explanation {
        code: "sessions_need_one_server",
        what: "sessions are kept in cookies, and other servers may share this store: two that are shown one \
               cookie both use its refresh token up"
            .to_owned(),
        safe: "with one server, or as long as Spotify keeps refresh tokens, nothing is at stake".to_owned(),
        fix: "with several, let the proxy in front send each browser to one and the same (sticky sessions), or \
              set sessions.keep = \"store\""
            .to_owned(),
        retry_at: None,
        exit: Exit::Configuration,
    }
}

fn deaf(error: &std::io::Error) -> Explanation {
    Explanation {
        code: "signals",
        what: format!("signals cannot be caught: {error}"),
        safe: "nothing was served".to_owned(),
        fix: "look at the limits of this user: ulimit -a".to_owned(),
        retry_at: None,
        exit: Exit::TryLater,
    }
}

/// Sockets that were handed over stand in the place of any address.
fn check_alone(listen: SocketAddr, inherited: &[Inherited]) -> Result<(), Explanation> {
    if inherited.is_empty() {
        return Ok(());
    }
    Err(Explanation::usage(
        format!("sockets were handed over, and --listen asks for {listen} instead"),
        "leave --listen out, and put the address into the socket unit: ListenStream=",
    ))
}

/// Plain HTTP to other machines is asked for in the configuration, where it is thought about.
fn check_plain(listen: SocketAddr, place: &config::Server) -> Result<(), Explanation> {
    if place.is_private_at(listen) {
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

pub(crate) fn failed(error: &StartError) -> Explanation {
    let (fix, exit) = match error {
        StartError::InUse { .. } => (
            "end the other program, or choose another address with --listen",
            Exit::TryLater,
        ),
        StartError::Certificate { .. } => (
            "look at server.tls_certificate_file and server.tls_key_file: PEM, and belonging together",
            Exit::Configuration,
        ),
        StartError::AppWithoutSessions => (
            "set sessions.app to the app whose users may sign in",
            Exit::Configuration,
        ),
        StartError::App(_) => (
            "name the folder with the built app: --app-dir or server.app_dir",
            Exit::Configuration,
        ),
        StartError::Nowhere => (
            "set server.listen or server.socket in the configuration",
            Exit::Configuration,
        ),
        StartError::NotListening { .. } => (
            "let the socket unit have Accept=no, which is what it has if nothing is said",
            Exit::Configuration,
        ),
        StartError::PlainHttp { .. } => (
            "let the socket unit have an address: ListenStream=127.0.0.1:4280; for other machines set \
             server.tls_certificate_file and server.tls_key_file, or behind a proxy that ends TLS \
             server.plain_http = true",
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
