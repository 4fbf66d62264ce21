//! An authorization server that knows RFC 6749 and nothing of Spotify: 401 for a wrong client, a lower-case
//! `bearer`, no scope, no lifetime, rotation at each refresh, and a profile with an `id` alone.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use refrain_sim::Profile;

use crate::home::{Home, write_private};

#[derive(Default)]
struct State {
    issued: u32,
    refresh: Option<String>,
    access: Option<String>,
    revoked: Vec<String>,
}

type Shared = Arc<Mutex<State>>;

fn start() -> (String, Shared) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let state = Shared::default();
    let shared = Arc::clone(&state);
    // Ends with the test process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, state) = (stream.unwrap(), Arc::clone(&shared));
            std::thread::spawn(move || serve(stream, &state));
        }
    });
    (origin, state)
}

fn serve(stream: TcpStream, state: &Shared) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return;
    };
    let request = format!("{method} {path}");
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |it| it.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let form = url::form_urlencoded::parse(&body).into_owned().collect();
    let authorization = headers.get("authorization").cloned().unwrap_or_default();
    let (status, json) = answer(&request, &authorization, &form, &mut state.lock().unwrap());
    let stream = reader.get_mut();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{json}",
        json.len()
    )
    .unwrap();
}

fn answer(
    request: &str,
    authorization: &str,
    form: &HashMap<String, String>,
    state: &mut State,
) -> (&'static str, String) {
    // "plain-client:plain-secret", as RFC 6749 §2.3.1 has it.
    let client = authorization == "Basic cGxhaW4tY2xpZW50OnBsYWluLXNlY3JldA==";
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let issue = |state: &mut State| {
        state.issued += 1;
        let (access, refresh) = (
            format!("at-{}", state.issued),
            format!("rt-{}", state.issued),
        );
        state.access = Some(access.clone());
        state.refresh = Some(refresh.clone());
        format!(
            r#"{{"access_token":"{access}","token_type":"bearer","refresh_token":"{refresh}"}}"#
        )
    };
    let refuse = |code: &str| format!(r#"{{"error":"{code}"}}"#);
    match request {
        "POST /api/token" if !client => ("401 Unauthorized", refuse("invalid_client")),
        "POST /api/token" => match field("grant_type") {
            "authorization_code" if field("code") == "the-code" => ("200 OK", issue(state)),
            "refresh_token" if state.refresh.as_deref() == Some(field("refresh_token")) => {
                ("200 OK", issue(state))
            }
            _ => ("400 Bad Request", refuse("invalid_grant")),
        },
        "POST /revoke" => {
            state.revoked.push(field("token").to_owned());
            ("200 OK", String::new())
        }
        _ if Some(authorization)
            != state
                .access
                .as_ref()
                .map(|it| format!("Bearer {it}"))
                .as_deref() =>
        {
            (
                "401 Unauthorized",
                r#"{"message":"token expired"}"#.to_owned(),
            )
        }
        "GET /v1/me" => ("200 OK", r#"{"id":"plain-user"}"#.to_owned()),
        _ => ("404 Not Found", "{}".to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_rfc_6749_server_with_these_paths_will_do() {
    let (origin, state) = start();
    let home = Home::bare(Profile::default()).await;
    write_private(&home.config_folder().join("client-secret"), "plain-secret");
    let config = format!(
        "[apps.default]\nclient_id = \"plain-client\"\nclient_secret_file = \"client-secret\"\n\
         redirect_uri = \"http://127.0.0.1/callback\"\nscopes = [\"read\"]\n[spotify]\n\
         accounts_url = \"{origin}\"\napi_url = \"{origin}\"\nrevocation_url = \"{origin}/revoke\"\n"
    );
    write_private(&home.config_file(), &config);

    let mut login = home.start(&["login", "alice", "--no-browser"]);
    let url = url::Url::parse(&login.line()).unwrap();
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    login.type_in(&format!(
        "{}?code=the-code&state={}\n",
        query["redirect_uri"], query["state"]
    ));
    assert_eq!(login.wait().code, 0);

    assert_eq!(home.run(&["token"]).ok().stdout, "at-1\n");
    home.run(&["refresh"]).ok();
    assert_eq!(home.run(&["token"]).ok().stdout, "at-2\n");
    // The server forgets the token: repaired before the caller notices.
    state.lock().unwrap().access = None;
    assert!(
        home.run(&["api", "/v1/me"])
            .ok()
            .stdout
            .contains("plain-user")
    );
    assert_eq!(home.run(&["token"]).ok().stdout, "at-3\n");
    home.run(&["logout"]).ok();
    assert_eq!(state.lock().unwrap().revoked, ["rt-3"]);
    assert_eq!(home.run(&["token"]).code, 3);
}
