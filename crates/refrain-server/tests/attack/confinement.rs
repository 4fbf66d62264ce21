//! The bearer goes to the API's origin and nowhere else, whatever a caller or the API itself says.

mod generate;

use std::{
    net::SocketAddr,
    process::Command,
    sync::{Arc, Mutex},
};

use tokio::{io::AsyncReadExt as _, net::TcpListener, task::JoinSet};

use self::generate::{Case, Trap};
use crate::{
    dice::Dice,
    place::Place,
    recorder::{Heard, Recorder, Reply},
    wire::{self, Line, Response, responses},
};

const CASES: usize = 6_000;
const AT_ONCE: usize = 32;
const REDIRECTS: [u16; 6] = [300, 301, 302, 303, 307, 308];

/// Listeners that nobody has any business with.
#[derive(Clone)]
struct Decoys {
    addresses: Vec<SocketAddr>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Decoys {
    async fn open() -> Self {
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut addresses = Vec::new();
        let further = (2..20).map(|host| format!("127.0.0.{host}:0"));
        let places = ["127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "[::1]:0"];
        for place in places.map(str::to_owned).into_iter().chain(further) {
            let Ok(listener) = TcpListener::bind(&place).await else {
                continue;
            };
            let address = listener.local_addr().unwrap();
            addresses.push(address);
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let mut bytes = vec![0; 64 * 1024];
                    let read = stream.read(&mut bytes).await.unwrap_or(0);
                    let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                    heard.lock().unwrap().push(format!("{address}: {text:?}"));
                }
            });
        }
        assert!(addresses.len() >= 20, "{addresses:?}");
        Self { addresses, heard }
    }

    #[track_caller]
    fn assert_silent(&self) {
        let heard = self.heard.lock().unwrap();
        assert!(heard.is_empty(), "{heard:#?}");
    }
}

/// What must not be seen anywhere but where it belongs.
struct Secrets {
    key: String,
    token: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_credential_leaves_by_any_trick_of_a_callers() {
    let place = Place::new(&["alice"]).await;
    let decoys = Decoys::open().await;
    let secrets = Arc::new(Secrets {
        key: place.key("alice").await,
        token: place.token("alice").await,
    });
    let trap = Trap {
        own: place.address,
        api: place.recorder.address,
        decoys: decoys.addresses.clone(),
        key: secrets.key.clone(),
    };
    let talker = place.talker(&secrets.key);
    let mut dice = Dice::new();
    let (mut arrived, mut refused) = (0, 0);
    for first in (0..CASES).step_by(AT_ONCE) {
        let mut asked = JoinSet::new();
        for number in first..CASES.min(first + AT_ONCE) {
            let case = trap.case(number, &mut dice);
            let talker = talker.clone();
            asked.spawn(async move { (talker.say(&case.bytes).await, case) });
        }
        let asked = asked.join_all().await;
        let heard = place.recorder.take();
        for (said, case) in asked {
            let shown = String::from_utf8_lossy(&case.bytes).into_owned();
            let (answers, rest) = responses(&said.bytes).expect(&shown);
            assert!(said.took < wire::HANG && rest == 0, "{shown}");
            assert_no_secret(&said.bytes, &secrets, &shown);
            let came: Vec<&Heard> = heard
                .iter()
                .filter(|it| it.all("case") == [case.number.to_string()])
                .collect();
            let served = answers.iter().filter(|it| it.succeeded()).count();
            assert_eq!(came.len(), served, "{shown}: {answers:?}");
            assert_eq!(
                came.len(),
                usize::from(case.admitted),
                "{shown}: {answers:?}"
            );
            arrived += came.len();
            refused += usize::from(came.is_empty());
            for it in came {
                assert_own_alone(it, &case, &secrets);
            }
        }
        assert!(heard.iter().all(|it| it.all("case").len() == 1));
    }
    assert!(
        arrived >= 1_000 && refused >= 1_000,
        "{arrived} arrived, {refused} did not"
    );
    place.recorder.assert_clean();
    decoys.assert_silent();
}

#[track_caller]
fn assert_no_secret(bytes: &[u8], secrets: &Secrets, case: &str) {
    let text = String::from_utf8_lossy(bytes);
    for secret in [&secrets.key, &secrets.token] {
        // Half of it would be as bad.
        let (front, back) = secret.split_at(secret.len() / 2);
        assert!(
            !text.contains(front) && !text.contains(back),
            "{case}: {text}"
        );
    }
}

/// What has arrived is what was asked for, with refrain's own bearer and nothing of the caller's tricks.
#[track_caller]
fn assert_own_alone(heard: &Heard, case: &Case, secrets: &Secrets) {
    let bearer = format!("Bearer {}", secrets.token);
    assert_eq!(heard.all("authorization"), [bearer], "{heard:?}");
    assert_eq!(heard.target, case.target, "{heard:?}");
    for (name, value) in &heard.headers {
        assert!(!value.contains("decoy"), "{name}: {value}");
        assert!(!value.contains(&secrets.key), "{name}: {value}");
        assert!(!name.contains('_'), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_passed_on_and_not_followed() {
    let place = Place::new(&["alice"]).await;
    let decoys = Decoys::open().await;
    let (key, api) = (place.key("alice").await, place.recorder.address);
    let mut places = vec![
        format!("https://{api}/v1/me"),
        format!("//{}/v1/me", decoys.addresses[0]),
        format!("http://{api}/v1/elsewhere"),
        "/v1/me/again".to_owned(),
        "..".to_owned(),
    ];
    for decoy in &decoys.addresses {
        places.push(format!("http://{decoy}/v1/me"));
        places.push(format!("https://{decoy}/v1/me"));
        places.push(format!("http://{api}@{decoy}/v1/me"));
    }
    let told = places.clone();
    place.recorder.answers(move |heard| {
        let mut parts = heard.target.rsplit('/');
        let at: usize = parts.next().unwrap().parse().unwrap();
        let status = parts.next().unwrap();
        Reply::raw(format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
            told[at]
        ))
    });
    let mut line = Line::to(place.address).await;
    for status in REDIRECTS {
        for (at, location) in places.iter().enumerate() {
            let method = ["GET", "POST", "PUT", "DELETE"][at % 4];
            let answer = ask(
                &mut line,
                &place,
                method,
                &format!("/v1/{status}/{at}"),
                &key,
            )
            .await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("location"), Some(location.as_str()));
        }
    }
    assert_eq!(place.recorder.take().len(), REDIRECTS.len() * places.len());
    decoys.assert_silent();
}

async fn ask(line: &mut Line, place: &Place, method: &str, path: &str, key: &str) -> Response {
    let own = place.address;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {own}\r\nAuthorization: Bearer {key}\r\nContent-Length: 0\r\n\r\n"
    );
    line.ask(&request).await.unwrap()
}

const INNER: &str = "confinement::under_proxies_of_the_environment";
const API: &str = "REFRAIN_TEST_API";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxies_of_the_environment_and_netrc_are_not_asked() {
    let decoys = Decoys::open().await;
    // An https API that speaks no TLS: what counts is who is called at all.
    let api = Recorder::start().await;
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".netrc"), "default login a password b\n").unwrap();
    let proxy = format!("http://user:pass@{}", decoys.addresses[1]);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", INNER, "--ignored", "--nocapture"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &proxy).env(name.to_lowercase(), &proxy);
    }
    command.env("NO_PROXY", "").env("no_proxy", "");
    command
        .env("HOME", home.path())
        .env("NETRC", home.path().join(".netrc"));
    command.env(API, format!("https://localhost:{}", api.address.port()));
    let ran = tokio::task::spawn_blocking(move || command.output());
    let ran = ran.await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && text.contains("1 passed"), "{text}");
    assert!(api.connections() > 0, "the API itself was called");
    decoys.assert_silent();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test before it, in a process with another environment"]
async fn under_proxies_of_the_environment() {
    let api = std::env::var(API).expect("the API of the test that started this one");
    let place = Place::before(Recorder::start().await, &api, &["alice"]).await;
    let key = place.key("alice").await;
    let mut line = Line::to(place.address).await;
    let answer = ask(&mut line, &place, "GET", "/v1/me", &key).await;
    assert_eq!(answer.status, 502, "it speaks no TLS");
}
