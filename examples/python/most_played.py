"""Puts what you have played most of late into a playlist, with spotipy through refrain.

Run it as often as you like: the playlist is made once, and filled anew each time.
"""

import os
import sys
from collections import Counter

import spotipy

PLAYLIST = "Most played of late"

# All that refrain needs of a program: another address, and a key in the place of the access token.
spotify = spotipy.Spotify(auth=os.environ["SPOTIFY_KEY"])
spotify.prefix = os.environ.get("SPOTIFY_URL", "http://127.0.0.1:4280") + "/v1/"


def playlist_of_this_name(name):
    page = spotify.current_user_playlists()
    while page:
        for playlist in page["items"]:
            if playlist["name"] == name:
                return playlist
        page = spotify.next(page)
    return spotify.current_user_playlist_create(name, public=False)


def main():
    plays = spotify.current_user_recently_played(limit=50)["items"]
    if not plays:
        sys.exit("You have played nothing of late.")
    names = {play["track"]["uri"]: play["track"]["name"] for play in plays}
    most = Counter(play["track"]["uri"] for play in plays).most_common(20)
    playlist = playlist_of_this_name(PLAYLIST)
    spotify.playlist_replace_items(playlist["id"], [uri for uri, _ in most])
    for uri, times in most:
        print(f"{times:3} × {names[uri]}")
    print(f"They are in the playlist {playlist['name']} ({playlist['id']}).")


main()
