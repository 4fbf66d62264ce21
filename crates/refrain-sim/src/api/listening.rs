//! What the listener has played to its end, as far back as Spotify remembers it, and what they play most.

use serde_json::{Value, json};

use super::routes::{self, bad, number, ok, track};
use crate::answer::{Answer, Inbound};
use crate::clock::{self, UnixMs};
use crate::world::World;

/// So many plays are remembered, and no more can be asked for at once.
const REMEMBERED: usize = 50;
/// The one play of a listener who is not listening: 2026-11-23, 10:00 UTC.
const ONE_PLAY: UnixMs = 1_795_428_000_000;
/// What is listened to, in turn.
const TRACKS: [&str; 3] = [
    routes::A_TRACK,
    "7ouMYWpwJ422jRcDASZB7P",
    "0VjIjW4GlUZAMYd2vXMi3b",
];

/// `GET /v1/me/player/recently-played`: the newest plays between the cursors, newest first.
pub(super) fn recently_played(world: &World, request: &Inbound) -> Result<Answer, Answer> {
    let limit = number(request, "limit", 20, 1, REMEMBERED)?;
    let (after, before) = (cursor(request, "after")?, cursor(request, "before")?);
    if after.is_some() && before.is_some() {
        return Err(bad("Only one of after and before may be given"));
    }
    let all = plays(world);
    let wanted = |at: &UnixMs| {
        after.is_none_or(|after| *at > after) && before.is_none_or(|before| *at < before)
    };
    let page: Vec<UnixMs> = all.iter().copied().filter(wanted).take(limit).collect();
    let here = format!("{}/v1/me/player/recently-played", world.api_url);
    let oldest = page.last().copied();
    let older = oldest.filter(|oldest| all.iter().any(|at| at < oldest && wanted(at)));
    let items: Vec<Value> = page.iter().map(|at| play(world, *at)).collect();
    Ok(ok(&json!({
        "href": here, "limit": limit, "items": items,
        "next": older.map(|before| format!("{here}?before={before}&limit={limit}")),
        "cursors": page.first().zip(oldest).map(|(newest, oldest)| {
            json!({ "after": newest.to_string(), "before": oldest.to_string() })
        }),
    })))
}

/// `GET /v1/me/top/tracks` and `…/artists`: a favourite each.
pub(super) fn top(world: &World, request: &Inbound, kind: &str) -> Result<Answer, Answer> {
    let limit = number(request, "limit", 20, 1, 50)?;
    let tracks = TRACKS.iter().map(|id| track(world, id));
    let items: Vec<Value> = match kind {
        "tracks" => tracks.take(limit).collect(),
        "artists" => tracks
            .take(1)
            .filter_map(|track| track.pointer("/artists/0").cloned())
            .collect(),
        _ => return Err(routes::not_found()),
    };
    Ok(ok(&json!({
        "href": format!("{}/v1/me/top/{kind}", world.api_url),
        "limit": limit, "offset": 0, "total": items.len(), "next": null, "previous": null,
        "items": items,
    })))
}

/// The times of what is remembered, newest first.
fn plays(world: &World) -> Vec<UnixMs> {
    let Some(every) = world.profile.play_every else {
        return vec![ONE_PLAY];
    };
    let every = clock::millis(every).max(1);
    let newest = world.now().div_euclid(every);
    (0..)
        .map(|ago| (newest - ago) * every)
        .take(REMEMBERED)
        .collect()
}

fn play(world: &World, at: UnixMs) -> Value {
    let every = world.profile.play_every.map_or(1, clock::millis).max(1);
    let turn = usize::try_from(at.div_euclid(every)).unwrap_or_default();
    let id = TRACKS.get(turn % TRACKS.len());
    let id = id.filter(|_| world.profile.play_every.is_some());
    json!({
        "track": track(world, id.copied().unwrap_or(routes::A_TRACK)),
        "played_at": clock::rfc3339(at), "context": null,
    })
}

fn cursor(request: &Inbound, name: &str) -> Result<Option<UnixMs>, Answer> {
    let text = request.query_value(name);
    text.map(|text| text.parse().map_err(|_| bad(&format!("Invalid {name}"))))
        .transpose()
}
