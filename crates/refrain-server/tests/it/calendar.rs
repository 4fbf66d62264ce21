//! The days of reauthorization, as a calendar program asks for them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use refrain::access::{Grants, Permission};
use refrain_sim::Profile;
use reqwest::{Response, StatusCode};

use crate::world::{World, client, only};

const PATH: &str = "/refrain/v1/reauthorizations.ics";

async fn with_password(world: &World, path: &str, user: &str, password: &str) -> Response {
    let request = client().get(world.url(path));
    request
        .basic_auth(user, Some(password))
        .send()
        .await
        .unwrap()
}

/// The lines of a calendar, each whole.
async fn lines(answer: Response) -> Vec<String> {
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(
        answer.headers()["content-type"],
        "text/calendar; charset=utf-8"
    );
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains('\n'));
    assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
    text.replace("\r\n ", "")
        .lines()
        .map(str::to_owned)
        .collect()
}

fn values<'l>(lines: &'l [String], name: &str) -> Vec<&'l str> {
    let values = lines.iter().filter_map(|line| line.strip_prefix(name));
    values.filter_map(|it| it.strip_prefix(':')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_grant_that_the_key_reaches_has_its_day() {
    let world = World::new(Profile::default()).await.with_bob().await;
    world.sign_in("carol").await;
    let carol = world.refrain.grant("carol").await.unwrap();
    carol.logout().await.unwrap();
    let key = world.key_for(Grants::All, &[Permission::ProxyRead]).await;
    let all = lines(with_password(&world, PATH, "anybody", &key).await).await;
    assert_eq!(all.first().unwrap(), "BEGIN:VCALENDAR");
    assert_eq!(all.last().unwrap(), "END:VCALENDAR");
    assert_eq!(values(&all, "VERSION"), ["2.0"]);
    let summaries = [
        "Spotify: sign in again (alice)",
        "Spotify: sign in again (bob)",
    ];
    assert_eq!(values(&all, "SUMMARY"), summaries);
    let alice = world.refrain.grant("alice").await.unwrap();
    let consent = alice.summary().await.unwrap().consent.unwrap();
    let instant = consent.reauthorize_by.to_string();
    let day = instant.split('T').next().unwrap().replace('-', "");
    assert_eq!(values(&all, "DTSTART;VALUE=DATE")[0], day);
    assert!(values(&all, "DTEND;VALUE=DATE")[0] > day.as_str());
    assert_eq!(values(&all, "TRIGGER"), ["-P7D", "-P1D", "-P7D", "-P1D"]);
    let stamp = consent.authorized_at.to_string().replace(['-', ':'], "");
    assert_eq!(values(&all, "DTSTAMP")[0], stamp);
    let uids = values(&all, "UID");
    assert_ne!(uids[0], uids[1]);

    // The same login is the same event, whoever asks; a new one is another.
    let of_alice = world.key_for(only(["alice"]), &[Permission::Token]).await;
    let bearer = client().get(world.url(PATH)).bearer_auth(&of_alice);
    let some = lines(bearer.send().await.unwrap()).await;
    assert_eq!(values(&some, "UID"), [uids[0]]);
    world.sign_in("alice").await;
    let again = lines(with_password(&world, PATH, "", &of_alice).await).await;
    assert_eq!(values(&again, "UID").len(), 1);
    assert_ne!(values(&again, "UID"), [uids[0]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_a_password_for_the_calendar_and_nowhere_else() {
    let world = World::new(Profile::default()).await;
    let everything = [Permission::Proxy, Permission::Token, Permission::Manage];
    let key = world.key_for(Grants::All, &everything).await;
    for path in [
        "/v1/me",
        "/metrics",
        "/refrain/v1/grants",
        "/refrain/v1/grants/alice/token",
        "/refrain/v1/openapi.json",
    ] {
        let refused = with_password(&world, path, "me", &key).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(
            refused.headers()["www-authenticate"],
            "Bearer realm=\"refrain\"",
            "{path}"
        );
    }
    let url = world.url(PATH);
    let nothing = client().get(&url).send().await.unwrap();
    let half = with_password(&world, PATH, "me", key.get(..key.len() - 1).unwrap()).await;
    let as_user = with_password(&world, PATH, &key, "").await;
    let pair = STANDARD.encode(&key);
    let no_colon = client()
        .get(&url)
        .header("authorization", format!("Basic {pair}"));
    let no_colon = no_colon.send().await.unwrap();
    for refused in [nothing, half, as_user, no_colon] {
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        let challenge = &refused.headers()["www-authenticate"];
        assert_eq!(challenge, "Basic realm=\"refrain\", charset=\"UTF-8\"");
    }
    let in_url = client()
        .get(format!("{url}?key={key}"))
        .send()
        .await
        .unwrap();
    assert_eq!(in_url.headers()["refrain-error"], "key_in_url");
    // Wrong passwords count like wrong keys.
    let mut last = StatusCode::UNAUTHORIZED;
    for _ in 0..100 {
        last = with_password(&world, PATH, "me", "rfk_wrong")
            .await
            .status();
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let right = with_password(&world, PATH, "me", &key).await;
    assert_eq!(right.status(), StatusCode::OK, "a valid one is not held up");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_very_many_days_the_nearest_are_told() {
    let world = World::new(Profile::default()).await;
    world.with_many("g-", 1200).await;
    let key = world.key_for(Grants::All, &[Permission::ProxyRead]).await;
    let all = lines(with_password(&world, PATH, "anybody", &key).await).await;
    let summaries = values(&all, "SUMMARY");
    assert_eq!(summaries.len(), 1000);
    assert_eq!(summaries[0], "Spotify: sign in again (g-01199)");
    // Alice's day is in half a year, among them.
    assert_eq!(summaries[999], "Spotify: sign in again (g-00201)");
}
