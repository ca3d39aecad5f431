// Draws the server's answer in place of <main>, only where it differs from the one before, and says so once.
{
  const main = document.querySelector("main");
  const tell = (name) => dispatchEvent(new Event(name));
  const controls = () => [...main.querySelectorAll("a, button, summary")];
  let last = main.innerHTML;

  addEventListener("answered", ({ detail }) => {
    const next = new DOMParser().parseFromString(detail, "text/html").querySelector("main");
    const moved = next.dataset.stage !== main.dataset.stage;
    const same = next.innerHTML === last;
    last = next.innerHTML;
    Object.assign(main.dataset, next.dataset);
    tell("told");
    if (same) return;
    const open = [...main.querySelectorAll("details")].map((details) => details.open);
    const inside = main.contains(document.activeElement);
    const at = controls().indexOf(document.activeElement);
    main.replaceChildren(...next.childNodes);
    tell("drawn");
    if (!moved) main.querySelectorAll("details").forEach((details, i) => (details.open = open[i]));
    if (moved) document.title = document.querySelector("[data-news]").textContent = main.dataset.title;
    if (moved || inside) ((!moved && controls()[at]) || main.querySelector("h1")).focus();
  });
  tell("told");
  tell("drawn");
}
