// Asks the server for news until nothing will change any more, draws the answer in place of <main>, and says it once.
{
  const controls = () => all("a, button, summary");
  let last = main.innerHTML;
  let timer, asking, etag = "", slower = 1;

  const draw = (html) => {
    const next = make("template", { innerHTML: html }).content.querySelector("main");
    const moved = next.dataset.stage !== data.stage;
    // Nothing is taken from under a finger that presses it: the next answer brings the whole page again.
    if (!moved && $("main :active")) return (etag = "");
    // A page that shows something else for a while holds on to it until the stage changes.
    const same = next.innerHTML === last || ("holds" in data && !moved);
    last = next.innerHTML;
    Object.assign(data, next.dataset);
    if (same) return;
    delete data.holds;
    const open = all("details").map((one) => one.open);
    const here = document.activeElement;
    const at = controls().indexOf(here);
    const inside = main.contains(here);
    main.replaceChildren(...next.childNodes);
    run();
    if (moved) document.title = say(data.title);
    else all("details").forEach((one, i) => (one.open = open[i]));
    if (moved || inside) ((!moved && controls()[at]) || $("h1")).focus();
  };
  const ask = async () => {
    clearTimeout(timer);
    if (asking || "final" in data) return;
    asking = 1;
    const offline = $("[data-offline]");
    try {
      const answer = await fetch(data.statusUrl, {
        // With a tag of ours the browser's own cache stays out of it.
        headers: { Accept: "text/html", "If-None-Match": etag },
        signal: AbortSignal.timeout && AbortSignal.timeout(20000),
      });
      if (answer.status > 304) throw 0;
      etag = answer.headers.get("ETag");
      slower = 1;
      offline.textContent = "";
      if (answer.ok) draw(await answer.text());
      // An answer without a body has clocks all the same; without them everything stays as it was.
      Object.assign(data, JSON.parse(answer.headers.get("Clocks")));
    } catch {
      // Once is nothing: leaving the page ends a request too.
      if (slower > 1) offline.textContent = offline.dataset.offline;
      slower *= 1.5;
    }
    asking = 0;
    timer = setTimeout(ask, Math.min(15000, data.nextPollMs * slower));
  };
  const wake = () => document.hidden || ask();

  on("visibilitychange", wake, document);
  on("focus", wake);
  on("online", wake);
  // Every load ends with a pageshow; only a page that was put away and taken out again has missed something.
  on("pageshow", (event) => event.persisted && wake());
  timer = setTimeout(ask, data.nextPollMs);
}
