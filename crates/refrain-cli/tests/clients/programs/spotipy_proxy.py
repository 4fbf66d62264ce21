"""spotipy, through the proxy: another prefix, and a key of refrain's as the access token."""

import sys

import spotipy

from told import obey

base, key = sys.argv[1:]

# A 429 is to be told at once, where spotipy would sleep it out by itself.
spotify = spotipy.Spotify(auth=key, retries=0, status_forcelist=(500,))
spotify.prefix = base + "/v1/"


def every_playlist():
    page = spotify.current_user_playlists(limit=10)
    count = len(page["items"])
    while page := spotify.next(page):
        count += len(page["items"])
    return count


def failure(error):
    headers = getattr(error, "headers", None) or {}
    status = getattr(error, "http_status", None)
    return {"status": status, "retry_after": headers.get("Retry-After"), "error": repr(error)}


obey(
    {
        "me": lambda: spotify.current_user()["id"],
        "play": lambda: spotify.start_playback(uris=["spotify:track:11dFghVXANMlKmJXsNCbNl"]),
        "pause": lambda: spotify.pause_playback(),
        "playlists": every_playlist,
    },
    failure,
)
