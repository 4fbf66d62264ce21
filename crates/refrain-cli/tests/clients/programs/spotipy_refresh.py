"""spotipy's own SpotifyOAuth, which refreshes by itself: refrain is its token endpoint, a key of refrain's
its refresh token, and the API is asked directly."""

import sys

import spotipy
from spotipy.cache_handler import MemoryCacheHandler

from told import obey

base, key, api = sys.argv[1:]

SCOPE = "user-read-private"
spotipy.SpotifyOAuth.OAUTH_TOKEN_URL = base + "/api/token"
cache = MemoryCacheHandler(
    {"access_token": "", "refresh_token": key, "expires_at": 0, "scope": SCOPE}
)
manager = spotipy.SpotifyOAuth(
    client_id="anything",
    client_secret="anything",
    redirect_uri="http://127.0.0.1/callback",
    scope=SCOPE,
    cache_handler=cache,
)
spotify = spotipy.Spotify(auth_manager=manager)
spotify.prefix = api + "/v1/"


def failure(error):
    return {"status": getattr(error, "http_status", None), "error": repr(error)}


obey(
    {
        "me": lambda: spotify.current_user()["id"],
        "keeps the key": lambda: cache.get_cached_token()["refresh_token"] == key,
    },
    failure,
)
