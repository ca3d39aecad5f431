// Asks the server for news until it says that nothing will change any more: at once when the shopper comes back.
{
  const main = () => document.querySelector("main");
  const offline = document.querySelector("[data-offline]");
  let etag, timer, asking;
  let slower = 1;

  const ask = async () => {
    clearTimeout(timer);
    if (asking || "final" in main().dataset) return;
    asking = true;
    try {
      const headers = { Accept: "text/html", ...(etag && { "If-None-Match": etag }) };
      const signal = AbortSignal.timeout && AbortSignal.timeout(20000);
      const answer = await fetch(main().dataset.statusUrl, { headers, signal, cache: "no-store" });
      if (!answer.ok && answer.status !== 304) throw answer.status;
      etag = answer.headers.get("ETag");
      slower = 1;
      offline.textContent = "";
      if (answer.ok) dispatchEvent(new CustomEvent("answered", { detail: await answer.text() }));
    } catch {
      // Once is nothing: leaving the page ends a request too.
      if (slower > 1) offline.textContent = offline.dataset.offline;
      slower *= 1.5;
    }
    asking = false;
    later();
  };
  const later = () => (timer = setTimeout(ask, Math.min(15000, main().dataset.nextPollMs * slower)));
  const wake = () => document.hidden || ask();

  if (main().dataset.statusUrl) {
    document.addEventListener("visibilitychange", wake);
    ["focus", "online"].forEach((event) => addEventListener(event, wake));
    // Every load ends with a pageshow; only a page that was put away and taken out again has missed something.
    addEventListener("pageshow", (event) => event.persisted && wake());
    later();
  }
}
