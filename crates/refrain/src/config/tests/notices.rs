//! Who is told of grants without asking.

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcw==";

fn home(file: &str) -> Home {
    let home = Home::new(file);
    let both = format!("{OTHER}\n\n{SECRET}\n");
    home.write(".config/refrain/both", &both, 0o600);
    home.write(".config/refrain/one", SECRET, 0o600);
    home.write(".config/refrain/open", SECRET, 0o644);
    home.write(".config/refrain/weak", "whsec_AAAA", 0o600);
    let canary = format!("{SECRET}\n{CANARY}");
    home.write(".config/refrain/canary", &canary, 0o600);
    home.write("credentials/hook", SECRET, 0o640);
    home
}

#[test]
fn nobody_is_told_anything_unless_somebody_says_so() {
    let notices = Home::new("").load().unwrap().notices;
    assert!(notices.is_empty() && notices.secrets.is_empty());
}

#[test]
fn a_whole_section_of_notices_is_read() {
    let config = home(
        r#"
[notices]
webhooks = ["https://hooks.example/canary-5f3a91", "http://127.0.0.1:8080"]
webhook_secret_file = "both"
command = ["/usr/bin/tell", "--json"]
"#,
    );
    let config = config.load().unwrap();
    let notices = &config.notices;
    assert_eq!(notices.webhooks.len(), 2);
    assert_eq!(notices.secrets.len(), 2);
    assert_eq!(notices.command, ["/usr/bin/tell", "--json"]);
    let shown = setting(&config, "notices.webhooks").0;
    assert_eq!(shown, "https://hooks.example http://127.0.0.1:8080");
    let everything = format!("{config:?}");
    assert!(!everything.contains(CANARY), "{everything}");
    assert!(
        setting(&config, "notices.webhook_secret_file")
            .0
            .ends_with("/both")
    );
}

#[test]
fn the_environment_says_the_same_and_a_credential_takes_the_place_of_the_file() {
    let home =
        home("[notices]\nwebhooks = [\"https://a.example\"]\nwebhook_secret_file = \"both\"");
    let folder = home.path("credentials");
    let config = home
        .with(
            "REFRAIN_NOTICES_WEBHOOKS",
            "https://b.example https://c.example/x",
        )
        .with("REFRAIN_NOTICES_WEBHOOK_SECRET_CREDENTIAL", "hook")
        .with("REFRAIN_NOTICES_COMMAND", "/bin/tell me")
        .with("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())
        .load()
        .unwrap();
    let notices = &config.notices;
    assert_eq!((notices.webhooks.len(), notices.secrets.len()), (2, 1));
    assert_eq!(notices.command, ["/bin/tell", "me"]);
}

#[test]
fn notices_that_could_be_read_or_forged_by_others_are_refused() {
    let webhooks = "[notices]\nwebhooks = [\"https://a.example\"]\n";
    for (file, code, part) in [
        (
            webhooks.to_owned(),
            "config_incomplete",
            "notices.webhook_secret_file",
        ),
        (
            format!("{webhooks}webhook_secret_file = \"none\""),
            "secret_file_missing",
            "toml:3",
        ),
        (
            format!("{webhooks}webhook_secret_file = \"open\""),
            "secret_file_permissions",
            "chmod",
        ),
        (
            format!("{webhooks}webhook_secret_file = \"weak\""),
            "config_invalid_value",
            "24 to 64",
        ),
        (
            format!("{webhooks}webhook_secret_file = \"canary\""),
            "config_invalid_value",
            "whsec_",
        ),
        (
            "[notices]\nwebhooks = [\n\"http://canary-5f3a91.example/\"]".to_owned(),
            "config_invalid_value",
            "toml:3: notices.webhooks",
        ),
        (
            "[notices]\nwebhooks = [\"https://u:canary-5f3a91@a.example/\"]".to_owned(),
            "config_invalid_value",
            "toml:2",
        ),
        (
            "[notices]\ncommand = [\"tell\"]".to_owned(),
            "config_invalid_value",
            "absolute",
        ),
        (
            "[notices]\ncommand = [\"/bin/tell me\"]".to_owned(),
            "config_invalid_value",
            "space",
        ),
        (
            "[notices]\ncommand = \"/bin/tell\"".to_owned(),
            "config_wrong_type",
            "a list of a program",
        ),
        (
            format!("{webhooks}webhook_secret_file = \"one\"\nwebhook_secret_credential = \"x\""),
            "config_conflict",
            "toml:4",
        ),
        (
            "[notices]\nwebhook = []".to_owned(),
            "config_unknown_field",
            "webhooks",
        ),
    ] {
        let (found, text) = home(&file).refusal();
        assert_eq!(found, code, "{file}: {text}");
        assert!(text.contains(part), "{file}: {text}");
    }
}
