//! What the demo plays on: a simulator, a folder with a configuration, a store and a key in it, and two
//! refrains on them: one whose clock is moved by hand, and one with the clock of the machine.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, header};
use refrain::{
    AccessToken, Config, Grant, Refrain,
    config::Sources,
    keeper::{Parts, login::LoggedIn, login::LoginRequest},
    oauth::transport::Request,
    random::SystemRandom,
    seal::{Field, Keyring, Owner, Sealer},
    store::{Store, sqlite::SqliteStore},
    time::{Clock, ManualClock, SystemClock, UnixMillis},
    transport::HyperTransport,
};
use refrain_sim::{GrantVerdict, Profile, Sim, User};
use zeroize::Zeroizing;

use super::Failure;
use crate::command::sim::{Files, Place};

pub(super) const HOUR: Duration = Duration::from_hours(1);
pub(super) const MINUTE: Duration = Duration::from_mins(1);

const FILES: Files = Files {
    store: "refrain.db",
    key: "master.key",
    secret: "client-secret",
};

pub(super) struct Stage {
    pub(super) sim: Sim,
    pub(super) place: Place,
    /// The configuration file.
    pub(super) config: PathBuf,
    /// The refrain that goes by the clock that is moved by hand.
    pub(super) refrain: Refrain,
    clock: Arc<ManualClock>,
    stopwatch: SystemClock,
    folder: PathBuf,
}

impl Stage {
    pub(super) async fn set(folder: &Path) -> Result<Self, Failure> {
        // Spotify's strictest: it is the simulator's default.
        let sim = Sim::start(Profile::default()).await?;
        // Wherever the server of a demo that stays up will listen.
        sim.register_app(
            sim.default_app()
                .with_redirect_uris(["http://127.0.0.1/callback"]),
        );
        sim.add_user(User::new("bob"));
        sim.add_user(User::new("carol"));
        let place = Place::of(&sim, &FILES);
        let config = folder.join("refrain.toml");
        write_private(&config, place.config())?;
        write_private(
            &folder.join(FILES.secret),
            place.client_secret().unwrap_or_default(),
        )?;
        // The first opening makes the store and its key, as it does for everyone.
        let first = open(&config).await?;
        let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
        let refrain = by_hand(&config, &clock).await?;
        first.close(MINUTE).await;
        Ok(Self {
            sim,
            place,
            config,
            refrain,
            clock,
            stopwatch: SystemClock::new(),
            folder: folder.to_owned(),
        })
    }

    /// Another refrain on the same file, that knows nothing but what is in it.
    pub(super) async fn another(&self) -> Result<Refrain, Failure> {
        by_hand(&self.config, &self.clock).await
    }

    /// A refrain as any command opens it, with the clock of the machine.
    pub(super) async fn real(&self) -> Result<Refrain, Failure> {
        open(&self.config).await
    }

    pub(super) async fn alice(&self) -> Result<Grant, Failure> {
        Ok(self.refrain.grant("alice").await?)
    }

    /// The user of this name consents, and the login is finished.
    pub(super) async fn login(&self, refrain: &Refrain, name: &str) -> Result<LoggedIn, Failure> {
        let url = self.begin_login(refrain, name).await?;
        self.finish_login(refrain, name, &url).await
    }

    pub(super) async fn begin_login(
        &self,
        refrain: &Refrain,
        name: &str,
    ) -> Result<String, Failure> {
        let request = LoginRequest {
            grant: name.parse()?,
            app: "default".parse()?,
            scope: None,
            port: None,
            other_account: false,
            browser: None,
        };
        Ok(refrain.begin_login(request).await?.url)
    }

    pub(super) async fn finish_login(
        &self,
        refrain: &Refrain,
        name: &str,
        url: &str,
    ) -> Result<LoggedIn, Failure> {
        self.sim.sign_in_as(name);
        let location = self.sim.consent(url)?;
        let (_, query) = location
            .split_once('?')
            .ok_or("the callback has no query")?;
        Ok(refrain.finish_login(query).await?)
    }

    /// Calls the Web API; a 401 is reported and the call made once more. Answers both statuses.
    pub(super) async fn call(
        &self,
        grant: &Grant,
        token: AccessToken,
        path: &str,
    ) -> Result<(u16, u16), Failure> {
        let first = self.get(path, &token).await?;
        if first != 401 {
            return Ok((first, first));
        }
        let token = grant.report_rejected(&token).await?;
        Ok((first, self.get(path, &token).await?))
    }

    /// One call of the Web API; answers the status.
    pub(super) async fn get(&self, path: &str, token: &AccessToken) -> Result<u16, Failure> {
        let text = Zeroizing::new(format!("Bearer {}", token.expose()));
        let mut bearer = HeaderValue::from_str(&text)?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, bearer);
        let (path, body) = (path.to_owned(), Zeroizing::default());
        let parts = self.refrain.parts();
        let connection = parts.transport.connect(&parts.provider.api).await?;
        let request = Request {
            method: Method::GET,
            path,
            headers,
            body,
        };
        Ok(connection.send(request).await?.status.as_u16())
    }

    /// Lets the same time pass here and at Spotify.
    pub(super) fn pass(&self, time: Duration) {
        self.sim.advance(time);
        self.clock.advance(time);
    }

    /// Runs something while time passes by itself, so that pauses and deadlines come to their end.
    pub(super) async fn in_time<T>(&self, future: impl Future<Output = T>) -> T {
        let passing = async {
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                self.clock.advance(Duration::from_millis(10));
            }
        };
        tokio::select! {
            output = future => output,
            never = passing => never,
        }
    }

    /// How many refresh calls have reached the simulator.
    pub(super) fn refreshes(&self) -> u64 {
        self.sim.counts().refreshes
    }

    /// The moment by the clock that is moved by hand.
    pub(super) fn now(&self) -> UnixMillis {
        self.clock.wall()
    }

    /// Runs something and tells how many milliseconds it really took.
    pub(super) async fn timed<T>(&self, future: impl Future<Output = T>) -> (T, u64) {
        let began = self.stopwatch.uptime();
        let output = future.await;
        let took = self.stopwatch.uptime().since(began);
        (output, u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
    }

    /// What a correct client can still do with the newest consent of a user.
    pub(super) fn verdict(&self, user: &str) -> Result<GrantVerdict, Failure> {
        let newest = self
            .sim
            .oracle()
            .into_iter()
            .rfind(|grant| grant.user == user);
        newest.ok_or_else(|| format!("the simulator knows no consent of {user}").into())
    }

    /// The refresh token of a grant in the clear; only to look for it where it must not be.
    pub(super) async fn refresh_token(&self, grant: &Grant) -> Result<Zeroizing<String>, Failure> {
        let row = grant.row().await?;
        let tokens = row.tokens.as_ref().ok_or("there is no token")?;
        let sealer = &self.refrain.parts().sealer;
        let key = sealer.open_data_key(&Owner::of(&row), &tokens.data_key)?;
        Ok(key.open(Field::RefreshToken, row.generation.0, &tokens.refresh)?)
    }

    /// How often each of these occurs in the files of the folder, and how many bytes were searched.
    ///
    /// Another process reads them: where this one closed a file of the database, the system would drop
    /// the locks that SQLite holds on it (fcntl(2), "Advisory record locking").
    pub(super) fn search(&self, needles: &[&[u8]]) -> Result<(usize, Vec<usize>), Failure> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        let read = Command::new("cat")
            .arg("--")
            .args(files)
            .stdin(Stdio::null())
            .output()?;
        if !read.status.success() {
            return Err("the files could not be read".into());
        }
        let bytes = read.stdout;
        let occurrences = |needle: &&[u8]| {
            bytes
                .windows(needle.len().max(1))
                .filter(|window| window == needle)
                .count()
        };
        Ok((bytes.len(), needles.iter().map(occurrences).collect()))
    }

    /// The mode of a file in the folder, as `ls` and `chmod` count it.
    pub(super) fn mode(&self, file: &str) -> Result<u32, Failure> {
        use std::os::unix::fs::MetadataExt as _;
        Ok(fs::metadata(self.folder.join(file))?.mode() & 0o777)
    }
}

async fn open(config: &Path) -> Result<Refrain, Failure> {
    Ok(Refrain::open(load(config)?).await?)
}

/// Reads the configuration alone: the environment of whoever watches has no say in the demo.
fn load(config: &Path) -> Result<Config, Failure> {
    let sources = Sources {
        file: Some(config.to_owned()),
        ..Sources::default()
    };
    Ok(Config::load_from(&sources)?)
}

/// Opens the store that is there, on a clock that is moved by hand.
async fn by_hand(config: &Path, clock: &Arc<ManualClock>) -> Result<Refrain, Failure> {
    let config = load(config)?;
    let folder = config.sealing.key.path().with_file_name(FILES.store);
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let store = SqliteStore::open(&folder, Arc::clone(&clock)).await?;
    store.prepare().await?;
    let identity = store.identity().await?.ok_or("the store is empty")?;
    let keyring = Keyring::read(config.sealing.key.path())?;
    let parts = Parts {
        store: Arc::new(store),
        sealer: Sealer::open(keyring, identity.deployment, &identity.key_check)?,
        transport: Arc::new(HyperTransport::new(
            config.network.clone(),
            Arc::clone(&clock),
        )),
        clock,
        random: Arc::new(SystemRandom),
        provider: config.provider,
        network: config.network,
        apps: config.apps,
    };
    Ok(Refrain::from_parts(parts)?)
}

fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
