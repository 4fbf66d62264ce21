//! No secret of a login is in any page, in any header but those that are for it, or in the log.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use refrain::{
    access::{Grants, Permission},
    config,
    secret::WebhookSecret,
};
use refrain_sim::Profile;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use crate::{
    browser::Browser,
    world::{World, client},
};

/// Everything that this process has logged, at every level, as text.
static LOG: Mutex<String> = Mutex::new(String::new());

struct Recorder;
struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0, "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        span.record(&mut Text(&mut log));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        values.record(&mut Text(&mut log));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        event.record(&mut Text(&mut log));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn parameter(url: &str, name: &str) -> String {
    let url: reqwest::Url = url.parse().unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.unwrap().1.into_owned()
}

/// Whether a text has, anywhere, what a PKCE challenge was made of.
fn has_verifier(text: &str, challenge: &str) -> bool {
    let windows = text.as_bytes().windows(43);
    let plain = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
    let mut windows = windows.filter(|it| it.iter().all(plain));
    windows.any(|it| URL_SAFE_NO_PAD.encode(Sha256::digest(it)) == challenge)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_login_is_anywhere_but_where_it_has_to_be() {
    // Of all tests of this binary; whoever else logs makes the haystack larger.
    tracing::subscriber::set_global_default(Recorder).unwrap();
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    assert!(
        has_verifier(&format!("x={verifier};"), challenge),
        "the test can find one"
    );

    let world = World::new(Profile::default()).await;
    let all = [Permission::Manage, Permission::Token];
    let key = world.key_for(Grants::All, &all).await;
    let links = world.url("/refrain/v1/connect-links");
    for (grant, agrees) in [("bob", true), ("carol", false), ("dave", true)] {
        let browser = Browser::new();
        let asked = json!({"grant": grant, "return_to": (grant != "dave").then_some("http://127.0.0.1:3000/")});
        let made = client()
            .post(&links)
            .bearer_auth(&key)
            .json(&asked)
            .send()
            .await
            .unwrap();
        let made: Value = made.json().await.unwrap();
        let url = made["url"].as_str().unwrap();
        let secret = url.rsplit('/').next().unwrap().split_at(10).1.to_owned();
        let at_spotify = browser.begin(url).await;
        let held: Vec<String> = browser.cookies().into_values().collect();
        let callback = if agrees {
            world.sim.consent(&at_spotify).unwrap()
        } else {
            world.sim.deny(&at_spotify).unwrap()
        };
        let stranger = Browser::new();
        stranger.visit(&callback).await;
        browser.visit(&callback).await;
        browser.visit(&callback).await;
        browser.visit(url).await;

        let (state, challenge) = (
            parameter(&at_spotify, "state"),
            parameter(&at_spotify, "code_challenge"),
        );
        let mut secrets = vec![state, secret];
        if agrees {
            secrets.push(parameter(&callback, "code"));
            let token = world.url(&format!("/refrain/v1/grants/{grant}/token"));
            let token = client().get(token).bearer_auth(&key).send().await.unwrap();
            let token: Value = token.json().await.unwrap();
            secrets.push(token["access_token"].as_str().unwrap().to_owned());
        }
        let seen: Vec<_> = browser.seen().into_iter().chain(stranger.seen()).collect();
        assert!(seen.len() >= 6);
        let mut haystack = LOG.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert!(!haystack.is_empty(), "nothing was logged");
        let mut cookies = 0;
        for seen in seen {
            haystack.push_str(&seen.body);
            for (name, value) in &seen.headers {
                match name.as_str() {
                    // The one address with the state in it.
                    "location" if *value == at_spotify => {}
                    "set-cookie" => cookies += 1,
                    _ => writeln!(haystack, "{name}: {value}").unwrap(),
                }
            }
        }
        assert_eq!(cookies, 2, "given, and taken away");
        for secret in secrets.iter().chain(&held) {
            assert!(
                !haystack.contains(secret.as_str()),
                "{grant}: a secret is told"
            );
        }
        assert!(
            !has_verifier(&haystack, &challenge),
            "{grant}: the verifier is told"
        );
    }
    no_secret_of_a_webhook_is_told().await;
}

/// Neither its address nor what its messages are signed with.
async fn no_secret_of_a_webhook_is_told() {
    let signing = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let mut notices = config::Notices::default();
    // Nobody listens there.
    notices.webhooks = vec!["http://127.0.0.1:9/canary-hook".parse().unwrap()];
    notices.secrets = vec![WebhookSecret::parse(&format!("whsec_{signing}")).unwrap()];
    let world = World::telling(&notices).await;
    let key = world.key_for(Grants::All, &[Permission::Manage]).await;
    let (client, url) = (client(), world.url("/refrain/v1/notices"));
    let sent = client
        .post(format!("{url}/test"))
        .bearer_auth(&key)
        .send()
        .await;
    let mut haystack = sent.unwrap().text().await.unwrap();
    let listing = async {
        loop {
            let list = client.get(&url).bearer_auth(&key).send().await.unwrap();
            let list = list.text().await.unwrap();
            if list.contains("unreachable") {
                return list;
            }
        }
    };
    haystack.push_str(&world.in_time(listing).await);
    haystack.push_str(&LOG.lock().unwrap_or_else(PoisonError::into_inner));
    for told in ["not delivered yet", "http://127.0.0.1:9"] {
        assert!(haystack.contains(told), "{told}");
    }
    for secret in [
        "canary-hook",
        signing,
        &format!("{:?}", STANDARD.decode(signing).unwrap()),
    ] {
        assert!(!haystack.contains(secret), "a webhook's secret is told");
    }
}
