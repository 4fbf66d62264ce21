//! Grants are told of without anybody asking: once, signed, until it has arrived.

mod killed;
mod program;
mod turns;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use refrain::{
    access::{Grants, Permission},
    config,
    notice::{Message, Target, TargetId, delivery::LEASE},
    secret::WebhookSecret,
    time::Clock as _,
};
use refrain_sim::Profile;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    receiver::{Receiver, hmac},
    world::{World, client, only},
};

const KEYS: [&[u8]; 2] = [
    b"the first key, made by chance...",
    b"and the second one of 32 bytes..",
];
/// What has not come of a delivery when so much time has passed in the world will not come.
const WAITED: Duration = Duration::from_secs(180);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn settings<const N: usize>(receivers: [&Receiver; N]) -> config::Notices {
    let mut settings = config::Notices::default();
    settings.webhooks = receivers.map(|it| it.url.parse().unwrap()).to_vec();
    let secret = |key: &&[u8]| WebhookSecret::parse(&format!("whsec_{}", STANDARD.encode(key)));
    settings.secrets = KEYS.iter().map(|key| secret(key).unwrap()).collect();
    settings
}

/// The list of what was told, the newest first, once there are deliveries that have come to this.
async fn told(world: &World, key: &str, ready: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let client = client();
    let begun = world.clock.uptime();
    let asking = async {
        loop {
            let answer = client
                .get(world.url("/refrain/v1/notices"))
                .bearer_auth(key);
            let answer = answer.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let mut answer: Value = answer.json().await.unwrap();
            let notices: Vec<Value> = serde_json::from_value(answer["notices"].take()).unwrap();
            if ready(&notices) {
                return notices;
            }
            let waited = world.clock.uptime().since(begun);
            assert!(waited < WAITED, "not what is waited for: {notices:#?}");
        }
    };
    world.in_time(asking).await
}

/// Lets a server look once more; it does so every five seconds.
async fn looked(world: &World) {
    world.in_time(world.clock.sleep(MINUTE / 6)).await;
}

fn outcome(notices: &[Value]) -> Option<&str> {
    notices.first().and_then(|it| it["outcome"].as_str())
}

async fn manager(world: &World) -> String {
    world.key_for(Grants::All, &[Permission::Manage]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_told_signed_by_every_secret_and_an_old_one_is_not() {
    let mut receiver = Receiver::new([]).await;
    let world = World::telling(&settings([&receiver])).await;
    // The first look: alice was there before.
    let key = manager(&world).await;
    looked(&world).await;
    world.sign_in("bob").await;
    let heard = world.in_time(receiver.next()).await;
    assert_eq!(heard.target, "POST /hook?k=canary-hook HTTP/1.1");
    assert_eq!(heard.headers["content-type"], "application/json");
    let body = heard.json();
    assert_eq!(body["type"], "grant.connected");
    let data = &body["data"];
    assert_eq!(
        (&data["grant"], &data["app"]),
        (&json!("bob"), &json!("default"))
    );
    assert_eq!(
        (&data["status"], &data["days"]),
        (&json!("active"), &Value::Null)
    );
    assert_eq!(body["timestamp"], data["authorized_at"]);
    let timestamp = &heard.headers["webhook-timestamp"];
    let age = world.clock_wall().0 / 1000 - timestamp.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
    let signed = format!("{}.{timestamp}.{}", heard.id(), heard.body);
    let sign = |key: &[u8]| format!("v1,{}", STANDARD.encode(hmac(key, signed.as_bytes())));
    let signatures = KEYS.map(sign).join(" ");
    assert_eq!(heard.headers["webhook-signature"], signatures);

    let notices = told(&world, &key, |it| outcome(it).is_some()).await;
    let [notice] = notices.as_slice() else {
        panic!("{notices:?}");
    };
    assert_eq!(notice["id"], heard.id());
    assert_eq!(
        notice["target"],
        receiver.url.split("/hook").next().unwrap()
    );
    assert_eq!(
        (&notice["attempts"], &notice["outcome"]),
        (&json!(1), &json!("http 204"))
    );
    assert!(notice["delivered_at"].is_string() && notice["next_at"].is_null());
    assert!(receiver.rest().is_empty());
    let metrics = client().get(world.url("/metrics")).bearer_auth(&key);
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    for line in [
        r#"refrain_notices_total{kind="grant.connected"} 1"#,
        r#"refrain_notice_deliveries_total{result="delivered"} 1"#,
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_days_before_the_end_and_the_logout_are_told() {
    let mut receiver = Receiver::new([]).await;
    let world = World::telling(&settings([&receiver])).await;
    let key = manager(&world).await;
    let alice = world.refrain.grant("alice").await.unwrap();
    let end = alice
        .summary()
        .await
        .unwrap()
        .consent
        .unwrap()
        .reauthorize_by;
    looked(&world).await;
    assert!(
        receiver.rest().is_empty(),
        "it was there before anybody told"
    );
    for days in [30, 7, 1] {
        let at = end.before(DAY * days + MINUTE);
        world.pass(at.since(world.clock_wall()));
        world
            .in_time(world.refrain.parts().clock.sleep(Duration::from_secs(20)))
            .await;
        assert!(receiver.rest().is_empty(), "{days}: a minute too early");
        let heard = world.in_time(receiver.next()).await;
        assert_eq!(heard.kind(), "grant.reauthorize_soon");
        let data = &heard.json()["data"];
        assert_eq!(data["days"], days);
        assert_eq!(data["reauthorize_by"], end.to_string());
        // Time is not to leap while it is under way.
        told(&world, &key, |it| it[0]["delivered_at"].is_string()).await;
    }
    alice.logout().await.unwrap();
    let heard = world.in_time(receiver.next()).await;
    assert_eq!(heard.kind(), "grant.signed_out");
    assert_eq!(heard.json()["data"]["status"], "signed_out");
    world.sign_in("alice").await;
    assert_eq!(
        world.in_time(receiver.next()).await.kind(),
        "grant.connected"
    );
    assert!(receiver.rest().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_sent_again_as_it_was() {
    let answers = [
        Some("500 Oops"),
        Some("302 Found\r\nlocation: /elsewhere"),
        Some("200 OK"),
    ];
    let mut receiver = Receiver::new(answers).await;
    let world = World::telling(&settings([&receiver])).await;
    let key = manager(&world).await;
    let test = test(&world, &key).await;
    let first = world.in_time(receiver.next()).await;
    assert_eq!(
        (first.kind(), first.id()),
        ("refrain.test".to_owned(), test.as_str())
    );
    let again = world.in_time(receiver.next()).await;
    assert_eq!((again.id(), &again.body), (first.id(), &first.body));
    let second = |heard: &crate::receiver::Heard| -> i64 {
        heard.headers["webhook-timestamp"].parse().unwrap()
    };
    let pause = second(&again) - second(&first);
    assert!((4..=11).contains(&pause), "{pause}");
    assert_ne!(
        first.headers["webhook-signature"],
        again.headers["webhook-signature"]
    );
    let notices = told(&world, &key, |it| outcome(it) == Some("http 302")).await;
    assert_eq!(notices[0]["attempts"], 2);
    assert!(receiver.rest().is_empty(), "nothing is followed");
    world.pass(MINUTE * 6);
    world.in_time(receiver.next()).await;
    let notices = told(&world, &key, |it| it[0]["delivered_at"].is_string()).await;
    assert_eq!((&notices[0]["attempts"], notices.len()), (&json!(3), 1));
}

/// Sends a message about nothing; its name.
async fn test(world: &World, key: &str) -> String {
    let url = world.url("/refrain/v1/notices/test");
    let answer = client().post(url).bearer_auth(key).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let answer: Value = answer.json().await.unwrap();
    answer["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_come_is_waited_for_ten_seconds() {
    let mut receiver = Receiver::new([None, None]).await;
    let world = World::telling(&settings([&receiver])).await;
    let key = manager(&world).await;
    test(&world, &key).await;
    let first = world.in_time(receiver.next()).await;
    let again = world.in_time(receiver.next()).await;
    assert_eq!(again.id(), first.id());
    let notices = told(&world, &key, |it| it[0]["attempts"] == 2).await;
    assert_eq!(outcome(&notices), Some("timed out"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_time_gets_it() {
    let mut receiver = Receiver::new([Some("503 Later\r\nretry-after: 3600")]).await;
    let world = World::telling(&settings([&receiver])).await;
    let key = manager(&world).await;
    test(&world, &key).await;
    world.in_time(receiver.next()).await;
    told(&world, &key, |it| outcome(it) == Some("http 503")).await;
    world.pass(MINUTE * 55);
    looked(&world).await;
    assert!(receiver.rest().is_empty(), "not before an hour has passed");
    world.pass(MINUTE * 5);
    world.in_time(receiver.next()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_gone_hears_nothing_until_the_configuration_is_another_one() {
    let mut receiver = Receiver::new([Some("410 Gone")]).await;
    let mut other = Receiver::new([]).await;
    let both = settings([&receiver, &other]);
    let mut world = World::telling(&both).await;
    looked(&world).await;
    let key = manager(&world).await;
    test(&world, &key).await;
    world.in_time(receiver.next()).await;
    world.in_time(other.next()).await;
    let gone = |it: &[Value]| it.iter().any(|it| it["given_up_at"].is_string());
    told(&world, &key, gone).await;
    for _ in 0..2 {
        world.sign_in("bob").await;
        world.in_time(other.next()).await;
        assert!(receiver.rest().is_empty());
        world.stop().await;
        world.serve_again(&both).await;
    }
    world.stop().await;
    world.serve_again(&settings([&other])).await;
    looked(&world).await;
    world.stop().await;
    world.serve_again(&both).await;
    world.sign_in("carol").await;
    let heard = world.in_time(receiver.next()).await;
    assert_eq!(heard.json()["data"]["grant"], "carol");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_place_that_is_removed_is_forgotten_as_any_other() {
    let answers = ["500 Oops", "410 Gone", "500 Oops", "500 Oops"];
    let mut receiver = Receiver::new(answers.map(Some)).await;
    let (named, nobody) = (settings([&receiver]), config::Notices::default());
    let mut world = World::telling(&named).await;
    let key = manager(&world).await;
    test(&world, &key).await;
    world.in_time(receiver.next()).await;
    world.in_time(receiver.next()).await;
    told(&world, &key, |it| it[0]["given_up_at"].is_string()).await;
    world.stop().await;
    world.serve_again(&nobody).await;
    looked(&world).await;
    world.stop().await;
    world.serve_again(&named).await;
    test(&world, &key).await;
    world.in_time(receiver.next()).await;
    world.in_time(receiver.next()).await;
    // Now there are five minutes until the next try.
    let twice = |it: &[Value]| it[0]["attempts"] == 2 && it[0]["outcome"] == "http 500";
    told(&world, &key, twice).await;
    world.stop().await;

    world.serve_again(&nobody).await;
    looked(&world).await;
    let left = told(&world, &key, |_| true).await;
    assert_eq!(left.len(), 2, "who comes back within a day gets it");
    world.pass(DAY);
    looked(&world).await;
    let left = told(&world, &key, |_| true).await;
    assert_eq!(left.len(), 1);
    assert!(left[0]["given_up_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_an_old_configuration_leaves_nothing_out_of_a_new_one() {
    let mut old = Receiver::new([]).await;
    let mut new = Receiver::new([]).await;
    let mut world = World::telling(&settings([&old])).await;
    let (_, stop, beside) = world.serve_beside(&settings([&new])).await;
    looked(&world).await;
    drop(stop);
    beside.await.unwrap();
    // Now the one that knows nothing of the new place is alone.
    world.sign_in("bob").await;
    assert_eq!(
        world.in_time(old.next()).await.json()["data"]["grant"],
        "bob"
    );
    world.stop().await;
    world.serve_again(&settings([&new])).await;
    assert_eq!(
        world.in_time(new.next()).await.json()["data"]["grant"],
        "bob"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_store_tell_once() {
    let mut receiver = Receiver::new([]).await;
    let settings = settings([&receiver]);
    let world = World::telling(&settings).await;
    let (address, _stop, _server) = world.serve_beside(&settings).await;
    assert_ne!(address, world.address);
    looked(&world).await;
    for name in ["bob", "carol", "dave", "erin"] {
        world.sign_in(name).await;
        let heard = world.in_time(receiver.next()).await;
        assert_eq!(heard.json()["data"]["grant"], name);
        world
            .in_time(world.refrain.parts().clock.sleep(MINUTE / 6))
            .await;
        assert!(receiver.rest().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_has_died_over_is_delivered_by_the_next() {
    let mut receiver = Receiver::new([]).await;
    let settings = settings([&receiver]);
    let mut world = World::new(Profile::default()).await;
    let parts = world.refrain.parts();
    let target = Target {
        id: TargetId::of(&receiver.url, &parts.sealer),
        place: "http://127.0.0.1".to_owned(),
    };
    let message = Message::test(world.clock_wall(), parts.random.as_ref()).unwrap();
    parts
        .store
        .send(&message, std::slice::from_ref(&target))
        .await
        .unwrap();
    let claimed = parts
        .store
        .claim(&target.id, world.clock_wall(), LEASE, 8)
        .await;
    assert_eq!(claimed.unwrap().len(), 1, "and then it died");
    world.stop().await;
    world.serve_again(&settings).await;
    world
        .in_time(world.refrain.parts().clock.sleep(Duration::from_secs(30)))
        .await;
    assert!(receiver.rest().is_empty(), "somebody may be at it");
    let heard = world.in_time(receiver.next()).await;
    assert_eq!(heard.id(), message.id.as_str());
    let key = manager(&world).await;
    let notices = told(&world, &key, |it| outcome(it).is_some()).await;
    assert_eq!(notices[0]["attempts"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_hears_of_its_grants_alone_and_tries_only_with_all() {
    let mut receiver = Receiver::new([]).await;
    let world = World::telling(&settings([&receiver])).await;
    looked(&world).await;
    for name in ["bob", "carol", "dave"] {
        world.sign_in(name).await;
        world.in_time(receiver.next()).await;
    }
    let all = manager(&world).await;
    test(&world, &all).await;
    let some = world
        .key_for(only(["bob", "dave"]), &[Permission::Manage])
        .await;
    let grants = |notices: &[Value]| -> Vec<Value> {
        notices.iter().map(|it| it["grant"].clone()).collect()
    };
    let everything = told(&world, &all, |it| it.len() == 4).await;
    let (head, rest) = everything.split_first().unwrap();
    assert_eq!(
        (&head["grant"], &head["kind"]),
        (&Value::Null, &json!("refrain.test"))
    );
    assert_eq!(grants(rest), ["dave", "carol", "bob"]);
    let reached = told(&world, &some, |it| it.len() == 2).await;
    assert_eq!(grants(&reached), ["dave", "bob"]);
    let page = client()
        .get(world.url("/refrain/v1/notices?limit=1"))
        .bearer_auth(&some);
    let page: Value = page.send().await.unwrap().json().await.unwrap();
    assert_eq!(page["notices"][0]["grant"], "dave");
    let next = client()
        .get(world.url(page["next"].as_str().unwrap()))
        .bearer_auth(&some);
    let next: Value = next.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&next["notices"][0]["grant"], &next["next"]),
        (&json!("bob"), &Value::Null)
    );
    let url = world.url("/refrain/v1/notices/test");
    let refused = client().post(url).bearer_auth(&some).send().await.unwrap();
    assert_eq!(refused.headers()["refrain-error"], "not_allowed");

    let silent = World::new(Profile::default()).await;
    let key = manager(&silent).await;
    let url = silent.url("/refrain/v1/notices/test");
    let refused = client().post(url).bearer_auth(&key).send().await.unwrap();
    assert_eq!(refused.headers()["refrain-error"], "no_notices");
    assert_eq!(refused.status(), StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_tells_nothing_more_and_the_next_one_what_was_left() {
    let mut receiver = Receiver::new([Some("500 Oops"), Some("500 Oops")]).await;
    let settings = settings([&receiver]);
    let mut world = World::telling(&settings).await;
    let key = manager(&world).await;
    test(&world, &key).await;
    let first = world.in_time(receiver.next()).await;
    world.in_time(receiver.next()).await;
    // Now there are five minutes until the next try.
    let twice = |it: &[Value]| it[0]["attempts"] == 2 && it[0]["outcome"] == "http 500";
    told(&world, &key, twice).await;
    world.stop().await;
    world.sign_in("bob").await;
    looked(&world).await;
    assert!(receiver.rest().is_empty());
    world.serve_again(&settings).await;
    let mut heard = Vec::new();
    world.pass(MINUTE * 6);
    for _ in 0..2 {
        heard.push(world.in_time(receiver.next()).await);
    }
    assert!(heard.iter().any(|it| it.id() == first.id()));
    assert!(heard.iter().any(|it| it.kind() == "grant.connected"));
}
