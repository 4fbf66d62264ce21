//! What a test does to the simulator, for the handle in this process and for the control surface.

use std::time::Duration;

use serde_json::Value;

use crate::accounts::authorize::{self, PageError};
use crate::history::EventKind;
use crate::profile::{Profile, Rotation};
use crate::service::Inner;
use crate::world::World;

pub(crate) fn advance(inner: &Inner, by: Duration) {
    inner.clock.advance(by);
    note(
        &mut inner.world(),
        format!("advanced the clock by {} s", by.as_secs_f64()),
    );
}

pub(crate) fn expire_access_tokens(world: &mut World) {
    world.end_access(|_| true);
    note(world, "ended all access tokens");
}

/// Ends one access token; false if there is no such token.
pub(crate) fn reject_access_token(world: &mut World, token: &str) -> bool {
    let now = world.now();
    let known = world
        .access_tokens
        .get_mut(token)
        .map(|access| access.ends_at = now)
        .is_some();
    note(world, "ended one access token");
    known
}

pub(crate) fn set_rotation(world: &mut World, rotation: Rotation) {
    world.profile.rotation = rotation;
    note(world, format!("set the rotation to {rotation:?}"));
}

/// Signs a user in; false if there is no such user.
pub(crate) fn sign_in(world: &mut World, user: &str) -> bool {
    let known = world.user(user).is_some();
    if known {
        user.clone_into(&mut world.signed_in);
        note(world, format!("signed in as {user}"));
    }
    known
}

/// Does what a browser with a willing or unwilling user would do at the authorization page.
pub(crate) fn decide(world: &mut World, url: &str, allow: bool) -> Result<String, PageError> {
    let lost = |text: &str| PageError {
        status: 404,
        text: text.to_owned(),
    };
    let url = url::Url::parse(url).map_err(|_| lost("not a URL"))?;
    if url.path() != "/authorize" {
        return Err(lost("not the authorization endpoint"));
    }
    let request = authorize::check(world, url.query().unwrap_or_default())?;
    let user = world.signed_in.clone();
    Ok(if allow {
        authorize::allow(world, &request, &user)
    } else {
        authorize::deny(world, &request, &user)
    })
}

/// The profile in force, with what is left of its scripts.
pub(crate) fn profile(world: &World) -> Profile {
    Profile {
        rotation_sequence: world.rotation_script.iter().copied().collect(),
        ..world.profile.clone()
    }
}

/// Changes the members of the profile that the patch names.
pub(crate) fn patch_profile(world: &mut World, patch: Value) -> Result<Value, serde_json::Error> {
    let Value::Object(patch) = patch else {
        return Err(serde::de::Error::custom("a profile patch is a JSON object"));
    };
    let mut whole = serde_json::to_value(profile(world))?;
    if let Some(object) = whole.as_object_mut() {
        object.extend(patch.clone());
    }
    world.set_profile(serde_json::from_value(whole)?);
    let names: Vec<&str> = patch.keys().map(String::as_str).collect();
    note(world, format!("changed the profile: {}", names.join(", ")));
    serde_json::to_value(profile(world))
}

fn note(world: &mut World, what: impl Into<String>) {
    world.record(EventKind::Control { what: what.into() });
}
