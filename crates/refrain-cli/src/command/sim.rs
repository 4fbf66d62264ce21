//! `refrain sim`: the Spotify simulator alone, for trying things out and for tests of other programs.

mod written;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use refrain_sim::{Profile, Rotation, Sim};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    args::{GlobalArgs, SimArgs},
    output,
    report::{Exit, Explanation},
};

/// Everything that a program has to know about a running simulator.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    pub(super) accounts_url: String,
    pub(super) api_url: String,
    pub(super) control_url: String,
    client_id: String,
    client_secret: Option<String>,
    redirect_uri: String,
    rotation: Rotation,
    access_ttl: u64,
    config: String,
    /// Where that was written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    config_file: Option<PathBuf>,
}

/// The names of the files in a configuration; relative, so that they lie beside it.
pub(super) struct Files {
    pub(super) store: &'static str,
    pub(super) key: &'static str,
    pub(super) secret: &'static str,
}

const FILES: Files = Files {
    store: "refrain-sim.db",
    key: "refrain-sim.key",
    secret: "refrain-sim.secret",
};

pub(super) async fn run(global: &GlobalArgs, args: &SimArgs) -> Result<(), Explanation> {
    let mut stop = Stop::listen()?;
    let sim = Sim::start_on(profile(args)?, args.listen);
    let sim = sim.await.map_err(|error| taken(args.listen, &error))?;
    let mut place = Place::of(&sim, &FILES);
    if let Some(folder) = &args.write_config {
        place.config_file = Some(written::write(&place, folder)?);
    }
    if global.json {
        let line = serde_json::to_string(&place).unwrap_or_default();
        output::text(&(line + "\n"))?;
    } else {
        output::text(&place.tell())?;
    }
    stop.asked().await;
    Ok(())
}

impl Place {
    pub(super) fn of(sim: &Sim, files: &Files) -> Self {
        let app = sim.default_app();
        let profile = sim.profile();
        let redirect_uri = app.redirect_uris.first().cloned().unwrap_or_default();
        let secret = app.client_secret.as_ref().map_or_else(String::new, |_| {
            format!("client_secret_file = \"{}\"\n", files.secret)
        });
        let (accounts_url, api_url) = (sim.accounts_url().to_owned(), sim.api_url().to_owned());
        let config = format!(
            "store = \"sqlite:{}\"\n\n\
             [sealing]\nkey_file = \"{}\"\n\n\
             [apps.default]\nclient_id = \"{}\"\n{secret}redirect_uri = \"{redirect_uri}\"\n\
             scopes = [\"user-read-private\", \"user-read-recently-played\"]\n\n\
             [spotify]\naccounts_url = \"{accounts_url}\"\napi_url = \"{api_url}\"\n",
            files.store, files.key, app.client_id,
        );
        Self {
            control_url: format!("{accounts_url}/_sim/"),
            accounts_url,
            api_url,
            client_id: app.client_id,
            client_secret: app.client_secret,
            redirect_uri,
            rotation: profile.rotation,
            access_ttl: profile.access_ttl.as_secs(),
            config,
            config_file: None,
        }
    }

    /// The file that holds a configuration for this simulator.
    pub(super) fn config(&self) -> &str {
        &self.config
    }

    pub(super) fn client_secret(&self) -> Option<&str> {
        self.client_secret.as_deref()
    }

    fn tell(&self) -> String {
        let secret = self.client_secret.as_deref();
        let client_secret = secret.unwrap_or("(none: this app uses PKCE alone)");
        let how = match &self.config_file {
            Some(file) => format!(
                "A configuration for it is written. In another terminal:\n\n  \
                 export REFRAIN_CONFIG={}\n  refrain login\n\n",
                file.display()
            ),
            None => self.tell_config(),
        };
        format!(
            "A simulated Spotify. Its apps, users and tokens are made up.\n\n  \
             Accounts service  {}\n  \
             Web API           {}\n  \
             control surface   {}\n  \
             client id         {}\n  \
             client secret     {client_secret}\n  \
             refresh tokens    {}\n  \
             access tokens     live {} s\n\n\
             {how}Ctrl-C ends it.\n",
            self.accounts_url,
            self.api_url,
            self.control_url,
            self.client_id,
            crate::args::rotation_name(self.rotation),
            self.access_ttl,
        )
    }

    fn tell_config(&self) -> String {
        let secret = self.client_secret.as_deref();
        let write_secret = secret.map_or_else(String::new, |secret| {
            format!(
                "The client secret has a file of its own beside it:\n\n  \
                 (umask 077; printf %s {secret} > {})\n\n",
                FILES.secret
            )
        });
        format!(
            "A refrain.toml for it, to be used with `refrain --config refrain.toml …`, and written into \
             a folder by `refrain sim --write-config FOLDER`:\n\n{}\n{write_secret}",
            self.config
        )
    }
}

fn profile(args: &SimArgs) -> Result<Profile, Explanation> {
    let mut profile = match &args.profile {
        Some(path) => read_profile(path)?,
        None => Profile::default(),
    };
    if let Some(rotation) = args.rotation {
        profile.rotation = rotation;
    }
    if let Some(seconds) = args.access_ttl {
        profile.access_ttl = Duration::from_secs(seconds);
    }
    profile.auto_consent |= args.auto_consent;
    Ok(profile)
}

fn read_profile(path: &Path) -> Result<Profile, Explanation> {
    let refused = |why: String, fix: &str| Explanation {
        code: "sim_profile",
        what: format!("the profile {} cannot be used: {why}", path.display()),
        safe: "nothing was started".to_owned(),
        fix: fix.to_owned(),
        retry_at: None,
        exit: Exit::Configuration,
    };
    let text = fs::read_to_string(path)
        .map_err(|error| refused(error.to_string(), "name a file that can be read"))?;
    serde_json::from_str(&text).map_err(|error| {
        let fix = "GET /_sim/profile of a running simulator shows every member and its form";
        refused(error.to_string(), fix)
    })
}

fn taken(listen: SocketAddr, error: &io::Error) -> Explanation {
    let (code, what) = if error.kind() == io::ErrorKind::AddrInUse {
        let what = format!("another program listens on {listen}, or on the port after it");
        ("port_taken", what)
    } else {
        (
            "cannot_listen",
            format!("cannot listen on {listen}: {error}"),
        )
    };
    Explanation {
        code,
        what,
        safe: "nothing was started".to_owned(),
        fix: "choose another address: --listen 127.0.0.1:0 takes free ports".to_owned(),
        retry_at: None,
        exit: Exit::Configuration,
    }
}

/// The signals that ask a command to end.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stop {
    /// From here on they do not kill the process.
    pub(super) fn listen() -> Result<Self, Explanation> {
        let listen = |kind| {
            signal(kind).map_err(|error| Explanation {
                code: "no_signals",
                what: format!("the system does not let refrain wait for Ctrl-C: {error}"),
                safe: "nothing was started".to_owned(),
                fix: "look at the limits of this user: ulimit -a".to_owned(),
                retry_at: None,
                exit: Exit::TryLater,
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for one of them.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(profile: Option<&Path>) -> SimArgs {
        SimArgs {
            listen: ([127, 0, 0, 1], 0).into(),
            rotation: None,
            access_ttl: None,
            auto_consent: false,
            profile: profile.map(Path::to_owned),
            write_config: None,
        }
    }

    #[test]
    fn an_option_wins_over_the_profile_and_the_profile_over_the_default() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), r#"{"rotation":"echo","access_ttl":7}"#).unwrap();
        let args = SimArgs {
            access_ttl: Some(60),
            ..args(Some(file.path()))
        };
        let profile = profile(&args).unwrap();
        assert_eq!(profile.rotation, Rotation::Echo);
        assert_eq!(profile.access_ttl, Duration::from_mins(1));
    }

    #[test]
    fn a_profile_that_is_not_understood_is_a_configuration_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), r#"{"rotations":"echo"}"#).unwrap();
        let error = profile(&args(Some(file.path()))).unwrap_err();
        assert_eq!(
            (error.code, error.exit),
            ("sim_profile", Exit::Configuration)
        );
        assert!(error.what.contains("rotations"), "{}", error.what);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_told() {
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = other.local_addr().unwrap();
        let error = Sim::start_on(Profile::default(), listen).await.unwrap_err();
        let error = taken(listen, &error);
        assert_eq!(
            (error.code, error.exit),
            ("port_taken", Exit::Configuration)
        );
    }
}
