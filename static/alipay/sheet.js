// Inside Alipay: has the app tell silently who pays, then opens its payment sheet. What the sheet says is never believed.
// It stands behind pay/base.js and speaks its words.
{
  const { authorise } = document.currentScript.dataset;
  const [came] = performance.getEntriesByType("navigation");
  // Not by Back, and not by Reload; iPhones before iOS 15 know only the older way to tell.
  const arrived = (came ? came.type === "navigate" : performance.navigation.type === 0) && !document.prerendering;
  const trade = () => $("[data-trade]");
  const bridge = () => window.AlipayJSBridge;
  let said, opened;

  const show = () =>
    all("[data-result]").forEach((note) => {
      note.hidden = !said || !note.dataset.result.split(" ").includes(said);
      note.hidden || say(note.textContent);
    });

  const heard = async ({ resultCode } = {}) => {
    opened = false;
    said = `${resultCode}`;
    if (!["4000", "6001", "6002", "99"].includes(said)) said = "unsure";
    show();
    const form = $("form[action*='/check']");
    if (form) await fetch(form.action, { method: "POST", redirect: "manual" }).catch(() => {});
    // As if the shopper had come back: the page asks for news at once.
    tell("focus");
  };

  const open = () => {
    opened = Date.now();
    bridge().call("tradePay", { tradeNO: trade().dataset.trade }, heard);
  };

  on("click", (event) => {
    // Without a bridge, or where the sheet has failed, the button's own form leads to the wallet's page.
    if (!event.target.closest("[data-trade]") || !bridge() || said === "4000") return;
    event.preventDefault();
    if (!(Date.now() - opened < 2000)) open();
  });
  on("drawn", show);

  const begin = () => {
    if (!arrived || !bridge()) return;
    if (trade()) open();
    else if (authorise && data.stage === "choose") location.assign(authorise);
  };
  const ready = () => (bridge() ? begin() : document.addEventListener("AlipayJSBridgeReady", begin, { once: true }));
  if (document.readyState === "complete") setTimeout(ready);
  else on("load", () => setTimeout(ready));
}
