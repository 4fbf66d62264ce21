//! What the feeder does with a connection that behaves as a test says.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::mpsc, time::Duration};

use refrain::{Config, Refrain, config::Sources, keeper::login::LoginRequest, secret::AccessToken};
use refrain_sim::{Profile, Sim};
use refrain_streaming::{Feeder, Refused, SpotifyConnection};

/// Tells of each token that it is given; refuses the first one, and ends at once.
struct Recorded {
    tokens: mpsc::Sender<String>,
    refused: bool,
}

impl SpotifyConnection for Recorded {
    type Error = &'static str;

    async fn connect(&mut self, access_token: &AccessToken) -> Result<(), Refused<&'static str>> {
        self.tokens.send(access_token.expose().to_owned()).unwrap();
        if std::mem::replace(&mut self.refused, true) {
            return Ok(());
        }
        Err(Refused::Token("BadCredentials"))
    }

    async fn ended(&mut self) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn open(sim: &Sim, folder: &Path) -> Refrain {
    let app = sim.default_app();
    let text = format!(
        "store = \"sqlite:refrain.db\"\n[sealing]\nkey_file = \"master.key\"\n\
         [apps.default]\nclient_id = \"{}\"\nclient_secret_file = \"secret\"\n\
         redirect_uri = \"http://127.0.0.1:4280/callback\"\nscopes = [\"streaming\"]\n\
         [spotify]\naccounts_url = \"{}\"\napi_url = \"{}\"\n",
        app.client_id,
        sim.accounts_url(),
        sim.api_url(),
    );
    for (name, text) in [
        ("secret", app.client_secret.unwrap()),
        ("refrain.toml", text),
    ] {
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let sources = Sources {
        file: Some(folder.join("refrain.toml")),
        ..Sources::default()
    };
    Refrain::open(Config::load_from(&sources).unwrap())
        .await
        .unwrap()
}

async fn login(sim: &Sim, refrain: &Refrain) {
    let request = LoginRequest {
        grant: "alice".parse().unwrap(),
        app: "default".parse().unwrap(),
        scope: None,
        port: None,
        other_account: false,
        browser: None,
    };
    let begun = refrain.begin_login(request).await.unwrap();
    let location = sim.consent(&begun.url).unwrap();
    let (_, query) = location.split_once('?').unwrap();
    refrain.finish_login(query).await.unwrap();
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_each_connection_has_one_that_works() {
    let sim = Sim::start(Profile::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let refrain = open(&sim, folder.path()).await;
    login(&sim, &refrain).await;
    let (tokens, given) = mpsc::channel();
    let refused = false;
    let mut feeder = Feeder::new(
        &refrain,
        &"alice".parse().unwrap(),
        Recorded { tokens, refused },
    );
    let enough = async {
        let mut all: Vec<String> = Vec::new();
        while all.len() < 4 {
            all.extend(given.try_iter());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        all
    };
    let all = tokio::select! {
        never = feeder.run() => match never {},
        all = enough => all,
    };
    assert_ne!(all[0], all[1], "the refused one is not shown again");
    assert!(
        all[1..].iter().all(|token| *token == all[1]),
        "and the new one lives"
    );
    assert_eq!(sim.counts().refreshes, 1);
    refrain.close(Duration::from_secs(5)).await;
}
