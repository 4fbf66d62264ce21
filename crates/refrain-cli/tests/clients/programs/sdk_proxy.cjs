// Spotify's own TypeScript SDK, through the proxy: its `fetch` leads to refrain, and the access token that
// it is given is a key of refrain's.
"use strict";

const readline = require("node:readline");
const { createRequire } = require("node:module");

const [base, key, clients] = process.argv.slice(2);
const { SpotifyApi } = createRequire(clients + "/")("@spotify/web-api-ts-sdk");

const SPOTIFY = "https://api.spotify.com/v1/";
let newest;
const spotify = SpotifyApi.withAccessToken(
  "anything",
  { access_token: key, token_type: "Bearer", expires_in: 3600, refresh_token: "" },
  {
    fetch: (url, init) => fetch(url.replace(SPOTIFY, base + "/v1/"), init),
    // The SDK's errors have neither status nor headers, so they are noted here.
    afterRequest: (_url, _init, response) => { newest = response; },
  },
);

async function everyPlaylist() {
  let count = 0;
  for (;;) {
    const page = await spotify.currentUser.playlists.playlists(10, count);
    count += page.items.length;
    if (!page.next) return count;
  }
}

const commands = {
  me: async () => (await spotify.currentUser.profile()).id,
  play: async () => {
    const uris = ["spotify:track:11dFghVXANMlKmJXsNCbNl"];
    await spotify.player.startResumePlayback(undefined, undefined, uris);
    return null;
  },
  pause: async () => { await spotify.player.pausePlayback(); return null; },
  playlists: everyPlaylist,
};

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let told;
    newest = undefined;
    try {
      told = { ok: await commands[line.trim()]() };
    } catch (error) {
      told = {
        status: newest?.status ?? null,
        retry_after: newest?.headers.get("retry-after") ?? null,
        error: String(error),
      };
    }
    console.log(JSON.stringify(told));
  }
}

main();
