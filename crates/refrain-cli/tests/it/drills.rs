//! Disasters, and the lines of `docs/operations.md` that people type then.

use std::{fs, path::PathBuf, process::Stdio};

use refrain_sim::{Action, Fault, Profile, Target};

use crate::home::{Home, Output, Running};

/// The shell blocks under a heading.
fn blocks(heading: &str) -> Vec<String> {
    let page = include_str!("../../../../docs/operations.md");
    let (_, rest) = page.split_once(&format!("\n### {heading}\n")).unwrap();
    let section = rest.split("\n#").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    let blocks = blocks.map(|it| it.split_once("```").unwrap().0.to_owned());
    blocks.collect()
}

/// Somebody who has signed in, and has copies in another place.
struct Drill {
    home: Home,
}

impl Drill {
    async fn new(profile: Profile) -> Self {
        let home = Home::with(profile).await;
        home.login("default");
        fs::create_dir(home.path().join("safe")).unwrap();
        let drill = Self { home };
        fs::copy(drill.home.key_file(), drill.safe("master.key")).unwrap();
        drill
    }

    fn safe(&self, name: &str) -> PathBuf {
        self.home.path().join("safe").join(name)
    }

    fn shell(&self, lines: &str) -> std::process::Command {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_refrain"));
        let folder = binary.parent().unwrap().display();
        let mut shell = self.home.program("sh", &["-euc", lines]);
        shell
            .env("PATH", format!("{folder}:/usr/bin:/bin"))
            .env("KEY_FILE", self.home.key_file())
            .env("STORE", self.home.database())
            .env("SAFE", self.home.path().join("safe"));
        shell
    }

    /// Types lines in that ask nothing.
    fn types(&self, lines: &str) -> Output {
        Output::of(self.shell(lines).stdin(Stdio::null()))
    }

    /// Types lines in of which one is a login, and consents.
    fn types_and_consents(&self, lines: &str) -> Output {
        let mut running = Running::start(&mut self.shell(lines));
        let url = loop {
            let line = running.line();
            if line.starts_with("http") {
                break line;
            }
        };
        running.type_in(&(self.home.sim.consent(&url).unwrap() + "\n"));
        running.wait()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_comes_back_from_its_copy() {
    let drill = Drill::new(Profile::default()).await;
    fs::remove_file(drill.home.key_file()).unwrap();
    let missing = drill.home.run(&["token", "--json"]);
    assert_eq!(missing.code, 6, "{missing:?}");
    assert!(!drill.home.key_file().exists(), "no new key is made");
    let [lines] = &blocks("The master key is lost, and there is a copy")[..] else {
        panic!("one block");
    };
    drill.types(lines).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_copy_of_the_key_everybody_begins_anew() {
    let drill = Drill::new(Profile::default()).await;
    fs::remove_file(drill.home.key_file()).unwrap();
    let [lines] = &blocks("The master key is lost, and there is none")[..] else {
        panic!("one block");
    };
    drill.types_and_consents(lines).ok();
    let lost = drill.safe("lost/refrain.db");
    let mut found = drill.home.command(&["token"]);
    found.env("REFRAIN_STORE", format!("sqlite:{}", lost.display()));
    found.env("REFRAIN_SEALING_KEY_FILE", drill.safe("master.key"));
    Output::of(found.stdin(Stdio::null())).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_have_read_opens_nothing_more() {
    let drill = Drill::new(Profile::default()).await;
    let [rotated, signed_in] = &blocks("The master key was read by others")[..] else {
        panic!("two blocks");
    };
    let old = fs::read(drill.home.key_file()).unwrap();
    drill.types(rotated).ok();
    let new = fs::read(drill.home.key_file()).unwrap();
    fs::write(drill.home.key_file(), &old).unwrap();
    let stolen = drill.home.run(&["token", "--json"]);
    assert_eq!(stolen.code, 6, "{stolen:?}");
    fs::write(drill.home.key_file(), new).unwrap();
    drill.home.run(&["token"]).ok();
    drill.types_and_consents(signed_in).ok();
    drill.home.run(&["token"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_put_back() {
    let drill = Drill::new(Profile::default()).await;
    let [made, restored] = &blocks("The store has to be restored")[..] else {
        panic!("two blocks");
    };
    drill.types(made).ok();
    fs::write(drill.home.database(), "a letter to a friend".repeat(500)).unwrap();
    let output = drill.types(restored).ok();
    assert!(output.stdout.contains("suspect (restored)"), "{output:?}");
    drill.home.run(&["token"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_passes() {
    let drill = Drill::new(Profile::default()).await;
    let [lines] = &blocks("Spotify is down")[..] else {
        panic!("one block");
    };
    let down = Action::Html { status: 503 };
    drill
        .home
        .sim
        .script(Fault::times(Target::TokenRefresh, 100, down));
    let refused = drill.home.run(&["refresh", "--json"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    // The token that there is works to its end.
    let output = drill.types(lines).ok();
    assert!(output.stdout.contains("503"), "{output:?}");
}
