// Tells what you have played last, and who you listen to most, with Spotify's own SDK through refrain.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// Where `npm install` was run: here, or in the folder that MODULES names.
const modules = createRequire(pathToFileURL((process.env.MODULES ?? import.meta.dirname) + "/"));
const { SpotifyApi } = modules("@spotify/web-api-ts-sdk");

// All that refrain needs of a program: another address, and a key in the place of the access token.
const base = process.env.SPOTIFY_URL ?? "http://127.0.0.1:4280";
const key = process.env.SPOTIFY_KEY;
const year = 365 * 24 * 3600; // a key of refrain's does not expire; the SDK asks for a number
const token = { access_token: key, token_type: "Bearer", expires_in: year, refresh_token: "" };
const spotify = SpotifyApi.withAccessToken("anything", token, {
  fetch: (url, init) => fetch(url.replace("https://api.spotify.com/", base + "/"), init),
});

const { items: plays } = await spotify.player.getRecentlyPlayedTracks(10);
for (const { played_at, track } of plays) {
  const artists = track.artists.map((artist) => artist.name).join(", ");
  console.log(`${played_at.slice(0, 16).replace("T", " ")}  ${artists} – ${track.name}`);
}
const { items: artists } = await spotify.currentUser.topItems("artists", "short_term", 5);
console.log("You listen most to: " + artists.map((artist) => artist.name).join(", "));
