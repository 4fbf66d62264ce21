//! The processes that are measured, each with the least that it needs to do the same.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use refrain::{
    Config,
    access::{Grants, Permission},
    config::Sources,
    keeper::keys::NewKey,
};
use refrain_sim::Sim;
use tempfile::TempDir;

use super::{Place, at, free_port, processors};
use crate::world;

pub const BEARER: &str = "Bearer BQDnotasecretbutaslongasoneofspotifysaccesstokens0123456789abcdef\
0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789";
/// What the upstream answers.
const ANSWER: usize = 2048;

/// A process on this machine, and what is asked of it.
pub struct Process {
    pub name: String,
    pub place: Place,
    pub request: String,
    pid: u32,
    child: Option<Child>,
    _folder: Option<TempDir>,
}

impl Process {
    fn start(name: &str, port: u16, folder: TempDir, command: &mut Command) -> Self {
        let log_file = folder.path().join("log");
        let log = fs::File::create(&log_file).expect("a file");
        let child = command.stdout(Stdio::null()).stderr(log).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name}: {error}"));
        let (place, request) = (at(port), proxied(port, "Bearer none"));
        let process = Self {
            name: name.to_owned(),
            place,
            request,
            pid: child.id(),
            child: Some(child),
            _folder: Some(folder),
        };
        let end = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || fs::read_to_string(&log_file).unwrap_or_default();
            assert!(Instant::now() < end, "{name} does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        process
    }

    /// The same process, asked for something else.
    pub fn elsewhere(&self, name: String, request: String, place: Place) -> Self {
        Self {
            name: name.to_owned(),
            place,
            request,
            pid: self.pid,
            child: None,
            _folder: None,
        }
    }

    /// What it has used so far, in user and in kernel mode.
    pub fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid)).expect("Linux");
        let nanoseconds = tasks.flatten().filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap_or_default();
            child.wait().map(drop).unwrap_or_default();
        }
    }
}

fn proxied(port: u16, bearer: &str) -> String {
    request("/v1/me/player", &format!("127.0.0.1:{port}"), bearer)
}

fn request(path: &str, host: &str, bearer: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {bearer}\r\nAccept: */*\r\n\r\n")
}

/// For an upstream on 127.0.0.1, signed by itself.
pub struct Certificate(TempDir);

impl Certificate {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Command::new("openssl")
            .args(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
                    .split(' '),
            )
            .args("-subj /CN=upstream -keyout key.pem -out cert.pem -addext".split(' '))
            .args([
                "subjectAltName=IP:127.0.0.1",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
            .current_dir(folder.path())
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("openssl").success());
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// What all of them pass requests on to.
pub struct Upstream {
    port: u16,
    scheme: &'static str,
    certificate: PathBuf,
    /// Asked without a proxy in between.
    pub process: Process,
}

impl Upstream {
    pub fn start(certificate: &Certificate, tls: bool) -> Self {
        let port = free_port();
        let (scheme, ssl) = if tls {
            let (cert, key) = (certificate.file("cert.pem"), certificate.file("key.pem"));
            let files = format!(
                "ssl_certificate {}; ssl_certificate_key {};",
                cert.display(),
                key.display()
            );
            ("https", files)
        } else {
            ("http", String::new())
        };
        let listen = if tls {
            format!("{port} ssl")
        } else {
            port.to_string()
        };
        let body = "x".repeat(ANSWER);
        let server = format!(
            "server {{ listen 127.0.0.1:{listen}; {ssl} default_type application/json; return 200 \"{body}\"; }}"
        );
        let process = start_nginx("direct", port, &server, &processors::others());
        Self {
            port,
            scheme,
            certificate: certificate.file("cert.pem"),
            process,
        }
    }

    fn origin(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    fn is_tls(&self) -> bool {
        self.scheme == "https"
    }
}

fn start_nginx(name: &str, port: u16, servers: &str, processors: &[usize]) -> Process {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display();
    let text = format!(
        "daemon off; master_process off; pid {path}/pid; error_log {path}/error;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {path}/a; \
         proxy_temp_path {path}/b; fastcgi_temp_path {path}/c; uwsgi_temp_path {path}/d; scgi_temp_path {path}/e;\n\
         {servers} }}\n"
    );
    let config = folder.path().join("nginx.conf");
    fs::write(&config, text).expect("a file");
    let mut command = processors::bound(processors, &program("nginx"));
    command.arg("-c").arg(&config).arg("-p").arg(folder.path());
    Process::start(name, port, folder, &mut command)
}

/// Debian puts servers where not everybody looks.
fn program(name: &str) -> PathBuf {
    let usual = Path::new("/usr/sbin").join(name);
    if usual.exists() { usual } else { name.into() }
}

pub fn nginx(upstream: &Upstream) -> Process {
    let port = free_port();
    let scheme = upstream.scheme;
    start_nginx(
        "nginx",
        port,
        &format!(
            "upstream up {{ server 127.0.0.1:{}; keepalive 512; keepalive_requests 1000000000; }}\n\
             server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {scheme}://up; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; proxy_set_header Authorization \"{BEARER}\"; }} }}",
            upstream.port
        ),
        &processors::last(),
    )
}

/// Answers by itself, with about as much as an answer with a token has.
pub fn nginx_alone() -> Process {
    let port = free_port();
    let body = "x".repeat(400);
    let server = format!(
        "server {{ listen 127.0.0.1:{port}; default_type application/json; return 200 \"{body}\"; }}"
    );
    start_nginx("nginx", port, &server, &processors::last())
}

pub fn haproxy(upstream: &Upstream) -> Process {
    let port = free_port();
    let folder = tempfile::tempdir().expect("a folder");
    let ssl = if upstream.is_tls() {
        "ssl verify none"
    } else {
        ""
    };
    let text = format!(
        "global\n nbthread 1\n maxconn 4096\ndefaults\n mode http\n timeout connect 5s\n timeout client 60s\n \
         timeout server 60s\n http-reuse always\nfrontend f\n bind 127.0.0.1:{port}\n \
         http-request set-header Authorization \"{BEARER}\"\n default_backend b\nbackend b\n \
         server s 127.0.0.1:{} {ssl}\n",
        upstream.port
    );
    let config = folder.path().join("haproxy.cfg");
    fs::write(&config, text).expect("a file");
    let mut command = processors::bound(&processors::last(), &program("haproxy"));
    command.arg("-db").arg("-f").arg(&config);
    Process::start("HAProxy", port, folder, &mut command)
}

pub async fn axum(upstream: &Upstream) -> Process {
    let port = free_port();
    let folder = tempfile::tempdir().expect("a folder");
    let binary = std::env::current_exe().expect("this program");
    let mut command = processors::bound(&processors::last(), &binary);
    command.args(["axum-child", &port.to_string(), &upstream.origin()]);
    Process::start("axum + reqwest", port, folder, &mut command)
}

/// A store with a grant and a key, and the simulator that they come from.
pub struct Refrain {
    name: String,
    binary: PathBuf,
    folder: TempDir,
    sim: Sim,
    key: String,
}

impl Refrain {
    pub async fn signed_in(name: String, binary: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sim = world::sim().await;
        let path = config(&folder, &sim, &sim.api_url(), free_port());
        let sources = Sources {
            file: Some(path),
            ..Sources::default()
        };
        let read = Config::load_from(&sources).expect("a configuration");
        let refrain = refrain::Refrain::open(read).await.expect("a store");
        world::login(&refrain, &sim, "alice").await;
        let new = NewKey {
            name: "bench".parse().expect("a name"),
            grants: Grants::Only(["alice".parse().expect("a name")].into()),
            permissions: [Permission::Proxy, Permission::Token].into_iter().collect(),
            rewrite_links: false,
            lifetime: None,
        };
        let (key, _) = refrain.create_key(new).await.expect("a key");
        let key = key.expose().to_owned();
        Self {
            name,
            binary: binary.to_owned(),
            folder,
            sim,
            key,
        }
    }

    pub async fn serve(&self, upstream: &Upstream) -> Process {
        let port = free_port();
        let path = config(&self.folder, &self.sim, &upstream.origin(), port);
        let mut command = processors::bound(&processors::last(), &self.binary);
        command
            .arg("--config")
            .arg(path)
            .arg("serve")
            .env("SSL_CERT_FILE", &upstream.certificate);
        let folder = tempfile::tempdir().expect("a folder");
        let mut process = Process::start(&self.name, port, folder, &mut command);
        process.request = proxied(port, &self.bearer());
        process
    }

    /// Asks for the token itself.
    pub fn token_request(&self, place: &Place) -> String {
        let host = match place {
            Place::Tcp(address) => address.to_string(),
            Place::Unix(_) => "localhost".to_owned(),
        };
        request("/refrain/v1/grants/alice/token", &host, &self.bearer())
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.key)
    }

    pub fn socket(&self) -> Place {
        Place::Unix(self.folder.path().join("socket"))
    }
}

fn config(folder: &TempDir, sim: &Sim, api: &str, port: u16) -> PathBuf {
    let app = sim.default_app();
    let path = folder.path();
    let private = |name: &str, text: &str| {
        let file = path.join(name);
        let mut options = fs::OpenOptions::new();
        let opened = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&file);
        std::io::Write::write_all(&mut opened.expect("a file"), text.as_bytes()).expect("a file");
        file
    };
    let secret = private("secret", &app.client_secret.expect("confidential"));
    let folder = path.display();
    private(
        "refrain.toml",
        &format!(
            "store = \"sqlite:{folder}/refrain.db\"\n[sealing]\nkey_file = \"{folder}/master.key\"\n\
             [apps.default]\nclient_id = \"{}\"\nclient_secret_file = \"{}\"\n\
             redirect_uri = \"http://127.0.0.1:4280/callback\"\nscopes = [\"user-read-private\"]\n\
             [spotify]\naccounts_url = \"{}\"\napi_url = \"{api}\"\n\
             [server]\nlisten = \"127.0.0.1:{port}\"\nsocket = \"{folder}/socket\"\n",
            app.client_id,
            secret.display(),
            sim.accounts_url()
        ),
    )
}
