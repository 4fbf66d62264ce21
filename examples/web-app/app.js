// A web app without a back end: refrain signs its users in and calls Spotify for them. No token ever gets here.

const show = (id, visible) => {
  document.getElementById(id).hidden = !visible;
};

const say = (id, text) => {
  document.getElementById(id).textContent = text;
};

async function main() {
  const session = await (await fetch("/session")).json();
  if (!session.signed_in || session.needs_login) {
    say("who", session.signed_in ? "Spotify asks for your consent again." : "You are not signed in.");
    show("sign-in", true);
    show("sign-out", session.signed_in);
    return;
  }
  say("who", `Signed in as ${session.user ?? session.account_id}.`);
  say("by", `Spotify asks for your consent again in ${session.days_left} days.`);
  show("sign-out", true);
  const answer = await fetch("/v1/me/player/recently-played?limit=10");
  if (answer.status === 401) {
    // Signed out elsewhere while this page was open.
    location.reload();
    return;
  }
  if (!answer.ok) {
    say("who", `Spotify does not answer (${answer.status}). Reload the page in a while.`);
    return;
  }
  const { items } = await answer.json();
  document.getElementById("tracks").replaceChildren(
    ...items.map(({ track }) => {
      const item = document.createElement("li");
      item.textContent = `${track.name} – ${(track.artists ?? []).map((it) => it.name).join(", ")}`;
      return item;
    }),
  );
}

main().catch((error) => say("who", `That did not work: ${error.message}`));
