//! Webhooks of the real server, over TLS and through a proxy: which authorities it trusts is read from its
//! surroundings when it starts.

mod far;

use std::{path::Path, thread, time::Duration};

use serde_json::Value;

use self::far::{Proxy, Receiver, certificates::Certificates};
use crate::{
    home::{Home, REDIRECT, Running, write_private},
    serve::ask,
};

/// How often the list is looked at before what is waited for will not come.
const LOOKS: u32 = 500;

/// A server that tells somebody, and a key that may ask it how that went.
struct Telling {
    at: String,
    key: String,
    _home: Home,
    _server: Running,
}

impl Telling {
    /// Tells whoever is at a URL, with further lines in the configuration.
    async fn to(url: &str, trusted: Option<&Path>, more: &str) -> Self {
        let home = Home::new().await;
        write_private(
            &home.config_folder().join("webhook-secret"),
            "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n",
        );
        let notices = format!(
            "[notices]\nwebhooks = [\"{url}\"]\nwebhook_secret_file = \"webhook-secret\"\n{more}"
        );
        home.configure(REDIRECT, &notices);
        home.login("alice");
        let made = home.run(&[
            "key",
            "create",
            "manager",
            "--all-grants",
            "--allow",
            "manage",
        ]);
        let key = made.ok().stdout.trim_end().to_owned();
        let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
        if let Some(trusted) = trusted {
            command.env("SSL_CERT_FILE", trusted);
        }
        let mut server = Running::start(&mut command);
        let line = server.error_line("refrain serves at ");
        let at = line.rsplit(' ').next().unwrap().to_owned();
        Self {
            at,
            key,
            _home: home,
            _server: server,
        }
    }

    /// Sends a message about nothing; its name.
    fn test(&self) -> String {
        let (head, told) = ask(&self.at, &self.key, "POST /refrain/v1/notices/test");
        assert!(head.starts_with("HTTP/1.1 202"), "{head}");
        told["id"].as_str().unwrap().to_owned()
    }

    /// What came of the one delivery there is.
    fn outcome(&self) -> String {
        for _ in 0..LOOKS {
            let (_, list) = ask(&self.at, &self.key, "GET /refrain/v1/notices");
            if let Value::String(outcome) = &list["notices"][0]["outcome"] {
                return outcome.clone();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("nothing comes of the delivery");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_told_over_tls_by_a_certificate_that_is_trusted_here() {
    let certificates = Certificates::for_name("IP:127.0.0.1");
    let receiver = Receiver::with(&certificates);
    let url = format!("https://127.0.0.1:{}/hook", receiver.port);
    let telling = Telling::to(&url, Some(&certificates.authority()), "").await;
    let id = telling.test();
    let heard = receiver.next().unwrap();
    assert!(heard.starts_with("POST /hook HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("webhook-id: {id}\r\n")), "{heard}");
    assert_eq!(telling.outcome(), "http 204");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_to_who_has_no_such_certificate() {
    let trusted = Certificates::for_name("IP:127.0.0.1");
    let unknown = Certificates::for_name("IP:127.0.0.1");
    let misnamed = Certificates::for_name("DNS:hooks.example");
    let by_another_name = misnamed.authority();
    for (shown, trusted) in [
        (&unknown, trusted.authority()),
        (&misnamed, by_another_name),
    ] {
        let receiver = Receiver::with(shown);
        let url = format!("https://127.0.0.1:{}/hook", receiver.port);
        let telling = Telling::to(&url, Some(&trusted), "").await;
        telling.test();
        assert_eq!(receiver.next(), None);
        assert_eq!(telling.outcome(), "unreachable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_told_through_the_proxy_that_the_configuration_names() {
    let certificates = Certificates::for_name("DNS:hooks.example");
    let receiver = Receiver::with(&certificates);
    let proxy = Proxy::to(receiver.port);
    let network = format!(
        "[network]\nproxy = \"http://user:canary@127.0.0.1:{}\"\n",
        proxy.port
    );
    let trusted = certificates.authority();
    let telling = Telling::to("https://hooks.example/hook", Some(&trusted), &network).await;
    let id = telling.test();
    let heard = receiver.next().unwrap();
    assert!(heard.contains(&format!("webhook-id: {id}\r\n")), "{heard}");
    assert!(heard.contains("host: hooks.example\r\n"), "{heard}");
    assert_eq!(telling.outcome(), "http 204");
    // What the proxy is told is where to, and who asks.
    let asked = proxy.next();
    assert!(
        asked.starts_with("CONNECT hooks.example:443 HTTP/1.1\r\n"),
        "{asked}"
    );
    let asked = asked.to_ascii_lowercase();
    assert!(
        asked.contains("proxy-authorization: basic dxnlcjpjyw5hcnk=\r\n"),
        "{asked}"
    );
    assert!(
        !heard.to_ascii_lowercase().contains("proxy-authorization"),
        "{heard}"
    );
}
