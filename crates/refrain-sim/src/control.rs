//! The control surface over HTTP, for tests in other processes and for people.

use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::{Answer, Inbound};
use crate::fault::Fault;
use crate::model::{App, User};
use crate::profile::Rotation;
use crate::service::Inner;
use crate::steer;

const HELP: &str = include_str!("control.txt");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Removal {
    client_id: Option<String>,
    user: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consent {
    url: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Faults {
    Many(Vec<Fault>),
    One(Fault),
}

/// Answers a request below `/_sim/`.
pub(crate) fn answer(inner: &Inner, request: &Inbound) -> Answer {
    let name = request
        .path
        .strip_prefix("/_sim")
        .unwrap_or_default()
        .trim_matches('/');
    let result = match (&request.method, name) {
        (&Method::GET, "") => return Answer::text(StatusCode::OK, HELP),
        (&Method::GET, name) => look(inner, request, name),
        (&Method::POST, name) => act(inner, request, name),
        (&Method::DELETE, "fault") => {
            inner.world().script.clear();
            Ok(json!({}))
        }
        _ => Err((
            StatusCode::METHOD_NOT_ALLOWED,
            "GET /_sim/ lists what there is".to_owned(),
        )),
    };
    match result {
        Ok(value) => Answer::json(StatusCode::OK, &value),
        Err((status, text)) => Answer::json(status, &json!({ "error": text })),
    }
}

type Outcome = Result<Value, (StatusCode, String)>;

fn look(inner: &Inner, request: &Inbound, name: &str) -> Outcome {
    let world = inner.world();
    match name {
        "history" => {
            let since = match request.query_value("since") {
                Some(text) => text.parse().map_err(|_| bad("since is not a number"))?,
                None => 0,
            };
            Ok(json!(world.history.since(since)))
        }
        "oracle" => Ok(json!(crate::oracle::judge(&world))),
        "counts" => Ok(json!(world.history.counts())),
        "profile" => Ok(json!(steer::profile(&world))),
        "fault" => Ok(json!({ "unread": world.script.unread() })),
        _ => Err(unknown()),
    }
}

fn act(inner: &Inner, request: &Inbound, name: &str) -> Outcome {
    match name {
        "fault" => {
            // An untagged enum would lose serde's message about what is wrong with the one fault.
            let faults = match body::<Value>(request)? {
                list @ Value::Array(_) => from(list)?,
                one => Faults::One(from(one)?),
            };
            let faults = match faults {
                Faults::Many(faults) => faults,
                Faults::One(fault) => vec![fault],
            };
            let mut world = inner.world();
            for fault in faults {
                world.script.push(fault);
            }
            Ok(json!({ "unread": world.script.unread() }))
        }
        "advance" => {
            let Advance { seconds } = body(request)?;
            let by = Duration::try_from_secs_f64(seconds).map_err(|error| bad(&error))?;
            steer::advance(inner, by);
            Ok(json!({ "now": inner.clock.now() }))
        }
        "release" => {
            inner.release();
            Ok(json!({}))
        }
        "expire" => {
            steer::expire_access_tokens(&mut inner.world());
            Ok(json!({}))
        }
        "revoke" => {
            let Removal { client_id, user } = optional_body(request)?;
            let mut world = inner.world();
            let default_app = world.profile.apps.first().map(|app| app.client_id.clone());
            let client_id = client_id.or(default_app).unwrap_or_default();
            let user = user.unwrap_or_else(|| world.signed_in.clone());
            world.remove_app(&client_id, &user);
            Ok(json!({ "client_id": client_id, "user": user }))
        }
        "rotation" => {
            let rotation: Rotation = match body::<Value>(request)? {
                Value::Object(mut object) if object.contains_key("rotation") => {
                    from(object.remove("rotation").unwrap_or_default())?
                }
                value => from(value)?,
            };
            steer::set_rotation(&mut inner.world(), rotation);
            Ok(json!({ "rotation": rotation }))
        }
        "profile" => {
            let patch = body::<Value>(request)?;
            steer::patch_profile(&mut inner.world(), patch).map_err(|error| bad(&error))
        }
        "sign-in" => {
            let SignIn { user } = body(request)?;
            let signed_in = steer::sign_in(&mut inner.world(), &user);
            if signed_in {
                Ok(json!({ "user": user }))
            } else {
                Err(bad("no such user"))
            }
        }
        "user" => {
            let user: User = body(request)?;
            inner.world().put_user(user);
            Ok(json!({}))
        }
        "app" => {
            let app: App = body(request)?;
            inner.world().put_app(app);
            Ok(json!({}))
        }
        "consent" | "deny" => {
            let Consent { url } = body(request)?;
            let location = steer::decide(&mut inner.world(), &url, name == "consent");
            location
                .map(|location| json!({ "location": location }))
                .map_err(|error| bad(&error))
        }
        _ => Err(unknown()),
    }
}

fn body<T: DeserializeOwned>(request: &Inbound) -> Result<T, (StatusCode, String)> {
    serde_json::from_slice(&request.body).map_err(|error| bad(&error))
}

fn optional_body<T: DeserializeOwned>(request: &Inbound) -> Result<T, (StatusCode, String)> {
    let text: &[u8] = if request.body.is_empty() {
        b"{}"
    } else {
        &request.body
    };
    serde_json::from_slice(text).map_err(|error| bad(&error))
}

fn from<T: DeserializeOwned>(value: Value) -> Result<T, (StatusCode, String)> {
    serde_json::from_value(value).map_err(|error| bad(&error))
}

fn bad(text: &(impl ToString + ?Sized)) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, text.to_string())
}

fn unknown() -> (StatusCode, String) {
    (
        StatusCode::NOT_FOUND,
        "GET /_sim/ lists what there is".to_owned(),
    )
}
