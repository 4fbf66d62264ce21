//! `/refrain/v1/openapi.json` says what the server does: the same routes, and the fields that there are.

use std::collections::BTreeSet;

use refrain::access::{Grants, Permission};
use refrain_server::routes;
use refrain_sim::{Action, Fault, Profile, Target};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::world::{World, client};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn document(world: &World) -> Value {
    let url = "http://localhost/refrain/v1/openapi.json";
    let answer = world.peer().get(url).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_and_the_table_have_the_same_routes() {
    let world = World::new(Profile::default()).await;
    let document = document(&world).await;
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if METHODS.contains(&method.as_str()) {
                let needs = operation["x-refrain-needs"].as_str().unwrap();
                described.insert(format!("{} {path}: {needs}", method.to_uppercase()));
                let open = operation["security"] == json!([]);
                let opens = ["nothing", "own credentials"].contains(&needs);
                assert_eq!(open, opens, "{method} {path}");
            }
        }
    }
    let table = routes().into_iter();
    let table = table.filter(|it| it.path != "/v1/*" && !is_for_people_alone(it.path));
    let table: BTreeSet<_> = table
        .map(|it| format!("{} {}: {}", it.method, it.path, it.needs))
        .collect();
    assert_eq!(described, table);
    let prose = document["info"]["description"].as_str().unwrap();
    assert!(prose.contains("/v1/*"));
}

/// Whether no program has any business there.
fn is_for_people_alone(path: &str) -> bool {
    path == "/" || path.starts_with("/dashboard") || path.starts_with("/sign-in/")
}

/// What a reference leads to.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let reference = value.get("$ref").and_then(Value::as_str);
    let place = reference.and_then(|it| it.strip_prefix('#'));
    place.map_or(value, |place| document.pointer(place).unwrap())
}

/// What is wrong with a value, by the part of JSON Schema that the document uses; a member that it does
/// not describe is wrong too.
fn faults(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let schema = resolved(document, schema);
    if let Some(any) = schema["anyOf"].as_array() {
        let fits = |schema: &Value| {
            let mut found = Vec::new();
            self::faults(document, schema, value, at, &mut found);
            found.is_empty()
        };
        if !any.iter().any(fits) {
            faults.push(format!("{at}: fits none of them"));
        }
        return;
    }
    if !kinds(&schema["type"]).contains(&kind(value)) {
        faults.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    if let Some(known) = schema["enum"].as_array()
        && !known.contains(value)
    {
        faults.push(format!("{at}: {value} is not listed"));
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        self::faults(
            document,
            &schema["items"],
            item,
            &format!("{at}/{number}"),
            faults,
        );
    }
    let (Some(members), Some(known)) = (value.as_object(), schema["properties"].as_object()) else {
        return;
    };
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.filter(|it| !members.contains_key(it.as_str().unwrap())) {
        faults.push(format!("{at}: {name} is missing"));
    }
    // An event has further members, by its kind.
    let open = known.contains_key("event");
    for (name, member) in members {
        match known.get(name) {
            Some(schema) => {
                self::faults(document, schema, member, &format!("{at}/{name}"), faults);
            }
            None if open => {}
            None => faults.push(format!("{at}: {name} is not described")),
        }
    }
}

fn kinds(types: &Value) -> Vec<&str> {
    match types {
        Value::Array(types) => types.iter().map(|it| it.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap_or("any")],
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The schema of an answer.
fn schema<'d>(document: &'d Value, method: &str, path: &str, status: u16) -> &'d Value {
    let (path, method) = (path.replace('/', "~1"), method.to_lowercase());
    let place = format!("/paths/{path}/{method}/responses/{status}");
    let answer = document.pointer(&place).expect("the answer is described");
    let content = resolved(document, answer).get("content").unwrap();
    let content: &Map<String, Value> = content.as_object().unwrap();
    content.values().next().unwrap().get("schema").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_fields_that_are_described_and_no_other() {
    let world = World::new(Profile::default()).await;
    let document = document(&world).await;
    let limit = Action::Throttle {
        retry_after: Some("300".to_owned()),
        quota: true,
    };
    world.sim.script(Fault::once(Target::Api, limit));
    let peer = world.peer();
    peer.get("http://localhost/v1/me").send().await.unwrap();
    let all = [Permission::Manage, Permission::Token];
    let key = world.key_for(Grants::All, &all).await;
    let new = json!({"name": "phone", "grants": ["alice"]});
    let form = format!("grant_type=refresh_token&refresh_token={key}");
    let alice = "/refrain/v1/grants/{name}";
    let (token, refresh) = (format!("{alice}/token"), format!("{alice}/refresh"));
    let (keys, links) = ("/refrain/v1/keys", "/refrain/v1/connect-links");
    let first = |grant: &str| json!({"grant": grant, "reconnect": false});
    let again = |grant: &str| json!({"grant": grant, "reconnect": true});
    let calls = [
        ("POST", keys, 201, Some(new.clone())),
        ("POST", keys, 409, Some(new)),
        ("POST", keys, 400, Some(json!({}))),
        ("GET", keys, 200, None),
        ("DELETE", "/refrain/v1/keys/{id}", 200, None),
        ("POST", links, 201, Some(json!({"grant": "carol"}))),
        ("POST", links, 400, Some(json!({}))),
        ("POST", links, 404, Some(again("carol"))),
        ("POST", links, 409, Some(first("alice"))),
        ("GET", "/refrain/v1/grants", 200, None),
        ("GET", alice, 200, None),
        ("GET", &format!("{alice}/story"), 200, None),
        ("GET", &token, 200, None),
        ("POST", &token, 200, Some(json!({"min_ttl": 60}))),
        ("POST", &refresh, 200, None),
        ("GET", "/refrain/v1/events", 200, None),
        ("GET", "/readyz", 200, None),
        ("POST", "/api/token", 200, None),
        ("POST", "/api/token", 400, Some(json!({}))),
        ("DELETE", alice, 200, None),
        ("DELETE", alice, 409, None),
        ("GET", &token, 409, None),
    ];
    let other = world.key_for(Grants::All, &all).await;
    let id: String = other.chars().skip(4).take(10).collect();
    let mut called = BTreeSet::new();
    for (method, path, status, body) in calls {
        let url = path.replace("{name}", "alice").replace("{id}", &id);
        let verb: Method = method.parse().unwrap();
        let request = peer.request(verb, format!("http://localhost{url}"));
        let request = match body {
            Some(body) => request.json(&body),
            None if path == "/api/token" => request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.clone()),
            None => request,
        };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        let body: Value = answer.json().await.unwrap();
        let mut found = Vec::new();
        let schema = schema(&document, method, path, status);
        faults(&document, schema, &body, "", &mut found);
        assert!(
            found.is_empty(),
            "{method} {path} {status}: {found:#?}\n{body:#}"
        );
        called.insert((method, path.to_owned()));
    }
    // Those that are left out have no JSON of their own making.
    let others = [
        "/connect/{link}",
        "/callback",
        "/healthz",
        "/metrics",
        "/refrain/v1/openapi.json",
        "/v1/*",
    ];
    let routes = routes().into_iter();
    let routes = routes.filter(|it| !others.contains(&it.path) && !is_for_people_alone(it.path));
    let missing: Vec<_> = routes
        .filter(|it| !called.contains(&(it.method, it.path.to_owned())))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_of_answers_finds_what_is_wrong() {
    let world = World::new(Profile::default()).await;
    let document = document(&world).await;
    let schema = json!({"$ref": "#/components/schemas/Refreshed"});
    let judged = |value: Value| {
        let mut found = Vec::new();
        faults(&document, &schema, &value, "", &mut found);
        found.len()
    };
    assert_eq!(judged(json!({"grant": "a", "token_expires_at": "x"})), 0);
    assert_eq!(judged(json!({"grant": "a"})), 1);
    assert_eq!(judged(json!({"grant": "a", "token_expires_at": 5})), 1);
    assert_eq!(
        judged(json!({"grant": "a", "token_expires_at": "x", "more": 1})),
        1
    );
    let key = client().get(world.url("/refrain/v1/openapi.json"));
    assert_eq!(key.send().await.unwrap().status(), 401, "it needs a key");
}
