//! What a refusal, and what a fault, leads to: its own code, its own kind, and never a lost token.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    time::Duration,
};

use refrain::{
    keeper::Kind,
    lifecycle::{Status, row::Reason},
};
use refrain_sim::{Action, BodyKind, ExpiryText, Fault, Profile, Rotation, Target};

use crate::world::{DAY, HOUR, World, signed_in};

const MINUTE: Duration = Duration::from_secs(60);

fn refuse(times: u32) -> Fault {
    let action = Action::FalseRefusal {
        description: Some("Refresh token revoked".into()),
    };
    Fault {
        on: Target::TokenRefresh,
        times,
        share: None,
        action,
    }
}

async fn assert_kept(world: &World, name: &str) {
    let row = world.row(name).await;
    assert!(
        row.tokens.is_some(),
        "no refresh path erases a sealed token"
    );
    assert!(row.intent.is_none(), "nobody holds it any more");
}

#[tokio::test]
async fn a_young_refusal_is_verified_later_and_the_grant_recovers() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.pass(HOUR);
    world.sim.script(refuse(1));
    let error = alice.access_token().await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("refused_early", Kind::TryLater)
    );
    let retry_at = error.explain().retry_at.unwrap();
    assert_eq!(
        retry_at.since(refrain::time::Clock::wall(world.clock.as_ref())),
        MINUTE * 15
    );
    assert_kept(&world, "alice").await;
    // Not before its time, however often somebody asks.
    for _ in 0..20 {
        assert_eq!(
            alice.access_token().await.unwrap_err().code(),
            "refused_early"
        );
    }
    assert_eq!(world.refreshes(), 1);
    world.pass(MINUTE * 15);
    alice.access_token().await.unwrap();
    assert_eq!(world.status("alice").await, Status::Active);
}

#[tokio::test]
async fn a_refusal_that_stands_for_six_hours_is_believed() {
    let (world, alice) = signed_in(Profile::rotating(Rotation::Static)).await;
    world
        .sim
        .revoke_user(&world.sim.default_app().client_id, "alice");
    world.pass(HOUR);
    assert_eq!(
        alice.access_token().await.unwrap_err().code(),
        "refused_early"
    );
    world.pass(MINUTE * 15);
    assert_eq!(
        alice.access_token().await.unwrap_err().code(),
        "refused_early"
    );
    world.pass(HOUR * 6);
    let error = alice.access_token().await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("reauthorize_revoked", Kind::Reauthorize)
    );
    assert_kept(&world, "alice").await;
    for _ in 0..20 {
        world.pass(DAY);
        alice.access_token().await.unwrap_err();
    }
    assert_eq!(
        world.refreshes(),
        3,
        "a dead grant is not asked about for ever"
    );
}

#[tokio::test]
async fn a_person_may_ask_at_once_also_about_a_condemned_grant() {
    let (world, alice) = signed_in(Profile::rotating(Rotation::Static)).await;
    world.pass(HOUR);
    world.sim.script(refuse(3));
    for wait in [Duration::ZERO, MINUTE * 15, HOUR * 6] {
        world.pass(wait);
        alice.access_token().await.unwrap_err();
    }
    assert!(matches!(
        world.status("alice").await,
        Status::Reauthorize { .. }
    ));
    alice.refresh().await.unwrap();
    assert_eq!(world.status("alice").await, Status::Active);
    alice.access_token().await.unwrap();
}

#[tokio::test]
async fn the_refusal_after_six_months_is_believed_at_once() {
    for text in [ExpiryText::Revoked, ExpiryText::Expired, ExpiryText::Absent] {
        let profile = Profile {
            expiry_text: text,
            ..Profile::default()
        };
        let (world, alice) = signed_in(profile).await;
        world.pass(DAY * 185);
        let error = alice.access_token().await.unwrap_err();
        assert_eq!(
            (error.code(), error.kind()),
            ("reauthorize_expired", Kind::Reauthorize)
        );
        assert_eq!(world.refreshes(), 1);
        assert_kept(&world, "alice").await;
        world.login("alice").await.unwrap();
        alice.access_token().await.unwrap();
    }
}

#[tokio::test]
async fn many_refusals_at_once_open_the_breaker_and_condemn_nobody() {
    let world = World::new(Profile::rotating(Rotation::Static)).await;
    let mut grants = Vec::new();
    for number in 0..20 {
        grants.push(world.login(&format!("user-{number}")).await.unwrap());
    }
    world.pass(HOUR);
    world.sim.script(refuse(u32::MAX));
    let mut codes = Vec::new();
    for grant in &grants {
        codes.push(grant.access_token().await.unwrap_err().code());
    }
    let refused = codes
        .iter()
        .filter(|code| **code == "refused_early")
        .count();
    assert!(refused <= 5, "{codes:?}");
    assert!(codes.contains(&"refusing_many"), "{codes:?}");
    // Ten minutes of outage: one grant a minute asks, nobody is condemned.
    let before = world.refreshes();
    for _ in 0..10 {
        world.pass(MINUTE);
        for grant in &grants {
            grant.access_token().await.unwrap_err();
        }
    }
    assert!(
        world.refreshes() - before <= 10,
        "{}",
        world.refreshes() - before
    );
    for summary in world.refrain.grants().await.unwrap() {
        assert!(
            !matches!(summary.status, Status::Reauthorize { .. }),
            "{summary:?}"
        );
    }
    // Within a minute of its end everybody is back, and nobody had to log in.
    world.sim.clear_scripts();
    world.pass(MINUTE);
    for grant in &grants {
        grant
            .access_token()
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

#[tokio::test]
async fn a_wrong_client_secret_touches_no_grant() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.pass(HOUR);
    let mut parts = world.parts_on(&world.store);
    for app in parts.apps.values_mut() {
        let wrong = refrain::secret::ClientSecret::new("0".repeat(32));
        app.client.auth = refrain::oauth::client::ClientAuth::SecretBasic(wrong);
    }
    let other = refrain::Refrain::from_parts(parts)
        .unwrap()
        .grant("alice")
        .await
        .unwrap();
    let error = other.access_token().await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("client_refused", Kind::Configuration)
    );
    assert_eq!(world.status("alice").await, Status::Active);
    assert_kept(&world, "alice").await;
    alice.access_token().await.unwrap();
}

#[tokio::test]
async fn a_storm_of_server_errors_asks_nobody_to_log_in() {
    for body_kind in [
        BodyKind::Json,
        BodyKind::Text,
        BodyKind::Html,
        BodyKind::Empty,
    ] {
        let (world, alice) = signed_in(Profile::rotating(Rotation::Static)).await;
        world.pass(HOUR);
        let action = Action::ErrorBeforeCommit {
            status: 503,
            body_kind,
        };
        world.sim.script(Fault {
            on: Target::TokenRefresh,
            times: u32::MAX,
            share: None,
            action,
        });
        let error = world.in_time(alice.access_token()).await.unwrap_err();
        assert_eq!(
            (error.code(), error.kind()),
            ("provider_unavailable", Kind::TryLater)
        );
        assert!(error.explain().retry_at.is_some());
        let calls = world.refreshes();
        assert!(calls <= 3, "{calls}");
        alice.access_token().await.unwrap_err();
        assert_eq!(
            world.refreshes(),
            calls,
            "the provider is left alone meanwhile"
        );
        assert_eq!(world.status("alice").await, Status::Active);
        assert_kept(&world, "alice").await;
        world.sim.clear_scripts();
        world.pass(MINUTE);
        alice.access_token().await.unwrap();
    }
}

#[tokio::test]
async fn a_rate_limit_is_obeyed_by_every_grant_of_the_app_and_every_process() {
    let (world, alice) = signed_in(Profile::default()).await;
    let bob = world.login("bob").await.unwrap();
    world.pass(HOUR);
    let action = Action::Throttle {
        retry_after: Some("80000".into()),
        quota: false,
    };
    world.sim.script(Fault::once(Target::TokenRefresh, action));
    let error = alice.access_token().await.unwrap_err();
    assert_eq!((error.code(), error.kind()), ("throttled", Kind::TryLater));
    let wait = error.explain().retry_at.unwrap();
    let wait = wait.since(refrain::time::Clock::wall(world.clock.as_ref()));
    assert_eq!(wait, Duration::from_secs(80_000));
    let calls = world.refreshes();
    assert_eq!(bob.access_token().await.unwrap_err().code(), "throttled");
    let elsewhere = world.another().grant("alice").await.unwrap();
    assert_eq!(elsewhere.refresh().await.unwrap_err().code(), "throttled");
    assert_eq!(world.refreshes(), calls);
    assert_kept(&world, "alice").await;
    world.pass(Duration::from_secs(80_000));
    alice.access_token().await.unwrap();
    bob.access_token().await.unwrap();
}

#[tokio::test]
async fn pages_and_halves_of_answers_are_faults_and_no_verdicts() {
    let cases = [
        Action::Html { status: 200 },
        Action::Html { status: 400 },
        Action::Html { status: 403 },
        Action::CutAfterBytes {
            n: 20,
            reset: false,
        },
        Action::CutAfterBytes {
            n: 300,
            reset: true,
        },
        Action::CutBeforeCommit,
        Action::ResetBeforeCommit,
        Action::ErrorAfterCommit { status: 502 },
    ];
    for action in cases {
        let (world, alice) = signed_in(Profile::rotating(Rotation::Static)).await;
        world.pass(HOUR);
        world.sim.script(Fault {
            on: Target::TokenRefresh,
            times: u32::MAX,
            share: None,
            action: action.clone(),
        });
        let error = world.in_time(alice.access_token()).await.unwrap_err();
        assert_eq!(error.code(), "provider_unavailable", "{action:?}");
        assert_eq!(world.status("alice").await, Status::Active, "{action:?}");
        assert_kept(&world, "alice").await;
        // The same fault once is not even noticed.
        world.sim.clear_scripts();
        world.pass(HOUR);
        world.sim.script(Fault::once(Target::TokenRefresh, action));
        world.in_time(alice.access_token()).await.unwrap();
    }
}

#[tokio::test]
async fn a_dead_network_says_so_and_leaves_no_trace() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.pass(HOUR);
    let before = world.row("alice").await;
    let mut parts = world.parts_on(&world.store);
    parts.provider.accounts = "http://127.0.0.1:1".parse().unwrap();
    let cut_off = refrain::Refrain::from_parts(parts)
        .unwrap()
        .grant("alice")
        .await
        .unwrap();
    let error = world.in_time(cut_off.access_token()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("provider_unreachable", Kind::TryLater)
    );
    let after = world.row("alice").await;
    assert_eq!(
        (after.unanswered, after.trouble, after.status),
        (None, None, before.status)
    );
    alice.access_token().await.unwrap();
}

#[tokio::test]
async fn an_answer_lost_to_strict_rotation_is_named_with_few_calls() {
    for rotation in [Rotation::Strict, Rotation::FamilyKill] {
        let (world, alice) = signed_in(Profile::rotating(rotation)).await;
        // The provider has shown that it rotates.
        world.pass(HOUR);
        alice.access_token().await.unwrap();
        world.pass(HOUR);
        let calls = world.refreshes();
        world
            .sim
            .script(Fault::once(Target::TokenRefresh, Action::CutAfterCommit));
        let error = world.in_time(alice.access_token()).await.unwrap_err();
        assert_eq!(
            (error.code(), error.kind()),
            ("reauthorize_answer_lost", Kind::Reauthorize)
        );
        assert!(world.refreshes() - calls <= 3);
        let Status::Reauthorize {
            reason: Reason::AnswerLost,
            ..
        } = world.status("alice").await
        else {
            panic!("{:?}", world.status("alice").await);
        };
        assert_kept(&world, "alice").await;
    }
}

#[tokio::test]
async fn an_answer_lost_within_grace_or_before_use_is_no_loss() {
    for rotation in [
        Rotation::Grace { seconds: 30 },
        Rotation::UntilUsed,
        Rotation::Omit,
    ] {
        let (world, alice) = signed_in(Profile::rotating(rotation)).await;
        for _ in 0..3 {
            world.pass(HOUR);
            world
                .sim
                .script(Fault::once(Target::TokenRefresh, Action::CutAfterCommit));
            world.in_time(alice.access_token()).await.unwrap();
        }
        assert_eq!(world.status("alice").await, Status::Active);
    }
}

#[tokio::test]
async fn a_rotated_token_is_salvaged_from_a_damaged_answer() {
    let (world, alice) = signed_in(Profile::rotating(Rotation::FamilyKill)).await;
    world.pass(HOUR);
    world.sim.script(Fault::once(
        Target::TokenRefresh,
        Action::Alter {
            set: BTreeMap::new(),
            remove: vec!["access_token".into()],
        },
    ));
    alice.access_token().await.unwrap();
    assert_eq!(world.refreshes(), 2);
    assert_eq!(world.row("alice").await.generation.0, 2);
    assert_eq!(world.sim.counts().refused, 0);
}

#[tokio::test]
async fn a_flapping_outage_condemns_nobody() {
    let world = World::new(Profile::rotating(Rotation::Static)).await;
    let mut grants = Vec::new();
    for number in 0..20 {
        grants.push(world.login(&format!("user-{number}")).await.unwrap());
    }
    world.pass(HOUR);
    for round in 0..5 {
        world.sim.script(refuse(u32::MAX));
        for _ in 0..3 {
            for grant in &grants {
                drop(grant.access_token().await);
            }
        }
        world.pass(MINUTE * 2);
        // One answer gets through, and the next are refused again.
        world.sim.clear_scripts();
        drop(grants[10 + round].access_token().await);
    }
    for summary in world.refrain.grants().await.unwrap() {
        assert!(
            !matches!(summary.status, Status::Reauthorize { .. }),
            "{summary:?}"
        );
    }
}

#[tokio::test]
async fn asking_again_and_again_condemns_nobody() {
    let (world, alice) = signed_in(Profile::rotating(Rotation::Static)).await;
    world.pass(HOUR);
    world.sim.script(refuse(10));
    for _ in 0..10 {
        assert_eq!(alice.refresh().await.unwrap_err().code(), "refused_early");
    }
    alice.refresh().await.unwrap();
    assert_eq!(world.status("alice").await, Status::Active);
}

#[tokio::test]
async fn a_fault_and_a_false_refusal_together_are_verified_too() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.pass(HOUR);
    alice.access_token().await.unwrap();
    world.pass(HOUR);
    let fault = Action::ErrorBeforeCommit {
        status: 503,
        body_kind: BodyKind::Text,
    };
    world.sim.script(Fault::once(Target::TokenRefresh, fault));
    world.sim.script(refuse(1));
    let error = world.in_time(alice.access_token()).await.unwrap_err();
    assert_eq!(error.code(), "refused_early");
    world.pass(MINUTE * 15);
    alice.access_token().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_stalls_is_salvaged_as_far_as_it_came() {
    let (world, _) = signed_in(Profile::rotating(Rotation::Strict)).await;
    world.pass(HOUR);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("refresh_token=") {
                let mut part = [0; 4096];
                let read = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..read]);
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500";
            let body = r#"{"refresh_token":"NEWTOKEN1234","access_token":"BQ"#;
            stream
                .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
                .unwrap();
            // Says nothing more, and does not close either.
            kept.push(stream);
        }
    });
    let mut parts = world.parts_on(&world.store);
    parts.provider.accounts = origin.parse().unwrap();
    let stalled = refrain::Refrain::from_parts(parts)
        .unwrap()
        .grant("alice")
        .await
        .unwrap();
    world.in_time(stalled.access_token()).await.unwrap_err();
    assert!(
        world.row("alice").await.generation.0 >= 1,
        "the new token is kept"
    );
}
