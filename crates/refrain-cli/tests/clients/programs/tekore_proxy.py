"""tekore, through the proxy: another prefix, and a key of refrain's as the access token."""

import sys

import tekore
from tekore._client import base as tekore_base

from told import obey

base, key = sys.argv[1:]

tekore_base.prefix = base + "/v1/"
spotify = tekore.Spotify(key)


def every_playlist():
    return sum(1 for _ in spotify.all_items(spotify.followed_playlists(limit=10)))


def failure(error):
    response = getattr(error, "response", None)
    headers = response.headers if response else {}
    status = response.status_code if response else None
    return {"status": status, "retry_after": headers.get("retry-after"), "error": repr(error)}


obey(
    {
        "me": lambda: spotify.current_user().id,
        "play": lambda: spotify.playback_start_tracks(["11dFghVXANMlKmJXsNCbNl"]),
        "pause": lambda: spotify.playback_pause(),
        "playlists": every_playlist,
    },
    failure,
)
