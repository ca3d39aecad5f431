// Takes the shopper back to the shop after a few seconds, unless they came back here or say stay.
// Of several tabs one goes, the one in front of the shopper: the others say that they may be closed.
{
  const came = (performance.getEntriesByType("navigation")[0] || {}).type;
  const others = self.BroadcastChannel && new BroadcastChannel(location.pathname);
  // Inside a shop's page it is the shop's to decide: it has been told.
  let stays = self !== top || came === "back_forward" || came === "reload";
  let leaves = 0;
  let rests = false;
  let answered = false;

  const stay = (wanted) => {
    stays = true;
    hide("[data-countdown]", true);
    return $(wanted);
  };
  const tick = () => {
    const line = $("[data-countdown]");
    if (!line || stays || document.hidden) return;
    if (!leaves && others) others.postMessage(0);
    leaves = leaves || Date.now() + 1000 * line.dataset.countdown;
    const left = Math.max(0, Math.ceil((leaves - Date.now()) / 1000));
    const text = $("[data-text]");
    text.textContent = text.dataset.text.replace("{seconds}", left);
    line.hidden = false;
    if (left) return setTimeout(tick, 250);
    location.assign(stay("[data-return]").href);
  };
  const rest = () => (stay("[data-closable]").hidden = false);
  if (others) others.onmessage = () => {
    if (document.hidden || !document.hasFocus()) {
      rests = true;
      rest();
    } else if (leaves && !answered) {
      // Whoever has only now heard of the payment has not heard of us.
      answered = true;
      others.postMessage(0);
    }
  };
  on("click", ({ target }) => "stay" in target.dataset && stay("[data-return]").focus());
  on("visibilitychange", () => leaves || tick(), document);
  on("drawn", () => (rests ? rest() : leaves || tick()));
  on("pagehide", () => (stays = true));
}
