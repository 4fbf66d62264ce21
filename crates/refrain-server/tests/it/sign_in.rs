//! Whoever runs refrain signs in with a browser.

use std::time::Duration;

use refrain::session::{SessionToken, Whose};
use refrain_sim::Profile;
use reqwest::{Client, Response, StatusCode};

use crate::world::{World, client};

async fn link(world: &World) -> String {
    let (link, _) = world.refrain.open_session(Whose::SignIn).await.unwrap();
    world.url(&format!("/sign-in/{}", link.expose()))
}

async fn press(client: &Client, link: &str) -> Response {
    client.post(link).send().await.unwrap()
}

fn cookie(answer: &Response) -> Option<String> {
    let set = answer.headers().get("set-cookie")?;
    Some(set.to_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_one_browser_in_and_no_other() {
    let world = World::new(Profile::default()).await;
    let link = link(&world).await;
    for _ in 0..3 {
        let page = client().get(&link).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        assert!(cookie(&page).is_none(), "looking at it uses nothing up");
        let policy = page.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.ends_with("form-action 'self'"), "{policy}");
        let text = page.text().await.unwrap();
        assert!(text.contains("<form method=\"post\">"), "{text}");
        let secret = link.rsplit('/').next().unwrap();
        assert!(!text.contains(secret), "a link is on no page");
    }
    let signed_in = press(&client(), &link).await;
    assert_eq!(signed_in.status(), StatusCode::SEE_OTHER);
    assert_eq!(signed_in.headers()["location"], "/dashboard");
    let given = cookie(&signed_in).unwrap();
    let port = world.url("").rsplit(':').next().unwrap().to_owned();
    let (name, rest) = given.split_once('=').unwrap();
    assert_eq!(name, format!("refrain-admin-{port}"));
    let (token, rest) = rest.split_once("; ").unwrap();
    assert_eq!(rest, "Path=/; Max-Age=43200; HttpOnly; SameSite=Lax");
    let token = SessionToken::parse(token).unwrap();
    assert!(!link.contains(token.expose()), "it is a session of its own");
    let session = world.refrain.verify_session(&token).await.unwrap();
    assert_eq!(session.whose, Whose::Admin);

    let again = press(&client(), &link).await;
    assert_eq!(again.status(), StatusCode::GONE);
    assert_eq!(again.headers()["refrain-error"], "sign_in_unknown");
    assert!(cookie(&again).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_browsers_that_press_at_once_one_is_signed_in() {
    let world = World::new(Profile::default()).await;
    let link = link(&world).await;
    let mut browsers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let link = link.clone();
        browsers.spawn(async move { press(&client(), &link).await.status() });
    }
    let answers = browsers.join_all().await.into_iter();
    assert_eq!(answers.filter(|it| *it == StatusCode::SEE_OTHER).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_has_its_time_and_is_for_pages_of_ours() {
    let world = World::new(Profile::default()).await;
    let link = link(&world).await;
    let foreign = client()
        .post(&link)
        .header("origin", "https://evil.example");
    let foreign = foreign.send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    world.pass(Duration::from_secs(600));
    assert_eq!(press(&client(), &link).await.status(), StatusCode::GONE);
    for none in ["x", &"0".repeat(37), "..%2f"] {
        let answer = press(&client(), &world.url(&format!("/sign-in/{none}"))).await;
        assert_eq!(answer.status(), StatusCode::GONE, "{none}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_tries_many_links_is_held_up() {
    let world = World::new(Profile::default()).await;
    let unknown = world.url(&format!("/sign-in/{}", "0".repeat(37)));
    for _ in 0..20 {
        assert_eq!(press(&client(), &unknown).await.status(), StatusCode::GONE);
    }
    let held_up = press(&client(), &unknown).await;
    assert_eq!(held_up.status(), StatusCode::TOO_MANY_REQUESTS);
    let link = link(&world).await;
    let valid = press(&client(), &link).await;
    assert_eq!(valid.status(), StatusCode::SEE_OTHER, "a valid one is not");
}
