// Takes the shopper back to the shop after a few seconds, unless they came back here or say stay.
{
  const came = (performance.getEntriesByType("navigation")[0] || {}).type;
  let stays = came === "back_forward" || came === "reload";
  let leaves = 0;

  const tick = () => {
    const line = document.querySelector("[data-countdown]");
    if (!line || stays) return;
    leaves = leaves || Date.now() + 1000 * line.dataset.countdown;
    const left = Math.max(0, Math.ceil((leaves - Date.now()) / 1000));
    const text = line.querySelector("[data-text]");
    text.textContent = text.dataset.text.replace("{seconds}", left);
    line.hidden = false;
    if (left) return setTimeout(tick, 250);
    stays = true;
    location.assign(document.querySelector("[data-return]").href);
  };
  document.addEventListener("click", ({ target }) => {
    if (!("stay" in target.dataset)) return;
    stays = true;
    target.closest("[data-countdown]").hidden = true;
    document.querySelector("[data-return]").focus();
  });
  addEventListener("drawn", () => leaves || tick());
  addEventListener("pagehide", () => (stays = true));
}
