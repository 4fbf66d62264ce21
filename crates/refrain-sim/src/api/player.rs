//! `/v1/me/player…`, and its habit of calling good tokens missing.

use http::{Method, StatusCode};
use serde_json::json;

use super::{Caller, listening, routes};
use crate::answer::{Answer, Inbound};
use crate::world::World;

/// Answers a call below `/v1/me/player`; `rest` is the path after it.
pub(super) fn route(
    world: &mut World,
    request: &Inbound,
    caller: &Caller,
    rest: &[&str],
) -> Result<Answer, Answer> {
    world.player_calls = world.player_calls.wrapping_add(1);
    let every = world.profile.player_flap;
    if every > 0 && world.player_calls.is_multiple_of(every) {
        let status = StatusCode::UNAUTHORIZED;
        return Err(Answer::api_error(status, "Access token missing", None));
    }
    match (&request.method, rest) {
        (&Method::GET, []) => {
            caller.needs(&["user-read-playback-state"])?;
            if !world.playing {
                return Ok(Answer::empty(StatusCode::NO_CONTENT));
            }
            Ok(routes::ok(&json!({
                "device": {
                    "id": "d0", "is_active": true, "is_restricted": false, "name": "Speaker",
                    "supports_volume": true, "type": "Speaker", "volume_percent": 40,
                },
                "repeat_state": "off", "shuffle_state": false, "context": null,
                "timestamp": world.now(), "progress_ms": 1000, "is_playing": true,
                "item": routes::track(world, routes::A_TRACK), "currently_playing_type": "track",
            })))
        }
        (&Method::GET, ["currently-playing"]) => {
            caller.needs(&["user-read-currently-playing", "user-read-playback-state"])?;
            if !world.playing {
                return Ok(Answer::empty(StatusCode::NO_CONTENT));
            }
            Ok(routes::ok(&json!({
                "timestamp": world.now(), "progress_ms": 1000, "is_playing": true,
                "context": null, "item": routes::track(world, routes::A_TRACK),
                "currently_playing_type": "track",
            })))
        }
        (&Method::GET, ["recently-played"]) => {
            caller.needs(&["user-read-recently-played"])?;
            listening::recently_played(world, request)
        }
        (&Method::PUT, [action @ ("play" | "pause")]) => {
            caller.needs(&["user-modify-playback-state"])?;
            let premium = caller
                .user
                .as_ref()
                .and_then(|id| world.user(id))
                .map(|u| u.premium);
            if premium != Some(true) {
                return Err(Answer::api_error(
                    StatusCode::FORBIDDEN,
                    "Player command failed: Premium required",
                    Some("PREMIUM_REQUIRED"),
                ));
            }
            world.playing = *action == "play";
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(routes::not_found()),
    }
}
