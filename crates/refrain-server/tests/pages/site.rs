//! A server with a dashboard, and whoever looks at it.

use std::{path::Path, time::Duration};

use refrain::{
    Grant,
    access::{Grants, Permission},
    config::SessionKeep,
    seal::{Field, Owner},
    session::Whose,
};
use refrain_sim::{Action, Fault, Profile, Rotation, Target, User};
use serde_json::{Value, json};

use crate::{
    chromium::{Chromium, Setup},
    connect::decide,
    overheard::Overheard,
    world::World,
};

pub const HOUR: Duration = Duration::from_hours(1);

pub struct Site {
    pub world: World,
    /// How the sessions of the example app are kept, where there is one; the dashboard is at another name then.
    app: Option<SessionKeep>,
    /// The tokens of the example app's users, and of alice.
    heard: Overheard,
}

impl Site {
    /// With the grant `alice`.
    pub async fn new() -> Self {
        Self::with(Profile::default()).await
    }

    /// Where nobody has signed in yet.
    pub async fn empty() -> Self {
        Self {
            world: World::empty().await,
            app: None,
            heard: Overheard::default(),
        }
    }

    pub async fn with(profile: Profile) -> Self {
        // Spotify shows its page, and somebody presses a button there.
        let world = World::new(Profile {
            auto_consent: false,
            ..profile
        })
        .await;
        let heard = Overheard::default();
        Self {
            world,
            app: None,
            heard,
        }
    }

    /// With the example app, and alice and bob as its users. Spotify knows alice's consent, and not bob's.
    pub async fn with_app() -> Self {
        Self::with_app_keeping(SessionKeep::Store).await
    }

    /// The same, with sessions that are kept so.
    pub async fn with_app_keeping(keep: SessionKeep) -> Self {
        let profile = Profile {
            users: vec![User::new("alice"), User::new("bob")],
            auto_consent: false,
            ..Profile::default()
        };
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/web-app");
        let heard = Overheard::default();
        let over = |inner| heard.over(inner);
        let world = World::with_web_app(profile, Path::new(folder), keep, over).await;
        Self {
            world,
            app: Some(keep),
            heard,
        }
    }

    /// Opens the app, and goes to Spotify from there.
    pub async fn begin(&self, browser: &Chromium, user: &str) {
        self.world.sim.sign_in_as(user);
        browser.open(&self.url("/")).await;
        let button = browser.find("#sign-in:not([hidden]) button").await;
        button.click().await.unwrap();
    }

    /// Signs bob in to the app, as he does it himself.
    pub async fn enter(&self, browser: &Chromium) {
        self.begin(browser, "bob").await;
        // Spotify asks nothing where bob has consented already.
        browser
            .find("select[name=user], #sign-out:not([hidden])")
            .await;
        if browser.has("select[name=user]").await {
            decide(browser, "bob", "allow").await;
        }
        browser.find("#sign-out:not([hidden])").await;
    }

    /// The cookie of the session, as the browser tells it.
    pub async fn session_cookie(&self, browser: &Chromium) -> Value {
        let held = browser.devtools("Network.getAllCookies", json!({})).await;
        let name = format!("refrain-session-{}", self.world.address.port());
        let cookies = held["cookies"].as_array().unwrap();
        let mut ours = cookies.iter().filter(|it| it["name"] == name);
        ours.next().unwrap().clone()
    }

    /// Which login the session is of, and which refresh token of that it has.
    pub async fn generation(&self, browser: &Chromium) -> (u64, u64) {
        if self.app == Some(SessionKeep::Cookie) {
            let cookie = self.session_cookie(browser).await;
            let parts: Vec<&str> = cookie["value"].as_str().unwrap().split('.').collect();
            return (parts[2].parse().unwrap(), parts[3].parse().unwrap());
        }
        let row = self.users_grant().await.row().await.unwrap();
        (row.epoch.0, row.generation.0)
    }

    /// All tokens that Spotify has given until now.
    pub fn tokens(&self) -> Vec<String> {
        self.heard.tokens()
    }

    /// The grant of the app's one user, where the store has it.
    pub async fn users_grant(&self) -> Grant {
        let grants = self.world.refrain.grants().await.unwrap().into_iter();
        let mut grants = grants.filter(|it| it.name.as_str().starts_with("web-"));
        let only = grants.next().unwrap();
        assert!(grants.next().is_none(), "one user, one grant");
        self.world.refrain.grant_named(&only.name)
    }

    /// The refresh token of a grant, in the clear.
    pub async fn refresh_token(&self, name: &str) -> String {
        let row = self.world.refrain.grant(name).await.unwrap();
        let row = row.row().await.unwrap();
        let tokens = row.tokens.as_ref().unwrap();
        let sealer = &self.world.refrain.parts().sealer;
        let key = sealer
            .open_data_key(&Owner::of(&row), &tokens.data_key)
            .unwrap();
        let token = key.open(Field::RefreshToken, row.generation.0, &tokens.refresh);
        token.unwrap().to_string()
    }

    pub fn url(&self, path: &str) -> String {
        if path.starts_with("/dashboard") || path.starts_with("/sign-in") {
            return format!("{}{path}", self.dashboard());
        }
        self.world.url(path)
    }

    /// The origin of the dashboard.
    pub fn dashboard(&self) -> String {
        let name = if self.app.is_some() {
            "localhost"
        } else {
            "127.0.0.1"
        };
        self.world.url("").replacen("127.0.0.1", name, 1)
    }

    /// What `refrain dashboard` prints.
    pub async fn link(&self) -> String {
        let opened = self.world.refrain.open_session(Whose::SignIn).await;
        let (link, _) = opened.unwrap();
        self.url(&format!("/sign-in/{}", link.expose()))
    }

    /// A browser in which whoever runs refrain has signed in.
    pub async fn browser(&self) -> Chromium {
        self.browser_with(Setup::default()).await
    }

    pub async fn browser_with(&self, setup: Setup) -> Chromium {
        let browser = Chromium::with(setup).await;
        browser.open(&self.link().await).await;
        browser.press("Sign in").await;
        browser.find("header nav").await;
        browser
    }

    /// Grants in every state that there is, some with a past.
    pub async fn full() -> Self {
        let mut profile = Profile {
            rotation: Rotation::Strict,
            ..Profile::default()
        };
        for (id, name) in [
            ("bob", "Bob Łukasiński"),
            ("carol", "Carol & the Octopuses of the Seven Northern Seas"),
            ("dora", "Dora"),
            ("erin", "Erin"),
        ] {
            let mut user = User::new(id);
            name.clone_into(&mut user.display_name);
            profile.users.push(user);
        }
        let site = Self::with(profile).await;
        site.sign_in_as("bob").await;
        site.past().await;
        for name in ["carol", "dora", "erin"] {
            site.sign_in_as(name).await;
        }
        let refrain = &site.world.refrain;
        refrain.grant("erin").await.unwrap().logout().await.unwrap();
        site.refuse("dora").await;
        // The user has taken the consent back, and nothing else is believed after six hours.
        let client_id = site.world.sim.default_app().client_id;
        site.world.sim.revoke_user(&client_id, "bob");
        for wait in [HOUR, HOUR * 7] {
            site.refresh("bob").await;
            site.world.pass(wait);
        }
        site.refresh("bob").await;
        let may = [Permission::ProxyRead, Permission::Token];
        site.world.key_for(Grants::All, &may).await;
        site
    }

    /// Days with refreshes, some faults and a false refusal.
    async fn past(&self) {
        for day in 0..9 {
            for _ in 0..3 {
                self.world.pass(HOUR * 5);
                self.refresh("alice").await;
                self.refresh("bob").await;
            }
            if day == 4 {
                self.refuse("alice").await;
                self.world.pass(HOUR);
                self.refresh("alice").await;
            }
            if day == 6 {
                let action = Action::Html { status: 503 };
                self.world
                    .sim
                    .script(Fault::once(Target::TokenRefresh, action));
                self.refresh("alice").await;
                self.world.pass(HOUR);
            }
            self.world.pass(HOUR * 8);
        }
    }

    pub async fn sign_in_as(&self, name: &str) {
        self.world.sim.sign_in_as(name);
        self.world.sign_in(name).await;
        self.world.sim.sign_in_as("alice");
    }

    /// One refresh that Spotify refuses for no reason.
    async fn refuse(&self, name: &str) {
        let description = Some("Invalid refresh token".to_owned());
        let action = Action::FalseRefusal { description };
        self.world
            .sim
            .script(Fault::once(Target::TokenRefresh, action));
        self.refresh(name).await;
    }

    /// One refresh, whatever comes of it.
    pub async fn refresh(&self, name: &str) {
        let grant = self.world.refrain.grant(name).await.unwrap();
        let refreshing = async move { grant.refresh().await };
        self.world
            .in_time(refreshing)
            .await
            .map(drop)
            .unwrap_or_default();
    }
}
