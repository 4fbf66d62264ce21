// What a page of somebody else's tries. `server` is the victim's; answers what it could read, which is to be
// nothing. Whatever can end, has ended by then.
const [server, link] = arguments;
const ended = (element) =>
  new Promise((done) => {
    element.addEventListener("load", () => done(true));
    element.addEventListener("error", () => done(false));
    setTimeout(() => done("late"), 10_000);
  });

async function forms() {
  const places = [
    "/v1/me/player/queue?uri=x", "/v1/me/player/pause", "/v1/me/playlists", "/session/logout",
    "/session/logout?everywhere=true", "/session/login", "/session/login?return_to=/x", "/dashboard/leave",
    "/dashboard/grants/alice/refresh", "/dashboard/grants/alice/sign-out", "/dashboard/keys", "/dashboard/connect",
    "/refrain/v1/keys", "/refrain/v1/connect-links", "/api/token", "/sign-in/x", link,
  ];
  const kinds = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
  const sent = [];
  for (const place of places) {
    for (const kind of kinds) {
      const frame = document.createElement("iframe");
      frame.name = `frame${document.querySelectorAll("iframe").length}`;
      document.body.append(frame);
      const form = document.createElement("form");
      Object.assign(form, { method: "post", action: server + place, enctype: kind, target: frame.name });
      const fields = { csrf: "0".repeat(64), name: "mine", all_grants: "yes", grant: "alice", _method: "DELETE", '{"name":"mine","all_grants":true,"x":"': '"}' };
      for (const [name, value] of Object.entries(fields)) {
        const field = document.createElement("input");
        Object.assign(field, { type: "hidden", name, value });
        form.append(field);
      }
      document.body.append(form);
      sent.push(ended(frame));
      form.submit();
    }
  }
  await Promise.all(sent);
  return [...document.querySelectorAll("iframe")].map((it) => look(() => it.contentDocument?.body?.textContent));
}

async function calls() {
  const places = ["/v1/me", "/v1/me/player/pause", "/session", "/session/logout", "/session/login", "/dashboard", "/dashboard/leave", "/refrain/v1/grants", "/app.js", "/callback?code=x&state=y"];
  const tries = [];
  for (const place of places) {
    for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE"]) {
      for (const mode of ["cors", "no-cors"]) {
        for (const credentials of ["omit", "include"]) {
          for (const headers of [{}, { "content-type": "text/plain" }, { "refrain-csrf": "1" }, { authorization: "Bearer session" }]) {
            const body = ["POST", "PUT"].includes(method) ? "{}" : undefined;
            // A browser that refuses to send it answers like one whose server did.
            tries.push(fetch(server + place, { method, mode, credentials, headers, body }).then(
              async (it) => (it.type === "opaque" && !(await it.text()) ? "" : `${method} ${place} ${mode}: ${it.status}`),
              () => "",
            ));
          }
        }
      }
    }
  }
  return Promise.all(tries);
}

async function elements() {
  const places = ["/v1/me", "/session", "/session/logout", "/session/login", "/dashboard", "/dashboard/leave", "/app.js", "/app.css"];
  const loaded = [];
  for (const place of places) {
    for (const [tag, attribute, more] of [
      ["img", "src"], ["img", "src", { crossOrigin: "use-credentials" }], ["script", "src"], ["script", "src", { crossOrigin: "use-credentials" }],
      ["link", "href", { rel: "stylesheet" }], ["link", "href", { rel: "prefetch" }], ["link", "href", { rel: "preload", as: "fetch" }],
      ["object", "data"], ["embed", "src"],
    ]) {
      const element = document.createElement(tag);
      Object.assign(element, more, { [attribute]: server + place });
      loaded.push(ended(element));
      document.body.append(element);
    }
    navigator.sendBeacon(server + place, "x");
  }
  const answers = await Promise.all(loaded);
  return answers.filter((it) => it === "late");
}

async function frames() {
  const places = ["/", "/dashboard", "/session/login", "/session", "/v1/me", link];
  const shown = places.map((place) => {
    const frame = document.createElement("iframe");
    frame.className = "framed";
    frame.src = server + place;
    document.body.append(frame);
    return ended(frame);
  });
  await Promise.all(shown);
  return [...document.querySelectorAll(".framed")].map((it) => look(() => it.contentDocument?.body?.textContent));
}

function look(at) {
  try { return at() ?? ""; } catch { return ""; }
}

return Promise.all([forms(), calls(), elements(), frames()]).then((all) => all.flat().filter((it) => it !== ""));
