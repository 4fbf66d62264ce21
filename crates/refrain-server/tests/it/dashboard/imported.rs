//! A grant that was imported, wherever it is shown: nobody knows its day, and none is made up.

use refrain::{
    access::{Grants, Permission},
    keeper::import::ImportRequest,
    lifecycle::row::Bounds,
    secret::RefreshToken,
};
use refrain_sim::{Profile, Rotation};
use reqwest::StatusCode;
use serde_json::Value;

use super::Desk;
use crate::world::client;

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_grant_has_two_days_everywhere() {
    let desk = Desk::with(Profile::rotating(Rotation::Omit)).await;
    let world = &desk.world;
    let (app, user) = (
        world.sim.default_app(),
        world.sim.profile().users[0].id.clone(),
    );
    let seeded = world
        .sim
        .seed_grant(&app.client_id, &user, "user-read-private");
    let done = world
        .refrain
        .import(ImportRequest {
            grant: "iris".parse().unwrap(),
            app: "default".parse().unwrap(),
            refresh_token: RefreshToken::new(seeded.refresh_token),
            client_id: None,
            scope: None,
            consent: Bounds::default(),
            source: "spotipy".to_owned(),
            replace: false,
        })
        .await
        .unwrap();
    let (earliest, latest) = (
        done.consent.reauthorize_by.to_string(),
        done.consent.end().to_string(),
    );
    assert_ne!(earliest, latest);

    let permissions = [Permission::Manage, Permission::ProxyRead];
    let key = world.key_for(Grants::All, &permissions).await;
    let get = async |path: &str| {
        let request = client().get(world.url(path)).bearer_auth(&key);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    };
    for path in ["/refrain/v1/grants/iris", "/refrain/v1/grants/iris/story"] {
        let iris: Value = serde_json::from_str(&get(path).await).unwrap();
        assert_eq!(iris["reauthorize_by"], earliest, "{path}");
        assert_eq!(iris["reauthorize_by_latest"], latest, "{path}");
        assert_eq!(
            (&iris["days_left"], &iris["imported"]),
            (&0.into(), &false.into())
        );
    }
    let alice: Value = serde_json::from_str(&get("/refrain/v1/grants/alice").await).unwrap();
    assert_eq!(alice["reauthorize_by_latest"], Value::Null);

    let calendar = get("/refrain/v1/reauthorizations.ics").await;
    let calendar = calendar.replace("\r\n ", "");
    let about = format!("between {earliest} and {latest} (it was imported");
    assert!(calendar.contains(&about), "{calendar}");

    let metrics = get("/metrics").await;
    assert!(
        metrics.contains("refrain_reauthorize_seconds 0\n"),
        "the earliest day counts: {metrics}"
    );

    let page = desk.text("/dashboard/grants/iris").await;
    assert!(page.contains("nobody knows which"), "{page}");
    assert!(page.contains("imported: nobody knows the day"), "{page}");
    assert!(page.contains("imported from spotipy"), "{page}");
    let overview = desk.text("/dashboard").await;
    assert!(overview.contains("Renew soon"), "{overview}");
}
