//! The routes of the Web API, in the shapes of a development-mode app in 2026.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Caller, listening, player};
use crate::answer::{Answer, Inbound};
use crate::mint;
use crate::model::{AppMode, User};
use crate::world::World;

/// The track that plays.
pub(super) const A_TRACK: &str = "11dFghVXANMlKmJXsNCbNl";
/// How many playlists every user has before making one.
const PLAYLISTS: usize = 45;
/// So many items go into a playlist with one request.
const MAX_ITEMS: usize = 100;
/// The most a cover image may have, base64 included.
const MAX_IMAGE: usize = 256 * 1024;

pub(super) fn route(
    world: &mut World,
    request: &Inbound,
    caller: &Caller,
) -> Result<Answer, Answer> {
    let segments: Vec<&str> = request.path.split('/').skip(1).collect();
    let Some(("v1", path)) = segments.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err(not_found());
    };
    match (&request.method, path) {
        (&Method::GET, ["search"]) => search(world, request),
        (&Method::GET, ["tracks", id]) => track_by_id(world, request, id),
        (_, ["me", rest @ ..]) => {
            let user = caller.user.as_ref().and_then(|id| world.user(id)).cloned();
            let Some(user) = user else {
                let status = StatusCode::UNAUTHORIZED;
                let text = "Valid user authentication required";
                return Err(Answer::api_error(status, text, None));
            };
            me(world, request, caller, &user, rest)
        }
        (method @ (&Method::POST | &Method::PUT), ["playlists", id, "items"]) => {
            caller.needs(&["playlist-modify-public", "playlist-modify-private"])?;
            items(world, request, id, method)
        }
        (&Method::PUT, ["playlists", _, "images"]) => {
            caller.needs(&["ugc-image-upload"])?;
            if request.body.len() > MAX_IMAGE {
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                return Err(Answer::api_error(status, "Image too large", None));
            }
            Ok(Answer::empty(StatusCode::ACCEPTED))
        }
        _ => Err(not_found()),
    }
}

fn me(
    world: &mut World,
    request: &Inbound,
    caller: &Caller,
    user: &User,
    rest: &[&str],
) -> Result<Answer, Answer> {
    match (&request.method, rest) {
        // spotipy asks for `/v1/me/`, which Spotify takes for the same.
        (&Method::GET, [] | [""]) => Ok(ok(&profile(world, caller, user))),
        (_, ["player", rest @ ..]) => player::route(world, request, caller, rest),
        (&Method::GET, ["top", kind]) => {
            caller.needs(&["user-top-read"])?;
            listening::top(world, request, kind)
        }
        (&Method::GET, ["playlists"]) => playlists(world, request, user),
        (&Method::POST, ["playlists"]) => {
            caller.needs(&["playlist-modify-public", "playlist-modify-private"])?;
            let name = serde_json::from_slice::<Value>(&request.body)
                .ok()
                .and_then(|body| body.get("name")?.as_str().map(str::to_owned))
                .ok_or_else(|| bad("Missing required field: name"))?;
            let created = playlist(world, user, &made(world.playlists.len()), &name);
            world.playlists.push((user.id.clone(), name));
            Ok(Answer::json(StatusCode::CREATED, &created))
        }
        (&Method::PUT, ["library"]) => {
            caller.needs(&["user-library-modify"])?;
            request
                .query_value("uris")
                .ok_or_else(|| bad("Missing required field: uris"))?;
            Ok(Answer::empty(StatusCode::OK))
        }
        _ => Err(not_found()),
    }
}

/// The profile: a development-mode app sees neither email nor product nor country.
fn profile(world: &World, caller: &Caller, user: &User) -> Value {
    let mut profile = json!({
        "id": user.id,
        "account_id": user.account_id,
        "display_name": user.display_name,
        "external_urls": { "spotify": format!("https://open.spotify.com/user/{}", user.id) },
        "href": format!("{}/v1/users/{}", world.api_url, user.id),
        "images": [],
        "type": "user",
        "uri": format!("spotify:user:{}", user.id),
    });
    let extended = world
        .app(&caller.client_id)
        .is_some_and(|app| app.mode == AppMode::Extended);
    if let (true, Some(object)) = (extended, profile.as_object_mut()) {
        object.insert("followers".to_owned(), json!({ "href": null, "total": 0 }));
        if caller.scope.contains("user-read-private") {
            object.insert("country".to_owned(), "SE".into());
            let product = if user.premium { "premium" } else { "free" };
            object.insert("product".to_owned(), product.into());
        }
        if caller.scope.contains("user-read-email") {
            object.insert("email".to_owned(), user.email.clone().into());
        }
    }
    profile
}

fn playlists(world: &World, request: &Inbound, user: &User) -> Result<Answer, Answer> {
    let limit = number(request, "limit", 20, 1, 50)?;
    let offset = number(request, "offset", 0, 0, 100_000)?;
    let own = world.playlists.iter().enumerate();
    let own = own.filter(|(_, (owner, _))| *owner == user.id);
    let own = own.map(|(at, (_, name))| (made(at), name.clone()));
    let there = (1..=PLAYLISTS).map(|n| (format!("pl{n:0>20}"), format!("Playlist {n}")));
    let all: Vec<(String, String)> = own.chain(there).collect();
    let items: Vec<Value> = all
        .iter()
        .skip(offset)
        .take(limit)
        .map(|(id, name)| playlist(world, user, id, name))
        .collect();
    let page = |offset: usize| {
        format!(
            "{}/v1/me/playlists?offset={offset}&limit={limit}",
            world.api_url
        )
    };
    let next = (offset + limit < all.len()).then(|| page(offset + limit));
    let previous = (offset > 0).then(|| page(offset.saturating_sub(limit)));
    Ok(ok(&json!({
        "href": page(offset), "limit": limit, "next": next, "offset": offset,
        "previous": previous, "total": all.len(), "items": items,
    })))
}

fn search(world: &World, request: &Inbound) -> Result<Answer, Answer> {
    let query = request.query_value("q").filter(|q| !q.is_empty());
    let query = query.ok_or_else(|| bad("No search query"))?;
    let kind = request
        .query_value("type")
        .ok_or_else(|| bad("Missing parameter type"))?;
    if !kind.split(',').any(|kind| kind == "track") {
        return Ok(ok(&json!({})));
    }
    // Development mode lowered the maximum to 10 and the default to 5.
    let limit = number(request, "limit", 5, 1, 10)?;
    let offset = number(request, "offset", 0, 0, 1000)?;
    let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let page = |offset: usize| {
        format!(
            "{}/v1/search?query={encoded}&type=track&offset={offset}&limit={limit}",
            world.api_url
        )
    };
    let total = 25_usize;
    let count = limit.min(total.saturating_sub(offset));
    let items: Vec<Value> = std::iter::repeat_with(|| track(world, A_TRACK))
        .take(count)
        .collect();
    Ok(ok(&json!({ "tracks": {
        "href": page(offset), "limit": limit, "offset": offset, "total": total, "items": items,
        "next": (offset + limit < total).then(|| page(offset + limit)),
        "previous": (offset > 0).then(|| page(offset.saturating_sub(limit))),
    } })))
}

fn track_by_id(world: &World, request: &Inbound, id: &str) -> Result<Answer, Answer> {
    if id.len() != 22 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(bad("Invalid base62 id"));
    }
    let body = track(world, id);
    let etag = format!("\"{}\"", mint::fingerprint(&body.to_string()));
    let fresh = request
        .header("if-none-match")
        .is_some_and(|tags| tags.contains(&etag));
    let answer = if fresh {
        Answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        ok(&body)
    };
    Ok(answer
        .with("etag", &etag)
        .with("cache-control", "public, max-age=60"))
}

/// The id of the playlist that was made after so many others.
fn made(after: usize) -> String {
    format!("new{after:0>19}")
}

/// Puts items into a playlist that was made: adds them, or replaces what is there.
fn items(
    world: &mut World,
    request: &Inbound,
    id: &str,
    method: &Method,
) -> Result<Answer, Answer> {
    if !(0..world.playlists.len()).any(|at| made(at) == id) {
        return Err(not_found());
    }
    let body = serde_json::from_slice::<Value>(&request.body).ok();
    let uris = body.as_ref().and_then(|body| body.get("uris")?.as_array());
    let uris = uris.ok_or_else(|| bad("No uris provided"))?;
    if uris.len() > MAX_ITEMS {
        return Err(bad("Too many uris requested"));
    }
    let status = match *method {
        Method::POST => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    Ok(Answer::json(status, &json!({ "snapshot_id": "s2" })))
}

/// A track object with the fields that clients read.
pub(super) fn track(world: &World, id: &str) -> Value {
    let artist = json!({
        "id": "0OdUWJ0sBjDrqHygGUXeCF", "name": "Simulated Artist", "type": "artist",
        "uri": "spotify:artist:0OdUWJ0sBjDrqHygGUXeCF",
        "href": format!("{}/v1/artists/0OdUWJ0sBjDrqHygGUXeCF", world.api_url),
        "external_urls": {},
    });
    json!({
        "id": id, "name": "Simulated Track", "type": "track", "uri": format!("spotify:track:{id}"),
        "href": format!("{}/v1/tracks/{id}", world.api_url),
        "external_urls": {}, "external_ids": { "isrc": "XX0000000000" },
        "artists": [artist], "disc_number": 1, "track_number": 1, "duration_ms": 207_959,
        "explicit": false, "is_local": false, "popularity": 1, "preview_url": null,
        "album": {
            "id": "0sNOF9WDwhWunNAHPD3Baj", "name": "Simulated Album", "type": "album",
            "album_type": "album", "uri": "spotify:album:0sNOF9WDwhWunNAHPD3Baj",
            "href": format!("{}/v1/albums/0sNOF9WDwhWunNAHPD3Baj", world.api_url),
            "artists": [], "images": [], "external_urls": {}, "total_tracks": 1,
            "release_date": "2026-01-01", "release_date_precision": "day",
        },
    })
}

fn playlist(world: &World, user: &User, id: &str, name: &str) -> Value {
    let href = format!("{}/v1/playlists/{id}", world.api_url);
    json!({
        "id": id, "name": name, "type": "playlist", "uri": format!("spotify:playlist:{id}"),
        "description": "", "collaborative": false, "public": false, "images": [],
        "external_urls": {}, "snapshot_id": "s1", "primary_color": null,
        "owner": {
            "id": user.id, "display_name": user.display_name, "type": "user",
            "uri": format!("spotify:user:{}", user.id), "external_urls": {},
            "href": format!("{}/v1/users/{}", world.api_url, user.id),
        },
        "items": { "href": format!("{href}/items"), "total": 0 },
        // The older name of the same, which clients still ask for.
        "tracks": { "href": format!("{href}/items"), "total": 0 },
        "href": href,
    })
}

pub(super) fn number(
    request: &Inbound,
    name: &str,
    default: usize,
    least: usize,
    most: usize,
) -> Result<usize, Answer> {
    let Some(text) = request.query_value(name) else {
        return Ok(default);
    };
    text.parse()
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| bad(&format!("Invalid {name}")))
}

pub(super) fn ok(body: &Value) -> Answer {
    Answer::of_type(
        StatusCode::OK,
        "application/json; charset=utf-8",
        body.to_string(),
    )
}

pub(super) fn not_found() -> Answer {
    Answer::api_error(StatusCode::NOT_FOUND, "Service not found", None)
}

pub(super) fn bad(text: &str) -> Answer {
    Answer::api_error(StatusCode::BAD_REQUEST, text, None)
}
