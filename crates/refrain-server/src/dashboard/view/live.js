// Keeps an open page of the dashboard as it is at the server. Without it everything works; one presses reload.
"use strict";
(() => {
  const EVERY = 10_000;
  // Nobody sits there any more: the session is to lapse, and is not kept alive by a page.
  const LEFT = 10 * 60_000;
  const main = () => document.getElementById("main");
  let touched = Date.now();

  // What distances say changes all the time, and is no change of the page.
  const without = (element) => {
    const copy = element.cloneNode(true);
    for (const away of copy.querySelectorAll(".away")) away.textContent = "";
    for (const details of copy.querySelectorAll("details")) details.removeAttribute("open");
    return copy.innerHTML;
  };

  const distances = (fresh) => {
    const theirs = fresh.querySelectorAll(".away");
    main().querySelectorAll(".away").forEach((away, index) => {
      if (theirs[index]) away.textContent = theirs[index].textContent;
    });
  };

  // What has the focus, as far as it can be found again.
  const known = (element) => {
    if (!element || element === main() || !main().contains(element)) return null;
    const all = [...main().querySelectorAll(element.tagName)];
    const like = (it) => it.id + (it.getAttribute("href") || "") + (it.form ? it.form.action : "") + it.textContent;
    const same = all.filter((it) => like(it) === like(element));
    return { tag: element.tagName, like: like(element), index: same.indexOf(element), of: like };
  };

  const swap = (fresh) => {
    const focused = known(document.activeElement);
    const open = [...main().querySelectorAll("details[open]")].map((it) => it.id);
    main().replaceChildren(...fresh.childNodes);
    for (const id of open) {
      const details = id && document.getElementById(id);
      if (details) details.open = true;
    }
    if (focused) {
      const same = [...main().querySelectorAll(focused.tag)].filter((it) => focused.of(it) === focused.like);
      if (same[focused.index]) same[focused.index].focus({ preventScroll: true });
    }
    main().classList.remove("fresh");
    void main().offsetWidth;
    main().classList.add("fresh");
  };

  // Whoever types, chooses or marks something is not disturbed.
  const busy = () => {
    const at = document.activeElement;
    const selection = document.getSelection();
    return (at && main().contains(at) && at.matches("input, select, textarea")) || (selection && !selection.isCollapsed);
  };

  const tell = (before) => {
    const title = main().querySelector("h1");
    if (title && title.textContent !== before) document.getElementById("news").textContent = title.textContent;
  };

  const look = async () => {
    if (document.visibilityState !== "visible" || Date.now() - touched > LEFT || busy()) return;
    try {
      const answer = await fetch(location.href, { redirect: "error", cache: "no-store" });
      if (!answer.ok) {
        if (answer.status === 401) location.reload();
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("main");
      if (!fresh || busy()) return;
      const title = main().querySelector("h1");
      const before = title ? title.textContent : "";
      if (without(fresh) === without(main())) distances(fresh);
      else swap(fresh);
      tell(before);
      const footer = document.querySelector("footer time");
      const theirs = page.querySelector("footer time");
      if (footer && theirs) footer.replaceWith(theirs);
    } catch {
      // Out of reach; the next look may find it.
    }
  };

  for (const button of document.querySelectorAll("[data-copies]")) {
    const field = document.getElementById(button.dataset.copies);
    if (!field || !navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      field.select();
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
    });
  }

  if (!main() || !main().hasAttribute("data-live")) return;
  // What came of something is told once.
  const address = new URL(location.href);
  for (const name of ["done", "refrain", "error", "grant"]) address.searchParams.delete(name);
  if (address.href !== location.href) history.replaceState(null, "", address);
  document.getElementById("live").hidden = false;
  for (const sign of ["pointerdown", "pointermove", "keydown", "scroll"]) {
    addEventListener(sign, () => (touched = Date.now()), { passive: true });
  }
  document.addEventListener("visibilitychange", () => {
    touched = Date.now();
    look();
  });
  setInterval(look, EVERY);
})();
