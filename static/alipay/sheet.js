// Inside Alipay: has the app tell silently who pays, then opens its payment sheet. What the sheet says is never believed.
{
  const { authorise } = document.currentScript.dataset;
  const [came] = performance.getEntriesByType("navigation");
  // Not by Back, and not by Reload; iPhones before iOS 15 know only the older way to tell.
  const arrived = (came ? came.type === "navigate" : performance.navigation.type === 0) && !document.prerendering;
  const trade = () => document.querySelector("[data-trade]");
  const bridge = () => window.AlipayJSBridge;
  let said, opened;

  const show = () =>
    document.querySelectorAll("[data-result]").forEach((note) => {
      note.hidden = !said || !note.dataset.result.split(" ").includes(said);
      if (!note.hidden) document.querySelector("[data-news]").textContent = note.textContent;
    });

  const heard = async ({ resultCode } = {}) => {
    opened = false;
    said = ["4000", "6001", "6002", "99"].includes(String(resultCode)) ? String(resultCode) : "unsure";
    show();
    const form = document.querySelector("form[action*='/check']");
    if (form) await fetch(form.action, { method: "POST", redirect: "manual" }).catch(() => {});
    // As if the shopper had come back: the page asks for news at once.
    dispatchEvent(new Event("focus"));
  };

  const open = () => {
    opened = Date.now();
    bridge().call("tradePay", { tradeNO: trade().dataset.trade }, heard);
  };

  document.addEventListener("click", (event) => {
    // Without a bridge, or where the sheet has failed, the button's own form leads to the wallet's page.
    if (!event.target.closest("[data-trade]") || !bridge() || said === "4000") return;
    event.preventDefault();
    if (!(Date.now() - opened < 2000)) open();
  });
  addEventListener("drawn", show);

  const begin = () => {
    if (!arrived || !bridge()) return;
    if (trade()) open();
    else if (authorise && document.querySelector("main[data-stage=choose]")) location.assign(authorise);
  };
  const ready = () => (bridge() ? begin() : document.addEventListener("AlipayJSBridgeReady", begin, { once: true }));
  if (document.readyState === "complete") setTimeout(ready);
  else addEventListener("load", () => setTimeout(ready));
}
