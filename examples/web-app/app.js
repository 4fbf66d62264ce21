// A web app without a back end: refrain signs its users in and calls Spotify for them. No token ever gets here.

const at = (id) => document.getElementById(id);

function show(who, { signedIn = false, needsLogin = !signedIn, by = "", tracks = [] }) {
  at("who").textContent = who;
  at("by").textContent = by;
  at("sign-in").hidden = !needsLogin;
  at("sign-out").hidden = !signedIn;
  at("tracks").replaceChildren(...tracks);
}

function item({ track }) {
  const title = document.createElement("strong");
  title.textContent = track.name;
  const entry = document.createElement("li");
  entry.append(title, ` ${(track.artists ?? []).map((it) => it.name).join(", ")}`);
  return entry;
}

async function look() {
  const asked = await fetch("/session");
  if (!asked.ok) throw new Error(`nobody can sign in here (${asked.status})`);
  const session = await asked.json();
  if (!session.signed_in) return show("You are not signed in.", {});
  const who = `Signed in as ${session.user ?? session.account_id}.`;
  if (session.needs_login) {
    return show(`${who} Spotify asks for your consent again.`, { signedIn: true, needsLogin: true });
  }
  const answer = await fetch("/v1/me/player/recently-played?limit=10");
  // Signed out elsewhere in between.
  if (answer.status === 401) return show("You are not signed in any more.", {});
  if (!answer.ok) {
    return show(`${who} Spotify does not answer (${answer.status}). Come back in a while.`, { signedIn: true });
  }
  const { items } = await answer.json();
  const by = `Spotify asks for your consent again in ${session.days_left} days.`;
  show(items.length ? who : `${who} You have not listened to anything yet.`, {
    signedIn: true,
    by,
    tracks: items.map(item),
  });
}

const shown = () => look().catch((error) => show(`That did not work: ${error.message}.`, { needsLogin: false }));

// Whoever comes back to the page sees what has happened in between.
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && shown());
shown();
