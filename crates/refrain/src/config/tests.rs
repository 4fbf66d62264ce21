use std::{collections::BTreeSet, error::Error, fs, os::unix::fs::PermissionsExt as _, path::Path};

use tempfile::TempDir;

use super::*;
use crate::oauth::client::ClientAuth;

mod notices;
mod server;

const CANARY: &str = "canary-5f3a91";

/// A home folder with a configuration file in the default place, and an environment.
struct Home {
    folder: TempDir,
    sources: Sources,
}

impl Home {
    fn new(toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Self {
            sources: Sources {
                home: Some(folder.path().into()),
                ..Sources::default()
            },
            folder,
        };
        home.write(".config/refrain/refrain.toml", toml, 0o644);
        home
    }

    fn write(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn with(mut self, variable: &str, value: &str) -> Self {
        self.sources.env.insert(variable.into(), value.into());
        self
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load_from(&self.sources)
    }

    /// What a person would read, and whether the canary is in it.
    fn refusal(&self) -> (&'static str, String) {
        let error = self.load().unwrap_err();
        let text = everything(&error);
        assert!(!text.contains(CANARY), "{text}");
        (
            error.code(),
            text.replace(&*self.folder.path().to_string_lossy(), "~"),
        )
    }
}

fn everything(error: &ConfigError) -> String {
    let mut text = format!("{error}; {}", error.fix());
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}; {error}");
        cause = error.source();
    }
    assert!(!text.contains('\n'), "{text}");
    format!("{text}; {error:?}")
}

/// Loads each file, and compares the code and two parts of what a person reads.
fn refused(cases: &[(&str, &str, [&str; 2])]) {
    for (toml, code, parts) in cases {
        let (found, text) = Home::new(toml).refusal();
        assert_eq!(found, *code, "{toml}: {text}");
        for part in parts {
            assert!(text.contains(part), "{toml}: {text}");
        }
    }
}

fn setting<'a>(config: &'a Config, key: &str) -> (&'a str, String) {
    let mut settings = config.settings().iter();
    let setting = settings.find(|setting| setting.key == key).unwrap();
    (&setting.value, setting.source.to_string())
}

fn secret(config: &Config, app: &str) -> Option<String> {
    match &config.apps[&app.parse().unwrap()].client.auth {
        ClientAuth::SecretBasic(secret) => Some(secret.expose().to_owned()),
        ClientAuth::None => None,
    }
}

#[test]
fn without_a_file_everything_has_a_default() {
    let home = Home::new("");
    fs::remove_file(home.path(".config/refrain/refrain.toml")).unwrap();
    let config = home.load().unwrap();
    let StoreLocation::Sqlite(store) = &config.store else {
        panic!("{config:?}");
    };
    assert_eq!(*store, home.path(".local/share/refrain/refrain.db"));
    let key = home.path(".config/refrain/master.key");
    assert_eq!(config.sealing.key, KeySource::File(key));
    assert_eq!(
        config.provider.accounts.to_string(),
        "https://accounts.spotify.com"
    );
    assert_eq!(config.provider.api.to_string(), "https://api.spotify.com");
    assert!(config.provider.revocation.is_none() && config.apps.is_empty());
    assert!(matches!(config.network.proxy, Proxy::None));
    assert_eq!(config.server.sessions.keep, SessionKeep::Store);
    assert!(
        config
            .settings()
            .iter()
            .all(|s| s.source == Source::Default)
    );
}

#[test]
fn a_file_that_was_asked_for_must_exist() {
    let mut home = Home::new("").with("REFRAIN_CONFIG", "/nowhere/refrain.toml");
    assert_eq!(home.refusal().0, "config_not_found");
    home.sources.file = Some(home.path("none.toml"));
    let (code, text) = home.refusal();
    assert_eq!(code, "config_not_found");
    assert!(text.contains("~/none.toml"), "{text}");
}

#[test]
fn the_option_beats_the_variable_and_the_variable_the_default_place() {
    let mut home = Home::new("store = \"sqlite:/default.db\"\n");
    let store = |home: &Home| home.load().unwrap().store.to_string();
    assert_eq!(store(&home), "sqlite:/default.db");
    let named = home.write("named.toml", "store = \"sqlite:/named.db\"\n", 0o644);
    home = home.with("REFRAIN_CONFIG", &named.to_string_lossy());
    assert_eq!(store(&home), "sqlite:/named.db");
    home.sources.file = Some(home.write("option.toml", "store = \"sqlite:rel.db\"\n", 0o644));
    assert_eq!(
        store(&home),
        format!("sqlite:{}", home.path("rel.db").display())
    );
}

#[test]
fn a_whole_file_is_read() {
    let home = Home::new(
        r#"
store = "sqlite:$XDG_DATA_HOME/r.db"
[sealing]
key_file = "${HOME}/k"
[apps.default]
client_id = "id1"
client_secret_file = "secret"
redirect_uri = "https://music.example/callback"
scopes = ["user-read-email", "streaming"]
[apps."my.public-app"]
client_id = "id2"
[sessions]
keep = "cookie"
[spotify]
accounts_url = "http://127.0.0.1:1"
api_url = "http://[::1]:2"
revocation_url = "https://a.example/revoke"
[network]
proxy = "environment"
"#,
    );
    home.write(".config/refrain/secret", &format!("{CANARY}\n"), 0o600);
    let config = home.load().unwrap();
    let default = &config.apps[&"default".parse().unwrap()];
    assert_eq!(default.client.id.as_str(), "id1");
    assert_eq!(
        default.redirect_uri.as_str(),
        "https://music.example/callback"
    );
    assert_eq!(default.scopes.to_string(), "streaming user-read-email");
    assert_eq!(secret(&config, "default").as_deref(), Some(CANARY));
    assert_eq!(secret(&config, "my.public-app"), None);
    let public = &config.apps[&"my.public-app".parse().unwrap()];
    assert_eq!(
        public.redirect_uri.as_str(),
        "http://127.0.0.1:4280/callback"
    );
    assert_eq!(config.sealing.key, KeySource::File(home.path("k")));
    assert_eq!(config.provider.api.to_string(), "http://[::1]:2");
    assert_eq!(config.provider.revocation.as_ref().unwrap().path, "/revoke");
    assert_eq!(config.server.sessions.keep, SessionKeep::Cookie);
    assert!(matches!(config.network.proxy, Proxy::Environment));

    let file = home.path(".config/refrain/refrain.toml");
    let at = |line: usize| format!("{}:{line}", file.display());
    assert_eq!(setting(&config, "apps.default.client_id"), ("id1", at(6)));
    assert_eq!(
        setting(&config, "apps.default.scopes"),
        ("streaming user-read-email", at(9))
    );
    assert_eq!(
        setting(&config, "apps.\"my.public-app\".client_id"),
        ("id2", at(11))
    );
    assert!(!format!("{config:?} {:?}", config.settings()).contains(CANARY));
}

#[test]
fn the_environment_overrides_every_value() {
    let home = Home::new(
        "store = \"sqlite:/file.db\"\n[apps.My-App]\nclient_id = \"file\"\nclient_secret_file = \"none\"\n",
    )
    .with("REFRAIN_STORE", &format!("postgres://u:{CANARY}@db/refrain"))
    .with("REFRAIN_SEALING_KEY_FILE", "/k")
    .with("REFRAIN_APPS_MY_APP_CLIENT_ID", "env")
    .with("REFRAIN_APPS_MY_APP_CLIENT_SECRET", CANARY)
    .with("REFRAIN_APPS_MY_APP_REDIRECT_URI", "http://127.0.0.1/c")
    .with("REFRAIN_APPS_MY_APP_SCOPES", "streaming user-read-email")
    .with("REFRAIN_APPS_OTHER_ONE_CLIENT_ID", "other")
    .with("REFRAIN_SESSIONS_KEEP", "cookie")
    .with("REFRAIN_SPOTIFY_ACCOUNTS_URL", "http://127.0.0.1:9")
    .with("REFRAIN_SPOTIFY_API_URL", "http://127.0.0.1:8")
    .with("REFRAIN_SPOTIFY_REVOCATION_URL", "http://127.0.0.1:7/r")
    .with("REFRAIN_NETWORK_PROXY", &format!("http://u:{CANARY}@p:3128"));
    let config = home.load().unwrap();
    let StoreLocation::Postgres(url) = &config.store else {
        panic!("{config:?}");
    };
    assert!(url.expose().contains(CANARY));
    let app = &config.apps[&"My-App".parse().unwrap()];
    assert_eq!(app.client.id.as_str(), "env");
    assert_eq!(secret(&config, "My-App").as_deref(), Some(CANARY));
    assert_eq!(app.scopes.to_string(), "streaming user-read-email");
    assert!(config.apps.contains_key(&"other_one".parse().unwrap()));
    assert_eq!(config.provider.accounts.to_string(), "http://127.0.0.1:9");
    assert_eq!(
        setting(&config, "apps.My-App.client_secret"),
        (
            "(redacted)",
            "environment variable REFRAIN_APPS_MY_APP_CLIENT_SECRET".to_owned()
        )
    );
    assert_eq!(
        setting(&config, "store").0,
        "postgres://(redacted)@db/refrain"
    );
    assert_eq!(
        setting(&config, "network.proxy").0,
        "http://(redacted)@p:3128"
    );
    assert!(!format!("{config:?} {:?} {:?}", config.settings(), home.sources).contains(CANARY));
}

#[test]
fn what_is_not_known_is_refused_with_its_line_and_the_likely_name() {
    refused(&[
        (
            "\nstor = \"x\"",
            "config_unknown_field",
            ["toml:2: ", "did you mean store?"],
        ),
        (
            "[app.default]",
            "config_unknown_field",
            ["toml:1: ", "did you mean apps?"],
        ),
        (
            "[sealing]\nkeyfile = \"x\"",
            "config_unknown_field",
            ["toml:2: ", "did you mean key_file?"],
        ),
        (
            "[apps.a]\nclient_id=\"a\"\ncolour = \"x\"",
            "config_unknown_field",
            ["toml:3: ", "known here: client_id, client_secret_file"],
        ),
        (
            "store = 7",
            "config_wrong_type",
            ["toml:1: store", "text in quotes"],
        ),
        (
            "\n[apps.a]\nscopes = \"x\"",
            "config_wrong_type",
            ["toml:3: apps.a.scopes", "a list"],
        ),
        (
            "sealing = \"x\"",
            "config_wrong_type",
            ["toml:1: sealing", "section"],
        ),
        (
            "[apps]\na = 1",
            "config_wrong_type",
            ["toml:2: apps.a", "section"],
        ),
    ]);
}

#[test]
fn a_value_without_meaning_is_refused_with_its_line() {
    refused(&[
        (
            "[apps.\"a b\"]",
            "config_invalid_value",
            ["toml:1: ", "is not a name"],
        ),
        (
            "[apps.a]\nscopes = [\n\"b\",\n\"c d\"]",
            "config_invalid_value",
            ["toml:4: ", "\"c d\" is not a scope"],
        ),
        (
            "[apps.a]",
            "config_no_client_id",
            ["toml:1: the app a", "[apps.a]"],
        ),
        (
            "store = \"x\"\nstore = \"y\"",
            "config_syntax",
            ["toml:2: ", "duplicate key"],
        ),
        (
            "store = \"mysql://h\"",
            "config_invalid_value",
            ["toml:1: store", "sqlite: or postgres://"],
        ),
        (
            "[sessions]\nkeep = \"x\"",
            "config_invalid_value",
            ["toml:2: sessions.keep", "\"cookie\""],
        ),
        (
            "store = \"sqlite:$PWD/x\"",
            "config_unknown_path_variable",
            ["toml:1: store", "$PWD"],
        ),
        (
            "[spotify]\napi_url = \"http://a.example\"",
            "config_invalid_value",
            ["toml:2: ", "use https"],
        ),
        (
            "[spotify]\nrevocation_url = \"http://a.example/r\"",
            "config_invalid_value",
            ["toml:2: ", "https"],
        ),
        (
            "[apps.a]\nclient_id = \"a\"\nredirect_uri = \"/cb\"",
            "config_invalid_value",
            ["toml:3: ", "absolute"],
        ),
        (
            "[network]\nproxy = \"http://\"",
            "config_invalid_value",
            ["toml:2: ", "a proxy is"],
        ),
    ]);
}

#[test]
fn a_client_secret_in_the_file_is_refused_and_not_repeated() {
    for toml in [
        format!("[apps.default]\nclient_id = \"a\"\nclient_secret = \"{CANARY}\"\n"),
        format!("[apps.default]\nclient_id = \"a\"\nclient_secret = [\"{CANARY}\"]\n"),
    ] {
        let (code, text) = Home::new(&toml).refusal();
        assert_eq!(code, "config_inline_secret");
        assert!(
            text.contains("toml:3: ") && text.contains("client_secret_file"),
            "{text}"
        );
    }
}

#[test]
fn no_refusal_repeats_a_value_that_may_be_secret() {
    for toml in [
        format!("[apps.a]\nclient_secret = \"{CANARY}\n"),
        format!("[apps.a]\nclient_secret = {CANARY}\n"),
        format!("[apps.a]\nclient_secret = '{CANARY}' x\n"),
        format!("[apps.a]\nclient_secret == '{CANARY}'\n"),
        format!("store = \"postgres//u:{CANARY}@h/d\""),
        format!("store = \"postgres://u:{CANARY}@[h/d\""),
        format!("store = [\"postgres://u:{CANARY}@h/d\"]"),
        format!("[network]\nproxy = \"http://u:{CANARY}@h/path\""),
        format!("[spotify]\napi_url = \"https://u:{CANARY}@h\""),
        format!("[spotify]\nrevocation_url = \"https://u:{CANARY}@h/r\""),
    ] {
        let (code, text) = Home::new(&toml).refusal();
        assert!(text.contains("toml:"), "{code} {text}");
    }
    let empty = Home::new("").with("REFRAIN_APPS_A_CLIENT_ID", "a");
    let empty = empty.with("REFRAIN_APPS_A_CLIENT_SECRET", " ");
    assert_eq!(empty.refusal().0, "config_invalid_value");
}

#[test]
fn an_unknown_variable_is_refused_with_the_likely_name() {
    for (variable, nearest) in [
        ("REFRAIN_STOR", "did you mean REFRAIN_STORE?"),
        ("REFRAIN_KEY_FILE", "unset REFRAIN_KEY_FILE"),
        (
            "REFRAIN_APPS_DEFAULT_CLIENTID",
            "did you mean REFRAIN_APPS_DEFAULT_CLIENT_ID?",
        ),
        ("REFRAIN_APPS_CLIENT_ID", "REFRAIN_APPS"),
        (
            "REFRAIN_APPS_default_CLIENT_ID",
            "did you mean REFRAIN_APPS_DEFAULT_CLIENT_ID?",
        ),
        (
            "REFRAIN_SPOTIFY_ACCOUNT_URL",
            "did you mean REFRAIN_SPOTIFY_ACCOUNTS_URL?",
        ),
    ] {
        let (code, text) = Home::new("").with(variable, CANARY).refusal();
        assert_eq!(code, "config_unknown_variable", "{variable}");
        assert!(text.contains(nearest), "{text}");
    }
}

#[test]
fn variables_for_others_are_left_alone() {
    let mut home = Home::new("");
    for variable in [
        "REFRAIN_LOG",
        "REFRAIN_LOG_FORMAT",
        "REFRAIN_DEMO_SPEED",
        "REFRAIN_PORT",
        "REFRAIN_PORT_4280_TCP_ADDR",
        "REFRAIN_SERVICE_HOST",
        "REFRAIN_SERVICE_PORT_HTTP",
        "PATH",
    ] {
        home = home.with(variable, "x");
    }
    assert!(home.load().is_ok());
}

#[test]
fn a_variable_that_fits_two_apps_is_refused() {
    let toml = "[apps.a-b]\nclient_id = \"1\"\n[apps.\"a.b\"]\nclient_id = \"2\"\n";
    let home = Home::new(toml).with("REFRAIN_APPS_A_B_CLIENT_ID", "3");
    assert_eq!(home.refusal().0, "config_ambiguous_app");
}

#[test]
fn two_ways_to_the_same_secret_conflict_unless_one_overrides() {
    let toml = "[apps.a]\nclient_id = \"1\"\nclient_secret_file = \"x\"\nclient_secret_credential = \"y\"\n";
    let (code, text) = Home::new(toml).refusal();
    assert_eq!(code, "config_conflict");
    assert!(text.contains("toml:3") && text.contains("toml:4"), "{text}");
    let home = Home::new(toml).with("REFRAIN_APPS_A_CLIENT_SECRET", CANARY);
    assert_eq!(secret(&home.load().unwrap(), "a").as_deref(), Some(CANARY));
}

#[test]
fn a_secret_file_that_others_may_read_is_refused() {
    let toml = "[apps.a]\nclient_id = \"1\"\nclient_secret_file = \"s\"\n";
    let home = Home::new(toml);
    assert_eq!(home.refusal().0, "secret_file_missing");
    home.write(".config/refrain/s", CANARY, 0o644);
    let (code, text) = home.refusal();
    assert_eq!(code, "secret_file_permissions");
    assert!(text.contains("toml:3: apps.a.client_secret_file"), "{text}");
    assert!(text.contains("chmod 600 '~/.config/refrain/s'"), "{text}");
}

#[test]
fn credentials_come_from_the_folder_that_systemd_names() {
    let toml = "[sealing]\nkey_credential = \"key\"\n[apps.a]\nclient_id = \"1\"\nclient_secret_credential = \"s\"\n";
    let home = Home::new(toml);
    assert_eq!(home.refusal().0, "config_no_credentials");
    home.write("credentials/s", CANARY, 0o440);
    let folder = home.path("credentials").to_string_lossy().into_owned();
    let home = home.with("CREDENTIALS_DIRECTORY", &folder);
    let config = home.load().unwrap();
    assert_eq!(secret(&config, "a").as_deref(), Some(CANARY));
    let key = Path::new(&folder).join("key");
    assert_eq!(config.sealing.key, KeySource::Credential(key));
    for name in ["", "../s", ".", "/etc/passwd"] {
        let home = Home::new("").with("REFRAIN_SEALING_KEY_CREDENTIAL", name);
        assert_eq!(home.refusal().0, "config_invalid_value", "{name:?}");
    }
}

/// `docs/configuration.md` has every value, and no other.
#[test]
fn every_value_is_in_the_documentation() {
    let page = include_str!("../../../../docs/configuration.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<&str> = rows.filter_map(|it| it.split('`').next()).collect();
    let app_keys = key::APP_KEYS.iter().map(|(name, _)| (*name).to_owned());
    let known: BTreeSet<String> = key::Key::fixed()
        .map(|key| key.to_string())
        .chain(app_keys)
        .collect();
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    assert_eq!(documented, known);
}
