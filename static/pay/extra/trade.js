// Inside Alipay, for a page with a trade: opens the app's payment sheet. What the sheet says is never believed.
{
  let said, opened;
  const bridge = () => self.AlipayJSBridge;
  const show = () => {
    const note = said && ($("[data-result~='" + said + "']") || $("[data-result=unsure]"));
    if (!note) return;
    hide("[data-result]", true);
    note.hidden = false;
    say(note.textContent);
  };
  const heard = async (answer) => {
    opened = 0;
    said = `${+(answer && answer.resultCode)}`;
    show();
    const form = $("[action*='/check']");
    if (form) await fetch(form.action, { method: "POST", redirect: "manual" }).catch(() => 0);
    // As if the shopper had come back: the page asks for news at once.
    tell("focus");
  };
  const open = () => {
    const button = $("[data-trade]");
    if (!button || !bridge() || Date.now() - opened < 2000) return;
    opened = Date.now();
    bridge().call("tradePay", { tradeNO: button.dataset.trade }, heard);
  };
  on("click", (event) => {
    // Without a bridge, or where the sheet has failed, the button's own form leads to the wallet's page.
    if (!event.target.closest("[data-trade]") || !bridge() || said === "4000") return;
    event.preventDefault();
    open();
  });
  on("drawn", show);
  // Opens by itself too, when the app's bridge is there: not by Back, and not by Reload.
  const arrive = () => performance.navigation.type || document.prerendering || opened || open();
  on("load", arrive);
  on("AlipayJSBridgeReady", arrive, document);
}
