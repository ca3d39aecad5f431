// Keeps <main> in step with the server until the server says that nothing will change any more.
{
  const tell = (name) => dispatchEvent(new Event(name));
  const now = () => document.querySelector("main");
  const offline = document.querySelector("[data-offline]");
  let etag, timer, asking;
  let last = now().innerHTML;
  let slower = 1;

  const draw = (next) => {
    const old = now();
    const moved = next.dataset.stage !== old.dataset.stage;
    const same = next.innerHTML === last;
    Object.assign(old.dataset, next.dataset);
    if (next.hasAttribute("data-final")) old.dataset.final = "";
    last = next.innerHTML;
    tell("told");
    if (same) return;
    const open = [...old.querySelectorAll("details")].map((details) => details.open);
    const inside = old.contains(document.activeElement);
    const controls = () => [...old.querySelectorAll("a, button, summary")];
    const at = controls().indexOf(document.activeElement);
    old.replaceChildren(...next.childNodes);
    tell("drawn");
    if (!moved) old.querySelectorAll("details").forEach((details, i) => (details.open = open[i]));
    if (moved) document.title = document.querySelector("[data-news]").textContent = old.dataset.title;
    if (moved || inside) ((!moved && controls()[at]) || old.querySelector("h1")).focus();
  };

  const ask = async () => {
    clearTimeout(timer);
    if (asking || "final" in now().dataset) return;
    asking = true;
    try {
      const headers = { Accept: "text/html", ...(etag && { "If-None-Match": etag }) };
      const signal = AbortSignal.timeout && AbortSignal.timeout(20000);
      const answer = await fetch(now().dataset.statusUrl, { headers, signal, cache: "no-store" });
      if (!answer.ok && answer.status !== 304) throw answer.status;
      etag = answer.headers.get("ETag");
      slower = 1;
      offline.textContent = "";
      if (answer.ok) draw(new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main"));
    } catch {
      // Once is nothing: leaving the page ends a request too.
      if (slower > 1) offline.textContent = offline.dataset.offline;
      slower *= 1.5;
    }
    asking = false;
    later();
  };
  const later = () => (timer = setTimeout(ask, Math.min(15000, now().dataset.nextPollMs * slower)));
  const wake = () => document.hidden || ask();

  if (now().dataset.statusUrl) {
    document.addEventListener("visibilitychange", wake);
    ["focus", "pageshow", "online"].forEach((event) => addEventListener(event, wake));
    later();
  }
  tell("told");
  tell("drawn");
}
