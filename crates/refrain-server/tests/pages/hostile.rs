//! Pages of somebody else's, in the browser of a user who is signed in to the app and to the dashboard.

use refrain::{
    access::{Grants, Permission},
    keeper::links::{NewLink, USUAL_LIFE},
};
use refrain_sim::Counts;
use serde_json::{Value, json};

use crate::{
    chromium::{Chromium, Setup},
    foreign::Foreign,
    site::Site,
    world::client,
};

/// Everything that somebody could have changed.
#[derive(Debug, PartialEq)]
struct Standing {
    spotify: Counts,
    events: Value,
    grants: Vec<String>,
    keys: usize,
    sessions: u64,
}

struct Victim {
    site: Site,
    browser: Chromium,
    key: String,
    link: String,
}

impl Victim {
    async fn new() -> Self {
        let site = Site::with_app().await;
        let browser = site.browser().await;
        site.enter(&browser).await;
        let key = site.world.key_for(Grants::All, &[Permission::Manage]).await;
        let new = NewLink {
            grant: "carol".parse().unwrap(),
            app: None,
            scope: None,
            return_to: None,
            reconnect: None,
            lifetime: USUAL_LIFE,
        };
        let (link, _) = site.world.refrain.create_link(new).await.unwrap();
        let link = format!("/connect/{}", link.expose());
        Self {
            site,
            browser,
            key,
            link,
        }
    }

    async fn standing(&self) -> Standing {
        let world = &self.site.world;
        let events = client().get(world.url("/refrain/v1/events"));
        let events = events.bearer_auth(&self.key).send().await.unwrap();
        let grants = world.refrain.grants().await.unwrap().into_iter();
        let user = self.site.users_grant().await;
        Standing {
            spotify: world.sim.counts(),
            events: events.json().await.unwrap(),
            grants: grants
                .map(|it| format!("{} {:?}", it.name, it.status))
                .collect(),
            keys: world.refrain.keys().await.unwrap().len(),
            sessions: world.refrain.sessions_of(user.name()).await.unwrap(),
        }
    }

    /// Who was signed in still is, here and there, and the link still waits.
    async fn check_unharmed(self) {
        let Self {
            site,
            browser,
            link,
            ..
        } = self;
        browser.open(&site.url("/")).await;
        browser.find("#tracks li").await;
        browser.open(&site.url("/dashboard")).await;
        browser.find("header nav").await;
        browser.open(&site.url(&link)).await;
        browser.heading("Connect your Spotify account").await;
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_another_origin_changes_or_reads_anything() {
    let victim = Victim::new().await;
    let theirs = Foreign::with("<h1>Theirs</h1>".to_owned()).await;
    let origins = [theirs.of_another_site(), theirs.a_port_away()];
    let places = [victim.site.url(""), victim.site.dashboard()];
    for (origin, place) in origins
        .iter()
        .flat_map(|it| places.iter().map(move |to| (it, to)))
    {
        let before = victim.standing().await;
        victim.browser.open(origin).await;
        victim.browser.heading("Theirs").await;
        let what = vec![json!(place), json!(victim.link)];
        let script = include_str!("hostile.js");
        let read = victim.browser.client.execute(script, what).await.unwrap();
        assert_eq!(read, json!([]), "{origin}");
        assert_eq!(victim.standing().await, before, "{origin}");
        // Frames that stayed empty, as whoever sits before them sees it.
        let frames = victim.browser.all("iframe.framed").await;
        assert_eq!(frames.len(), 6);
        for frame in frames {
            frame.enter_frame().await.unwrap();
            let shown = victim.browser.text().await;
            for words in ["Sign", "alice", "Spotify", "listened", "signed_in"] {
                assert!(!shown.contains(words), "{words}: {shown}");
            }
            victim.browser.client.enter_parent_frame().await.unwrap();
        }
    }
    victim.check_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_leads_the_whole_page_here_changes_nothing_either() {
    let victim = Victim::new().await;
    let theirs = Foreign::with("<h1>Theirs</h1>".to_owned()).await;
    let before = victim.standing().await;
    for origin in [theirs.of_another_site(), theirs.a_port_away()] {
        for place in [
            "/v1/me/player/pause",
            "/session/logout?everywhere=true",
            "/session/login",
            "/dashboard/leave",
            "/dashboard/grants/alice/refresh",
            &victim.link,
        ] {
            victim.browser.open(&origin).await;
            victim.browser.heading("Theirs").await;
            let to = victim.site.url(place);
            let script = format!(
                "const form = document.createElement('form'); form.method = 'post'; form.action = '{to}'; \
                 document.body.append(form); form.submit()"
            );
            victim.browser.script(&script).await;
            let arrived =
                format!("return location.href === '{to}' && document.readyState === 'complete'");
            victim.browser.until(&arrived).await;
            let told = victim.browser.text().await;
            assert!(told.contains("a page of another origin"), "{place}: {told}");
        }
    }
    assert_eq!(victim.standing().await, before);
    victim.check_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_another_page_opens_is_out_of_its_reach() {
    let victim = Victim::new().await;
    let theirs = Foreign::with("<h1>Theirs</h1>".to_owned()).await;
    let client = &victim.browser.client;
    for origin in [theirs.of_another_site(), theirs.a_port_away()] {
        for (place, shown) in [
            ("/", "What I have listened to"),
            ("/dashboard", "All 2 grants are connected"),
            ("/session/login", "Sign in with Spotify"),
            (&*victim.link, "Connect your Spotify account"),
        ] {
            victim.browser.open(&origin).await;
            let home = client.window().await.unwrap();
            let open = format!(
                "window.it = open('{}'); return true",
                victim.site.url(place)
            );
            victim.browser.script(&open).await;
            let windows = client.windows().await.unwrap();
            let opened = windows.into_iter().find(|it| *it != home).unwrap();
            client.switch_to_window(opened).await.unwrap();
            victim.browser.heading(shown).await;
            let back = "return window.opener === null";
            assert_eq!(victim.browser.script(back).await, true, "{place}");
            client.switch_to_window(home.clone()).await.unwrap();
            let read = "try { return [it.closed, it.length, it.document.body.textContent] } catch { return \
                        [it.closed, it.length] }";
            assert_eq!(
                victim.browser.script(read).await,
                json!([true, 0]),
                "{place}"
            );
            for window in client.windows().await.unwrap() {
                if window != home {
                    client.switch_to_window(window).await.unwrap();
                    client.close_window().await.unwrap();
                }
            }
            client.switch_to_window(home).await.unwrap();
        }
    }
    victim.check_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_somebody_lets_lead_here_is_not_answered() {
    let site = Site::with_app().await;
    let browser = Chromium::with(Setup {
        rebound: true,
        ..Setup::default()
    })
    .await;
    site.enter(&browser).await;
    let before = site.world.sim.counts();
    let port = site.world.address.port();
    // Not one of the pages that forbid their scripts everything.
    let here = format!("http://evil.example:{port}/healthz");
    browser.open(&here).await;
    let told = browser.text().await;
    assert!(told.contains("does not go by the name"), "{told}");
    // A page of that name is of the same origin as what it calls, and reads every answer.
    let script = "const places = ['/', '/app.js', '/session', '/session/login', '/v1/me', '/dashboard', \
                  '/refrain/v1/grants', '/healthz', '/nowhere']; return Promise.all(places.flatMap(place => \
                  ['GET', 'POST', 'DELETE'].map(method => fetch(place, {method, credentials: 'include', headers: \
                  {'refrain-csrf': '1'}}).then(it => it.status)))).then(it => [...new Set(it)])";
    assert_eq!(browser.script(script).await, json!([421]));
    assert_eq!(site.world.sim.counts(), before);
    browser.open(&site.url("/")).await;
    browser.find("#tracks li").await;
    browser.close().await;
}
