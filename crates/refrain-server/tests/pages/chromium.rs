//! A Chromium of a test's own: with a profile in a temporary folder, and gone with the test.

use std::{
    collections::BTreeMap,
    env,
    fs::{self},
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fantoccini::{
    Client, ClientBuilder, Locator,
    elements::Element,
    wd::{Capabilities, WebDriverCompatibleCommand, WindowHandle},
};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

/// How long anything on a page may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a browser is set up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setup {
    /// Pages may run no script.
    pub no_script: bool,
    /// Somebody who has the name `evil.example` lets it lead to this machine.
    pub rebound: bool,
    /// What goes over the network is written down.
    pub overheard: bool,
}

/// A browser.
pub struct Chromium {
    pub client: Client,
    driver: Child,
    profile: TempDir,
}

impl Chromium {
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (driver, port) = driver();
        let mut args = vec![
            "--headless=new".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--window-size=1280,900".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        if is_root() {
            // Its sandbox wants another user.
            args.push("--no-sandbox".to_owned());
        }
        if setup.rebound {
            args.push("--host-resolver-rules=MAP evil.example 127.0.0.1".to_owned());
        }
        let mut prefs = BTreeMap::new();
        if setup.no_script {
            prefs.insert("profile.default_content_setting_values.javascript", 2);
        }
        let mut options = json!({ "args": args, "prefs": prefs });
        if let Some(binary) = found(&["chromium", "chromium-browser"]) {
            options["binary"] = json!(binary);
        }
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        if setup.overheard {
            let kinds = json!({ "performance": "ALL" });
            capabilities.insert("goog:loggingPrefs".to_owned(), kinds);
        }
        let client = ClientBuilder::new(hyper_util_connector())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self {
            client,
            driver,
            profile,
        }
    }

    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// The first element, as soon as it is there.
    pub async fn find(&self, css: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE);
        let found = found.for_element(Locator::Css(css)).await;
        match found {
            Ok(found) => found,
            Err(error) => panic!("{css}: {error}\n{}", self.source().await),
        }
    }

    pub async fn all(&self, css: &str) -> Vec<Element> {
        self.client.find_all(Locator::Css(css)).await.unwrap()
    }

    pub async fn has(&self, css: &str) -> bool {
        !self.all(css).await.is_empty()
    }

    /// Presses a button or a link with these words.
    pub async fn press(&self, words: &str) {
        let path = format!(
            "//*[self::a or self::button or self::summary][starts-with(normalize-space(.), '{words}')]"
        );
        let found = self.client.wait().at_most(PATIENCE);
        let found = found.for_element(Locator::XPath(&path)).await;
        match found {
            Ok(found) => found.click().await.unwrap(),
            Err(error) => panic!("{words}: {error}\n{}", self.source().await),
        }
    }

    /// Waits until the page's heading begins with these words.
    pub async fn heading(&self, words: &str) {
        let path = format!("//h1[starts-with(normalize-space(.), '{words}')]");
        let found = self.client.wait().at_most(PATIENCE);
        let found = found.for_element(Locator::XPath(&path)).await.is_ok();
        assert!(found, "no heading {words:?}:\n{}", self.source().await);
    }

    /// What a person reads.
    pub async fn text(&self) -> String {
        loop {
            // A page that is just left takes its elements along.
            if let Ok(text) = self.find("body").await.text().await {
                return text;
            }
        }
    }

    pub async fn source(&self) -> String {
        self.client.source().await.unwrap()
    }

    pub async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// Runs a script of the test's in the page.
    pub async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// What has gone over the network since this was asked last, as its developer tools tell it.
    pub async fn overheard(&self) -> Vec<Value> {
        let said = self.client.issue_cmd(Log).await.unwrap();
        let said = said.as_array().unwrap().iter();
        let said = said.map(|it| it["message"].as_str().unwrap());
        said.map(|it| serde_json::from_str(it).unwrap()).collect()
    }

    /// Waits until a script of the test's answers with something true.
    pub async fn until(&self, script: &str) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.script(script).await != json!(true) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(waited.await.is_ok(), "{script}\n{}", self.source().await);
    }

    /// Something that only Chromium knows (the protocol of its developer tools).
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let command = DevTools(json!({ "cmd": command, "params": parameters }));
        self.client.issue_cmd(command).await.unwrap()
    }

    /// The same where there may be no answer.
    pub async fn ask(&self, command: &str, parameters: Value) -> Value {
        let command = DevTools(json!({ "cmd": command, "params": parameters }));
        self.client.issue_cmd(command).await.unwrap_or_default()
    }

    pub async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
    }

    /// As wide as a phone, or as a desk.
    pub async fn width(&self, width: u32) {
        let metrics = json!({
            "width": width,
            "height": 844,
            "deviceScaleFactor": 1,
            "mobile": width < 600,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Opens another tab and goes there; answers the one before and the new one.
    pub async fn another_tab(&self) -> (WindowHandle, WindowHandle) {
        let before = self.client.window().await.unwrap();
        let other = self.client.new_window(true).await.unwrap().handle;
        let switched = self.client.switch_to_window(other.clone());
        switched.await.unwrap();
        (before, other)
    }

    /// Leaves a picture of the whole page, where somebody wants to look at it.
    pub async fn picture(&self, name: &str) {
        let Some(folder) = env::var_os("REFRAIN_SCREENSHOTS") else {
            return;
        };
        let size = self.devtools("Page.getLayoutMetrics", json!({})).await;
        let size = &size["cssContentSize"];
        let clip = json!({
            "x": 0, "y": 0, "scale": 1,
            "width": size["width"], "height": size["height"],
        });
        let taken = self
            .devtools(
                "Page.captureScreenshot",
                json!({ "captureBeyondViewport": true, "clip": clip }),
            )
            .await;
        let png = STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        fs::create_dir_all(&folder).unwrap();
        fs::write(PathBuf::from(folder).join(format!("{name}.png")), png).unwrap();
    }

    /// Ends it in good order.
    pub async fn close(self) {
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.driver.kill().unwrap_or_default();
        self.driver.wait().map(drop).unwrap_or_default();
        // Chromium is in no group of the driver's, and knows nothing of its end.
        let profile = self.profile.path().to_string_lossy().into_owned();
        for process in of_profile(&profile) {
            Command::new("kill")
                .args(["-9", &process])
                .stderr(Stdio::null())
                .status()
                .map(drop)
                .unwrap_or_default();
        }
    }
}

/// The processes that were started on a profile.
fn of_profile(profile: &str) -> Vec<String> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let names = processes.flatten().map(|it| it.file_name());
    let numbers = names.filter_map(|it| it.into_string().ok());
    let numbers = numbers.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
    numbers
        .filter(|number| {
            let line = fs::read(Path::new("/proc").join(number).join("cmdline"));
            line.is_ok_and(|line| String::from_utf8_lossy(&line).contains(profile))
        })
        .collect()
}

/// Starts the driver at a port of its own choice. It gives up where somebody has taken that in the meantime.
fn driver() -> (Child, u16) {
    let Some(program) = found(&["chromedriver"]) else {
        panic!(
            "these tests need Chromium and its driver: run scripts/packages, or install `chromium` and \
             `chromium-driver`"
        );
    };
    let started = (0..10).find_map(|_| start(&program));
    started.expect("the driver tells its port")
}

fn start(program: &Path) -> Option<(Child, u16)> {
    let mut driver = Command::new(program)
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.by_ref().find_map(|line| {
        let line = line.unwrap();
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    let Some(port) = port else {
        driver.wait().unwrap();
        return None;
    };
    // It goes on talking, and must find somebody who listens.
    std::thread::spawn(move || lines.for_each(drop));
    Some((driver, port))
}

fn found(names: &[&str]) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&folders).collect();
    let mut programs = names
        .iter()
        .flat_map(|name| folders.iter().map(move |it| it.join(name)));
    programs.find(|it| it.is_file())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

fn hyper_util_connector() -> hyper_util::client::legacy::connect::HttpConnector {
    hyper_util::client::legacy::connect::HttpConnector::new()
}

/// Asks for what was written down.
#[derive(Debug)]
struct Log;

impl WebDriverCompatibleCommand for Log {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let kind = json!({ "type": "performance" });
        (Method::POST, Some(kind.to_string()))
    }
}

/// A command that the standard does not know.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}
